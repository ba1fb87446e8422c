//! What each op of `fhe` computes, on the integers themselves.

use crate::interpret::{GraphBuilder, inputs, lookup_of, movement, no_meaning};
use crate::ir::{Attributes, IrError, expected, node_name, result, shape_of, tensor_shape};
use cml_runtime::reference::message::{Dims, Empty, Op};
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
    let mut from = inputs(op, builder)?;
    let attributes = Attributes(op);
    let kind = match mnemonic {
        "constant" => {
            let shape = shape_of(op, result(op)?)?;
            return Ok(builder.integers(&name, &shape, attributes.i64_elements("value")?));
        }
        "matmul" => {
            let shape = tensor_shape(attributes.get("weights")?.r#type());
            let shape = shape.ok_or_else(|| expected(op, "weights of static shape"))?;
            from.push(builder.integers(&name, &shape, attributes.i64_elements("weights")?));
            Op::MatMul(Empty {})
        }
        "add_clear" | "mul_clear" => {
            let clear = attributes.i64_elements("clear")?;
            let shape = if clear.len() == 1 { Vec::new() } else { shape_of(op, result(op)?)? };
            from.push(builder.integers(&name, &shape, clear));
            if mnemonic == "add_clear" { Op::Add(Empty {}) } else { Op::Mul(Empty {}) }
        }
        "add" => Op::Add(Empty {}),
        "sub" => Op::Sub(Empty {}),
        "neg" => Op::Neg(Empty {}),
        "sum" => {
            let axes = attributes.i64_array("axes")?.iter().map(|axis| *axis as u64).collect();
            Op::ReduceSum(Dims { dims: axes })
        }
        "lookup" => Op::Lookup(lookup_of(op)?),
        _ => return Err(no_meaning(op)),
    };
    Ok(builder.push(&name, kind, from))
}
