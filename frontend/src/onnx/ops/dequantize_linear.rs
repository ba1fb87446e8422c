//! DequantizeLinear: `(x - zero_point) * scale`.
//!
//! 10: one scale. 13: one for each index of `axis` (1). 19: floats of 8 bits, not supported. 21: blocks, not supported; 16
//! bits, and 4. 23: `output_dtype`, of the floats. 24, 25, 28: more kinds of small numbers, not supported.

use super::Operator;
use crate::error::Fault;
use crate::onnx::context::{NodeContext, Operand};
use crate::onnx::quantizer::{Linear, SCALE, ZERO_POINT, dequantize, refuse_blocks};

pub(super) const OPERATOR: Operator = Operator {
    name: "DequantizeLinear",
    versions: &[10, 13, 19, 21, 23, 24, 25, 28],
    inputs: &[(10, 2..=3)],
    attributes: &[("axis", 13..=i64::MAX), ("block_size", 21..=i64::MAX), ("output_dtype", 23..=i64::MAX)],
    limits: "of constants, of graph inputs of 4 to 16 bits, or behind an operator that quantizes; no blocks",
    import,
};

fn import(context: &mut NodeContext<'_>) -> Result<Vec<Operand>, Fault> {
    let input = context.input(0, "x")?;
    refuse_blocks(context)?;
    let axis = context.integer_attribute("axis")?.unwrap_or(1);
    let linear = Linear::read(context, SCALE, ZERO_POINT, (&input.shape(), axis))?;
    Ok(vec![dequantize(context, input, linear)?])
}
