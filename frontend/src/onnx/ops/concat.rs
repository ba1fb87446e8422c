//! Concat: tensors one after the other along an axis.
//!
//! 4: `axis` is required. 11: a negative axis counts from the end. 13: bfloat16.

use super::{ALWAYS, Operator};
use crate::error::Fault;
use crate::onnx::context::{NodeContext, Operand, axis};
use cml_runtime::reference::message::{Axis, Op};

pub(super) const OPERATOR: Operator = Operator {
    name: "Concat",
    versions: &[4, 11, 13],
    inputs: &[(4, 1..=usize::MAX)],
    attributes: &[("axis", ALWAYS)],
    limits: "",
    import,
};

fn import(context: &mut NodeContext<'_>) -> Result<Vec<Operand>, Fault> {
    let requested = context.integer_attribute("axis")?.ok_or(Fault::MissingAttribute { name: "axis" })?;
    let operands: Result<Vec<Operand>, Fault> =
        (0..context.inputs.len()).map(|index| context.input(index, "inputs")).collect();
    let operands = operands?;
    let at = axis(requested, &operands.first().map(Operand::shape).unwrap_or_default())?;
    Ok(vec![context.emit(Op::Concat(Axis { axis: at as u32 }), &operands)?])
}
