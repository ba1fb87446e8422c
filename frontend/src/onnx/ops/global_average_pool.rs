//! GlobalAveragePool: the mean of each channel.
//!
//! 22: bfloat16.

use super::Operator;
use crate::error::Fault;
use crate::onnx::context::{NodeContext, Operand};
use crate::onnx::windows::{Windows, average};

pub(super) const OPERATOR: Operator = Operator {
    name: "GlobalAveragePool",
    versions: &[1, 22],
    inputs: &[(1, 1..=1)],
    attributes: &[],
    limits: "it becomes a product with a matrix of at most 2^24 elements",
    import,
};

fn import(context: &mut NodeContext<'_>) -> Result<Vec<Operand>, Fault> {
    let input = context.input(0, "X")?;
    let shape = input.shape();
    let windows = Windows::read(context, &shape, shape.get(2..).unwrap_or_default().to_vec())?;
    Ok(vec![average(context, input, &windows, false)?])
}
