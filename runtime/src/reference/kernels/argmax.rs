//! ArgMax: the position of the largest element of each lane.

use super::super::error::Fault;
use super::super::message::{ArgMax, Element};
use super::super::shape::{Lanes, TensorType, checked_axis};
use super::super::value::Value;
use super::operand;

/// Integers; the axis keeps an extent of 1, or goes.
pub(crate) fn infer(argmax: &ArgMax, inputs: &[TensorType]) -> Result<TensorType, Fault> {
    let input = operand(inputs, 0)?;
    let axis = checked_axis(argmax.axis, &input.shape)?;
    let mut shape = input.shape.clone();
    if shape[axis] == 0 {
        return Err(Fault::Attribute {
            attribute: "axis",
            expected: "an axis that has elements",
            found: format!("axis {axis} of shape {shape:?}"),
        });
    }
    if argmax.keep_dims {
        shape[axis] = 1;
    } else {
        shape.remove(axis);
    }
    Ok(TensorType::new(shape, Element::I64))
}

/// Of equal elements the first counts, or the last where the attribute says so.
pub(crate) fn run(argmax: &ArgMax, input: &Value) -> Result<Value, Fault> {
    let output = infer(argmax, &[input.tensor_type()])?;
    let lanes = Lanes::new(input.shape(), argmax.axis as usize);
    let positions = match input {
        Value::F32(array) => best(&array.iter().copied().collect::<Vec<f32>>(), lanes, argmax),
        Value::I64(array) => best(&array.iter().copied().collect::<Vec<i64>>(), lanes, argmax),
    };
    Value::integers(&output.shape, positions)
}

fn best<T: PartialOrd>(elements: &[T], lanes: Lanes, argmax: &ArgMax) -> Vec<i64> {
    let of_lane = |start: usize| {
        let at = |l: usize| &elements[start + l * lanes.inner];
        let better = |l: usize, best: usize| {
            if argmax.select_last_index { at(l) >= at(best) } else { at(l) > at(best) }
        };
        (1..lanes.length).fold(0, |best, l| if better(l, best) { l } else { best }) as i64
    };
    lanes.starts().map(of_lane).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_and_axes_follow_the_attributes() {
        let input = Value::integers(&[2, 3], vec![1, 5, 5, 7, 0, 7]).unwrap();
        let position = |axis, keep_dims, select_last_index| {
            run(&ArgMax { axis, keep_dims, select_last_index }, &input).unwrap()
        };
        assert_eq!(position(1, false, false), Value::integers(&[2], vec![1, 0]).unwrap());
        assert_eq!(position(1, true, true), Value::integers(&[2, 1], vec![2, 2]).unwrap());
        assert_eq!(position(0, false, false), Value::integers(&[3], vec![1, 0, 1]).unwrap());
    }

    #[test]
    fn an_empty_axis_has_no_largest_element() {
        let input = [TensorType::new([1, 0], Element::F32)];
        let argmax = ArgMax { axis: 1, keep_dims: false, select_last_index: false };
        assert!(infer(&argmax, &input).is_err());
    }
}
