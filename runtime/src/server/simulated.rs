//! Execution on phases: what the ciphertexts decrypt to, with sampled noise of the predicted variance at every stage.
//!
//! Nothing is decided by a coin on the result: a lookup fails here when its phase crosses into another slot of the very
//! test polynomial that the encrypted execution reads.

use super::{BootstrapStep, CheckedServer, Error, Executor, LinearStep, TestPolynomial};
use crate::client::encoding::{decode, encode};
use crate::program::message::ParameterSet;
use crate::units::Variance;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// Phases of one sample.
pub struct Simulated<'a> {
    parameters: &'a ParameterSet,
    random: ChaCha8Rng,
}

impl CheckedServer<'_> {
    /// Runs one sample: one list of integers for each input, and for each output. The seed decides the noise.
    ///
    /// # Errors
    /// [`Error`] for inputs of another size.
    pub fn run_simulated(&self, inputs: &[Vec<i64>], seed: u64) -> Result<Vec<Vec<i64>>, Error> {
        self.expect_inputs(&inputs.iter().map(Vec::len).collect::<Vec<_>>())?;
        let mut executor = Simulated::new(self.parameters(), seed);
        let fresh = self.parameters().fresh_variance();
        let ports = self.server().inputs.iter();
        let phases = ports.zip(inputs).map(|(port, values)| {
            let encrypt = |value: &i64| executor.disturb(encode(*value, port.spacing), fresh);
            values.iter().map(encrypt).collect()
        });
        let phases = phases.collect();
        let results = self.walk(&mut executor, phases)?;
        let decrypted = self.server().outputs.iter().zip(&results).map(|(port, phases)| {
            let bounds = port.lo.iter().zip(&port.hi);
            phases
                .iter()
                .zip(bounds)
                .map(|(phase, (lo, hi))| decode(*phase, port.spacing, *lo, *hi))
                .collect()
        });
        Ok(decrypted.collect())
    }
}

impl<'a> Simulated<'a> {
    /// The seed decides all noise.
    #[must_use]
    pub fn new(parameters: &'a ParameterSet, seed: u64) -> Self {
        Self { parameters, random: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// Adds Gaussian noise of this variance to a phase.
    fn disturb(&mut self, phase: u64, variance: Variance) -> u64 {
        let sample: f64 = StandardNormal.sample(&mut self.random);
        let noise = sample * variance.std_dev() * 64f64.exp2();
        // Noise of many turns is as good as any.
        phase.wrapping_add(noise as i128 as u64)
    }
}

impl Executor for Simulated<'_> {
    type Value = Vec<u64>;

    fn linear(&mut self, step: &LinearStep<'_>, inputs: &[&Vec<u64>]) -> Result<Vec<u64>, Error> {
        let input: Vec<u64> = inputs.iter().flat_map(|input| input.iter().copied()).collect();
        let row = |(element, bias): (usize, &i64)| {
            let products = step.row(element).iter().zip(&input);
            let sum = products
                .fold(0u64, |sum, (weight, phase)| sum.wrapping_add((*weight as u64).wrapping_mul(*phase)));
            sum.wrapping_mul(step.factor).wrapping_add(encode(*bias, step.linear.spacing))
        };
        Ok(step.linear.bias.iter().enumerate().map(row).collect())
    }

    fn bootstrap(&mut self, step: &BootstrapStep<'_>, input: &Vec<u64>) -> Result<Vec<u64>, Error> {
        let set = self.parameters;
        let polynomials = step.test_polynomials(set);
        let log2_positions = set.log2_positions(step.bootstrap.extension);
        let arriving = set.keyswitch_variance() + set.modulus_switch_variance(step.bootstrap.extension);
        let leaving = set.bootstrap_variance();
        let read = |(phase, table): (&u64, &u32)| {
            let phase = phase.wrapping_add(step.offset(*table));
            let phase = self.disturb(phase, arriving);
            let position = phase.wrapping_add(1 << (63 - log2_positions)) >> (64 - log2_positions);
            self.disturb(polynomials[*table as usize].at(position as usize), leaving)
        };
        Ok(input.iter().zip(&step.bootstrap.table_of).map(read).collect())
    }
}

impl BootstrapStep<'_> {
    /// One test polynomial for each table.
    pub(super) fn test_polynomials(&self, set: &ParameterSet) -> Vec<TestPolynomial> {
        let log2_positions = set.log2_positions(self.bootstrap.extension);
        let spread =
            |table| TestPolynomial::new(table, self.input_spacing, self.bootstrap.spacing, log2_positions);
        self.bootstrap.tables.iter().map(spread).collect()
    }

    /// What moves the first entry of a table to phase 0.
    pub(super) fn offset(&self, table: u32) -> u64 {
        encode(self.bootstrap.tables[table as usize].lo, self.input_spacing).wrapping_neg()
    }
}
