//! Choose the key set, and for each group of lookups the number of accumulators.
//!
//! Before: a module with `@server` at level `fhe`
//! After:  the same, with `tfhe.parameters` on the module and `cml.extensions` on each `fhe.lookup`
//!
//! One key set serves every width of the program: the extended bootstrap takes the widths apart. The search minimises predicted
//! seconds on a machine's cost table, under the failure budget of the whole inference and at 128 bits of security or more.

use crate::analysis::linear_forms::LinearForms;
use crate::conversions::fhe_to_tfhe::{EXTENSIONS, lookup_ops};
use crate::framework::{Pass, PassError, PassInfo, PassOption, Preserves, model_error};
use crate::parameters::{Budget, Machine, Options, search};
use cml_dialects::ffi::set_attribute;
use cml_dialects::ir::{Function, Make};
use cml_dialects::qnn::SERVER;
use cml_dialects::tfhe::{PARAMETERS, parameters_attribute};
use cml_runtime::units::Log2Probability;
use melior::Context;
use melior::ir::OperationRef;
use melior::ir::operation::OperationLike;
use std::path::Path;

/// Attribute of the module: the budget of one inference, log2.
pub const P_ERROR: &str = "cml.p_error_log2";
/// Attribute of the module: the budget of one lookup, log2.
pub const P_ERROR_PER_LOOKUP: &str = "cml.p_error_per_lookup_log2";
/// Attribute of the module: predicted seconds of one inference.
pub const PREDICTED_SECONDS: &str = "cml.predicted_seconds";

/// See the module's text.
pub struct Parametrize {
    budget: Budget,
    machine: Option<String>,
}

impl Pass for Parametrize {
    const INFO: PassInfo = PassInfo {
        name: "cml-parametrize",
        summary: "Search for one key set that serves every lookup",
        description: "Minimises the predicted seconds of one inference over dimensions, decompositions and extensions, under the failure \
            budget and at no less than 128 bits of security. Where nothing fits, the error names the lookup and what would help.",
        options: &[
            PassOption {
                name: "p-error",
                description: "Failure budget of one inference (2^-40)",
                default: "",
            },
            PassOption {
                name: "p-error-per-lookup",
                description: "Failure budget of each lookup and each decrypted output",
                default: "",
            },
            PassOption {
                name: "machine",
                description: "Cost table of a machine; the shipped one by default",
                default: "",
            },
        ],
        preserves: Preserves::Exactly,
    };

    fn new(values: &[&str]) -> Result<Self, String> {
        let mut budget = Budget { inference: probability(values[0])?, per_lookup: probability(values[1])? };
        if budget.inference.is_none() && budget.per_lookup.is_none() {
            budget.inference = Some(Log2Probability(-40.0));
        }
        Ok(Self { budget, machine: Some(values[2].to_owned()).filter(|path| !path.is_empty()) })
    }

    fn run<'c>(self, context: &'c Context, module: OperationRef<'c, '_>) -> Result<(), PassError> {
        let server = Function::named(module, SERVER)?;
        let forms = LinearForms::of(server)?;
        let refuse = |error: crate::parameters::SearchError| model_error(module, error.to_string());
        let machine = match &self.machine {
            Some(path) => Machine::load(Path::new(path)).map_err(refuse)?,
            None => Machine::default_table(),
        };
        let options = Options { one_ring: true, key_sets: 1, chains: false };
        let solution = search(&forms.problem()?, self.budget, &machine, options).map_err(refuse)?;
        let make = Make(context);
        set_attribute(module, PARAMETERS, parameters_attribute(module.location(), &solution.key_sets[0])?);
        set_attribute(module, PREDICTED_SECONDS, make.f64(solution.seconds));
        for (name, budget) in [(P_ERROR, self.budget.inference), (P_ERROR_PER_LOOKUP, self.budget.per_lookup)]
        {
            if let Some(budget) = budget {
                set_attribute(module, name, make.f64(budget.0));
            }
        }
        let ops = lookup_ops(server, forms.groups.last().map_or(0, |group| group.lookup + 1))?;
        for (number, op) in ops.into_iter().enumerate() {
            let groups =
                forms.groups.iter().zip(&solution.groups).filter(|(group, _)| group.lookup == number);
            let extensions: Vec<i64> =
                groups.map(|(_, chosen)| i64::from(chosen.form.stages[0].extension)).collect();
            if !extensions.is_empty() {
                set_attribute(op, EXTENSIONS, make.i64_array(&extensions));
            }
        }
        Ok(())
    }
}

/// `2^-40`, `2**-40`, or a number between 0 and 1; nothing for an empty text.
///
/// # Errors
/// A sentence on what was found.
pub fn probability(text: &str) -> Result<Option<Log2Probability>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let bad = || format!("`{text}` is no probability: expected 2^-40, or a number between 0 and 1");
    let log2 = match text.strip_prefix("2^").or_else(|| text.strip_prefix("2**")) {
        Some(exponent) => exponent.parse::<f64>().map_err(|_| bad())?,
        None => text.parse::<f64>().map_err(|_| bad())?.log2(),
    };
    if log2.is_finite() && log2 < 0.0 { Ok(Some(Log2Probability(log2))) } else { Err(bad()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_read_as_powers_or_as_numbers() {
        assert_eq!(probability("").unwrap(), None);
        assert_eq!(probability("2^-40").unwrap(), Some(Log2Probability(-40.0)));
        assert_eq!(probability("2**-128").unwrap(), Some(Log2Probability(-128.0)));
        assert_eq!(probability("0.25").unwrap(), Some(Log2Probability(-2.0)));
        for text in ["2^40", "1.5", "0", "-0.5", "nan", "p"] {
            assert!(probability(text).is_err(), "{text}");
        }
    }
}
