//! The dialect `tfhe`: ciphertexts, keys and bootstraps.

pub mod interpret;

use crate::ffi::{lwe, lwe_parts, parameters, parameters_parts};
use crate::ir::{Attributes, IrError, Make, expected, tensor_element, tensor_of};
use cml_runtime::program::message::ParameterSet;
use cml_runtime::units::Spacing;
use melior::Context;
use melior::ir::{Attribute, Location, OperationRef, Type, Value, ValueLike};

/// Attribute of a module: its key sets, an array.
pub const PARAMETERS: &str = "tfhe.parameters";
/// Attribute of `@server` at this level: the shapes of its arguments, one array each.
pub const INPUT_SHAPES: &str = "cml.input_shapes";
/// Attribute of `@server` at this level: the shapes of its results, one array each.
pub const OUTPUT_SHAPES: &str = "cml.output_shapes";
/// Attribute of `@server` at this level: the smallest integer of each element, one array for each result.
pub const OUTPUT_LOWS: &str = "cml.output_lows";
/// Attribute of `@server` at this level: the largest integer of each element, one array for each result.
pub const OUTPUT_HIGHS: &str = "cml.output_highs";

/// Attribute of a module: the failure budget of one inference, log2, an f64.
pub const P_ERROR: &str = "cml.p_error_log2";
/// Attribute of a module: the failure budget of one lookup, log2, an f64.
pub const P_ERROR_PER_LOOKUP: &str = "cml.p_error_per_lookup_log2";
/// Attribute of `tfhe.bootstrap` and `tfhe.compare`: the largest width that calibration saw in what the lookup reads, in bits.
pub const MEASURED_WIDTH: &str = "cml.measured_width";
/// Attribute of a `tfhe.bootstrap`: the smallest and the largest integer that calibration saw its lookup read, an `array<i64>`.
pub const MEASURED_RANGE: &str = "cml.measured_range";
/// Attribute of `tfhe.bootstrap` and `tfhe.compare`: the milliseconds that the cost table gives for one element on one core, an
/// f64.
pub const PREDICTED_MILLISECONDS: &str = "cml.predicted_milliseconds";

/// Which key a ciphertext is under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Dimension k*N.
    Big,
    /// Dimension n of this key set.
    Small(u32),
}

impl Key {
    fn set(self) -> Option<u32> {
        match self {
            Self::Big => None,
            Self::Small(set) => Some(set),
        }
    }
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
    let element = lwe(place, key.set(), signed).ok_or_else(refused)?;
    Ok(tensor_of(&[count as u64], element))
}

/// Key and spacing of a list.
///
/// # Errors
/// [`IrError::Expected`] unless it is a tensor of LWE.
pub fn encoding(op: OperationRef<'_, '_>, value: Value<'_, '_>) -> Result<(Key, Spacing), IrError> {
    let parts = tensor_element(value.r#type()).and_then(lwe_parts);
    let (set, spacing) = parts.ok_or_else(|| expected(op, "a tensor of !tfhe.lwe"))?;
    Ok((set.map_or(Key::Big, Key::Small), Spacing(spacing as u64)))
}

/// Key sets as `[#tfhe.parameters<...>, ...]`.
///
/// # Errors
/// [`IrError::Expected`], after a diagnostic at `place`, for an impossible one.
pub fn parameters_attribute<'c>(
    context: &'c Context,
    place: Location<'c>,
    sets: &[ParameterSet],
) -> Result<Attribute<'c>, IrError> {
    let impossible =
        || IrError::Expected { op: "tfhe".to_owned(), expected: "a possible key set".to_owned() };
    let attribute = |set: &ParameterSet| {
        let sizes = [
            set.lwe_dimension,
            set.glwe_dimension,
            set.polynomial_size,
            set.pbs_base_log,
            set.pbs_level,
            set.ks_base_log,
            set.ks_level,
        ];
        let noise = [set.lwe_std_dev, set.glwe_std_dev];
        parameters(place, &sizes.map(i64::from), &noise).ok_or_else(impossible)
    };
    Ok(Make(context).array(&sets.iter().map(attribute).collect::<Result<Vec<_>, _>>()?))
}

/// The key sets of a module.
///
/// # Errors
/// [`IrError::Expected`] if it has none, or one with sizes beyond 32 bits.
pub fn parameter_sets(module: OperationRef<'_, '_>) -> Result<Vec<ParameterSet>, IrError> {
    let stated = Attributes(module).array(PARAMETERS).ok();
    let sets = stated.and_then(|sets| sets.into_iter().map(parameter_set).collect());
    sets.ok_or_else(|| expected(module, "a module with `tfhe.parameters`: run `cml-parametrize`"))
}

fn parameter_set(attribute: Attribute<'_>) -> Option<ParameterSet> {
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
