//! Units as types: what a bare number would leave open.

/// Bits of a range: `ceil(log2(hi - lo + 1))`, the padding bit excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Width(pub u32);

impl Width {
    /// The width of `lo..=hi`; 0 for a constant.
    #[must_use]
    pub fn of_range(lo: i64, hi: i64) -> Self {
        let count = (i128::from(hi) - i128::from(lo) + 1).max(1) as u128;
        Self(count.next_power_of_two().trailing_zeros())
    }
}

impl std::fmt::Display for Width {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bits", self.0)
    }
}

/// Number of mask elements of an LWE ciphertext.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LweDimension(pub usize);

/// Shape of a GLWE ciphertext: `dimension` mask polynomials of `polynomial_size` coefficients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GlweShape {
    /// Number of mask polynomials, often called k.
    pub dimension: usize,
    /// Coefficients of a polynomial, often called N; a power of two.
    pub polynomial_size: usize,
}

impl GlweShape {
    /// Dimension of the LWE ciphertexts that sample extraction gives, `k * N`.
    #[must_use]
    pub fn lwe_dimension(self) -> LweDimension {
        LweDimension(self.dimension * self.polynomial_size)
    }
}

/// Accumulators of a rotation with this extension, the log2 of the number of accumulators for each table.
#[must_use]
pub fn accumulators(extension: i32) -> usize {
    1 << extension.max(0)
}

/// Most tables that a rotation with this extension reads.
#[must_use]
pub fn tables_of_rotation(extension: i32) -> usize {
    1 << extension.min(0).unsigned_abs()
}

/// Gadget decomposition: `level` digits of `base_log` bits, from the most significant one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Decomposition {
    /// log2 of the base.
    pub base_log: u32,
    /// Number of digits.
    pub level: u32,
}

/// Noise variance on the torus [0, 1).
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Variance(pub f64);

impl Variance {
    /// log2 of the standard deviation.
    #[must_use]
    pub fn log2_std_dev(self) -> f64 {
        0.5 * self.0.log2()
    }

    /// The standard deviation, in torus units.
    #[must_use]
    pub fn std_dev(self) -> f64 {
        self.0.sqrt()
    }
}

impl std::ops::Add for Variance {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl std::ops::Mul<f64> for Variance {
    type Output = Self;

    fn mul(self, factor: f64) -> Self {
        Self(self.0 * factor)
    }
}

/// Torus distance of two neighbouring integers, in units of 2^-64. An integer `m` is encoded as `m * spacing` mod 2^64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spacing(pub u64);

impl Spacing {
    /// Fits `slots` integers into half the torus, the other half being the padding.
    #[must_use]
    pub fn of_slots(slots: u64) -> Self {
        Self((1 << 63) / slots.max(1))
    }

    /// How many integers fit into half the torus.
    #[must_use]
    pub fn slots(self) -> u64 {
        (1 << 63) / self.0.max(1)
    }

    /// As a part of the torus.
    #[must_use]
    pub fn torus(self) -> f64 {
        self.0 as f64 * (-64f64).exp2()
    }
}

/// log2 of a probability: `Log2Probability(-40.0)` is 2^-40.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Log2Probability(pub f64);

impl Log2Probability {
    /// The sum of probabilities, an upper bound for that of their union. Minus infinity for none.
    #[must_use]
    pub fn sum(terms: impl IntoIterator<Item = Self>) -> Self {
        let terms: Vec<f64> = terms.into_iter().map(|term| term.0).collect();
        let largest = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if largest == f64::NEG_INFINITY {
            return Self(largest);
        }
        Self(largest + terms.iter().map(|term| (term - largest).exp2()).sum::<f64>().log2())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn width_counts_values() {
        assert_eq!(Width::of_range(5, 5), Width(0));
        assert_eq!(Width::of_range(0, 3), Width(2));
        assert_eq!(Width::of_range(-1, 3), Width(3));
        assert_eq!(Width::of_range(i64::MIN, i64::MAX), Width(64));
    }

    #[test]
    fn probabilities_add() {
        let sum = Log2Probability::sum([Log2Probability(-41.0), Log2Probability(-41.0)]);
        assert!((sum.0 + 40.0).abs() < 1e-12);
        assert_eq!(Log2Probability::sum([]).0, f64::NEG_INFINITY);
    }
}
