//! Random tables, and where to look them up.

use cml_runtime::reference::message::Table;
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::ops::Range;

/// One to three staircases: of any number of thresholds, at random, at least a gap apart, at the ends, evenly spaced.
pub(super) fn staircases(range: Range<usize>) -> impl Strategy<Value = Vec<Table>> {
    (proptest::collection::vec((range, 0usize..20, 0usize..7, -5000i64..5000), 1..4), any::<u64>()).prop_map(
        |(shapes, seed)| {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let gap = random.random_range(2..40);
            shapes
                .into_iter()
                .map(|(entries, most, style, lo)| {
                    let thresholds = thresholds(&mut random, entries, most, (style, gap));
                    let (style, jump) = (random.random_range(0..3), random.random_range(-3..=3));
                    staircase(entries, lo, &thresholds, |_| match style {
                        0 => jump,
                        1 => random.random_range(1..5),
                        _ => random.random_range(-9..9),
                    })
                })
                .collect()
        },
    )
}

fn thresholds(
    random: &mut ChaCha8Rng,
    entries: usize,
    most: usize,
    (style, gap): (usize, usize),
) -> Vec<usize> {
    let last = entries - 1;
    if last == 0 {
        return vec![];
    }
    let mut found: Vec<usize> = match style {
        // Anywhere.
        0 => (0..most).map(|_| random.random_range(1..=last)).collect(),
        // A narrow transition.
        1 => {
            let from = random.random_range(1..=last);
            (0..most).map(|_| from + random.random_range(0..=most)).collect()
        }
        // At the ends.
        2 => vec![1, last],
        // Evenly spaced.
        3 => {
            let from = random.random_range(1..=last);
            (0..most).map(|at| from + at * gap).collect()
        }
        // Some of evenly spaced ones.
        4 => {
            let from = random.random_range(1..=gap);
            (0..=last / gap).filter(|_| random.random_bool(0.5)).map(|at| from + at * gap).collect()
        }
        // A gap apart at least.
        _ => {
            let mut next = random.random_range(1..=last);
            let mut found = Vec::new();
            for _ in 0..most {
                found.push(next);
                next += gap + if random.random_bool(0.5) { 0 } else { random.random_range(0..=gap) };
            }
            found
        }
    };
    found.retain(|threshold| *threshold <= last);
    found.sort_unstable();
    found.dedup();
    found
}

/// A table with these jumps at these entries.
pub(super) fn staircase(
    entries: usize,
    lo: i64,
    thresholds: &[usize],
    mut jump: impl FnMut(usize) -> i64,
) -> Table {
    let mut value = -2;
    let mut values = Vec::with_capacity(entries);
    for at in 0..entries {
        if thresholds.binary_search(&at).is_ok() {
            value += jump(at);
        }
        values.push(value);
    }
    Table { lo, values }
}

/// All arguments of a short table; else those near jumps and ends, and some others.
pub(super) fn arguments(table: &Table, seed: u64) -> Vec<i64> {
    let entries = table.values.len();
    let mut found: Vec<usize> = if entries <= 60 {
        (0..entries).collect()
    } else {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let jumps = (1..entries).filter(|at| table.values[*at] != table.values[at - 1]);
        let near = jumps.flat_map(|at| [at - 1, at, (at + 1).min(entries - 1)]);
        let others = (0..30).map(|_| random.random_range(0..entries)).collect::<Vec<_>>();
        near.chain(others).chain([0, 1, 2, entries - 3, entries - 2, entries - 1]).collect()
    };
    found.sort_unstable();
    found.dedup();
    found.into_iter().map(|at| table.lo + at as i64).collect()
}
