//! Scales of sums for which the steps of what follows are equally far apart.

use super::activations::Grid;
use super::chain::{Layer, Step};

/// How many integers of a sum a step of the next input may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Steps {
    /// Any real number: jumps of the table lie one integer nearer or farther here and there.
    Free,
    /// A whole number: all jumps are equally far apart.
    Integer,
    /// A power of two.
    PowerOfTwo,
}

/// What the scale of a column has to divide.
#[derive(Clone, Copy, Debug)]
pub struct Stride {
    steps: Steps,
    /// The step of the next input, in units of the sum.
    step: f64,
}

impl Stride {
    /// Every scale will do.
    pub const FREE: Self = Self { steps: Steps::Free, step: 0.0 };

    /// Of a column whose result becomes steps of `next`. A function that is curved has no equal jumps whatever its scale is.
    #[must_use]
    pub fn new(steps: Steps, layer: &Layer, column: usize, next: Option<Grid>) -> Self {
        let slope = |after: &Step| match after {
            Step::Add(_) | Step::Relu | Step::Clip(..) => Some(1.0),
            Step::Mul(factors) => factors.get(if factors.len() == 1 { 0 } else { column }).copied(),
            _ => None,
        };
        let slope = layer.after.iter().map(slope).product::<Option<f64>>();
        let step = next.zip(slope).map(|(next, slope)| (next.scale / slope).abs());
        match step.filter(|step| step.is_normal() && steps != Steps::Free) {
            Some(step) => Self { steps, step },
            None => Self::FREE,
        }
    }

    /// Whether every scale will do.
    #[must_use]
    pub fn is_free(self) -> bool {
        self.steps == Steps::Free
    }

    /// The scale itself, or the nearest one that divides the step.
    #[must_use]
    pub fn nearest(self, scale: f64) -> f64 {
        self.beside(scale, 0)
    }

    /// The scales that divide the step, next to the nearest one.
    #[must_use]
    pub fn neighbours(self, scale: f64) -> Vec<f64> {
        if self.is_free() { Vec::new() } else { vec![self.beside(scale, -1), self.beside(scale, 1)] }
    }

    fn beside(self, scale: f64, by: i32) -> f64 {
        let integers = self.step / scale;
        match self.steps {
            Steps::Free => scale,
            Steps::Integer => self.step / (integers.round() + f64::from(by)).max(1.0),
            Steps::PowerOfTwo => self.step / (integers.log2().round() + f64::from(by)).max(0.0).exp2(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transforms::quantization::Weights;
    use proptest::prelude::*;

    fn stride(steps: Steps, after: Vec<Step>, step: f64) -> Stride {
        let layer = Layer { weights: Weights { shape: vec![1, 1], values: vec![1.0] }, after };
        Stride::new(steps, &layer, 0, Some(Grid { offset: 0.1, scale: step }))
    }

    proptest! {
        #[test]
        fn jumps_are_equally_far_apart(
            scale in 0.001f64..1.0, step in 0.01f64..2.0, factor in -2f64..2.0, shift in -1f64..1.0, power: bool,
        ) {
            let steps = if power { Steps::PowerOfTwo } else { Steps::Integer };
            prop_assume!(factor.abs() > 0.01);
            let after = vec![Step::Add(vec![shift]), Step::Mul(vec![factor]), Step::Relu];
            let stride = stride(steps, after, step);
            let found = stride.nearest(scale);
            let integers = step / (found * factor.abs());
            prop_assert!((integers - integers.round()).abs() < 1e-9 * integers && integers > 0.5);
            prop_assert!(!power || integers.log2().fract().abs() < 1e-9 || (1.0 - integers.log2().fract()) < 1e-9);
            let [more, fewer] = stride.neighbours(found)[..] else { panic!("two neighbours") };
            prop_assert!(more >= found && found > fewer);
        }
    }

    #[test]
    fn curved_functions_and_the_last_sums_are_free() {
        assert!(stride(Steps::Integer, vec![Step::Sigmoid], 0.5).is_free());
        assert!(stride(Steps::Integer, vec![Step::Relu], 0.0).is_free());
        let free = stride(Steps::Free, vec![Step::Relu], 0.5);
        assert_eq!((free.nearest(0.3), free.neighbours(0.3)), (0.3, vec![]));
        assert_eq!(stride(Steps::Integer, vec![Step::Relu], 0.5).nearest(0.24), 0.25);
        assert_eq!(stride(Steps::PowerOfTwo, vec![Step::Relu], 0.5).nearest(0.19), 0.25);
    }
}
