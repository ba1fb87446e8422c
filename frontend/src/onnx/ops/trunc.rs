//! Trunc of QONNX: integers of a quantizer, divided by a power of two and rounded.
//!
//! `y = round_half_even(x / scale + zero_point) / t`, and then:
//! 1: `t = 2^(in_bitwidth - out_bitwidth)`, `scale * (round(y) - zero_point)`.
//! 2: `t` is the power of two next to `out_scale / scale`, `out_scale * (round(clip(y, lo, hi)) - zero_point / t)`.
//! The versions are told apart by their inputs: 5 and 6.

use super::{ALWAYS, Operator};
use crate::error::Fault;
use crate::onnx::context::{NodeContext, Operand};
use crate::onnx::qonnx::{Channels, bits, bounds, rounding};
use crate::onnx::quantizer::fake_quantize;
use cml_runtime::reference::Value;
use cml_runtime::reference::message::{Element, Empty, Op, Quantizer};

pub(super) const OPERATOR: Operator = Operator {
    name: "Trunc",
    versions: &[1],
    inputs: &[(1, 5..=6)],
    attributes: &[("rounding_mode", ALWAYS), ("narrow", ALWAYS), ("signed", ALWAYS)],
    limits: "constant scales, zero points and bits; one of each, or one for each index of an axis",
    import,
};

fn import(context: &mut NodeContext<'_>) -> Result<Vec<Operand>, Fault> {
    let input = context.input(0, "X")?;
    if input.tensor_type().element == Element::I64 {
        return Err(Fault::Integers);
    }
    let rounding = rounding(context, "FLOOR")?;
    let is_first = context.optional(5).is_none();
    let names: &[(usize, &str)] = &[(1, "scale"), (2, "zero_point"), (4, "out_scale")];
    let names = if is_first { &names[..2] } else { names };
    let channels = Channels::read(context, names, &input.shape())?;
    let (scales, zeros) = (&channels.values[0], &channels.values[1]);
    let count = scales.len();
    let in_bits = bits(context, (3, "in_bitwidth"))?;
    let (out_scales, divisors, offsets, (lo, hi)) = if is_first {
        let out_bits = bits(context, (4, "out_bitwidth"))?;
        let divisor = f64::from(in_bits as i32 - out_bits as i32).exp2();
        // With or without sign, and rounded up at most.
        let bounds = (-(1 << (out_bits - 1)), 1 << out_bits);
        (scales.clone(), vec![divisor; count], zeros.clone(), bounds)
    } else {
        let signed = context.flag_attribute("signed")?.unwrap_or(true);
        let narrow = context.flag_attribute("narrow")?.unwrap_or(false);
        let (_, bounds) = bounds(context, (5, "out_bitwidth"), (signed, narrow))?;
        let out_scales = channels.values[2].clone();
        let divisor = |(out, scale): (&f64, &f64)| (*out as f32 / *scale as f32).log2().round_ties_even();
        let divisors: Vec<f64> =
            out_scales.iter().zip(scales).map(|pair| f64::from(divisor(pair)).exp2()).collect();
        let offsets = zeros.iter().zip(&divisors).map(|(zero, divisor)| zero / divisor).collect();
        (out_scales, divisors, offsets, bounds)
    };
    channels.check_zero_points(&offsets, (lo, hi))?;
    let integers = integers(context, input, &channels)?;
    let quantizer = Quantizer {
        scales: out_scales,
        zero_points: vec![0; count],
        axis: channels.axis,
        lo,
        hi,
        rounding: rounding.into(),
        divisors,
        shifts: vec![],
        offsets: if offsets.iter().all(|offset| *offset == 0.0) { vec![] } else { offsets },
    };
    Ok(vec![fake_quantize(context, integers, quantizer)?])
}

/// The integers of the quantizer before, as floats: dividing their reals by a scale alone could miss one by the last bit.
fn integers(context: &mut NodeContext<'_>, input: Operand, channels: &Channels) -> Result<Operand, Fault> {
    let extents = channels.extents(input.shape().len());
    let mut list = |values: &[f64]| {
        let floats = values.iter().map(|value| *value as f32).collect();
        Ok::<_, Fault>(context.fold(Value::floats(&extents, floats)?))
    };
    let (scale, zero) = (list(&channels.values[0])?, list(&channels.values[1])?);
    let quotient = context.emit(Op::Div(Empty {}), &[input, scale])?;
    let sum = context.emit(Op::Add(Empty {}), &[quotient, zero])?;
    let (lo, hi) = (i64::from(i32::MIN), i64::from(i32::MAX));
    let unit = Quantizer { scales: vec![1.0], zero_points: vec![0], lo, hi, ..Quantizer::default() };
    context.emit(Op::FakeQuantize(unit), &[sum])
}
