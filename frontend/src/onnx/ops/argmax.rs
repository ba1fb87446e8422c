//! ArgMax: the position of the largest element along an axis, the first of equal ones.
//!
//! 11: a negative axis counts from the end. 12: `select_last_index`. 13: bfloat16.

use super::{ALWAYS, Operator};
use crate::error::Fault;
use crate::onnx::context::{NodeContext, Operand, axis};
use cml_runtime::reference::message::{ArgMax, Op};

pub(super) const OPERATOR: Operator = Operator {
    name: "ArgMax",
    versions: &[1, 11, 12, 13],
    inputs: &[(1, 1..=1)],
    attributes: &[("axis", ALWAYS), ("keepdims", ALWAYS), ("select_last_index", 12..=i64::MAX)],
    limits: "",
    import,
};

fn import(context: &mut NodeContext<'_>) -> Result<Vec<Operand>, Fault> {
    let input = context.input(0, "data")?;
    let requested = context.integer_attribute("axis")?.unwrap_or(0);
    let argmax = ArgMax {
        axis: axis(requested, &input.shape())? as u32,
        keep_dims: context.flag_attribute("keepdims")?.unwrap_or(true),
        select_last_index: context.flag_attribute("select_last_index")?.unwrap_or(false),
    };
    Ok(vec![context.emit(Op::ArgMax(argmax), &[input])?])
}
