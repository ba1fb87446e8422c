//! Conv: sums of products over windows, with one bias for each result.
//!
//! 1: zeros around the input, groups, strides, dilations. 11: strides and dilations are 1 unless stated. 22: bfloat16.

use super::{ALWAYS, AttributeRange, Operator};
use crate::error::Fault;
use crate::onnx::context::{NodeContext, Operand};
use crate::onnx::windows::{convolve, of_results};
use cml_runtime::reference::message::{Empty, Op};

/// What all convolutions state.
pub(super) const ATTRIBUTES: &[AttributeRange] = &[
    ("auto_pad", ALWAYS),
    ("dilations", ALWAYS),
    ("group", ALWAYS),
    ("kernel_shape", ALWAYS),
    ("pads", ALWAYS),
    ("strides", ALWAYS),
];

pub(super) const OPERATOR: Operator = Operator {
    name: "Conv",
    versions: &[1, 11, 22],
    inputs: &[(1, 2..=3)],
    attributes: ATTRIBUTES,
    limits: "constant weights; it becomes a product with a matrix of at most 2^24 elements",
    import,
};

fn import(context: &mut NodeContext<'_>) -> Result<Vec<Operand>, Fault> {
    let (input, weights) = (context.input(0, "X")?, context.input(1, "W")?);
    let sums = convolve(context, input, (1, weights))?;
    let Some(bias) = context.optional(2).cloned() else { return Ok(vec![sums]) };
    let bias = of_results(context, bias, &sums)?;
    Ok(vec![context.emit(Op::Add(Empty {}), &[sums, bias])?])
}
