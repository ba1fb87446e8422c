//! Transpose: axis i of the result is axis `perm[i]` of the input; without `perm` the axes are reversed.
//!
//! 13, 21 to 25: more kinds of elements.

use super::{ALWAYS, Operator};
use crate::error::Fault;
use crate::onnx::context::{NodeContext, Operand, axis};
use cml_runtime::reference::message::{Dims, Op};

pub(super) const OPERATOR: Operator = Operator {
    name: "Transpose",
    versions: &[1, 13, 21, 23, 24, 25],
    inputs: &[(1, 1..=1)],
    attributes: &[("perm", ALWAYS)],
    limits: "",
    import,
};

fn import(context: &mut NodeContext<'_>) -> Result<Vec<Operand>, Fault> {
    let input = context.input(0, "data")?;
    let shape = input.shape();
    let dims = match context.integers_attribute("perm")? {
        None => (0..shape.len() as u64).rev().collect(),
        Some(perm) => {
            let axes = perm.into_iter().map(|at| axis(at, &shape).map(|at| at as u64));
            axes.collect::<Result<Vec<u64>, Fault>>()?
        }
    };
    if dims.len() == shape.len() && dims.windows(2).all(|pair| pair[0] < pair[1]) {
        return Ok(vec![input]);
    }
    Ok(vec![context.emit(Op::Transpose(Dims { dims }), &[input])?])
}
