//! Integers on the torus: `m` is `m * spacing` modulo 2^64.

use crate::program::message::EncryptedPort;

impl EncryptedPort {
    /// Elements of one sample.
    #[must_use]
    pub fn elements(&self) -> usize {
        self.lo.len()
    }
}

/// The phase of an integer.
pub(crate) fn encode(value: i64, spacing: u64) -> u64 {
    (value as u64).wrapping_mul(spacing)
}

/// The integer nearest to a phase. What the range `lo..=hi` leaves of the torus counts half to either end.
pub(crate) fn decode(phase: u64, spacing: u64, lo: i64, hi: i64) -> i64 {
    let (count, step) = (i128::from(hi) - i128::from(lo) + 1, i128::from(spacing.max(1)));
    let margin = ((1 << 64) - count * step).max(0) / 2;
    let from_margin =
        phase.wrapping_sub(encode(lo, spacing)).wrapping_add(spacing / 2).wrapping_add(margin as u64);
    let index = (i128::from(from_margin) - margin).div_euclid(step);
    lo.saturating_add(index as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn decoding_inverts_encoding(lo in -2000i64..2000, count in 2i64..300, extra in 0u64..5, at in 0i64..300, noise in -0.499f64..0.499) {
            let (hi, value) = (lo + count - 1, lo + at % count);
            let spacing = u64::MAX / (count as u64 + extra);
            let phase = encode(value, spacing).wrapping_add((noise * spacing as f64) as i64 as u64);
            prop_assert_eq!(decode(phase, spacing, lo, hi), value);
        }
    }
}
