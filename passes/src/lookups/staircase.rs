//! A table as what it is between its jumps.

use super::Unfit;
use cml_runtime::reference::message::Table;

/// No argument is further from 0, so that sums of a few do not overflow. The verifier of `fhe` allows 2^41.
pub(super) const LARGEST: i64 = 1 << 58;

/// A function on `lo..=hi`, constant between its thresholds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Staircase {
    pub(super) lo: i64,
    pub(super) hi: i64,
    /// Each is the first argument of a zone; increasing, above `lo`.
    pub(super) thresholds: Vec<i64>,
    /// One for each zone.
    pub(super) values: Vec<i64>,
}

impl Staircase {
    pub(super) fn of(table: &Table) -> Result<Self, Unfit> {
        let first = *table.values.first().ok_or(Unfit::Empty)?;
        let last = i64::try_from(table.values.len() - 1).ok().and_then(|last| table.lo.checked_add(last));
        let hi =
            last.filter(|hi| table.lo >= -LARGEST && *hi <= LARGEST).ok_or(Unfit::Overflow { stage: 0 })?;
        let jumps = table.values.windows(2).enumerate().filter(|(_, pair)| pair[0] != pair[1]);
        let (thresholds, mut values): (Vec<i64>, Vec<i64>) =
            jumps.map(|(at, pair)| (table.lo + at as i64 + 1, pair[1])).unzip();
        values.insert(0, first);
        Ok(Self { lo: table.lo, hi, thresholds, values })
    }

    /// Value at the first argument plus that at the last: half a turn further, either end reads as the other.
    pub(super) fn center(&self) -> i64 {
        self.values[0].wrapping_add(self.values[self.values.len() - 1])
    }

    /// First and last threshold; somewhere inside where there is none.
    pub(super) fn transition(&self) -> (i64, i64) {
        let middle = self.lo + (self.hi - self.lo + 1) / 2;
        let ends = (self.thresholds.first(), self.thresholds.last());
        (ends.0.copied().unwrap_or(middle), ends.1.copied().unwrap_or(middle))
    }

    /// Entries of the table: `hi - lo + 1`.
    pub(super) fn entries(&self) -> u64 {
        (self.hi - self.lo) as u64 + 1
    }

    /// Entry by entry.
    pub(super) fn table(&self) -> Table {
        let mut values = Vec::with_capacity(self.entries() as usize);
        let ends = self.thresholds.iter().copied().chain([self.hi + 1]);
        for (value, end) in self.values.iter().zip(ends) {
            values.resize((end - self.lo) as usize, *value);
        }
        Table { lo: self.lo, values }
    }
}
