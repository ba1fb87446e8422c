//! Gemm: `alpha * A' * B' + beta * C`, where `'` transposes as the attributes say and C broadcasts to the product.
//!
//! 7: C broadcasts in one direction, without an attribute. 9: integers. 11: C is optional. 13: bfloat16.

use super::{ALWAYS, Operator};
use crate::error::Fault;
use crate::onnx::context::{NodeContext, Operand};
use cml_runtime::reference::message::{Gemm, Op};

pub(super) const OPERATOR: Operator = Operator {
    name: "Gemm",
    versions: &[7, 9, 11, 13],
    inputs: &[(7, 3..=3), (11, 2..=3)],
    attributes: &[("alpha", ALWAYS), ("beta", ALWAYS), ("transA", ALWAYS), ("transB", ALWAYS)],
    limits: "integers only where constant",
    import,
};

fn import(context: &mut NodeContext<'_>) -> Result<Vec<Operand>, Fault> {
    let gemm = Gemm {
        alpha: context.float_attribute("alpha")?.unwrap_or(1.0),
        beta: context.float_attribute("beta")?.unwrap_or(1.0),
        transpose_a: context.flag_attribute("transA")?.unwrap_or(false),
        transpose_b: context.flag_attribute("transB")?.unwrap_or(false),
    };
    let mut operands = vec![context.input(0, "A")?, context.input(1, "B")?];
    operands.extend(context.optional(2).cloned());
    Ok(vec![context.emit(Op::Gemm(gemm), &operands)?])
}
