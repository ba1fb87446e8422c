//! The client's secret keys, and the evaluation key made from them.

use super::files;
use super::randomness::{pack_bits, unpack_bits};
use super::shapes::{Shapes, gaussian, modulus};
use super::{Error, ProgramHash, Randomness};
use crate::parameters::ledger;
use crate::program::FileKind;
use crate::program::message::{Client, ParameterSet};
use std::path::Path;
use tfhe::core_crypto::commons::math::random::{CompressionSeed, Seed, Seeder};
use tfhe::core_crypto::prelude::{
    Container, GlweSecretKey, LweSecretKey, SeededLweBootstrapKey, SeededLweKeyswitchKey,
    generate_seeded_lwe_keyswitch_key, par_generate_seeded_lwe_bootstrap_key,
};
use zeroize::Zeroizing;

/// The secret keys of one program; wiped when dropped.
pub struct ClientKey {
    program: ProgramHash,
    parameters: ParameterSet,
    /// One word for each bit; the same bits, flattened, are the big LWE key.
    glwe: Zeroizing<Vec<u64>>,
    small: Zeroizing<Vec<u64>>,
}

impl ClientKey {
    /// Makes new keys, after checking the security and the failure probability that the bundle promises.
    ///
    /// # Errors
    /// [`Error::Parameters`] if they are not as they must be, [`Error::Program`] for an incomplete bundle.
    pub fn generate(client: &Client, randomness: &mut Randomness) -> Result<Self, Error> {
        ledger::check(client)?;
        let parameters = client.parameter_set()?.clone();
        Ok(Self {
            program: client.hash()?,
            glwe: randomness.binary_key(parameters.big_dimension().0),
            small: randomness.binary_key(parameters.small_dimension().0),
            parameters,
        })
    }

    /// Makes the evaluation key: uses all cores.
    pub fn evaluation_key(&self, randomness: &mut Randomness) -> EvaluationKey {
        let set = &self.parameters;
        let mut key = EvaluationKey {
            program: self.program,
            parameters: set.clone(),
            bootstrap: vec![0; set.bootstrap_key_words() as usize],
            bootstrap_seed: randomness.seed().0,
            keyswitch: vec![0; set.keyswitch_key_words() as usize],
            keyswitch_seed: randomness.seed().0,
        };
        let glwe = GlweSecretKey::from_container(self.glwe.as_slice(), Shapes::new(set).polynomial);
        par_generate_seeded_lwe_bootstrap_key(
            &self.small_secret(),
            &glwe,
            &mut bootstrap_key(key.bootstrap.as_mut_slice(), set, key.bootstrap_seed),
            gaussian(set.glwe_std_dev),
            randomness,
        );
        generate_seeded_lwe_keyswitch_key(
            &self.big_secret(),
            &self.small_secret(),
            &mut keyswitch_key(key.keyswitch.as_mut_slice(), set, key.keyswitch_seed),
            gaussian(set.lwe_std_dev),
            randomness,
        );
        key
    }

    /// The program that the key belongs to.
    #[must_use]
    pub fn program(&self) -> &ProgramHash {
        &self.program
    }

    /// The key set.
    #[must_use]
    pub fn parameters(&self) -> &ParameterSet {
        &self.parameters
    }

    /// What all values between steps are under.
    pub(crate) fn big_secret(&self) -> LweSecretKey<&[u64]> {
        LweSecretKey::from_container(self.glwe.as_slice())
    }

    /// What a bootstrap's phase is under.
    pub(crate) fn small_secret(&self) -> LweSecretKey<&[u64]> {
        LweSecretKey::from_container(self.small.as_slice())
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
        let (glwe, small) = (pack_bits(&self.glwe), pack_bits(&self.small));
        files::write(path, FileKind::ClientKey, &self.program, &[&glwe, &small])
    }

    /// Reads the keys of this program.
    ///
    /// # Errors
    /// For a file that is not a client key of this program, says why; [`Error::Parameters`] for less than 128 bits of security.
    pub fn load(path: &Path, client: &Client) -> Result<Self, Error> {
        let (program, parameters) = (client.hash()?, client.parameter_set()?.clone());
        // The noise of encryption is that of the bundle, which may have changed since the keys were made.
        parameters.check_security()?;
        let payload = files::read(path, FileKind::ClientKey, &program)?;
        let (big, small) = (parameters.big_dimension().0, parameters.small_dimension().0);
        let glwe_bytes = big.div_ceil(8);
        files::expect_size(path, payload.len(), (glwe_bytes + small.div_ceil(8)) as u64)?;
        Ok(Self {
            program,
            parameters,
            glwe: unpack_bits(&payload[..glwe_bytes], big),
            small: unpack_bits(&payload[glwe_bytes..], small),
        })
    }
}

/// What the server needs to compute on ciphertexts; holds no secret. Masks are seeds: a fraction of the size.
pub struct EvaluationKey {
    program: ProgramHash,
    parameters: ParameterSet,
    bootstrap: Vec<u64>,
    bootstrap_seed: u128,
    keyswitch: Vec<u64>,
    keyswitch_seed: u128,
}

impl EvaluationKey {
    /// The program that the key belongs to.
    #[must_use]
    pub fn program(&self) -> &ProgramHash {
        &self.program
    }

    /// The key set.
    #[must_use]
    pub fn parameters(&self) -> &ParameterSet {
        &self.parameters
    }

    pub(crate) fn bootstrap(&self) -> SeededLweBootstrapKey<&[u64]> {
        bootstrap_key(&self.bootstrap, &self.parameters, self.bootstrap_seed)
    }

    pub(crate) fn keyswitch(&self) -> SeededLweKeyswitchKey<&[u64]> {
        keyswitch_key(&self.keyswitch, &self.parameters, self.keyswitch_seed)
    }

    /// Writes the key.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let payload: [&[u8]; 4] = [
            &self.bootstrap_seed.to_le_bytes(),
            &self.keyswitch_seed.to_le_bytes(),
            &files::to_bytes(&self.bootstrap),
            &files::to_bytes(&self.keyswitch),
        ];
        files::write(path, FileKind::EvaluationKey, &self.program, &payload)
    }

    /// Reads the key of the program with this hash and these parameters.
    ///
    /// # Errors
    /// For a file that is not an evaluation key of this program, says why.
    pub fn load(path: &Path, program: &ProgramHash, parameters: &ParameterSet) -> Result<Self, Error> {
        parameters.check()?;
        let payload = files::read(path, FileKind::EvaluationKey, program)?;
        files::expect_size(path, payload.len(), parameters.eval_key_bytes())?;
        let seed = |at: usize| u128::from_le_bytes(std::array::from_fn(|index| payload[at + index]));
        let words = files::to_words(&payload[32..]);
        let (bootstrap, keyswitch) = words.split_at(parameters.bootstrap_key_words() as usize);
        Ok(Self {
            program: *program,
            parameters: parameters.clone(),
            bootstrap: bootstrap.to_vec(),
            bootstrap_seed: seed(0),
            keyswitch: keyswitch.to_vec(),
            keyswitch_seed: seed(16),
        })
    }
}

fn bootstrap_key<C: Container<Element = u64>>(
    bodies: C,
    set: &ParameterSet,
    seed: u128,
) -> SeededLweBootstrapKey<C> {
    let shapes = Shapes::new(set);
    let seed = CompressionSeed::from(Seed(seed));
    let (base, level) = (shapes.pbs_base, shapes.pbs_level);
    SeededLweBootstrapKey::from_container(
        bodies,
        shapes.glwe,
        shapes.polynomial,
        base,
        level,
        seed,
        modulus(),
    )
}

fn keyswitch_key<C: Container<Element = u64>>(
    bodies: C,
    set: &ParameterSet,
    seed: u128,
) -> SeededLweKeyswitchKey<C> {
    let shapes = Shapes::new(set);
    let (seed, output) = (CompressionSeed::from(Seed(seed)), shapes.small.to_lwe_size());
    SeededLweKeyswitchKey::from_container(bodies, shapes.ks_base, shapes.ks_level, output, seed, modulus())
}
