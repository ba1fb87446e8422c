//! LeakyRelu: `x` where x is at least 0, `alpha * x` below.
//!
//! 16: bfloat16.

use super::{ALWAYS, Operator};
use crate::error::Fault;
use crate::onnx::context::{NodeContext, Operand};
use cml_runtime::reference::message::{Op, Slope};

pub(super) const OPERATOR: Operator = Operator {
    name: "LeakyRelu",
    versions: &[6, 16],
    inputs: &[(1, 1..=1)],
    attributes: &[("alpha", ALWAYS)],
    limits: "",
    import,
};

fn import(context: &mut NodeContext<'_>) -> Result<Vec<Operand>, Fault> {
    let alpha = context.float_attribute("alpha")?.unwrap_or(0.01);
    let input = context.input(0, "X")?;
    Ok(vec![context.emit(Op::LeakyRelu(Slope { alpha }), &[input])?])
}
