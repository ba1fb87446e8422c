//! The search for key sets and forms: what a program's lookups are made of, so that it keeps its failure budget and costs least.
//!
//! Pure numbers, no IR. Noise, security and failure are the formulas of `cml_runtime::parameters`, that client and server
//! check a program with; costs come from a [`Machine`]. `README.md` beside this file says how the search works.

mod account;
mod assign;
mod choose;
mod design;
mod fit;
mod medians;
mod plan;
mod polish;
mod problem;
mod refusal;
mod ring;
mod single;
mod solve;
mod space;
mod supply;
#[cfg(test)]
mod tests;

pub use cml_runtime::machine::Machine;
pub use problem::{Group, Norms, Output, Problem, Reading};
pub use solve::{price_near, search};

use crate::lookups::Form;
use cml_runtime::program::message::ParameterSet;
use cml_runtime::units::{Log2Probability, Spacing};

/// What a group of phases is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DemandKind {
    /// A keyswitch and a bootstrap.
    Lookup,
    /// Decryption by the client.
    Output,
}

/// What the search may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// All key sets read the big key as polynomials of one size.
    pub one_ring: bool,
    /// Most key sets, 1 to 4.
    pub key_sets: usize,
    /// Whether a lookup may be a chain of stages; else each is one bootstrap that reads the table.
    pub chains: bool,
    /// Whether two tables that are read at one phase may share a rotation.
    pub shared_rotations: bool,
    /// A lookup of more than this many bits may be read as if it had no more: for an argument that is off by half a step.
    pub approximate: Option<u32>,
}

impl Options {
    /// Most key sets of a program.
    pub const MAX_KEY_SETS: usize = 4;
}

impl Default for Options {
    /// Everything.
    fn default() -> Self {
        Self {
            one_ring: false,
            key_sets: Self::MAX_KEY_SETS,
            chains: true,
            shared_rotations: true,
            approximate: None,
        }
    }
}

/// Key sets, spacings and forms for a program.
#[derive(Clone, Debug, PartialEq)]
pub struct Solution {
    /// The key sets, by number; all with the same big key.
    pub key_sets: Vec<ParameterSet>,
    /// For each list its spacing.
    pub spacings: Vec<Spacing>,
    /// For each group how it is looked up.
    pub groups: Vec<Chosen>,
    /// For each output the failure probability of one element.
    pub outputs: Vec<Log2Probability>,
    /// Failure probability of one inference: the sum over all events.
    pub total: Log2Probability,
    /// Predicted seconds of all lookups of one inference, on all threads of the machine.
    pub seconds: f64,
    /// What was minimised: seconds as the server runs it, in batches that may not fill, and what the keys are worth.
    pub price: f64,
}

/// How a group is looked up.
#[derive(Clone, Debug, PartialEq)]
pub struct Chosen {
    /// Its stages, with their key sets and extensions.
    pub form: Form,
    /// Spacing at which the form's input is read: a multiple of that of its lists.
    pub spacing: Spacing,
    /// Failure probability of one lookup: the sum over its phases.
    pub probability: Log2Probability,
    /// Predicted seconds of all its lookups, on all threads of the machine.
    pub seconds: f64,
}

/// How often results may be wrong. At least one of both; each that is given holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// Of one inference: the sum over all its phases.
    pub inference: Option<Log2Probability>,
    /// Of every single lookup, the sum over its phases; and of every decrypted value.
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
    #[error(transparent)]
    Machine(#[from] cml_runtime::machine::Error),
}

/// The demand that stands in the way, and what would help: numbers at the key set that comes nearest.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error(
    "{node}: no parameters {verb} {lo}:{hi} ({values} values, {bits} bits) of squared weight norm {norm2_squared:.0} \
     within a failure probability of 2^{budget:.1} {per}; the least that can be reached is 2^{reachable:.1}. \
     At these parameters the node could have {values_that_fit} values. What helps: {narrower}a smaller --bits (for inputs, \
     weights or activations), a larger {budget_option}{rounding}",
    verb = if *kind == DemandKind::Lookup { "look up" } else { "decrypt" },
    lo = range.0,
    hi = range.1,
    values = range.1.abs_diff(range.0).saturating_add(1),
    narrower = match (kind, narrower(*bits, *values_that_fit)) {
        (DemandKind::Lookup, Some(bits)) => format!("--max-accumulator-bits {bits}, "),
        _ => String::new(),
    },
    rounding = match (kind, narrower(*bits, *values_that_fit)) {
        (DemandKind::Lookup, Some(bits)) => {
            format!(", --rounding approximate:{} where results may differ", bits.min(ROUNDED))
        }
        _ => String::new(),
    },
    budget_option = if *of_inference { "--p-error" } else { "--p-error-per-lookup" },
    per = if *of_inference { "for the inference" } else { "for each lookup" }
)]
pub struct TooDemanding {
    /// The ONNX node.
    pub node: String,
    /// What reads its phases.
    pub kind: DemandKind,
    /// Smallest and largest integer of the widest that it reads.
    pub range: (i64, i64),
    /// Width of this range.
    pub bits: u32,
    /// Sum of squared weights, on inputs and bootstraps together.
    pub norm2_squared: f64,
    /// log2 of the budget that is missed.
    pub budget: f64,
    /// Whether it is that of the inference; else that of each lookup.
    pub of_inference: bool,
    /// log2 of what the budget would have to be.
    pub reachable: f64,
    /// How many values this node could have, all else unchanged; as many as it has where only the sum is too much.
    pub values_that_fit: u64,
}

/// Bits of an approximate reading that is worth trying first.
const ROUNDED: u32 = 6;

/// Bits that so many values fill, but fewer than there are; `None` where a range has none to lose.
fn narrower(bits: u32, values_that_fit: u64) -> Option<u32> {
    Some(values_that_fit.checked_ilog2()?.min(bits.checked_sub(1)?)).filter(|bits| *bits > 0)
}
