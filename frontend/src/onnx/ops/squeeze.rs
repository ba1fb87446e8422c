//! Squeeze: axes of extent 1 go; without `axes`, all of them.
//!
//! 11: a negative axis counts from the end. 13: the axes are an input. 21 to 25: more kinds of elements.

use super::Operator;
use crate::error::Fault;
use crate::onnx::context::{NodeContext, Operand, axis};

pub(super) const OPERATOR: Operator = Operator {
    name: "Squeeze",
    versions: &[1, 11, 13, 21, 23, 24, 25],
    inputs: &[(1, 1..=1), (13, 1..=2)],
    attributes: &[("axes", 1..=12)],
    limits: "constant axes",
    import,
};

fn import(context: &mut NodeContext<'_>) -> Result<Vec<Operand>, Fault> {
    let input = context.input(0, "data")?;
    let shape = input.shape();
    let requested = if context.version() < 13 {
        context.integers_attribute("axes")?
    } else {
        context.integers(1, "axes")?
    };
    let Some(requested) = requested else {
        let kept: Vec<usize> = shape.iter().copied().filter(|extent| *extent != 1).collect();
        return Ok(vec![context.reshape(input, &kept)?]);
    };
    let mut gone = vec![false; shape.len()];
    for at in &requested {
        let at = axis(*at, &shape)?;
        if shape[at] != 1 {
            return Err(Fault::NotSqueezable { axis: at, shape });
        }
        if std::mem::replace(&mut gone[at], true) {
            return Err(Fault::RepeatedAxes { axes: requested });
        }
    }
    let kept: Vec<usize> = shape.iter().zip(gone).filter(|(_, gone)| !gone).map(|(extent, _)| *extent).collect();
    Ok(vec![context.reshape(input, &kept)?])
}
