//! Tables of a lookup, and the one form of them in which lookups that read the same are equal.

use cml_dialects::fhe::Ranges;
use std::collections::BTreeMap;

/// Most entries that building one lookup's tables may compute.
const MAX_ENTRIES: usize = 1 << 24;

/// `y[i] = values[t][x[i] - firsts[t]]` with `t = of[i]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tables {
    pub(crate) firsts: Vec<i64>,
    pub(crate) values: Vec<Vec<i64>>,
    pub(crate) of: Vec<u32>,
}

impl Tables {
    /// Tables that give `function(element, value)` for every value in the range of every element, and nothing else.
    ///
    /// Elements share a table where their ranges overlap and they agree there; the tables follow each other as elements first
    /// read them. So the outcome depends on what is read alone, and not on how it was written before. `key` tells apart
    /// elements whose functions may differ. `None` if `function` has no value somewhere, or the tables are too long.
    pub(crate) fn build<K: Ord>(
        ranges: &Ranges,
        key: impl Fn(usize) -> K,
        function: impl Fn(usize, i64) -> Option<i64>,
    ) -> Option<Self> {
        let mut tables = Self::default();
        let mut known: BTreeMap<(K, i64, i64), u32> = BTreeMap::new();
        let mut entries = 0usize;
        for (element, (lo, hi)) in ranges.lows.iter().zip(&ranges.highs).enumerate() {
            let key = (key(element), *lo, *hi);
            let number = match known.get(&key) {
                Some(number) => *number,
                None => {
                    let count = usize::try_from(hi.checked_sub(*lo)?).ok()?.checked_add(1)?;
                    entries = entries.checked_add(count).filter(|entries| *entries <= MAX_ENTRIES)?;
                    let piece = (*lo..=*hi).map(|value| function(element, value)).collect::<Option<_>>()?;
                    let number = tables.place(*lo, piece);
                    known.insert(key, number);
                    number
                }
            };
            tables.of.push(number);
        }
        Some(tables)
    }

    /// The table that holds `piece` from `lo` on: one that agrees with it where they overlap, made longer, else a new one.
    fn place(&mut self, lo: i64, piece: Vec<i64>) -> u32 {
        let end = lo + piece.len() as i64;
        for (number, (first, values)) in self.firsts.iter_mut().zip(&mut self.values).enumerate() {
            let last = *first + values.len() as i64;
            let (from, to) = (lo.max(*first), end.min(last));
            if from >= to {
                continue;
            }
            let mine = &values[(from - *first) as usize..(to - *first) as usize];
            if mine != &piece[(from - lo) as usize..(to - lo) as usize] {
                continue;
            }
            if end > last {
                values.extend_from_slice(&piece[(to - lo) as usize..]);
            }
            if lo < *first {
                values.splice(0..0, piece[..(from - lo) as usize].iter().copied());
                *first = lo;
            }
            return number as u32;
        }
        self.firsts.push(lo);
        self.values.push(piece);
        self.firsts.len() as u32 - 1
    }

    /// The part of an element's table for a range; `None` if the table does not cover it.
    pub(crate) fn read(&self, element: usize, lo: i64, hi: i64) -> Option<&[i64]> {
        let (first, values) = self.table(element)?;
        let from = usize::try_from(lo.checked_sub(first)?).ok()?;
        let to = usize::try_from(hi.checked_sub(first)?).ok()?;
        values.get(from..=to)
    }

    /// The entry for a value, or the nearest one: interval arithmetic may meet values that proved ranges exclude, and what
    /// is read there does not matter.
    pub(crate) fn nearest(&self, element: usize, value: i64) -> Option<i64> {
        let (first, values) = self.table(element)?;
        let at = i128::from(value) - i128::from(first);
        let at = at.clamp(0, values.len() as i128 - 1);
        values.get(usize::try_from(at).ok()?).copied()
    }

    fn table(&self, element: usize) -> Option<(i64, &[i64])> {
        let number = *self.of.get(element)? as usize;
        Some((*self.firsts.get(number)?, self.values.get(number)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(pairs: &[(i64, i64)]) -> Ranges {
        Ranges {
            lows: pairs.iter().map(|pair| pair.0).collect(),
            highs: pairs.iter().map(|pair| pair.1).collect(),
        }
    }

    #[test]
    fn elements_that_agree_where_they_overlap_share_a_table() {
        let pairs = ranges(&[(2, 4), (0, 3), (4, 6), (10, 11), (3, 4)]);
        let tables = Tables::build(&pairs, |_| 0, |_, value| Some(value * value)).unwrap();
        assert_eq!(tables.firsts, [0, 10]);
        assert_eq!(tables.values, [vec![0, 1, 4, 9, 16, 25, 36], vec![100, 121]]);
        assert_eq!(tables.of, [0, 0, 0, 1, 0]);
    }

    #[test]
    fn elements_that_differ_where_they_overlap_do_not() {
        let pairs = ranges(&[(0, 2), (2, 3)]);
        let tables =
            Tables::build(&pairs, |element| element, |element, value| Some(value + element as i64)).unwrap();
        assert_eq!(tables.values, [vec![0, 1, 2], vec![3, 4]]);
        assert_eq!(tables.read(1, 2, 3), Some(&[3, 4][..]));
        assert_eq!(tables.read(1, 1, 3), None);
        assert_eq!((tables.nearest(1, -9), tables.nearest(1, 9)), (Some(3), Some(4)));
    }

    #[test]
    fn tables_beyond_all_memory_are_not_built() {
        assert_eq!(Tables::build(&ranges(&[(0, 1 << 40)]), |_| 0, |_, value| Some(value)), None);
    }
}
