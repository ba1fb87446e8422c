//! The program artefact: its messages, its files, what must hold of it, and its text.

mod check;
mod container;
mod error;
pub mod file;
pub mod message;
mod phase;
mod print;
mod scan;

pub use check::Ciphertexts;
pub(crate) use check::check_returned;
pub use container::load_client;
pub use error::{Error, Invalid};
pub use file::FileKind;
pub use phase::{PhaseId, Reading};
pub use print::print;
