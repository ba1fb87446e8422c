//! Noise, security and failure as numbers: what compiler, client and server must agree on.
//!
//! Everything is a formula on the numbers of a [`ParameterSet`](crate::program::message::ParameterSet); nothing here
//! encrypts. Variances are on the torus [0, 1) with modulus 2^64 and binary secret keys.

mod combination;
pub mod events;
pub mod failure;
pub mod key_sets;
pub mod ledger;
pub mod noise;
pub mod outputs;
pub mod security;
mod set;

pub use ledger::{Assessment, Summary};

/// Bytes of that many numbers of so many bits, one after the other.
pub(crate) fn packed_bytes(count: u64, bits: u32) -> u64 {
    (count * u64::from(bits)).div_ceil(8)
}

/// Why a parameter set or a failure budget is refused. The compiler, or a file from elsewhere, is at fault.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum Error {
    /// A number is outside of what the formulas and the engine hold for.
    #[error(
        "parameter {name} is {found}, expected {expected}; the program is damaged or from another version"
    )]
    OutOfBounds {
        /// Field of the parameter set.
        name: &'static str,
        /// What the set says.
        found: String,
        /// What would do.
        expected: &'static str,
    },
    /// Two sets cannot read the same values.
    #[error(
        "key set {index} has another big key than the first: all need one dimension and noise; the program is damaged \
         or from another version"
    )]
    OtherBigKey {
        /// Which set.
        index: usize,
    },
    /// The noise is too small for the dimension.
    #[error(
        "the {key} key (dimension {dimension}, noise 2^{log2_std_dev:.2}) has {bits:.0} bits of security, \
         at least {} are needed; compile the program again",
        security::MINIMUM_BITS
    )]
    Insecure {
        /// Which key.
        key: &'static str,
        /// Its LWE dimension.
        dimension: usize,
        /// log2 of its standard deviation.
        log2_std_dev: f64,
        /// What the curves say.
        bits: f64,
    },
    /// An inference fails more often than promised.
    #[error(
        "one inference fails with probability 2^{found:.2}, its budget is 2^{budget:.2}; compile the program again"
    )]
    OverBudget {
        /// log2 of the sum over all events.
        found: f64,
        /// log2 of the budget.
        budget: f64,
    },
    /// A lookup fails more often than promised.
    #[error(
        "{node}: one lookup or output fails with probability 2^{found:.2}, its budget is 2^{budget:.2}; \
         compile the program again"
    )]
    LookupOverBudget {
        /// The ONNX node.
        node: String,
        /// log2 of the probability.
        found: f64,
        /// log2 of the budget.
        budget: f64,
    },
    /// The program says nothing about its failures.
    #[error("the program states no {what}; it is damaged or from another version")]
    Missing {
        /// What is absent.
        what: &'static str,
    },
    /// An event cannot be assessed.
    #[error("{node}: a failure event has {name} {found}; the program is damaged or from another version")]
    BadEvent {
        /// The ONNX node.
        node: String,
        /// The field.
        name: &'static str,
        /// What it holds.
        found: String,
    },
}
