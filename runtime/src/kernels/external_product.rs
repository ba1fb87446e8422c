//! Blind rotation's inner step: a rotation chosen by an encrypted bit, of many accumulators at once.
//!
//! For each bit of the small key, `accumulator += bit * (X^degree * accumulator - accumulator)`. One pass reads the
//! rotated coefficients, subtracts, takes a digit and starts the transform; one multiplies by the bit's ciphertext; one
//! ends the inverse transform and adds to the accumulator. The ciphertext of a bit is read once from memory for all
//! accumulators, which stay in the second cache level, while the ciphertext of the bit before it is worked with.

use super::accumulators::{Accumulators, Shape, repeat_start};
use super::fourier::{Transform, load, store, zero};
use super::lanes::{Lanes, Portable};
use super::torus::{Digits, Sum, Torus};
use super::{HugeBuffer, Vectors};
use rayon::prelude::*;
use std::slice::Chunks;
use tfhe::core_crypto::prelude::{Container, LweBootstrapKey};

/// Accumulators that one pass over a bit's ciphertext serves from the first cache levels.
const TILE: usize = 2;

/// Doubles of a line of the caches.
const LINE: usize = 8;

/// Stands for any number of polynomials that no code was made for.
const MANY: usize = 17;

/// A bootstrapping key in the Fourier domain.
pub struct BootstrapKernel {
    plan: Plan,
    key: HugeBuffer<f64>,
    shape: Shape,
}

/// The transform for the lanes that the machine has.
enum Plan {
    Portable(Portable, Transform<4>),
    #[cfg(target_arch = "x86_64")]
    Avx2(pulp::x86::V3, Transform<4>),
    #[cfg(target_arch = "x86_64")]
    Avx512(pulp::x86::V4, Transform<8>),
}

impl Plan {
    fn new(size: usize, vectors: Vectors) -> Self {
        #[cfg(target_arch = "x86_64")]
        match vectors {
            Vectors::Avx512 => {
                let lanes = pulp::x86::V4::try_new().expect("the machine has these vectors");
                return Self::Avx512(lanes, Transform::new(size));
            }
            Vectors::Avx2 => {
                let lanes = pulp::x86::V3::try_new().expect("the machine has these vectors");
                return Self::Avx2(lanes, Transform::new(size));
            }
            Vectors::Portable => {}
        }
        Self::Portable(Portable, Transform::new(size))
    }
}

/// Calls a function that is generic over lanes and their transform.
macro_rules! with_lanes {
    ($plan:expr, |$lanes:ident, $transform:ident| $call:expr) => {
        match $plan {
            Plan::Portable($lanes, $transform) => $lanes.run(
                #[inline(always)]
                || $call,
            ),
            #[cfg(target_arch = "x86_64")]
            Plan::Avx2($lanes, $transform) => $lanes.run(
                #[inline(always)]
                || $call,
            ),
            #[cfg(target_arch = "x86_64")]
            Plan::Avx512($lanes, $transform) => $lanes.run(
                #[inline(always)]
                || $call,
            ),
        }
    };
}

/// One accumulator's part in a step: `target += bit * (X^degree * source - target)`, where `0 <= degree < 2N`.
#[derive(Clone, Copy, Debug)]
pub struct Rotation {
    /// The accumulator that changes.
    pub target: usize,
    /// The accumulator, as it was before the step, that is rotated.
    pub source: usize,
    /// By which power of X.
    pub degree: usize,
}

impl BootstrapKernel {
    /// Transforms a key; uses all cores.
    #[must_use]
    pub fn new(key: &LweBootstrapKey<impl Container<Element = u64> + Sync>) -> Self {
        Self::with_vectors(key, Vectors::widest())
    }

    /// The same for vectors of a given width, which the machine must have.
    ///
    /// # Panics
    /// If the machine does not have them.
    #[must_use]
    pub fn with_vectors(
        key: &LweBootstrapKey<impl Container<Element = u64> + Sync>,
        vectors: Vectors,
    ) -> Self {
        let shape = Shape {
            polynomials: key.glwe_size().0,
            size: key.polynomial_size().0,
            level: key.decomposition_level_count().0,
            base_log: key.decomposition_base_log().0 as u32,
        };
        let plan = Plan::new(shape.size, vectors);
        let mut fourier = HugeBuffer::zeros(key.input_lwe_dimension().0 * shape.bit_length());
        let words = key.as_ref().par_chunks_exact(shape.bit_length());
        fourier.par_chunks_exact_mut(shape.bit_length()).zip(words).for_each(|(fourier, words)| {
            with_lanes!(&plan, |lanes, transform| transform_bit(*lanes, transform, shape, words, fourier));
        });
        Self { plan, key: fourier, shape }
    }

    /// Room for a number of accumulators, all zero.
    #[must_use]
    pub fn accumulators(&self, count: usize) -> Accumulators {
        Accumulators::zeros(self.shape, count, TILE)
    }

    /// One step for one bit of the small key; no accumulator may be the target twice.
    ///
    /// # Panics
    /// If a bit, accumulator or degree is out of range.
    pub fn rotate(&self, bit: usize, accumulators: &mut Accumulators, rotations: &[Rotation]) {
        let length = self.shape.bit_length();
        let (key, next) = self.key[bit * length..].split_at(length);
        let in_place = rotations.iter().all(|rotation| rotation.source == rotation.target);
        // While one bit's ciphertext is worked with, the next one is brought near, a part with each transform.
        let transforms = rotations.len() * self.shape.rows();
        let mut ahead = next[..length.min(next.len())].chunks(length.div_ceil(transforms.max(1)));
        for tile in rotations.chunks(TILE) {
            with_lanes!(&self.plan, |lanes, transform| {
                multiply(*lanes, transform, key, &mut ahead, accumulators, tile, in_place);
            });
        }
        if !in_place {
            for rotation in rotations {
                let (place, free) = accumulators.places[rotation.target];
                accumulators.places[rotation.target] = (free, place);
            }
        }
    }
}

/// Transforms the ciphertext of one bit, and lays it out in the order in which it is read: for each vector of values, for
/// each row of digits, for each column.
#[inline(always)]
fn transform_bit<const L: usize, V: Lanes<L>>(
    lanes: V,
    transform: &Transform<L>,
    shape: Shape,
    words: &[u64],
    fourier: &mut [f64],
) {
    // Torus elements as fractions of a turn, and the factor that forward and backward leave.
    let scale = (-64f64).exp2() / transform.values() as f64;
    let mut values = vec![0.0; shape.size];
    for (polynomial, words) in words.chunks_exact(shape.size).enumerate() {
        transform.forward(lanes, &mut values, &mut Torus { words, scale });
        let polynomials = shape.rows() * shape.polynomials;
        for (vector, values) in values.chunks_exact(2 * L).enumerate() {
            let start = (vector * polynomials + polynomial) * 2 * L;
            fourier[start..start + 2 * L].copy_from_slice(values);
        }
    }
}

#[inline(always)]
fn multiply<const L: usize, V: Lanes<L>>(
    lanes: V,
    transform: &Transform<L>,
    key: &[f64],
    ahead: &mut Chunks<'_, f64>,
    accumulators: &mut Accumulators,
    tile: &[Rotation],
    in_place: bool,
) {
    let shape = accumulators.shape;
    let fourier = &mut accumulators.fourier[..];
    let digits = fourier.chunks_exact_mut(shape.rows() * shape.size);
    for (digits, rotation) in digits.zip(tile) {
        let (source, target) =
            (accumulators.places[rotation.source].0, accumulators.places[rotation.target].0);
        for (row, digits) in digits.chunks_exact_mut(shape.size).enumerate() {
            // Rows are in the order of the key: the last level first.
            let (level, polynomial) = (shape.level - row / shape.polynomials, row % shape.polynomials);
            let source = &accumulators.words[shape.range(source, polynomial)];
            let target = &accumulators.words[shape.range(target, polynomial)];
            if let Some(values) = ahead.next() {
                prefetch(values);
            }
            transform.forward(lanes, digits, &mut Digits::new(shape, level, rotation.degree, source, target));
        }
    }
    multiply_add(lanes, shape, key, fourier, tile.len());
    let sums = fourier.chunks_exact_mut(shape.rows() * shape.size);
    for (sums, rotation) in sums.zip(tile) {
        let (place, free) = accumulators.places[rotation.target];
        for (polynomial, sums) in sums.chunks_exact_mut(shape.size).take(shape.polynomials).enumerate() {
            let to = if in_place {
                let to = &mut accumulators.words[shape.range(place, polynomial)];
                transform.backward(lanes, sums, &mut Sum::new(shape.size, None, to));
                to
            } else {
                let ranges = [shape.range(place, polynomial), shape.range(free, polynomial)];
                let [from, to] = accumulators.words.get_disjoint_mut(ranges).expect("two places");
                transform.backward(lanes, sums, &mut Sum::new(shape.size, Some(from), to));
                to
            };
            repeat_start(to, shape.size);
        }
    }
}

/// Asks for values that are needed soon, in the second cache level.
#[inline(always)]
fn prefetch(values: &[f64]) {
    #[cfg(target_arch = "x86_64")]
    for line in values.chunks(LINE) {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: a prefetch changes nothing that a program sees, and every x86-64 processor has it.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = values;
}

/// Sums over all rows for each of `count` accumulators, in place of the first polynomials of its digits.
#[inline(always)]
fn multiply_add<const L: usize, V: Lanes<L>>(
    lanes: V,
    shape: Shape,
    key: &[f64],
    fourier: &mut [f64],
    count: usize,
) {
    match shape.polynomials {
        2 => multiply_add_of::<2, L, V>(lanes, shape, key, fourier, count),
        3 => multiply_add_of::<3, L, V>(lanes, shape, key, fourier, count),
        4 => multiply_add_of::<4, L, V>(lanes, shape, key, fourier, count),
        5 => multiply_add_of::<5, L, V>(lanes, shape, key, fourier, count),
        6 => multiply_add_of::<6, L, V>(lanes, shape, key, fourier, count),
        7 => multiply_add_of::<7, L, V>(lanes, shape, key, fourier, count),
        _ => multiply_add_of::<MANY, L, V>(lanes, shape, key, fourier, count),
    }
}

/// The same for `C` polynomials, which the compiler knows, or for [`MANY`].
#[inline(always)]
fn multiply_add_of<const C: usize, const L: usize, V: Lanes<L>>(
    lanes: V,
    shape: Shape,
    key: &[f64],
    fourier: &mut [f64],
    count: usize,
) {
    let length = shape.rows() * shape.size;
    match fourier[..count * length].split_at_mut(length) {
        (first, []) => multiply_add_all::<C, 1, L, V>(lanes, shape, key, [first]),
        (first, second) => multiply_add_all::<C, 2, L, V>(lanes, shape, key, [first, second]),
    }
}

#[inline(always)]
fn multiply_add_all<const C: usize, const T: usize, const L: usize, V: Lanes<L>>(
    lanes: V,
    shape: Shape,
    key: &[f64],
    mut fourier: [&mut [f64]; T],
) {
    let values = shape.size / 2;
    let rows = shape.rows();
    let columns = if C == MANY { shape.polynomials } else { C };
    assert!(fourier.iter().all(|fourier| fourier.len() == rows * shape.size), "digits of all rows");
    assert!(columns <= C && key.len() == rows * columns * shape.size, "a ciphertext of the shape");
    for (vector, key) in key.chunks_exact(2 * L * rows * columns).enumerate() {
        let index = vector * L;
        let mut sums = [[zero(lanes); C]; T];
        for (row, key) in key.chunks_exact(2 * L * columns).enumerate() {
            let mut digits = [zero(lanes); T];
            for (digit, fourier) in digits.iter_mut().zip(&fourier) {
                // SAFETY: the vector lies within the row, whose lengths were checked.
                *digit = unsafe { load(lanes, fourier, row * values + index) };
            }
            for column in 0..columns {
                // SAFETY: the key was cut to as many columns.
                let factor = unsafe { load(lanes, key, column * L) };
                for (sums, digit) in sums.iter_mut().zip(digits) {
                    sums[column] = sums[column].add_product(lanes, digit, factor);
                }
            }
        }
        for (fourier, sums) in fourier.iter_mut().zip(sums) {
            for (column, sum) in sums.into_iter().take(columns).enumerate() {
                // SAFETY: there are at least as many rows as columns.
                unsafe { store(lanes, fourier, column * values + index, sum) };
            }
        }
    }
}

mod floor;
#[cfg(test)]
mod tests;

pub use floor::Floor;
