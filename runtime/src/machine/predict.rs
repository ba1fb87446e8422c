//! The time that a program will take: its steps walked as the server walks them, with costs in place of ciphertexts.

use super::{Machine, tiles};
use crate::kernels::{Factors, KeyswitchKernel, Tiles};
use crate::program::message::ParameterSet;
use crate::server::{
    CheckedServer, CombineStep, Error, Executor, LinearStep, Phase, batch_size, largest_pass,
};
use std::collections::BTreeMap;

impl Machine {
    /// Seconds of one inference on all threads; `None` where the table lacks a shape that the program uses.
    ///
    /// Steps, batches and their order are those of execution: a wave takes until its last thread is done.
    #[must_use]
    pub fn seconds(&self, server: &CheckedServer<'_>) -> Option<f64> {
        self.seconds_of_samples(server, 1)
    }

    /// The same for several samples that go through the program together.
    pub(super) fn seconds_of_samples(&self, server: &CheckedServer<'_>, samples: usize) -> Option<f64> {
        let size = server.parameters().first()?.big_dimension().0 + 1;
        let sets = server.parameters();
        let mut clock = Clock::new(self, sets, size, samples);
        let inputs = server.server().inputs.iter().map(|port| port.elements()).collect();
        // The clock itself refuses nothing.
        server.walk(&mut clock, inputs).ok()?;
        // Results that are returned under a small key.
        for port in &server.server().outputs {
            if let Some(set) = port.returned.as_ref().and_then(|returned| returned.key) {
                clock.keyswitches(&sets[set as usize], port.elements() * samples);
            }
        }
        clock.seconds()
    }

    /// Seconds of some bootstraps that run together; `None` where the table lacks a shape.
    ///
    /// # Panics
    /// For a wave of other key sets than these.
    #[must_use]
    pub fn wave_seconds(&self, sets: &[ParameterSet], wave: &Wave) -> Option<f64> {
        // No step of another kind, so no sizes.
        let mut clock = Clock::new(self, sets, 0, 1);
        clock.wave(wave);
        clock.seconds()
    }
}

/// Bootstraps that wait for nothing but what was made before all of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wave {
    /// For each key set how many ciphertexts are switched to its small key.
    pub keyswitches: BTreeMap<u32, usize>,
    /// For each key set and extension how many rotations there are.
    pub rotations: BTreeMap<(u32, i32), usize>,
}

/// Adds up what each step takes. A value is the number of its ciphertexts in one sample.
struct Clock<'a> {
    machine: &'a Machine,
    sets: &'a [ParameterSet],
    /// Words of a ciphertext under the big key.
    size: usize,
    samples: usize,
    nanoseconds: f64,
    /// Whether the table had everything so far.
    complete: bool,
}

impl<'a> Clock<'a> {
    fn new(machine: &'a Machine, sets: &'a [ParameterSet], size: usize, samples: usize) -> Self {
        Self { machine, sets, size, samples, nanoseconds: 0.0, complete: true }
    }

    fn seconds(&self) -> Option<f64> {
        self.complete.then_some(self.nanoseconds * 1e-9)
    }

    fn wave(&mut self, wave: &Wave) {
        let sets = self.sets;
        for (key, count) in &wave.keyswitches {
            self.keyswitches(&sets[*key as usize], *count);
        }
        let mut tasks = Vec::new();
        for ((key, extension), count) in &wave.rotations {
            let set = &sets[*key as usize];
            let batch = batch_size(*count, largest_pass(set.glwe_shape(), *extension), self.threads());
            for count in batches(*count, batch) {
                match self.machine.bootstrap_batch(set, *extension, count) {
                    Some(nanoseconds) => tasks.push(nanoseconds),
                    None => self.complete = false,
                }
            }
        }
        self.add(tasks);
    }

    fn threads(&self) -> usize {
        self.machine.threads as usize
    }

    /// Adds tasks that all threads share: each takes the longest that is left, until there is none.
    fn add(&mut self, mut tasks: Vec<f64>) {
        tasks.sort_by(|a, b| b.total_cmp(a));
        let mut busy = vec![0.0f64; self.threads().max(1)];
        for task in &tasks {
            let free = busy.iter_mut().min_by(|a, b| a.total_cmp(b)).expect("there is a thread");
            *free += task;
        }
        let slowdown = if tasks.len() > 1 && busy.len() > 1 { self.machine.together } else { 1.0 };
        self.nanoseconds += busy.into_iter().fold(0.0, f64::max) * slowdown;
    }

    fn keyswitches(&mut self, set: &ParameterSet, count: usize) {
        let digits = self.machine.keyswitch_digits(set);
        for count in batches(count, KeyswitchKernel::batch(count)) {
            self.add(batches(count, Factors::BLOCK).map(|lines| lines as f64 * digits).collect());
            self.add(vec![self.machine.keyswitch_tile(set, count); tiles(set)]);
        }
    }
}

/// The sizes of batches of which all but the last are full.
fn batches(count: usize, batch: usize) -> impl Iterator<Item = usize> {
    (0..count).step_by(batch).map(move |first| batch.min(count - first))
}

impl Executor for Clock<'_> {
    type Value = usize;

    fn linear(&mut self, step: &LinearStep<'_>, inputs: &[&usize]) -> Result<usize, Error> {
        let costs = self.machine.linear;
        let rows = step.linear.rows as usize;
        let columns = inputs.iter().copied().sum::<usize>() as f64;
        let lines = rows.next_multiple_of(Factors::BLOCK) as f64;
        let word =
            columns * (costs.input_word + lines * costs.multiply_add) + rows as f64 * costs.output_word;
        let tiles = self.size.div_ceil(Tiles::COLUMNS);
        for _ in 0..self.samples {
            self.add(vec![Tiles::COLUMNS as f64 * word; tiles]);
        }
        Ok(rows)
    }

    fn combine(&mut self, step: &CombineStep<'_>, inputs: &[&usize]) -> Result<usize, Error> {
        let elements = step.combine.bias.len();
        let one = self.size as f64 * inputs.len() as f64 * self.machine.linear.combined_word;
        let shares =
            batches(self.samples * elements, (self.samples * elements).div_ceil(self.threads()).max(1));
        self.add(shares.map(|count| count as f64 * one).collect());
        Ok(elements)
    }

    fn bootstraps(&mut self, phases: &[(Phase<'_>, &usize)]) -> Result<Vec<Vec<usize>>, Error> {
        let mut wave = Wave::default();
        for (phase, count) in phases {
            let count = **count * self.samples;
            let (key, extension) = (phase.first().reading.key(), phase.first().reading.extension());
            *wave.keyswitches.entry(key).or_default() += count;
            *wave.rotations.entry((key, extension)).or_default() += count * phase.rotations_of_element();
        }
        self.wave(&wave);
        Ok(phases
            .iter()
            .map(|(phase, _)| phase.steps().iter().map(|step| step.reading.results()).collect())
            .collect())
    }
}
