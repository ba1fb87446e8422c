//! How much memory the server takes, from the program alone.
//!
//! Keys and test polynomials take what they take; ciphertexts grow with the samples that go through the program together.
//! The bound walks the program as execution does, with values that count their bytes for as long as they live.

use super::{CheckedServer, CombineStep, Error, Executor, LinearStep, Phase};
use crate::client::shapes::Shapes;
use crate::kernels::{Factors, Tiles};
use crate::parameters::{key_sets, outputs};
use crate::program::Reading;
use crate::program::message::{ParameterSet, Step};
use std::cell::Cell;
use std::num::NonZeroUsize;

/// Most bytes that samples together may take. Batches of rotations are full long before that: more samples do not make one
/// cheaper.
const BYTES_TOGETHER: u64 = 1 << 28;

/// Most samples together: where values are few.
const MOST_TOGETHER: usize = 1 << 12;

/// Bytes of a torus element.
const WORD: u64 = 8;

impl CheckedServer<'_> {
    /// Most bytes that keys, test polynomials and the ciphertexts of one or more samples take together while a server runs
    /// this program: 1 GiB and less for the networks here. Files as they are read and the process itself come on top.
    #[must_use]
    pub fn peak_bytes(&self, together: NonZeroUsize) -> u64 {
        let sets = self.parameters();
        let keys: u64 = sets.iter().map(prepared_bytes).sum();
        // Keys are expanded one set after the other, beside the file's content.
        let expanding = sets.iter().map(expanded_bytes).max().unwrap_or(0) + key_sets::eval_key_bytes(sets);
        keys.saturating_add(
            expanding.max(self.bytes_of(together.get()).saturating_add(self.polynomial_bytes())),
        )
    }

    /// How many samples may go through the program together.
    #[must_use]
    pub fn samples_at_once(&self) -> NonZeroUsize {
        let (mut fits, mut too_many) = (1, MOST_TOGETHER + 1);
        while fits + 1 < too_many {
            let middle = fits.midpoint(too_many);
            if self.bytes_of(middle) <= BYTES_TOGETHER { fits = middle } else { too_many = middle }
        }
        NonZeroUsize::new(fits).unwrap_or(NonZeroUsize::MIN)
    }

    /// Most bytes that the ciphertexts of so many samples take.
    fn bytes_of(&self, samples: usize) -> u64 {
        let size = Shapes::new(&self.parameters()[0]).big_size().0 as u64;
        let meter = Meter::default();
        let mut footprint =
            Footprint { meter: &meter, samples: samples as u64, size, sets: self.parameters() };
        let inputs = self.server().inputs.iter().map(|port| footprint.ciphertexts(port.elements())).collect();
        // This executor refuses nothing.
        let Ok(results) = self.walk(&mut footprint, inputs) else { return u64::MAX };
        let mut packed = Vec::new();
        for (port, list) in self.server().outputs.iter().zip(results) {
            let bits = outputs::stored_bits(port.returned.as_ref());
            let _shortened = meter.hold(list.bytes);
            packed.push(meter.hold(list.bytes / 64 * u64::from(bits)));
        }
        meter.peak.get()
    }

    /// Bytes of all test polynomials.
    fn polynomial_bytes(&self) -> u64 {
        let of = |reading: Reading<'_>| {
            let set = &self.parameters()[reading.key() as usize];
            WORD * reading.coefficients(set.polynomial_size)
        };
        self.server().steps.iter().filter_map(Step::reading).map(of).sum()
    }
}

/// Bytes of the keys of a set as the server computes with them.
fn prepared_bytes(set: &ParameterSet) -> u64 {
    let shapes = Shapes::new(set);
    let columns = (shapes.small.0 + 1).next_multiple_of(Tiles::COLUMNS) as u64;
    bootstrap_bytes(&shapes) + WORD * columns * keyswitch_rows(&shapes)
}

/// Bytes of the larger of both keys of a set, once its seed is expanded.
fn expanded_bytes(set: &ParameterSet) -> u64 {
    let shapes = Shapes::new(set);
    let keyswitch = WORD * (shapes.small.0 as u64 + 1) * keyswitch_rows(&shapes);
    bootstrap_bytes(&shapes).max(keyswitch)
}

/// As many words as in the Fourier domain: a complex number stands for two coefficients.
fn bootstrap_bytes(shapes: &Shapes) -> u64 {
    let elements = shapes.small.0 * shapes.pbs_level.0 * shapes.glwe.0 * shapes.glwe.0 * shapes.polynomial.0;
    WORD * elements as u64
}

fn keyswitch_rows(shapes: &Shapes) -> u64 {
    (shapes.big.0 * shapes.ks_level.0) as u64
}

/// Bytes that are in use.
#[derive(Default)]
struct Meter {
    now: Cell<u64>,
    peak: Cell<u64>,
}

impl Meter {
    fn hold(&self, bytes: u64) -> Held<'_> {
        self.now.set(self.now.get().saturating_add(bytes));
        self.peak.set(self.peak.get().max(self.now.get()));
        Held { meter: self, bytes }
    }
}

/// Some of the bytes in use, until it is dropped.
struct Held<'a> {
    meter: &'a Meter,
    bytes: u64,
}

impl Clone for Held<'_> {
    fn clone(&self) -> Self {
        self.meter.hold(self.bytes)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.meter.now.set(self.meter.now.get().saturating_sub(self.bytes));
    }
}

/// What [`super::Encrypted`] allocates in each step.
struct Footprint<'a> {
    meter: &'a Meter,
    samples: u64,
    /// Words of a ciphertext under the big key.
    size: u64,
    sets: &'a [ParameterSet],
}

impl<'a> Footprint<'a> {
    /// So many ciphertexts of each sample.
    fn ciphertexts(&self, count: usize) -> Held<'a> {
        self.meter.hold(self.of_all(count, self.size))
    }

    fn of_all(&self, count: usize, words: u64) -> u64 {
        (count as u64).saturating_mul(WORD * words).saturating_mul(self.samples)
    }
}

impl<'a> Executor for Footprint<'a> {
    type Value = Held<'a>;

    fn linear(&mut self, step: &LinearStep<'_>, _: &[&Held<'a>]) -> Result<Held<'a>, Error> {
        let (rows, columns) = (u64::from(step.linear.rows), step.factors.len() as u64);
        let result = self.ciphertexts(step.linear.rows as usize);
        // Of one sample after the other: its inputs in tiles, sums in tiles, and the weights.
        let lines = rows.next_multiple_of(Factors::BLOCK as u64);
        let words = (lines + columns) * self.size.next_multiple_of(Tiles::COLUMNS as u64) + lines * columns;
        drop(self.meter.hold(WORD * words));
        Ok(result)
    }

    fn combine(&mut self, step: &CombineStep<'_>, _: &[&Held<'a>]) -> Result<Held<'a>, Error> {
        Ok(self.ciphertexts(step.combine.bias.len()))
    }

    fn bootstraps(&mut self, phases: &[(Phase<'_>, &Held<'a>)]) -> Result<Vec<Vec<Held<'a>>>, Error> {
        let switched = phases.iter().map(|(phase, _)| {
            let reading = phase.first().reading;
            let words = u64::from(self.sets[reading.key() as usize].lwe_dimension) + 1;
            self.meter.hold(self.of_all(reading.elements(), words))
        });
        let switched: Vec<Held<'_>> = switched.collect();
        let results = phases.iter().map(|(phase, _)| {
            phase.steps().iter().map(|step| self.ciphertexts(step.reading.results())).collect()
        });
        let results = results.collect();
        drop(switched);
        Ok(results)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_counted_while_they_are_held() {
        let meter = Meter::default();
        let one = meter.hold(3);
        let two = one.clone();
        drop(one);
        drop(meter.hold(4));
        assert_eq!((meter.now.get(), meter.peak.get()), (3, 7));
        drop(two);
        assert_eq!((meter.now.get(), meter.peak.get()), (0, 7));
    }
}
