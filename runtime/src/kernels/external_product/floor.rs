//! What external products take at least: their transforms and multiply-adds, on data in cache, and nothing else.

use super::super::butterfly::Complex;
use super::super::fourier::{Input, Output, zero};
use super::super::lanes::Lanes;
use super::{BootstrapKernel, Plan, Shape, TILE, Transform, multiply_add};

/// The transforms and multiply-adds of external products, again and again on the same data.
///
/// Left out of an external product are the rotation, the difference and its digits before the forward transforms, rounding
/// and addition after the inverse ones, and the memory of accumulators and of other bits' ciphertexts.
pub struct Floor<'a> {
    kernel: &'a BootstrapKernel,
    /// Digits of one row: the same for all.
    pub(super) digits: Vec<f64>,
    fourier: Vec<f64>,
    /// For each product its polynomials, as turns.
    pub(super) sums: Vec<f64>,
}

impl<'a> Floor<'a> {
    /// Products of one [`Self::run`].
    pub const PRODUCTS: usize = TILE;

    /// Products of the ciphertext of the key's first bit with arbitrary digits.
    #[must_use]
    pub fn new(kernel: &'a BootstrapKernel) -> Self {
        let Shape { size, polynomials, .. } = kernel.shape;
        let base = 1i64 << kernel.shape.base_log;
        let digit = |index: i64| (index * 0x9e37_79b9 % base - base / 2) as f64;
        Self {
            digits: (0..size as i64).map(digit).collect(),
            fourier: vec![0.0; TILE * kernel.shape.rows() * size],
            sums: vec![0.0; TILE * polynomials * size],
            kernel,
        }
    }

    /// As many transforms and multiply-adds as [`Self::PRODUCTS`] external products have.
    pub fn run(&mut self) {
        with_lanes!(&self.kernel.plan, |lanes, transform| self.run_with(*lanes, transform));
    }

    #[inline(always)]
    fn run_with<const L: usize, V: Lanes<L>>(&mut self, lanes: V, transform: &Transform<L>) {
        let shape = self.kernel.shape;
        for digits in self.fourier.chunks_exact_mut(shape.size) {
            transform.forward(lanes, digits, &mut Given(&self.digits));
        }
        let key = &self.kernel.key[..shape.bit_length()];
        multiply_add(lanes, shape, key, &mut self.fourier, TILE);
        let fourier = self.fourier.chunks_exact_mut(shape.rows() * shape.size);
        for (fourier, sums) in fourier.zip(self.sums.chunks_exact_mut(shape.polynomials * shape.size)) {
            for (fourier, sum) in fourier.chunks_exact_mut(shape.size).zip(sums.chunks_exact_mut(shape.size))
            {
                transform.backward(lanes, fourier, &mut Taken(sum));
            }
        }
    }
}

/// Doubles as they are.
struct Given<'a>(&'a [f64]);

impl<const L: usize, V: Lanes<L>> Input<L, V> for Given<'_> {
    #[inline(always)]
    fn seek<const R: usize>(&mut self, m: usize, _: usize) -> usize {
        assert_eq!(self.0.len(), 2 * R * m, "a polynomial");
        m
    }

    #[inline(always)]
    unsafe fn read<const R: usize>(&self, lanes: V, m: usize, index: usize) -> [Complex<V::F64>; R] {
        debug_assert!(index + L <= m);
        let mut x = [zero(lanes); R];
        for (part, x) in x.iter_mut().enumerate() {
            // SAFETY: the polynomial has 2 R parts of m doubles.
            unsafe {
                x.re = lanes.load(self.0.as_ptr().add(part * m + index));
                x.im = lanes.load(self.0.as_ptr().add((R + part) * m + index));
            }
        }
        x
    }
}

/// Doubles as they come.
struct Taken<'a>(&'a mut [f64]);

impl<const L: usize, V: Lanes<L>> Output<L, V> for Taken<'_> {
    #[inline(always)]
    unsafe fn write<const R: usize>(
        &mut self,
        lanes: V,
        m: usize,
        index: usize,
        values: [Complex<V::F64>; R],
    ) {
        debug_assert!(self.0.len() == 2 * R * m && index + L <= m);
        for (part, value) in values.into_iter().enumerate() {
            // SAFETY: the polynomial has 2 R parts of m doubles, by what the caller promises.
            unsafe {
                lanes.store(self.0.as_mut_ptr().add(part * m + index), value.re);
                lanes.store(self.0.as_mut_ptr().add((R + part) * m + index), value.im);
            }
        }
    }
}
