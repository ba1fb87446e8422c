//! Neg: `-x`.
//!
//! 13: bfloat16.

use super::{Operator, unary};
use cml_runtime::reference::message::Op;

pub(super) const OPERATOR: Operator = Operator {
    name: "Neg",
    versions: &[6, 13],
    inputs: &[(1, 1..=1)],
    attributes: &[],
    limits: "integers only where constant",
    import: |context| unary(context, Op::Neg),
};
