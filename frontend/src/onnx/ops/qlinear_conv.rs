//! QLinearConv: the exact convolution of integers, with integers of 32 bits added, quantized anew.
//!
//! `y = saturate(round_half_even((sum + B) * (x_scale * w_scale / y_scale)) + y_zero_point)`, the factor and the product in f32,
//! as onnxruntime has it.

use super::{Operator, conv};
use crate::error::Fault;
use crate::onnx::context::{NodeContext, Operand};
use crate::onnx::quantizer::{requantize, steps};
use crate::onnx::windows::{convolve, of_results};
use cml_runtime::reference::message::{Cast, Element, Empty, Op};

pub(super) const OPERATOR: Operator = Operator {
    name: "QLinearConv",
    versions: &[10],
    inputs: &[(10, 8..=9)],
    attributes: conv::ATTRIBUTES,
    limits: "constant weights, bias, scales and zero points; as of Conv and QLinearMatMul",
    import,
};

fn import(context: &mut NodeContext<'_>) -> Result<Vec<Operand>, Fault> {
    let input = steps(context, (0, "x"), Some((2, "x_zero_point")), 0)?;
    let weights = steps(context, (3, "w"), Some((5, "w_zero_point")), 0)?;
    let mut sums = convolve(context, input, (3, weights))?;
    if context.constant(8, "B")?.is_some() {
        let bias = context.input(8, "B")?;
        let bias = context.emit(Op::Cast(Cast { element: Element::F32.into() }), &[bias])?;
        let bias = of_results(context, bias, &sums)?;
        sums = context.emit(Op::Add(Empty {}), &[sums, bias])?;
    }
    let scales = [Some((1, "x_scale")), Some((4, "w_scale")), Some((6, "y_scale"))];
    Ok(vec![requantize(context, sums, scales, (7, "y_zero_point"), 1)?])
}
