//! ConvInteger: the exact convolution of `x - x_zero_point` with `w - w_zero_point`, as integers of 32 bits.

use super::{Operator, conv};
use crate::error::Fault;
use crate::onnx::context::{NodeContext, Operand};
use crate::onnx::quantizer::steps;
use crate::onnx::windows::convolve;

pub(super) const OPERATOR: Operator = Operator {
    name: "ConvInteger",
    versions: &[10],
    inputs: &[(10, 2..=4)],
    attributes: conv::ATTRIBUTES,
    limits: "constant weights and zero points; as of Conv and MatMulInteger",
    import,
};

fn import(context: &mut NodeContext<'_>) -> Result<Vec<Operand>, Fault> {
    let input = steps(context, (0, "x"), Some((2, "x_zero_point")), 0)?;
    let weights = steps(context, (1, "w"), Some((3, "w_zero_point")), 0)?;
    let source = Box::new(convolve(context, input, (1, weights))?);
    Ok(vec![Operand::Whole { source }])
}
