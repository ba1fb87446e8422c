//! Quantizers as nodes state them, for the operators that quantize.

use super::context::{NodeContext, Operand, axis};
use super::proto::DataType;
use crate::error::Fault;
use cml_runtime::reference::Value;
use cml_runtime::reference::message::{Op, Quantizer};

/// The smallest and the largest integer of a kind; `None` where quantizers do not store it.
pub(super) fn range(kind: DataType) -> Option<(i64, i64)> {
    match kind {
        DataType::Uint8 => Some((0, 255)),
        DataType::Int8 => Some((-128, 127)),
        DataType::Uint16 => Some((0, 65535)),
        DataType::Int16 => Some((-32768, 32767)),
        _ => None,
    }
}

/// Scales and zero points of QuantizeLinear and DequantizeLinear on a tensor of a shape; the bounds are left to the caller.
///
/// # Errors
/// [`Fault::Quantizer`] for blocks, [`Fault::ConstantForm`] for scales that are no list of floats.
pub(super) fn linear(context: &NodeContext<'_>, shape: &[usize]) -> Result<Quantizer, Fault> {
    if context.integer_attribute("block_size")?.is_some_and(|size| size != 0) {
        let found = "a scale for each block".to_owned();
        return Err(Fault::Quantizer { found, supported: "one scale, or one for each index of an axis" });
    }
    let form = |index, name, expected| Fault::ConstantForm { index, name, expected };
    let scales = match context.constant(1, "scale")? {
        None => return Err(Fault::MissingInput { index: 1, name: "scale" }),
        Some(Value::F32(array)) if array.ndim() <= 1 => array.iter().map(|x| f64::from(*x)).collect(),
        Some(_) => return Err(form(1, "scale", "a float or a list of floats")),
    };
    let scales: Vec<f64> = scales;
    let zero_points = match context.constant(2, "zero_point")? {
        None => vec![0; scales.len()],
        Some(Value::I64(array)) => array.iter().copied().collect(),
        Some(Value::F32(_)) => return Err(form(2, "zero_point", "integers")),
    };
    let axis =
        if scales.len() == 1 { 0 } else { axis(context.integer_attribute("axis")?.unwrap_or(1), shape)? };
    Ok(Quantizer { scales, zero_points, axis: axis as u32, lo: 0, hi: 0 })
}

/// Floats that went through a quantizer.
///
/// A constant matrix keeps its quantizer in the graph, as the weights of a product must: their integers are read off it. What
/// has fewer axes is added, never multiplied, and is computed now.
///
/// # Errors
/// [`Fault::Operation`] for a quantizer that does not fit the shape.
pub(super) fn fake_quantize(
    context: &mut NodeContext<'_>,
    source: Operand,
    quantizer: Quantizer,
) -> Result<Operand, Fault> {
    let is_vector = source.shape().len() < 2;
    let op = Op::FakeQuantize(quantizer);
    if is_vector { context.emit(op, &[source]) } else { context.push(op, &[source]) }
}
