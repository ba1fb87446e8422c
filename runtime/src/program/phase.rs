//! Which bootstraps read one and the same phase.

use super::message::Bootstrap;

/// Names the modulus-switched ciphertexts that a bootstrap reads. Keyswitch and modulus switch are deterministic: where the
/// value, the key, the positions and the first entry of each element's table are the same, so is the phase with its noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PhaseId([u8; blake3::OUT_LEN]);

impl Bootstrap {
    /// The phase that it reads; the bootstrap must have passed its check.
    pub fn phase(&self) -> PhaseId {
        let mut hasher = blake3::Hasher::new();
        for number in [self.input, self.key, self.extension] {
            hasher.update(&number.to_le_bytes());
        }
        for table in &self.table_of {
            hasher.update(&self.tables[*table as usize].lo.to_le_bytes());
        }
        PhaseId(*hasher.finalize().as_bytes())
    }

    /// What a phase half a turn beyond an entry of this table adds up to with it.
    pub(crate) fn center(&self, table: u32) -> i64 {
        self.centers.get(table as usize).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::message::Table;

    #[test]
    fn other_entries_read_the_same_phase_and_other_offsets_do_not() {
        let table = |lo, values: &[i64]| Table { lo, values: values.to_vec() };
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
        assert_eq!(first.phase(), same.phase());
        for other in [
            Bootstrap { input: 1, ..first.clone() },
            Bootstrap { key: 1, ..first.clone() },
            Bootstrap { extension: 1, ..first.clone() },
            Bootstrap { table_of: vec![0, 1, 1], ..first.clone() },
        ] {
            assert_ne!(first.phase(), other.phase());
        }
    }
}
