//! Encryption of a program's inputs.

use super::encoding::encode;
use super::files;
use super::shapes::{Shapes, gaussian, modulus};
use super::{ClientKey, Error, ProgramHash, Randomness};
use crate::program::FileKind;
use crate::program::message::{Client, EncryptedPort};
use std::ops::Range;
use std::path::Path;
use tfhe::core_crypto::commons::math::random::{CompressionSeed, Seeder};
use tfhe::core_crypto::prelude::{
    PlaintextList, SeededLweCiphertextList, par_encrypt_seeded_lwe_ciphertext_list,
};

/// Ciphertexts of one input of one sample: 8 bytes an element, the masks being a seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeededList {
    pub(crate) seed: u128,
    pub(crate) bodies: Vec<u64>,
}

/// Encrypted inputs of some samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncryptedInputs {
    pub(crate) program: ProgramHash,
    /// For each sample one list for each input.
    pub(crate) samples: Vec<Vec<SeededList>>,
}

/// Encrypts integers: for each sample one list for each input of the program, elements row-major.
///
/// # Errors
/// If there are not as many lists or elements as the program has, an integer is out of its range, or the key is of
/// another program.
pub fn encrypt(
    key: &ClientKey,
    client: &Client,
    samples: &[Vec<Vec<i64>>],
    randomness: &mut Randomness,
) -> Result<EncryptedInputs, Error> {
    key.expect_program(client)?;
    client.inputs.iter().try_for_each(|port| port.check().map(drop))?;
    let mut encrypted = Vec::with_capacity(samples.len());
    for (sample, lists) in samples.iter().enumerate() {
        if lists.len() != client.inputs.len() {
            let names: Vec<_> = client.inputs.iter().map(|port| port.name.as_str()).collect();
            let (found, expected) = (lists.len(), client.inputs.len());
            return Err(Error::InputCount { found, expected, names: names.join(", ") });
        }
        let pairs = client.inputs.iter().zip(lists);
        let lists = pairs.map(|(port, values)| {
            check_range(port, sample, values)?;
            Ok(encrypt_list(key, port.spacing, values, randomness))
        });
        encrypted.push(lists.collect::<Result<Vec<_>, Error>>()?);
    }
    Ok(EncryptedInputs { program: *key.program(), samples: encrypted })
}

fn check_range(port: &EncryptedPort, sample: usize, values: &[i64]) -> Result<(), Error> {
    if values.len() != port.elements() {
        let (found, expected) =
            (format!("{} elements", values.len()), format!("{} elements", port.elements()));
        return Err(Error::InputShape { name: port.name.clone(), found, expected });
    }
    for (element, value) in values.iter().enumerate() {
        let (lo, hi) = (port.lo[element], port.hi[element]);
        if *value < lo || *value > hi {
            return Err(Error::Unencodable {
                name: port.name.clone(),
                sample,
                element,
                value: *value,
                lo,
                hi,
            });
        }
    }
    Ok(())
}

fn encrypt_list(key: &ClientKey, spacing: u64, values: &[i64], randomness: &mut Randomness) -> SeededList {
    let seed = randomness.seed();
    let mut bodies = vec![0; values.len()];
    if values.is_empty() {
        return SeededList { seed: seed.0, bodies };
    }
    let phases: Vec<u64> = values.iter().map(|value| encode(*value, spacing)).collect();
    let mut list = SeededLweCiphertextList::from_container(
        bodies.as_mut_slice(),
        Shapes::new(&key.parameters()[0]).big_size(),
        CompressionSeed::from(seed),
        modulus(),
    );
    par_encrypt_seeded_lwe_ciphertext_list(
        &key.big_secret(),
        &mut list,
        &PlaintextList::from_container(phases),
        gaussian(key.parameters()[0].glwe_std_dev),
        randomness,
    );
    SeededList { seed: seed.0, bodies }
}

impl EncryptedInputs {
    /// How many samples there are.
    #[must_use]
    pub fn sample_count(&self) -> usize {
        self.samples.len()
    }

    /// Some of the samples.
    ///
    /// # Panics
    /// If there are not as many.
    #[must_use]
    pub fn some(&self, samples: Range<usize>) -> Self {
        Self { program: self.program, samples: self.samples[samples].to_vec() }
    }

    /// Writes the ciphertexts.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let mut payload = (self.samples.len() as u64).to_le_bytes().to_vec();
        for list in self.samples.iter().flatten() {
            payload.extend(list.seed.to_le_bytes());
            payload.extend(files::to_bytes(&list.bodies));
        }
        files::write(path, FileKind::EncryptedInput, &self.program, &[&payload])
    }

    /// Reads the inputs of the program with this hash and these ports.
    ///
    /// # Errors
    /// For a file that does not hold them, says why.
    pub fn load(path: &Path, program: &ProgramHash, ports: &[EncryptedPort]) -> Result<Self, Error> {
        let payload = files::read(path, FileKind::EncryptedInput, program)?;
        let per_sample: u64 = ports.iter().map(|port| 16 + 8 * port.elements() as u64).sum();
        let mut rest = files::samples(path, &payload, per_sample)?;
        let mut samples = Vec::new();
        for _ in 0..rest.count {
            let lists = ports.iter().map(|port| {
                let seed = rest.take(16);
                let seed = u128::from_le_bytes(std::array::from_fn(|index| seed[index]));
                SeededList { seed, bodies: files::to_words(rest.take(8 * port.elements())) }
            });
            samples.push(lists.collect());
        }
        Ok(Self { program: *program, samples })
    }
}
