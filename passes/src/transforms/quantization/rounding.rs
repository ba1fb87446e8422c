//! Integer weights of a column, chosen by the error of its sums and not of its weights.

use super::cholesky::cholesky;
use super::stride::Stride;
use ndarray::{Array1, Array2};

/// How much is added to the variances of inputs before rounding, relative to their mean.
const DAMPING: f64 = 1e-3;

/// How often each weight of a column is tried again.
const SWEEPS: usize = 4;

/// How errors of weights count: by the covariances of their inputs.
pub struct Errors {
    /// Of each two inputs.
    pub covariances: Array2<f64>,
    /// Inputs by rising variance.
    order: Vec<usize>,
    /// The triangle of the covariances, somewhat damped, in this order.
    lower: Option<Array2<f64>>,
}

impl Errors {
    /// Of inputs with these covariances.
    #[must_use]
    pub fn new(covariances: Array2<f64>) -> Self {
        let size = covariances.nrows();
        let mut order: Vec<usize> = (0..size).collect();
        let variance = |input: &usize| covariances[(*input, *input)];
        order.sort_by(|one, other| variance(one).total_cmp(&variance(other)));
        let ordered = Array2::from_shape_fn((size, size), |(i, j)| covariances[(order[i], order[j])]);
        let damping = DAMPING * ordered.diag().sum() / size.max(1) as f64;
        Self { lower: cholesky(&ordered, damping), covariances, order }
    }

    /// The variance of a sum with these weights.
    #[must_use]
    pub fn variance(&self, weights: &Array1<f64>) -> f64 {
        self.covariances.dot(weights).dot(weights).max(0.0)
    }
}

/// The wanted weights of one column.
pub struct Wanted<'a> {
    /// One for each input that counts.
    pub weights: &'a [f64],
    /// Of these inputs.
    pub errors: &'a Errors,
    /// The largest integer weight.
    pub limit: f64,
}

/// Integer weights, and the distance of two.
#[derive(Clone, Debug, PartialEq)]
pub struct Rounded {
    /// One for each input that counts.
    pub integers: Vec<f64>,
    /// Above 0.
    pub scale: f64,
    /// The variance of what rounding adds to the sum.
    pub error: f64,
}

impl Wanted<'_> {
    /// Each weight rounded for itself.
    #[must_use]
    pub fn nearest(&self, scale: f64) -> Rounded {
        self.of_integers(self.weights.iter().map(|weight| self.step(weight / scale)).collect(), scale)
    }

    /// Each weight rounded so that it makes up for what the ones before it lost, and then one by one as long as that helps,
    /// the scale in between chosen for least error.
    ///
    /// # Source
    /// Frantar et al. 2022 (GPTQ: accurate post-training quantization for generative pre-trained transformers), as the walk
    /// down the triangle of the covariances that it is equal to (Babai's nearest plane); inputs of largest variance first.
    #[must_use]
    pub fn second_order(&self, scale: f64, stride: Stride) -> Rounded {
        let mut integers = self.walk(scale);
        self.descend(&mut integers, scale);
        let scale = stride.nearest(self.best_scale(&integers, scale));
        self.descend(&mut integers, scale);
        let scale = stride.nearest(self.best_scale(&integers, scale));
        self.of_integers(integers, scale)
    }

    /// Given integers at the scale that is best for them; at `scale` where there is none above 0.
    #[must_use]
    pub fn with_best_scale(&self, integers: Vec<f64>, scale: f64) -> Rounded {
        let scale = self.best_scale(&integers, scale);
        self.of_integers(integers, scale)
    }

    /// Given integers.
    #[must_use]
    pub fn of_integers(&self, integers: Vec<f64>, scale: f64) -> Rounded {
        let error = self.error(&integers, scale);
        Rounded { integers, scale, error }
    }

    fn step(&self, weight: f64) -> f64 {
        weight.round_ties_even().clamp(-self.limit, self.limit)
    }

    fn walk(&self, scale: f64) -> Vec<f64> {
        let Errors { order, lower: Some(lower), .. } = self.errors else {
            return self.nearest(scale).integers;
        };
        let size = self.weights.len();
        let mut integers = vec![0.0; size];
        let mut lost = vec![0.0; size];
        // What the last one loses, all others can make up for.
        for at in (0..size).rev() {
            let carried: f64 = (at + 1..size).map(|later| lower[(later, at)] * lost[later]).sum();
            let wanted = self.weights[order[at]] + carried / lower[(at, at)];
            let integer = self.step(wanted / scale);
            lost[at] = self.weights[order[at]] - scale * integer;
            integers[order[at]] = integer;
        }
        integers
    }

    fn descend(&self, integers: &mut [f64], scale: f64) {
        let errors: Array1<f64> =
            integers.iter().zip(self.weights).map(|(integer, weight)| integer * scale - weight).collect();
        let mut gradient = self.errors.covariances.dot(&errors);
        for _ in 0..SWEEPS {
            let mut changed = false;
            for input in 0..integers.len() {
                let variance = self.errors.covariances[(input, input)];
                let best = self.step(integers[input] - gradient[input] / (scale * variance));
                if variance > 0.0 && best.is_finite() && best != integers[input] {
                    gradient
                        .scaled_add((best - integers[input]) * scale, &self.errors.covariances.row(input));
                    integers[input] = best;
                    changed = true;
                }
            }
            if !changed {
                break;
            }
        }
    }

    /// The scale of least error; the given one where there is none above 0.
    fn best_scale(&self, integers: &[f64], scale: f64) -> f64 {
        let integers = Array1::from(integers.to_vec());
        let seen = self.errors.covariances.dot(&integers);
        let wanted: f64 = seen.iter().zip(self.weights).map(|(seen, weight)| seen * weight).sum();
        let best = wanted / seen.dot(&integers);
        if best.is_finite() && best > 0.0 { best } else { scale }
    }

    fn error(&self, integers: &[f64], scale: f64) -> f64 {
        let errors: Array1<f64> =
            integers.iter().zip(self.weights).map(|(integer, weight)| integer * scale - weight).collect();
        self.errors.variance(&errors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn covariances(size: usize, numbers: &[f64]) -> Array2<f64> {
        let rows = Array2::from_shape_fn((size + 2, size), |(i, j)| numbers[(i * size + j) % numbers.len()]);
        rows.t().dot(&rows)
    }

    proptest! {
        #[test]
        fn no_single_weight_could_be_better(
            weights in prop::collection::vec(-3f64..3.0, 1..8),
            numbers in prop::collection::vec(-1f64..1.0, 80),
            limit in 1i32..8,
        ) {
            let errors = Errors::new(covariances(weights.len(), &numbers));
            let limit = f64::from(limit);
            let wanted = Wanted { weights: &weights, errors: &errors, limit };
            let found = wanted.second_order(3.0 / limit, Stride::FREE);
            prop_assert!((wanted.error(&found.integers, found.scale) - found.error).abs() < 1e-9);
            prop_assert!(found.integers.iter().all(|integer| integer.abs() <= limit && integer.fract() == 0.0));
            let mut swept = found.integers.clone();
            wanted.descend(&mut swept, found.scale);
            prop_assert!(wanted.error(&swept, found.scale) <= found.error + 1e-9);
        }

        #[test]
        fn independent_inputs_are_rounded_each_for_itself(
            weights in prop::collection::vec(-3f64..3.0, 1..8), scale in 0.3f64..1.0,
        ) {
            let errors = Errors::new(Array2::eye(weights.len()));
            let wanted = Wanted { weights: &weights, errors: &errors, limit: 15.0 };
            prop_assert_eq!(wanted.walk(scale), wanted.nearest(scale).integers);
        }
    }

    #[test]
    fn what_one_weight_loses_the_next_makes_up_for() {
        let weights = [0.4, 0.4];
        let errors = Errors::new(Array2::from_elem((2, 2), 1.0));
        let wanted = Wanted { weights: &weights, errors: &errors, limit: 3.0 };
        assert_eq!(wanted.walk(1.0).iter().sum::<f64>(), 1.0);
        assert_eq!(wanted.nearest(1.0).integers, [0.0, 0.0]);
    }
}
