//! The dialect `qnn`: quantized integers.

pub mod interpret;

use crate::ffi::{QuantParts, quant_parts};
use crate::ir::{IrError, expected, tensor_element};
use cml_runtime::reference::message::Quantizer;
use melior::ir::{OperationRef, Value, ValueLike};

/// Symbol of the client's first function: floats to stored integers.
pub const CLIENT_IN: &str = "client_in";
/// Symbol of what the server computes.
pub const SERVER: &str = "server";
/// Symbol of the client's last function: accumulators to results.
pub const CLIENT_OUT: &str = "client_out";

/// The quantizer in the type of a value.
///
/// # Errors
/// [`IrError::Expected`] unless its elements are `quant.uniform`.
pub fn quantizer_of(op: OperationRef<'_, '_>, value: Value<'_, '_>) -> Result<Quantizer, IrError> {
    let parts = tensor_element(value.r#type()).and_then(quant_parts);
    let parts = parts.ok_or_else(|| expected(op, "a tensor of quant.uniform elements"))?;
    Ok(to_quantizer(&parts))
}

/// The same parts as runtime data.
fn to_quantizer(parts: &QuantParts) -> Quantizer {
    Quantizer {
        scales: parts.scales.clone(),
        zero_points: parts.zero_points.clone(),
        axis: parts.axis,
        lo: parts.lo,
        hi: parts.hi,
        ..Quantizer::default()
    }
}

/// The same parts, to make a type of.
#[must_use]
pub fn to_parts(quantizer: &Quantizer) -> QuantParts {
    QuantParts {
        scales: quantizer.scales.clone(),
        zero_points: quantizer.zero_points.clone(),
        axis: quantizer.axis,
        lo: quantizer.lo,
        hi: quantizer.hi,
    }
}

/// The zero point of a value quantized as one tensor; of one quantized per axis, the common one.
///
/// # Errors
/// [`IrError::Expected`] if the zero points differ.
pub fn zero_point(op: OperationRef<'_, '_>, value: Value<'_, '_>) -> Result<i64, IrError> {
    let zero_points = quantizer_of(op, value)?.zero_points;
    let first = zero_points.first().copied().unwrap_or_default();
    if zero_points.iter().any(|zero| *zero != first) {
        return Err(expected(op, "one zero point for the whole tensor"));
    }
    Ok(first)
}
