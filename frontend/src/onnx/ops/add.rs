//! Add: `A + B`, shapes broadcast as numpy does.
//!
//! 7: broadcasting without attributes. 13: bfloat16. 14: small integers.

use super::{Operator, binary};
use cml_runtime::reference::message::Op;

pub(super) const OPERATOR: Operator = Operator {
    name: "Add",
    versions: &[7, 13, 14],
    inputs: &[(7, 2..=2)],
    attributes: &[],
    limits: "",
    import: |context| binary(context, Op::Add),
};
