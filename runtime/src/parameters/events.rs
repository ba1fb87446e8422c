//! The events of a program's failure ledger, recomputed from the steps of its server.
//!
//! Every ciphertext is followed as an exact combination of independent sources of noise: the encrypted inputs, and the
//! results of bootstraps. A value that is used twice counts with the sum of its weights, not with the sum of their squares.

use super::combination::{Combination, Sum};
use crate::program::message::{Action, Bootstrap, Combine, Event, Linear, Server};
use crate::program::{Invalid, PhaseId};
use crate::reference::message::Table;
use crate::units::Width;
use std::collections::BTreeMap;

/// Largest number of multiplications that following the noise may take: seconds.
const MAX_WORK: u64 = 1 << 32;

/// Largest number of weights on sources that are kept: 2 GiB.
const MAX_TERMS: u64 = 1 << 27;

/// Every event of one inference, in the order of the program: one for each phase that bootstraps read, then one for each
/// output.
///
/// An event counts the elements of its step or output, and has the largest of their norms, each norm on its own: an upper
/// bound for every element. Elements with the same ciphertext and the same table give one source, since bootstraps are
/// deterministic. Bootstraps of different tables are independent sources, also where they read one phase.
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

/// What a source of noise is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    /// A fresh encryption.
    Input,
    /// The result of a bootstrap of this key set.
    Bootstrap(u32),
}

/// Follows the noise through the steps.
struct Follow {
    /// Spacing of every value.
    spacings: Vec<u64>,
    values: Vec<Vec<Combination>>,
    sources: Vec<Source>,
    key_sets: usize,
    /// Which source a bootstrap of this ciphertext by this table is.
    known: BTreeMap<[u8; blake3::OUT_LEN], u32>,
    limits: Limits,
}

fn events_within(server: &Server, limits: Limits) -> Result<Vec<Event>, Invalid> {
    server.check()?;
    let ciphertexts = server.values()?;
    let spacings = ciphertexts.iter().map(|value| value.spacing).collect();
    let (values, sources, key_sets) = (Vec::new(), Vec::new(), server.parameters.len());
    let mut follow = Follow { spacings, values, sources, key_sets, known: BTreeMap::new(), limits };
    for value in &ciphertexts[..server.inputs.len()] {
        let fresh =
            (0..value.count).map(|_| Combination::source(follow.next_source(Source::Input))).collect();
        follow.values.push(fresh);
    }
    let mut events: Vec<Event> = Vec::new();
    let mut phases: BTreeMap<PhaseId, usize> = BTreeMap::new();
    for (index, step) in server.steps.iter().enumerate() {
        let refuse = |what| Invalid::Step { index, node: step.node.clone(), what };
        let result = match &step.action {
            Some(Action::Linear(linear)) => follow.linear(linear).map_err(refuse)?,
            Some(Action::Combine(combine)) => follow.combine(combine).map_err(refuse)?,
            Some(Action::Bootstrap(bootstrap)) => {
                let event = *phases.entry(bootstrap.phase()).or_insert(events.len());
                if event == events.len() {
                    events.push(follow.reading(&step.node, bootstrap));
                }
                add_reader(&mut events[event], bootstrap);
                follow.bootstrap(bootstrap)
            }
            None => return Err(refuse("an action that only a newer version knows")),
        };
        follow.values.push(result);
    }
    for (port, value) in server.outputs.iter().zip(&server.output_values) {
        let width = port.lo.iter().zip(&port.hi).map(|(lo, hi)| Width::of_range(*lo, *hi).0).max();
        let event = Event { node: port.name.clone(), spacing: port.spacing, ..Event::default() };
        let event = Event { width: width.unwrap_or(0), returned: port.returned, ..event };
        events.push(follow.with_noise(event, *value));
    }
    Ok(events)
}

/// One more bootstrap reads the event's phase: what is an error for any of them is one for all.
fn add_reader(event: &mut Event, bootstrap: &Bootstrap) {
    let entries = bootstrap.tables.iter().map(|table| table.values.len() as i64).max().unwrap_or(1);
    event.width = event.width.max(Width::of_range(1, entries.max(1)).0);
    event.tolerance = event.tolerance.min(bootstrap.tolerance);
    event.rotations += 1;
    if let Err(place) = event.lookups.binary_search(&bootstrap.lookup) {
        event.lookups.insert(place, bootstrap.lookup);
    }
}

impl Follow {
    fn next_source(&mut self, source: Source) -> u32 {
        self.sources.push(source);
        self.sources.len() as u32 - 1
    }

    /// What one unit of a value is in units of a spacing that it divides.
    fn factor(&self, value: u32, spacing: u64) -> i64 {
        (spacing / self.spacings[value as usize]) as i64
    }

    /// `y = W x + b`.
    fn linear(&mut self, linear: &Linear) -> Result<Vec<Combination>, &'static str> {
        let columns: Vec<(i64, &Combination)> = linear
            .inputs
            .iter()
            .flat_map(|value| {
                let factor = self.factor(*value, linear.spacing);
                self.values[*value as usize].iter().map(move |column| (factor, column))
            })
            .collect();
        let products: u64 = columns.iter().map(|(_, column)| column.work()).sum();
        let mut limits = self.limits;
        limits.spend(products.saturating_mul(u64::from(linear.rows)), 0)?;
        let mut sum = Sum::new(self.sources.len() as u32);
        let mut result = Vec::with_capacity(linear.rows as usize);
        for (row, bias) in linear.bias.iter().enumerate() {
            sum.add_constant((*bias as u64).wrapping_mul(linear.spacing));
            let weights = &linear.weights[row * columns.len()..][..columns.len()];
            for (weight, (factor, column)) in weights.iter().zip(&columns) {
                sum.add(weight.wrapping_mul(*factor), column);
            }
            let row = sum.take();
            limits.spend(0, row.terms.len() as u64)?;
            result.push(row);
        }
        self.limits = limits;
        Ok(result)
    }

    /// A sum of lists, element by element.
    fn combine(&mut self, combine: &Combine) -> Result<Vec<Combination>, &'static str> {
        let mut limits = self.limits;
        let mut sum = Sum::new(self.sources.len() as u32);
        let mut result = Vec::with_capacity(combine.bias.len());
        for (element, bias) in combine.bias.iter().enumerate() {
            sum.add_constant((*bias as u64).wrapping_mul(combine.spacing));
            for (value, weight) in combine.inputs.iter().zip(&combine.weights) {
                let input = &self.values[*value as usize][element];
                limits.spend(input.work(), 0)?;
                sum.add(weight.wrapping_mul(self.factor(*value, combine.spacing)), input);
            }
            let element = sum.take();
            limits.spend(0, element.terms.len() as u64)?;
            result.push(element);
        }
        self.limits = limits;
        Ok(result)
    }

    fn bootstrap(&mut self, bootstrap: &Bootstrap) -> Vec<Combination> {
        let tables: Vec<[u8; blake3::OUT_LEN]> = (0..)
            .zip(&bootstrap.tables)
            .map(|(index, table)| digest(table, bootstrap.center(index)))
            .collect();
        let spacings = [self.spacings[bootstrap.input as usize], bootstrap.spacing];
        let elements = &self.values[bootstrap.input as usize];
        let keys: Vec<_> = elements
            .iter()
            .zip(&bootstrap.table_of)
            .map(|(element, table)| {
                let mut hasher = blake3::Hasher::new();
                hasher.update(&tables[*table as usize]);
                for number in [bootstrap.extension, bootstrap.key] {
                    hasher.update(&number.to_le_bytes());
                }
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
                let source = self.next_source(Source::Bootstrap(bootstrap.key));
                self.known.insert(key, source);
                source
            }
        };
        keys.into_iter().map(|key| Combination::source(source_of(key))).collect()
    }

    /// The event of a phase, before its readers.
    fn reading(&self, node: &str, bootstrap: &Bootstrap) -> Event {
        let event = Event {
            node: node.to_owned(),
            extension: Some(bootstrap.extension),
            spacing: self.spacings[bootstrap.input as usize],
            key: bootstrap.key,
            tolerance: bootstrap.tolerance,
            ..Event::default()
        };
        self.with_noise(event, bootstrap.input)
    }

    /// Fills in how many elements the value has, and their largest norms.
    fn with_noise(&self, event: Event, value: u32) -> Event {
        let elements = &self.values[value as usize];
        let largest = |kind: Source| {
            let squares = |element: &Combination| -> f64 {
                let of_kind =
                    element.terms.iter().filter(|(source, _)| self.sources[*source as usize] == kind);
                of_kind.map(|(_, weight)| (*weight as f64).powi(2)).sum()
            };
            elements.iter().map(squares).fold(0.0, f64::max)
        };
        Event {
            count: elements.len() as u32,
            norm2_squared_inputs: largest(Source::Input),
            norm2_squared_bootstraps: (0..self.key_sets as u32).map(Source::Bootstrap).map(largest).collect(),
            ..event
        }
    }
}

fn digest(table: &Table, center: i64) -> [u8; blake3::OUT_LEN] {
    let mut hasher = blake3::Hasher::new();
    for word in [center, table.lo].iter().chain(&table.values) {
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
        let (lo, hi) = (vec![0; count], vec![3; count]);
        EncryptedPort { name: name.to_owned(), shape, spacing, lo, hi, returned: None }
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
        let table_of = table_of.to_vec();
        let bootstrap =
            Bootstrap { input, extension: 2, tables, table_of, spacing: SPACING, ..Bootstrap::default() };
        Step { node: "Relu_0".to_owned(), action: Some(Action::Bootstrap(bootstrap)) }
    }

    /// `inputs` encrypted elements; the last value is the output, with `outputs` elements.
    fn server(inputs: usize, steps: Vec<Step>, outputs: usize, spacing: u64) -> Server {
        Server {
            parameters: vec![wide()],
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
        (output.norm2_squared_inputs, output.norm2_squared_bootstraps.iter().sum())
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
            norm2_squared_bootstraps: vec![0.0],
            lookups: vec![0],
            rotations: 1,
            extension: Some(2),
            spacing: SPACING,
            width: 3,
            ..Event::default()
        };
        let output = Event {
            node: "y".to_owned(),
            count: 1,
            norm2_squared_inputs: 49.0,
            norm2_squared_bootstraps: vec![13.0],
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

    fn of_lookup(step: Step, change: impl FnOnce(&mut Bootstrap)) -> Step {
        let Some(Action::Bootstrap(mut bootstrap)) = step.action else { panic!() };
        change(&mut bootstrap);
        Step { action: Some(Action::Bootstrap(bootstrap)), ..step }
    }

    fn combine(inputs: &[u32], weights: &[i64], elements: usize, spacing: u64) -> Step {
        let (inputs, weights) = (inputs.to_vec(), weights.to_vec());
        let combine = Combine { inputs, weights, bias: vec![0; elements], spacing };
        Step { node: "Relu_0".to_owned(), action: Some(Action::Combine(combine)) }
    }

    #[test]
    fn bootstraps_of_one_phase_are_one_event() {
        let second = |change: fn(&mut Bootstrap)| of_lookup(lookup(0, &[&[7, 8, 9, 1, 2]], &[0, 0]), change);
        let of = |other: Step| {
            let first = of_lookup(lookup(0, &[&[1, 2, 3]], &[0, 0]), |bootstrap| bootstrap.tolerance = 4);
            let server = server(2, vec![first, other, combine(&[1, 2], &[3, 4], 2, SPACING)], 2, SPACING);
            let two_sets = vec![wide(), wide()];
            events(&Server { parameters: two_sets, ..server }).unwrap()
        };
        let found = of(second(|bootstrap| (bootstrap.tolerance, bootstrap.lookup) = (2, 5)));
        assert_eq!(found.len(), 2);
        let reading = &found[0];
        assert_eq!((reading.tolerance, reading.rotations, reading.count, reading.width), (2, 2, 2, 3));
        assert_eq!(reading.lookups, [0, 5]);
        // Two tables are two sources all the same.
        assert_eq!(found[1].norm2_squared_bootstraps, [25.0, 0.0]);
        for other in [
            second(|bootstrap| bootstrap.key = 1),
            second(|bootstrap| bootstrap.extension = 1),
            second(|bootstrap| bootstrap.tables[0].lo = 1),
        ] {
            assert_eq!(of(other).len(), 3);
        }
        assert_eq!(of(second(|bootstrap| bootstrap.key = 1))[2].norm2_squared_bootstraps, [9.0, 16.0]);
    }

    #[test]
    fn a_center_makes_another_source() {
        let first = lookup(0, &[&[1, 2]], &[0]);
        let twice = |second: Step| {
            norms(&server(1, vec![first.clone(), second, combine(&[1, 2], &[1, 1], 1, SPACING)], 1, SPACING))
                .1
        };
        assert_eq!(twice(first.clone()), 4.0);
        assert_eq!(twice(of_lookup(first.clone(), |bootstrap| bootstrap.centers = vec![3])), 2.0);
    }

    #[test]
    fn inputs_of_a_sum_have_spacings_of_their_own() {
        let wide = linear(&[0], &[&[1, 0], &[0, 1]], 4 * SPACING);
        let sum = linear(&[0, 1], &[&[1, 0, 0, 3]], 8 * SPACING);
        assert_eq!(
            norms(&server(2, vec![wide.clone(), sum], 1, 8 * SPACING)),
            (8.0f64.powi(2) + 24f64.powi(2), 0.0)
        );
        let elementwise = combine(&[0, 1], &[-4, 1], 2, 4 * SPACING);
        assert_eq!(norms(&server(2, vec![wide, elementwise], 2, 4 * SPACING)), (12f64.powi(2), 0.0));
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
