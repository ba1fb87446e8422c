//! Vectors of x86-64: AVX2 with fused multiplication, and AVX-512.

use super::lanes::Lanes;
use pulp::x86::{V3, V4};
use std::arch::x86_64::{__m128i, __m256d, __m256i, __m512d, __m512i};

impl Lanes<4> for V3 {
    type F64 = __m256d;
    type U64 = __m256i;

    #[inline(always)]
    fn run<T>(self, work: impl FnOnce() -> T) -> T {
        self.vectorize(work)
    }

    #[inline(always)]
    fn splat(self, value: f64) -> __m256d {
        self.avx._mm256_set1_pd(value)
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f64) -> __m256d {
        // SAFETY: the caller's promise.
        unsafe { from.cast::<__m256d>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f64, value: __m256d) {
        // SAFETY: the caller's promise.
        unsafe { to.cast::<__m256d>().write_unaligned(value) }
    }
    #[inline(always)]
    fn add(self, a: __m256d, b: __m256d) -> __m256d {
        self.avx._mm256_add_pd(a, b)
    }
    #[inline(always)]
    fn sub(self, a: __m256d, b: __m256d) -> __m256d {
        self.avx._mm256_sub_pd(a, b)
    }
    #[inline(always)]
    fn mul(self, a: __m256d, b: __m256d) -> __m256d {
        self.avx._mm256_mul_pd(a, b)
    }
    #[inline(always)]
    fn mul_add(self, a: __m256d, b: __m256d, c: __m256d) -> __m256d {
        self.fma._mm256_fmadd_pd(a, b, c)
    }
    #[inline(always)]
    fn mul_sub_from(self, a: __m256d, b: __m256d, c: __m256d) -> __m256d {
        self.fma._mm256_fnmadd_pd(a, b, c)
    }
    #[inline(always)]
    fn floor(self, a: __m256d) -> __m256d {
        self.avx._mm256_floor_pd(a)
    }

    #[inline(always)]
    fn splat_u64(self, value: u64) -> __m256i {
        self.avx._mm256_set1_epi64x(value as i64)
    }
    #[inline(always)]
    unsafe fn load_u64(self, from: *const u64) -> __m256i {
        // SAFETY: the caller's promise.
        unsafe { from.cast::<__m256i>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store_u64(self, to: *mut u64, value: __m256i) {
        // SAFETY: the caller's promise.
        unsafe { to.cast::<__m256i>().write_unaligned(value) }
    }
    #[inline(always)]
    fn add_u64(self, a: __m256i, b: __m256i) -> __m256i {
        self.avx2._mm256_add_epi64(a, b)
    }
    #[inline(always)]
    fn sub_u64(self, a: __m256i, b: __m256i) -> __m256i {
        self.avx2._mm256_sub_epi64(a, b)
    }
    #[inline(always)]
    fn and(self, a: __m256i, b: __m256i) -> __m256i {
        self.avx2._mm256_and_si256(a, b)
    }
    #[inline(always)]
    fn or(self, a: __m256i, b: __m256i) -> __m256i {
        self.avx2._mm256_or_si256(a, b)
    }
    #[inline(always)]
    fn xor(self, a: __m256i, b: __m256i) -> __m256i {
        self.avx2._mm256_xor_si256(a, b)
    }
    #[inline(always)]
    fn shift_left<const BY: u32>(self, a: __m256i) -> __m256i {
        self.avx2._mm256_sll_epi64(a, count(BY))
    }
    #[inline(always)]
    fn shift_right(self, a: __m256i, by: u32) -> __m256i {
        self.avx2._mm256_srl_epi64(a, count(by))
    }

    #[inline(always)]
    fn bits(self, a: __m256d) -> __m256i {
        pulp::cast(a)
    }
    #[inline(always)]
    fn doubles(self, a: __m256i) -> __m256d {
        pulp::cast(a)
    }
    #[inline(always)]
    fn transpose(self, [a, b, c, d]: [__m256d; 4]) -> [__m256d; 4] {
        let avx = self.avx;
        let (ab0, ab1) = (avx._mm256_unpacklo_pd(a, b), avx._mm256_unpackhi_pd(a, b));
        let (cd0, cd1) = (avx._mm256_unpacklo_pd(c, d), avx._mm256_unpackhi_pd(c, d));
        [
            avx._mm256_permute2f128_pd::<0x20>(ab0, cd0),
            avx._mm256_permute2f128_pd::<0x20>(ab1, cd1),
            avx._mm256_permute2f128_pd::<0x31>(ab0, cd0),
            avx._mm256_permute2f128_pd::<0x31>(ab1, cd1),
        ]
    }
}

/// A number of bits to shift by.
#[inline(always)]
fn count(bits: u32) -> __m128i {
    pulp::cast([u64::from(bits), 0])
}

impl Lanes<8> for V4 {
    type F64 = __m512d;
    type U64 = __m512i;

    #[inline(always)]
    fn run<T>(self, work: impl FnOnce() -> T) -> T {
        self.vectorize(work)
    }

    #[inline(always)]
    fn splat(self, value: f64) -> __m512d {
        self.avx512f._mm512_set1_pd(value)
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f64) -> __m512d {
        // SAFETY: the caller's promise.
        unsafe { from.cast::<__m512d>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f64, value: __m512d) {
        // SAFETY: the caller's promise.
        unsafe { to.cast::<__m512d>().write_unaligned(value) }
    }
    #[inline(always)]
    fn add(self, a: __m512d, b: __m512d) -> __m512d {
        self.avx512f._mm512_add_pd(a, b)
    }
    #[inline(always)]
    fn sub(self, a: __m512d, b: __m512d) -> __m512d {
        self.avx512f._mm512_sub_pd(a, b)
    }
    #[inline(always)]
    fn mul(self, a: __m512d, b: __m512d) -> __m512d {
        self.avx512f._mm512_mul_pd(a, b)
    }
    #[inline(always)]
    fn mul_add(self, a: __m512d, b: __m512d, c: __m512d) -> __m512d {
        self.avx512f._mm512_fmadd_pd(a, b, c)
    }
    #[inline(always)]
    fn mul_sub_from(self, a: __m512d, b: __m512d, c: __m512d) -> __m512d {
        self.avx512f._mm512_fnmadd_pd(a, b, c)
    }
    #[inline(always)]
    fn floor(self, a: __m512d) -> __m512d {
        /// Rounds down to a whole number, without exceptions.
        const DOWN: i32 = 0x09;
        self.avx512f._mm512_roundscale_pd::<DOWN>(a)
    }

    #[inline(always)]
    fn splat_u64(self, value: u64) -> __m512i {
        self.avx512f._mm512_set1_epi64(value as i64)
    }
    #[inline(always)]
    unsafe fn load_u64(self, from: *const u64) -> __m512i {
        // SAFETY: the caller's promise.
        unsafe { from.cast::<__m512i>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store_u64(self, to: *mut u64, value: __m512i) {
        // SAFETY: the caller's promise.
        unsafe { to.cast::<__m512i>().write_unaligned(value) }
    }
    #[inline(always)]
    fn add_u64(self, a: __m512i, b: __m512i) -> __m512i {
        self.avx512f._mm512_add_epi64(a, b)
    }
    #[inline(always)]
    fn sub_u64(self, a: __m512i, b: __m512i) -> __m512i {
        self.avx512f._mm512_sub_epi64(a, b)
    }
    #[inline(always)]
    fn and(self, a: __m512i, b: __m512i) -> __m512i {
        self.avx512f._mm512_and_epi64(a, b)
    }
    #[inline(always)]
    fn or(self, a: __m512i, b: __m512i) -> __m512i {
        self.avx512f._mm512_or_epi64(a, b)
    }
    #[inline(always)]
    fn xor(self, a: __m512i, b: __m512i) -> __m512i {
        self.avx512f._mm512_xor_epi64(a, b)
    }
    #[inline(always)]
    fn shift_left<const BY: u32>(self, a: __m512i) -> __m512i {
        self.avx512f._mm512_slli_epi64::<BY>(a)
    }
    #[inline(always)]
    fn shift_right(self, a: __m512i, by: u32) -> __m512i {
        self.avx512f._mm512_srl_epi64(a, count(by))
    }

    #[inline(always)]
    fn bits(self, a: __m512d) -> __m512i {
        pulp::cast(a)
    }
    #[inline(always)]
    fn doubles(self, a: __m512i) -> __m512d {
        pulp::cast(a)
    }
    #[inline(always)]
    fn transpose(self, r: [__m512d; 8]) -> [__m512d; 8] {
        let avx = self.avx512f;
        // Neighbours change places, then pairs, then halves.
        let low = [
            avx._mm512_unpacklo_pd(r[0], r[1]),
            avx._mm512_unpacklo_pd(r[2], r[3]),
            avx._mm512_unpacklo_pd(r[4], r[5]),
            avx._mm512_unpacklo_pd(r[6], r[7]),
        ];
        let high = [
            avx._mm512_unpackhi_pd(r[0], r[1]),
            avx._mm512_unpackhi_pd(r[2], r[3]),
            avx._mm512_unpackhi_pd(r[4], r[5]),
            avx._mm512_unpackhi_pd(r[6], r[7]),
        ];
        let [y0, y2, y4, y6] = transpose_quarters(self, low);
        let [y1, y3, y5, y7] = transpose_quarters(self, high);
        [y0, y1, y2, y3, y4, y5, y6, y7]
    }
}

/// Quarter `i` of vector `j` and quarter `j` of vector `i` change places.
#[inline(always)]
fn transpose_quarters(lanes: V4, [a, b, c, d]: [__m512d; 4]) -> [__m512d; 4] {
    /// Quarters 0 and 2 of each operand; quarters 1 and 3.
    const EVEN: i32 = 0x88;
    const ODD: i32 = 0xdd;
    let avx = lanes.avx512f;
    let (ab_even, ab_odd) = (avx._mm512_shuffle_f64x2::<EVEN>(a, b), avx._mm512_shuffle_f64x2::<ODD>(a, b));
    let (cd_even, cd_odd) = (avx._mm512_shuffle_f64x2::<EVEN>(c, d), avx._mm512_shuffle_f64x2::<ODD>(c, d));
    [
        avx._mm512_shuffle_f64x2::<EVEN>(ab_even, cd_even),
        avx._mm512_shuffle_f64x2::<EVEN>(ab_odd, cd_odd),
        avx._mm512_shuffle_f64x2::<ODD>(ab_even, cd_even),
        avx._mm512_shuffle_f64x2::<ODD>(ab_odd, cd_odd),
    ]
}
