//! How programs go out: from a module at the level of ciphertexts to the artefact, its schedule, its report, and Rust source.

pub mod emit;
mod error;
mod graphs;
mod program;
pub mod report;
pub mod schedule;

pub use error::Error;
pub use program::{DECLARED_HIGHS, DECLARED_LOWS, Provenance, encrypted_graph, program_of, quantized_graph};
