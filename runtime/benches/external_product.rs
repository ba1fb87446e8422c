//! One step of a blind rotation for a batch, against `tfhe`: `cargo bench -p cml-runtime --bench external_product`.
//!
//! An item is one external product with its rotation. The key has few bits, so that all of it lies in the second cache
//! level: what it takes to read a long one is shared by the batch.

use cml_runtime::kernels::{BootstrapKernel, Rotation, Vectors};
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use std::fmt::{Display, Formatter};
use tfhe::core_crypto::fft_impl::fft64::crypto::bootstrap::batch_blind_rotate_assign_scratch;
use tfhe::core_crypto::prelude::*;

const BITS: usize = 4;
const BATCH: usize = 16;

/// Room that tfhe's scratch needs beyond its requirement, to align it.
const ALIGNMENT: usize = 4096;

#[derive(Clone, Copy)]
struct Shape {
    k: usize,
    size: usize,
    level: usize,
    base_log: usize,
}

const fn shape(k: usize, size: usize, level: usize, base_log: usize) -> Shape {
    Shape { k, size, level, base_log }
}

const SHAPES: [Shape; 7] = [
    shape(4, 512, 1, 23),
    shape(4, 512, 2, 15),
    shape(2, 1024, 1, 23),
    shape(2, 1024, 2, 15),
    shape(1, 2048, 1, 23),
    shape(1, 2048, 2, 15),
    shape(1, 4096, 1, 22),
];

impl Display for Shape {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "k {}, N {}, level {}", self.k, self.size, self.level)
    }
}

/// Words and positions without a pattern; the time does not depend on what they are.
fn arbitrary(index: usize) -> u64 {
    (index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

impl Shape {
    fn key(&self) -> LweBootstrapKeyOwned<u64> {
        let words = BITS * self.level * (self.k + 1) * (self.k + 1) * self.size;
        LweBootstrapKeyOwned::from_container(
            (0..words).map(arbitrary).collect(),
            GlweSize(self.k + 1),
            PolynomialSize(self.size),
            DecompositionBaseLog(self.base_log),
            DecompositionLevelCount(self.level),
            CiphertextModulus::new_native(),
        )
    }

    fn position(&self, ciphertext: usize, bit: usize) -> usize {
        arbitrary(ciphertext * BITS + bit) as usize % (2 * self.size - 1) + 1
    }
}

/// Positions of one ciphertext.
struct Positions(Shape, usize);

impl ModulusSwitchedLweCiphertext<usize> for Positions {
    fn log_modulus(&self) -> CiphertextModulusLog {
        PolynomialSize(self.0.size).to_blind_rotation_input_modulus_log()
    }

    fn lwe_dimension(&self) -> LweDimension {
        LweDimension(BITS)
    }

    fn body(&self) -> usize {
        0
    }

    fn mask(&self) -> impl ExactSizeIterator<Item = usize> + '_ {
        (0..BITS).map(|bit| self.0.position(self.1, bit))
    }
}

fn with(bencher: Bencher, shape: Shape, vectors: Vectors) {
    let kernel = BootstrapKernel::with_vectors(&shape.key(), vectors);
    let mut accumulators = kernel.accumulators(BATCH);
    for index in 0..BATCH {
        accumulators.set(index, (0..shape.size).map(arbitrary));
    }
    let rotations: Vec<Vec<Rotation>> = (0..BITS)
        .map(|bit| {
            let rotation =
                |index| Rotation { target: index, source: index, degree: shape.position(index, bit) };
            (0..BATCH).map(rotation).collect()
        })
        .collect();
    bencher.counter(ItemsCount::new(BITS * BATCH)).bench_local(|| {
        for (bit, rotations) in rotations.iter().enumerate() {
            kernel.rotate(bit, &mut accumulators, black_box(rotations));
        }
    });
}

#[divan::bench(args = SHAPES, max_time = 1)]
fn widest_vectors(bencher: Bencher, shape: Shape) {
    with(bencher, shape, Vectors::widest());
}

#[divan::bench(args = SHAPES, max_time = 1)]
fn four_lanes(bencher: Bencher, shape: Shape) {
    let vectors = Vectors::available();
    with(bencher, shape, vectors[usize::from(vectors.len() > 1)]);
}

#[divan::bench(args = SHAPES, max_time = 1)]
fn tfhe(bencher: Bencher, shape: Shape) {
    let (glwe, size, key) = (GlweSize(shape.k + 1), PolynomialSize(shape.size), shape.key());
    let mut fourier = FourierLweBootstrapKey::new(
        LweDimension(BITS),
        glwe,
        size,
        DecompositionBaseLog(shape.base_log),
        DecompositionLevelCount(shape.level),
    );
    par_convert_standard_lwe_bootstrap_key_to_fourier(&key, &mut fourier);
    let fft = Fft::new(size);
    let scratch = batch_blind_rotate_assign_scratch::<u64>(glwe, size, CiphertextCount(BATCH), fft.as_view());
    let mut buffers = ComputationBuffers::new();
    buffers.resize(scratch.unaligned_bytes_required() + ALIGNMENT);
    let words = (0..BATCH * glwe.0 * size.0).map(arbitrary).collect();
    let mut accumulators =
        GlweCiphertextListOwned::from_container(words, glwe, size, CiphertextModulus::new_native());
    let positions: Vec<Positions> = (0..BATCH).map(|index| Positions(shape, index)).collect();
    bencher.counter(ItemsCount::new(BITS * BATCH)).bench_local(|| {
        let list = accumulators.as_mut_view();
        fourier.as_view().batch_blind_rotate_assign(
            list,
            black_box(&positions),
            fft.as_view(),
            buffers.stack(),
        );
    });
}

fn main() {
    divan::main();
}
