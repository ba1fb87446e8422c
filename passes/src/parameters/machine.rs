//! What operations cost on a machine: the table that the search minimises with, and its predictions.

use super::SearchError;
use cml_runtime::program::message::ParameterSet;
use cml_runtime::units::GlweShape;
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::path::Path;

/// Of the file format.
const VERSION: u32 = 1;

/// No table is larger.
const MAX_BYTES: u64 = 1 << 20;

/// Costs on one thread of a machine, in nanoseconds.
///
/// Those of polynomials hold for a key in cache; what it takes to bring it there is `key_byte`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Of the file format: 1.
    pub version: u32,
    /// What the table is called in reports.
    pub name: String,
    /// Where it was measured.
    pub cpu: String,
    /// How many threads share the lookups.
    pub threads: u32,
    /// One entry for each polynomial size, in increasing order. Sizes that are absent are not searched.
    pub polynomials: Vec<Polynomials>,
    /// One multiply-add of the batched keyswitch, its share of the decomposition included.
    pub keyswitch: f64,
    /// Reading one byte of the bootstrapping key from memory.
    pub key_byte: f64,
    /// How many plain bootstraps share one pass over the key. Extended ones go alone: their accumulators share it.
    pub plain_batch: f64,
    /// What the external products of a plain bootstrap cost in it, relative to one in a loop.
    pub plain_overhead: f64,
    /// The same for an extended bootstrap.
    pub extended_overhead: f64,
}

/// Costs of polynomials of one size, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Polynomials {
    /// Number of coefficients.
    pub size: u32,
    /// One Fourier transform of a polynomial.
    pub forward: f64,
    /// One inverse transform, the result added to a polynomial.
    pub backward: f64,
    /// Multiplying and adding, for each coefficient of a polynomial of the key.
    pub multiply_add: f64,
    /// Rotating and decomposing, for each coefficient and each digit, the rotation counting as a digit.
    pub rotate_decompose: f64,
}

/// Expected number of external products for each element of the mask in an extended bootstrap with `2^extension`
/// accumulators, the elements sorted by trailing zeros.
///
/// An element of exactly `t < v` trailing zeros, which is one in `2^(t + 1)`, updates `2^(v - t)` accumulators, all others
/// update one: `sum over t < v of 2^(v - t) / 2^(t + 1)`, plus `1 / 2^v`, is `(2^(v + 1) + 2^-v) / 3`.
#[must_use]
pub fn sorted_components(extension: u32) -> f64 {
    let accumulators = f64::from(extension).exp2();
    (2.0 * accumulators + 1.0 / accumulators) / 3.0
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
    /// [`SearchError::Machine`] names the file and what is wrong with it.
    pub fn load(path: &Path) -> Result<Self, SearchError> {
        let refuse = |what: String| SearchError::Machine { path: path.to_owned(), what };
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
        if self.threads == 0 || self.polynomials.is_empty() {
            return Err("it has no threads or no polynomials".to_owned());
        }
        if self.polynomials.windows(2).any(|pair| pair[0].size >= pair[1].size) {
            return Err("its polynomial sizes do not increase".to_owned());
        }
        let mut constants = vec![
            ("keyswitch", self.keyswitch),
            ("key_byte", self.key_byte),
            ("plain_batch", self.plain_batch),
            ("plain_overhead", self.plain_overhead),
            ("extended_overhead", self.extended_overhead),
        ];
        for entry in &self.polynomials {
            if !entry.size.is_power_of_two() {
                return Err(format!("polynomial size {} is no power of two", entry.size));
            }
            constants.extend([
                ("forward", entry.forward),
                ("backward", entry.backward),
                ("multiply_add", entry.multiply_add),
                ("rotate_decompose", entry.rotate_decompose),
            ]);
        }
        let bad = constants.iter().find(|(_, value)| !(*value > 0.0 && *value < 1e12));
        bad.map_or(Ok(()), |(name, value)| Err(format!("{name} is {value}, expected a positive number")))
    }

    /// BLAKE3 of the table in its canonical form (JSON without spaces, fields in order): a change of layout changes nothing.
    #[must_use]
    pub fn hash(&self) -> [u8; blake3::OUT_LEN] {
        let bytes = serde_json::to_vec(self).expect("a table of finite numbers is JSON");
        *blake3::hash(&bytes).as_bytes()
    }

    /// Nanoseconds of one external product with its rotation, the key in cache; `None` where the table lacks the size.
    #[must_use]
    pub fn external_product(&self, shape: GlweShape, level: u32) -> Option<f64> {
        let entry = self.polynomials.iter().find(|entry| entry.size as usize == shape.polynomial_size)?;
        let (rows, level) = (shape.dimension as f64 + 1.0, f64::from(level));
        let size = f64::from(entry.size);
        let transforms = rows * (level * entry.forward + entry.backward);
        let products = rows * rows * level * size * entry.multiply_add;
        let digits = rows * (level + 1.0) * size * entry.rotate_decompose;
        Some(transforms + products + digits)
    }

    /// Nanoseconds of a bootstrap for each element of the mask; `None` where the table lacks the polynomial size.
    #[must_use]
    pub fn mask_element(&self, shape: GlweShape, level: u32, extension: u32) -> Option<f64> {
        let products = sorted_components(extension) * self.external_product(shape, level)?;
        let polynomials = (shape.dimension as f64 + 1.0).powi(2) * f64::from(level);
        // In the Fourier domain half as many complex numbers of 16 bytes.
        let key = polynomials * shape.polynomial_size as f64 * 8.0 * self.key_byte;
        Some(match extension {
            0 => products * self.plain_overhead + key / self.plain_batch,
            _ => products * self.extended_overhead + key,
        })
    }

    /// Nanoseconds of one bootstrap on one thread; `None` where the table lacks the polynomial size.
    #[must_use]
    pub fn bootstrap(&self, set: &ParameterSet, extension: u32) -> Option<f64> {
        let element = self.mask_element(set.glwe_shape(), set.pbs_level, extension)?;
        Some(f64::from(set.lwe_dimension) * element)
    }

    /// Nanoseconds of one keyswitch in a batch, on one thread.
    #[must_use]
    pub fn keyswitch(&self, set: &ParameterSet) -> f64 {
        let products = set.big_dimension().0 as f64 * f64::from(set.ks_level);
        products * (f64::from(set.lwe_dimension) + 1.0) * self.keyswitch
    }

    /// Seconds of a program's lookups (how many, and their extension) on all threads; `None` where the table lacks the
    /// polynomial size.
    #[must_use]
    pub fn seconds(&self, set: &ParameterSet, lookups: impl IntoIterator<Item = (u32, u32)>) -> Option<f64> {
        let keyswitch = self.keyswitch(set);
        let mut nanoseconds = 0.0;
        for (count, extension) in lookups {
            nanoseconds += f64::from(count) * (keyswitch + self.bootstrap(set, extension)?);
        }
        Some(nanoseconds * 1e-9 / f64::from(self.threads))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cml_runtime::parameters::security::gaussian_132;
    use cml_runtime::units::LweDimension;

    fn set(n: u32, k: u32, size: u32, level: u32, ks: (u32, u32)) -> ParameterSet {
        ParameterSet {
            lwe_dimension: n,
            glwe_dimension: k,
            polynomial_size: size,
            pbs_base_log: 15,
            pbs_level: level,
            ks_base_log: ks.1,
            ks_level: ks.0,
            lwe_std_dev: gaussian_132(LweDimension(n as usize)).std_dev(),
            glwe_std_dev: gaussian_132(LweDimension((k * size) as usize)).std_dev(),
        }
    }

    #[test]
    fn sorting_saves_what_was_counted() {
        for (extension, expected) in [(0, 1.0), (1, 1.5), (2, 2.75), (3, 5.375), (4, 10.6875)] {
            assert_eq!(sorted_components(extension), expected);
        }
        // The sum that the closed form stands for.
        for v in 0..9 {
            let terms: f64 = (0..v).map(|t| f64::from(v - t).exp2() / f64::from(t + 1).exp2()).sum::<f64>();
            assert!((sorted_components(v as u32) - terms - f64::from(-v).exp2()).abs() < 1e-9);
        }
    }

    #[test]
    fn predictions_are_near_what_was_measured() {
        let machine = Machine::default_table();
        // Milliseconds on one thread, quiet: 4 bits in lockstep, then sorted extended bootstraps of 5, 6, 7 and 8 bits.
        for (set, extension, measured) in [
            (set(848, 2, 1024, 1, (5, 3)), 0, 7.6),
            (set(805, 1, 2048, 1, (3, 5)), 1, 16.7),
            (set(855, 1, 2048, 1, (3, 5)), 2, 29.9),
            (set(887, 1, 2048, 2, (3, 5)), 3, 88.2),
            (set(930, 1, 2048, 2, (3, 5)), 4, 172.5),
        ] {
            let predicted = machine.bootstrap(&set, extension).unwrap() * 1e-6;
            assert!((predicted / measured - 1.0).abs() < 0.06, "{predicted} ms, measured {measured} ms");
        }
        let keyswitch = machine.keyswitch(&set(848, 2, 1024, 1, (5, 3))) * 1e-6;
        assert!((keyswitch / 0.47 - 1.0).abs() < 0.12, "{keyswitch}");
        let both = machine.seconds(&set(848, 2, 1024, 1, (5, 3)), [(100, 0)]).unwrap();
        assert!((both / 0.407 - 1.0).abs() < 0.12, "{both}");
    }

    #[test]
    fn the_hash_is_of_the_content() {
        let machine = Machine::default_table();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("machine.json");
        std::fs::write(&path, serde_json::to_vec_pretty(&machine).unwrap()).unwrap();
        assert_eq!(Machine::load(&path).unwrap().hash(), machine.hash());
        let other = Machine { keyswitch: 0.06, ..machine.clone() };
        assert_ne!(other.hash(), machine.hash());
    }

    #[test]
    fn bad_tables_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("machine.json");
        let good = include_str!("../../machines/default.json");
        let load = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Machine::load(&path).map(|_| ())
        };
        assert_eq!(load(good), Ok(()));
        for (from, to, what) in [
            ("\"version\": 1", "\"version\": 2", "version 2"),
            ("\"threads\": 2", "\"threads\": 0", "no threads"),
            ("\"keyswitch\": 0.055", "\"keyswitch\": -1", "keyswitch is -1"),
            ("\"keyswitch\": 0.055", "\"keyswich\": 1", "unknown field"),
            ("\"size\": 512", "\"size\": 500", "no power of two"),
            ("\"size\": 512", "\"size\": 64", "do not increase"),
            ("\"size\": 512", "\"size\": ", "line"),
        ] {
            assert!(good.contains(from), "{from}");
            let error = load(&good.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(what) && error.contains("machine.json"), "{error}");
        }
        assert!(load(&format!("{good}{}", " ".repeat(1 << 20))).is_err());
        assert!(Machine::load(&folder.path().join("absent.json")).is_err());
    }
}
