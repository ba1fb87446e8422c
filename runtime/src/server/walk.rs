//! A checked program, and the walk over its steps that all executors share.

use super::values::Values;
use super::{BootstrapStep, CombineStep, Error, Executor, LinearStep, Phase};
use crate::parameters::ledger;
use crate::program::message::{Action, Combine, Linear, ParameterSet, Server, Step};
use crate::program::{Ciphertexts, Invalid, PhaseId, Reading};
use crate::units::accumulators;
use std::collections::BTreeMap;

/// Most coefficients of a test polynomial.
const LARGEST_POLYNOMIAL: usize = 1 << 20;

/// Most coefficients of all test polynomials of a program: 4 GiB.
const MAX_COEFFICIENTS: u64 = 1 << 29;

/// Most bytes of the ciphertexts of one value of one sample.
const LARGEST_VALUE: u64 = 1 << 34;

/// A server's program that is safe to run: every index, length and spacing was checked.
pub struct CheckedServer<'a> {
    server: &'a Server,
    values: Vec<Ciphertexts>,
    hash: [u8; 32],
}

impl<'a> CheckedServer<'a> {
    /// Checks a program, so that running it neither panics nor allocates beyond its size.
    ///
    /// # Errors
    /// [`Error::Program`] names what does not hold.
    pub fn new(server: &'a Server) -> Result<Self, Error> {
        server.check()?;
        let checked = Self { server, values: server.values()?, hash: server.hash() };
        // The check wants a set, and all of them to have the same big key.
        let ciphertext = 8 * (server.parameters[0].big_dimension().0 as u64 + 1);
        if checked.values.iter().any(|value| value.count as u64 > LARGEST_VALUE / ciphertext) {
            return Err(
                Invalid::Mismatch { what: "a value has more ciphertexts than fit into memory" }.into()
            );
        }
        let mut coefficients = 0;
        for (index, step) in server.steps.iter().enumerate() {
            if let Some(reading) = step.reading() {
                let refuse = |what| Invalid::Step { index, node: step.node.clone(), what };
                checked.check_positions(reading).map_err(refuse)?;
                let set = &server.parameters[reading.key() as usize];
                coefficients += reading.coefficients(set.polynomial_size);
                if coefficients > MAX_COEFFICIENTS {
                    return Err(refuse("its tables and those before do not fit into memory").into());
                }
            }
        }
        Ok(checked)
    }

    fn check_positions(&self, reading: Reading<'_>) -> Result<(), &'static str> {
        let set = &self.server.parameters[reading.key() as usize];
        let extension = reading.extension();
        if set.polynomial_size as usize * accumulators(extension) > LARGEST_POLYNOMIAL {
            return Err("too many accumulators");
        }
        let spacing = self.values[reading.input() as usize].spacing;
        let boundaries = ledger::boundary_extension(reading.compares(), extension);
        if ledger::reading_tolerance(spacing, reading.tolerance(), set, boundaries) <= 0.0 {
            return Err("its input has more slots than the bootstrap can tell apart");
        }
        Ok(())
    }

    /// The program.
    #[must_use]
    pub fn server(&self) -> &'a Server {
        self.server
    }

    /// The key sets; at least one.
    #[must_use]
    pub fn parameters(&self) -> &'a [ParameterSet] {
        &self.server.parameters
    }

    /// What keys and ciphertexts must carry.
    #[must_use]
    pub fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// Number and spacing of each value.
    #[must_use]
    pub fn values(&self) -> &[Ciphertexts] {
        &self.values
    }

    /// Blind rotations of one inference.
    #[must_use]
    pub fn rotations(&self) -> usize {
        let mut readers: BTreeMap<PhaseId, (Reading<'_>, usize)> = BTreeMap::new();
        for reading in self.server.steps.iter().filter_map(Step::reading) {
            readers.entry(reading.phase()).or_insert((reading, 0)).1 += 1;
        }
        readers.values().map(|(reading, steps)| reading.elements() * reading.rotations_of(*steps)).sum()
    }

    /// Refuses inputs of another number or size than the program's; `found` is the size of each.
    pub(crate) fn expect_inputs(&self, found: &[usize]) -> Result<(), Error> {
        let expected = self.server.inputs.len();
        if found.len() != expected {
            return Err(Error::InputCount { found: found.len(), expected });
        }
        for (port, found) in self.server.inputs.iter().zip(found) {
            if *found != port.elements() {
                let expected = port.elements();
                return Err(Error::InputSize { name: port.name.clone(), found: *found, expected });
            }
        }
        Ok(())
    }

    /// Takes one value for each input through all steps; gives one value for each output.
    ///
    /// Steps run in waves: first the linear ones that wait for no bootstrap, then together all bootstraps that can run. A wave
    /// ends for all of its bootstraps at once: where one branch of a network is deeper than another, or one form of a lookup has
    /// more stages, a thread without work waits for the end of the wave, and what could already go on waits too.
    ///
    /// # Errors
    /// What the executor says. The inputs' sizes are the caller's matter.
    pub fn walk<E: Executor>(&self, executor: &mut E, inputs: Vec<E::Value>) -> Result<Vec<E::Value>, Error> {
        let mut values = Values::new(self.server, inputs);
        for wave in self.waves() {
            for (index, step) in wave.linear {
                let inputs: Vec<_> = step.inputs().iter().map(|value| values.get(*value)).collect();
                let node = &self.server.steps[index].node;
                let result = match step {
                    Cheap::Linear(linear) => executor.linear(&self.linear_step(node, linear), &inputs)?,
                    Cheap::Combine(combine) => {
                        executor.combine(&self.combine_step(node, combine), &inputs)?
                    }
                };
                values.set(self.server.inputs.len() + index, result);
                values.release(step.inputs());
            }
            let phases = self.phases(&wave.bootstraps);
            let (members, phases): (Vec<_>, Vec<_>) = phases
                .into_iter()
                .map(|(members, phase)| {
                    let input = phase.first().reading.input();
                    (members, (phase, values.get(input)))
                })
                .unzip();
            let results = executor.bootstraps(&phases)?;
            for (index, result) in members.into_iter().flatten().zip(results.into_iter().flatten()) {
                values.set(self.server.inputs.len() + index, result);
            }
            wave.bootstraps.iter().for_each(|(_, reading)| values.release(&[reading.input()]));
        }
        Ok(self.server.output_values.iter().map(|value| values.get(*value).clone()).collect())
    }

    /// Bootstraps by the phases that they read, in the order of the first of each; with the positions of their steps.
    fn phases<'s>(&'s self, bootstraps: &[(usize, Reading<'s>)]) -> Vec<(Vec<usize>, Phase<'s>)> {
        let mut phases: Vec<(Vec<usize>, Phase<'s>)> = Vec::new();
        let mut known = BTreeMap::new();
        for (index, reading) in bootstraps {
            let step = BootstrapStep {
                node: &self.server.steps[*index].node,
                reading: *reading,
                input_spacing: self.values[reading.input() as usize].spacing,
                spacing: self.values[self.server.inputs.len() + index].spacing,
                set: &self.server.parameters[reading.key() as usize],
            };
            match known.get(&reading.phase()) {
                None => {
                    known.insert(reading.phase(), phases.len());
                    phases.push((vec![*index], Phase::new(step)));
                }
                Some(place) => {
                    let (members, phase): &mut (Vec<usize>, Phase<'s>) = &mut phases[*place];
                    members.push(*index);
                    phase.add(step);
                }
            }
        }
        phases
    }

    /// The steps by how many bootstraps lie on the longest way to them.
    fn waves(&self) -> Vec<Wave<'a>> {
        let mut depths = vec![0; self.server.inputs.len()];
        let mut waves: Vec<Wave<'a>> = Vec::new();
        for (index, step) in self.server.steps.iter().enumerate() {
            let depth = step.inputs().iter().map(|value| depths[*value as usize]).max().unwrap_or(0);
            waves.resize_with(waves.len().max(depth + 1), Wave::default);
            let wave = &mut waves[depth];
            depths.push(depth);
            if let Some(reading) = step.reading() {
                wave.bootstraps.push((index, reading));
                depths[self.server.inputs.len() + index] += 1;
            }
            match &step.action {
                Some(Action::Linear(linear)) => wave.linear.push((index, Cheap::Linear(linear))),
                Some(Action::Combine(combine)) => wave.linear.push((index, Cheap::Combine(combine))),
                Some(Action::Bootstrap(_) | Action::Compare(_)) => {}
                None => unreachable!("the check refuses steps without action"),
            }
        }
        waves
    }

    fn linear_step<'s>(&self, node: &'s str, linear: &'s Linear) -> LinearStep<'s> {
        let inputs = linear.inputs.iter().map(|value| self.values[*value as usize]);
        let factors = inputs
            .flat_map(|input| std::iter::repeat_n(linear.spacing / input.spacing, input.count))
            .collect();
        LinearStep { node, linear, factors }
    }

    fn combine_step<'s>(&self, node: &'s str, combine: &'s Combine) -> CombineStep<'s> {
        let on_torus = |(value, weight): (&u32, &i64)| {
            (*weight as u64).wrapping_mul(combine.spacing / self.values[*value as usize].spacing)
        };
        let torus_weights = combine.inputs.iter().zip(&combine.weights).map(on_torus).collect();
        CombineStep { node, combine, torus_weights }
    }
}

/// A step without bootstrap.
#[derive(Clone, Copy)]
enum Cheap<'a> {
    Linear(&'a Linear),
    Combine(&'a Combine),
}

impl<'a> Cheap<'a> {
    fn inputs(&self) -> &'a [u32] {
        match self {
            Self::Linear(linear) => &linear.inputs,
            Self::Combine(combine) => &combine.inputs,
        }
    }
}

/// Steps that can run one after the other, then steps that can run together; each with its index.
#[derive(Default)]
struct Wave<'a> {
    linear: Vec<(usize, Cheap<'a>)>,
    bootstraps: Vec<(usize, Reading<'a>)>,
}
