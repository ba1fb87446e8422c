//! Elu: `x` where x is at least 0, `alpha * (exp(x) - 1)` below.
//!
//! 22: bfloat16.

use super::{ALWAYS, Operator};
use crate::error::Fault;
use crate::onnx::context::{NodeContext, Operand};
use cml_runtime::reference::message::{Op, Slope};

pub(super) const OPERATOR: Operator = Operator {
    name: "Elu",
    versions: &[6, 22],
    inputs: &[(1, 1..=1)],
    attributes: &[("alpha", ALWAYS)],
    limits: "",
    import,
};

fn import(context: &mut NodeContext<'_>) -> Result<Vec<Operand>, Fault> {
    let alpha = context.float_attribute("alpha")?.unwrap_or(1.0);
    let input = context.input(0, "X")?;
    Ok(vec![context.emit(Op::Elu(Slope { alpha }), &[input])?])
}
