//! Keyswitch of a batch of ciphertexts in one pass over the key; the same bits as tfhe's, one ciphertext at a time.

use super::{Factors, Tiles, Vectors};
use crate::units::LweDimension;
use rayon::prelude::*;
use tfhe::core_crypto::prelude::{Container, LweKeyswitchKey, SignedDecomposer};

/// Most ciphertexts of one pass over the key: a strip of it and their digits stay in the second cache level.
const LARGEST_BATCH: usize = 60;

/// A keyswitching key, laid out for batches.
///
/// tfhe's own keyswitch reads the whole key (some 60 MiB) for each ciphertext; measured 7 to 9 times slower.
pub struct KeyswitchKernel {
    key: Tiles,
    decomposer: SignedDecomposer<u64>,
    level: usize,
    input: LweDimension,
}

impl KeyswitchKernel {
    /// Lays out a key of native modulus.
    #[must_use]
    pub fn new(key: &LweKeyswitchKey<impl Container<Element = u64>>) -> Self {
        let (base_log, level) = (key.decomposition_base_log(), key.decomposition_level_count());
        let size = key.output_lwe_size().0;
        Self {
            key: Tiles::new(size, &key.as_ref().chunks_exact(size).collect::<Vec<_>>()),
            decomposer: SignedDecomposer::new(base_log, level),
            level: level.0,
            input: LweDimension(key.input_key_lwe_dimension().0),
        }
    }

    /// Elements of an output ciphertext: mask and body.
    #[must_use]
    pub fn output_size(&self) -> usize {
        self.key.columns()
    }

    /// Ciphertexts of one pass over the key, for so many in all: passes are of nearly one size.
    #[must_use]
    pub fn batch(count: usize) -> usize {
        count.div_ceil(count.div_ceil(LARGEST_BATCH).max(1)).next_multiple_of(Factors::BLOCK).max(1)
    }

    /// Ciphertexts (mask, then body) switched to the key's output, one after the other: [`Self::run`] says how.
    ///
    /// # Panics
    /// As [`Self::run`].
    #[must_use]
    pub fn switched(&self, inputs: &[&[u64]]) -> Vec<u64> {
        let mut outputs = vec![0; inputs.len() * self.output_size()];
        self.run(inputs, &mut outputs);
        outputs
    }

    /// Switches ciphertexts (mask, then body) to the key's output; `outputs` takes one after the other. The threads of the
    /// pool share the key's columns, so that few ciphertexts keep all of them busy and the key is read once for all.
    ///
    /// # Panics
    /// If a ciphertext has another size than the key expects.
    pub fn run(&self, inputs: &[&[u64]], outputs: &mut [u64]) {
        self.run_with(inputs, outputs, Vectors::widest());
    }

    /// The same with vectors of a given width, which the machine must have.
    ///
    /// # Panics
    /// As [`Self::run`].
    pub fn run_with(&self, inputs: &[&[u64]], outputs: &mut [u64], vectors: Vectors) {
        let batch = Self::batch(inputs.len());
        for (inputs, outputs) in inputs.chunks(batch).zip(outputs.chunks_mut(batch * self.output_size())) {
            self.key.multiply_with(&self.digits(inputs), outputs, vectors);
            outputs.par_chunks_exact_mut(self.output_size()).zip(inputs).for_each(|(output, input)| {
                output.iter_mut().for_each(|element| *element = element.wrapping_neg());
                let body = &mut output[self.key.columns() - 1];
                *body = body.wrapping_add(input[self.input.0]);
            });
        }
    }

    fn digits(&self, inputs: &[&[u64]]) -> Factors {
        let mut digits = Factors::zeros(inputs.len(), self.key.rows());
        digits.par_blocks().zip(inputs.par_chunks(Factors::BLOCK)).for_each(|(block, inputs)| {
            for (line, input) in inputs.iter().enumerate() {
                assert_eq!(input.len(), self.input.0 + 1, "size of a ciphertext to switch");
                for (mask, digits) in input.iter().zip(block.chunks_exact_mut(self.level * Factors::BLOCK)) {
                    for (level, term) in self.decomposer.decompose(*mask).enumerate() {
                        digits[level * Factors::BLOCK + line] = term.value() as i64;
                    }
                }
            }
        });
        digits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use tfhe::core_crypto::prelude::*;

    fn same_bits(base_log: usize, level: usize) {
        let (input, output) = (700, 530);
        let modulus = CiphertextModulus::new_native();
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(base_log as u64);
        let mut uniform = |count: usize| (0..count).map(|_| random.random()).collect::<Vec<u64>>();
        // The keyswitch is the same sum whatever the key holds.
        let key = LweKeyswitchKey::from_container(
            uniform(input * level * (output + 1)),
            DecompositionBaseLog(base_log),
            DecompositionLevelCount(level),
            tfhe::core_crypto::prelude::LweDimension(output).to_lwe_size(),
            modulus,
        );
        let kernel = KeyswitchKernel::new(&key);
        for count in [1, 5, 6, 13, 61] {
            let inputs: Vec<Vec<u64>> = (0..count).map(|_| uniform(input + 1)).collect();
            let mut expected = Vec::new();
            for input in &inputs {
                let mut switched = LweCiphertext::from_container(vec![0; output + 1], modulus);
                let input = LweCiphertext::from_container(input.as_slice(), modulus);
                keyswitch_lwe_ciphertext(&key, &input, &mut switched);
                expected.extend(switched.into_container());
            }
            let inputs: Vec<&[u64]> = inputs.iter().map(Vec::as_slice).collect();
            for vectors in Vectors::available() {
                let mut found = vec![0; count * (output + 1)];
                kernel.run_with(&inputs, &mut found, vectors);
                assert!(found == expected, "{vectors:?}, {count} ciphertexts, ({base_log}, {level})");
            }
        }
    }

    #[test]
    fn bits_are_those_of_tfhe() {
        for (base_log, level) in [(5, 3), (3, 4), (8, 2), (1, 16)] {
            same_bits(base_log, level);
        }
    }
}
