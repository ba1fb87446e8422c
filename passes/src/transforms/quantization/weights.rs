//! How far apart the integer weights of a column lie.

/// Weights as small as this count as zero: their scale would leave f32.
pub const SMALLEST: f64 = 1e-30;

/// The largest magnitude becomes `limit`. Weights that are all zero get scale 1.
#[must_use]
pub fn max_scale(weights: &[f32], limit: i64) -> f64 {
    let largest = weights.iter().fold(0.0, |largest: f64, weight| largest.max(f64::from(weight.abs())));
    if largest < SMALLEST { 1.0 } else { largest / limit as f64 }
}

/// The scale of least summed squared error among 29 between 0.3 and 1 times [`max_scale`].
///
/// # Source
/// A search over a grid of scales as in Nagel et al. 2021 (A white paper on neural network quantization), 3.1.
#[must_use]
pub fn least_squares_scale(weights: &[f32], limit: i64) -> f64 {
    let mut best = (f64::INFINITY, max_scale(weights, limit));
    for scale in candidates(weights, limit) {
        let error = squared_error(weights, scale, limit);
        if error < best.0 {
            best = (error, scale);
        }
    }
    best.1
}

/// 29 scales from [`max_scale`] down to 0.3 of it.
pub fn candidates(weights: &[f32], limit: i64) -> impl Iterator<Item = f64> + use<> {
    let largest = max_scale(weights, limit);
    (12..=40).rev().map(move |fortieths| largest * (f64::from(fortieths) / 40.0))
}

/// What rounding to multiples of `scale`, at most `limit` of them, does to weights, squared and summed.
#[must_use]
pub fn squared_error(weights: &[f32], scale: f64, limit: i64) -> f64 {
    let error = |weight: &f32| f64::from(*weight) - nearest(f64::from(*weight), scale, limit);
    weights.iter().map(|weight| error(weight).powi(2)).sum()
}

/// The nearest multiple of `scale`, at most `limit` of them.
#[must_use]
pub fn nearest(weight: f64, scale: f64, limit: i64) -> f64 {
    scale * step(weight, scale, limit)
}

/// The integer weight of the nearest multiple of `scale`.
#[must_use]
pub fn step(weight: f64, scale: f64, limit: i64) -> f64 {
    (weight / scale).round_ties_even().clamp(-limit as f64, limit as f64)
}

/// Integer weights whose magnitudes sum to `most` at most: the nearest ones where that holds, else those of the nearest weights
/// within the bound, rounded towards 0, and what that leaves of the bound given to those that lost most.
///
/// # Source
/// The projection onto a ball of the 1-norm: Duchi et al. 2008 (Efficient projections onto the l1-ball for learning in high
/// dimensions); as a bound on accumulators: Colbert et al. 2023 (A2Q: accumulator-aware quantization).
#[must_use]
pub fn bounded(weights: &[f32], scale: f64, (limit, most): (i64, i64)) -> Vec<i64> {
    let nearest: Vec<i64> =
        weights.iter().map(|weight| step(f64::from(*weight), scale, limit) as i64).collect();
    if nearest.iter().map(|integer| integer.abs()).sum::<i64>() <= most {
        return nearest;
    }
    let clipped: Vec<f64> = weights
        .iter()
        .map(|weight| (f64::from(*weight) / scale).clamp(-limit as f64, limit as f64))
        .collect();
    let mut magnitudes: Vec<f64> = clipped.iter().map(|weight| weight.abs()).collect();
    magnitudes.sort_by(|one, other| other.total_cmp(one));
    let (mut sum, mut threshold) = (0.0, 0.0);
    for (count, magnitude) in magnitudes.iter().enumerate() {
        sum += magnitude;
        let next = (sum - most as f64) / (count + 1) as f64;
        if next <= *magnitude {
            threshold = next;
        }
    }
    let shrunk: Vec<f64> =
        clipped.iter().map(|weight| (weight.abs() - threshold.max(0.0)).max(0.0)).collect();
    let mut found: Vec<i64> = shrunk.iter().map(|magnitude| magnitude.trunc() as i64).collect();
    let room = most - found.iter().sum::<i64>();
    let mut lost: Vec<usize> = (0..shrunk.len()).filter(|at| shrunk[*at].fract() > 0.0).collect();
    // Stable: of equal ones the first get it.
    lost.sort_by(|one, other| shrunk[*other].fract().total_cmp(&shrunk[*one].fract()));
    lost.into_iter().take(usize::try_from(room).unwrap_or(0)).for_each(|at| found[at] += 1);
    found
        .iter()
        .zip(&clipped)
        .map(|(magnitude, weight)| if *weight < 0.0 { -magnitude } else { *magnitude })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_search_is_never_worse_than_the_largest_weight(
            weights in prop::collection::vec(-5f32..5.0, 0..40), limit in 1i64..16,
        ) {
            let error = |scale| squared_error(&weights, scale, limit);
            prop_assert!(error(least_squares_scale(&weights, limit)) <= error(max_scale(&weights, limit)));
        }

        #[test]
        fn bounded_weights_keep_the_bound_and_no_sign_changes(
            weights in prop::collection::vec(-5f32..5.0, 0..40), scale in 0.1f64..3.0, limit in 1i64..16, most in 0i64..60,
        ) {
            let found = bounded(&weights, scale, (limit, most));
            prop_assert!(found.iter().map(|integer| integer.abs()).sum::<i64>() <= most);
            for (integer, weight) in found.iter().zip(&weights) {
                prop_assert!(integer.abs() <= limit);
                prop_assert!(*integer == 0 || (*integer > 0) == (*weight > 0.0));
            }
        }

        #[test]
        fn the_largest_weight_is_met(weights in prop::collection::vec(-5f32..5.0, 1..40), limit in 1i64..16) {
            let scale = max_scale(&weights, limit);
            let largest = weights.iter().fold(0f32, |a, b| a.max(b.abs()));
            prop_assume!(largest > 0.0);
            prop_assert_eq!((f64::from(largest) / scale).round() as i64, limit);
        }
    }

    #[test]
    fn zeros_have_a_scale_that_divides() {
        assert_eq!(least_squares_scale(&[0.0, -0.0], 3), 1.0);
        assert_eq!(least_squares_scale(&[], 3), 1.0);
    }

    #[test]
    fn what_equal_weights_may_sum_to_goes_to_the_first() {
        assert_eq!(bounded(&[1.0, -1.0, 1.0, 1.0], 0.25, (3, 2)), [1, -1, 0, 0]);
    }

    #[test]
    fn one_large_weight_among_small_ones_is_clipped() {
        let mut weights = vec![0.3f32; 50];
        weights.push(1.2);
        assert!(least_squares_scale(&weights, 3) < max_scale(&weights, 3));
    }
}
