//! QLinearMatMul: the exact product of the integers A and B, quantized anew.
//!
//! `y = saturate(round_half_even(sum * (a_scale * b_scale / y_scale)) + y_zero_point)`, the factor and the product in f32, as
//! onnxruntime has it. 10: integers of 8 bits. 21: floats of 8 bits, not supported.

use super::Operator;
use crate::error::Fault;
use crate::onnx::context::{NodeContext, Operand};
use crate::onnx::quantizer::{requantize, steps};
use cml_runtime::reference::message::{Empty, Op};

pub(super) const OPERATOR: Operator = Operator {
    name: "QLinearMatMul",
    versions: &[10, 21],
    inputs: &[(10, 8..=8)],
    attributes: &[],
    limits: "constant scales and zero points, of A and of the result one",
    import,
};

fn import(context: &mut NodeContext<'_>) -> Result<Vec<Operand>, Fault> {
    let a = steps(context, (0, "a"), Some((2, "a_zero_point")), 0)?;
    let b = steps(context, (3, "b"), Some((5, "b_zero_point")), -1)?;
    let sums = context.emit(Op::MatMul(Empty {}), &[a, b])?;
    let scales = [Some((1, "a_scale")), Some((4, "b_scale")), Some((6, "y_scale"))];
    Ok(vec![requantize(context, sums, scales, (7, "y_zero_point"), -1)?])
}
