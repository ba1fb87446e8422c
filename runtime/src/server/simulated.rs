//! Execution on phases: what the ciphertexts decrypt to, with sampled noise of the predicted variance at every stage.
//!
//! Nothing is decided by a coin on the result: a lookup fails here when its phase crosses into another slot of the very
//! test polynomial that the encrypted execution reads.

use super::{BootstrapStep, CheckedServer, CombineStep, Error, Executor, LinearStep, Phase, TestPolynomial};
use crate::client::encoding::{decode, encode};
use crate::parameters::{key_sets, outputs};
use crate::units::Variance;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

/// Phases of one sample.
pub struct Simulated {
    random: ChaCha8Rng,
}

impl CheckedServer<'_> {
    /// Runs one sample: one list of integers for each input, and for each output. The seed decides the noise.
    ///
    /// # Errors
    /// [`Error`] for inputs of another size.
    pub fn run_simulated(&self, inputs: &[Vec<i64>], seed: u64) -> Result<Vec<Vec<i64>>, Error> {
        self.expect_inputs(&inputs.iter().map(Vec::len).collect::<Vec<_>>())?;
        let mut executor = Simulated::new(seed);
        let fresh = key_sets::fresh_variance(self.parameters());
        let ports = self.server().inputs.iter();
        let phases = ports.zip(inputs).map(|(port, values)| {
            let encrypt = |value: &i64| executor.disturb(encode(*value, port.spacing), fresh);
            values.iter().map(encrypt).collect()
        });
        let phases = phases.collect();
        let results = self.walk(&mut executor, phases)?;
        let decrypted = self.server().outputs.iter().zip(&results).map(|(port, phases)| {
            let bounds = port.lo.iter().zip(&port.hi);
            let added = outputs::added_variance(port.returned.as_ref(), self.parameters());
            let read = |(phase, (lo, hi)): (&u64, (&i64, &i64))| {
                decode(executor.disturb(*phase, added), port.spacing, *lo, *hi)
            };
            phases.iter().zip(bounds).map(read).collect()
        });
        Ok(decrypted.collect())
    }
}

impl Simulated {
    /// The seed decides all noise.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { random: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// Adds Gaussian noise of this variance to a phase.
    fn disturb(&mut self, phase: u64, variance: Variance) -> u64 {
        let sample: f64 = StandardNormal.sample(&mut self.random);
        let noise = sample * variance.std_dev() * 64f64.exp2();
        // Noise of many turns is as good as any.
        phase.wrapping_add(noise as i128 as u64)
    }
}

impl Executor for Simulated {
    type Value = Vec<u64>;

    fn linear(&mut self, step: &LinearStep<'_>, inputs: &[&Vec<u64>]) -> Result<Vec<u64>, Error> {
        let input: Vec<u64> = inputs.iter().flat_map(|input| input.iter().copied()).collect();
        let row = |(element, bias): (usize, &i64)| {
            let bias = encode(*bias, step.linear.spacing);
            sum(bias, step.torus_row(element).zip(input.iter().copied()))
        };
        Ok(step.linear.bias.iter().enumerate().map(row).collect())
    }

    fn combine(&mut self, step: &CombineStep<'_>, inputs: &[&Vec<u64>]) -> Result<Vec<u64>, Error> {
        let element = |(element, bias): (usize, &i64)| {
            let phases = inputs.iter().map(|input| input[element]);
            let bias = encode(*bias, step.combine.spacing);
            sum(bias, step.torus_weights.iter().copied().zip(phases))
        };
        Ok(step.combine.bias.iter().enumerate().map(element).collect())
    }

    fn bootstraps(&mut self, phases: &[(Phase<'_>, &Vec<u64>)]) -> Result<Vec<Vec<Vec<u64>>>, Error> {
        Ok(phases.iter().map(|(phase, input)| self.read(phase, input)).collect())
    }
}

impl Simulated {
    /// One noise for each element at the modulus switch, whatever reads it there; one more for each result.
    fn read(&mut self, phase: &Phase<'_>, input: &[u64]) -> Vec<Vec<u64>> {
        let (set, extension) = (phase.first().set, phase.first().bootstrap.extension);
        let log2_positions = set.log2_positions(extension);
        let arriving = set.keyswitch_variance() + set.modulus_switch_variance(extension);
        let positions: Vec<usize> = input
            .iter()
            .enumerate()
            .map(|(element, value)| {
                let read = self.disturb(value.wrapping_add(phase.offset(element)), arriving);
                (read.wrapping_add(1 << (63 - log2_positions)) >> (64 - log2_positions)) as usize
            })
            .collect();
        let leaving = set.bootstrap_variance();
        let results = phase.steps().iter().map(|step| {
            let polynomials = step.test_polynomials();
            let tables = positions.iter().zip(&step.bootstrap.table_of);
            tables.map(|(at, table)| self.disturb(polynomials[*table as usize].read(*at), leaving)).collect()
        });
        results.collect()
    }
}

/// `bias + sum of weight * phase` on the torus.
fn sum(bias: u64, terms: impl Iterator<Item = (u64, u64)>) -> u64 {
    terms.fold(bias, |sum, (weight, phase)| sum.wrapping_add(weight.wrapping_mul(phase)))
}

impl BootstrapStep<'_> {
    /// One test polynomial for each table.
    pub(super) fn test_polynomials(&self) -> Vec<TestPolynomial> {
        let log2_positions = self.set.log2_positions(self.bootstrap.extension);
        let spacings = [self.input_spacing, self.bootstrap.spacing];
        let spread = |(index, table)| {
            TestPolynomial::new(table, self.bootstrap.center(index as u32), spacings, log2_positions)
        };
        self.bootstrap.tables.par_iter().enumerate().map(spread).collect()
    }
}
