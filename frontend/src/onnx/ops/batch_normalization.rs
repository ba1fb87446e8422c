//! BatchNormalization: `(x - mean) / sqrt(variance + epsilon) * scale + bias` for each channel (axis 1).
//!
//! 7: more than one output asks for training; `spatial` 0 keeps statistics for each feature. 9: `spatial` is gone.
//! 14: `training_mode` asks for training. 15: the statistics may have another kind of float.

use super::{ALWAYS, Operator};
use crate::error::Fault;
use crate::onnx::context::{NodeContext, Operand};
use cml_runtime::reference::message::{BatchNormalization, Op};

pub(super) const OPERATOR: Operator = Operator {
    name: "BatchNormalization",
    versions: &[7, 9, 14, 15],
    inputs: &[(7, 5..=5)],
    attributes: &[
        ("epsilon", ALWAYS),
        ("momentum", ALWAYS),
        ("spatial", 1..=8),
        ("training_mode", 14..=i64::MAX),
    ],
    limits: "inference only; `spatial` 1",
    import,
};

fn import(context: &mut NodeContext<'_>) -> Result<Vec<Operand>, Fault> {
    if context.flag_attribute("training_mode")?.unwrap_or(false) {
        let found = "1".to_owned();
        return Err(Fault::AttributeValue { name: "training_mode", found, supported: "0; export for inference" });
    }
    if context.integer_attribute("spatial")?.is_some_and(|spatial| spatial != 1) {
        return Err(Fault::AttributeValue { name: "spatial", found: "0".to_owned(), supported: "1" });
    }
    if let Some(index) = (1..context.node.output.len()).find(|index| context.has_output(*index)) {
        return Err(Fault::TrainingOutput { index });
    }
    let epsilon = context.float_attribute("epsilon")?.unwrap_or(1e-5);
    let names = ["X", "scale", "B", "input_mean", "input_var"];
    let operands: Result<Vec<Operand>, Fault> =
        names.into_iter().enumerate().map(|(index, name)| context.input(index, name)).collect();
    Ok(vec![context.emit(Op::BatchNormalization(BatchNormalization { epsilon }), &operands?)?])
}
