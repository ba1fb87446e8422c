//! Constant: a tensor in an attribute.
//!
//! 1: `value`. 11: `sparse_value`, not supported. 12: numbers and lists of them. 13 to 25: more kinds of elements.

use super::{ALWAYS, Operator};
use crate::error::Fault;
use crate::onnx::context::{NodeContext, Operand};
use crate::onnx::proto::DataType;
use cml_runtime::reference::Value;

pub(super) const OPERATOR: Operator = Operator {
    name: "Constant",
    versions: &[1, 9, 11, 12, 13, 19, 21, 23, 24, 25],
    inputs: &[(1, 0..=0)],
    attributes: &[
        ("value", ALWAYS),
        ("sparse_value", 11..=i64::MAX),
        ("value_float", 12..=i64::MAX),
        ("value_floats", 12..=i64::MAX),
        ("value_int", 12..=i64::MAX),
        ("value_ints", 12..=i64::MAX),
        ("value_string", 12..=i64::MAX),
        ("value_strings", 12..=i64::MAX),
    ],
    limits: "no strings, no sparse tensors",
    import,
};

fn import(context: &mut NodeContext<'_>) -> Result<Vec<Operand>, Fault> {
    let value = value(context)?;
    let tensor = context.node.attribute.iter().find(|attribute| attribute.name == "value");
    let stored = tensor.and_then(|attribute| DataType::try_from(attribute.t.as_ref()?.data_type).ok());
    if let Some(stored) = stored {
        return Ok(vec![context.fold_stored(value, stored)]);
    }
    Ok(vec![context.fold(value)])
}

fn value(context: &NodeContext<'_>) -> Result<Value, Fault> {
    if let Some(value) = context.tensor_attribute("value")? {
        return Ok(value);
    }
    if let Some(number) = context.float_attribute("value_float")? {
        return Ok(Value::floats(&[], vec![number])?);
    }
    if let Some(list) = context.floats_attribute("value_floats")? {
        return Ok(Value::floats(&[list.len()], list)?);
    }
    if let Some(number) = context.integer_attribute("value_int")? {
        return Ok(Value::integers(&[], vec![number])?);
    }
    if let Some(list) = context.integers_attribute("value_ints")? {
        return Ok(Value::integers(&[list.len()], list)?);
    }
    match context.node.attribute.first() {
        None => Err(Fault::MissingAttribute { name: "value" }),
        Some(attribute) if attribute.name == "sparse_value" => {
            Err(Fault::DataType { found: "sparse tensor".to_owned() })
        }
        Some(_) => Err(Fault::DataType { found: "string".to_owned() }),
    }
}
