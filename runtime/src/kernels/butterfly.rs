//! Complex vectors, and small Fourier transforms of them.

use super::lanes::Lanes;
use std::f64::consts::FRAC_1_SQRT_2;

/// Complex numbers, one in each lane.
#[derive(Clone, Copy)]
pub(super) struct Complex<F> {
    pub(super) re: F,
    pub(super) im: F,
}

impl<F: Copy> Complex<F> {
    #[inline(always)]
    fn exchanged(self) -> Self {
        Self { re: self.im, im: self.re }
    }

    #[inline(always)]
    fn add<const L: usize>(self, lanes: impl Lanes<L, F64 = F>, other: Self) -> Self {
        Self { re: lanes.add(self.re, other.re), im: lanes.add(self.im, other.im) }
    }

    #[inline(always)]
    fn sub<const L: usize>(self, lanes: impl Lanes<L, F64 = F>, other: Self) -> Self {
        Self { re: lanes.sub(self.re, other.re), im: lanes.sub(self.im, other.im) }
    }

    /// `self + i other`.
    #[inline(always)]
    fn add_turned<const L: usize>(self, lanes: impl Lanes<L, F64 = F>, other: Self) -> Self {
        Self { re: lanes.sub(self.re, other.im), im: lanes.add(self.im, other.re) }
    }

    /// `self - i other`.
    #[inline(always)]
    fn sub_turned<const L: usize>(self, lanes: impl Lanes<L, F64 = F>, other: Self) -> Self {
        Self { re: lanes.add(self.re, other.im), im: lanes.sub(self.im, other.re) }
    }

    #[inline(always)]
    pub(super) fn mul<const L: usize>(self, lanes: impl Lanes<L, F64 = F>, by: Self) -> Self {
        Self {
            re: lanes.mul_sub_from(self.im, by.im, lanes.mul(self.re, by.re)),
            im: lanes.mul_add(self.im, by.re, lanes.mul(self.re, by.im)),
        }
    }

    /// `self * conjugate(by)`.
    #[inline(always)]
    pub(super) fn mul_conjugate<const L: usize>(self, lanes: impl Lanes<L, F64 = F>, by: Self) -> Self {
        Self {
            re: lanes.mul_add(self.im, by.im, lanes.mul(self.re, by.re)),
            im: lanes.mul_sub_from(self.re, by.im, lanes.mul(self.im, by.re)),
        }
    }

    /// `self + a b`.
    #[inline(always)]
    pub(super) fn add_product<const L: usize>(self, lanes: impl Lanes<L, F64 = F>, a: Self, b: Self) -> Self {
        Self {
            re: lanes.mul_sub_from(a.im, b.im, lanes.mul_add(a.re, b.re, self.re)),
            im: lanes.mul_add(a.im, b.re, lanes.mul_add(a.re, b.im, self.im)),
        }
    }
}

/// `y[t] = sum_s x[s] e^(2 pi i s t / R)` for `R` of 1, 2, 4 or 8.
#[inline(always)]
pub(super) fn transform<const R: usize, const L: usize, V: Lanes<L>>(
    lanes: V,
    x: [Complex<V::F64>; R],
) -> [Complex<V::F64>; R] {
    let mut y = x;
    match R {
        1 => {}
        2 => (y[0], y[1]) = (x[0].add(lanes, x[1]), x[0].sub(lanes, x[1])),
        4 => [y[0], y[1], y[2], y[3]] = transform_4(lanes, [x[0], x[1], x[2], x[3]]),
        8 => {
            let even = transform_4(lanes, [x[0], x[2], x[4], x[6]]);
            let odd = transform_4(lanes, [x[1], x[3], x[5], x[7]]);
            let half = lanes.splat(FRAC_1_SQRT_2);
            y[0] = even[0].add(lanes, odd[0]);
            y[4] = even[0].sub(lanes, odd[0]);
            y[2] = even[2].add_turned(lanes, odd[2]);
            y[6] = even[2].sub_turned(lanes, odd[2]);
            // An eighth of a turn: (1 + i) / sqrt(2); three eighths: (-1 + i) / sqrt(2).
            let (difference, sum) = (lanes.sub(odd[1].re, odd[1].im), lanes.add(odd[1].re, odd[1].im));
            y[1].re = lanes.mul_add(half, difference, even[1].re);
            y[1].im = lanes.mul_add(half, sum, even[1].im);
            y[5].re = lanes.mul_sub_from(half, difference, even[1].re);
            y[5].im = lanes.mul_sub_from(half, sum, even[1].im);
            let (difference, sum) = (lanes.sub(odd[3].re, odd[3].im), lanes.add(odd[3].re, odd[3].im));
            y[3].re = lanes.mul_sub_from(half, sum, even[3].re);
            y[3].im = lanes.mul_add(half, difference, even[3].im);
            y[7].re = lanes.mul_add(half, sum, even[3].re);
            y[7].im = lanes.mul_sub_from(half, difference, even[3].im);
        }
        _ => unreachable!("a transform of 1, 2, 4 or 8"),
    }
    y
}

#[inline(always)]
fn transform_4<const L: usize, V: Lanes<L>>(lanes: V, x: [Complex<V::F64>; 4]) -> [Complex<V::F64>; 4] {
    let (sum, difference) = (x[0].add(lanes, x[2]), x[0].sub(lanes, x[2]));
    let (other_sum, other_difference) = (x[1].add(lanes, x[3]), x[1].sub(lanes, x[3]));
    [
        sum.add(lanes, other_sum),
        difference.add_turned(lanes, other_difference),
        sum.sub(lanes, other_sum),
        difference.sub_turned(lanes, other_difference),
    ]
}

/// `R` times the inverse of [`transform`].
#[inline(always)]
pub(super) fn inverse<const R: usize, const L: usize, V: Lanes<L>>(
    lanes: V,
    y: [Complex<V::F64>; R],
) -> [Complex<V::F64>; R] {
    // Exchanging real and imaginary parts before and after turns the other way round, and costs nothing.
    let mut x = y;
    for x in &mut x {
        *x = x.exchanged();
    }
    x = transform(lanes, x);
    for x in &mut x {
        *x = x.exchanged();
    }
    x
}
