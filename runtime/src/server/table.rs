//! The test polynomial: a table as a blind rotation reads it.

use crate::client::encoding::encode;
use crate::reference::message::Table;

/// A table, spread over the positions of half the torus.
///
/// With M coefficients, coefficient `i` stands at `i / 2M` of the torus. A rotation reads it there with its own sign, and
/// half a turn further with the other sign. It holds the entry of the slot whose centre is nearest to either of the two
/// readings, less half the table's center, so that the reading half a turn away gives the center less that entry: a table
/// may fill the whole torus where its entries half a turn apart add up to the center. What no entry is near belongs to the
/// nearer end of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestPolynomial {
    coefficients: Vec<u64>,
    half_center: u64,
}

/// Entries of a table at their phases.
struct Entries<'a> {
    table: &'a Table,
    input_spacing: u64,
    output_spacing: u64,
}

impl Entries<'_> {
    /// The entry nearest to a phase, and how far away it is.
    fn nearest(&self, phase: u64) -> (u64, u64) {
        let last = self.table.values.len().saturating_sub(1) as u64;
        let (below, above) = (phase / self.input_spacing, phase % self.input_spacing);
        // A phase in the middle between two entries belongs to the upper one.
        let slot = (below + u64::from(above >= self.input_spacing - self.input_spacing / 2)).min(last);
        // Entries lie on less than a turn.
        let to_slot = phase.abs_diff(slot.wrapping_mul(self.input_spacing));
        // Beyond the last entry the first one may be nearer, a turn further.
        let to_first = phase.wrapping_neg();
        let (distance, slot) = if phase != 0 && to_first < to_slot { (to_first, 0) } else { (to_slot, slot) };
        let value =
            self.table.values.get(slot as usize).map_or(0, |value| encode(*value, self.output_spacing));
        (distance, value)
    }
}

impl TestPolynomial {
    /// Spreads a table with the first of the spacings between its slots over `2^log2_positions` positions of the whole
    /// torus; the entries get the second spacing. The table must have passed the check of its bootstrap.
    #[must_use]
    pub fn new(
        table: &Table,
        center: i64,
        [input_spacing, output_spacing]: [u64; 2],
        log2_positions: u32,
    ) -> Self {
        let entries = Entries { table, input_spacing: input_spacing.max(1), output_spacing };
        let half_center = ((i128::from(center) * i128::from(output_spacing)) >> 1) as u64;
        let coefficient = |index: u64| {
            let phase = index << (64 - log2_positions);
            let (near, entry) = entries.nearest(phase);
            let (far, opposite) = entries.nearest(phase.wrapping_add(1 << 63));
            if far < near { half_center.wrapping_sub(opposite) } else { entry.wrapping_sub(half_center) }
        };
        Self { coefficients: (0..1 << (log2_positions - 1)).map(coefficient).collect(), half_center }
    }

    /// What comparisons are read from: half a spacing less than nothing, whose sign a rotation changes where it is beyond the
    /// end of the half torus; and half a spacing added.
    #[must_use]
    pub fn comparison(output_spacing: u64, log2_positions: u32) -> Self {
        let half_center = output_spacing / 2;
        Self { coefficients: vec![half_center.wrapping_neg(); 1 << (log2_positions - 1)], half_center }
    }

    /// Two polynomials of half the size in turn: a rotation by twice a position reads the first at that position, and in the
    /// coefficient after it the second. What is added to a reading is as before for each.
    ///
    /// # Source
    /// Chillotti, Ligier, Orfila and Tap, "Improved Programmable Bootstrapping with Larger Precision and Efficient Arithmetic
    /// Circuits for TFHE", ASIACRYPT 2021: several tables in one test polynomial.
    #[must_use]
    pub fn interleaved(one: &Self, other: &Self) -> Self {
        let pairs = one.coefficients.iter().zip(&other.coefficients);
        Self { coefficients: pairs.flat_map(|(one, other)| [*one, *other]).collect(), half_center: 0 }
    }

    /// The coefficients, constant first.
    #[must_use]
    pub fn coefficients(&self) -> &[u64] {
        &self.coefficients
    }

    /// What is added to whatever a rotation reads.
    #[must_use]
    pub fn half_center(&self) -> u64 {
        self.half_center
    }

    /// What a rotation by `position` (of the whole torus, any multiple of a turn more) reads.
    #[must_use]
    pub fn at(&self, position: usize) -> u64 {
        let half = self.coefficients.len();
        let value = self.coefficients[position % half];
        if (position / half).is_multiple_of(2) { value } else { value.wrapping_neg() }
    }

    /// The result of a bootstrap at this position, without its noise.
    #[must_use]
    pub fn read(&self, position: usize) -> u64 {
        self.at(position).wrapping_add(self.half_center)
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
            let polynomial = TestPolynomial::new(&table, 0, [spacing, 1 << 40], log2_positions);
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

    /// Reads every phase that the ledger counts as right for each entry.
    fn assert_entries(table: &Table, center: i64, spacing: u64, log2_positions: u32) {
        let polynomial = TestPolynomial::new(table, center, [spacing, 1 << 40], log2_positions);
        let position_size = 1u64 << (64 - log2_positions);
        // Less what the check of tables lets pass where the torus is no whole number of slots.
        let room = spacing / 2 - position_size / 2 - (spacing >> 32) - 1;
        for (slot, value) in table.values.iter().enumerate() {
            let centre = (slot as u64).wrapping_mul(spacing);
            for phase in [centre.wrapping_sub(room), centre, centre.wrapping_add(room)] {
                let position = (phase.wrapping_add(position_size / 2) >> (64 - log2_positions)) as usize;
                let read = polynomial.read(position).wrapping_sub(encode(*value, 1 << 40)) as i64;
                assert!(read.abs() <= 1, "slot {slot} of {} reads {read}", table.values.len());
            }
        }
    }

    proptest! {
        #[test]
        fn tables_may_fill_the_torus(slots in 2u64..40, less in 0usize..20, lo in -30i64..30, center in -9i64..10, log2_positions in 8u32..12, seed: i64) {
            let spacing = Spacing::of_slots(slots).0;
            let entry = |slot: i64| seed.wrapping_mul(slot * slot + 1) >> 50;
            let half = slots as i64;
            let values = (0..2 * half).map(|slot| if slot < half { entry(slot) } else { center - entry(slot - half) });
            let whole: Vec<i64> = values.collect();
            let length = whole.len() - less.min(whole.len() - 1);
            assert_entries(&Table { lo, values: whole[..length].to_vec() }, center, spacing, log2_positions);
        }
    }

    /// Whatever is read half a turn away: a misreading beyond the end of a table that fills half the torus.
    #[test]
    fn a_phase_half_a_turn_away_reads_the_center_less_the_entry() {
        let table = Table { lo: 0, values: vec![5, 1, 2, 9] };
        let polynomial = TestPolynomial::new(&table, 7, [1 << 61, 1 << 40], 8);
        let read = |slot: usize| polynomial.read(slot * 32) >> 40;
        let expected = [5, 1, 2, 9, 2, 6, 5, 7u64.wrapping_sub(9) & 0xff_ffff];
        assert_eq!(std::array::from_fn(read), expected);
    }

    #[test]
    fn reading_half_a_turn_further_changes_the_sign() {
        let table = Table { lo: 0, values: vec![1, 2, 3] };
        let polynomial = TestPolynomial::new(&table, 0, [Spacing::of_slots(4).0, 1], 5);
        let minus_one = u64::MAX;
        let expected = [1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, minus_one, minus_one, minus_one];
        assert_eq!(polynomial.coefficients(), expected);
        assert_eq!(polynomial.at(5 + 16), 2u64.wrapping_neg());
        assert_eq!(polynomial.at(5 + 32), 2);
    }
}
