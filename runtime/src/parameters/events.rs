//! The events of a program's failure ledger, recomputed from the steps of its server.
//!
//! Every ciphertext is followed as an exact combination of independent sources of noise: the encrypted inputs, and the
//! results of bootstraps. A value that is used twice counts with the sum of its weights, not with the sum of their squares.
//! Several results of one rotation are sources that are correlated: see [`noise::rotation_norm2_squared`].

use super::combination::{Combination, Sum};
use super::noise;
use crate::program::message::{
    Action, Bootstrap, Combine, Compare, Event, Linear, ParameterSet, Server, Step,
};
use crate::program::{Invalid, PhaseId, Reading};
use crate::reference::message::Table;
use crate::units::{Width, tables_of_rotation};
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
    /// One of several results of a rotation: the number of that, and the place of the result.
    Part(u32, u64),
}

/// One blind rotation that several results are taken from.
#[derive(Clone, Copy)]
struct Rotation {
    key: u32,
    /// Half turns from one place to the next. Places of comparisons are slots of the input, those of tables that share a rotation
    /// are coefficients.
    unit: f64,
}

/// Follows the noise through the steps.
struct Follow {
    /// Spacing of every value.
    spacings: Vec<u64>,
    values: Vec<Vec<Combination>>,
    sources: Vec<Source>,
    rotations: Vec<Rotation>,
    /// For each key set the share of a rotation's noise that its results have in common.
    shares: Vec<f64>,
    /// For each key set half turns from one coefficient to the next.
    coefficients: Vec<f64>,
    /// Which source a bootstrap of this ciphertext by this table is, or which rotation several results are taken from.
    known: BTreeMap<[u8; blake3::OUT_LEN], u32>,
    /// Which source a place of a rotation is.
    places: BTreeMap<(u32, u64), u32>,
    limits: Limits,
}

fn events_within(server: &Server, limits: Limits) -> Result<Vec<Event>, Invalid> {
    server.check()?;
    let ciphertexts = server.values()?;
    let spacings = ciphertexts.iter().map(|value| value.spacing).collect();
    let mut follow = Follow {
        spacings,
        values: Vec::new(),
        sources: Vec::new(),
        rotations: Vec::new(),
        shares: server.parameters.iter().map(ParameterSet::correlated_share).collect(),
        coefficients: server.parameters.iter().map(|set| f64::from(set.polynomial_size).recip()).collect(),
        known: BTreeMap::new(),
        places: BTreeMap::new(),
        limits,
    };
    for value in &ciphertexts[..server.inputs.len()] {
        let fresh =
            (0..value.count).map(|_| Combination::source(follow.next_source(Source::Input))).collect();
        follow.values.push(fresh);
    }
    let mut events: Vec<Event> = Vec::new();
    let mut phases: BTreeMap<PhaseId, Phase<'_>> = BTreeMap::new();
    for reading in server.steps.iter().filter_map(Step::reading) {
        phases.entry(reading.phase()).or_default().readers.push(reading);
    }
    for (index, step) in server.steps.iter().enumerate() {
        let refuse = |what| Invalid::Step { index, node: step.node.clone(), what };
        if let Some(reading) = step.reading() {
            let phase = phases.entry(reading.phase()).or_default();
            let event = *phase.event.get_or_insert(events.len());
            if event == events.len() {
                events.push(follow.reading(&step.node, reading));
            }
            phase.followed += 1;
            add_reader(&mut events[event], reading, phase.followed);
        }
        let result = match &step.action {
            Some(Action::Linear(linear)) => follow.linear(linear).map_err(refuse)?,
            Some(Action::Combine(combine)) => follow.combine(combine).map_err(refuse)?,
            Some(Action::Bootstrap(bootstrap)) if bootstrap.extension < 0 => {
                follow.shared(&phases[&Reading::Tables(bootstrap).phase()])
            }
            Some(Action::Bootstrap(bootstrap)) => follow.bootstrap(bootstrap),
            Some(Action::Compare(compare)) => follow.compare(compare),
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

/// One phase.
#[derive(Default)]
struct Phase<'a> {
    /// All that read it, in order.
    readers: Vec<Reading<'a>>,
    /// How many of them were followed.
    followed: usize,
    /// The number of its event, where that is known.
    event: Option<usize>,
}

/// One more bootstrap reads the event's phase, with which there are so many: what is an error for any of them is one for all.
fn add_reader(event: &mut Event, reading: Reading<'_>, readers: usize) {
    let entries = i64::try_from(reading.entries()).unwrap_or(i64::MAX);
    event.width = event.width.max(Width::of_range(1, entries.max(1)).0);
    event.tolerance = event.tolerance.min(reading.tolerance());
    event.compares |= reading.compares();
    event.rotations = reading.rotations_of(readers) as u32;
    let lookup = reading.lookup();
    if let Err(place) = event.lookups.binary_search(&lookup) {
        event.lookups.insert(place, lookup);
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
                rotation_digest(&tables[*table as usize], Reading::Tables(bootstrap), spacings, element)
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

    /// The bootstrap of this phase that was followed last, which may share its rotation with another.
    fn shared(&mut self, phase: &Phase<'_>) -> Vec<Combination> {
        let together = tables_of_rotation(ParameterSet::SHARED);
        let (last, place) = (phase.followed - 1, (phase.followed - 1) % together);
        let sharing = &phase.readers[last - place..phase.readers.len().min(last - place + together)];
        let reading = phase.readers[last];
        let input = reading.input() as usize;
        let keys: Vec<_> = (0..reading.elements())
            .map(|element| {
                let tables = sharing.iter().filter_map(|reading| match reading {
                    Reading::Tables(bootstrap) => {
                        let table = reading.table_of(element);
                        Some((
                            digest(&bootstrap.tables[table], bootstrap.center(table as u32)),
                            bootstrap.spacing,
                        ))
                    }
                    Reading::Comparisons(_) => None,
                });
                let polynomial: Vec<u8> = tables
                    .flat_map(|(table, spacing)| table.into_iter().chain(spacing.to_le_bytes()))
                    .collect();
                let spacings = [self.spacings[input], 0];
                rotation_digest(&polynomial, reading, spacings, &self.values[input][element])
            })
            .collect();
        let unit = self.coefficients[reading.key() as usize];
        let parts = keys.into_iter().map(|key| {
            let rotation = self.rotation(key, Rotation { key: reading.key(), unit });
            Combination::source(self.part(rotation, place as u64))
        });
        parts.collect()
    }

    /// The number of the rotation of this name.
    fn rotation(&mut self, name: [u8; blake3::OUT_LEN], rotation: Rotation) -> u32 {
        let next = self.rotations.len() as u32;
        let number = *self.known.entry(name).or_insert(next);
        if number == next {
            self.rotations.push(rotation);
        }
        number
    }

    /// The source that a place of a rotation is.
    fn part(&mut self, rotation: u32, place: u64) -> u32 {
        if let Some(source) = self.places.get(&(rotation, place)) {
            return *source;
        }
        let source = self.next_source(Source::Part(rotation, place));
        self.places.insert((rotation, place), source);
        source
    }

    /// Whatever the thresholds are, the rotation is the same, and a threshold of one rotation is one source.
    fn compare(&mut self, compare: &Compare) -> Vec<Combination> {
        let spacings = [self.spacings[compare.input as usize], compare.spacing];
        let elements = self.values[compare.input as usize].iter().zip(&compare.elements);
        let keys: Vec<_> = elements
            .map(|(element, comparisons)| {
                let first = comparisons.lo.to_le_bytes();
                rotation_digest(&first, Reading::Comparisons(compare), spacings, element)
            })
            .collect();
        let mut results = Vec::new();
        for (key, comparisons) in keys.into_iter().zip(&compare.elements) {
            let unit = spacings[0] as f64 * (-63f64).exp2();
            let rotation = self.rotation(key, Rotation { key: compare.key, unit });
            for threshold in &comparisons.thresholds {
                let above = threshold.abs_diff(comparisons.lo);
                results.push(Combination::source(self.part(rotation, above)));
            }
        }
        results
    }

    /// The event of a phase, before its readers.
    fn reading(&self, node: &str, reading: Reading<'_>) -> Event {
        let input = reading.input();
        let event = Event {
            node: node.to_owned(),
            extension: Some(reading.extension()),
            spacing: self.spacings[input as usize],
            key: reading.key(),
            tolerance: reading.tolerance(),
            ..Event::default()
        };
        self.with_noise(event, input)
    }

    /// Fills in how many elements the value has, and their largest norms.
    fn with_noise(&self, event: Event, value: u32) -> Event {
        let elements = &self.values[value as usize];
        let mut largest = vec![0f64; 1 + self.shares.len()];
        for element in elements {
            for (largest, norm) in largest.iter_mut().zip(self.norms2_squared(element)) {
                *largest = largest.max(norm);
            }
        }
        Event {
            count: elements.len() as u32,
            norm2_squared_inputs: largest[0],
            norm2_squared_bootstraps: largest.split_off(1),
            ..event
        }
    }

    /// Of one ciphertext: on inputs, then on the results of each key set.
    fn norms2_squared(&self, element: &Combination) -> Vec<f64> {
        let mut norms = vec![0.0; 1 + self.shares.len()];
        let mut parts: BTreeMap<u32, Vec<(u64, f64)>> = BTreeMap::new();
        for (source, weight) in &element.terms {
            let weight = *weight as f64;
            match self.sources[*source as usize] {
                Source::Input => norms[0] += weight * weight,
                Source::Bootstrap(key) => norms[1 + key as usize] += weight * weight,
                Source::Part(rotation, place) => parts.entry(rotation).or_default().push((place, weight)),
            }
        }
        for (rotation, mut terms) in parts {
            let Rotation { key, unit } = self.rotations[rotation as usize];
            terms.sort_unstable_by_key(|(place, _)| *place);
            // Positions of thresholds are half a slot below them, all alike.
            let place = |(place, weight): &(u64, f64)| (*place as f64 * unit, *weight);
            let places: Vec<(f64, f64)> = terms.iter().map(place).collect();
            norms[1 + key as usize] += noise::rotation_norm2_squared(&places, self.shares[key as usize]);
        }
        norms
    }
}

/// Names the rotation of a ciphertext: `polynomial` says what is rotated.
fn rotation_digest(
    polynomial: &[u8],
    reading: Reading<'_>,
    spacings: [u64; 2],
    element: &Combination,
) -> [u8; blake3::OUT_LEN] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[u8::from(reading.compares())]).update(polynomial);
    hasher.update(&reading.extension().to_le_bytes()).update(&reading.key().to_le_bytes());
    for word in spacings.iter().chain([&element.constant]) {
        hasher.update(&word.to_le_bytes());
    }
    for (source, weight) in &element.terms {
        hasher.update(&source.to_le_bytes()).update(&weight.to_le_bytes());
    }
    *hasher.finalize().as_bytes()
}

fn digest(table: &Table, center: i64) -> [u8; blake3::OUT_LEN] {
    let mut hasher = blake3::Hasher::new();
    for word in [center, table.lo].iter().chain(&table.values) {
        hasher.update(&word.to_le_bytes());
    }
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests;
