//! What is searched: shapes, dimensions, decompositions, extensions. One function or constant for each dimension.

use cml_runtime::parameters::{noise, security};
use cml_runtime::program::message::ParameterSet;
use cml_runtime::units::{Decomposition, GlweShape, LweDimension};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{LazyLock, OnceLock};

/// log2 of the polynomial sizes.
const LOG2_SIZES: std::ops::RangeInclusive<u32> = 8..=17;

/// Largest number of mask polynomials.
const MAX_GLWE_DIMENSION: usize = 6;

/// Dimensions of the big key: below there is too much noise for any table, above only single polynomials are of use, since
/// the noise has reached its floor.
const BIG_DIMENSIONS: std::ops::RangeInclusive<usize> = 512..=4096;

/// Dimensions of the small key: from where the security curves begin to where the widest tables end.
const SMALL_DIMENSIONS: std::ops::RangeInclusive<u32> = 450..=1500;

/// Steps of the small dimension: a coarse round, then one of all, which prunes with the result of the first.
pub(super) const STRIDES: [usize; 2] = [32, 1];

/// Largest log2 of the number of accumulators.
const MAX_EXTENSION: u32 = 8;

/// Largest log2 of the coefficients of all accumulators together.
const MAX_LOG2_COEFFICIENTS: u32 = 17;

const MAX_BOOTSTRAP_LEVEL: u32 = 6;
/// Digits beyond the mantissa of the Fourier transform are lost.
const MAX_BOOTSTRAP_BITS: u32 = 52;
const MAX_KEYSWITCH_LEVEL: u32 = 16;
const MAX_KEYSWITCH_BITS: u32 = 40;
const MAX_KEYSWITCH_BASE: u32 = 25;

/// Shapes of the accumulators.
pub(super) fn shapes() -> impl Iterator<Item = GlweShape> {
    let shape = |(log2_size, dimension)| GlweShape { dimension, polynomial_size: 1usize << log2_size };
    let all = LOG2_SIZES.flat_map(|size| (1..=MAX_GLWE_DIMENSION).map(move |k| (size, k))).map(shape);
    all.filter(|shape| {
        let big = shape.lwe_dimension().0;
        big >= *BIG_DIMENSIONS.start() && (shape.dimension == 1 || big <= *BIG_DIMENSIONS.end())
    })
}

/// Dimensions of the big key for which there are shapes.
pub(super) fn big_dimensions() -> BTreeSet<LweDimension> {
    shapes().map(GlweShape::lwe_dimension).collect()
}

/// Dimensions of the small key.
pub(super) fn small_dimensions(stride: usize) -> impl Iterator<Item = u32> {
    SMALL_DIMENSIONS.step_by(stride)
}

/// Extensions for accumulators of this shape, that of shared ones included.
pub(super) fn extensions(shape: GlweShape) -> std::ops::RangeInclusive<i32> {
    let most = MAX_LOG2_COEFFICIENTS.saturating_sub(shape.polynomial_size.ilog2());
    ParameterSet::SHARED..=MAX_EXTENSION.min(most) as i32
}

/// For each level of the bootstrap the base with the least noise; the noise is proportional to the small dimension, which
/// hence does not matter.
pub(super) fn bootstrap_decompositions(shape: GlweShape) -> Vec<Decomposition> {
    let key = security::gaussian_132(shape.lwe_dimension());
    let variance = |decomposition| noise::blind_rotation(LweDimension(1), shape, decomposition, key).0;
    best_bases(MAX_BOOTSTRAP_LEVEL, |level| MAX_BOOTSTRAP_BITS / level, variance)
}

/// For each small dimension its decompositions, as far as they were asked for.
type KnownDecompositions = Vec<OnceLock<Vec<Decomposition>>>;

/// For each level of the keyswitch the base with the least noise.
pub(super) fn keyswitch_decompositions(big: LweDimension, small: LweDimension) -> &'static [Decomposition] {
    /// They depend on nothing else, and every search asks for most of them.
    static KNOWN: LazyLock<BTreeMap<LweDimension, KnownDecompositions>> = LazyLock::new(|| {
        let empty = || small_dimensions(1).map(|_| OnceLock::new()).collect();
        big_dimensions().into_iter().map(|big| (big, empty())).collect()
    });
    let place = small.0.checked_sub(*SMALL_DIMENSIONS.start() as usize);
    let known = KNOWN.get(&big).zip(place).and_then(|(known, place)| known.get(place));
    match known {
        Some(known) => known.get_or_init(|| best_keyswitches(big, small)),
        None => &[],
    }
}

fn best_keyswitches(big: LweDimension, small: LweDimension) -> Vec<Decomposition> {
    let key = security::gaussian_132(small);
    let largest = |level: u32| (MAX_KEYSWITCH_BITS / level).min(MAX_KEYSWITCH_BASE);
    best_bases(MAX_KEYSWITCH_LEVEL, largest, |decomposition| noise::keyswitch(big, decomposition, key).0)
}

/// The best base of each level, of those levels that have less noise than all lower ones. They need not follow each other:
/// one more level helps nothing where the base cannot shrink with it.
fn best_bases(
    levels: u32,
    largest_base: impl Fn(u32) -> u32,
    variance: impl Fn(Decomposition) -> f64,
) -> Vec<Decomposition> {
    let mut found = Vec::new();
    let mut least = f64::INFINITY;
    for level in 1..=levels {
        let choices = (1..=largest_base(level)).map(|base_log| Decomposition { base_log, level });
        let choices = choices.map(|choice| (choice, variance(choice)));
        if let Some((choice, variance)) = choices.min_by(|a, b| a.1.total_cmp(&b.1))
            && variance < least
        {
            found.push(choice);
            least = variance;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_those_of_use() {
        let found: Vec<_> = shapes().map(|shape| (shape.dimension, shape.polynomial_size)).collect();
        assert_eq!(found.len(), 23);
        assert!(found.contains(&(2, 256)) && found.contains(&(6, 512)) && found.contains(&(1, 1 << 17)));
        assert!(!found.contains(&(1, 256)) && !found.contains(&(2, 4096)));
    }

    #[test]
    fn every_candidate_can_be_run_unless_its_keys_are_too_large() {
        for shape in shapes() {
            for small in small_dimensions(350) {
                let keyswitches =
                    keyswitch_decompositions(shape.lwe_dimension(), LweDimension(small as usize));
                assert!(!keyswitches.is_empty());
                for bootstrap in bootstrap_decompositions(shape) {
                    for keyswitch in keyswitches {
                        let small = LweDimension(small as usize);
                        let set = ParameterSet::with_least_noise(small, shape, bootstrap, *keyswitch);
                        assert!(set.check().is_ok() || shape.polynomial_size >= 1 << 15, "{set:?}");
                        assert_eq!(set.check_security(), Ok(()));
                    }
                }
            }
            assert!(*extensions(shape).end() <= ParameterSet::LARGEST_EXTENSION);
        }
    }

    #[test]
    fn levels_that_help_nothing_are_left_out() {
        let found = keyswitch_decompositions(LweDimension(2048), LweDimension(930));
        let levels: Vec<u32> = found.iter().map(|choice| choice.level).collect();
        // Six digits of 3 bits, then nine of 2.
        assert!(levels.contains(&6) && !levels.contains(&7) && levels.contains(&9), "{found:?}");
    }

    #[test]
    fn uniform_noise_never_wins() {
        // What TUniform adds to the keys is more noise than the Gaussian of equal security, or as much.
        for small in small_dimensions(1) {
            let small = LweDimension(small as usize);
            assert!(security::tuniform_132(small) > security::gaussian_132(small), "{small:?}");
        }
        for big in big_dimensions() {
            let (uniform, gaussian) = (security::tuniform_132(big).0, security::gaussian_132(big).0);
            assert!(uniform > gaussian, "{big:?}: 2^{:.2}, 2^{:.2}", uniform.log2(), gaussian.log2());
        }
    }

    #[test]
    fn another_level_is_less_noise() {
        let shape = GlweShape { dimension: 1, polynomial_size: 2048 };
        let key = security::gaussian_132(shape.lwe_dimension());
        let found = bootstrap_decompositions(shape);
        let variances: Vec<f64> = found
            .iter()
            .map(|choice| noise::blind_rotation(LweDimension(1), shape, *choice, key).0)
            .collect();
        assert!(variances.windows(2).all(|pair| pair[1] < pair[0]), "{variances:?}");
        assert_eq!((found[0].base_log, found[1].base_log), (23, 15));
    }
}
