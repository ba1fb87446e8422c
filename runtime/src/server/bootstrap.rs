//! Blind rotations of ciphertexts under the small key: plain in lockstep batches, extended one by one.

use super::{KeySet, Switched, TestPolynomial};
use crate::client::shapes::modulus;
use crate::kernels::rotate_subtract;
use tfhe::core_crypto::fft_impl::fft64::crypto::bootstrap::batch_blind_rotate_assign_scratch;
use tfhe::core_crypto::fft_impl::fft64::crypto::ggsw::{
    add_external_product_assign, add_external_product_assign_scratch,
};
use tfhe::core_crypto::prelude::{
    CiphertextCount, ComputationBuffers, ContiguousEntityContainer, ContiguousEntityContainerMut,
    GlweCiphertext, GlweCiphertextCount, GlweCiphertextList, LweCiphertext, MonomialDegree,
    extract_lwe_sample_from_glwe_ciphertext,
};

/// Room that tfhe's scratch needs beyond its requirement, to align it.
const ALIGNMENT: usize = 4096;

/// Rotates a batch through one pass over the bootstrapping key, and extracts the constant coefficients.
///
/// `inputs` has one ciphertext after the other under the small key, `outputs` gets as many under the big key. Every
/// ciphertext has a test polynomial of its own, of N coefficients.
pub(super) fn rotate_batch(
    key: &KeySet,
    inputs: &[u64],
    polynomials: &[&TestPolynomial],
    outputs: &mut [u64],
) {
    let (shapes, fft) = (key.shapes(), key.fft().as_view());
    let (small, big) = (shapes.small.to_lwe_size().0, shapes.big_size().0);
    let count = polynomials.len();
    let log2_positions = shapes.polynomial.to_blind_rotation_input_modulus_log().0 as u32;
    let mut switched = vec![Switched::default(); count];
    for (switched, input) in switched.iter_mut().zip(inputs.chunks_exact(small)) {
        switched.switch(input, log2_positions);
    }
    let mut list =
        GlweCiphertextList::new(0, shapes.glwe, shapes.polynomial, GlweCiphertextCount(count), modulus());
    for (mut accumulator, polynomial) in list.iter_mut().zip(polynomials) {
        accumulator.get_mut_body().as_mut().copy_from_slice(polynomial.coefficients());
    }
    let scratch =
        batch_blind_rotate_assign_scratch::<u64>(shapes.glwe, shapes.polynomial, CiphertextCount(count), fft);
    let mut buffers = ComputationBuffers::new();
    buffers.resize(scratch.unaligned_bytes_required() + ALIGNMENT);
    key.bootstrap().batch_blind_rotate_assign(list.as_mut_view(), &switched, fft, buffers.stack());
    for (accumulator, output) in list.iter().zip(outputs.chunks_exact_mut(big)) {
        let mut output = LweCiphertext::from_container(output, modulus());
        extract_lwe_sample_from_glwe_ciphertext(&accumulator, &mut output, MonomialDegree(0));
    }
}

/// Scratch of an extended bootstrap: one for each thread.
///
/// The test polynomial lies in Z[Y]/(Y^(N 2^v) + 1), which contains Z[X]/(X^N + 1) with X = Y^(2^v). The accumulator is
/// 2^v GLWE ciphertexts of size N: component `j` holds the coefficients `j` modulo 2^v. A bit of the small key acts on
/// each component; multiplying by Y^a permutes them, and multiplies each by a power of X.
///
/// # Source
/// Lee and Yoon, "Discretization Error Reduction for High Precision TFHE", PKC 2023. The order of the mask is ours.
pub(super) struct Extended<'a> {
    key: &'a KeySet,
    log2_components: u32,
    accumulator: Vec<u64>,
    rotated: Vec<u64>,
    switched: Switched,
    buffers: ComputationBuffers,
}

impl<'a> Extended<'a> {
    pub(super) fn new(key: &'a KeySet, extension: u32) -> Self {
        let shapes = key.shapes();
        let length = (shapes.glwe.0 * shapes.polynomial.0) << extension;
        let scratch =
            add_external_product_assign_scratch::<u64>(shapes.glwe, shapes.polynomial, key.fft().as_view());
        let mut buffers = ComputationBuffers::new();
        buffers.resize(scratch.unaligned_bytes_required() + ALIGNMENT);
        Self {
            key,
            log2_components: extension,
            accumulator: vec![0; length],
            rotated: vec![0; length],
            switched: Switched::default(),
            buffers,
        }
    }

    /// Rotates one ciphertext under the small key, and extracts the constant coefficient.
    pub(super) fn rotate(&mut self, input: &[u64], polynomial: &TestPolynomial, output: &mut [u64]) {
        let shapes = *self.key.shapes();
        let log2_positions =
            shapes.polynomial.to_blind_rotation_input_modulus_log().0 as u32 + self.log2_components;
        self.switched.switch(input, log2_positions);
        self.fill(polynomial);
        // Only component 0 is extracted. With the odd elements of the mask first, then the multiples of 2, of 4 and so on,
        // components that can no longer reach component 0 are left out. The mask is public: the order tells nothing.
        for zeros in 0..=self.log2_components {
            for bit in 0..shapes.small.0 {
                let element = self.switched.positions()[bit];
                if element != 0 && element.trailing_zeros().min(self.log2_components) == zeros {
                    self.multiply(bit, element, 1 << zeros);
                }
            }
        }
        let length = shapes.glwe.0 * shapes.polynomial.0;
        let first = GlweCiphertext::from_container(&self.accumulator[..length], shapes.polynomial, modulus());
        let mut output = LweCiphertext::from_container(output, modulus());
        extract_lwe_sample_from_glwe_ciphertext(&first, &mut output, MonomialDegree(0));
    }

    /// The test polynomial, rotated by the body; masks are zero.
    fn fill(&mut self, polynomial: &TestPolynomial) {
        let size = self.key.shapes().polynomial.0;
        let length = self.key.shapes().glwe.0 * size;
        let body = self.switched.body_position();
        self.accumulator.fill(0);
        for (component, accumulator) in self.accumulator.chunks_exact_mut(length).enumerate() {
            for (index, coefficient) in accumulator[length - size..].iter_mut().enumerate() {
                *coefficient = polynomial.at((index << self.log2_components) + component + body);
            }
        }
    }

    /// Multiplies by Y^element if this bit of the key is set, those components whose number is a multiple of `step`.
    fn multiply(&mut self, bit: usize, element: usize, step: usize) {
        let shapes = *self.key.shapes();
        let size = shapes.polynomial.0;
        let length = shapes.glwe.0 * size;
        let components = 1usize << self.log2_components;
        for target in (0..components).step_by(step) {
            // Coefficient `i` of component `source` goes to Y^(i 2^v + source + element).
            let source = (target + components - element % components) % components;
            let degree = ((source + element) >> self.log2_components) % (2 * size);
            let from = &self.accumulator[source * length..(source + 1) * length];
            let old = &self.accumulator[target * length..(target + 1) * length];
            let to = &mut self.rotated[target * length..(target + 1) * length];
            for ((to, from), old) in
                to.chunks_exact_mut(size).zip(from.chunks_exact(size)).zip(old.chunks_exact(size))
            {
                rotate_subtract(to, from, old, degree);
            }
        }
        let ggsw = self.key.ggsw(bit);
        for target in (0..components).step_by(step) {
            let range = target * length..(target + 1) * length;
            add_external_product_assign(
                GlweCiphertext::from_container(
                    &mut self.accumulator[range.clone()],
                    shapes.polynomial,
                    modulus(),
                ),
                ggsw.as_view(),
                GlweCiphertext::from_container(&self.rotated[range], shapes.polynomial, modulus()),
                self.key.fft().as_view(),
                self.buffers.stack(),
            );
        }
    }
}
