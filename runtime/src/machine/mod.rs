//! What operations cost on a machine: the table that the parameter search minimises with, and the predicted time of a program.
//!
//! All entries follow from times that `cml bench machine` measured through the code that runs programs. A table is a JSON
//! file, recorded in programs by its hash. `../../machines/default.json` is the one shipped.

mod predict;

pub use predict::Wave;
#[cfg(test)]
mod tests;

use crate::kernels::{Factors, KeyswitchKernel, Tiles};
use crate::program::message::ParameterSet;
use crate::server::{PASS_BYTES, accumulator_bytes, largest_pass};
use crate::units::{GlweShape, accumulators, tables_of_rotation};
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Of the file format.
pub const VERSION: u32 = 2;

/// No table is larger.
const MAX_BYTES: u64 = 1 << 20;

/// Why a cost table cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("machine table {}: {what}; `cml bench machine -o FILE` writes a sound one", path.display())]
pub struct Error {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub what: String,
}

/// Costs on a machine, in nanoseconds of one thread.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Of the file format: [`VERSION`].
    pub version: u32,
    /// What the table is called in reports.
    pub name: String,
    /// Where it was measured.
    pub cpu: String,
    /// How many threads share the work.
    pub threads: u32,
    /// What a thread usually takes while all others work as well, relative to the least time that it takes alone.
    pub together: f64,
    /// The keyswitch.
    pub keyswitch: Keyswitch,
    /// Linear layers.
    pub linear: Linear,
    /// Time of work on accumulators that no longer fit into the cache, relative to those that do: for 2, 4, 8 times as many
    /// bytes as a batch has.
    pub crowded: Vec<f64>,
    /// One entry for each shape, in increasing order. Those that are absent are not searched.
    pub bootstraps: Vec<Bootstraps>,
}

/// Costs of keyswitches, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keyswitch {
    /// One multiply-add of a digit and a word of the key, in a full batch.
    pub multiply_add: f64,
    /// Decomposing, for each digit.
    pub digit: f64,
    /// Bringing a word of the key into cache, once for each batch.
    pub key_word: f64,
}

/// Costs of linear layers, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Linear {
    /// One multiply-add of a weight and a word of a ciphertext.
    pub multiply_add: f64,
    /// Laying out a word of the inputs.
    pub input_word: f64,
    /// Writing a word of the results.
    pub output_word: f64,
    /// A word of an input of a sum of lists, element by element.
    pub combined_word: f64,
}

/// Costs of bootstraps with keys of one shape, for each element of the mask, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bootstraps {
    /// Number of mask polynomials.
    pub glwe_dimension: u32,
    /// Number of coefficients.
    pub polynomial_size: u32,
    /// For each digit, once for each batch: bringing its part of the key into cache, while all threads do.
    pub key: f64,
    /// For each digit of an accumulator: rotation, transforms and multiply-adds.
    pub digit: f64,
    /// For each accumulator: what does not depend on the number of digits.
    pub accumulator: f64,
}

/// Expected number of external products for each element of the mask in an extended bootstrap with `2^extension`
/// accumulators, the elements sorted by trailing zeros.
///
/// An element of exactly `t < v` trailing zeros, which is one in `2^(t + 1)`, updates `2^(v - t)` accumulators, all others
/// update one: `sum over t < v of 2^(v - t) / 2^(t + 1)`, plus `1 / 2^v`, is `(2^(v + 1) + 2^-v) / 3`.
pub(crate) fn sorted_components(extension: i32) -> f64 {
    let accumulators = accumulators(extension) as f64;
    (2.0 * accumulators + 1.0 / accumulators) / 3.0
}

/// Expected number of passes over an element's part of the key for a batch: one for each number of trailing zeros that the
/// element has in some ciphertext.
fn passes(extension: i32, count: usize) -> f64 {
    let present = |share: f64| 1.0 - (1.0 - share).powf(count as f64);
    let zeros = (0..extension).map(|zeros| present((-f64::from(zeros) - 1.0).exp2()));
    zeros.sum::<f64>() + present((accumulators(extension) as f64).recip())
}

impl Machine {
    /// The table that is used where none is given.
    #[must_use]
    pub fn default_table() -> Self {
        Self::parse(include_bytes!("../../machines/default.json")).expect("the shipped table is sound")
    }

    /// Reads a table.
    ///
    /// # Errors
    /// [`Error`] names the file and what is wrong with it.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let refuse = |what: String| Error { path: path.to_owned(), what };
        let file =
            std::fs::File::open(path).map_err(|source| refuse(format!("it cannot be opened: {source}")))?;
        let mut bytes = Vec::new();
        let read = file.take(MAX_BYTES + 1).read_to_end(&mut bytes);
        read.map_err(|source| refuse(format!("it cannot be read: {source}")))?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(refuse(format!("it has more than {MAX_BYTES} bytes")));
        }
        Self::parse(&bytes).map_err(refuse)
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let machine: Self = serde_json::from_slice(bytes).map_err(|source| source.to_string())?;
        machine.check()?;
        Ok(machine)
    }

    fn check(&self) -> Result<(), String> {
        if self.version != VERSION {
            return Err(format!("it has version {}, expected {VERSION}", self.version));
        }
        if self.threads == 0 || self.bootstraps.is_empty() {
            return Err("it has no threads or no bootstraps".to_owned());
        }
        if self.bootstraps.windows(2).any(|pair| pair[0].key() >= pair[1].key()) {
            return Err("its shapes do not increase".to_owned());
        }
        let factors = std::iter::once(&self.together).chain(&self.crowded);
        if let Some(factor) = factors.into_iter().find(|factor| !(**factor >= 1.0 && **factor < 1e3)) {
            return Err(format!("a slowdown is {factor}, expected at least 1"));
        }
        let Self { keyswitch, linear, .. } = self;
        let mut constants = vec![
            ("keyswitch.multiply_add", keyswitch.multiply_add),
            ("keyswitch.digit", keyswitch.digit),
            ("keyswitch.key_word", keyswitch.key_word),
            ("linear.multiply_add", linear.multiply_add),
            ("linear.input_word", linear.input_word),
            ("linear.output_word", linear.output_word),
            ("linear.combined_word", linear.combined_word),
        ];
        for entry in &self.bootstraps {
            let Bootstraps { glwe_dimension, polynomial_size, key, digit, accumulator } = *entry;
            if !polynomial_size.is_power_of_two() || glwe_dimension == 0 {
                return Err(format!("{glwe_dimension} polynomials of size {polynomial_size} are no shape"));
            }
            if digit == 0.0 {
                return Err("a digit takes no time".to_owned());
            }
            constants.extend([("key", key), ("digit", digit), ("accumulator", accumulator)]);
        }
        // What brings a key into cache may be too little to be measured.
        let bad = constants.iter().find(|(_, value)| !(*value >= 0.0 && *value < 1e12));
        let refuse = |name, value| Err(format!("{name} is {value}, expected a number that is not negative"));
        bad.map_or(Ok(()), |(name, value)| refuse(name, value))
    }

    /// The table as a file: a line for each entry.
    #[must_use]
    pub fn to_json(&self) -> String {
        fn json(value: &impl Serialize) -> String {
            serde_json::to_string(value).expect("a table of finite numbers is JSON")
        }
        let Self { version, name, cpu, threads, together, keyswitch, linear, crowded, bootstraps } = self;
        let fields = [
            ("version", json(version)),
            ("name", json(name)),
            ("cpu", json(cpu)),
            ("threads", json(threads)),
            ("together", json(together)),
            ("keyswitch", json(keyswitch)),
            ("linear", json(linear)),
            ("crowded", json(crowded)),
        ];
        let fields: String = fields.iter().map(|(name, value)| format!("  \"{name}\": {value},\n")).collect();
        let bootstraps: Vec<String> = bootstraps.iter().map(json).collect();
        format!("{{\n{fields}  \"bootstraps\": [\n    {}\n  ]\n}}\n", bootstraps.join(",\n    "))
    }

    /// BLAKE3 of the table in its canonical form (JSON without spaces, fields in order): a change of layout changes nothing.
    #[must_use]
    pub fn hash(&self) -> [u8; blake3::OUT_LEN] {
        let bytes = serde_json::to_vec(self).expect("a table of finite numbers is JSON");
        *blake3::hash(&bytes).as_bytes()
    }

    /// Nanoseconds of one element of the mask for a batch of `count` ciphertexts; `None` where the table lacks the shape.
    fn batch_element(&self, shape: GlweShape, level: u32, extension: i32, count: usize) -> Option<f64> {
        let key = (shape.polynomial_size, shape.dimension);
        let index = self.bootstraps.binary_search_by_key(&key, Bootstraps::key).ok()?;
        let (entry, level) = (&self.bootstraps[index], f64::from(level));
        // The entry was measured with the accumulators of plain bootstraps.
        let crowded = self.crowded(shape, extension) / self.crowded(shape, 0);
        let products = count as f64 * sorted_components(extension) * crowded;
        Some(passes(extension, count) * level * entry.key + products * entry.product(level))
    }

    /// What a ciphertext with so many accumulators is slowed down by.
    fn crowded(&self, shape: GlweShape, extension: i32) -> f64 {
        let times = accumulator_bytes(shape, extension).div_ceil(PASS_BYTES).next_power_of_two().ilog2();
        let known = self.crowded.get(..(times as usize).min(self.crowded.len()));
        known.and_then(<[f64]>::last).copied().unwrap_or(1.0)
    }

    /// Nanoseconds of a bootstrap for each element of the mask, in a full batch; `None` where the table lacks the shape. Where
    /// tables share a rotation, each has its part.
    #[must_use]
    pub fn mask_element(&self, shape: GlweShape, level: u32, extension: i32) -> Option<f64> {
        let batch = largest_pass(shape, extension);
        let tables = batch * tables_of_rotation(extension);
        Some(self.batch_element(shape, level, extension, batch)? / tables as f64)
    }

    /// Nanoseconds of one bootstrap in a full batch, as [`Self::mask_element`].
    #[must_use]
    pub fn bootstrap(&self, set: &ParameterSet, extension: i32) -> Option<f64> {
        let element = self.mask_element(set.glwe_shape(), set.pbs_level, extension)?;
        Some(f64::from(set.lwe_dimension) * element)
    }

    /// Nanoseconds of a batch of `count` bootstraps; `None` where the table lacks the shape.
    fn bootstrap_batch(&self, set: &ParameterSet, extension: i32, count: usize) -> Option<f64> {
        let element = self.batch_element(set.glwe_shape(), set.pbs_level, extension, count)?;
        Some(f64::from(set.lwe_dimension) * element)
    }

    /// Nanoseconds of one keyswitch in a full batch.
    #[must_use]
    pub fn keyswitch(&self, set: &ParameterSet) -> f64 {
        let batch = KeyswitchKernel::batch(usize::MAX);
        (self.keyswitch_tile(set, batch) * tiles(set) as f64) / batch as f64 + self.keyswitch_digits(set)
    }

    /// Nanoseconds of decomposing one ciphertext.
    fn keyswitch_digits(&self, set: &ParameterSet) -> f64 {
        digits(set) * self.keyswitch.digit
    }

    /// Nanoseconds of a batch of `count` keyswitches for each tile of the key.
    fn keyswitch_tile(&self, set: &ParameterSet, count: usize) -> f64 {
        let lines = count.next_multiple_of(Factors::BLOCK) as f64;
        let word = self.keyswitch.key_word + lines * self.keyswitch.multiply_add;
        digits(set) * Tiles::COLUMNS as f64 * word
    }
}

/// Digits of a ciphertext in a keyswitch.
fn digits(set: &ParameterSet) -> f64 {
    set.big_dimension().0 as f64 * f64::from(set.ks_level)
}

/// Tiles of a keyswitching key.
fn tiles(set: &ParameterSet) -> usize {
    (set.lwe_dimension as usize + 1).div_ceil(Tiles::COLUMNS)
}

impl Bootstraps {
    /// What entries are ordered by.
    fn key(&self) -> (usize, usize) {
        (self.polynomial_size as usize, self.glwe_dimension as usize)
    }

    /// One external product with its rotation.
    pub(crate) fn product(&self, level: f64) -> f64 {
        self.accumulator + level * self.digit
    }
}
