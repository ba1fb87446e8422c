//! What a program reads: lists of values, what is made of them, and how well that must be read.

use super::SearchError;
use crate::lookups::Profile;
use std::collections::BTreeMap;

/// More rows than this are replaced by one bound for all of them.
const MAX_ROWS: usize = 16;

/// Everything that one inference reads.
///
/// Values are in lists: the encrypted inputs, then the results of each group, numbered in this order. All values of a list
/// have one spacing, and so have all lists that meet in one reading.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// How many of the lists are encrypted inputs.
    pub inputs: usize,
    /// Groups of lookups, each after those that it reads.
    pub groups: Vec<Group>,
    /// What the client decrypts.
    pub outputs: Vec<Output>,
}

/// Lookups that are made alike.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// What is looked up.
    pub reading: Reading,
    /// What serves all their tables.
    pub profile: Profile,
    /// Where they are comparisons and no tables: half the torus must hold this many slots at the spacing of the input.
    pub compares: Option<u64>,
}

/// Values that are decrypted.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// What is decrypted.
    pub reading: Reading,
    /// Half the torus must hold this many of its integers.
    pub slots: u64,
}

/// Squared weights of one sum, by list; factors of spacings are not in them.
pub type Norms = BTreeMap<u32, f64>;

/// Sums of listed values.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The ONNX node, or the name of the output.
    pub node: String,
    /// Smallest and largest integer of the widest of them.
    pub range: (i64, i64),
    /// How many there are in one inference.
    pub count: u32,
    /// Those of their norms that no other's exceed in all lists; or a bound for them.
    pub rows: Vec<Norms>,
}

impl Reading {
    /// Of all elements, with the norms of each.
    #[must_use]
    pub fn new(node: String, range: (i64, i64), elements: impl IntoIterator<Item = Norms>) -> Self {
        let (mut count, mut rows) = (0u32, Vec::<Norms>::new());
        for element in elements {
            count = count.saturating_add(1);
            if !rows.iter().any(|row| within(&element, row)) {
                rows.retain(|row| !within(row, &element));
                rows.push(element);
            }
        }
        if rows.len() > MAX_ROWS {
            let mut bound = Norms::new();
            for (list, norm) in rows.iter().flatten() {
                let largest = bound.entry(*list).or_insert(0.0);
                *largest = norm.max(*largest);
            }
            rows = vec![bound];
        }
        Self { node, range, count, rows }
    }

    /// The lists that are read, in order.
    pub(super) fn lists(&self) -> Vec<usize> {
        let mut all: Vec<usize> =
            self.rows.iter().flat_map(|row| row.keys()).map(|list| *list as usize).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The largest of all sums of norms times what the lists have.
    pub(super) fn largest(&self, of_list: impl Fn(usize) -> f64) -> f64 {
        let sum = |row: &Norms| row.iter().map(|(list, norm)| norm * of_list(*list as usize)).sum::<f64>();
        self.rows.iter().map(sum).fold(0.0, f64::max)
    }

    fn check(&self, lists: usize) -> Result<(), SearchError> {
        let bad = |name, found: String, expected| {
            Err(SearchError::BadDemand { node: self.node.clone(), name, found, expected })
        };
        if self.count == 0 {
            return bad("number", "0".to_owned(), "at least 1");
        }
        for (list, norm) in self.rows.iter().flatten() {
            if *list as usize >= lists {
                return bad("source", list.to_string(), "an earlier list");
            }
            if !(*norm >= 0.0 && norm.is_finite()) {
                return bad("squared norm", norm.to_string(), "a finite number that is not negative");
            }
        }
        Ok(())
    }
}

/// Whether no norm is larger than the other's.
fn within(norms: &Norms, other: &Norms) -> bool {
    norms.iter().all(|(list, norm)| other.get(list).is_some_and(|bound| norm <= bound))
}

impl Problem {
    /// All readings: groups, then outputs.
    pub(super) fn readings(&self) -> impl Iterator<Item = &Reading> {
        let groups = self.groups.iter().map(|group| &group.reading);
        groups.chain(self.outputs.iter().map(|output| &output.reading))
    }

    /// Number of lists.
    pub(super) fn lists(&self) -> usize {
        self.inputs + self.groups.len()
    }

    /// For each list the number of its class: lists that meet in one reading, which have one spacing.
    pub(super) fn classes(&self) -> Vec<usize> {
        let mut parent: Vec<usize> = (0..self.lists()).collect();
        for reading in self.readings() {
            for pair in reading.lists().windows(2) {
                let (one, other) = (root(&parent, pair[0]), root(&parent, pair[1]));
                parent[one.max(other)] = one.min(other);
            }
        }
        (0..parent.len()).map(|list| root(&parent, list)).collect()
    }

    pub(super) fn check(&self) -> Result<(), SearchError> {
        if self.groups.is_empty() && self.outputs.is_empty() {
            return Err(SearchError::NothingToRead);
        }
        for (number, group) in self.groups.iter().enumerate() {
            group.reading.check(self.inputs + number)?;
        }
        self.outputs.iter().try_for_each(|output| output.reading.check(self.lists()))
    }
}

fn root(parent: &[usize], mut list: usize) -> usize {
    while parent[list] != list {
        list = parent[list];
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn norms(pairs: &[(u32, f64)]) -> Norms {
        pairs.iter().copied().collect()
    }

    #[test]
    fn only_the_largest_norms_are_kept() {
        let elements =
            [norms(&[(0, 1.0)]), norms(&[(0, 2.0), (1, 1.0)]), norms(&[(1, 3.0)]), norms(&[(0, 2.0)])];
        let reading = Reading::new("Relu_0".to_owned(), (0, 1), elements);
        assert_eq!((reading.count, reading.rows.len()), (4, 2));
        assert_eq!(reading.largest(|list| [10.0, 1.0][list]), 21.0);
        let many = (0..100).map(|i| norms(&[(0, f64::from(i)), (1, f64::from(100 - i))]));
        assert_eq!(Reading::new(String::new(), (0, 1), many).rows, [norms(&[(0, 99.0), (1, 100.0)])]);
    }
}
