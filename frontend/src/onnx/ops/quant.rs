//! Quant and IntQuant of QONNX: floats that a quantizer of any number of bits can represent,
//! `scale * clip(round(x / scale), lo, hi)`.
//!
//! brevitas writes Quant of the domain onnx.brevitas, qonnx of qonnx.custom_op.general, and IntQuant since version 0.4.

use super::{ALWAYS, AttributeRange, Operator};
use crate::error::Fault;
use crate::onnx::context::{NodeContext, Operand};
use crate::onnx::quantizer::fake_quantize;
use cml_runtime::reference::Value;
use cml_runtime::reference::message::{Element, Quantizer};

const ATTRIBUTES: &[AttributeRange] = &[("signed", ALWAYS), ("narrow", ALWAYS), ("rounding_mode", ALWAYS)];

pub(super) const OPERATOR: Operator = Operator {
    name: "Quant",
    versions: &[1],
    inputs: &[(1, 4..=4)],
    attributes: ATTRIBUTES,
    limits: "constant scales, zero point 0, 2 to 16 bits, rounding mode ROUND (halves to even)",
    import,
};

pub(super) const INT_QUANT: Operator = Operator { name: "IntQuant", ..OPERATOR };

fn import(context: &mut NodeContext<'_>) -> Result<Vec<Operand>, Fault> {
    let input = context.input(0, "X")?;
    if input.tensor_type().element == Element::I64 {
        return Err(Fault::Integers);
    }
    let mode = context.text_attribute("rounding_mode")?.unwrap_or_else(|| "ROUND".to_owned());
    if !["ROUND", "HALF_EVEN"].contains(&mode.to_uppercase().as_str()) {
        let supported = "ROUND, HALF_EVEN";
        return Err(Fault::AttributeValue { name: "rounding_mode", found: mode, supported });
    }
    let zero_point = context.constant(2, "zero_point")?;
    let is_zero = zero_point.is_some_and(|value| match value {
        Value::F32(array) => array.iter().all(|x| *x == 0.0),
        Value::I64(array) => array.iter().all(|x| *x == 0),
    });
    if !is_zero {
        // QONNX rounds the sum with the zero point, which breaks ties otherwise than rounding before it.
        let found = "a zero point other than 0".to_owned();
        return Err(Fault::Quantizer { found, supported: "zero point 0" });
    }
    let (lo, hi) = bounds(context)?;
    let (scales, axis) = scales(context, &input.shape())?;
    let zero_points = vec![0; scales.len()];
    let quantizer = Quantizer { scales, zero_points, axis, lo, hi };
    Ok(vec![fake_quantize(context, input, quantizer)?])
}

/// The smallest and the largest integer.
fn bounds(context: &NodeContext<'_>) -> Result<(i64, i64), Fault> {
    let bits = context.number(3, "bitwidth")?.ok_or(Fault::MissingInput { index: 3, name: "bitwidth" })?;
    if bits.fract() != 0.0 || !(2.0..=16.0).contains(&bits) {
        return Err(Fault::Quantizer {
            found: format!("{bits} bits"),
            supported: "2 to 16 bits, a whole number",
        });
    }
    let narrow = i64::from(context.flag_attribute("narrow")?.unwrap_or(false));
    let bits = bits as u32;
    if context.flag_attribute("signed")?.unwrap_or(true) {
        let half = 1 << (bits - 1);
        Ok((narrow - half, half - 1))
    } else {
        Ok((0, (1 << bits) - 1 - narrow))
    }
}

/// The scales, and the axis that they belong to: the one along which their shape, aligned at the end, is not 1.
fn scales(context: &NodeContext<'_>, shape: &[usize]) -> Result<(Vec<f64>, u32), Fault> {
    let form = Fault::ConstantForm {
        index: 1,
        name: "scale",
        expected: "one float, or one for each index of one axis of X",
    };
    let Some(Value::F32(array)) = context.constant(1, "scale")? else { return Err(form) };
    let values: Vec<f64> = array.iter().map(|x| f64::from(*x)).collect();
    let long: Vec<usize> = (0..array.ndim()).filter(|axis| array.shape()[*axis] != 1).collect();
    match long[..] {
        [] if values.len() == 1 => Ok((values, 0)),
        [axis] if array.ndim() <= shape.len() => Ok((values, (axis + shape.len() - array.ndim()) as u32)),
        _ => Err(form),
    }
}
