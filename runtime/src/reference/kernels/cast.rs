//! Cast between floats and integers.

use super::super::error::Fault;
use super::super::message::{Cast, Element};
use super::super::shape::TensorType;
use super::super::value::Value;
use super::operand;

/// The shape of the operand, the requested kind of number.
pub(crate) fn infer(cast: &Cast, inputs: &[TensorType]) -> Result<TensorType, Fault> {
    let element = Element::try_from(cast.element).map_err(|_| Fault::UnknownElement(cast.element))?;
    Ok(TensorType::new(operand(inputs, 0)?.shape.clone(), element))
}

/// Floats are truncated toward zero; one that does not fit i64 is an error.
pub(crate) fn run(cast: &Cast, input: &Value) -> Result<Value, Fault> {
    let target = infer(cast, &[input.tensor_type()])?.element;
    match (input, target) {
        (Value::F32(_), Element::F32) | (Value::I64(_), Element::I64) => Ok(input.clone()),
        (Value::I64(array), Element::F32) => Ok(array.mapv(|x| x as f32).into()),
        (Value::F32(array), Element::I64) => {
            let whole: Result<Vec<i64>, Fault> = array.iter().map(|x| truncate(*x)).collect();
            Value::integers(array.shape(), whole?)
        }
    }
}

fn truncate(x: f32) -> Result<i64, Fault> {
    let limit = 63f32.exp2();
    if x.is_nan() {
        Err(Fault::NotANumber)
    } else if (-limit..limit).contains(&x) {
        Ok(x as i64)
    } else {
        Err(Fault::Overflow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_truncate_toward_zero() {
        let input = Value::floats(&[4], vec![-1.9, -0.5, 0.5, 1.9]).unwrap();
        let output = run(&Cast { element: Element::I64 as i32 }, &input).unwrap();
        assert_eq!(output, Value::integers(&[4], vec![-1, 0, 0, 1]).unwrap());
        let back = run(&Cast { element: Element::F32 as i32 }, &output).unwrap();
        assert_eq!(back, Value::floats(&[4], vec![-1.0, 0.0, 0.0, 1.0]).unwrap());
    }

    #[test]
    fn floats_outside_the_integers_are_errors() {
        assert_eq!(truncate(-(63f32.exp2())), Ok(i64::MIN));
        assert_eq!(truncate(63f32.exp2()), Err(Fault::Overflow));
        assert_eq!(truncate(f32::NAN), Err(Fault::NotANumber));
        assert!(run(&Cast { element: 7 }, &Value::floats(&[], vec![0.0]).unwrap()).is_err());
    }
}
