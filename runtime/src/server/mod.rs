//! The server: executors of a program.
//!
//! One walk over the steps serves three executors: on clear integers (exact), on phases with the predicted noise of every
//! stage (simulated), and on ciphertexts (encrypted). The last two read the same test polynomials.

mod bootstrap;
mod clear;
mod compared;
mod encrypted;
mod error;
mod key;
pub mod measure;
mod memory;
mod returns;
mod rotations;
mod simulated;
mod steps;
mod switch;
mod table;
mod values;
mod walk;

pub use clear::Clear;
pub use compared::Compared;
pub use encrypted::{Encrypted, Lists};
pub use error::Error;
pub use key::{KeySet, ServerKey};
pub(crate) use rotations::{PASS_BYTES, accumulator_bytes, batch_size, largest_pass};
pub use simulated::Simulated;
pub use steps::{BootstrapStep, CombineStep, Executor, LinearStep, Phase};
pub use switch::Switched;
pub use table::TestPolynomial;
pub use walk::CheckedServer;
