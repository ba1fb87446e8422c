//! What each op of `qnn` computes, on stored integers.

use crate::interpret::{GraphBuilder, inputs, lookup_of, movement, no_meaning};
use crate::ir::{Attributes, IrError, expected, node_name, operand, result, tensor_shape};
use crate::nn::interpret::with_stated;
use crate::qnn::{quantizer_of, zero_point};
use cml_runtime::reference::message::{Empty, Op};
use melior::ir::{AttributeLike, OperationRef};

/// Adds the nodes of one op and gives the number of its result.
///
/// # Errors
/// [`IrError`] for an unknown op, or one that would not verify.
pub fn translate(
    op: OperationRef<'_, '_>,
    mnemonic: &str,
    builder: &mut GraphBuilder,
) -> Result<u32, IrError> {
    if let Some(number) = movement(op, mnemonic, builder)? {
        return Ok(number);
    }
    let name = node_name(op);
    let from = inputs(op, builder)?;
    let input = operand(op, 0)?;
    match mnemonic {
        "quantize" => {
            let quantizer = with_stated(op, quantizer_of(op, result(op)?)?)?;
            Ok(builder.push(&name, Op::Quantize(quantizer), from))
        }
        "dequantize" => {
            let quantizer = with_stated(op, quantizer_of(op, input)?)?;
            Ok(builder.push(&name, Op::Dequantize(quantizer), from))
        }
        "matmul" => {
            let attributes = Attributes(op);
            let shape = tensor_shape(attributes.get("weights")?.r#type());
            let shape = shape.ok_or_else(|| expected(op, "weights of static shape"))?;
            let centred = builder.subtract(&name, from[0], zero_point(op, input)?);
            let weights = builder.integers(&name, &shape, attributes.i64_elements("weights")?);
            Ok(builder.push(&name, Op::MatMul(Empty {}), vec![centred, weights]))
        }
        "lookup" => {
            let centred = builder.subtract(&name, from[0], zero_point(op, input)?);
            Ok(builder.push(&name, Op::Lookup(lookup_of(op)?), vec![centred]))
        }
        _ => Err(no_meaning(op)),
    }
}
