//! The GLWE ciphertexts of a batch of blind rotations.

use super::HugeBuffer;
use std::ops::Range;

/// Words behind each polynomial that repeat its start with the sign changed: a vector may begin at any coefficient.
const TAIL: usize = 8;

/// Dimensions of a bootstrapping key and its accumulators.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// Polynomials of an accumulator: masks and body.
    pub(super) polynomials: usize,
    /// Coefficients of a polynomial.
    pub(super) size: usize,
    pub(super) level: usize,
    pub(super) base_log: u32,
}

impl Shape {
    /// Words of a polynomial with its tail.
    pub(super) fn stride(&self) -> usize {
        self.size + TAIL
    }

    /// Words of an accumulator.
    pub(super) fn length(&self) -> usize {
        self.polynomials * self.stride()
    }

    /// Polynomials of digits of one accumulator.
    pub(super) fn rows(&self) -> usize {
        self.polynomials * self.level
    }

    /// Words of a polynomial of the accumulator at a place.
    pub(super) fn range(&self, place: usize, polynomial: usize) -> Range<usize> {
        let start = place * self.length() + polynomial * self.stride();
        start..start + self.stride()
    }

    /// Doubles of the ciphertext of one bit.
    pub(super) fn bit_length(&self) -> usize {
        self.rows() * self.polynomials * self.size
    }
}

/// GLWE ciphertexts, and room for a step on them.
pub struct Accumulators {
    pub(super) words: HugeBuffer<u64>,
    /// For each accumulator where it lies, and a free place that its next value may go to.
    pub(super) places: Vec<(usize, usize)>,
    /// Digits, then sums, of the accumulators that are worked on at once.
    pub(super) fourier: HugeBuffer<f64>,
    pub(super) shape: Shape,
}

impl Accumulators {
    /// All zero, with room to work on `tile` of them at once.
    pub(super) fn zeros(shape: Shape, count: usize, tile: usize) -> Self {
        Self {
            words: HugeBuffer::zeros(2 * count * shape.length()),
            places: (0..count).map(|place| (place, count + place)).collect(),
            fourier: HugeBuffer::zeros(tile * shape.rows() * shape.size),
            shape,
        }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.places.len()
    }

    /// Sets the body of one accumulator to the coefficients given, and its masks to zero.
    ///
    /// # Panics
    /// If there is no such accumulator.
    pub fn set(&mut self, index: usize, body: impl Iterator<Item = u64>) {
        let (shape, place) = (self.shape, self.places[index].0);
        let words = &mut self.words[place * shape.length()..(place + 1) * shape.length()];
        words.fill(0);
        let polynomial = &mut words[shape.length() - shape.stride()..];
        polynomial[..shape.size].iter_mut().zip(body).for_each(|(word, coefficient)| *word = coefficient);
        repeat_start(polynomial, shape.size);
    }

    /// Polynomial `polynomial` of an accumulator: a mask, or the body as the last.
    ///
    /// # Panics
    /// If there is no such accumulator or polynomial.
    #[must_use]
    pub fn polynomial(&self, index: usize, polynomial: usize) -> &[u64] {
        &self.words[self.shape.range(self.places[index].0, polynomial)][..self.shape.size]
    }

    /// A coefficient of an accumulator as a ciphertext under the big key: mask, then body.
    ///
    /// # Panics
    /// If there is no such accumulator or coefficient, or the output has another size.
    pub fn extract(&self, index: usize, coefficient: usize, output: &mut [u64]) {
        let (body, mask) = output.split_last_mut().expect("a ciphertext has a body");
        let masks = self.shape.polynomials - 1;
        assert_eq!(mask.len(), masks * self.shape.size, "size of a ciphertext under the big key");
        *body = self.polynomial(index, masks)[coefficient];
        for (polynomial, mask) in mask.chunks_exact_mut(self.shape.size).enumerate() {
            // Coefficient `c` of a product takes `j` of the key with `c - j` of the other, its sign changed below 0.
            let (below, above) = self.polynomial(index, polynomial).split_at(coefficient + 1);
            let (plain, negated) = mask.split_at_mut(coefficient + 1);
            plain.iter_mut().zip(below.iter().rev()).for_each(|(to, from)| *to = *from);
            negated.iter_mut().zip(above.iter().rev()).for_each(|(to, from)| *to = from.wrapping_neg());
        }
    }
}

/// Writes the tail of a polynomial of `size` coefficients.
pub(super) fn repeat_start(polynomial: &mut [u64], size: usize) {
    let (words, tail) = polynomial.split_at_mut(size);
    tail.iter_mut().zip(words).for_each(|(tail, word)| *tail = word.wrapping_neg());
}
