//! What the quantizers of QONNX state: channels, bits, rounding.

use super::context::NodeContext;
use crate::error::Fault;
use cml_runtime::reference::Value;
use cml_runtime::reference::message::Rounding;

/// Most bits: scales and steps are f32, and `quant` types have no more.
const MAX_BITS: u32 = 32;

/// Numbers of a quantizer, one for all or one for each index of an axis.
pub(super) struct Channels {
    /// For each input that was read: as many numbers as the others have.
    pub(super) values: Vec<Vec<f64>>,
    /// The axis of several numbers; 0 for one.
    pub(super) axis: u32,
}

impl Channels {
    /// Reads constant inputs that broadcast to a tensor of a shape.
    ///
    /// # Errors
    /// [`Fault::ConstantForm`] for numbers that go along several axes, or along another than those before.
    pub(super) fn read(
        context: &NodeContext<'_>,
        inputs: &[(usize, &'static str)],
        shape: &[usize],
    ) -> Result<Self, Fault> {
        let mut values: Vec<Vec<f64>> = vec![];
        let mut axis: Option<usize> = None;
        for (index, name) in inputs.iter().copied() {
            let form = || Fault::ConstantForm {
                index,
                name,
                expected: "one number, or one for each index of one axis of X, the same for scale and zero point",
            };
            let value = context.constant(index, name)?.ok_or(Fault::MissingInput { index, name })?;
            let numbers: Vec<f64> = match value {
                Value::F32(array) => array.iter().map(|x| f64::from(*x)).collect(),
                Value::I64(array) => array.iter().map(|x| *x as f64).collect(),
            };
            let own = value.shape();
            let long: Vec<usize> = (0..own.len()).filter(|axis| own[*axis] != 1).collect();
            match long[..] {
                [] => {}
                // Aligned at the end, as numpy broadcasts.
                [at] if own.len() <= shape.len() => {
                    let at = at + shape.len() - own.len();
                    if shape[at] != own[long[0]] || axis.is_some_and(|axis| axis != at) {
                        return Err(form());
                    }
                    axis = Some(at);
                }
                _ => return Err(form()),
            }
            values.push(numbers);
        }
        let count = axis.map_or(1, |axis| shape[axis]);
        for numbers in &mut values {
            if let [number] = numbers[..] {
                *numbers = vec![number; count];
            }
        }
        Ok(Self { values, axis: axis.unwrap_or(0) as u32 })
    }

    /// A shape in which the numbers broadcast to a tensor of a rank.
    pub(super) fn extents(&self, rank: usize) -> Vec<usize> {
        match self.values.first().map_or(1, Vec::len) {
            1 => vec![],
            count => {
                let mut extents = vec![1; rank - self.axis as usize];
                extents[0] = count;
                extents
            }
        }
    }

    /// Refuses a zero point that f32 does not subtract exactly from each integer between the bounds.
    ///
    /// # Errors
    /// [`Fault::Quantizer`]
    pub(super) fn check_zero_points(&self, zeros: &[f64], (lo, hi): (i64, i64)) -> Result<(), Fault> {
        // What is exact at both ends is exact between them, where differences are smaller.
        let is_exact = |zero: f64| {
            [lo, hi].into_iter().all(|end| {
                let difference = end as f64 - zero;
                zero == 0.0 || f64::from(difference as f32) == difference
            })
        };
        match zeros.iter().find(|zero| !is_exact(**zero)) {
            None => Ok(()),
            Some(zero) => {
                let found =
                    format!("the zero point {zero}, which f32 does not subtract exactly from {lo} to {hi}");
                Err(Fault::Quantizer { found, supported: "whole ones, halves, and the like" })
            }
        }
    }
}

/// A constant number of bits.
///
/// # Errors
/// [`Fault::Quantizer`] for none of 1 to 32.
pub(super) fn bits(context: &NodeContext<'_>, (index, name): (usize, &'static str)) -> Result<u32, Fault> {
    let bits = context.number(index, name)?.ok_or(Fault::MissingInput { index, name })?;
    if bits.fract() == 0.0 && (1.0..=MAX_BITS as f32).contains(&bits) {
        return Ok(bits as u32);
    }
    Err(Fault::Quantizer { found: format!("{bits} bits"), supported: "1 to 32 bits, a whole number" })
}

/// Bits, and the smallest and the largest integer that they store with or without sign, of the full or the narrow range.
///
/// # Errors
/// Those of [`bits`], and [`Fault::Quantizer`] for a range of one integer.
pub(super) fn bounds(
    context: &NodeContext<'_>,
    input: (usize, &'static str),
    (signed, narrow): (bool, bool),
) -> Result<(u32, (i64, i64)), Fault> {
    let (bits, narrow) = (bits(context, input)?, i64::from(narrow));
    let bounds = if signed {
        let half = 1i64 << (bits - 1);
        (narrow - half, half - 1)
    } else {
        (0, (1i64 << bits) - 1 - narrow)
    };
    // One signed bit is -1 and 1 in QONNX, whatever its range.
    if bounds.0 >= bounds.1 && !(bits == 1 && signed) {
        let found = format!("the one integer {}", bounds.0);
        return Err(Fault::Quantizer { found, supported: "ranges of at least two" });
    }
    Ok((bits, bounds))
}

/// How integers are rounded to.
///
/// # Errors
/// [`Fault::AttributeValue`]
pub(super) fn rounding(context: &NodeContext<'_>, default: &str) -> Result<Rounding, Fault> {
    let name = context.text_attribute("rounding_mode")?.unwrap_or_else(|| default.to_owned());
    match name.to_uppercase().as_str() {
        "ROUND" | "HALF_EVEN" => Ok(Rounding::HalfEven),
        "CEIL" => Ok(Rounding::Ceil),
        "FLOOR" => Ok(Rounding::Floor),
        "UP" => Ok(Rounding::Up),
        "DOWN" | "ROUND_TO_ZERO" => Ok(Rounding::Down),
        "HALF_UP" => Ok(Rounding::HalfUp),
        "HALF_DOWN" => Ok(Rounding::HalfDown),
        _ => {
            let supported = "ROUND, HALF_EVEN, CEIL, FLOOR, UP, DOWN, ROUND_TO_ZERO, HALF_UP, HALF_DOWN";
            Err(Fault::AttributeValue { name: "rounding_mode", found: name, supported })
        }
    }
}
