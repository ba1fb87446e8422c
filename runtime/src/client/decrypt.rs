//! Decryption of a program's outputs.

use super::bits;
use super::encoding::decode;
use super::files;
use super::shapes::modulus;
use super::{ClientKey, Error, ProgramHash};
use crate::parameters::outputs;
use crate::program::message::{Client, EncryptedPort, ParameterSet};
use crate::program::{FileKind, check_returned};
use rayon::prelude::*;
use std::path::Path;
use tfhe::core_crypto::prelude::{LweCiphertext, LweSecretKey, decrypt_lwe_ciphertext};

/// Encrypted results of some samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncryptedOutputs {
    pub(crate) program: ProgramHash,
    /// For each sample and each output all ciphertexts, one after the other: mask, then body, as many bits of each element
    /// as the output says.
    pub(crate) samples: Vec<Vec<Vec<u8>>>,
}

/// Decrypted integers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decrypted {
    /// For each sample one list for each output, elements row-major.
    pub samples: Vec<Vec<Vec<i64>>>,
    /// How many integers are outside of their proved range: not 0 only if something went wrong on the way.
    pub out_of_range: u64,
}

/// Decrypts all outputs of all samples.
///
/// # Errors
/// If the key or the ciphertexts are of another program.
pub fn decrypt(key: &ClientKey, client: &Client, outputs: &EncryptedOutputs) -> Result<Decrypted, Error> {
    key.expect_program(client)?;
    client.outputs.iter().try_for_each(|port| port.check().map(drop))?;
    check_returned(&client.inputs, &client.outputs, key.parameters().len())?;
    let expected = |port| port_bytes(port, key.parameters());
    let fits = |lists: &Vec<Vec<u8>>| {
        lists.len() == client.outputs.len()
            && lists.iter().zip(&client.outputs).all(|(list, port)| list.len() as u64 == expected(port))
    };
    if outputs.program != *key.program() || !outputs.samples.iter().all(fits) {
        return Err(Error::Mixed);
    }
    let sample = |lists: &Vec<Vec<u8>>| {
        let pairs = lists.iter().zip(&client.outputs);
        pairs.map(|(list, port)| decrypt_list(key, port, list)).collect::<Vec<_>>()
    };
    let samples: Vec<_> = outputs.samples.iter().map(sample).collect();
    let out_of_range = samples.iter().map(|lists| count_out_of_range(&client.outputs, lists)).sum();
    Ok(Decrypted { samples, out_of_range })
}

/// Bytes of one output of one sample.
fn port_bytes(port: &EncryptedPort, sets: &[ParameterSet]) -> u64 {
    outputs::bytes(port.elements(), port.returned.as_ref(), sets)
}

fn decrypt_list(key: &ClientKey, port: &EncryptedPort, list: &[u8]) -> Vec<i64> {
    let returned = port.returned.as_ref();
    let secret = match returned.and_then(|returned| returned.key) {
        Some(set) => key.small_secret(set as usize),
        None => key.big_secret(),
    };
    let phases = phases(&secret, &ciphertexts(port, key.parameters(), list));
    let integer = |(element, phase)| decode(phase, port.spacing, port.lo[element], port.hi[element]);
    phases.into_par_iter().enumerate().map(integer).collect()
}

/// The ciphertexts of one output of one sample, one after the other: mask, then body.
pub(crate) fn ciphertexts(port: &EncryptedPort, sets: &[ParameterSet], list: &[u8]) -> Vec<u64> {
    let returned = port.returned.as_ref();
    let (size, stored) = (outputs::dimension(returned, sets).0 + 1, outputs::stored_bits(returned));
    let mut words = bits::unpack(list, stored, port.elements() * size);
    // What is rounded is stored as positions on the torus.
    words.iter_mut().for_each(|word| *word <<= 64 - stored);
    words
}

/// The phase of each ciphertext under a key.
pub(crate) fn phases(secret: &LweSecretKey<&[u64]>, ciphertexts: &[u64]) -> Vec<u64> {
    let size = secret.lwe_dimension().to_lwe_size().0;
    let phase = |words| decrypt_lwe_ciphertext(secret, &LweCiphertext::from_container(words, modulus())).0;
    ciphertexts.par_chunks_exact(size).map(phase).collect()
}

/// How many integers of one sample are outside of what the program proved.
pub(crate) fn count_out_of_range(ports: &[EncryptedPort], lists: &[Vec<i64>]) -> u64 {
    let outside = |(port, list): (&EncryptedPort, &Vec<i64>)| {
        let bounds = port.lo.iter().zip(&port.hi);
        list.iter().zip(bounds).filter(|(value, (lo, hi))| !(*lo..=*hi).contains(value)).count() as u64
    };
    ports.iter().zip(lists).map(outside).sum()
}

impl EncryptedOutputs {
    /// How many samples there are.
    #[must_use]
    pub fn sample_count(&self) -> usize {
        self.samples.len()
    }

    /// Adds the samples of another run of the same program.
    pub fn append(&mut self, mut other: Self) {
        self.samples.append(&mut other.samples);
    }

    /// Writes the ciphertexts.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let count = (self.samples.len() as u64).to_le_bytes();
        let lists = self.samples.iter().flatten().map(Vec::as_slice);
        let payload: Vec<&[u8]> = std::iter::once(&count[..]).chain(lists).collect();
        files::write(path, FileKind::EncryptedOutput, &self.program, &payload)
    }

    /// Reads the outputs of a program.
    ///
    /// # Errors
    /// For a file that does not hold them, says why.
    pub fn load(path: &Path, client: &Client) -> Result<Self, Error> {
        let program = client.hash()?;
        let sets = client.parameter_sets()?;
        check_returned(&client.inputs, &client.outputs, sets.len())?;
        let payload = files::read(path, FileKind::EncryptedOutput, &program)?;
        let bytes: Vec<u64> = client.outputs.iter().map(|port| port_bytes(port, sets)).collect();
        let mut rest = files::samples(path, &payload, bytes.iter().sum())?;
        let mut samples = Vec::new();
        for _ in 0..rest.count {
            samples.push(bytes.iter().map(|bytes| rest.take(*bytes as usize).to_vec()).collect());
        }
        Ok(Self { program, samples })
    }
}
