//! Relu: `max(x, 0)`.
//!
//! 13: bfloat16. 14: integers.

use super::{Operator, unary};
use cml_runtime::reference::message::Op;

pub(super) const OPERATOR: Operator = Operator {
    name: "Relu",
    versions: &[6, 13, 14],
    inputs: &[(1, 1..=1)],
    attributes: &[],
    limits: "integers only where constant",
    import: |context| unary(context, Op::Relu),
};
