//! MatMul: numpy's matrix product, for any rank from 1 on.
//!
//! 9: integers. 13: bfloat16.

use super::{Operator, binary};
use cml_runtime::reference::message::Op;

pub(super) const OPERATOR: Operator = Operator {
    name: "MatMul",
    versions: &[1, 9, 13],
    inputs: &[(1, 2..=2)],
    attributes: &[],
    limits: "integers only where constant",
    import: |context| binary(context, Op::MatMul),
};
