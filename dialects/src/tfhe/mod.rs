//! The dialect `tfhe`: ciphertexts, keys and bootstraps.

pub mod interpret;

use crate::ffi::{lwe, lwe_parts, parameters, parameters_parts};
use crate::ir::{IrError, expected, tensor_element, tensor_of};
use cml_runtime::program::message::ParameterSet;
use cml_runtime::units::Spacing;
use melior::ir::{Attribute, Location, OperationRef, Type, Value, ValueLike};

/// Attribute of a module: its key set.
pub const PARAMETERS: &str = "tfhe.parameters";
/// Attribute of `@server` at this level: the shapes of its arguments, one array each.
pub const INPUT_SHAPES: &str = "cml.input_shapes";
/// Attribute of `@server` at this level: the shapes of its results, one array each.
pub const OUTPUT_SHAPES: &str = "cml.output_shapes";
/// Attribute of `@server` at this level: the smallest integer of each element, one array for each result.
pub const OUTPUT_LOWS: &str = "cml.output_lows";
/// Attribute of `@server` at this level: the largest integer of each element, one array for each result.
pub const OUTPUT_HIGHS: &str = "cml.output_highs";

/// Which key a ciphertext is under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Dimension k*N.
    Big,
    /// Dimension n.
    Small,
}

/// `tensor<countx!tfhe.lwe<key, spacing>>`.
///
/// # Errors
/// [`IrError::Expected`], after a diagnostic at `place`, for a spacing that the dialect refuses.
pub fn list<'c>(place: Location<'c>, count: usize, key: Key, spacing: Spacing) -> Result<Type<'c>, IrError> {
    let refused = || IrError::Expected {
        op: "tfhe".to_owned(),
        expected: format!("a spacing between 1 and 2^63 - 1, found {}", spacing.0),
    };
    let signed = i64::try_from(spacing.0).map_err(|_| refused())?;
    let element = lwe(place, key == Key::Big, signed).ok_or_else(refused)?;
    Ok(tensor_of(&[count as u64], element))
}

/// Key and spacing of a list.
///
/// # Errors
/// [`IrError::Expected`] unless it is a tensor of LWE.
pub fn encoding(op: OperationRef<'_, '_>, value: Value<'_, '_>) -> Result<(Key, Spacing), IrError> {
    let parts = tensor_element(value.r#type()).and_then(lwe_parts);
    let (big, spacing) = parts.ok_or_else(|| expected(op, "a tensor of !tfhe.lwe"))?;
    Ok((if big { Key::Big } else { Key::Small }, Spacing(spacing as u64)))
}

/// A key set as `#tfhe.parameters<...>`.
///
/// # Errors
/// [`IrError::Expected`], after a diagnostic at `place`, for an impossible one.
pub fn parameters_attribute<'c>(place: Location<'c>, set: &ParameterSet) -> Result<Attribute<'c>, IrError> {
    let sizes = [
        set.lwe_dimension,
        set.glwe_dimension,
        set.polynomial_size,
        set.pbs_base_log,
        set.pbs_level,
        set.ks_base_log,
        set.ks_level,
    ];
    parameters(place, &sizes.map(i64::from), &[set.lwe_std_dev, set.glwe_std_dev])
        .ok_or_else(|| IrError::Expected { op: "tfhe".to_owned(), expected: "a possible key set".to_owned() })
}

/// The key set in `#tfhe.parameters<...>`; `None` for any other attribute, or sizes beyond 32 bits.
#[must_use]
pub fn parameter_set(attribute: Attribute<'_>) -> Option<ParameterSet> {
    let (sizes, noise) = parameters_parts(attribute)?;
    let size = |index: usize| u32::try_from(sizes[index]).ok();
    Some(ParameterSet {
        lwe_dimension: size(0)?,
        glwe_dimension: size(1)?,
        polynomial_size: size(2)?,
        pbs_base_log: size(3)?,
        pbs_level: size(4)?,
        ks_base_log: size(5)?,
        ks_level: size(6)?,
        lwe_std_dev: noise[0],
        glwe_std_dev: noise[1],
    })
}
