//! Tanh: `tanh(x)`.
//!
//! 13: bfloat16.

use super::{Operator, unary};
use cml_runtime::reference::message::Op;

pub(super) const OPERATOR: Operator = Operator {
    name: "Tanh",
    versions: &[6, 13],
    inputs: &[(1, 1..=1)],
    attributes: &[],
    limits: "",
    import: |context| unary(context, Op::Tanh),
};
