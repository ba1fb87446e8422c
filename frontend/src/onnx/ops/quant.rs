//! Quant of QONNX: floats that a quantizer of any number of bits can represent,
//! `scale * (round(clip(x / scale + zero_point, lo, hi)) - zero_point)`.
//!
//! brevitas writes Quant of the domain onnx.brevitas, qonnx of qonnx.custom_op.general, and IntQuant since version 0.4. One
//! signed bit is -1 and 1 there.

use super::{ALWAYS, AttributeRange, Operator};
use crate::error::Fault;
use crate::onnx::context::{NodeContext, Operand};
use crate::onnx::qonnx::{Channels, bounds, rounding};
use crate::onnx::quantizer::fake_quantize;
use cml_runtime::reference::message::{Element, Quantizer, Rounding};

const ATTRIBUTES: &[AttributeRange] = &[("signed", ALWAYS), ("narrow", ALWAYS), ("rounding_mode", ALWAYS)];

pub(super) const OPERATOR: Operator = Operator {
    name: "Quant",
    versions: &[1],
    inputs: &[(1, 4..=4)],
    attributes: ATTRIBUTES,
    limits: "constant scales, zero points and bits; one of each, or one for each index of an axis; 1 to 32 bits",
    import,
};

fn import(context: &mut NodeContext<'_>) -> Result<Vec<Operand>, Fault> {
    let input = context.input(0, "X")?;
    if input.tensor_type().element == Element::I64 {
        return Err(Fault::Integers);
    }
    let signed = context.flag_attribute("signed")?.unwrap_or(true);
    let narrow = context.flag_attribute("narrow")?.unwrap_or(false);
    let rounding = rounding(context, "ROUND")?;
    let (bits, (lo, hi)) = bounds(context, (3, "bitwidth"), (signed, narrow))?;
    let channels = Channels::read(context, &[(1, "scale"), (2, "zero_point")], &input.shape())?;
    let (scales, zeros) = (&channels.values[0], &channels.values[1]);
    let quantizer = Quantizer { axis: channels.axis, zero_points: vec![0; scales.len()], ..Quantizer::default() };
    let quantizer = if bits == 1 && signed {
        // -1 and 1 are 0 and 1, scaled by 2 about a half.
        Quantizer {
            scales: scales.iter().map(|scale| 2.0 * scale).collect(),
            divisors: scales.clone(),
            shifts: zeros.clone(),
            offsets: zeros.iter().map(|zero| 0.5 + zero / 2.0).collect(),
            lo: 0,
            hi: 1,
            rounding: Rounding::Sign.into(),
            ..quantizer
        }
    } else {
        channels.check_zero_points(zeros, (lo, hi))?;
        let zeros = if zeros.iter().all(|zero| *zero == 0.0) { vec![] } else { zeros.clone() };
        let scales = scales.clone();
        Quantizer { scales, shifts: zeros.clone(), offsets: zeros, lo, hi, rounding: rounding.into(), ..quantizer }
    };
    Ok(vec![fake_quantize(context, input, quantizer)?])
}
