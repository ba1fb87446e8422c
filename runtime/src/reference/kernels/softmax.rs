//! Softmax along one axis, shifted by the largest element so that it cannot overflow.

use super::super::error::Fault;
use super::super::message::{Axis, Element};
use super::super::shape::{Lanes, TensorType, checked_axis};
use super::super::value::Value;
use super::need;

/// The type of the operand.
pub(crate) fn infer(axis: &Axis, inputs: &[TensorType]) -> Result<TensorType, Fault> {
    let input = need(inputs, 0, Element::F32)?;
    checked_axis(axis.axis, &input.shape)?;
    Ok(input.clone())
}

/// `exp(x) / sum(exp(x))` of each lane.
pub(crate) fn run(axis: &Axis, input: &Value) -> Result<Value, Fault> {
    let mut elements: Vec<f32> = input.need_floats(0)?.iter().copied().collect();
    let lanes = Lanes::new(input.shape(), checked_axis(axis.axis, input.shape())?);
    for start in lanes.starts() {
        let places = (0..lanes.length).map(|l| start + l * lanes.inner);
        let largest = places.clone().map(|at| elements[at]).fold(f32::NEG_INFINITY, f32::max);
        let mut sum = 0f64;
        for at in places.clone() {
            elements[at] = libm::expf(elements[at] - largest);
            sum += f64::from(elements[at]);
        }
        for at in places {
            elements[at] = (f64::from(elements[at]) / sum) as f32;
        }
    }
    Value::floats(input.shape(), elements)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_lane_sums_to_one_and_large_elements_do_not_overflow() {
        let input = Value::floats(&[2, 3], vec![1e30, 0.0, -1e30, 1.0, 1.0, 1.0]).unwrap();
        let rows = run(&Axis { axis: 1 }, &input).unwrap();
        let third = 1.0 / 3.0;
        assert_eq!(rows, Value::floats(&[2, 3], vec![1.0, 0.0, 0.0, third, third, third]).unwrap());
        let columns = run(&Axis { axis: 0 }, &input).unwrap();
        let sums = columns.as_floats().unwrap().sum_axis(ndarray::Axis(0));
        assert!(sums.iter().all(|sum| (sum - 1.0).abs() < 1e-6));
    }
}
