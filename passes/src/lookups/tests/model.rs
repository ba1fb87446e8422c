//! A chain in the clear, with readings that are wrong by as much as they may be.

use crate::lookups::{Input, Node};
use cml_runtime::reference::message::Table;
use cml_runtime::units::Spacing;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// Evaluates a chain. Bootstraps at one phase are off by the same.
pub(super) struct Model<'a> {
    nodes: &'a [Node],
    input: Spacing,
    random: ChaCha8Rng,
    beyond: u64,
}

impl<'a> Model<'a> {
    /// Readings are off by as much as they may, and by `beyond` slots more.
    pub(super) fn new(nodes: &'a [Node], input: Spacing, seed: u64, beyond: u64) -> Self {
        Self { nodes, input, random: ChaCha8Rng::seed_from_u64(seed), beyond }
    }

    /// The result for one argument. The first trials read all that is farthest off, to either side; then at random.
    pub(super) fn look_up(&mut self, x: i64, trial: u32) -> i64 {
        let mut values: Vec<(i64, Spacing)> = Vec::new();
        let mut errors: BTreeMap<(Input, i64, u32, i32), u64> = BTreeMap::new();
        for node in self.nodes {
            let get = |input: Input| match input {
                Input::Value => (x, self.input),
                Input::Node(number) => values[number],
            };
            let value = match node {
                Node::Combine { terms, bias, spacing } => {
                    for (input, _) in terms {
                        assert_eq!(spacing.0 % get(*input).1.0, 0, "spacings must divide");
                    }
                    (terms.iter().map(|(input, weight)| get(*input).0 * weight).sum::<i64>() + bias, *spacing)
                }
                Node::Bootstrap { input, table, center, tolerance, key, extension, spacing, .. } => {
                    let (value, from) = get(*input);
                    let phase = (*input, table.lo, *key, *extension);
                    let random = &mut self.random;
                    let error = *errors
                        .entry(phase)
                        .or_insert_with(|| error(random, tolerance + self.beyond, from, trial));
                    let phase = (value - table.lo) as u64;
                    (read(table, *center, from, phase.wrapping_mul(from.0).wrapping_add(error)), *spacing)
                }
            };
            values.push(value);
        }
        values.last().unwrap().0
    }
}

/// Below `(tolerance + 1/2) * spacing`, to either side.
fn error(random: &mut ChaCha8Rng, tolerance: u64, spacing: Spacing, trial: u32) -> u64 {
    // A fault may allow more than half a turn, which is any error.
    let bound = u128::from(tolerance) * u128::from(spacing.0) + u128::from(spacing.0 / 2);
    let largest = i64::try_from(bound).unwrap_or(i64::MAX) - 1;
    let error = match trial {
        0 => largest,
        1 => -largest,
        2 => 0,
        _ => match random.random_range(0..4) {
            0 => largest,
            1 => -largest,
            2 => random.random_range(-(tolerance as i64)..=tolerance as i64).wrapping_mul(spacing.0 as i64),
            _ => random.random_range(-largest..=largest),
        },
    };
    error as u64
}

/// The rule of the test polynomial: the entry nearest to the phase, or the mirror of the one nearest to the phase half a
/// turn further.
pub(super) fn read(table: &Table, center: i64, spacing: Spacing, phase: u64) -> i64 {
    let nearest = |phase: u64| {
        let last = table.values.len() as u64 - 1;
        let entry = |at: u64| {
            let distance = phase.wrapping_sub(at * spacing.0);
            (distance.min(distance.wrapping_neg()), at)
        };
        let below = (phase / spacing.0).min(last);
        let (distance, at) = [below, (below + 1).min(last), 0].map(entry).into_iter().min().unwrap();
        (distance, table.values[at as usize])
    };
    let (here, further) = (nearest(phase), nearest(phase.wrapping_add(1 << 63)));
    if here.0 <= further.0 { here.1 } else { center - further.1 }
}
