//! How programs go out: from a module at the level of ciphertexts to the artefact, its schedule, its report, and Rust source.

pub mod emit;
mod error;
mod graphs;
mod program;
pub mod report;
pub mod schedule;

pub use error::Error;
pub use program::{
    DECLARED_HIGHS, DECLARED_LOWS, MEASURED_WIDTH, NEURON_COUNTS, NEURON_NODES, P_ERROR, P_ERROR_PER_LOOKUP,
    PREDICTED_MILLISECONDS, PREDICTED_SECONDS, PRUNED_NODES, PRUNED_WEIGHTS, Provenance, encrypted_graph,
    program_of, quantized_graph,
};
