//! Variance of the noise after each operation.
//!
//! # Source
//! The noise formulas of tfhe-rs 1.8.2 (`core_crypto/commons/noise_formulas`), with the key's variance as an argument
//! instead of a curve; the tests compare with tfhe's own functions, and with measured noise
//! (`runtime/src/commands/noise.rs`).

use crate::units::{Decomposition, GlweShape, LweDimension, Variance};

/// 2^-128: the square of one unit of the modulus 2^64.
fn unit_squared() -> f64 {
    (-128f64).exp2()
}

fn base_squared(decomposition: Decomposition) -> f64 {
    (2.0 * f64::from(decomposition.base_log)).exp2()
}

/// `base^(-2 level)`: the square of what a decomposition cannot represent.
fn remainder_squared(decomposition: Decomposition) -> f64 {
    (-2.0 * f64::from(decomposition.base_log) * f64::from(decomposition.level)).exp2()
}

/// Variance of `sum w_i x_i` for independent `x_i` of one variance; `norm2_squared` is `sum w_i^2`.
#[must_use]
pub fn linear_combination(norm2_squared: f64, input: Variance) -> Variance {
    input * norm2_squared
}

/// How many of the lowest bits of a ciphertext's body may be rounded away under noise of this standard deviation: what
/// rounding adds is below 1/700 of the variance.
#[must_use]
pub fn bits_below(std_dev: f64) -> u32 {
    // In units of 2^-64; one unit is the least noise, half a turn the most.
    let log2 = (std_dev.log2() + 64.0).floor().clamp(0.0, 63.0) as u32;
    log2.saturating_sub(3)
}

/// What rounding away so many of the lowest bits of a body adds.
#[must_use]
pub fn dropped(bits: u32) -> Variance {
    if bits == 0 { Variance(0.0) } else { Variance((2.0 * f64::from(bits)).exp2() / 12.0 * unit_squared()) }
}

/// What a keyswitch adds. `input` is the dimension that it comes from, `key` the variance of the keyswitching key.
#[must_use]
pub fn keyswitch(input: LweDimension, decomposition: Decomposition, key: Variance) -> Variance {
    let (n, level) = (input.0 as f64, f64::from(decomposition.level));
    let encryption = level * n * key.0 * (base_squared(decomposition) / 12.0 + 1.0 / 6.0);
    let rounding = n * (unit_squared() / 48.0 + remainder_squared(decomposition) / 24.0);
    Variance(encryption + rounding)
}

/// What rounding a ciphertext of this dimension to `2^log2_modulus` positions adds, where the expected error of the mask is
/// taken from the body: half as much as without that.
///
/// The rounding of the body is not counted: it moves no boundary between two integers by more than half a position,
/// and the tolerance of an event already gives that half position away.
#[must_use]
pub fn centered_modulus_switch(dimension: LweDimension, log2_modulus: u32) -> Variance {
    let position = (-2.0 * f64::from(log2_modulus)).exp2();
    Variance(dimension.0 as f64 * (unit_squared() / 24.0 + position / 48.0))
}

/// The same without centering, which nothing does here: what [`centered_modulus_switch`] is measured beside.
#[must_use]
pub fn plain_modulus_switch(dimension: LweDimension, log2_modulus: u32) -> Variance {
    let position = (-2.0 * f64::from(log2_modulus)).exp2();
    Variance(dimension.0 as f64 * (unit_squared() / 48.0 + position / 24.0))
}

/// Noise of a bootstrap's result: that of the blind rotation, independent of the noise that comes in.
///
/// `input` is the dimension of the small key, `key` the variance of the bootstrapping key. The error of the Fourier
/// transform in double precision is included. An extended bootstrap has the same noise: each of its accumulators goes
/// through at most as many external products of the same shape.
#[must_use]
pub fn blind_rotation(
    input: LweDimension,
    shape: GlweShape,
    decomposition: Decomposition,
    key: Variance,
) -> Variance {
    let (k, polynomial) = (shape.dimension as f64, shape.polynomial_size as f64);
    let (level, unit, remainder) =
        (f64::from(decomposition.level), unit_squared(), remainder_squared(decomposition));
    let encryption =
        level * polynomial * key.0 * (base_squared(decomposition) / 12.0 + 1.0 / 6.0) * (k + 1.0);
    let rounding = 0.5 * k * polynomial * (unit / 48.0 + remainder / 24.0) + remainder / 24.0 - unit / 24.0;
    Variance(input.0 as f64 * (fourier(shape, decomposition) + encryption + rounding))
}

/// What the Fourier transform of one external product adds.
fn fourier(shape: GlweShape, decomposition: Decomposition) -> f64 {
    let (k, polynomial) = (shape.dimension as f64, shape.polynomial_size as f64);
    // 22 is twice the number of bits by which 64 exceeds the mantissa of a double.
    0.00705
        * 22f64.exp2()
        * base_squared(decomposition)
        * unit_squared()
        * f64::from(decomposition.level).powf(1.01827)
        * k.powf(1.22003)
        * polynomial.powf(2.22003)
        * (k + 1.0).powf(1.01827)
}

/// Share of a blind rotation's variance that the coefficients of its result have in common: two of them at a distance of
/// `d` half turns have the correlation `1 - 2 d` in it, and none in the rest. The arguments are those of [`blind_rotation`].
///
/// What the decomposition cannot represent, and what the Fourier transform gets wrong in a mask, is multiplied by the key.
/// The key's bits are one half on average; the part of the product that comes from this average is smooth, and half of the
/// variance.
///
/// # Source
/// Our own, from the formulas of both; measured in `commands/noise.rs`.
#[must_use]
pub fn correlated_share(
    input: LweDimension,
    shape: GlweShape,
    decomposition: Decomposition,
    key: Variance,
) -> f64 {
    let coefficients = (shape.dimension * shape.polynomial_size) as f64;
    let smooth =
        0.25 * coefficients * remainder_squared(decomposition) / 24.0 + 0.5 * fourier(shape, decomposition);
    input.0 as f64 * smooth / blind_rotation(input, shape, decomposition, key).0
}

/// Squared 2-norm of a sum of coefficients of one blind rotation, as independent results of this sum's variance would have
/// it. `terms` are places, in half turns and increasing, with their weights; `share` is the [`correlated_share`].
#[must_use]
pub fn rotation_norm2_squared(terms: &[(f64, f64)], share: f64) -> f64 {
    let squares: f64 = terms.iter().map(|(_, weight)| weight * weight).sum();
    // The sum over all pairs of `weight * weight * (1 - 2 distance)` is the mean over the half turn of the square of
    // `sum of weight * sign(place of the mean - place of the weight)`, a staircase.
    let mut height: f64 = -terms.iter().map(|(_, weight)| weight).sum::<f64>();
    let (mut mean, mut before) = (0.0, 0.0);
    for (place, weight) in terms {
        mean += (place - before) * height * height;
        height += 2.0 * weight;
        before = *place;
    }
    mean += (1.0 - before) * height * height;
    (1.0 - share) * squares + share * mean
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::security::gaussian_132;
    use proptest::prelude::*;
    use tfhe::core_crypto::commons::noise_formulas as theirs;
    use tfhe::core_crypto::commons::parameters as tfhe_units;

    const MODULUS: f64 = 18_446_744_073_709_551_616.0;

    fn close(ours: f64, theirs: f64) -> bool {
        (ours / theirs - 1.0).abs() < 1e-6
    }

    proptest! {
        #[test]
        fn formulas_are_those_of_tfhe(n in 500usize..1200, k in 1usize..5, log2_size in 9u32..13, level in 1u32..5, base_log in 3u32..12, log2_modulus in 10u32..18) {
            let shape = GlweShape { dimension: k, polynomial_size: 1 << log2_size };
            let decomposition = Decomposition { base_log, level };
            let (small, big) = (LweDimension(n), shape.lwe_dimension());
            let (their_base, their_level) = (tfhe_units::DecompositionBaseLog(base_log as usize), tfhe_units::DecompositionLevelCount(level as usize));
            let ks = theirs::lwe_keyswitch::keyswitch_additive_variance_132_bits_security_gaussian(
                tfhe_units::LweDimension(big.0), tfhe_units::LweDimension(n), their_base, their_level, MODULUS, MODULUS);
            prop_assert!(close(keyswitch(big, decomposition, gaussian_132(small)).0, ks.0));
            let pbs = theirs::lwe_programmable_bootstrap::pbs_variance_132_bits_security_gaussian_fft_mul(
                tfhe_units::LweDimension(n), tfhe_units::GlweDimension(k), tfhe_units::PolynomialSize(1 << log2_size), their_base, their_level, 53.0, MODULUS);
            prop_assert!(close(blind_rotation(small, shape, decomposition, gaussian_132(big)).0, pbs.0));
            let positions = f64::from(log2_modulus).exp2();
            let centered = theirs::centered_mean_shifted_modulus_switch::centered_binary_shifted_modulus_switch_additive_variance(
                tfhe_units::LweDimension(n), MODULUS, positions);
            prop_assert!(close(centered_modulus_switch(small, log2_modulus).0, centered.0));
            // Theirs has the rounding of the body in it.
            let plain = theirs::modulus_switch::modulus_switch_additive_variance(tfhe_units::LweDimension(n), MODULUS, positions);
            let body = 1.0 / 12.0 / positions.powi(2) - 1.0 / 12.0 / MODULUS.powi(2);
            prop_assert!(close(plain_modulus_switch(small, log2_modulus).0 + body, plain.0));
        }
    }

    #[test]
    fn dropped_bits_say_nothing_but_noise() {
        for log2 in [-70.0, -62.0, -48.3, -20.2, -3.0, 0.0] {
            let std_dev = f64::exp2(log2);
            let bits = bits_below(std_dev);
            assert!(bits <= 60 && dropped(bits).0 <= std_dev * std_dev / 700.0, "2^{log2}: {bits}");
        }
        assert_eq!(bits_below(f64::exp2(-48.3)), 12);
        assert_eq!(dropped(0), Variance(0.0));
    }

    #[test]
    fn weights_add_in_squares() {
        assert_eq!(linear_combination(9.0 + 16.0, Variance(2.0)), Variance(50.0));
    }

    proptest! {
        #[test]
        fn sums_of_one_rotation_count_every_pair(
            terms in proptest::collection::vec((0.0..1.0, -9i32..10), 0..12), share in 0.0..0.5,
        ) {
            let mut terms: Vec<(f64, f64)> = terms.into_iter().map(|(place, weight)| (place, f64::from(weight))).collect();
            terms.sort_by(|one, other| one.0.total_cmp(&other.0));
            let correlation = |one: f64, other: f64| 1.0 - 2.0 * (one - other).abs();
            let pairs = terms.iter().flat_map(|one| terms.iter().map(move |other| one.1 * other.1 * correlation(one.0, other.0)));
            let squares: f64 = terms.iter().map(|term| term.1 * term.1).sum();
            let expected = (1.0 - share) * squares + share * pairs.sum::<f64>();
            prop_assert!((rotation_norm2_squared(&terms, share) - expected).abs() < 1e-9 * (1.0 + squares * 12.0));
        }
    }
}
