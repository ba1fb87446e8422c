//! The steps that read phases, and which of them read one and the same.

use super::message::{Action, Bootstrap, Compare, Step};
use crate::units::tables_of_rotation;

/// Names the modulus-switched ciphertexts that a bootstrap reads. Keyswitch and modulus switch are deterministic: where the
/// value, the key, the positions and the integer at phase 0 of each element are the same, so is the phase with its noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PhaseId([u8; blake3::OUT_LEN]);

/// A step that bootstraps, in one of the two ways.
#[derive(Clone, Copy, Debug)]
pub enum Reading<'a> {
    /// One result for each element.
    Tables(&'a Bootstrap),
    /// One for each threshold of each element.
    Comparisons(&'a Compare),
}

impl Step {
    /// What it bootstraps, if it does.
    #[must_use]
    pub fn reading(&self) -> Option<Reading<'_>> {
        match &self.action {
            Some(Action::Bootstrap(bootstrap)) => Some(Reading::Tables(bootstrap)),
            Some(Action::Compare(compare)) => Some(Reading::Comparisons(compare)),
            Some(Action::Linear(_) | Action::Combine(_)) | None => None,
        }
    }
}

/// The step must have passed its check.
impl Reading<'_> {
    /// The value that is read.
    #[must_use]
    pub fn input(self) -> u32 {
        match self {
            Self::Tables(bootstrap) => bootstrap.input,
            Self::Comparisons(compare) => compare.input,
        }
    }

    /// Index of the key set.
    #[must_use]
    pub fn key(self) -> u32 {
        match self {
            Self::Tables(bootstrap) => bootstrap.key,
            Self::Comparisons(compare) => compare.key,
        }
    }

    /// log2 of the number of accumulators for each table.
    #[must_use]
    pub fn extension(self) -> i32 {
        match self {
            Self::Tables(bootstrap) => bootstrap.extension,
            Self::Comparisons(compare) => compare.extension,
        }
    }

    /// Whether its results are comparisons.
    #[must_use]
    pub fn compares(self) -> bool {
        matches!(self, Self::Comparisons(_))
    }

    /// Spacing of the results.
    #[must_use]
    pub fn spacing(self) -> u64 {
        match self {
            Self::Tables(bootstrap) => bootstrap.spacing,
            Self::Comparisons(compare) => compare.spacing,
        }
    }

    /// By how many slots a reading may be off without any effect.
    #[must_use]
    pub fn tolerance(self) -> u32 {
        match self {
            Self::Tables(bootstrap) => bootstrap.tolerance,
            Self::Comparisons(_) => 0,
        }
    }

    /// Number of the group of lookups.
    #[must_use]
    pub fn lookup(self) -> u32 {
        match self {
            Self::Tables(bootstrap) => bootstrap.lookup,
            Self::Comparisons(compare) => compare.lookup,
        }
    }

    /// How many rotations of an element serve so many steps that read this phase.
    #[must_use]
    pub fn rotations_of(self, steps: usize) -> usize {
        steps.div_ceil(tables_of_rotation(self.extension()))
    }

    /// How many elements are read.
    #[must_use]
    pub fn elements(self) -> usize {
        match self {
            Self::Tables(bootstrap) => bootstrap.table_of.len(),
            Self::Comparisons(compare) => compare.elements.len(),
        }
    }

    /// How many results there are.
    #[must_use]
    pub fn results(self) -> usize {
        match self {
            Self::Tables(bootstrap) => bootstrap.table_of.len(),
            Self::Comparisons(compare) => {
                compare.elements.iter().map(|element| element.thresholds.len()).sum()
            }
        }
    }

    /// Coefficients of the test polynomials, at most; `size` is that of an accumulator.
    #[must_use]
    pub fn coefficients(self, size: u32) -> u64 {
        let size = u64::from(size);
        match self {
            // Each element may have a pair of tables of its own, of which each step counts one half.
            Self::Tables(bootstrap) if self.extension() < 0 => {
                (bootstrap.tables.len() + bootstrap.table_of.len()) as u64 * size.div_ceil(2)
            }
            Self::Tables(bootstrap) => bootstrap.tables.len() as u64 * (size << bootstrap.extension),
            Self::Comparisons(compare) => size << compare.extension,
        }
    }

    /// Integers of the widest range that is read.
    #[must_use]
    pub fn entries(self) -> u64 {
        let widest = match self {
            Self::Tables(bootstrap) => bootstrap.tables.iter().map(|table| table.values.len() as u64).max(),
            Self::Comparisons(compare) => {
                compare.elements.iter().map(|element| element.hi.abs_diff(element.lo).saturating_add(1)).max()
            }
        };
        widest.unwrap_or(1)
    }

    /// Which of its tables an element reads; comparisons have one for all.
    #[must_use]
    pub fn table_of(self, element: usize) -> usize {
        match self {
            Self::Tables(bootstrap) => bootstrap.table_of[element] as usize,
            Self::Comparisons(_) => 0,
        }
    }

    /// The integer that is moved to phase 0.
    #[must_use]
    pub fn first(self, element: usize) -> i64 {
        match self {
            Self::Tables(bootstrap) => bootstrap.tables[self.table_of(element)].lo,
            Self::Comparisons(compare) => compare.elements[element].lo,
        }
    }

    /// The phase that it reads.
    #[must_use]
    pub fn phase(self) -> PhaseId {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.input().to_le_bytes()).update(&self.key().to_le_bytes());
        hasher.update(&self.extension().to_le_bytes());
        for element in 0..self.elements() {
            hasher.update(&self.first(element).to_le_bytes());
        }
        PhaseId(*hasher.finalize().as_bytes())
    }
}

impl Bootstrap {
    /// What a phase half a turn beyond an entry of this table adds up to with it.
    pub(crate) fn center(&self, table: u32) -> i64 {
        self.centers.get(table as usize).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::message::Comparisons;
    use crate::reference::message::Table;

    #[test]
    fn other_entries_read_the_same_phase_and_other_offsets_do_not() {
        let table = |lo, values: &[i64]| Table { lo, values: values.to_vec() };
        let phase = |bootstrap: &Bootstrap| Reading::Tables(bootstrap).phase();
        let first = Bootstrap {
            tables: vec![table(0, &[1, 2]), table(-1, &[5])],
            table_of: vec![0, 1, 0],
            ..Bootstrap::default()
        };
        let same = Bootstrap {
            tables: vec![table(-1, &[7]), table(0, &[9]), table(0, &[8])],
            table_of: vec![1, 0, 2],
            spacing: 5,
            lookup: 3,
            ..Bootstrap::default()
        };
        assert_eq!(phase(&first), phase(&same));
        let comparisons = |lo| Comparisons { lo, hi: 2, thresholds: vec![1, 2] };
        let compare = Compare { elements: [0, -1, 0].map(comparisons).to_vec(), ..Compare::default() };
        assert_eq!(Reading::Comparisons(&compare).phase(), phase(&first));
        for other in [
            Bootstrap { input: 1, ..first.clone() },
            Bootstrap { key: 1, ..first.clone() },
            Bootstrap { extension: 1, ..first.clone() },
            Bootstrap { table_of: vec![0, 1, 1], ..first.clone() },
        ] {
            assert_ne!(phase(&first), phase(&other));
        }
    }
}
