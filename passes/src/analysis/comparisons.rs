//! Tables as sums of comparisons: all lookups of one value out of one rotation.
//!
//! A table is its first entry, and a jump at each of some thresholds: `f(x) = f(lo) + sum of jump * [x >= threshold]`. Where several
//! tables are read at one form, the comparisons with all their thresholds come out of one rotation, and the tables vanish into the
//! forms that follow. Noise: the jumps become weights, and comparisons of one rotation are correlated.

use super::linear_forms::{Form, Group, LinearForms, Source};
use cml_runtime::parameters::noise;
use cml_runtime::program::message::Comparisons;
use cml_runtime::reference::message::Table;
use std::collections::{BTreeMap, BTreeSet};

/// Comparisons instead of a group's tables.
struct Compared {
    /// What is compared.
    forms: Vec<Form>,
    /// For each its range and its thresholds.
    comparisons: Vec<Comparisons>,
    /// For each lookup of the group its value in comparisons, as elements of `list`.
    values: Vec<Form>,
}

impl Compared {
    fn of(group: &Group, list: u32) -> Self {
        let mut forms: Vec<Form> = Vec::new();
        let mut ranges: Vec<(i64, i64)> = Vec::new();
        let mut thresholds: Vec<BTreeSet<i64>> = Vec::new();
        let mut read = Vec::new();
        for (form, table) in group.forms.iter().zip(&group.tables) {
            let hi = table.lo.saturating_add(table.values.len() as i64 - 1);
            let place = forms.iter().position(|known| known == form).unwrap_or(forms.len());
            if place == forms.len() {
                forms.push(form.clone());
                ranges.push((table.lo, hi));
                thresholds.push(BTreeSet::new());
            }
            ranges[place] = (ranges[place].0.min(table.lo), ranges[place].1.max(hi));
            thresholds[place].extend(jumps(table).map(|(threshold, _)| threshold));
            read.push(place);
        }
        let mut names: BTreeMap<(usize, i64), Source> = BTreeMap::new();
        for (place, thresholds) in thresholds.iter().enumerate() {
            for threshold in thresholds {
                let next = names.len() as u32;
                names.insert((place, *threshold), (list, next));
            }
        }
        let value = |(table, place): (&Table, &usize)| Form {
            constant: table.values.first().copied().unwrap_or(0),
            terms: jumps(table).map(|(threshold, jump)| (names[&(*place, threshold)], jump)).collect(),
        };
        let values = group.tables.iter().zip(&read).map(value).collect();
        let element = |((lo, hi), thresholds): ((i64, i64), BTreeSet<i64>)| Comparisons {
            lo,
            hi,
            thresholds: thresholds.into_iter().collect(),
        };
        Self { forms, comparisons: ranges.into_iter().zip(thresholds).map(element).collect(), values }
    }
}

/// Where a table has another value than before, and by how much.
fn jumps(table: &Table) -> impl Iterator<Item = (i64, i64)> + '_ {
    let pairs = table.values.windows(2).zip(table.lo.saturating_add(1)..);
    // What the tables of a program hold is far from the ends of 64 bits.
    pairs.map(|(pair, at)| (at, pair[1].saturating_sub(pair[0]))).filter(|(_, jump)| *jump != 0)
}

/// Half-torus slots that comparisons need.
#[must_use]
pub fn slots(comparisons: &[Comparisons]) -> u64 {
    let of = |element: &Comparisons| {
        let below = element.thresholds.last().map_or(1, |last| last.abs_diff(element.lo));
        let above = element.thresholds.first().map_or(1, |first| element.hi.abs_diff(*first) + 1);
        below.max(above)
    };
    comparisons.iter().map(of).max().unwrap_or(1)
}

/// Squared norm of a sum of comparisons of one list, of weights by their places in it: no less than what the ledger finds, whatever the key
/// set is, at any spacing of the input at which half the torus has [`slots`] to twice as many.
#[must_use]
pub fn norm2_squared(comparisons: &[Comparisons], weights: &BTreeMap<u32, f64>) -> f64 {
    let slots = slots(comparisons) as f64;
    let mut sum = 0.0;
    let mut next = 0;
    for element in comparisons {
        let above = |threshold: &i64| threshold.abs_diff(element.lo) as f64;
        let places = element.thresholds.iter().zip(next..);
        let terms: Vec<(f64, f64)> = places
            .filter_map(|(threshold, place)| Some((above(threshold) / slots, *weights.get(&place)?)))
            .collect();
        next += element.thresholds.len() as u32;
        let narrow: Vec<(f64, f64)> = terms.iter().map(|(place, weight)| (place / 2.0, *weight)).collect();
        // Linear in the part that is correlated, which is at most half, and in the distances.
        let ends = [(&terms, 0.0), (&terms, 0.5), (&narrow, 0.5)];
        sum += ends
            .map(|(terms, share)| noise::rotation_norm2_squared(terms, share))
            .into_iter()
            .fold(0.0, f64::max);
    }
    sum
}

impl Group {
    /// How many values its list has.
    #[must_use]
    pub fn results(&self) -> usize {
        let comparisons = self.comparisons.iter().map(|element| element.thresholds.len());
        if self.comparisons.is_empty() { self.forms.len() } else { comparisons.sum() }
    }

    /// Whether some of its lookups read one form.
    fn shares_forms(&self) -> bool {
        self.forms.iter().collect::<BTreeSet<_>>().len() < self.forms.len()
    }
}

impl LinearForms {
    /// Groups of which several lookups could come out of one rotation.
    #[must_use]
    pub fn comparable(&self) -> Vec<usize> {
        (0..self.groups.len()).filter(|group| self.groups[*group].shares_forms()).collect()
    }

    /// The same function, with comparisons instead of the tables of some groups; numbers of lists stay.
    #[must_use]
    pub fn with_comparisons(&self, compared: &BTreeSet<usize>) -> Self {
        let mut forms = self.clone();
        let mut values: BTreeMap<Source, Form> = BTreeMap::new();
        for (number, group) in forms.groups.iter_mut().enumerate() {
            group.forms = group.forms.iter().map(|form| form.substituted(&values)).collect();
            if compared.contains(&number) {
                let list = (self.arguments.len() + number) as u32;
                let found = Compared::of(group, list);
                values.extend(found.values.into_iter().zip(0..).map(|(value, place)| ((list, place), value)));
                (group.forms, group.comparisons) = (found.forms, found.comparisons);
            }
        }
        for output in &mut forms.outputs {
            output.forms = output.forms.iter().map(|form| form.substituted(&values)).collect();
        }
        forms
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lookups::Profile;
    use proptest::prelude::*;

    /// Two inputs; lookups of their sums and differences; an output that is linear in these.
    fn function(tables: &[(bool, Vec<i64>)], weights: &[i64]) -> LinearForms {
        let form = |sign| Form { terms: BTreeMap::from([((0, 0), 1), ((0, 1), sign)]), constant: 0 };
        let table = |(difference, values): &(bool, Vec<i64>)| Table {
            lo: if *difference { -3 } else { 0 },
            values: values.clone(),
        };
        let tables_of: Vec<Table> = tables.iter().map(table).collect();
        let group = Group {
            node: "Relu_0".to_owned(),
            lookup: 0,
            forms: tables.iter().map(|(difference, _)| form(if *difference { -1 } else { 1 })).collect(),
            profile: Profile::of(&tables_of[0]).unwrap(),
            tables: tables_of,
            comparisons: Vec::new(),
            measured: vec![None; tables.len()],
        };
        let terms = weights
            .iter()
            .zip(0..)
            .filter(|(weight, _)| **weight != 0)
            .map(|(weight, place)| ((1, place), *weight));
        let output = super::super::linear_forms::Output {
            name: "y".to_owned(),
            forms: vec![Form { terms: terms.collect(), constant: 7 }],
            ranges: cml_dialects::fhe::Ranges { lows: vec![-999], highs: vec![999] },
            shape: vec![1],
        };
        LinearForms { arguments: vec![2], groups: vec![group], outputs: vec![output], constant_lookups: 0 }
    }

    fn value(form: &Form, lists: &[Vec<i64>]) -> i64 {
        let terms =
            form.terms.iter().map(|((list, place), weight)| lists[*list as usize][*place as usize] * weight);
        form.constant + terms.sum::<i64>()
    }

    /// The output, by tables or by comparisons as the group says.
    fn run(forms: &LinearForms, inputs: &[i64]) -> i64 {
        let mut lists = vec![inputs.to_vec()];
        for group in &forms.groups {
            let read: Vec<i64> = group.forms.iter().map(|form| value(form, &lists)).collect();
            let tables =
                read.iter().zip(&group.tables).map(|(at, table)| table.values[(at - table.lo) as usize]);
            let compared = read.iter().zip(&group.comparisons);
            let compared = compared.flat_map(|(at, element)| {
                element.thresholds.iter().map(move |threshold| i64::from(at >= threshold))
            });
            lists.push(if group.comparisons.is_empty() { tables.collect() } else { compared.collect() });
        }
        value(&forms.outputs[0].forms[0], &lists)
    }

    fn tables() -> impl Strategy<Value = Vec<(bool, Vec<i64>)>> {
        proptest::collection::vec((any::<bool>(), proptest::collection::vec(-3i64..4, 7)), 2..9)
    }

    proptest! {
        #[test]
        fn comparisons_give_what_the_tables_give(tables in tables(), weights in proptest::collection::vec(-4i64..5, 9)) {
            let forms = function(&tables, &weights[..tables.len()]);
            let compared = forms.with_comparisons(&BTreeSet::from([0]));
            let group = &compared.groups[0];
            let distinct: BTreeSet<bool> = tables.iter().map(|(difference, _)| *difference).collect();
            prop_assert_eq!(group.forms.len(), distinct.len());
            prop_assert_eq!(forms.comparable().len(), usize::from(distinct.len() < tables.len()));
            for x in 0..4 {
                for y in 0..4 {
                    prop_assert_eq!(run(&compared, &[x, y]), run(&forms, &[x, y]));
                }
            }
        }
    }

    #[test]
    fn thresholds_are_those_of_all_tables_of_a_form() {
        let tables = [
            (false, vec![0, 0, 1, 1, 1, 1, 3]),
            (true, vec![5, 5, 5, 5, 5, 4, 4]),
            (false, vec![2, 1, 1, 1, 1, 1, 4]),
        ];
        let compared = function(&tables, &[2, 1, -1]).with_comparisons(&BTreeSet::from([0]));
        let expected = [
            Comparisons { lo: 0, hi: 6, thresholds: vec![1, 2, 6] },
            Comparisons { lo: -3, hi: 3, thresholds: vec![2] },
        ];
        assert_eq!(compared.groups[0].comparisons, expected);
        // 2 f - h + g for f = [x >= 2] + 2 [x >= 6], h = 2 - [x >= 1] + 3 [x >= 6], g = 5 - [y >= 2].
        let output = &compared.outputs[0].forms[0];
        let terms = BTreeMap::from([((1, 0), 1), ((1, 1), 2), ((1, 2), 1), ((1, 3), -1)]);
        assert_eq!(*output, Form { terms, constant: 7 - 2 + 5 });
        assert_eq!(slots(&expected), 6);
    }

    #[test]
    fn the_norm_bounds_what_the_ledger_finds_at_every_spacing() {
        let comparisons = [
            Comparisons { lo: 0, hi: 9, thresholds: vec![1, 4, 5, 9] },
            Comparisons { lo: -2, hi: 3, thresholds: vec![3] },
        ];
        let weights = BTreeMap::from([(0, 2.0), (2, 3.0), (3, -1.0), (4, 5.0)]);
        let bound = norm2_squared(&comparisons, &weights);
        for share in [0.0, 0.2, 0.45, 0.5] {
            for slots in 9..=18 {
                let at = |above: f64| above / f64::from(slots);
                let terms = [(at(1.0), 2.0), (at(5.0), 3.0), (at(9.0), -1.0)];
                let found = noise::rotation_norm2_squared(&terms, share) + 25.0;
                assert!(found <= bound * (1.0 + 1e-12), "{found}, bound {bound}");
            }
        }
    }
}
