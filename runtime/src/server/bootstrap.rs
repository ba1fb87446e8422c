//! Blind rotations of ciphertexts under the small key, in lockstep batches.

use super::rotations::Rotated;
use super::{KeySet, Switched};
use crate::kernels::{Accumulators, Rotation};

/// Blind rotations of one thread.
///
/// An extended test polynomial lies in Z[Y]/(Y^(N 2^v) + 1), which contains Z[X]/(X^N + 1) with X = Y^(2^v). It is held
/// in 2^v accumulators of size N: component `j` has the coefficients `j` modulo 2^v. A bit of the small key acts on each
/// component; multiplying by Y^a permutes them, and multiplies each by a power of X. A plain one is the case of v = 0.
///
/// # Source
/// Lee and Yoon, "Discretization Error Reduction for High Precision TFHE", PKC 2023. The order of the mask is ours.
pub(super) struct BlindRotation<'a> {
    key: &'a KeySet,
    scratch: Scratch,
}

/// What blind rotations with one key work on.
#[derive(Default)]
pub(super) struct Scratch {
    accumulators: Option<Accumulators>,
    switched: Vec<Switched>,
    rotations: Vec<Rotation>,
}

impl<'a> BlindRotation<'a> {
    pub(super) fn new(key: &'a KeySet) -> Self {
        Self { key, scratch: key.take_scratch() }
    }

    /// Rotates a batch through passes over the bootstrapping key, and extracts the coefficients that are asked for.
    ///
    /// Every ciphertext has a test polynomial of its own, of N 2^extension coefficients.
    pub(super) fn run(&mut self, extension: u32, batch: &mut [Rotated<'_>]) {
        let (shapes, kernel) = (self.key.shapes(), self.key.bootstrap());
        let (size, components) = (shapes.polynomial.0, 1usize << extension);
        let log2_positions = (2 * size).ilog2() + extension;
        let needed = batch.len() << extension;
        let kept = self.scratch.accumulators.take().filter(|accumulators| accumulators.count() >= needed);
        let mut accumulators = kept.unwrap_or_else(|| kernel.accumulators(needed));
        self.scratch.switched.resize_with(batch.len(), Switched::default);
        for (index, (switched, rotated)) in self.scratch.switched.iter_mut().zip(batch.iter()).enumerate() {
            switched.switch(rotated.small, log2_positions);
            for component in 0..components {
                // The test polynomial, rotated by the body.
                let start = component + switched.body_position();
                let body = (0..size).map(|index| rotated.polynomial.at((index << extension) + start));
                accumulators.set(index * components + component, body);
            }
        }
        // Only component 0 is extracted from. With the odd elements of the mask first, then the multiples of 2, of 4 and so on,
        // components that can no longer reach component 0 are left out. The mask is public: the order tells nothing.
        for zeros in 0..=extension {
            for bit in 0..shapes.small.0 {
                self.collect(bit, zeros, extension);
                kernel.rotate(bit, &mut accumulators, &self.scratch.rotations);
            }
        }
        let length = shapes.big_size().0;
        for (index, Rotated { polynomial, coefficients, outputs, .. }) in batch.iter_mut().enumerate() {
            for (coefficient, output) in coefficients.iter().zip(outputs.chunks_exact_mut(length)) {
                accumulators.extract(index * components, *coefficient, output);
                output[length - 1] = output[length - 1].wrapping_add(polynomial.half_center());
            }
        }
        self.scratch.accumulators = Some(accumulators);
    }

    /// The rotations that one bit decides, of those ciphertexts whose element has so many zeros at its end, or at least as
    /// many as the extension.
    fn collect(&mut self, bit: usize, zeros: u32, extension: u32) {
        let components = 1usize << extension;
        let turn = 2 * self.key.shapes().polynomial.0;
        self.scratch.rotations.clear();
        for (index, switched) in self.scratch.switched.iter().enumerate() {
            let element = switched.positions()[bit];
            if element == 0 || element.trailing_zeros().min(extension) != zeros {
                continue;
            }
            for target in (0..components).step_by(1 << zeros) {
                // Coefficient `i` of component `source` goes to Y^(i 2^v + source + element).
                let source = (target + components - element % components) % components;
                let degree = ((source + element) >> extension) % turn;
                let first = index * components;
                self.scratch.rotations.push(Rotation {
                    target: first + target,
                    source: first + source,
                    degree,
                });
            }
        }
    }
}

impl Drop for BlindRotation<'_> {
    fn drop(&mut self) {
        self.key.keep_scratch(std::mem::take(&mut self.scratch));
    }
}
