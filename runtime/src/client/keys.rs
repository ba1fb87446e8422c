//! The client's secret keys.

use super::files;
use super::randomness::{pack_bits, unpack_bits};
use super::{Error, EvaluationKey, ProgramHash, Randomness};
use crate::parameters::{key_sets, ledger};
use crate::program::FileKind;
use crate::program::message::{Client, ParameterSet};
use std::path::Path;
use tfhe::core_crypto::prelude::LweSecretKey;
use zeroize::Zeroizing;

/// The secret keys of one program; wiped when dropped.
pub struct ClientKey {
    program: ProgramHash,
    parameters: Vec<ParameterSet>,
    /// One word for each bit. All sets read the same bits, each as its own number of polynomials.
    big: Zeroizing<Vec<u64>>,
    /// One key for each set.
    small: Vec<Zeroizing<Vec<u64>>>,
}

impl ClientKey {
    /// Makes new keys, after checking the security and the failure probability that the bundle promises.
    ///
    /// # Errors
    /// [`Error::Parameters`] if they are not as they must be, [`Error::Program`] for an incomplete bundle.
    pub fn generate(client: &Client, randomness: &mut Randomness) -> Result<Self, Error> {
        ledger::check(client)?;
        let parameters = client.parameter_sets()?.to_vec();
        let big = randomness.binary_key(big_dimension(&parameters));
        let small = parameters.iter().map(|set| randomness.binary_key(set.small_dimension().0));
        Ok(Self { program: client.hash()?, big, small: small.collect(), parameters })
    }

    /// Makes the evaluation key: uses all cores.
    pub fn evaluation_key(&self, randomness: &mut Randomness) -> EvaluationKey {
        EvaluationKey::generate(self, randomness)
    }

    /// The program that the key belongs to.
    #[must_use]
    pub fn program(&self) -> &ProgramHash {
        &self.program
    }

    /// The key sets; at least one.
    #[must_use]
    pub fn parameters(&self) -> &[ParameterSet] {
        &self.parameters
    }

    /// What all values between steps are under.
    pub(crate) fn big_secret(&self) -> LweSecretKey<&[u64]> {
        LweSecretKey::from_container(self.big.as_slice())
    }

    /// What the phases of this set's bootstraps are under.
    pub(crate) fn small_secret(&self, set: usize) -> LweSecretKey<&[u64]> {
        LweSecretKey::from_container(self.small[set].as_slice())
    }

    /// Refuses to work for another program than the key's.
    pub(crate) fn expect_program(&self, client: &Client) -> Result<(), Error> {
        if client.hash()? == self.program { Ok(()) } else { Err(Error::Mixed) }
    }

    /// Writes the secret keys, readable for the owner alone.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let parts: Vec<_> =
            std::iter::once(&self.big).chain(&self.small).map(|bits| pack_bits(bits)).collect();
        let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_slice()).collect();
        files::write(path, FileKind::ClientKey, &self.program, &parts)
    }

    /// Reads the keys of this program.
    ///
    /// # Errors
    /// For a file that is not a client key of this program, says why; [`Error::Parameters`] for less than 128 bits of security.
    pub fn load(path: &Path, client: &Client) -> Result<Self, Error> {
        let (program, parameters) = (client.hash()?, client.parameter_sets()?.to_vec());
        // The noise of encryption is that of the bundle, which may have changed since the keys were made.
        key_sets::check_security(&parameters)?;
        let payload = files::read(path, FileKind::ClientKey, &program)?;
        let small = parameters.iter().map(|set| set.small_dimension().0);
        let dimensions: Vec<usize> = std::iter::once(big_dimension(&parameters)).chain(small).collect();
        let bytes: usize = dimensions.iter().map(|dimension| dimension.div_ceil(8)).sum();
        files::expect_size(path, payload.len(), bytes as u64)?;
        let mut rest = &payload[..];
        let mut keys = dimensions.iter().map(|dimension| {
            let (bits, behind) = rest.split_at(dimension.div_ceil(8));
            rest = behind;
            unpack_bits(bits, *dimension)
        });
        let big = keys.next().unwrap_or_default();
        let small = keys.collect();
        Ok(Self { program, parameters, big, small })
    }
}

/// Bits of the big key of sets that passed their check.
fn big_dimension(sets: &[ParameterSet]) -> usize {
    sets[0].big_dimension().0
}
