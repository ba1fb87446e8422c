//! Unsqueeze: new axes of extent 1, counted in the result.
//!
//! 11: a negative axis counts from the end. 13: the axes are an input. 21 to 25: more kinds of elements.

use super::Operator;
use crate::error::Fault;
use crate::onnx::context::{NodeContext, Operand, axis_of_rank};

pub(super) const OPERATOR: Operator = Operator {
    name: "Unsqueeze",
    versions: &[1, 11, 13, 21, 23, 24, 25],
    inputs: &[(1, 1..=1), (13, 2..=2)],
    attributes: &[("axes", 1..=12)],
    limits: "constant axes",
    import,
};

fn import(context: &mut NodeContext<'_>) -> Result<Vec<Operand>, Fault> {
    let input = context.input(0, "data")?;
    let requested = if context.version() < 13 {
        context.integers_attribute("axes")?.ok_or(Fault::MissingAttribute { name: "axes" })?
    } else {
        context.integers(1, "axes")?.ok_or(Fault::MissingInput { index: 1, name: "axes" })?
    };
    let shape = input.shape();
    let rank = shape.len() + requested.len();
    let mut new = vec![false; rank];
    for axis in &requested {
        let at = axis_of_rank(*axis, rank).ok_or_else(|| Fault::Axis { axis: *axis, shape: shape.clone() })?;
        if std::mem::replace(&mut new[at], true) {
            return Err(Fault::RepeatedAxes { axes: requested });
        }
    }
    let mut old = shape.into_iter();
    let wide: Vec<usize> = new.into_iter().map(|new| if new { 1 } else { old.next().unwrap_or(1) }).collect();
    Ok(vec![context.reshape(input, &wide)?])
}
