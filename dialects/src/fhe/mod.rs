//! The dialect `fhe`: encrypted integers with proved ranges.

pub mod interpret;

use crate::ffi::{eint, eint_range};
use crate::ir::{Attributes, IrError, defining_op, expected, tensor_element, tensor_of, tensor_shape};
use melior::ir::{Location, OperationRef, Type, Value, ValueLike};

/// Attribute of `@server`, from `fhe` on: the smallest integer of each element, one array for each argument.
pub const INPUT_LOWS: &str = "cml.input_lows";
/// Attribute of `@server`, from `fhe` on: the largest integer of each element, one array for each argument.
pub const INPUT_HIGHS: &str = "cml.input_highs";
/// Attribute of an op at this level: the smallest integer of each element that calibration saw.
pub const MEASURED_LOWS: &str = "cml.measured_lows";
/// Attribute of an op at this level: the largest integer of each element that calibration saw.
pub const MEASURED_HIGHS: &str = "cml.measured_highs";
/// Attribute of a module, a unit where it is there: calibration saw less of the inputs than the client may send, and some sum would be
/// narrower if that were all.
pub const UNSEEN_INPUTS: &str = "cml.unseen_inputs";

/// Smallest and largest value of each element, row-major.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Ranges {
    /// Smallest.
    pub lows: Vec<i64>,
    /// Largest.
    pub highs: Vec<i64>,
}

impl Ranges {
    /// Smallest and largest value of all; 0:0 for none.
    #[must_use]
    pub fn hull(&self) -> (i64, i64) {
        let lo = self.lows.iter().copied().min().unwrap_or_default();
        (lo, self.highs.iter().copied().max().unwrap_or_default())
    }

    /// Whether all elements have the hull as range, so that the type says everything.
    #[must_use]
    pub fn is_uniform(&self) -> bool {
        let (lo, hi) = self.hull();
        self.lows.iter().all(|low| *low == lo) && self.highs.iter().all(|high| *high == hi)
    }
}

/// `tensor<...x!fhe.eint<lo:hi>>`.
///
/// # Errors
/// [`IrError::Expected`], after a diagnostic at `place`, for a range that the dialect refuses.
pub fn tensor<'c>(place: Location<'c>, shape: &[u64], (lo, hi): (i64, i64)) -> Result<Type<'c>, IrError> {
    let element = eint(place, lo, hi).ok_or_else(|| IrError::Expected {
        op: "fhe".to_owned(),
        expected: format!("a range of at most 2^41 values, found {lo}:{hi}"),
    })?;
    Ok(tensor_of(shape, element))
}

/// The hull in the type of a value.
///
/// # Errors
/// [`IrError::Expected`] unless it is a tensor of eint.
pub fn hull(op: OperationRef<'_, '_>, value: Value<'_, '_>) -> Result<(i64, i64), IrError> {
    let range = tensor_element(value.r#type()).and_then(eint_range);
    range.ok_or_else(|| expected(op, "a tensor of !fhe.eint"))
}

/// The range of each element: what the producer proved, else the hull of the type.
///
/// # Errors
/// [`IrError::Expected`] unless it is a tensor of eint.
pub fn ranges(op: OperationRef<'_, '_>, value: Value<'_, '_>) -> Result<Ranges, IrError> {
    if let Some(producer) = defining_op(value) {
        let attributes = Attributes(producer);
        if let (Ok(lows), Ok(highs)) = (attributes.i64_array("lows"), attributes.i64_array("highs")) {
            return Ok(Ranges { lows: lows.to_vec(), highs: highs.to_vec() });
        }
    }
    let (lo, hi) = hull(op, value)?;
    let shape = tensor_shape(value.r#type()).ok_or_else(|| expected(op, "a tensor of static shape"))?;
    let count = shape.iter().product::<u64>() as usize;
    Ok(Ranges { lows: vec![lo; count], highs: vec![hi; count] })
}
