//! Softplus: `ln(1 + exp(x))`.
//!
//! 22: bfloat16.

use super::{Operator, unary};
use cml_runtime::reference::message::Op;

pub(super) const OPERATOR: Operator = Operator {
    name: "Softplus",
    versions: &[1, 22],
    inputs: &[(1, 1..=1)],
    attributes: &[],
    limits: "",
    import: |context| unary(context, Op::Softplus),
};
