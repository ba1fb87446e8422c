//! Dropout: nothing is done in inference; the mask is true everywhere, also before version 12, which leaves it open.
//!
//! 7: `ratio` is an attribute. 10: the mask is boolean. 12: `ratio` and `training_mode` are inputs. 13, 22: more kinds of
//! elements.

use super::Operator;
use crate::error::Fault;
use crate::onnx::context::{NodeContext, Operand};
use cml_runtime::reference::Value;
use cml_runtime::reference::message::Element;

pub(super) const OPERATOR: Operator = Operator {
    name: "Dropout",
    versions: &[7, 10, 12, 13, 22],
    inputs: &[(7, 1..=1), (12, 1..=3)],
    attributes: &[("ratio", 1..=11), ("seed", 12..=i64::MAX)],
    limits: "inference only",
    import,
};

fn import(context: &mut NodeContext<'_>) -> Result<Vec<Operand>, Fault> {
    if context.number(2, "training_mode")?.is_some_and(|mode| mode != 0.0) {
        let supported = "false; export the model for inference";
        return Err(Fault::ConstantForm { index: 2, name: "training_mode", expected: supported });
    }
    let input = context.input(0, "data")?;
    if !context.has_output(1) {
        return Ok(vec![input]);
    }
    let tensor_type = input.tensor_type();
    let count = tensor_type.element_count();
    // Before version 10 the mask has the kind of numbers of the input.
    let mask = if context.version() < 10 && tensor_type.element == Element::F32 {
        Value::floats(&tensor_type.shape, vec![1.0; count])?
    } else {
        Value::integers(&tensor_type.shape, vec![1; count])?
    };
    let mask = context.fold(mask);
    Ok(vec![input, mask])
}
