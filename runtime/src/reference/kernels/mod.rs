//! One file for each family of operations: `infer` gives the type of the result, `run` computes it.
//!
//! `run` relies on `infer` having accepted the operands: it may assume their shapes, never their numbers.

pub(crate) mod activation;
pub(crate) mod argmax;
pub(crate) mod arithmetic;
pub(crate) mod batch_normalization;
pub(crate) mod cast;
pub(crate) mod lookup;
pub(crate) mod movement;
pub(crate) mod product;
pub(crate) mod quantize;
pub(crate) mod reduce_sum;
pub(crate) mod softmax;

use super::error::Fault;
use super::message::Element;
use super::shape::TensorType;

/// Refuses an operand of another kind of number.
pub(crate) fn need(inputs: &[TensorType], index: usize, element: Element) -> Result<&TensorType, Fault> {
    let input = operand(inputs, index)?;
    if input.element == element {
        Ok(input)
    } else {
        Err(Fault::Element { index, expected: element.text(), found: input.element.text() })
    }
}

/// Refuses operands of two kinds of numbers.
pub(crate) fn need_same_element(inputs: &[TensorType]) -> Result<Element, Fault> {
    let element = operand(inputs, 0)?.element;
    for index in 1..inputs.len() {
        need(inputs, index, element)?;
    }
    Ok(element)
}

/// An operand by its position.
pub(crate) fn operand(inputs: &[TensorType], index: usize) -> Result<&TensorType, Fault> {
    inputs.get(index).ok_or(Fault::Arity { expected: "more", found: inputs.len() })
}

/// An integer attribute that the message stores as a float, for an operation on integers.
pub(crate) fn whole(attribute: &'static str, number: f32) -> Result<i64, Fault> {
    if number.fract() == 0.0 && number.abs() < 9.0e18 {
        Ok(number as i64)
    } else {
        Err(Fault::Attribute {
            attribute,
            expected: "a whole number for integers",
            found: number.to_string(),
        })
    }
}
