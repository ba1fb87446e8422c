//! The same operations by plain calls of `tfhe`, one ciphertext at a time.

use super::arbitrary::{bootstrap_key, keyswitch_key, words};
use crate::client::shapes::{Shapes, modulus};
use rayon::prelude::*;
use tfhe::core_crypto::prelude::*;

/// Room that tfhe's scratch needs beyond its requirement, to align it.
const ALIGNMENT: usize = 4096;

/// Keys as `tfhe` has them, and ciphertexts.
pub(super) struct Plain {
    shapes: Shapes,
    bootstrap: FourierLweBootstrapKeyOwned,
    keyswitch: LweKeyswitchKeyOwned<u64>,
    table: GlweCiphertextOwned<u64>,
    fft: Fft,
    big: Vec<u64>,
    small: Vec<u64>,
}

/// What one thread needs for bootstraps.
struct Room {
    buffers: ComputationBuffers,
    switched: LweCiphertextOwned<u64>,
    output: LweCiphertextOwned<u64>,
}

impl Plain {
    /// With so many ciphertexts under the big key, and as many under the small one.
    pub(super) fn new(shapes: Shapes, count: usize) -> Self {
        let standard = bootstrap_key(&shapes);
        let (base, level) = (shapes.pbs_base, shapes.pbs_level);
        let mut bootstrap =
            FourierLweBootstrapKey::new(shapes.small, shapes.glwe, shapes.polynomial, base, level);
        par_convert_standard_lwe_bootstrap_key_to_fourier(&standard, &mut bootstrap);
        Self {
            bootstrap,
            keyswitch: keyswitch_key(&shapes),
            table: GlweCiphertext::new(1 << 60, shapes.glwe, shapes.polynomial, modulus()),
            fft: Fft::new(shapes.polynomial),
            big: words(count * shapes.big_size().0),
            small: words(count * shapes.small.to_lwe_size().0),
            shapes,
        }
    }

    /// Ciphertexts of one measurement.
    pub(super) fn count(&self) -> usize {
        self.big.len() / self.shapes.big_size().0
    }

    fn room(&self) -> Room {
        let Shapes { glwe, polynomial, .. } = self.shapes;
        let fft = self.fft.as_view();
        let scratch =
            programmable_bootstrap_lwe_ciphertext_mem_optimized_requirement::<u64>(glwe, polynomial, fft);
        let mut buffers = ComputationBuffers::new();
        buffers.resize(scratch.unaligned_bytes_required() + ALIGNMENT);
        Room {
            buffers,
            switched: LweCiphertext::new(0, self.shapes.small.to_lwe_size(), modulus()),
            output: LweCiphertext::new(0, self.shapes.big_size(), modulus()),
        }
    }

    /// Keyswitch and bootstrap of each ciphertext, on all threads of the pool.
    pub(super) fn lookups(&self) {
        self.big.par_chunks_exact(self.shapes.big_size().0).for_each_init(
            || self.room(),
            |Room { buffers, switched, output }, input| {
                keyswitch_lwe_ciphertext(&self.keyswitch, &ciphertext(input), switched);
                self.bootstrap(switched, output, buffers);
            },
        );
    }

    /// The bootstrap of each ciphertext under the small key, on this thread.
    pub(super) fn bootstraps(&self) {
        let Room { mut buffers, mut output, .. } = self.room();
        for input in self.small.chunks_exact(self.shapes.small.to_lwe_size().0) {
            self.bootstrap(&ciphertext(input), &mut output, &mut buffers);
        }
    }

    fn bootstrap(
        &self,
        input: &LweCiphertext<impl Container<Element = u64>>,
        output: &mut LweCiphertextOwned<u64>,
        buffers: &mut ComputationBuffers,
    ) {
        let (table, key, fft) = (&self.table, &self.bootstrap, self.fft.as_view());
        programmable_bootstrap_lwe_ciphertext_mem_optimized(input, output, table, key, fft, buffers.stack());
    }

    /// The keyswitch of each ciphertext, on this thread.
    pub(super) fn keyswitches(&self) {
        let mut switched = LweCiphertext::new(0, self.shapes.small.to_lwe_size(), modulus());
        for input in self.big.chunks_exact(self.shapes.big_size().0) {
            keyswitch_lwe_ciphertext(&self.keyswitch, &ciphertext(input), &mut switched);
        }
    }
}

fn ciphertext(words: &[u64]) -> LweCiphertext<&[u64]> {
    LweCiphertext::from_container(words, modulus())
}

/// `rows` weighted sums of all ciphertexts, on this thread.
pub(super) fn weighted_sums(ciphertexts: &[u64], size: LweSize, weights: &[i64]) {
    let mut product = LweCiphertext::new(0, size, modulus());
    for row in weights.chunks_exact(ciphertexts.len() / size.0) {
        let mut sum = LweCiphertext::new(0, size, modulus());
        for (weight, words) in row.iter().zip(ciphertexts.chunks_exact(size.0)) {
            lwe_ciphertext_cleartext_mul(&mut product, &ciphertext(words), Cleartext(*weight as u64));
            lwe_ciphertext_add_assign(&mut sum, &product);
        }
        std::hint::black_box(&sum);
    }
}
