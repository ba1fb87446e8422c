//! Execution on phases: what the ciphertexts decrypt to, with sampled noise of the predicted variance at every stage.
//!
//! Nothing is decided by a coin on the result: a lookup fails here when its phase crosses into another slot of the very
//! test polynomial that the encrypted execution reads.

use super::bootstrap::Powers;
use super::steps::Read;
use super::{CheckedServer, CombineStep, Error, Executor, LinearStep, Phase};
use crate::client::encoding::{decode, encode};
#[cfg(doc)]
use crate::parameters::noise;
use crate::parameters::{key_sets, outputs};
use crate::program::message::ParameterSet;
use crate::units::Variance;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

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
        let phases = self.fresh_phases(&mut executor, inputs);
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

    /// What the client's ciphertexts decrypt to.
    pub(super) fn fresh_phases(&self, executor: &mut Simulated, inputs: &[Vec<i64>]) -> Vec<Vec<u64>> {
        let fresh = key_sets::fresh_variance(self.parameters());
        let ports = self.server().inputs.iter();
        let phases = ports.zip(inputs).map(|(port, values)| {
            let encrypt = |value: &i64| executor.disturb(encode(*value, port.spacing), fresh);
            values.iter().map(encrypt).collect()
        });
        phases.collect()
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
        phase.wrapping_add(scaled(self.normal(), variance))
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
    /// One noise for each element at the modulus switch, whatever reads it there; one more for each rotation.
    fn read(&mut self, phase: &Phase<'_>, input: &[u64]) -> Vec<Vec<u64>> {
        let (set, extension) = (phase.first().set, phase.first().reading.extension());
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
        let mut results: Vec<Vec<u64>> = phase.steps().iter().map(|_| Vec::new()).collect();
        let powers = Powers::of(extension);
        for rotations in phase.rotations() {
            for (element, at) in positions.iter().enumerate() {
                let (polynomial, reads) = rotations.of(element);
                for (read, noise) in reads.iter().zip(self.rotation(set, reads)) {
                    let value = polynomial.at(powers.front(*at, read.coefficient));
                    results[read.step].push(value.wrapping_add(read.added).wrapping_add(noise));
                }
            }
        }
        results
    }

    /// The noise of these results of one rotation: a part of its variance is theirs alone, and in the rest two of them
    /// are correlated as [`noise::correlated_share`] says. That is the process `2 W(x) - W(1)` of a random walk `W` over
    /// the coefficients.
    fn rotation(&mut self, set: &ParameterSet, reads: &[Read]) -> Vec<u64> {
        let (variance, size) = (set.bootstrap_variance(), f64::from(set.polynomial_size));
        if reads.len() == 1 {
            return vec![scaled(self.normal(), variance)];
        }
        let share = set.correlated_share();
        let mut order: Vec<usize> = (0..reads.len()).collect();
        order.sort_by_key(|place| reads[*place].coefficient);
        let (mut walk, mut before) = (0.0, 0.0);
        let mut walks = vec![0.0; reads.len()];
        for place in order {
            let at = reads[place].coefficient as f64 / size;
            walk += self.normal() * (at - before).max(0.0).sqrt();
            (walks[place], before) = (walk, at);
        }
        let end = walk + self.normal() * (1.0 - before).max(0.0).sqrt();
        let noise = |walk: f64| {
            let common = 2.0 * walk - end;
            let own = self.normal();
            scaled((1.0 - share).sqrt() * own + share.sqrt() * common, variance)
        };
        walks.into_iter().map(noise).collect()
    }

    fn normal(&mut self) -> f64 {
        StandardNormal.sample(&mut self.random)
    }
}

/// A sample of variance 1 as noise on the torus.
fn scaled(sample: f64, variance: Variance) -> u64 {
    // Noise of many turns is as good as any.
    (sample * variance.std_dev() * 64f64.exp2()) as i128 as u64
}

/// `bias + sum of weight * phase` on the torus.
fn sum(bias: u64, terms: impl Iterator<Item = (u64, u64)>) -> u64 {
    terms.fold(bias, |sum, (weight, phase)| sum.wrapping_add(weight.wrapping_mul(phase)))
}
