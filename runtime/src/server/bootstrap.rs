//! Blind rotations of ciphertexts under the small key, in lockstep batches.

use super::rotations::{Extracted, Rotated};
use super::{KeySet, Switched};
use crate::kernels::{Accumulators, Rotation};
use crate::units::accumulators;

/// Blind rotations of one thread.
///
/// An extended test polynomial lies in Z[Y]/(Y^(N 2^v) + 1), which contains Z[X]/(X^N + 1) with X = Y^(2^v). It is held
/// in 2^v accumulators of size N: component `j` has the coefficients `j` modulo 2^v. A bit of the small key acts on each
/// component; multiplying by Y^a permutes them, and multiplies each by a power of X. A plain one is the case of v = 0.
/// At v = -1 the test polynomial has two tables in turn, and all rotations are by even powers of X.
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
    /// Every ciphertext has a test polynomial of its own, of N coefficients for each accumulator.
    pub(super) fn run(&mut self, extension: i32, batch: &mut [Rotated<'_>]) {
        let (shapes, kernel) = (self.key.shapes(), self.key.bootstrap());
        let (size, components) = (shapes.polynomial.0, accumulators(extension));
        let powers = Powers::of(extension);
        let log2_positions = (2 * size * components).ilog2() - powers.doubled;
        let needed = batch.len() * components;
        let kept = self.scratch.accumulators.take().filter(|accumulators| accumulators.count() >= needed);
        let mut accumulators = kept.unwrap_or_else(|| kernel.accumulators(needed));
        self.scratch.switched.resize_with(batch.len(), Switched::default);
        for (index, (switched, rotated)) in self.scratch.switched.iter_mut().zip(batch.iter()).enumerate() {
            switched.switch(rotated.small, log2_positions);
            for component in 0..components {
                // The test polynomial, rotated by the body.
                let start = component + (switched.body_position() << powers.doubled);
                let body = (0..size).map(|index| rotated.polynomial.at(index * components + start));
                accumulators.set(index * components + component, body);
            }
        }
        // Only component 0 is extracted from. With the odd elements of the mask first, then the multiples of 2, of 4 and so on,
        // components that can no longer reach component 0 are left out. The mask is public: the order tells nothing.
        for zeros in 0..=powers.log2_components {
            for bit in 0..shapes.small.0 {
                self.collect(bit, zeros, powers);
                kernel.rotate(bit, &mut accumulators, &self.scratch.rotations);
            }
        }
        let length = shapes.big_size().0;
        for (index, rotated) in batch.iter_mut().enumerate() {
            for Extracted { coefficient, added, words } in &mut rotated.outputs {
                accumulators.extract(index * components, *coefficient, words);
                words[length - 1] = words[length - 1].wrapping_add(*added);
            }
        }
        self.scratch.accumulators = Some(accumulators);
    }

    /// The rotations that one bit decides, of those ciphertexts whose element has so many zeros at its end, or at least as
    /// many as the extension.
    fn collect(&mut self, bit: usize, zeros: u32, powers: Powers) {
        let Powers { log2_components, doubled } = powers;
        let components = 1usize << log2_components;
        let turn = 2 * self.key.shapes().polynomial.0;
        self.scratch.rotations.clear();
        for (index, switched) in self.scratch.switched.iter().enumerate() {
            let element = switched.positions()[bit] << doubled;
            if element == 0 || element.trailing_zeros().min(log2_components) != zeros {
                continue;
            }
            for target in (0..components).step_by(1 << zeros) {
                // Coefficient `i` of component `source` goes to Y^(i 2^v + source + element).
                let source = (target + components - element % components) % components;
                let degree = ((source + element) >> log2_components) % turn;
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

/// What positions and coefficients are to the powers of Y.
#[derive(Clone, Copy)]
pub(super) struct Powers {
    log2_components: u32,
    /// log2 of the power that one position is.
    doubled: u32,
}

impl Powers {
    pub(super) fn of(extension: i32) -> Self {
        Self { log2_components: extension.max(0).unsigned_abs(), doubled: extension.min(0).unsigned_abs() }
    }

    /// The power of Y that brings to the front what a rotation by so many positions has in this coefficient of component 0.
    pub(super) fn front(self, position: usize, coefficient: usize) -> usize {
        (position << self.doubled) + (coefficient << self.log2_components)
    }
}

impl Drop for BlindRotation<'_> {
    fn drop(&mut self) {
        self.key.keep_scratch(std::mem::take(&mut self.scratch));
    }
}
