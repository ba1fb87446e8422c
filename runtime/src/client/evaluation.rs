//! The evaluation key: what the server computes with.

use super::bits;
use super::files;
use super::shapes::{Shapes, gaussian, modulus};
use super::{ClientKey, Error, ProgramHash, Randomness};
use crate::parameters::key_sets;
use crate::program::FileKind;
use crate::program::message::ParameterSet;
use std::path::Path;
use tfhe::core_crypto::commons::math::random::{CompressionSeed, Seed, Seeder};
use tfhe::core_crypto::prelude::{
    Container, GlweSecretKey, LweSecretKey, PlaintextList, SeededLweBootstrapKey, SeededLweKeyswitchKey,
    par_encrypt_seeded_lwe_ciphertext_list, par_generate_seeded_lwe_bootstrap_key,
};
use zeroize::Zeroizing;

/// What the server needs to compute on ciphertexts; holds no secret. Masks are seeds: a fraction of the size.
pub struct EvaluationKey {
    program: ProgramHash,
    parameters: Vec<ParameterSet>,
    bodies: Vec<Bodies>,
}

/// Bodies and seeds of the keys of one set.
struct Bodies {
    bootstrap: Vec<u64>,
    bootstrap_seed: u128,
    keyswitch: Vec<u64>,
    keyswitch_seed: u128,
}

/// The keys of one set.
#[derive(Clone, Copy)]
pub struct EvaluationKeySet<'a> {
    /// The set.
    pub parameters: &'a ParameterSet,
    bodies: &'a Bodies,
}

impl EvaluationKey {
    pub(super) fn generate(secret: &ClientKey, randomness: &mut Randomness) -> Self {
        let parameters = secret.parameters().to_vec();
        let bodies =
            (0..).zip(&parameters).map(|(index, set)| Bodies::generate(secret, index, set, randomness));
        Self { program: *secret.program(), bodies: bodies.collect(), parameters }
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

    /// The keys of each set.
    pub fn sets(&self) -> impl Iterator<Item = EvaluationKeySet<'_>> {
        self.parameters
            .iter()
            .zip(&self.bodies)
            .map(|(parameters, bodies)| EvaluationKeySet { parameters, bodies })
    }

    /// Writes the key.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let sets = self.bodies.iter().zip(&self.parameters);
        let parts: Vec<Vec<u8>> = sets.flat_map(|(bodies, set)| bodies.to_bytes(set)).collect();
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        files::write(path, FileKind::EvaluationKey, &self.program, &parts)
    }

    /// Reads the key of the program with this hash and these parameters.
    ///
    /// # Errors
    /// For a file that is not an evaluation key of this program, says why.
    pub fn load(path: &Path, program: &ProgramHash, parameters: &[ParameterSet]) -> Result<Self, Error> {
        key_sets::check(parameters)?;
        let payload = files::read(path, FileKind::EvaluationKey, program)?;
        files::expect_size(path, payload.len(), key_sets::eval_key_bytes(parameters))?;
        let mut rest = &payload[..];
        let bodies = parameters.iter().map(|set| {
            let (of_set, behind) = rest.split_at(set.eval_key_bytes() as usize);
            rest = behind;
            Bodies::from_bytes(of_set, set)
        });
        Ok(Self { program: *program, bodies: bodies.collect(), parameters: parameters.to_vec() })
    }
}

impl Bodies {
    fn generate(secret: &ClientKey, index: usize, set: &ParameterSet, randomness: &mut Randomness) -> Self {
        let mut bodies = Self {
            bootstrap: vec![0; set.bootstrap_key_words() as usize],
            bootstrap_seed: randomness.seed().0,
            keyswitch: vec![0; set.keyswitch_key_words() as usize],
            keyswitch_seed: randomness.seed().0,
        };
        let (big, small) = (secret.big_secret(), secret.small_secret(index));
        let glwe = GlweSecretKey::from_container(big.as_ref(), Shapes::new(set).polynomial);
        par_generate_seeded_lwe_bootstrap_key(
            &small,
            &glwe,
            &mut bootstrap_key(bodies.bootstrap.as_mut_slice(), set, bodies.bootstrap_seed),
            gaussian(set.glwe_std_dev),
            randomness,
        );
        // The generator of `tfhe` for these keys runs on one core; that of lists, which they are, runs on all.
        par_encrypt_seeded_lwe_ciphertext_list(
            &small,
            &mut keyswitch_key(bodies.keyswitch.as_mut_slice(), set, bodies.keyswitch_seed)
                .as_mut_seeded_lwe_ciphertext_list(),
            &PlaintextList::from_container(keyswitch_plaintexts(&big, set).as_slice()),
            gaussian(set.lwe_std_dev),
            randomness,
        );
        round(&mut bodies.bootstrap, set.bootstrap_key_dropped_bits());
        round(&mut bodies.keyswitch, set.keyswitch_key_dropped_bits());
        bodies
    }

    fn to_bytes(&self, set: &ParameterSet) -> [Vec<u8>; 4] {
        let pack = |bodies: &[u64], dropped: u32| {
            let kept: Vec<u64> = bodies.iter().map(|body| body >> dropped).collect();
            bits::pack(&kept, 64 - dropped)
        };
        [
            self.bootstrap_seed.to_le_bytes().to_vec(),
            self.keyswitch_seed.to_le_bytes().to_vec(),
            pack(&self.bootstrap, set.bootstrap_key_dropped_bits()),
            pack(&self.keyswitch, set.keyswitch_key_dropped_bits()),
        ]
    }

    /// The inverse of [`Self::to_bytes`], for as many bytes as the set has.
    fn from_bytes(bytes: &[u8], set: &ParameterSet) -> Self {
        let seed = |at: usize| u128::from_le_bytes(std::array::from_fn(|index| bytes[at + index]));
        let (bootstrap, keyswitch) = bytes[32..].split_at(set.bootstrap_key_bytes() as usize);
        let unpack = |bytes: &[u8], dropped: u32, count: u64| {
            let mut bodies = bits::unpack(bytes, 64 - dropped, count as usize);
            bodies.iter_mut().for_each(|body| *body <<= dropped);
            bodies
        };
        Self {
            bootstrap: unpack(bootstrap, set.bootstrap_key_dropped_bits(), set.bootstrap_key_words()),
            bootstrap_seed: seed(0),
            keyswitch: unpack(keyswitch, set.keyswitch_key_dropped_bits(), set.keyswitch_key_words()),
            keyswitch_seed: seed(16),
        }
    }
}

/// What a keyswitching key encrypts: each bit of the big key at the weight of each level, the last level first.
fn keyswitch_plaintexts(big: &LweSecretKey<&[u64]>, set: &ParameterSet) -> Zeroizing<Vec<u64>> {
    let weights: Vec<u64> =
        (1..=set.ks_level).rev().map(|level| 1 << (64 - set.ks_base_log * level)).collect();
    let bits = big.as_ref().iter();
    Zeroizing::new(bits.flat_map(|bit| weights.iter().map(move |weight| bit * weight)).collect())
}

/// Rounds bodies to multiples of `2^dropped`.
fn round(bodies: &mut [u64], dropped: u32) {
    let half = (1 << dropped) >> 1;
    bodies.iter_mut().for_each(|body| *body = body.wrapping_add(half) >> dropped << dropped);
}

impl EvaluationKeySet<'_> {
    pub(crate) fn bootstrap(&self) -> SeededLweBootstrapKey<&[u64]> {
        bootstrap_key(&self.bodies.bootstrap, self.parameters, self.bodies.bootstrap_seed)
    }

    pub(crate) fn keyswitch(&self) -> SeededLweKeyswitchKey<&[u64]> {
        keyswitch_key(&self.bodies.keyswitch, self.parameters, self.bodies.keyswitch_seed)
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
