//! Where the elements of a moved tensor come from, and the same movement on another level.

use crate::framework::{PassError, model_error};
use cml_dialects::interpret::{GraphBuilder, movement};
use cml_dialects::ir::{Attributes, NewOp, op_name, operands, shape_of};
use cml_runtime::reference::Value as Tensor;
use cml_runtime::reference::message::{Element, Port};
use melior::ir::operation::OperationLike;
use melior::ir::{OperationRef, Type, Value};

/// For each element of the result of a reshape, transpose or concatenation, row-major: its number among all elements of the
/// operands, one operand after the other.
///
/// # Errors
/// [`PassError`] for another op, or one that would not verify.
pub fn origins(op: OperationRef<'_, '_>) -> Result<Vec<usize>, PassError> {
    let mut builder = GraphBuilder::default();
    let mut tensors = Vec::new();
    let mut first = 0;
    for value in operands(op) {
        let shape = shape_of(op, value)?;
        let extents: Vec<usize> = shape.iter().map(|extent| *extent as usize).collect();
        let count: usize = extents.iter().product();
        let number = builder.input(Port { name: String::new(), shape, element: Element::I64.into() });
        builder.bind(value, number);
        let numbers = (first..first + count).map(|index| index as i64).collect();
        tensors
            .push(Tensor::integers(&extents, numbers).map_err(|fault| model_error(op, fault.to_string()))?);
        first += count;
    }
    let name = op_name(op);
    let mnemonic = name.split_once('.').map_or("", |(_, mnemonic)| mnemonic);
    let number = movement(op, mnemonic, &mut builder)?
        .ok_or_else(|| model_error(op, "expected a movement of elements"))?;
    let outputs = builder.finish(vec![number], vec![String::new()]).run(&tensors)?;
    let numbers = outputs.first().and_then(Tensor::as_integers);
    let numbers = numbers.ok_or_else(|| model_error(op, "expected integers from a movement of integers"))?;
    Ok(numbers.iter().map(|number| *number as usize).collect())
}

/// The same movement as an op of `qnn` or `fhe`, on other operands.
///
/// # Errors
/// [`PassError`] unless `op` is a reshape, transpose or concatenation.
pub fn on_level<'c, 'v>(
    op: OperationRef<'c, '_>,
    level: &str,
    inputs: &[Value<'c, 'v>],
    ty: Type<'c>,
) -> Result<NewOp<'c, 'v>, PassError> {
    let name = op_name(op);
    let mnemonic = name.split_once('.').map_or("", |(_, mnemonic)| mnemonic);
    let (name, attribute) = match (level, mnemonic) {
        ("qnn", "reshape") => ("qnn.reshape", None),
        ("qnn", "transpose") => ("qnn.transpose", Some("permutation")),
        ("qnn", "concat") => ("qnn.concat", Some("axis")),
        ("fhe", "reshape") => ("fhe.reshape", None),
        ("fhe", "transpose") => ("fhe.transpose", Some("permutation")),
        ("fhe", "concat") => ("fhe.concat", Some("axis")),
        _ => return Err(model_error(op, "expected a movement of elements")),
    };
    let new = NewOp::new(name, op.location()).operands(inputs).result(ty);
    match attribute {
        Some(attribute) => Ok(new.attribute(attribute, Attributes(op).get(attribute)?)),
        None => Ok(new),
    }
}
