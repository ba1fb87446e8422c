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
        let mut clock = Clock { machine: self, sets, size, samples, nanoseconds: 0.0, complete: true };
        let inputs = server.server().inputs.iter().map(|port| port.elements()).collect();
        // The clock itself refuses nothing.
        server.walk(&mut clock, inputs).ok()?;
        // Results that are returned under a small key.
        for port in &server.server().outputs {
            if let Some(set) = port.returned.as_ref().and_then(|returned| returned.key) {
                clock.keyswitches(&sets[set as usize], port.elements() * samples);
            }
        }
        clock.complete.then_some(clock.nanoseconds * 1e-9)
    }
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

impl Clock<'_> {
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
        let (mut switched, mut rotated) = (BTreeMap::new(), BTreeMap::new());
        for (phase, count) in phases {
            let count = **count * self.samples;
            *switched.entry(phase.first().reading.key()).or_default() += count;
            let class = (phase.first().reading.key(), phase.first().reading.extension());
            *rotated.entry(class).or_default() += count * phase.rotations_of_element();
        }
        let sets = self.sets;
        for (key, count) in switched {
            self.keyswitches(&sets[key as usize], count);
        }
        let mut tasks = Vec::new();
        for ((key, extension), count) in rotated {
            let set = &sets[key as usize];
            let batch = batch_size(count, largest_pass(set.glwe_shape(), extension), self.threads());
            for count in batches(count, batch) {
                match self.machine.bootstrap_batch(set, extension, count) {
                    Some(nanoseconds) => tasks.push(nanoseconds),
                    None => self.complete = false,
                }
            }
        }
        self.add(tasks);
        Ok(phases
            .iter()
            .map(|(phase, _)| phase.steps().iter().map(|step| step.reading.results()).collect())
            .collect())
    }
}
