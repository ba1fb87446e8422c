//! Cast: another kind of number. Floats of all sizes are f32 here, integers of all sizes i64, booleans the integers 0 and 1.
//!
//! 6: `to` is a number. 9: strings, not supported. 13: bfloat16. 19 to 28: floats of 8 bits and less, with `saturate` and
//! `round_mode`, not supported.

use super::{ALWAYS, Operator};
use crate::error::Fault;
use crate::onnx::context::{NodeContext, Operand};
use crate::onnx::proto::DataType;
use crate::onnx::quantizer::{as_steps, fake_quantize};
use crate::onnx::tensor::type_name;
use cml_runtime::reference::Value;
use cml_runtime::reference::message::{Cast, Element, Op};

pub(super) const OPERATOR: Operator = Operator {
    name: "Cast",
    versions: &[6, 9, 13, 19, 21, 23, 24, 25, 28],
    inputs: &[(6, 1..=1)],
    attributes: &[("to", ALWAYS), ("saturate", 19..=i64::MAX), ("round_mode", 24..=i64::MAX)],
    limits: "between float, double, float16, bfloat16, integers and bool; computed numbers not to bool",
    import,
};

fn import(context: &mut NodeContext<'_>) -> Result<Vec<Operand>, Fault> {
    let code = context.integer_attribute("to")?.ok_or(Fault::MissingAttribute { name: "to" })?;
    let code = i32::try_from(code).unwrap_or(-1);
    let unsupported = || Fault::DataType { found: type_name(code) };
    let target = DataType::try_from(code).map_err(|_| unsupported())?;
    let float = target.is_float().ok_or_else(unsupported)?;
    let input = context.input(0, "input")?;
    if target == DataType::Bool {
        return Ok(vec![to_bool(context, input)?]);
    }
    let element = if float { Element::F32 } else { Element::I64 };
    match (&input, element) {
        (Operand::Whole { source }, Element::F32) => return Ok(vec![(**source).clone()]),
        (Operand::Stored { source, quantizer }, Element::F32) => {
            let integers = as_steps(quantizer, 0);
            return Ok(vec![fake_quantize(context, (**source).clone(), integers)?]);
        }
        (Operand::Whole { .. } | Operand::Stored { .. }, Element::I64) => return Err(Fault::Stored),
        _ => {}
    }
    let result = if input.tensor_type().element == element {
        input
    } else {
        context.emit(Op::Cast(Cast { element: element as i32 }), &[input])?
    };
    if let Operand::Constant { value: Value::I64(array), .. } = &result
        && let Some(value) = array.iter().find(|value| !fits(**value, target))
    {
        return Err(Fault::CastRange { value: *value, to: target.text() });
    }
    Ok(vec![result])
}

/// True for everything but zero; computed numbers would need a comparison.
fn to_bool(context: &mut NodeContext<'_>, input: Operand) -> Result<Operand, Fault> {
    let Operand::Constant { value, .. } = input else {
        return Err(Fault::Cast { to: DataType::Bool.text() });
    };
    let truth: Vec<i64> = match &value {
        Value::F32(array) => array.iter().map(|x| i64::from(*x != 0.0)).collect(),
        Value::I64(array) => array.iter().map(|x| i64::from(*x != 0)).collect(),
    };
    Ok(context.fold(Value::integers(value.shape(), truth)?))
}

fn fits(value: i64, target: DataType) -> bool {
    match target {
        DataType::Uint4 => (0..16).contains(&value),
        DataType::Int4 => (-8..8).contains(&value),
        DataType::Uint8 => u8::try_from(value).is_ok(),
        DataType::Int8 => i8::try_from(value).is_ok(),
        DataType::Uint16 => u16::try_from(value).is_ok(),
        DataType::Int16 => i16::try_from(value).is_ok(),
        DataType::Int32 => i32::try_from(value).is_ok(),
        DataType::Uint32 => u32::try_from(value).is_ok(),
        DataType::Uint64 => value >= 0,
        _ => true,
    }
}
