//! The client: quantization, keys, encryption, decryption, and the files that go to the server and come back.

mod decrypt;
pub(crate) mod encoding;
mod encrypt;
mod error;
pub(crate) mod files;
mod keys;
mod quantize;
mod randomness;
pub(crate) mod shapes;

pub use decrypt::{Decrypted, EncryptedOutputs, decrypt};
pub use encrypt::{EncryptedInputs, SeededList, encrypt};
pub use error::Error;
pub use keys::{ClientKey, EvaluationKey};
pub use quantize::{Quantized, dequantize, quantize};
pub use randomness::Randomness;

pub(crate) use decrypt::count_out_of_range;
pub(crate) use quantize::{integers_of, typed};

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

    /// The key set, after checking that the engine can work with it.
    ///
    /// # Errors
    /// [`Invalid`] if the bundle has none, or one that is off.
    pub fn parameter_set(&self) -> Result<&ParameterSet, Invalid> {
        let set = self.parameters.as_ref().ok_or(Invalid::Missing { what: "parameters" })?;
        set.check()?;
        Ok(set)
    }
}
