//! DequantizeLinear: `(x - zero_point) * scale`.
//!
//! 10: one scale. 13: one for each index of `axis` (1). 19: floats of 8 bits, not supported. 21: blocks, not supported; 16
//! bits. 23: `output_dtype`, of the floats. 24, 25, 28: more kinds of small numbers, not supported.

use super::Operator;
use crate::error::Fault;
use crate::onnx::context::{NodeContext, Operand};
use crate::onnx::quantizer::{fake_quantize, linear};
use cml_runtime::reference::Value;
use cml_runtime::reference::message::Op;

pub(super) const OPERATOR: Operator = Operator {
    name: "DequantizeLinear",
    versions: &[10, 13, 19, 21, 23, 24, 25, 28],
    inputs: &[(10, 2..=3)],
    attributes: &[("axis", 13..=i64::MAX), ("block_size", 21..=i64::MAX), ("output_dtype", 23..=i64::MAX)],
    limits: "of constants, or behind QuantizeLinear with the same scale and zero point; no blocks",
    import,
};

fn import(context: &mut NodeContext<'_>) -> Result<Vec<Operand>, Fault> {
    let input = context.input(0, "x")?;
    let mut linear = linear(context, &input.shape())?;
    match input {
        Operand::Stored { source, quantizer } => {
            (linear.lo, linear.hi) = (quantizer.lo, quantizer.hi);
            if linear != quantizer {
                let found = "another scale or zero point than the QuantizeLinear before".to_owned();
                return Err(Fault::Quantizer { found, supported: "the same" });
            }
            Ok(vec![fake_quantize(context, *source, quantizer)?])
        }
        Operand::Constant { value: Value::I64(ref stored), .. } => {
            // The bounds are those of the integers that are there, zero among them.
            linear.lo = stored.iter().copied().fold(0, i64::min);
            linear.hi = stored.iter().copied().fold(1, i64::max);
            let floats = context.emit(Op::Dequantize(linear.clone()), std::slice::from_ref(&input))?;
            Ok(vec![fake_quantize(context, floats, linear)?])
        }
        _ => Err(Fault::Integers),
    }
}
