//! Security curves: the smallest noise that a dimension needs, for binary secret keys and modulus 2^64.
//!
//! # Source
//! Fits of the Lattice Estimator: 132 bits as in tfhe-rs 1.8.2 (`core_crypto/commons/noise_formulas/secure_noise.rs`),
//! 128 bits as in Concrete (`tools/parameter-curves`, `curves_gen.rs`). The tests compare with tfhe's own functions.

use crate::units::{LweDimension, Variance};

/// What every key must have.
pub const MINIMUM_BITS: f64 = 128.0;

/// The largest claim made: the stronger of the two curves.
const LARGEST_CLAIM: f64 = 132.0;

/// Below this dimension the curves were not fitted, and no security is claimed.
const SMALLEST_DIMENSION: usize = 450;

/// Smallest Gaussian variance for 132 bits.
#[must_use]
pub fn gaussian_132(dimension: LweDimension) -> Variance {
    let n = dimension.0 as f64;
    Variance((-124f64).exp2() + (5.314_691_876_750_68 - 0.049_782_913_165_266_1 * n).exp2())
}

/// Smallest Gaussian variance for 128 bits.
#[must_use]
pub fn gaussian_128(dimension: LweDimension) -> Variance {
    let log2_std_dev = 2.675_931_372_549_016 - 0.025_696_778_711_484_593 * dimension.0 as f64;
    Variance((2.0 * log2_std_dev.max(-62.0)).exp2())
}

/// Smallest TUniform bound `b` for 132 bits: noise is uniform on [-2^b, 2^b] / 2^64, the two ends at half weight.
#[must_use]
pub fn tuniform_bound_132(dimension: LweDimension) -> u32 {
    let bound = (68.100_671 - 0.025_167_785 * dimension.0 as f64).ceil();
    bound.max(3.0) as u32
}

/// Variance of the smallest TUniform noise for 132 bits.
#[must_use]
pub fn tuniform_132(dimension: LweDimension) -> Variance {
    let bound = f64::from(tuniform_bound_132(dimension));
    Variance(((2.0 * bound + 1.0).exp2() + 1.0) / 6.0 * (-128f64).exp2())
}

/// Estimate of the security in bits of Gaussian noise with this standard deviation (torus units).
///
/// Straight line in log2 of the standard deviation through the two curves, at most 132; 0 below the dimensions that the
/// curves were fitted for, and where the numbers are no numbers. Good for refusing less than 128, not for comparing sets.
#[must_use]
pub fn security_bits(dimension: LweDimension, std_dev: f64) -> f64 {
    if dimension.0 < SMALLEST_DIMENSION || !std_dev.is_finite() || std_dev <= 0.0 {
        return 0.0;
    }
    // A set on the curve itself must pass although its numbers went through a square root.
    let found = std_dev.log2() + 1e-9;
    let strong = gaussian_132(dimension).log2_std_dev();
    let weak = gaussian_128(dimension).log2_std_dev();
    if found >= strong {
        return LARGEST_CLAIM;
    }
    // Near the floor of the noise the two curves meet; there only the stronger one is asked.
    if strong - weak < 1e-3 {
        return 0.0;
    }
    (MINIMUM_BITS + (LARGEST_CLAIM - MINIMUM_BITS) * (found - weak) / (strong - weak)).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfhe::core_crypto::commons::noise_formulas::secure_noise as tfhe_curves;
    use tfhe::core_crypto::commons::parameters::LweDimension as TfheDimension;

    const MODULUS: f64 = 18_446_744_073_709_551_616.0;

    fn close(a: f64, b: f64) -> bool {
        (a / b - 1.0).abs() < 1e-6
    }

    #[test]
    fn curves_are_those_of_tfhe() {
        for n in (450..4000).step_by(37) {
            let theirs =
                tfhe_curves::minimal_lwe_variance_for_132_bits_security_gaussian(TfheDimension(n), MODULUS);
            assert!(close(gaussian_132(LweDimension(n)).0, theirs.0), "dimension {n}");
            let bound =
                tfhe_curves::minimal_lwe_bound_for_132_bits_security_tuniform(TfheDimension(n), MODULUS);
            assert_eq!(tuniform_bound_132(LweDimension(n)), bound.max(3), "dimension {n}");
        }
    }

    #[test]
    fn security_follows_the_curves() {
        for n in [500, 742, 1024, 2048] {
            let n = LweDimension(n);
            assert_eq!(security_bits(n, gaussian_132(n).std_dev()), 132.0);
            assert!((security_bits(n, gaussian_128(n).std_dev()) - 128.0).abs() < 1e-6);
            assert!(security_bits(n, gaussian_128(n).std_dev() * 0.9) < MINIMUM_BITS);
        }
    }

    #[test]
    fn nothing_is_claimed_outside_the_curves() {
        assert_eq!(security_bits(LweDimension(449), 0.5), 0.0);
        assert_eq!(security_bits(LweDimension(800), f64::NAN), 0.0);
        assert_eq!(security_bits(LweDimension(800), 0.0), 0.0);
        assert_eq!(security_bits(LweDimension(3000), (-62.5f64).exp2()), 0.0);
        assert_eq!(security_bits(LweDimension(3000), (-61.9f64).exp2()), 132.0);
    }
}
