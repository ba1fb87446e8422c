//! Execution on ciphertexts.

use super::returns::shorten;
use super::rotations::{Class, Extracted, Rotated, rotate_all};
use super::steps::{Read, Rotations};
use super::{BootstrapStep, CheckedServer, CombineStep, Error, Executor, LinearStep, Phase, ServerKey};
use crate::client::bits;
use crate::client::encoding::encode;
use crate::client::shapes::{Shapes, modulus};
use crate::client::{EncryptedInputs, EncryptedOutputs, SeededList};
use crate::kernels::{Factors, Tiles};
use crate::parameters::outputs;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::Range;
use tfhe::core_crypto::commons::math::random::{CompressionSeed, Seed};
use tfhe::core_crypto::prelude::{LweSize, SeededLweCiphertextList};

/// Ciphertexts under the big key of all samples: sample by sample, in each the elements, in each mask and body.
#[derive(Clone)]
pub struct Lists {
    pub(super) words: Vec<u64>,
    pub(super) samples: usize,
}

/// Executor on ciphertexts of one or more samples. All of them go through each step together.
pub struct Encrypted<'a> {
    key: &'a ServerKey,
    /// Words of a ciphertext under the big key.
    size: LweSize,
    samples: usize,
    progress: &'a (dyn Fn(usize) + Sync),
}

impl CheckedServer<'_> {
    /// Runs all samples of the inputs, [`Self::samples_at_once`] of them together; `progress` is told each time how many
    /// bootstraps were finished, from any thread.
    ///
    /// # Errors
    /// [`Error`] for a key or inputs of another program.
    pub fn run_encrypted(
        &self,
        key: &ServerKey,
        inputs: &EncryptedInputs,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<EncryptedOutputs, Error> {
        self.run_encrypted_together(key, inputs, self.samples_at_once(), progress)
    }

    /// The same with a number of samples that go through the program together: memory grows with it, and small programs
    /// keep more threads busy.
    ///
    /// # Errors
    /// As [`Self::run_encrypted`].
    pub fn run_encrypted_together(
        &self,
        key: &ServerKey,
        inputs: &EncryptedInputs,
        together: NonZeroUsize,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<EncryptedOutputs, Error> {
        if key.program() != self.hash() {
            return Err(Error::OtherProgram { what: "the evaluation key" });
        }
        if inputs.program != *self.hash() {
            return Err(Error::OtherProgram { what: "the encrypted input" });
        }
        for lists in &inputs.samples {
            self.expect_inputs(&lists.iter().map(|list| list.bodies.len()).collect::<Vec<_>>())?;
        }
        let mut finished = EncryptedOutputs { program: *self.hash(), samples: Vec::new() };
        // The check wants a set, and all of them to have the same big key.
        let size = Shapes::new(&self.parameters()[0]).big_size();
        for samples in inputs.samples.chunks(together.get()) {
            let expanded = (0..self.server().inputs.len()).map(|port| expand(size, samples, port)).collect();
            let mut executor = Encrypted::new(key, size, samples.len(), progress);
            let results = self.walk(&mut executor, expanded)?;
            let ports = self.server().outputs.iter().map(|port| port.returned);
            let packed: Vec<Vec<Vec<u8>>> = results
                .into_iter()
                .zip(ports)
                .map(|(list, returned)| {
                    let bits = outputs::stored_bits(returned.as_ref());
                    let list = match returned {
                        Some(returned) => shorten(key, list, size, returned),
                        None => list,
                    };
                    (0..samples.len()).map(|sample| bits::pack(list.sample(sample), bits)).collect()
                })
                .collect();
            let of_sample = |sample: usize| packed.iter().map(|list| list[sample].clone()).collect();
            finished.samples.extend((0..samples.len()).map(of_sample));
        }
        Ok(finished)
    }
}

/// The masks of one input of all samples, from their seeds.
fn expand(size: LweSize, samples: &[Vec<SeededList>], port: usize) -> Lists {
    let expand = |list: &SeededList| {
        if list.bodies.is_empty() {
            return Vec::new();
        }
        let seed = CompressionSeed::from(Seed(list.seed));
        let list = SeededLweCiphertextList::from_container(list.bodies.as_slice(), size, seed, modulus());
        list.par_decompress_into_lwe_ciphertext_list().into_container()
    };
    Lists { words: samples.iter().flat_map(|lists| expand(&lists[port])).collect(), samples: samples.len() }
}

impl Lists {
    fn sample(&self, sample: usize) -> &[u64] {
        let length = self.words.len() / self.samples.max(1);
        &self.words[sample * length..(sample + 1) * length]
    }
}

impl Executor for Encrypted<'_> {
    type Value = Lists;

    fn linear(&mut self, step: &LinearStep<'_>, inputs: &[&Lists]) -> Result<Lists, Error> {
        let size = self.size.0;
        let rows = step.linear.rows as usize;
        let samples = self.samples;
        let weights = torus_weights(step);
        let mut words = vec![0; samples * rows * size];
        for (sample, words) in words.chunks_exact_mut((rows * size).max(1)).enumerate() {
            let ciphertexts: Vec<&[u64]> =
                inputs.iter().flat_map(|input| input.sample(sample).chunks_exact(size)).collect();
            Tiles::new(size, &ciphertexts).multiply(&weights, words);
            for (output, bias) in words.chunks_exact_mut(size).zip(&step.linear.bias) {
                let body = &mut output[size - 1];
                *body = body.wrapping_add(encode(*bias, step.linear.spacing));
            }
        }
        Ok(Lists { words, samples })
    }

    fn combine(&mut self, step: &CombineStep<'_>, inputs: &[&Lists]) -> Result<Lists, Error> {
        let (size, elements) = (self.size.0, step.combine.bias.len());
        let mut words = vec![0u64; self.samples * elements * size];
        words.par_chunks_exact_mut(size).enumerate().for_each(|(index, output)| {
            for (input, weight) in inputs.iter().zip(&step.torus_weights) {
                let ciphertext = &input.words[index * size..(index + 1) * size];
                for (sum, word) in output.iter_mut().zip(ciphertext) {
                    *sum = sum.wrapping_add(weight.wrapping_mul(*word));
                }
            }
            let bias = encode(step.combine.bias[index % elements], step.combine.spacing);
            output[size - 1] = output[size - 1].wrapping_add(bias);
        });
        Ok(Lists { words, samples: self.samples })
    }

    fn bootstraps(&mut self, phases: &[(Phase<'_>, &Lists)]) -> Result<Vec<Vec<Lists>>, Error> {
        let switched = self.switch_keys(phases);
        let rotations: Vec<Vec<Rotations>> = phases.par_iter().map(|(phase, _)| phase.rotations()).collect();
        let (samples, size) = (self.samples, self.size.0);
        let empty = |step: &BootstrapStep<'_>| Lists {
            words: vec![0; samples * step.reading.results() * size],
            samples,
        };
        let mut results: Vec<Vec<Lists>> =
            phases.iter().map(|(phase, _)| phase.steps().iter().map(empty).collect()).collect();
        let mut classes: BTreeMap<Class, Vec<Rotated<'_>>> = BTreeMap::new();
        let of_phases = phases.iter().zip(&rotations).zip(&mut results).enumerate();
        for (index, (((phase, _), rotations), results)) in of_phases {
            let first = phase.first().reading;
            let class = classes.entry((first.key(), first.extension())).or_default();
            let mut words: Vec<&mut [u64]> =
                results.iter_mut().map(|result| result.words.as_mut_slice()).collect();
            for rotations in rotations {
                let elements = (0..first.elements()).cycle();
                class.extend(switched.of_phase(index).zip(elements).map(|(small, element)| {
                    let (polynomial, reads) = rotations.of(element);
                    let extracted = |&Read { step, coefficient, added }: &Read| {
                        let (own, rest) = std::mem::take(&mut words[step]).split_at_mut(size);
                        words[step] = rest;
                        Extracted { coefficient, added, words: own }
                    };
                    Rotated { small, polynomial, outputs: reads.iter().map(extracted).collect() }
                }));
            }
        }
        rotate_all(self.key, classes, self.progress);
        Ok(results)
    }
}

/// Ciphertexts under small keys.
struct Keyswitched {
    /// For each set all of them, one after the other, and the size of each.
    of_set: BTreeMap<u32, (Vec<u64>, usize)>,
    /// For each phase its set, and which of those of the set are its own.
    places: Vec<(u32, Range<usize>)>,
}

impl Keyswitched {
    fn of_phase(&self, phase: usize) -> impl Iterator<Item = &[u64]> {
        let (set, place) = &self.places[phase];
        let (words, size) = &self.of_set[set];
        words[place.start * size..place.end * size].chunks_exact(*size)
    }
}

impl<'a> Encrypted<'a> {
    pub(super) fn new(
        key: &'a ServerKey,
        size: LweSize,
        samples: usize,
        progress: &'a (dyn Fn(usize) + Sync),
    ) -> Self {
        Self { key, size, samples, progress }
    }

    /// Keyswitches all elements of all samples, each moved to phase 0 as its phase says. One pass over a
    /// key serves the elements of many phases.
    fn switch_keys(&self, phases: &[(Phase<'_>, &Lists)]) -> Keyswitched {
        let mut inputs: BTreeMap<u32, Vec<(&[u64], u64)>> = BTreeMap::new();
        let mut places = Vec::with_capacity(phases.len());
        for (phase, input) in phases {
            let (set, elements) = (phase.first().reading.key(), phase.first().reading.elements());
            let of_set = inputs.entry(set).or_default();
            let first = of_set.len();
            let ciphertexts = input.words.chunks_exact(self.size.0).enumerate();
            of_set.extend(ciphertexts.map(|(index, words)| (words, phase.offset(index % elements))));
            places.push((set, first..of_set.len()));
        }
        let of_set = inputs.into_par_iter().map(|(set, inputs)| {
            let kernel = self.key.sets()[set as usize].keyswitch();
            let size = kernel.output_size();
            let mut words = kernel.switched(&inputs.iter().map(|(words, _)| *words).collect::<Vec<_>>());
            for (output, (_, offset)) in words.chunks_exact_mut(size).zip(inputs) {
                output[size - 1] = output[size - 1].wrapping_add(offset);
            }
            (set, (words, size))
        });
        Keyswitched { of_set: of_set.collect(), places }
    }
}

/// The weights of an affine map on phases.
fn torus_weights(step: &LinearStep<'_>) -> Factors {
    let rows = step.linear.rows as usize;
    let mut weights = Factors::zeros(rows, step.factors.len());
    weights.par_blocks().enumerate().for_each(|(block, weights)| {
        let first = block * Factors::BLOCK;
        for row in first..rows.min(first + Factors::BLOCK) {
            for (column, weight) in step.torus_row(row).enumerate() {
                weights[column * Factors::BLOCK + row - first] = weight as i64;
            }
        }
    });
    weights
}
