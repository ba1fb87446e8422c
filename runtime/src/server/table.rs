//! The test polynomial: a table as a blind rotation reads it.

use crate::client::encoding::encode;
use crate::reference::message::Table;

/// A table, spread over the positions of half the torus.
///
/// With M coefficients, coefficient `i` stands at `i / 2M` of the torus, and holds the entry of the slot whose centre is
/// nearest. The positions below half of slot 0 wrap around to the end of the polynomial, where reading changes the sign.
/// What lies between the last slot and these belongs to the nearer of both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestPolynomial {
    coefficients: Vec<u64>,
}

impl TestPolynomial {
    /// Spreads a table with `input_spacing` between its slots over `2^log2_positions` positions of the whole torus; the
    /// entries get `output_spacing`. The table must fit half the torus.
    #[must_use]
    pub fn new(table: &Table, input_spacing: u64, output_spacing: u64, log2_positions: u32) -> Self {
        let spacing = input_spacing.max(1);
        let last = table.values.len().saturating_sub(1) as u64;
        let entry =
            |slot: u64| table.values.get(slot as usize).map_or(0, |value| encode(*value, output_spacing));
        let coefficient = |index: u64| {
            let position = index << (64 - log2_positions);
            let slot = ((u128::from(position) + u128::from(spacing / 2)) / u128::from(spacing)) as u64;
            if slot <= last {
                return entry(slot);
            }
            let beyond_last = position.saturating_sub(last.saturating_mul(spacing));
            let before_first = (1 << 63) - position;
            if before_first < beyond_last { entry(0).wrapping_neg() } else { entry(last) }
        };
        Self { coefficients: (0..1 << (log2_positions - 1)).map(coefficient).collect() }
    }

    /// The coefficients, constant first.
    #[must_use]
    pub fn coefficients(&self) -> &[u64] {
        &self.coefficients
    }

    /// What a rotation by `position` (of the whole torus, any multiple of a turn more) reads.
    #[must_use]
    pub fn at(&self, position: usize) -> u64 {
        let half = self.coefficients.len();
        let value = self.coefficients[position % half];
        if (position / half).is_multiple_of(2) { value } else { value.wrapping_neg() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Spacing;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_position_reads_the_nearest_slot(slots in 2u64..40, shorter in 0u64..3, log2_positions in 8u32..12, seed: i64) {
            let spacing = Spacing::of_slots(slots).0;
            let length = (slots - shorter).max(1);
            let values: Vec<i64> = (0..length as i64).map(|x| seed.wrapping_mul(x * x + 1) >> 50).collect();
            let table = Table { lo: -3, values: values.clone() };
            let polynomial = TestPolynomial::new(&table, spacing, 1 << 40, log2_positions);
            let position_size = 1u64 << (64 - log2_positions);
            for (slot, value) in values.iter().enumerate() {
                // All phases nearer to this slot than half a slot less half a position.
                let centre = (slot as u64).wrapping_mul(spacing);
                let room = spacing / 2 - position_size / 2 - 1;
                for phase in [centre.wrapping_sub(room), centre, centre.wrapping_add(room)] {
                    let position = (phase.wrapping_add(position_size / 2) >> (64 - log2_positions)) as usize;
                    prop_assert_eq!(polynomial.at(position), encode(*value, 1 << 40), "slot {} of {}", slot, length);
                }
            }
        }
    }

    #[test]
    fn reading_half_a_turn_further_changes_the_sign() {
        let table = Table { lo: 0, values: vec![1, 2, 3] };
        let polynomial = TestPolynomial::new(&table, Spacing::of_slots(4).0, 1, 5);
        let minus_one = u64::MAX;
        let expected = [1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, minus_one, minus_one, minus_one];
        assert_eq!(polynomial.coefficients(), expected);
        assert_eq!(polynomial.at(5 + 16), 2u64.wrapping_neg());
        assert_eq!(polynomial.at(5 + 32), 2);
    }
}
