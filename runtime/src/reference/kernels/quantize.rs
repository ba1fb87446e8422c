//! Quantize, Dequantize and FakeQuantize, with one scale or one for each index of an axis.
//!
//! Quantizing divides and rounds in f32, as ONNX and QONNX do; dequantizing multiplies in f64 and rounds to f32 once.

use super::super::error::Fault;
use super::super::message::{Element, Quantizer, Rounding};
use super::super::shape::{Lanes, TensorType};
use super::super::value::Value;
use super::need;

/// Which direction of the quantizer an operation applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Float to stored integer.
    Quantize,
    /// Stored integer to float.
    Dequantize,
    /// Float to a float that the quantizer can represent.
    Both,
}

/// The shape of the operand, the kind of number that the direction gives.
pub(crate) fn infer(
    quantizer: &Quantizer,
    direction: Direction,
    inputs: &[TensorType],
) -> Result<TensorType, Fault> {
    let from = if direction == Direction::Dequantize { Element::I64 } else { Element::F32 };
    let to = if direction == Direction::Quantize { Element::I64 } else { Element::F32 };
    let input = need(inputs, 0, from)?;
    quantizer.check(&input.shape)?;
    Ok(TensorType::new(input.shape.clone(), to))
}

/// Element by element.
pub(crate) fn run(quantizer: &Quantizer, direction: Direction, input: &Value) -> Result<Value, Fault> {
    let shape = input.shape();
    let channels = Channels::new(quantizer, shape)?;
    match direction {
        Direction::Quantize => {
            let stored = input.need_floats(0)?.iter().enumerate();
            let stored: Result<Vec<i64>, Fault> =
                stored.map(|(at, x)| quantizer.quantize(*x, channels.of(at))).collect();
            Value::integers(shape, stored?)
        }
        Direction::Dequantize => {
            let stored = input.need_integers(0)?.iter().enumerate();
            let reals = stored.map(|(at, q)| quantizer.dequantize(*q, channels.of(at)));
            Value::floats(shape, reals.collect())
        }
        Direction::Both => {
            let reals = input.need_floats(0)?.iter().enumerate();
            let reals: Result<Vec<f32>, Fault> = reals
                .map(|(at, x)| {
                    let stored = quantizer.quantize(*x, channels.of(at))?;
                    Ok(quantizer.dequantize(stored, channels.of(at)))
                })
                .collect();
            Value::floats(shape, reals?)
        }
    }
}

/// Which of the quantizer's scales an element has.
struct Channels {
    count: usize,
    inner: usize,
}

impl Channels {
    fn new(quantizer: &Quantizer, shape: &[usize]) -> Result<Self, Fault> {
        quantizer.check(shape)?;
        let inner = Lanes::new(shape, quantizer.axis as usize).inner.max(1);
        Ok(Self { count: quantizer.scales.len(), inner })
    }

    fn of(&self, at: usize) -> usize {
        if self.count == 1 { 0 } else { at / self.inner % self.count }
    }
}

impl Quantizer {
    /// Refuses a quantizer that cannot be applied to a tensor of this shape.
    ///
    /// # Errors
    /// [`Fault::Attribute`] names what is wrong: the number of scales, a scale that f32 cannot divide by, or crossed bounds.
    pub fn check(&self, shape: &[usize]) -> Result<(), Fault> {
        let refuse =
            |attribute, expected, found: String| Err(Fault::Attribute { attribute, expected, found });
        let count = self.scales.len();
        if count != 1 && shape.get(self.axis as usize) != Some(&count) {
            let found = format!("{count} for axis {} of shape {shape:?}", self.axis);
            return refuse("scales", "one, or one for each index of the axis", found);
        }
        if self.zero_points.len() != count {
            return refuse("zero_points", "as many as scales", self.zero_points.len().to_string());
        }
        let divides = |scale: f64| (scale as f32).is_finite() && scale as f32 > 0.0;
        for (attribute, values) in [("scales", &self.scales), ("divisors", &self.divisors)] {
            if let Some(value) = values.iter().find(|value| !divides(**value)) {
                return refuse(attribute, "above 0 and finite in f32", value.to_string());
            }
        }
        for (attribute, values) in [("shifts", &self.shifts), ("offsets", &self.offsets)] {
            if let Some(value) = values.iter().find(|value| !(**value as f32).is_finite()) {
                return refuse(attribute, "finite in f32", value.to_string());
            }
        }
        let optional = [("divisors", &self.divisors), ("shifts", &self.shifts), ("offsets", &self.offsets)];
        let uncounted = optional.iter().find(|(_, values)| !values.is_empty() && values.len() != count);
        if let Some((attribute, values)) = uncounted {
            return refuse(attribute, "none, or as many as scales", values.len().to_string());
        }
        if self.lo > self.hi {
            return refuse("lo", "at most hi", format!("{} and {}", self.lo, self.hi));
        }
        self.way().map(|_| ())
    }

    fn way(&self) -> Result<Rounding, Fault> {
        Rounding::try_from(self.rounding).map_err(|_| Fault::Attribute {
            attribute: "rounding",
            expected: "a known one",
            found: self.rounding.to_string(),
        })
    }

    /// The stored integer of a real number: `clip(round(x / divisor + shift) + zero_point, lo, hi)`.
    ///
    /// # Errors
    /// [`Fault::NotANumber`] for a NaN, [`Fault::Attribute`] for a channel or bounds that [`Self::check`] refuses.
    pub fn quantize(&self, x: f32, channel: usize) -> Result<i64, Fault> {
        let divisors = if self.divisors.is_empty() { &self.scales } else { &self.divisors };
        let divisor = divisors.get(channel).map_or(f32::NAN, |divisor| *divisor as f32);
        let shift = self.shifts.get(channel).map_or(0.0, |shift| *shift as f32);
        let steps = x / divisor + shift;
        if steps.is_nan() {
            return Err(Fault::NotANumber);
        }
        if self.lo > self.hi {
            let found = format!("{} and {}", self.lo, self.hi);
            return Err(Fault::Attribute { attribute: "lo", expected: "at most hi", found });
        }
        let whole = match self.way()? {
            Rounding::HalfEven => steps.round_ties_even(),
            Rounding::Ceil => steps.ceil(),
            Rounding::Floor => steps.floor(),
            Rounding::Up => steps.abs().ceil().copysign(steps),
            Rounding::Down => steps.trunc(),
            Rounding::HalfUp => (steps.abs() + 0.5).floor().copysign(steps),
            // Of less than a half there is nothing, with either sign.
            Rounding::HalfDown => (steps.abs() - 0.5).ceil() * 1f32.copysign(steps),
            Rounding::Sign => return Ok(if steps >= 0.0 { self.hi } else { self.lo }),
        };
        Ok((whole as i64).saturating_add(self.zero_point(channel)).clamp(self.lo, self.hi))
    }

    /// The real number of a stored integer: `scale * (q - zero_point - offset)`.
    #[must_use]
    pub fn dequantize(&self, q: i64, channel: usize) -> f32 {
        let steps = i128::from(q) - i128::from(self.zero_point(channel));
        let offset = self.offsets.get(channel).copied().unwrap_or(0.0);
        let scale = self.scales.get(channel).copied().unwrap_or(f64::NAN);
        (scale * (steps as f64 - offset)) as f32
    }

    fn zero_point(&self, channel: usize) -> i64 {
        self.zero_points.get(channel).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn quantizer(scales: &[f64], zero_points: &[i64], (lo, hi): (i64, i64)) -> Quantizer {
        let (scales, zero_points) = (scales.to_vec(), zero_points.to_vec());
        Quantizer { scales, zero_points, axis: 1, lo, hi, ..Quantizer::default() }
    }

    proptest! {
        #[test]
        fn halves_round_to_even(half in -1000i32..1000) {
            let quantizer = quantizer(&[0.5], &[3], (-10_000, 10_000));
            let x = (half as f32 + 0.5) * 0.5;
            let even = if half % 2 == 0 { half } else { half + 1 };
            prop_assert_eq!(quantizer.quantize(x, 0).unwrap(), i64::from(even) + 3);
        }

        #[test]
        fn the_result_is_the_nearest_step_inside_the_bounds(
            x in -100f32..100.0, scale in 0.01f64..10.0, zero in -8i64..8,
        ) {
            let quantizer = quantizer(&[scale], &[zero], (-7, 9));
            let q = quantizer.quantize(x, 0).unwrap();
            let error = |q: i64| (f64::from(x) - scale * (q - zero) as f64).abs();
            let best = (-7..=9).map(error).fold(f64::INFINITY, f64::min);
            prop_assert!((-7..=9).contains(&q));
            prop_assert!(error(q) <= best + 1e-4 * scale);
        }
    }

    #[test]
    fn each_rounding_has_its_ties_and_its_sign() {
        let x = [-2.5, -1.75, -1.5, -1.25, -0.5, -0.25, 0.0, 0.25, 0.5, 1.25, 1.5, 1.75, 2.5];
        for (rounding, expected) in [
            (Rounding::HalfEven, [-2, -2, -2, -1, 0, 0, 0, 0, 0, 1, 2, 2, 2]),
            (Rounding::Ceil, [-2, -1, -1, -1, 0, 0, 0, 1, 1, 2, 2, 2, 3]),
            (Rounding::Floor, [-3, -2, -2, -2, -1, -1, 0, 0, 0, 1, 1, 1, 2]),
            (Rounding::Up, [-3, -2, -2, -2, -1, -1, 0, 1, 1, 2, 2, 2, 3]),
            (Rounding::Down, [-2, -1, -1, -1, 0, 0, 0, 0, 0, 1, 1, 1, 2]),
            (Rounding::HalfUp, [-3, -2, -2, -1, -1, 0, 0, 0, 1, 1, 2, 2, 3]),
            (Rounding::HalfDown, [-2, -2, -1, -1, 0, 0, 0, 0, 0, 1, 1, 2, 2]),
            (Rounding::Sign, [-4, -4, -4, -4, -4, -4, 3, 3, 3, 3, 3, 3, 3]),
        ] {
            let quantizer = Quantizer { rounding: rounding.into(), ..quantizer(&[1.0], &[0], (-4, 3)) };
            let found: Vec<i64> = x.iter().map(|x| quantizer.quantize(*x, 0).unwrap()).collect();
            assert_eq!(found, expected, "{rounding:?}");
        }
    }

    #[test]
    fn the_way_there_and_the_way_back_may_differ() {
        let quantizer = Quantizer {
            divisors: vec![0.5],
            shifts: vec![0.5],
            offsets: vec![-0.5],
            ..quantizer(&[0.25], &[3], (-8, 7))
        };
        assert_eq!(quantizer.quantize(1.0, 0), Ok(5));
        assert_eq!(quantizer.quantize(0.5, 0), Ok(5));
        assert_eq!(quantizer.dequantize(5, 0), 0.25 * 2.5);
    }

    #[test]
    fn each_channel_has_its_scale() {
        let quantizer = quantizer(&[1.0, 0.25], &[0, -2], (-8, 7));
        let input = Value::floats(&[2, 2], vec![2.5, 2.5, -100.0, -0.125]).unwrap();
        let stored = run(&quantizer, Direction::Quantize, &input).unwrap();
        assert_eq!(stored, Value::integers(&[2, 2], vec![2, 7, -8, -2]).unwrap());
        let reals = run(&quantizer, Direction::Dequantize, &stored).unwrap();
        assert_eq!(reals, Value::floats(&[2, 2], vec![2.0, 2.25, -8.0, 0.0]).unwrap());
        assert_eq!(run(&quantizer, Direction::Both, &input).unwrap(), reals);
    }

    #[test]
    fn infinities_clip_and_a_nan_is_an_error() {
        let quantizer = quantizer(&[1.0], &[i64::MAX], (i64::MIN, i64::MAX));
        assert_eq!(quantizer.quantize(f32::INFINITY, 0).unwrap(), i64::MAX);
        assert_eq!(quantizer.quantize(f32::NAN, 0), Err(Fault::NotANumber));
        assert!(quantizer.dequantize(i64::MIN, 0).is_finite());
    }

    #[test]
    fn impossible_quantizers_are_refused() {
        for bad in [
            quantizer(&[], &[], (0, 1)),
            quantizer(&[0.0], &[0], (0, 1)),
            quantizer(&[1e-60], &[0], (0, 1)),
            quantizer(&[f64::NAN], &[0], (0, 1)),
            quantizer(&[1.0], &[], (0, 1)),
            quantizer(&[1.0], &[0], (1, 0)),
            quantizer(&[1.0, 1.0, 1.0], &[0, 0, 0], (0, 1)),
            Quantizer { rounding: 8, ..quantizer(&[1.0], &[0], (0, 1)) },
            Quantizer { divisors: vec![0.0], ..quantizer(&[1.0], &[0], (0, 1)) },
            Quantizer { shifts: vec![f64::NAN], ..quantizer(&[1.0], &[0], (0, 1)) },
            Quantizer { offsets: vec![0.5, 0.5], ..quantizer(&[1.0], &[0], (0, 1)) },
        ] {
            assert!(bad.check(&[1, 2]).is_err());
        }
        quantizer(&[1.0, 1.0], &[0, 0], (0, 1)).check(&[1, 2]).unwrap();
    }
}
