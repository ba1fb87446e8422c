//! ReduceSum: the sum over some axes, which keep an extent of 1.

use super::super::error::Fault;
use super::super::message::Dims;
use super::super::shape::TensorType;
use super::super::value::Value;
use super::operand;
use ndarray::Dimension;

/// The shape with extents of 1 along the summed axes, which must ascend.
pub(crate) fn infer(dims: &Dims, inputs: &[TensorType]) -> Result<TensorType, Fault> {
    let input = operand(inputs, 0)?;
    let rank = input.shape.len();
    let ascending = dims.dims.windows(2).all(|pair| pair[0] < pair[1]);
    if !ascending || dims.dims.iter().any(|axis| *axis >= rank as u64) {
        return Err(Fault::Axes { axes: dims.dims.clone(), expected: "an ascending selection", rank });
    }
    let extents = input.shape.iter().zip(0u64..);
    let shape = extents.map(|(extent, axis)| if dims.dims.contains(&axis) { 1 } else { *extent });
    Ok(TensorType::new(shape.collect::<Vec<_>>(), input.element))
}

/// Float sums run in f64 in row-major order; integer sums are exact.
pub(crate) fn run(dims: &Dims, input: &Value) -> Result<Value, Fault> {
    let output = infer(dims, &[input.tensor_type()])?;
    let places = places(input.shape(), &output.shape);
    match input {
        Value::F32(array) => {
            let mut sums = vec![0f64; output.element_count()];
            for (x, at) in array.iter().zip(places) {
                sums[at] += f64::from(*x);
            }
            Value::floats(&output.shape, sums.into_iter().map(|sum| sum as f32).collect())
        }
        Value::I64(array) => {
            // At most MAX_ELEMENTS terms of 64 bits: an i128 holds every partial sum.
            let mut sums = vec![0i128; output.element_count()];
            for (x, at) in array.iter().zip(places) {
                sums[at] += i128::from(*x);
            }
            let exact: Result<Vec<i64>, Fault> =
                sums.into_iter().map(|sum| i64::try_from(sum).map_err(|_| Fault::Overflow)).collect();
            Value::integers(&output.shape, exact?)
        }
    }
}

/// For each element of the operand, in row-major order, the element of the result that it adds to.
fn places(shape: &[usize], summed: &[usize]) -> impl Iterator<Item = usize> {
    let mut strides = vec![0; shape.len()];
    let mut stride = 1;
    for (axis, extent) in summed.iter().enumerate().rev() {
        // An axis of extent 1 in the result is summed, or has one position only.
        strides[axis] = if *extent == 1 { 0 } else { stride };
        stride *= extent;
    }
    ndarray::indices(shape.to_vec())
        .into_iter()
        .map(move |index| index.as_array_view().iter().zip(&strides).map(|(at, stride)| at * stride).sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{ArrayD, Axis};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sums_agree_with_ndarray(
            shape in prop::collection::vec(1usize..4, 0..4),
            chosen in prop::collection::vec(any::<bool>(), 4),
        ) {
            let count = shape.iter().product::<usize>() as i64;
            let input = ArrayD::from_shape_vec(shape.clone(), (0..count).map(|i| i * i - 5).collect()).unwrap();
            let axes: Vec<usize> = (0..shape.len()).filter(|axis| chosen[*axis]).collect();
            let expected = axes.iter().fold(input.clone(), |sum, axis| sum.sum_axis(Axis(*axis)).insert_axis(Axis(*axis)));
            let dims = Dims { dims: axes.iter().map(|axis| *axis as u64).collect() };
            prop_assert_eq!(run(&dims, &input.clone().into()).unwrap(), Value::from(expected.clone()));
            let floats = run(&dims, &input.mapv(|x| x as f32).into()).unwrap();
            prop_assert_eq!(floats, Value::from(expected.mapv(|x| x as f32)));
        }
    }

    #[test]
    fn only_the_final_sum_must_fit() {
        let sum = |elements: Vec<i64>| {
            run(&Dims { dims: vec![0] }, &Value::integers(&[elements.len()], elements).unwrap())
        };
        assert_eq!(sum(vec![i64::MAX, 1, -1]).unwrap(), Value::integers(&[1], vec![i64::MAX]).unwrap());
        assert_eq!(sum(vec![i64::MAX, 1]), Err(Fault::Overflow));
    }

    #[test]
    fn axes_must_ascend_and_exist() {
        let input = [Value::integers(&[1, 1], vec![0]).unwrap().tensor_type()];
        for dims in [vec![2], vec![0, 0], vec![1, 0]] {
            assert!(infer(&Dims { dims }, &input).is_err());
        }
    }
}
