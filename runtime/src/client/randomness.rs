//! Where keys and noise come from.

use super::Error;
use rand::{Rng, SeedableRng, TryRngCore, rngs::OsRng};
use rand_chacha::ChaCha20Rng;
use tfhe::core_crypto::commons::math::random::{Seed, Seeder};
use zeroize::{Zeroize, Zeroizing};

/// A source of secret bits and of seeds.
pub struct Randomness(Source);

enum Source {
    System,
    Seeded(Box<ChaCha20Rng>),
}

impl Randomness {
    /// The system's generator: each bit and each seed is drawn from it anew.
    ///
    /// # Errors
    /// [`Error::Randomness`] if it gives nothing.
    pub fn from_system() -> Result<Self, Error> {
        let mut probe = [0; 16];
        OsRng.try_fill_bytes(&mut probe).map_err(|error| Error::Randomness(error.to_string()))?;
        Ok(Self(Source::System))
    }

    /// The same bits for the same seed: for tests, and for keys that must be made again.
    ///
    /// Who knows the seed knows the keys. Two different things made from one seed share masks and noise: their difference
    /// gives the secret away. Encrypt with [`Self::from_system`]; no command of ours uses a seed.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(Source::Seeded(Box::new(ChaCha20Rng::from_seed(seed))))
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        match &mut self.0 {
            Source::System => OsRng.try_fill_bytes(bytes).expect("the system gave randomness before"),
            Source::Seeded(generator) => generator.fill(bytes),
        }
    }

    /// Uniform binary secret key; wiped when dropped.
    pub(crate) fn binary_key(&mut self, dimension: usize) -> Zeroizing<Vec<u64>> {
        let mut bytes = Zeroizing::new(vec![0; dimension.div_ceil(8)]);
        self.fill(&mut bytes);
        unpack_bits(&bytes, dimension)
    }
}

/// Bit `i % 8` of byte `i / 8`, as a number.
pub(crate) fn unpack_bits(bytes: &[u8], count: usize) -> Zeroizing<Vec<u64>> {
    Zeroizing::new((0..count).map(|index| u64::from(bytes[index / 8] >> (index % 8) & 1)).collect())
}

/// The inverse of [`unpack_bits`].
pub(crate) fn pack_bits(bits: &[u64]) -> Zeroizing<Vec<u8>> {
    let byte = |part: &[u64]| part.iter().rev().fold(0, |byte, bit| byte << 1 | (*bit as u8 & 1));
    Zeroizing::new(bits.chunks(8).map(byte).collect())
}

impl Seeder for Randomness {
    fn seed(&mut self) -> Seed {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        let seed = Seed(u128::from_le_bytes(bytes));
        // It may be the seed of noise.
        bytes.zeroize();
        seed
    }

    fn is_available() -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_everything() {
        let draw = |seed| {
            let mut randomness = Randomness::from_seed([seed; 32]);
            (randomness.binary_key(77).to_vec(), randomness.seed())
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1).0, draw(2).0);
        assert_ne!(draw(1).1, draw(2).1);
    }

    #[test]
    fn the_system_gives_balanced_bits() {
        let mut randomness = Randomness::from_system().unwrap();
        let key = randomness.binary_key(10_000);
        assert!(key.iter().all(|bit| *bit < 2));
        // Six standard deviations.
        assert!((key.iter().sum::<u64>() as i64 - 5000).abs() < 300);
        assert_ne!(randomness.seed(), randomness.seed());
    }

    #[test]
    fn bits_survive_packing() {
        let key = Randomness::from_seed([3; 32]).binary_key(131);
        assert_eq!(*unpack_bits(&pack_bits(&key), 131), *key);
    }
}
