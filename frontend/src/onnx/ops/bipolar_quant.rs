//! BipolarQuant of QONNX: `scale` for x from 0 on, `-scale` below.

use super::Operator;
use crate::error::Fault;
use crate::onnx::context::{NodeContext, Operand};
use crate::onnx::qonnx::Channels;
use crate::onnx::quantizer::fake_quantize;
use cml_runtime::reference::message::{Element, Quantizer, Rounding};

pub(super) const OPERATOR: Operator = Operator {
    name: "BipolarQuant",
    versions: &[1],
    inputs: &[(1, 2..=2)],
    attributes: &[],
    limits: "constant scales above 0; one, or one for each index of an axis",
    import,
};

fn import(context: &mut NodeContext<'_>) -> Result<Vec<Operand>, Fault> {
    let input = context.input(0, "X")?;
    if input.tensor_type().element == Element::I64 {
        return Err(Fault::Integers);
    }
    let channels = Channels::read(context, &[(1, "scale")], &input.shape())?;
    let scales = &channels.values[0];
    let count = scales.len();
    // -1 and 1 are 0 and 1, scaled by 2 about a half.
    let quantizer = Quantizer {
        scales: scales.iter().map(|scale| 2.0 * scale).collect(),
        zero_points: vec![0; count],
        axis: channels.axis,
        lo: 0,
        hi: 1,
        rounding: Rounding::Sign.into(),
        divisors: vec![1.0; count],
        shifts: vec![],
        offsets: vec![0.5; count],
    };
    Ok(vec![fake_quantize(context, input, quantizer)?])
}
