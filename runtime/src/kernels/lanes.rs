//! Vectors of doubles and of words, behind one trait: what the transform and the external product are written in.

/// `L` lanes, and the instructions on them. A value of the type is a proof that the machine has these.
pub(super) trait Lanes<const L: usize>: Copy + Send + Sync {
    /// `L` doubles.
    type F64: Copy;
    /// `L` words; arithmetic is modulo 2^64.
    type U64: Copy;

    /// Compiles `work`, and all that is inlined into it, for these instructions.
    fn run<T>(self, work: impl FnOnce() -> T) -> T;

    fn splat(self, value: f64) -> Self::F64;
    /// # Safety
    /// `L` doubles can be read there.
    unsafe fn load(self, from: *const f64) -> Self::F64;
    /// # Safety
    /// `L` doubles can be written there.
    unsafe fn store(self, to: *mut f64, value: Self::F64);
    fn add(self, a: Self::F64, b: Self::F64) -> Self::F64;
    fn sub(self, a: Self::F64, b: Self::F64) -> Self::F64;
    fn mul(self, a: Self::F64, b: Self::F64) -> Self::F64;
    /// `a * b + c`, rounded once.
    fn mul_add(self, a: Self::F64, b: Self::F64, c: Self::F64) -> Self::F64;
    /// `c - a * b`, rounded once.
    fn mul_sub_from(self, a: Self::F64, b: Self::F64, c: Self::F64) -> Self::F64;
    fn floor(self, a: Self::F64) -> Self::F64;

    fn splat_u64(self, value: u64) -> Self::U64;
    /// # Safety
    /// `L` words can be read there.
    unsafe fn load_u64(self, from: *const u64) -> Self::U64;
    /// # Safety
    /// `L` words can be written there.
    unsafe fn store_u64(self, to: *mut u64, value: Self::U64);
    fn add_u64(self, a: Self::U64, b: Self::U64) -> Self::U64;
    fn sub_u64(self, a: Self::U64, b: Self::U64) -> Self::U64;
    fn and(self, a: Self::U64, b: Self::U64) -> Self::U64;
    fn or(self, a: Self::U64, b: Self::U64) -> Self::U64;
    fn xor(self, a: Self::U64, b: Self::U64) -> Self::U64;
    fn shift_left<const BY: u32>(self, a: Self::U64) -> Self::U64;
    fn shift_right(self, a: Self::U64, by: u32) -> Self::U64;

    /// The same bits as words.
    fn bits(self, a: Self::F64) -> Self::U64;
    /// The same bits as doubles.
    fn doubles(self, a: Self::U64) -> Self::F64;
    /// Lane `i` of vector `j` and lane `j` of vector `i` change places.
    fn transpose(self, rows: [Self::F64; L]) -> [Self::F64; L];
}

/// What any machine has: four lanes, that the compiler maps to what the build's target offers.
#[derive(Clone, Copy)]
pub(super) struct Portable;

/// Gives the same bits as [`pulp::x86::V3`] does: every operation is rounded as IEEE 754 says.
impl Lanes<4> for Portable {
    type F64 = [f64; 4];
    type U64 = [u64; 4];

    #[inline(always)]
    fn run<T>(self, work: impl FnOnce() -> T) -> T {
        work()
    }

    #[inline(always)]
    fn splat(self, value: f64) -> [f64; 4] {
        [value; 4]
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f64) -> [f64; 4] {
        // SAFETY: the caller's promise.
        unsafe { from.cast::<[f64; 4]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f64, value: [f64; 4]) {
        // SAFETY: the caller's promise.
        unsafe { to.cast::<[f64; 4]>().write_unaligned(value) }
    }
    #[inline(always)]
    fn add(self, a: [f64; 4], b: [f64; 4]) -> [f64; 4] {
        std::array::from_fn(|lane| a[lane] + b[lane])
    }
    #[inline(always)]
    fn sub(self, a: [f64; 4], b: [f64; 4]) -> [f64; 4] {
        std::array::from_fn(|lane| a[lane] - b[lane])
    }
    #[inline(always)]
    fn mul(self, a: [f64; 4], b: [f64; 4]) -> [f64; 4] {
        std::array::from_fn(|lane| a[lane] * b[lane])
    }
    #[inline(always)]
    fn mul_add(self, a: [f64; 4], b: [f64; 4], c: [f64; 4]) -> [f64; 4] {
        std::array::from_fn(|lane| a[lane].mul_add(b[lane], c[lane]))
    }
    #[inline(always)]
    fn mul_sub_from(self, a: [f64; 4], b: [f64; 4], c: [f64; 4]) -> [f64; 4] {
        std::array::from_fn(|lane| (-a[lane]).mul_add(b[lane], c[lane]))
    }
    #[inline(always)]
    fn floor(self, a: [f64; 4]) -> [f64; 4] {
        a.map(f64::floor)
    }

    #[inline(always)]
    fn splat_u64(self, value: u64) -> [u64; 4] {
        [value; 4]
    }
    #[inline(always)]
    unsafe fn load_u64(self, from: *const u64) -> [u64; 4] {
        // SAFETY: the caller's promise.
        unsafe { from.cast::<[u64; 4]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store_u64(self, to: *mut u64, value: [u64; 4]) {
        // SAFETY: the caller's promise.
        unsafe { to.cast::<[u64; 4]>().write_unaligned(value) }
    }
    #[inline(always)]
    fn add_u64(self, a: [u64; 4], b: [u64; 4]) -> [u64; 4] {
        std::array::from_fn(|lane| a[lane].wrapping_add(b[lane]))
    }
    #[inline(always)]
    fn sub_u64(self, a: [u64; 4], b: [u64; 4]) -> [u64; 4] {
        std::array::from_fn(|lane| a[lane].wrapping_sub(b[lane]))
    }
    #[inline(always)]
    fn and(self, a: [u64; 4], b: [u64; 4]) -> [u64; 4] {
        std::array::from_fn(|lane| a[lane] & b[lane])
    }
    #[inline(always)]
    fn or(self, a: [u64; 4], b: [u64; 4]) -> [u64; 4] {
        std::array::from_fn(|lane| a[lane] | b[lane])
    }
    #[inline(always)]
    fn xor(self, a: [u64; 4], b: [u64; 4]) -> [u64; 4] {
        std::array::from_fn(|lane| a[lane] ^ b[lane])
    }
    #[inline(always)]
    fn shift_left<const BY: u32>(self, a: [u64; 4]) -> [u64; 4] {
        a.map(|lane| lane << BY)
    }
    #[inline(always)]
    fn shift_right(self, a: [u64; 4], by: u32) -> [u64; 4] {
        a.map(|lane| lane >> by)
    }

    #[inline(always)]
    fn bits(self, a: [f64; 4]) -> [u64; 4] {
        a.map(f64::to_bits)
    }
    #[inline(always)]
    fn doubles(self, a: [u64; 4]) -> [f64; 4] {
        a.map(f64::from_bits)
    }
    #[inline(always)]
    fn transpose(self, rows: [[f64; 4]; 4]) -> [[f64; 4]; 4] {
        std::array::from_fn(|row| std::array::from_fn(|lane| rows[lane][row]))
    }
}
