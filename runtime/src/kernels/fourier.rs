//! The Fourier transform of Z[X]/(X^N + 1), fused with what comes before and after it.
//!
//! The N real coefficients are read as M = N/2 complex ones modulo X^M - i: coefficient `j` plus i times coefficient
//! `j + M`. A polynomial modulo X^(R m) - e^(2 pi i a) is split into its R remainders modulo X^m - e^(2 pi i (a + t)/R),
//! again and again down to single values: the twist by powers of a root of -1 is part of the factors. The last two
//! splits, of L^2 values each, stay in registers, with a transposition of lanes between them. The order of the values is
//! what falls out, and differs between widths: products of values need no order.
//!
//! # Source
//! Own; the folding to N/2 complex numbers is that of Klemsa, "Fast and Error-Free Negacyclic Integer Convolution using
//! Extended Fourier Transform" (ePrint 2021/480).

use super::butterfly::{Complex, inverse, transform};
use super::lanes::Lanes;

/// One split of all blocks.
struct Split {
    radix: usize,
    /// Values of each part.
    part: usize,
    /// For each block the factors of its parts 1, 2 and so on: real and imaginary part.
    factors: Vec<f64>,
}

/// Where complex coefficients come from: vectors of those at `part * m + index`, for all parts of one index at once.
///
/// Traits and no closures: all code between a call of [`Lanes::run`] and an instruction must be inlined, or it is compiled
/// without the instructions.
pub(super) trait Input<const L: usize, V: Lanes<L>> {
    /// Prepares to read all parts from `index` on, and says up to which index; a multiple of `L`, at most `m`.
    fn seek<const R: usize>(&mut self, m: usize, index: usize) -> usize;

    /// # Safety
    /// The 2 R parts of `m` coefficients are the whole polynomial; `index` is a multiple of `L` within what was prepared.
    unsafe fn read<const R: usize>(&self, lanes: V, m: usize, index: usize) -> [Complex<V::F64>; R];
}

/// Where complex coefficients go to.
pub(super) trait Output<const L: usize, V: Lanes<L>> {
    /// # Safety
    /// The 2 R parts of `m` coefficients are the whole polynomial; `index` is a multiple of `L` below `m`.
    unsafe fn write<const R: usize>(
        &mut self,
        lanes: V,
        m: usize,
        index: usize,
        values: [Complex<V::F64>; R],
    );
}

/// A transform of `values` complex numbers with `L` lanes.
///
/// Numbers are stored by vectors: `L` real parts, then their imaginary parts.
pub(super) struct Transform<const L: usize> {
    values: usize,
    splits: Vec<Split>,
    /// For each block of L^2: factors for all lanes as in [`Split`], then after the transposition a vector for each.
    last: Vec<f64>,
}

impl<const L: usize> Transform<L> {
    /// For polynomials of `size` coefficients: a power of two, at least 2 L^2.
    pub(super) fn new(size: usize) -> Self {
        let values = size / 2;
        assert!(size.is_power_of_two() && values >= L * L, "a size that can be transformed");
        // Modulo X^M - e^(2 pi i / 4).
        let mut angles = vec![0.25];
        let mut splits = Vec::new();
        let mut part = values;
        for radix in radices(values / (L * L)) {
            part /= radix;
            let factors = angles.iter().flat_map(|angle| scalars(*angle, radix)).collect();
            splits.push(Split { radix, part, factors });
            angles = angles.iter().flat_map(|angle| parts(*angle, radix)).collect();
        }
        let last = angles.iter().flat_map(|angle| last_factors::<L>(*angle)).collect();
        Self { values, splits, last }
    }

    /// Number of complex values.
    pub(super) fn values(&self) -> usize {
        self.values
    }

    /// Transforms what `input` gives.
    #[inline(always)]
    pub(super) fn forward<V: Lanes<L>>(&self, lanes: V, data: &mut [f64], input: &mut impl Input<L, V>) {
        assert_eq!(data.len(), 2 * self.values, "size of a transform");
        let (first, rest) = self.splits.split_first().expect("a first split");
        match first.radix {
            1 => first_split::<1, L, V>(lanes, first, data, input),
            2 => first_split::<2, L, V>(lanes, first, data, input),
            4 => first_split::<4, L, V>(lanes, first, data, input),
            _ => first_split::<8, L, V>(lanes, first, data, input),
        }
        for pass in rest {
            match pass.radix {
                4 => split::<4, L, V>(lanes, pass, data),
                _ => split::<8, L, V>(lanes, pass, data),
            }
        }
        let blocks = data.chunks_exact_mut(2 * L * L);
        for (block, factors) in blocks.zip(self.last.chunks_exact(last_length::<L>())) {
            let (scalars, vectors) = factors.split_at(2 * (L - 1));
            // SAFETY: a block has L parts of L numbers.
            let mut x = unsafe { load_parts(lanes, block, L, 0) };
            multiply_scalars::<false, L, L, V>(lanes, &mut x, scalars);
            let mut x = transposed(lanes, transform::<L, L, V>(lanes, x));
            for (part, x) in x[1..].iter_mut().enumerate() {
                // SAFETY: there is a vector for each part but the first.
                *x = x.mul(lanes, unsafe { load(lanes, vectors, part * L) });
            }
            // SAFETY: as above.
            unsafe { store_parts(lanes, block, L, 0, transform::<L, L, V>(lanes, x)) };
        }
    }

    /// M times the inverse of [`Self::forward`]; overwrites `data`.
    #[inline(always)]
    pub(super) fn backward<V: Lanes<L>>(&self, lanes: V, data: &mut [f64], output: &mut impl Output<L, V>) {
        assert_eq!(data.len(), 2 * self.values, "size of a transform");
        let blocks = data.chunks_exact_mut(2 * L * L);
        for (block, factors) in blocks.zip(self.last.chunks_exact(last_length::<L>())) {
            let (scalars, vectors) = factors.split_at(2 * (L - 1));
            // SAFETY: as in `forward`.
            let mut x = inverse::<L, L, V>(lanes, unsafe { load_parts(lanes, block, L, 0) });
            for (part, x) in x[1..].iter_mut().enumerate() {
                // SAFETY: as in `forward`.
                *x = x.mul_conjugate(lanes, unsafe { load(lanes, vectors, part * L) });
            }
            let mut x = inverse::<L, L, V>(lanes, transposed(lanes, x));
            multiply_scalars::<true, L, L, V>(lanes, &mut x, scalars);
            // SAFETY: as in `forward`.
            unsafe { store_parts(lanes, block, L, 0, x) };
        }
        let (first, rest) = self.splits.split_first().expect("a first split");
        for pass in rest.iter().rev() {
            match pass.radix {
                4 => join::<4, L, V>(lanes, pass, data),
                _ => join::<8, L, V>(lanes, pass, data),
            }
        }
        match first.radix {
            1 => last_join::<1, L, V>(lanes, first, data, output),
            2 => last_join::<2, L, V>(lanes, first, data, output),
            4 => last_join::<4, L, V>(lanes, first, data, output),
            _ => last_join::<8, L, V>(lanes, first, data, output),
        }
    }
}

/// Factors of `count`, a power of two: at least one, eights last; only the first may be less than four.
fn radices(count: usize) -> Vec<usize> {
    let log2 = count.ilog2() as usize;
    let small: &[usize] = match (log2 % 3, log2) {
        (0, 0) => &[1],
        (0, _) => &[],
        (1, 1) => &[2],
        (1, _) => &[4, 4],
        _ => &[4],
    };
    let eights = (log2 - small.iter().map(|radix| radix.ilog2() as usize).sum::<usize>()) / 3;
    small.iter().copied().chain(std::iter::repeat_n(8, eights)).collect()
}

/// Angles of the parts that a block of an angle is split into, in turns.
fn parts(angle: f64, radix: usize) -> impl Iterator<Item = f64> {
    (0..radix).map(move |part| (angle + part as f64) / radix as f64)
}

/// `e^(2 pi i turns)`. All angles are multiples of a power of two, so they are exact.
fn root(turns: f64) -> [f64; 2] {
    // Within an eighth of a turn of an axis the functions are at their most precise, and symmetric.
    let quarters = (4.0 * turns).round();
    let (sin, cos) = libm::sincos(std::f64::consts::TAU * (turns - quarters / 4.0));
    match quarters as i64 & 3 {
        0 => [cos, sin],
        1 => [-sin, cos],
        2 => [-cos, -sin],
        _ => [sin, -cos],
    }
}

/// What the parts 1, 2 and so on of a block are multiplied by before its transform.
fn scalars(angle: f64, radix: usize) -> Vec<f64> {
    (1..radix).flat_map(|part| root(angle * part as f64 / radix as f64)).collect()
}

fn last_length<const L: usize>() -> usize {
    (2 + 2 * L) * (L - 1)
}

fn last_factors<const L: usize>(angle: f64) -> Vec<f64> {
    let mut factors = scalars(angle, L);
    for column in 1..L {
        let lanes: Vec<[f64; 2]> =
            parts(angle, L).map(|angle| root(angle * column as f64 / L as f64)).collect();
        factors.extend(lanes.iter().map(|factor| factor[0]));
        factors.extend(lanes.iter().map(|factor| factor[1]));
    }
    factors
}

#[inline(always)]
pub(super) fn zero<const L: usize, V: Lanes<L>>(lanes: V) -> Complex<V::F64> {
    Complex { re: lanes.splat(0.0), im: lanes.splat(0.0) }
}

/// The complex numbers from `index` on, a multiple of `L`.
///
/// # Safety
/// The data has `L` numbers from there on.
#[inline(always)]
pub(super) unsafe fn load<const L: usize, V: Lanes<L>>(
    lanes: V,
    data: &[f64],
    index: usize,
) -> Complex<V::F64> {
    debug_assert!(2 * (index + L) <= data.len());
    let from = data.as_ptr().wrapping_add(2 * index);
    // SAFETY: the caller's promise.
    unsafe { Complex { re: lanes.load(from), im: lanes.load(from.wrapping_add(L)) } }
}

/// The other direction.
///
/// # Safety
/// As for [`load`].
#[inline(always)]
pub(super) unsafe fn store<const L: usize, V: Lanes<L>>(
    lanes: V,
    data: &mut [f64],
    index: usize,
    value: Complex<V::F64>,
) {
    debug_assert!(2 * (index + L) <= data.len());
    let to = data.as_mut_ptr().wrapping_add(2 * index);
    // SAFETY: the caller's promise.
    unsafe {
        lanes.store(to, value.re);
        lanes.store(to.wrapping_add(L), value.im);
    }
}

/// One vector of each of `R` parts.
///
/// # Safety
/// The data has all parts, and a part has `L` numbers from `index` on.
#[inline(always)]
unsafe fn load_parts<const R: usize, const L: usize, V: Lanes<L>>(
    lanes: V,
    data: &[f64],
    part: usize,
    index: usize,
) -> [Complex<V::F64>; R] {
    let mut x = [zero(lanes); R];
    for (number, x) in x.iter_mut().enumerate() {
        // SAFETY: the caller's promise.
        *x = unsafe { load(lanes, data, number * part + index) };
    }
    x
}

/// The other direction.
///
/// # Safety
/// As for [`load_parts`].
#[inline(always)]
unsafe fn store_parts<const R: usize, const L: usize, V: Lanes<L>>(
    lanes: V,
    data: &mut [f64],
    part: usize,
    index: usize,
    values: [Complex<V::F64>; R],
) {
    for (number, value) in values.into_iter().enumerate() {
        // SAFETY: the caller's promise.
        unsafe { store(lanes, data, number * part + index, value) };
    }
}

/// Multiplies the parts but the first by their factors, or by the conjugates of these.
#[inline(always)]
fn multiply_scalars<const CONJUGATE: bool, const R: usize, const L: usize, V: Lanes<L>>(
    lanes: V,
    x: &mut [Complex<V::F64>; R],
    factors: &[f64],
) {
    // A number of turns that the compiler knows: it leaves no loop.
    let factors = &factors[..2 * (R - 1)];
    for part in 1..R {
        let (re, im) = (factors[2 * part - 2], factors[2 * part - 1]);
        let factor = Complex { re: lanes.splat(re), im: lanes.splat(im) };
        x[part] = if CONJUGATE { x[part].mul_conjugate(lanes, factor) } else { x[part].mul(lanes, factor) };
    }
}

#[inline(always)]
fn transposed<const L: usize, V: Lanes<L>>(lanes: V, x: [Complex<V::F64>; L]) -> [Complex<V::F64>; L] {
    let (mut re, mut im, mut y) = ([x[0].re; L], [x[0].im; L], x);
    for (part, x) in x.into_iter().enumerate() {
        (re[part], im[part]) = (x.re, x.im);
    }
    (re, im) = (lanes.transpose(re), lanes.transpose(im));
    for (part, y) in y.iter_mut().enumerate() {
        *y = Complex { re: re[part], im: im[part] };
    }
    y
}

#[inline(always)]
fn first_split<const R: usize, const L: usize, V: Lanes<L>>(
    lanes: V,
    pass: &Split,
    data: &mut [f64],
    input: &mut impl Input<L, V>,
) {
    assert_eq!(data.len(), 2 * R * pass.part, "one block");
    let mut start = 0;
    while start < pass.part {
        let end = input.seek::<R>(pass.part, start);
        for index in (start..end).step_by(L) {
            // SAFETY: the parts are the whole polynomial, and multiples of L.
            let mut x = unsafe { input.read::<R>(lanes, pass.part, index) };
            multiply_scalars::<false, R, L, V>(lanes, &mut x, &pass.factors);
            // SAFETY: as above.
            unsafe { store_parts(lanes, data, pass.part, index, transform::<R, L, V>(lanes, x)) };
        }
        start = end;
    }
}

#[inline(always)]
fn split<const R: usize, const L: usize, V: Lanes<L>>(lanes: V, pass: &Split, data: &mut [f64]) {
    let blocks = data.chunks_exact_mut(2 * R * pass.part);
    for (block, factors) in blocks.zip(pass.factors.chunks_exact(2 * (R - 1))) {
        for index in (0..pass.part).step_by(L) {
            // SAFETY: a block has R parts, whose size is a multiple of L.
            let mut x = unsafe { load_parts(lanes, block, pass.part, index) };
            multiply_scalars::<false, R, L, V>(lanes, &mut x, factors);
            // SAFETY: as above.
            unsafe { store_parts(lanes, block, pass.part, index, transform::<R, L, V>(lanes, x)) };
        }
    }
}

#[inline(always)]
fn join<const R: usize, const L: usize, V: Lanes<L>>(lanes: V, pass: &Split, data: &mut [f64]) {
    let blocks = data.chunks_exact_mut(2 * R * pass.part);
    for (block, factors) in blocks.zip(pass.factors.chunks_exact(2 * (R - 1))) {
        for index in (0..pass.part).step_by(L) {
            // SAFETY: a block has R parts, whose size is a multiple of L.
            let mut x = inverse::<R, L, V>(lanes, unsafe { load_parts(lanes, block, pass.part, index) });
            multiply_scalars::<true, R, L, V>(lanes, &mut x, factors);
            // SAFETY: as above.
            unsafe { store_parts(lanes, block, pass.part, index, x) };
        }
    }
}

#[inline(always)]
fn last_join<const R: usize, const L: usize, V: Lanes<L>>(
    lanes: V,
    pass: &Split,
    data: &[f64],
    output: &mut impl Output<L, V>,
) {
    assert_eq!(data.len(), 2 * R * pass.part, "one block");
    for index in (0..pass.part).step_by(L) {
        // SAFETY: the parts are the whole data, and multiples of L.
        let mut x = inverse::<R, L, V>(lanes, unsafe { load_parts(lanes, data, pass.part, index) });
        multiply_scalars::<true, R, L, V>(lanes, &mut x, &pass.factors);
        // SAFETY: as above.
        unsafe { output.write(lanes, pass.part, index, x) };
    }
}
