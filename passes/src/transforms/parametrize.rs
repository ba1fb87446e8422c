//! Choose the key sets, and for each group of lookups its form, key sets, extensions and spacing.
//!
//! Before: a module with `@server` at level `fhe`
//! After:  the same, with `tfhe.parameters` on the module, `cml.spacings` on `@server`, and `cml.forms`, `cml.spacings` and
//!         `cml.stage_milliseconds` on each `fhe.lookup`
//!
//! A few key sets serve the whole program: all write under one big key, each has a small key of its own. The search minimises
//! predicted seconds on a machine's cost table, under the failure budget of the whole inference and at 128 bits of security or
//! more.

use crate::analysis::linear_forms::LinearForms;
use crate::conversions::fhe_to_tfhe::{FORMS, SPACINGS, STAGE_MILLISECONDS, lookup_ops};
use crate::framework::{Pass, PassError, PassInfo, PassOption, Preserves, model_error};
use crate::parameters::{Budget, Chosen, Machine, Options, SearchError, Solution, price_near, search};
use cml_dialects::ffi::set_attribute;
use cml_dialects::ir::{Function, Make};
use cml_dialects::qnn::SERVER;
use cml_dialects::tfhe::{P_ERROR, P_ERROR_PER_LOOKUP, PARAMETERS, parameters_attribute};
use cml_runtime::program::message::ParameterSet;
use cml_runtime::units::{Log2Probability, Spacing};
use melior::Context;
use melior::ir::operation::OperationLike;
use melior::ir::{Attribute, OperationRef};
use rayon::prelude::*;
use std::collections::BTreeSet;
use std::path::Path;

/// See the module's text.
pub struct Parametrize {
    budget: Budget,
    machine: Option<String>,
    options: Options,
    comparisons: Comparisons,
}

/// Which groups may have all tables of one value read out of one rotation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparisons {
    None,
    /// All or none of them, whichever is cheaper.
    All,
    /// Each for itself, as far as that is cheaper still.
    Each,
}

impl Comparisons {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::None),
            "all" => Ok(Self::All),
            "each" => Ok(Self::Each),
            _ => Err(format!("comparisons is none, all or each, found `{text}`")),
        }
    }
}

impl Pass for Parametrize {
    const INFO: PassInfo = PassInfo {
        name: "cml-parametrize",
        summary: "Search for key sets, and for a form of each lookup",
        description: "Minimises the predicted seconds of one inference over forms of lookups, key sets, extensions and spacings, under the \
            failure budget and at no less than 128 bits of security. Where nothing fits, the error names the lookup and what would help.",
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
            PassOption {
                name: "one-ring",
                description: "All key sets read the big key as polynomials of one size: true or false",
                default: "false",
            },
            PassOption { name: "key-sets", description: "Most key sets, 1 to 4", default: "4" },
            PassOption {
                name: "chains",
                description: "A lookup may be a chain of stages: true or false",
                default: "true",
            },
            PassOption {
                name: "shared-rotations",
                description: "Two tables that are read at one place may come out of one rotation: true or false",
                default: "true",
            },
            PassOption {
                name: "rounding",
                description: "approximate:6 reads lookups of more than 6 bits as if they had 6: results may differ by a step",
                default: "",
            },
            PassOption {
                name: "comparisons",
                description: "All tables of one value may be read out of one rotation: for none of the lookups, for all or none, whichever is cheaper, \
                    or each",
                default: "each",
            },
        ],
        preserves: Preserves::Exactly,
    };

    fn new(values: &[&str]) -> Result<Self, String> {
        let mut budget = Budget { inference: probability(values[0])?, per_lookup: probability(values[1])? };
        if budget.inference.is_none() && budget.per_lookup.is_none() {
            budget.inference = Some(Log2Probability(-40.0));
        }
        let key_sets = values[4].parse().ok().filter(|sets| (1..=Options::MAX_KEY_SETS).contains(sets));
        let options = Options {
            one_ring: switch("one-ring", values[3])?,
            key_sets: key_sets.ok_or_else(|| format!("key-sets is 1 to 4, found `{}`", values[4]))?,
            chains: switch("chains", values[5])?,
            shared_rotations: switch("shared-rotations", values[6])?,
            approximate: rounding(values[7])?,
        };
        let machine = Some(values[2].to_owned()).filter(|path| !path.is_empty());
        Ok(Self { budget, machine, options, comparisons: Comparisons::parse(values[8])? })
    }

    fn run<'c>(self, context: &'c Context, module: OperationRef<'c, '_>) -> Result<(), PassError> {
        let server = Function::named(module, SERVER)?;
        let forms = LinearForms::of(server)?;
        let refuse = |error: SearchError| model_error(module, error.to_string());
        let machine = match &self.machine {
            Some(path) => Machine::load(Path::new(path)).map_err(|error| refuse(error.into()))?,
            None => Machine::default_table(),
        };
        let (forms, solution) = self.cheapest(forms, &machine).map_err(refuse)?;
        let make = Make(context);
        let sets = &solution.key_sets;
        set_attribute(module, PARAMETERS, parameters_attribute(context, module.location(), sets)?);
        for (name, budget) in [(P_ERROR, self.budget.inference), (P_ERROR_PER_LOOKUP, self.budget.per_lookup)]
        {
            if let Some(budget) = budget {
                set_attribute(module, name, make.f64(budget.0));
            }
        }
        set_attribute(server.op, SPACINGS, spacings(make, solution.spacings.iter().copied()));
        for (number, op) in lookup_ops(server).enumerate() {
            let groups =
                forms.groups.iter().zip(&solution.groups).filter(|(group, _)| group.lookup == number);
            let chosen: Vec<&Chosen> = groups.map(|(_, chosen)| chosen).collect();
            if chosen.is_empty() {
                continue;
            }
            let texts: Vec<String> = chosen.iter().map(|chosen| chosen.form.to_string()).collect();
            let times: Vec<Attribute<'c>> =
                chosen.iter().map(|chosen| make.f64_array(&milliseconds(chosen, sets, &machine))).collect();
            set_attribute(op, FORMS, make.strings(&texts));
            set_attribute(op, SPACINGS, spacings(make, chosen.iter().map(|chosen| chosen.spacing)));
            set_attribute(op, STAGE_MILLISECONDS, make.array(&times));
        }
        Ok(())
    }
}

/// `approximate:6`, of 1 to 16 bits; nothing for an empty text.
///
/// # Errors
/// A sentence on what was found.
pub fn rounding(text: &str) -> Result<Option<u32>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let bits = text.strip_prefix("approximate:").and_then(|bits| bits.parse().ok());
    let bits = bits.filter(|bits| (1..=16).contains(bits));
    bits.map(Some).ok_or_else(|| format!("`{text}` is no rounding: expected approximate:6, of 1 to 16 bits"))
}

/// Changes of one group that are searched.
const CHANGES: usize = 3;

impl Parametrize {
    /// The forms with which a solution is cheapest: with comparisons in place of the tables of none, of all, or of some of the
    /// groups where that saves rotations. From the better of the first two on, the change of one group is searched that seems
    /// best with key sets near those that there are; then the next one, while that helps.
    fn cheapest(
        &self,
        forms: LinearForms,
        machine: &Machine,
    ) -> Result<(LinearForms, Solution), SearchError> {
        let find = |forms: &LinearForms| search(&forms.problem(), self.budget, machine, self.options);
        let comparable = match self.comparisons {
            Comparisons::None => Vec::new(),
            Comparisons::All | Comparisons::Each => forms.comparable(),
        };
        if comparable.is_empty() {
            let found = find(&forms)?;
            return Ok((forms, found));
        }
        let with = |compared: &BTreeSet<usize>| {
            let forms = forms.with_comparisons(compared);
            find(&forms).map(|found| (forms, found))
        };
        let (none, all) = (BTreeSet::new(), comparable.iter().copied().collect::<BTreeSet<usize>>());
        let (apart, together) = rayon::join(|| with(&none), || with(&all));
        let (compared, best) = match (apart, together) {
            (Ok(apart), Ok(together)) if apart.1.price > together.1.price => (all, together),
            (Err(_), Ok(together)) => (all, together),
            (apart, _) => (none, apart?),
        };
        if self.comparisons == Comparisons::All {
            return Ok(best);
        }
        let (mut compared, mut best) = (compared, best);
        for _ in 0..CHANGES {
            let price = |compared: &BTreeSet<usize>| {
                let problem = forms.with_comparisons(compared).problem();
                price_near(&problem, self.budget, machine, self.options, &best.1.key_sets)
            };
            let before = price(&compared).unwrap_or(f64::INFINITY);
            let changed = |group: &usize| {
                let changed = &compared ^ &BTreeSet::from([*group]);
                let is_new = !changed.is_empty() && changed.len() < comparable.len();
                is_new.then(|| price(&changed)).flatten().map(|price| (price, changed))
            };
            let changed: Vec<_> = comparable.par_iter().filter_map(changed).collect();
            // The first of the best.
            let change = changed.into_iter().min_by(|one, other| one.0.total_cmp(&other.0));
            let Some((_, change)) = change.filter(|change| change.0 < before) else { break };
            let Some(found) = with(&change).ok().filter(|found| found.1.price < best.1.price) else { break };
            (compared, best) = (change, found);
        }
        Ok(best)
    }
}

fn switch(name: &str, value: &str) -> Result<bool, String> {
    value.parse().map_err(|_| format!("{name} is true or false, found `{value}`"))
}

fn spacings<'c>(make: Make<'c>, spacings: impl Iterator<Item = Spacing>) -> Attribute<'c> {
    // All are below half the torus.
    make.i64_array(&spacings.map(|spacing| spacing.0 as i64).collect::<Vec<_>>())
}

/// Of one lookup on one core: for each stage those of its keyswitch, then of one rotation.
fn milliseconds(chosen: &Chosen, sets: &[ParameterSet], machine: &Machine) -> Vec<f64> {
    let of_stage = |stage: &crate::lookups::Stage| {
        let set = &sets[stage.key as usize];
        [machine.keyswitch(set), machine.bootstrap(set, stage.extension).unwrap_or_default()]
    };
    chosen.form.stages.iter().flat_map(of_stage).map(|nanoseconds| nanoseconds * 1e-6).collect()
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
    fn rounding_has_a_name_and_bits() {
        assert_eq!((rounding(""), rounding("approximate:6")), (Ok(None), Ok(Some(6))));
        for text in ["6", "exact:6", "approximate", "approximate:0", "approximate:17"] {
            assert!(rounding(text).is_err(), "{text}");
        }
    }

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
