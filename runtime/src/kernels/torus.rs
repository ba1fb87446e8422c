//! Torus polynomials on their way into and out of a transform: digits of differences, fractions of a turn.

use super::accumulators::Shape;
use super::butterfly::Complex;
use super::fourier::{Input, Output, zero};
use super::lanes::Lanes;

/// Torus elements as fractions of a turn, times a power of two.
pub(super) struct Torus<'a> {
    pub(super) words: &'a [u64],
    pub(super) scale: f64,
}

impl<const L: usize, V: Lanes<L>> Input<L, V> for Torus<'_> {
    #[inline(always)]
    fn seek<const R: usize>(&mut self, m: usize, _: usize) -> usize {
        m
    }

    #[inline(always)]
    unsafe fn read<const R: usize>(&self, lanes: V, m: usize, index: usize) -> [Complex<V::F64>; R] {
        let mut x = [zero(lanes); R];
        for (part, x) in x.iter_mut().enumerate() {
            let (mut re, mut im) = ([0.0; L], [0.0; L]);
            for lane in 0..L {
                let index = part * m + index + lane;
                re[lane] = self.words[index] as i64 as f64 * self.scale;
                im[lane] = self.words[index + self.words.len() / 2] as i64 as f64 * self.scale;
            }
            // SAFETY: arrays of L doubles.
            unsafe { *x = Complex { re: lanes.load(re.as_ptr()), im: lanes.load(im.as_ptr()) } }
        }
        x
    }
}

/// One level's digits of `X^degree * source - target`.
///
/// Digits are from -B/2 to B/2 - 1. With B/2 added on every level, and half of what the last one counts to round, they
/// are the bits of the coefficient themselves: no carry goes from level to level.
pub(super) struct Digits<'a> {
    source: &'a [u64],
    target: &'a [u64],
    /// Where coefficient 0 comes from, in 0 to 2N - 1: from N on with the other sign.
    start: usize,
    size: usize,
    /// For each part real and imaginary: where its coefficient 0 would come from, and what is flipped of it: all bits, if
    /// it changes its sign.
    streams: [(usize, u64); 2 * LARGEST_RADIX],
    offset: u64,
    shift: u32,
    mask: u64,
    half: f64,
}

/// Largest number of parts that a transform begins with.
const LARGEST_RADIX: usize = 8;

/// 2^52 as a double: the bits of a smaller integer take the place of its mantissa.
const INTEGER: u64 = 0x4330_0000_0000_0000;

impl<'a> Digits<'a> {
    pub(super) fn new(
        shape: Shape,
        level: usize,
        degree: usize,
        source: &'a [u64],
        target: &'a [u64],
    ) -> Self {
        assert!(degree < 2 * shape.size, "a rotation by less than a whole turn");
        assert!(source.len() >= shape.stride() && target.len() >= shape.size, "two polynomials");
        let below = |level: usize| 64 - shape.base_log * level as u32;
        let halves = (1..=shape.level).map(|level| 1u64 << (below(level) + shape.base_log - 1)).sum::<u64>();
        let offset = halves + (1u64 << below(shape.level) >> 1);
        Self {
            source,
            target,
            start: 2 * shape.size - degree,
            size: shape.size,
            streams: [(0, 0); 2 * LARGEST_RADIX],
            offset,
            shift: below(level),
            mask: (1 << shape.base_log) - 1,
            half: (52f64).exp2() + (f64::from(shape.base_log) - 1.0).exp2(),
        }
    }

    /// # Safety
    /// `index` is at least `L` below the size, and within what `stream` was prepared for.
    #[inline(always)]
    unsafe fn at<const L: usize, V: Lanes<L>>(
        &self,
        lanes: V,
        stream: usize,
        index: usize,
        target: usize,
    ) -> V::F64 {
        let (from, flip) = self.streams[stream];
        // SAFETY: both polynomials have their size, and the source a tail behind it.
        let (source, target) = unsafe {
            let source = self.source.as_ptr().wrapping_add(from.wrapping_add(index));
            (lanes.load_u64(source), lanes.load_u64(self.target.as_ptr().add(target)))
        };
        // The negative of a number is that with all bits flipped, plus 1: a unit of 2^-64 that no digit sees.
        let rotated = lanes.add_u64(lanes.xor(source, lanes.splat_u64(flip)), lanes.splat_u64(self.offset));
        let digit = lanes.shift_right(lanes.sub_u64(rotated, target), self.shift);
        let digit = lanes.or(lanes.and(digit, lanes.splat_u64(self.mask)), lanes.splat_u64(INTEGER));
        lanes.sub(lanes.doubles(digit), lanes.splat(self.half))
    }
}

impl<const L: usize, V: Lanes<L>> Input<L, V> for Digits<'_> {
    #[inline(always)]
    fn seek<const R: usize>(&mut self, m: usize, index: usize) -> usize {
        for stream in 0..2 * R {
            let from = (self.start + index + stream * m) & (2 * self.size - 1);
            let flip = if from < self.size { 0 } else { u64::MAX };
            self.streams[stream] = ((from & (self.size - 1)).wrapping_sub(index), flip);
        }
        // All streams come to the end of a part at the same index. The vector that begins before it reads on into the
        // next part, or into the tail.
        let end = index + m - (self.start + index) % m;
        end.next_multiple_of(L).min(m)
    }

    #[inline(always)]
    unsafe fn read<const R: usize>(&self, lanes: V, m: usize, index: usize) -> [Complex<V::F64>; R] {
        debug_assert!(2 * R * m == self.size && index + L <= m);
        let mut x = [zero(lanes); R];
        for (part, x) in x.iter_mut().enumerate() {
            // SAFETY: the R parts of m numbers are half the size.
            unsafe {
                x.re = self.at(lanes, part, index, part * m + index);
                x.im = self.at(lanes, R + part, index, (R + part) * m + index);
            }
        }
        x
    }
}

/// Adds fractions of a turn, whole turns left out, to the elements of a torus polynomial.
pub(super) struct Sum<'a> {
    /// The elements to add to; without any those that are overwritten.
    from: Option<&'a [u64]>,
    to: &'a mut [u64],
    size: usize,
}

impl<'a> Sum<'a> {
    pub(super) fn new(size: usize, from: Option<&'a [u64]>, to: &'a mut [u64]) -> Self {
        assert!(to.len() >= size && from.is_none_or(|from| from.len() >= size), "two polynomials");
        Self { from, to, size }
    }

    /// # Safety
    /// `index` is at least `L` below the size.
    #[inline(always)]
    unsafe fn add<const L: usize, V: Lanes<L>>(&mut self, lanes: V, index: usize, turns: V::F64) {
        // Between 1 and 2 the mantissa of a double is the fraction itself, in units of 2^-52.
        let fraction = lanes.sub(turns, lanes.floor(turns));
        let mantissa = lanes.bits(lanes.add(fraction, lanes.splat(1.0)));
        let from = self.from.map_or(self.to.as_ptr(), <[u64]>::as_ptr);
        // SAFETY: the caller's promise; both polynomials have their size.
        unsafe {
            let sum = lanes.add_u64(lanes.load_u64(from.add(index)), lanes.shift_left::<12>(mantissa));
            lanes.store_u64(self.to.as_mut_ptr().add(index), sum);
        }
    }
}

impl<const L: usize, V: Lanes<L>> Output<L, V> for Sum<'_> {
    #[inline(always)]
    unsafe fn write<const R: usize>(
        &mut self,
        lanes: V,
        m: usize,
        index: usize,
        turns: [Complex<V::F64>; R],
    ) {
        debug_assert!(2 * R * m == self.size && index + L <= m);
        for (part, turns) in turns.into_iter().enumerate() {
            // SAFETY: the R parts of m numbers are half the size.
            unsafe {
                self.add(lanes, part * m + index, turns.re);
                self.add(lanes, part * m + index + self.size / 2, turns.im);
            }
        }
    }
}
