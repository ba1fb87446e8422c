//! The client: quantization, keys, encryption, decryption, and the files that go to the server and come back.

pub(crate) mod bits;
mod decrypt;
pub(crate) mod encoding;
mod encrypt;
mod error;
mod evaluation;
pub(crate) mod files;
mod keys;
mod quantize;
mod randomness;
pub(crate) mod shapes;

pub use decrypt::{Decrypted, EncryptedOutputs, decrypt};
pub use encrypt::{EncryptedInputs, SeededList, encrypt};
pub use error::Error;
pub use evaluation::{EvaluationKey, EvaluationKeySet};
pub use keys::ClientKey;
pub use quantize::{Quantized, dequantize, quantize};
pub use randomness::Randomness;

pub(crate) use decrypt::{ciphertexts, count_out_of_range, phases};
pub(crate) use quantize::{integers_of, typed};

use crate::parameters::key_sets;
use crate::program::Invalid;
use crate::program::message::{Client, ParameterSet};

/// Which program something belongs to: BLAKE3 of the encoded `Server`.
pub type ProgramHash = [u8; 32];

impl Client {
    /// The hash of the server's program.
    ///
    /// # Errors
    /// [`Invalid::Missing`] if the bundle has none.
    pub fn hash(&self) -> Result<ProgramHash, Invalid> {
        let hash = self.program_hash.as_slice().try_into();
        hash.map_err(|_| Invalid::Missing { what: "hash of the server's part" })
    }

    /// The key sets, after checking that the engine can work with them: at least one.
    ///
    /// # Errors
    /// [`Invalid`] if the bundle has none, or some that are off.
    pub fn parameter_sets(&self) -> Result<&[ParameterSet], Invalid> {
        key_sets::check(&self.parameters)?;
        Ok(&self.parameters)
    }
}
