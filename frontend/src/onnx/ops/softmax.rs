//! Softmax: `exp(x) / sum(exp(x))`.
//!
//! 1: the sum runs over all axes from `axis` (1) on. 11: a negative axis counts from the end. 13: the sum runs over
//! `axis` (-1) alone.

use super::{ALWAYS, Operator};
use crate::error::Fault;
use crate::onnx::context::{NodeContext, Operand, axis};
use cml_runtime::reference::message::{Axis, Op};

pub(super) const OPERATOR: Operator = Operator {
    name: "Softmax",
    versions: &[1, 11, 13],
    inputs: &[(1, 1..=1)],
    attributes: &[("axis", ALWAYS)],
    limits: "",
    import,
};

fn import(context: &mut NodeContext<'_>) -> Result<Vec<Operand>, Fault> {
    let input = context.input(0, "input")?;
    let shape = input.shape();
    let alone = context.version() >= 13;
    let requested = context.integer_attribute("axis")?.unwrap_or(if alone { -1 } else { 1 });
    let flat_at = if requested == shape.len() as i64 && !alone { shape.len() } else { axis(requested, &shape)? };
    if alone || flat_at + 1 == shape.len() {
        return Ok(vec![context.emit(Op::Softmax(Axis { axis: flat_at as u32 }), &[input])?]);
    }
    let (outer, inner) = shape.split_at(flat_at);
    let flat = context.reshape(input, &[outer.iter().product(), inner.iter().product()])?;
    let result = context.emit(Op::Softmax(Axis { axis: 1 }), &[flat])?;
    Ok(vec![context.reshape(result, &shape)?])
}
