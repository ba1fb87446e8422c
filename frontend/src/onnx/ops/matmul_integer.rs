//! MatMulInteger: the exact product of `A - a_zero_point` and `B - b_zero_point`, as integers of 32 bits.

use super::Operator;
use crate::error::Fault;
use crate::onnx::context::{NodeContext, Operand};
use crate::onnx::quantizer::steps;
use cml_runtime::reference::message::{Empty, Op};

pub(super) const OPERATOR: Operator = Operator {
    name: "MatMulInteger",
    versions: &[10],
    inputs: &[(10, 2..=4)],
    attributes: &[],
    limits: "constant zero points, of A one; behind it only reshapes, and a Cast to float",
    import,
};

fn import(context: &mut NodeContext<'_>) -> Result<Vec<Operand>, Fault> {
    let a = steps(context, (0, "A"), Some((2, "a_zero_point")), 0)?;
    let b = steps(context, (1, "B"), Some((3, "b_zero_point")), -1)?;
    let source = Box::new(context.emit(Op::MatMul(Empty {}), &[a, b])?);
    Ok(vec![Operand::Whole { source }])
}
