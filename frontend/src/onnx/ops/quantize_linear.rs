//! QuantizeLinear: `saturate(round_half_even(x / scale) + zero_point)`.
//!
//! 10: one scale. 13: one for each index of `axis` (1). 19: floats of 8 bits, with `saturate`, not supported. 21: blocks, not
//! supported; 16 bits, and 4; `output_dtype`. 23: `precision`, of the division, which is in f32 here. 24, 25, 28: more kinds of
//! small numbers, not supported.

use super::Operator;
use crate::error::Fault;
use crate::onnx::context::{NodeContext, Operand};
use crate::onnx::proto::DataType;
use crate::onnx::quantizer::{Linear, SCALE, ZERO_POINT, range_of, refuse_blocks, stored_range};
use cml_runtime::reference::message::Element;

pub(super) const OPERATOR: Operator = Operator {
    name: "QuantizeLinear",
    versions: &[10, 13, 19, 21, 23, 24, 25, 28],
    inputs: &[(10, 2..=3)],
    attributes: &[
        ("axis", 13..=i64::MAX),
        ("saturate", 19..=i64::MAX),
        ("block_size", 21..=i64::MAX),
        ("output_dtype", 21..=i64::MAX),
        ("precision", 23..=i64::MAX),
    ],
    limits: "to integers of 4, 8 and 16 bits, constant scales, no blocks; behind it only Clip, reshapes, and operators that read integers",
    import,
};

fn import(context: &mut NodeContext<'_>) -> Result<Vec<Operand>, Fault> {
    let input = context.input(0, "x")?;
    if input.tensor_type().element == Element::I64 {
        return Err(Fault::Integers);
    }
    let precision = context.integer_attribute("precision")?.unwrap_or(0);
    if precision != 0 && precision != i64::from(DataType::Float as i32) {
        return Err(Fault::AttributeValue {
            name: "precision",
            found: precision.to_string(),
            supported: "1 (float)",
        });
    }
    refuse_blocks(context)?;
    let bounds = match context.integer_attribute("output_dtype")?.unwrap_or(0) {
        0 => stored_range(context, 2)?,
        code => range_of(i32::try_from(code).unwrap_or(-1))?,
    };
    let axis = context.integer_attribute("axis")?.unwrap_or(1);
    let linear = Linear::read(context, SCALE, ZERO_POINT, (&input.shape(), axis))?;
    let quantizer = linear.quantizer(bounds);
    quantizer.check(&input.shape())?;
    Ok(vec![Operand::Stored { source: Box::new(input), quantizer }])
}
