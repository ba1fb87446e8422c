//! Make lookups fewer and linear work smaller, by equality saturation.
//!
//! Before: `%b = fhe.lookup %a tables [f]`, `%c = fhe.neg %b`, `%d = fhe.lookup %c tables [g]`
//! After:  `%d = fhe.lookup %a tables [g(-f)]`                      (tested: lit-tests/passes/rewrite-fhe.mlir)
//!
//! The rules are those of `passes/src/egraph`. Bootstraps count first, by the width that they read, then linear work; a value used
//! twice counts once. Requires: `cml-qnn-to-fhe`; comes before `cml-parametrize`. Guarantees: the same results for every input in
//! range, ranges at least as tight, and never a function that costs more; one for which nothing better is found stays as it is.

use crate::egraph;
use crate::framework::{Pass, PassError, PassInfo, Preserves};
use cml_dialects::ir::Function;
use cml_dialects::qnn::SERVER;
use melior::Context;
use melior::ir::OperationRef;

/// Most times that the function is read again: where the limits on an e-graph stop it early, a smaller function lets it see more.
const MAX_ROUNDS: usize = 8;

/// See the module's text.
pub struct RewriteFhe;

impl Pass for RewriteFhe {
    const INFO: PassInfo = PassInfo {
        name: "cml-rewrite-fhe",
        summary: "Rewrite @server to fewer lookups and less linear work",
        description: "Equality saturation: adjacent lookups become one, negations and clear sums and factors go into tables and weights, \
            movement makes way. Bounded by numbers of terms and rounds, never by time; proved ranges are kept or become tighter.",
        options: &[],
        preserves: Preserves::Exactly,
    };

    fn new(_: &[&str]) -> Result<Self, String> {
        Ok(Self)
    }

    fn run<'c>(self, context: &'c Context, module: OperationRef<'c, '_>) -> Result<(), PassError> {
        for _ in 0..MAX_ROUNDS {
            if !egraph::rewrite(context, Function::named(module, SERVER)?)? {
                break;
            }
        }
        Ok(())
    }
}
