//! The events of a program's failure ledger, recomputed from the steps of its server.
//!
//! Every ciphertext is followed as an exact combination of independent sources of noise: the encrypted inputs, and the
//! results of bootstraps. A value that is used twice counts with the sum of its weights, not with the sum of their squares.

use crate::program::Invalid;
use crate::program::message::{Action, Bootstrap, Event, Linear, Server};
use crate::reference::message::Table;
use crate::units::Width;
use std::collections::BTreeMap;

/// Largest number of multiplications that following the noise may take: seconds.
const MAX_WORK: u64 = 1 << 32;

/// Largest number of weights on sources that are kept: 2 GiB.
const MAX_TERMS: u64 = 1 << 27;

/// Every event of one inference, in the order of the program: one for each bootstrap step, then one for each output.
///
/// An event counts the elements of its step or output, and has the largest of their norms, each norm on its own: an upper
/// bound for every element. Elements with the same ciphertext and the same table give one source, since bootstraps are
/// deterministic.
///
/// # Errors
/// [`Invalid`] for a server that [`Server::check`] would refuse, or whose noise takes too long to follow.
pub fn events(server: &Server) -> Result<Vec<Event>, Invalid> {
    events_within(server, Limits { work: MAX_WORK, terms: MAX_TERMS })
}

/// What may still be spent.
#[derive(Clone, Copy)]
struct Limits {
    work: u64,
    terms: u64,
}

impl Limits {
    fn spend(&mut self, work: u64, terms: u64) -> Result<(), &'static str> {
        let left = |limit: u64, spent| limit.checked_sub(spent).ok_or("its noise takes too long to follow");
        (self.work, self.terms) = (left(self.work, work)?, left(self.terms, terms)?);
        Ok(())
    }
}

/// One ciphertext, modulo 2^64: weights on sources in increasing order, none of them 0, and a clear constant.
#[derive(Clone, Default)]
struct Combination {
    terms: Vec<(u32, i64)>,
    constant: u64,
}

impl Combination {
    fn source(source: u32) -> Self {
        Self { terms: vec![(source, 1)], constant: 0 }
    }
}

/// Follows the noise through the steps.
struct Follow {
    /// Spacing of every value.
    spacings: Vec<u64>,
    values: Vec<Vec<Combination>>,
    /// Sources below this are encrypted inputs, the others bootstraps.
    inputs: u32,
    sources: u32,
    /// Which source a bootstrap of this ciphertext by this table is.
    known: BTreeMap<[u8; blake3::OUT_LEN], u32>,
    limits: Limits,
}

fn events_within(server: &Server, limits: Limits) -> Result<Vec<Event>, Invalid> {
    server.check()?;
    let ciphertexts = server.values()?;
    let spacings = ciphertexts.iter().map(|value| value.spacing).collect();
    let mut follow =
        Follow { spacings, values: Vec::new(), inputs: 0, sources: 0, known: BTreeMap::new(), limits };
    for value in &ciphertexts[..server.inputs.len()] {
        let fresh = (0..value.count).map(|_| Combination::source(follow.next_source())).collect();
        follow.values.push(fresh);
    }
    follow.inputs = follow.sources;
    let mut events = Vec::new();
    for (index, step) in server.steps.iter().enumerate() {
        let refuse = |what| Invalid::Step { index, node: step.node.clone(), what };
        let result = match &step.action {
            Some(Action::Linear(linear)) => follow.combine(linear).map_err(refuse)?,
            Some(Action::Bootstrap(bootstrap)) => {
                events.push(follow.lookup(&step.node, bootstrap));
                follow.bootstrap(bootstrap)
            }
            None => return Err(refuse("an action that only a newer version knows")),
        };
        follow.values.push(result);
    }
    for (port, value) in server.outputs.iter().zip(&server.output_values) {
        let width = port.lo.iter().zip(&port.hi).map(|(lo, hi)| Width::of_range(*lo, *hi).0).max();
        let event = Event { node: port.name.clone(), spacing: port.spacing, ..Event::default() };
        let event = Event { width: width.unwrap_or(0), ..event };
        events.push(follow.with_noise(event, *value));
    }
    Ok(events)
}

impl Follow {
    fn next_source(&mut self) -> u32 {
        self.sources += 1;
        self.sources - 1
    }

    /// `y = W x + b`, with everything on the torus: a weight includes the ratio of the two spacings.
    fn combine(&mut self, linear: &Linear) -> Result<Vec<Combination>, &'static str> {
        let columns: Vec<&Combination> =
            linear.inputs.iter().flat_map(|value| &self.values[*value as usize]).collect();
        let factor =
            linear.inputs.first().map_or(1, |value| linear.spacing / self.spacings[*value as usize]) as i64;
        let products: u64 = columns.iter().map(|column| 1 + column.terms.len() as u64).sum();
        let mut limits = self.limits;
        limits.spend(products.saturating_mul(u64::from(linear.rows)), 0)?;
        let mut sums = vec![0i64; self.sources as usize];
        let (mut touched, mut is_touched) = (Vec::new(), vec![false; sums.len()]);
        let mut result = Vec::with_capacity(linear.rows as usize);
        for (row, bias) in linear.bias.iter().enumerate() {
            let mut constant = (*bias as u64).wrapping_mul(linear.spacing);
            let weights = &linear.weights[row * columns.len()..][..columns.len()];
            for (weight, column) in weights.iter().zip(&columns).filter(|(weight, _)| **weight != 0) {
                let weight = weight.wrapping_mul(factor);
                constant = constant.wrapping_add(column.constant.wrapping_mul(weight as u64));
                for (source, inner) in &column.terms {
                    let sum = &mut sums[*source as usize];
                    *sum = sum.wrapping_add(weight.wrapping_mul(*inner));
                    if !std::mem::replace(&mut is_touched[*source as usize], true) {
                        touched.push(*source);
                    }
                }
            }
            touched.sort_unstable();
            let sum_of = |source: u32| {
                is_touched[source as usize] = false;
                (source, std::mem::take(&mut sums[source as usize]))
            };
            let terms: Vec<_> = touched.drain(..).map(sum_of).filter(|(_, sum)| *sum != 0).collect();
            limits.spend(0, terms.len() as u64)?;
            result.push(Combination { terms, constant });
        }
        self.limits = limits;
        Ok(result)
    }

    fn bootstrap(&mut self, bootstrap: &Bootstrap) -> Vec<Combination> {
        let tables: Vec<[u8; blake3::OUT_LEN]> = bootstrap.tables.iter().map(table_digest).collect();
        let spacings = [self.spacings[bootstrap.input as usize], bootstrap.spacing];
        let elements = &self.values[bootstrap.input as usize];
        let keys: Vec<_> = elements
            .iter()
            .zip(&bootstrap.table_of)
            .map(|(element, table)| {
                let mut hasher = blake3::Hasher::new();
                hasher.update(&tables[*table as usize]).update(&bootstrap.extension.to_le_bytes());
                for word in spacings.iter().chain([&element.constant]) {
                    hasher.update(&word.to_le_bytes());
                }
                for (source, weight) in &element.terms {
                    hasher.update(&source.to_le_bytes()).update(&weight.to_le_bytes());
                }
                *hasher.finalize().as_bytes()
            })
            .collect();
        let mut source_of = |key| match self.known.get(&key) {
            Some(source) => *source,
            None => {
                let source = self.next_source();
                self.known.insert(key, source);
                source
            }
        };
        keys.into_iter().map(|key| Combination::source(source_of(key))).collect()
    }

    fn lookup(&self, node: &str, bootstrap: &Bootstrap) -> Event {
        let entries = bootstrap.tables.iter().map(|table| table.values.len() as i64).max().unwrap_or(1);
        let event = Event {
            node: node.to_owned(),
            extension: Some(bootstrap.extension),
            spacing: self.spacings[bootstrap.input as usize],
            width: Width::of_range(1, entries.max(1)).0,
            ..Event::default()
        };
        self.with_noise(event, bootstrap.input)
    }

    /// Fills in how many elements the value has, and their largest norms.
    fn with_noise(&self, event: Event, value: u32) -> Event {
        let elements = &self.values[value as usize];
        let largest = |inputs: bool| {
            let squares = |element: &Combination| -> f64 {
                let of_kind = element.terms.iter().filter(|(source, _)| (*source < self.inputs) == inputs);
                of_kind.map(|(_, weight)| (*weight as f64).powi(2)).sum()
            };
            elements.iter().map(squares).fold(0.0, f64::max)
        };
        Event {
            count: elements.len() as u32,
            norm2_squared_inputs: largest(true),
            norm2_squared_bootstraps: largest(false),
            ..event
        }
    }
}

fn table_digest(table: &Table) -> [u8; blake3::OUT_LEN] {
    let mut hasher = blake3::Hasher::new();
    for word in std::iter::once(&table.lo).chain(&table.values) {
        hasher.update(&word.to_le_bytes());
    }
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::super::set::tests::wide;
    use super::*;
    use crate::program::message::{EncryptedPort, Step};
    use proptest::prelude::*;

    const SPACING: u64 = 1 << 56;

    fn port(name: &str, count: usize, spacing: u64) -> EncryptedPort {
        let shape = vec![count as u64];
        EncryptedPort { name: name.to_owned(), shape, spacing, lo: vec![0; count], hi: vec![3; count] }
    }

    fn linear(inputs: &[u32], rows: &[&[i64]], spacing: u64) -> Step {
        let bias = vec![0; rows.len()];
        let weights = rows.concat();
        let linear = Linear { inputs: inputs.to_vec(), rows: rows.len() as u32, weights, bias, spacing };
        Step { node: "MatMul_0".to_owned(), action: Some(Action::Linear(linear)) }
    }

    fn lookup(input: u32, tables: &[&[i64]], table_of: &[u32]) -> Step {
        let table = |values: &&[i64]| Table { lo: 0, values: values.to_vec() };
        let tables = tables.iter().map(table).collect();
        let bootstrap =
            Bootstrap { input, extension: 2, tables, table_of: table_of.to_vec(), spacing: SPACING };
        Step { node: "Relu_0".to_owned(), action: Some(Action::Bootstrap(bootstrap)) }
    }

    /// `inputs` encrypted elements; the last value is the output, with `outputs` elements.
    fn server(inputs: usize, steps: Vec<Step>, outputs: usize, spacing: u64) -> Server {
        Server {
            parameters: Some(wide()),
            inputs: vec![port("x", inputs, SPACING)],
            output_values: vec![steps.len() as u32],
            steps,
            outputs: vec![port("y", outputs, spacing)],
        }
    }

    /// Norms of the output: on inputs, on bootstraps.
    fn norms(server: &Server) -> (f64, f64) {
        let events = events(server).unwrap();
        let output = events.last().unwrap();
        (output.norm2_squared_inputs, output.norm2_squared_bootstraps)
    }

    #[test]
    fn a_value_used_twice_is_one_source() {
        assert_eq!(norms(&server(1, vec![linear(&[0, 0], &[&[1, 1]], SPACING)], 1, SPACING)), (4.0, 0.0));
        let copies = linear(&[0], &[&[1], &[1]], SPACING);
        let sum = vec![copies.clone(), linear(&[1], &[&[1, 1]], SPACING)];
        assert_eq!(norms(&server(1, sum, 1, SPACING)), (4.0, 0.0));
        let difference = vec![copies, linear(&[1], &[&[1, -1]], SPACING)];
        assert_eq!(norms(&server(1, difference, 1, SPACING)), (0.0, 0.0));
        assert_eq!(norms(&server(2, vec![linear(&[0], &[&[1, 1]], SPACING)], 1, SPACING)), (2.0, 0.0));
    }

    #[test]
    fn a_change_of_spacing_is_a_weight() {
        let steps = vec![linear(&[0], &[&[3, -1]], 4 * SPACING)];
        assert_eq!(norms(&server(2, steps, 1, 4 * SPACING)), (160.0, 0.0));
    }

    #[test]
    fn a_bootstrap_is_read_and_starts_anew() {
        let steps = vec![
            linear(&[0], &[&[1, 2], &[3, -4]], SPACING),
            lookup(1, &[&[0, 1, 2], &[5, 4, 3, 2, 1]], &[0, 1]),
            linear(&[2, 0], &[&[2, 3, 7, 0]], SPACING),
        ];
        let found = events(&server(2, steps, 1, SPACING)).unwrap();
        let read = Event {
            node: "Relu_0".to_owned(),
            count: 2,
            norm2_squared_inputs: 25.0,
            extension: Some(2),
            spacing: SPACING,
            width: 3,
            ..Event::default()
        };
        let output = Event {
            node: "y".to_owned(),
            count: 1,
            norm2_squared_inputs: 49.0,
            norm2_squared_bootstraps: 13.0,
            spacing: SPACING,
            width: 2,
            ..Event::default()
        };
        assert_eq!(found, [read, output]);
    }

    #[test]
    fn the_same_bootstrap_twice_is_one_source() {
        let sum_of = |tables: &[&[i64]], table_of: &[u32], rows: &[&[i64]]| {
            let steps = vec![
                linear(&[0], rows, SPACING),
                lookup(1, tables, table_of),
                linear(&[2], &[&[1, 1]], SPACING),
            ];
            norms(&server(2, steps, 1, SPACING)).1
        };
        let (same, other): (&[&[i64]], &[&[i64]]) = (&[&[1, 2], &[1, 2]], &[&[1, 2], &[2, 1]]);
        assert_eq!(sum_of(same, &[0, 1], &[&[1, 1], &[1, 1]]), 4.0);
        assert_eq!(sum_of(other, &[0, 1], &[&[1, 1], &[1, 1]]), 2.0);
        assert_eq!(sum_of(same, &[0, 1], &[&[1, 1], &[1, 0]]), 2.0);
        // Another constant is another phase.
        let mut shifted = linear(&[0], &[&[1, 1], &[1, 1]], SPACING);
        let Some(Action::Linear(inner)) = &mut shifted.action else { panic!() };
        inner.bias[1] = 1;
        let steps = vec![shifted, lookup(1, same, &[0, 1]), linear(&[2], &[&[1, 1]], SPACING)];
        assert_eq!(norms(&server(2, steps, 1, SPACING)).1, 2.0);
    }

    #[test]
    fn weights_wrap_as_the_torus_does() {
        let steps = vec![linear(&[0], &[&[1 << 62]], SPACING), linear(&[1], &[&[4]], SPACING)];
        assert_eq!(norms(&server(1, steps, 1, SPACING)), (0.0, 0.0));
    }

    #[test]
    fn malformed_servers_are_refused() {
        let good = server(2, vec![linear(&[0], &[&[1, 1]], SPACING)], 1, SPACING);
        assert!(events(&good).is_ok());
        let short = server(3, vec![linear(&[0], &[&[1, 1]], SPACING)], 1, SPACING);
        assert!(matches!(events(&short), Err(Invalid::Step { index: 0, .. })));
        let later = server(2, vec![lookup(7, &[&[1]], &[0, 0])], 2, SPACING);
        assert!(matches!(events(&later), Err(Invalid::Step { index: 0, .. })));
        let lost = Server { output_values: vec![9], ..good.clone() };
        assert!(matches!(events(&lost), Err(Invalid::Port { .. })));
        let empty = Server { steps: vec![Step::default()], ..good };
        assert!(matches!(events(&empty), Err(Invalid::Step { index: 0, .. })));
    }

    #[test]
    fn too_much_work_is_refused() {
        let steps = vec![
            linear(&[0], &[&[1, 1], &[1, 2]], SPACING),
            linear(&[1], &[&[1, 1], &[1, 1], &[1, 1]], SPACING),
        ];
        let server = server(2, steps, 3, SPACING);
        // 2 rows of 2 sources, then 3 rows of 2 combinations of 2 sources; each column counts for itself as well.
        let spent = 2 * (2 + 2) + 3 * (2 + 4);
        assert!(events_within(&server, Limits { work: spent, terms: 10 }).is_ok());
        for limits in [Limits { work: spent - 1, terms: 10 }, Limits { work: spent, terms: 9 }] {
            assert!(matches!(events_within(&server, limits), Err(Invalid::Step { index: 1, .. })));
        }
    }

    proptest! {
        #[test]
        fn norms_are_those_of_the_product_of_the_matrices(
            first in proptest::collection::vec(-5i64..6, 12),
            second in proptest::collection::vec(-5i64..6, 6),
        ) {
            // x (3) -> y (4) -> z (1), where z also reads x[0] and x[1].
            let rows: Vec<&[i64]> = first.chunks(3).collect();
            let columns = [second.as_slice(), &[0]].concat();
            let steps = vec![linear(&[0], &rows, SPACING), linear(&[1, 0], &[&columns], SPACING)];
            let by_hand: i64 = (0..3)
                .map(|x| {
                    let through: i64 = rows.iter().zip(&second).map(|(row, weight)| weight * row[x]).sum();
                    (through + columns[4 + x]).pow(2)
                })
                .sum();
            prop_assert_eq!(norms(&server(3, steps, 1, SPACING)), (by_hand as f64, 0.0));
        }
    }
}
