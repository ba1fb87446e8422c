//! Probability that Gaussian noise leaves its box, as a logarithm: budgets of 2^-128 underflow nothing.

use crate::units::{Log2Probability, Variance};

/// Natural logarithm of `erfc(x)` for `x >= 0`, with no underflow however large `x` is.
fn ln_erfc(x: f64) -> f64 {
    // erfc itself has full relative precision wherever it is a normal number.
    if x < 20.0 {
        return libm::erfc(x).ln();
    }
    // Lentz-free evaluation from the tail: erfc(x) = exp(-x^2) / sqrt(pi) / (x + (1/2)/(x + 1/(x + (3/2)/(x + ...)))).
    let fraction = (1..=60).rev().fold(x, |tail, index| x + f64::from(index) / 2.0 / tail);
    -x * x - 0.5 * std::f64::consts::PI.ln() - fraction.ln()
}

/// Probability that noise of this variance is `tolerance` (torus units) or more away from 0, on either side.
///
/// 1 where the tolerance is not positive, 0 where there is no noise.
#[must_use]
pub fn outside(tolerance: f64, variance: Variance) -> Log2Probability {
    // Written so that a NaN on either side counts as certain failure.
    if !(tolerance > 0.0 && variance.0 >= 0.0) {
        return Log2Probability(0.0);
    }
    if variance.0 == 0.0 {
        return Log2Probability(f64::NEG_INFINITY);
    }
    Log2Probability(ln_erfc(tolerance / (2.0 * variance.0).sqrt()) / std::f64::consts::LN_2)
}

/// How many standard deviations the tolerance must have for this probability: the inverse of [`outside`].
#[must_use]
pub fn kappa(probability: Log2Probability) -> f64 {
    let target = probability.0 * std::f64::consts::LN_2;
    let (mut low, mut high) = (0.0, 1.0);
    while ln_erfc(high / std::f64::consts::SQRT_2) > target && high < 1e9 {
        high *= 2.0;
    }
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        if ln_erfc(middle / std::f64::consts::SQRT_2) > target {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn kappa_has_the_known_values() {
        for (log2, expected) in
            [(6.3e-5f64.log2(), 4.001), (-40.0, 7.1436), (-64.0, 9.1553), (-128.0, 13.1086)]
        {
            assert!((kappa(Log2Probability(log2)) - expected).abs() < 1e-3, "2^{log2}");
        }
    }

    #[test]
    fn the_two_halves_of_ln_erfc_meet() {
        let step = ln_erfc(20.0) - ln_erfc(20.0 - 1e-9);
        // The derivative there is about -2x.
        assert!((step + 40.0 * 1e-9).abs() < 1e-9, "{step}");
        assert!((ln_erfc(50.0) + 2500.0).abs() < 6.0);
    }

    #[test]
    fn degenerate_boxes() {
        assert_eq!(outside(0.0, Variance(1.0)).0, 0.0);
        assert_eq!(outside(f64::NAN, Variance(1.0)).0, 0.0);
        assert_eq!(outside(0.1, Variance(f64::NAN)).0, 0.0);
        assert_eq!(outside(0.1, Variance(0.0)).0, f64::NEG_INFINITY);
    }

    proptest! {
        #[test]
        fn kappa_inverts_outside(log2 in -900f64..-0.1) {
            let tolerance = kappa(Log2Probability(log2));
            prop_assert!((outside(tolerance, Variance(1.0)).0 - log2).abs() < 1e-6 * log2.abs().max(1.0));
        }

        #[test]
        fn less_room_fails_more(tolerance in 0.01f64..60.0, factor in 1.001f64..2.0) {
            prop_assert!(outside(tolerance, Variance(1.0)).0 > outside(tolerance * factor, Variance(1.0)).0);
        }
    }
}
