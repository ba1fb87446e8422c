//! Identity: nothing is done.
//!
//! 13 to 25: more kinds of elements; sequences and optionals, which are not supported.

use super::Operator;

pub(super) const OPERATOR: Operator = Operator {
    name: "Identity",
    versions: &[1, 13, 14, 16, 19, 21, 23, 24, 25],
    inputs: &[(1, 1..=1)],
    attributes: &[],
    limits: "tensors only",
    import: |context| Ok(vec![context.input(0, "input")?]),
};
