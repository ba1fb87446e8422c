//! Execution on ciphertexts.

use super::bootstrap::{Extended, rotate_batch};
use super::{BootstrapStep, CheckedServer, Error, Executor, LinearStep, ServerKey};
use crate::client::encoding::encode;
use crate::client::shapes::modulus;
use crate::client::{EncryptedInputs, EncryptedOutputs, SeededList};
use crate::kernels::{Factors, Tiles};
use crate::program::message::ParameterSet;
use rayon::prelude::*;
use tfhe::core_crypto::commons::math::random::{CompressionSeed, Seed};
use tfhe::core_crypto::prelude::SeededLweCiphertextList;

/// Largest batch of one pass over the bootstrapping key: its accumulators stay in the second cache level.
const ROTATION_BATCH: usize = 16;

/// Largest batch of one pass over the keyswitching key.
const KEYSWITCH_BATCH: usize = 32;

/// Rows of a linear step that one task computes: twice what the kernel works on at once.
const ROW_BATCH: usize = 12;

/// Ciphertexts under the big key of all samples: sample by sample, in each the elements, in each mask and body.
#[derive(Clone)]
pub struct Lists {
    words: Vec<u64>,
    samples: usize,
}

/// Executor on ciphertexts of one or more samples. All of them go through each step together.
pub struct Encrypted<'a> {
    key: &'a ServerKey,
    parameters: &'a ParameterSet,
    progress: &'a (dyn Fn(usize) + Sync),
}

impl CheckedServer<'_> {
    /// Runs all samples of the inputs; `progress` is told each time how many bootstraps were finished, from any thread.
    ///
    /// # Errors
    /// [`Error`] for a key or inputs of another program.
    pub fn run_encrypted(
        &self,
        key: &ServerKey,
        inputs: &EncryptedInputs,
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
        let values = (0..self.server().inputs.len()).map(|port| expand(key, &inputs.samples, port)).collect();
        let mut executor = Encrypted { key, parameters: self.parameters(), progress };
        let results = self.walk(&mut executor, values)?;
        let samples = inputs.samples.len();
        let of_sample = |sample| results.iter().map(|list| list.sample(sample).to_vec()).collect();
        Ok(EncryptedOutputs { program: *self.hash(), samples: (0..samples).map(of_sample).collect() })
    }
}

/// The masks of one input of all samples, from their seeds.
fn expand(key: &ServerKey, samples: &[Vec<SeededList>], port: usize) -> Lists {
    let size = key.shapes().big_size();
    let expand = |list: &SeededList| {
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
        let size = self.key.shapes().big_size().0;
        let rows = step.linear.rows as usize;
        // A program without inputs has samples without content.
        let samples = inputs.first().map_or(1, |input| input.samples);
        let mut words = vec![0; samples * rows * size];
        for (sample, words) in words.chunks_exact_mut((rows * size).max(1)).enumerate() {
            let ciphertexts: Vec<&[u64]> =
                inputs.iter().flat_map(|input| input.sample(sample).chunks_exact(size)).collect();
            let tiles = Tiles::new(size, ciphertexts.into_iter());
            let tasks = words.par_chunks_mut(ROW_BATCH * size).enumerate();
            tasks.for_each(|(task, words)| multiply_rows(step, &tiles, task * ROW_BATCH, words));
        }
        Ok(Lists { words, samples })
    }

    fn bootstrap(&mut self, step: &BootstrapStep<'_>, input: &Lists) -> Result<Lists, Error> {
        let small = self.switch_keys(step, input);
        let (small_size, big_size) =
            (self.key.shapes().small.to_lwe_size().0, self.key.shapes().big_size().0);
        let polynomials = step.test_polynomials(self.parameters);
        let elements = step.bootstrap.table_of.len();
        let polynomial = |index: usize| &polynomials[step.bootstrap.table_of[index % elements] as usize];
        let mut words = vec![0; input.words.len()];
        let count = words.len() / big_size;
        if step.bootstrap.extension == 0 {
            let batch = batch_size(count, ROTATION_BATCH);
            let tasks =
                words.par_chunks_mut(batch * big_size).zip(small.par_chunks(batch * small_size)).enumerate();
            tasks.for_each(|(task, (outputs, inputs))| {
                let first = task * batch;
                let batch: Vec<_> = (first..first + outputs.len() / big_size).map(polynomial).collect();
                rotate_batch(self.key, inputs, &batch, outputs);
                (self.progress)(batch.len());
            });
        } else {
            let tasks =
                words.par_chunks_exact_mut(big_size).zip(small.par_chunks_exact(small_size)).enumerate();
            let scratch = || Extended::new(self.key, step.bootstrap.extension);
            tasks.with_max_len(1).for_each_init(scratch, |scratch, (index, (output, input))| {
                scratch.rotate(input, polynomial(index), output);
                (self.progress)(1);
            });
        }
        Ok(Lists { words, samples: input.samples })
    }
}

impl Encrypted<'_> {
    /// Keyswitches all elements of all samples, with the first entry of each one's table moved to phase 0.
    fn switch_keys(&self, step: &BootstrapStep<'_>, input: &Lists) -> Vec<u64> {
        let (small_size, big_size) =
            (self.key.shapes().small.to_lwe_size().0, self.key.shapes().big_size().0);
        let count = input.words.len() / big_size;
        let elements = step.bootstrap.table_of.len();
        let mut small = vec![0; count * small_size];
        let batch = batch_size(count, KEYSWITCH_BATCH);
        let tasks = small.par_chunks_mut(batch * small_size).zip(input.words.par_chunks(batch * big_size));
        tasks.enumerate().for_each(|(task, (outputs, inputs))| {
            let inputs: Vec<&[u64]> = inputs.chunks_exact(big_size).collect();
            self.key.keyswitch().run(&inputs, outputs);
            for (index, output) in outputs.chunks_exact_mut(small_size).enumerate() {
                let table = step.bootstrap.table_of[(task * batch + index) % elements];
                let body = &mut output[small_size - 1];
                *body = body.wrapping_add(step.offset(table));
            }
        });
        small
    }
}

/// Some rows of an affine map of one sample, from `first` on.
fn multiply_rows(step: &LinearStep<'_>, tiles: &Tiles, first: usize, outputs: &mut [u64]) {
    let size = tiles.columns();
    let rows = outputs.len() / size;
    let mut factors = Factors::zeros(rows, tiles.rows());
    for row in 0..rows {
        for (column, weight) in step.row(first + row).iter().enumerate() {
            factors.set(row, column, (*weight as u64).wrapping_mul(step.factor) as i64);
        }
    }
    tiles.multiply(&factors, outputs);
    for (output, bias) in outputs.chunks_exact_mut(size).zip(&step.linear.bias[first..]) {
        let body = &mut output[size - 1];
        *body = body.wrapping_add(encode(*bias, step.linear.spacing));
    }
}

/// Size of batches, at most `largest`, so that every thread gets as many of them as any other.
fn batch_size(count: usize, largest: usize) -> usize {
    let threads = rayon::current_num_threads();
    let rounds = count.div_ceil(largest * threads).max(1);
    count.div_ceil(rounds * threads).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_even() {
        let threads = rayon::current_num_threads();
        for count in [1, 7, 100, 1000] {
            let batch = batch_size(count, 16);
            assert!(batch <= 16 && batch * (count.div_ceil(16 * threads) * threads) >= count);
        }
        assert_eq!(batch_size(0, 16), 1);
    }
}
