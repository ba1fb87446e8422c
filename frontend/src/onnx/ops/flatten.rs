//! Flatten: two axes, the product of the extents before `axis` and of those from it on.
//!
//! 9, 13 to 25: more kinds of elements. 11: a negative axis counts from the end.

use super::{ALWAYS, Operator};
use crate::error::Fault;
use crate::onnx::context::{NodeContext, Operand, axis};

pub(super) const OPERATOR: Operator = Operator {
    name: "Flatten",
    versions: &[1, 9, 11, 13, 21, 23, 24, 25],
    inputs: &[(1, 1..=1)],
    attributes: &[("axis", ALWAYS)],
    limits: "",
    import,
};

fn import(context: &mut NodeContext<'_>) -> Result<Vec<Operand>, Fault> {
    let input = context.input(0, "input")?;
    let shape = input.shape();
    let requested = context.integer_attribute("axis")?.unwrap_or(1);
    // One more than the last axis leaves nothing for the second extent.
    let at = if requested == shape.len() as i64 { shape.len() } else { axis(requested, &shape)? };
    let (outer, inner) = shape.split_at(at);
    let flat = [outer.iter().product(), inner.iter().product()];
    Ok(vec![context.reshape(input, &flat)?])
}
