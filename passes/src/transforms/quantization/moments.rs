//! Second moments of a product's inputs, and what least squares makes of its weights.

use super::cholesky::{cholesky, solve};
use super::rounding::Errors;
use ndarray::{Array1, Array2, ArrayView1};

/// Means and covariances of inputs on weighted rows.
pub struct Moments {
    /// Rows without their weighted mean, times the square root of their share.
    deviations: Array2<f64>,
    /// Of each row, the square root of its share.
    shares: Array1<f64>,
    /// The covariance of each two inputs.
    pub covariances: Array2<f64>,
}

/// Of refitted weights: how much they are held at what they were, relative to the mean variance of an input.
const HOLD: f64 = 0.01;

impl Moments {
    /// Of inputs, row by row.
    #[must_use]
    pub fn of(inputs: &Array2<f64>, weights: &Array1<f64>) -> Self {
        let shares = weights.mapv(|weight| (weight / weights.sum()).sqrt());
        let mut deviations = inputs.clone();
        for mut column in deviations.columns_mut() {
            let mean: f64 = column.iter().zip(&shares).map(|(value, share)| value * share * share).sum();
            column.zip_mut_with(&shares, |value, share| *value = (*value - mean) * share);
        }
        let covariances = deviations.t().dot(&deviations);
        Self { deviations, shares, covariances }
    }

    /// The covariance of a column with each input.
    #[must_use]
    pub fn with(&self, column: &ArrayView1<'_, f64>) -> Array1<f64> {
        let scaled: Array1<f64> =
            column.iter().zip(&self.shares).map(|(value, share)| value * share).collect();
        self.deviations.t().dot(&scaled)
    }

    /// Some of the inputs.
    #[must_use]
    pub fn support(&self, inputs: Vec<usize>) -> Support {
        let size = inputs.len();
        let covariances =
            Array2::from_shape_fn((size, size), |(i, j)| self.covariances[(inputs[i], inputs[j])]);
        let mean = self.covariances.diag().sum() / self.covariances.nrows().max(1) as f64;
        Support { held: cholesky(&covariances, HOLD * mean), errors: Errors::new(covariances), inputs }
    }
}

/// Inputs that some columns have weights for, and how they vary together.
pub struct Support {
    /// Their numbers.
    pub inputs: Vec<usize>,
    /// How errors of their weights count.
    pub errors: Errors,
    /// The triangle of the covariances and what holds weights where they are.
    held: Option<Array2<f64>>,
}

impl Support {
    /// Weights for which `weights . inputs` comes nearest to a column that `wanted` is the covariance of, held near `weights`.
    ///
    /// # Source
    /// Ridge regression around given weights: `w + (c - H w) (H + l I)^-1`.
    #[must_use]
    pub fn refit(&self, weights: &[f64], wanted: &Array1<f64>) -> Vec<f64> {
        let Some(lower) = &self.held else { return weights.to_vec() };
        let explained = self.errors.covariances.dot(&ArrayView1::from(weights));
        let rest = self.inputs.iter().zip(&explained).map(|(input, explained)| wanted[*input] - explained);
        let change = solve(lower, rest.collect());
        weights.iter().zip(change).map(|(weight, change)| weight + change).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn refitted_weights_make_up_for_a_lost_input() {
        // The second input is half the first, and its weight is lost: the first takes it over.
        let inputs = Array2::from_shape_fn((20, 2), |(row, column)| [row as f64, row as f64 / 2.0][column]);
        let moments = Moments::of(&inputs, &Array1::ones(20));
        let wanted = moments.with(&inputs.dot(&array![1.0, 2.0]).view());
        let found = moments.support(vec![0]).refit(&[1.0], &wanted);
        assert!((found[0] - 2.0).abs() < 0.02, "{found:?}");
    }
}
