//! The search for a key set: parameters for which a program keeps its failure budget and costs least.
//!
//! Pure numbers, no IR. Noise, security and failure are the formulas of `cml_runtime::parameters`, that client and server
//! check a program with; costs come from a [`Machine`]. `README.md` beside this file says how the search works.

mod assign;
mod machine;
mod refusal;
mod solver;
mod space;
#[cfg(test)]
mod tests;

pub use machine::{Machine, Polynomials, sorted_components};
pub use solver::{Solution, search};

use cml_runtime::units::{Log2Probability, Spacing};
use std::path::PathBuf;

/// What a group of phases is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DemandKind {
    /// A keyswitch and a bootstrap.
    Lookup,
    /// Decryption by the client.
    Output,
}

/// Phases that are read alike: all elements of one group of lookups, or of one output.
#[derive(Clone, Debug, PartialEq)]
pub struct Demand {
    /// The ONNX node.
    pub node: String,
    /// How many phases one inference has.
    pub count: u32,
    /// Largest sum of squared weights on freshly encrypted inputs, the spacing's factor included.
    pub norm2_squared_inputs: f64,
    /// Largest sum of squared weights on bootstrap results, the spacing's factor included.
    pub norm2_squared_bootstraps: f64,
    /// Torus distance of two neighbouring integers where the phase is read.
    pub spacing: Spacing,
    /// What reads them.
    pub kind: DemandKind,
}

/// How often results may be wrong. At least one of both; each that is given holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// Of one inference: the sum over all its phases.
    pub inference: Option<Log2Probability>,
    /// Of every single phase that is read: lookups, and outputs likewise.
    pub per_lookup: Option<Log2Probability>,
}

impl Default for Budget {
    /// 2^-40 for one inference.
    fn default() -> Self {
        Self { inference: Some(Log2Probability(-40.0)), per_lookup: None }
    }
}

impl Budget {
    fn check(self) -> Result<(), SearchError> {
        if self.inference.is_none() && self.per_lookup.is_none() {
            return Err(SearchError::NoBudget);
        }
        for probability in [self.inference, self.per_lookup].into_iter().flatten() {
            if !(probability.0 < 0.0 && probability.0.is_finite()) {
                return Err(SearchError::BadBudget { found: probability.0 });
            }
        }
        Ok(())
    }
}

/// Why there is no key set.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum SearchError {
    /// No lookup, no output.
    #[error("the program reads no encrypted value: it has neither a lookup nor an output")]
    NothingToRead,
    /// Neither budget is given.
    #[error("no failure budget is given; give one for the inference or one for each lookup")]
    NoBudget,
    /// Not a probability, or 1.
    #[error("the failure budget is 2^{found}, expected a probability above 0 and below 1")]
    BadBudget {
        /// log2 of what was asked for.
        found: f64,
    },
    /// Numbers that no program has.
    #[error("{node}: {name} of its lookups or outputs is {found}, expected {expected}")]
    BadDemand {
        /// The ONNX node.
        node: String,
        /// The field.
        name: &'static str,
        /// What it holds.
        found: String,
        /// What would do.
        expected: &'static str,
    },
    /// No key set is precise enough.
    #[error(transparent)]
    TooDemanding(Box<TooDemanding>),
    /// A cost table that cannot be read or used.
    #[error("machine table {}: {what}; see passes/machines/default.json for a sound one", path.display())]
    Machine {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

/// The demand that stands in the way, and what would help: numbers at the key set that comes nearest.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error(
    "{node}: no parameters {verb} {slots} different values ({bits} bits) of squared weight norm {norm2_squared:.0} \
     within a failure probability of 2^{budget:.1} {per}; the least that can be reached is 2^{reachable:.1}. \
     use fewer bits (for inputs, weights or activations; at these parameters the node could have {slots_that_fit} \
     values), smaller weights, or a larger failure probability",
    verb = if *kind == DemandKind::Lookup { "look up" } else { "decrypt" },
    per = if *of_inference { "for the inference" } else { "for each lookup" }
)]
pub struct TooDemanding {
    /// The ONNX node.
    pub node: String,
    /// What reads its phases.
    pub kind: DemandKind,
    /// Integers that half the torus holds at its spacing.
    pub slots: u64,
    /// `ceil(log2(slots))`.
    pub bits: u32,
    /// Sum of squared weights, on inputs and bootstraps together.
    pub norm2_squared: f64,
    /// log2 of the budget that is missed.
    pub budget: f64,
    /// Whether it is that of the inference; else that of each lookup.
    pub of_inference: bool,
    /// log2 of what the budget would have to be.
    pub reachable: f64,
    /// How many slots this node could have, all else unchanged; as many as it has where only the sum is too much.
    pub slots_that_fit: u64,
}
