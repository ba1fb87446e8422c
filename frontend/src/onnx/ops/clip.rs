//! Clip: `min(max(x, min), max)`.
//!
//! 6: the bounds are attributes. 11: they are inputs. 12: integers. 13: bfloat16.

use super::Operator;
use crate::error::Fault;
use crate::onnx::context::{NodeContext, Operand};
use cml_runtime::reference::message::{Clip, Op};

pub(super) const OPERATOR: Operator = Operator {
    name: "Clip",
    versions: &[6, 11, 12, 13],
    inputs: &[(6, 1..=1), (11, 1..=3)],
    attributes: &[("min", 1..=10), ("max", 1..=10)],
    limits: "constant bounds; integers only where constant, or behind QuantizeLinear",
    import,
};

fn import(context: &mut NodeContext<'_>) -> Result<Vec<Operand>, Fault> {
    let clip = if context.version() < 11 {
        Clip { min: context.float_attribute("min")?, max: context.float_attribute("max")? }
    } else {
        Clip { min: context.number(1, "min")?, max: context.number(2, "max")? }
    };
    let input = context.input(0, "input")?;
    if clip.min.is_none() && clip.max.is_none() {
        return Ok(vec![input]);
    }
    if let Operand::Stored { source, mut quantizer } = input {
        // Exact, as no integer of a quantizer has more bits than f32 has.
        let (lo, hi) = (quantizer.lo, quantizer.hi);
        quantizer.lo = clip.min.map_or(lo, |min| lo.max(min.ceil() as i64));
        quantizer.hi = clip.max.map_or(hi, |max| hi.min(max.floor() as i64));
        return Ok(vec![Operand::Stored { source, quantizer }]);
    }
    Ok(vec![context.emit(Op::Clip(clip), &[input])?])
}
