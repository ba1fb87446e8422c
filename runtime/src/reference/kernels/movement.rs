//! Reshape, Transpose and Concat: elements move, their values stay.

use super::super::error::Fault;
use super::super::message::{Axis, Dims};
use super::super::shape::{Lanes, TensorType, checked, checked_axis, checked_shape};
use super::super::value::Value;
use super::{need_same_element, operand};
use ndarray::IxDyn;

/// The requested shape, which must have as many elements.
pub(crate) fn infer_reshape(dims: &Dims, inputs: &[TensorType]) -> Result<TensorType, Fault> {
    let input = operand(inputs, 0)?;
    let output = TensorType::new(checked_shape(&dims.dims)?, input.element);
    if output.element_count() == input.element_count() {
        Ok(output)
    } else {
        Err(Fault::Reshape { from: input.shape.clone(), to: dims.dims.clone() })
    }
}

/// Elements in row-major order, under another shape.
pub(crate) fn reshape(dims: &Dims, input: &Value) -> Result<Value, Fault> {
    let shape = checked_shape(&dims.dims)?;
    match input {
        Value::F32(array) => Value::floats(&shape, array.iter().copied().collect()),
        Value::I64(array) => Value::integers(&shape, array.iter().copied().collect()),
    }
}

/// The permuted shape; `dims` lists, for each axis of the result, the axis of the operand it comes from.
pub(crate) fn infer_transpose(dims: &Dims, inputs: &[TensorType]) -> Result<TensorType, Fault> {
    let input = operand(inputs, 0)?;
    let rank = input.shape.len();
    let mut sorted = dims.dims.clone();
    sorted.sort_unstable();
    if sorted.len() != rank || sorted.iter().zip(0u64..).any(|(axis, expected)| *axis != expected) {
        return Err(Fault::Axes { axes: dims.dims.clone(), expected: "a permutation", rank });
    }
    let shape: Vec<usize> = dims.dims.iter().map(|axis| input.shape[*axis as usize]).collect();
    Ok(TensorType::new(shape, input.element))
}

/// Axes in another order.
pub(crate) fn transpose(dims: &Dims, input: &Value) -> Result<Value, Fault> {
    let shape = infer_transpose(dims, &[input.tensor_type()])?.shape;
    let axes: Vec<usize> = dims.dims.iter().map(|axis| *axis as usize).collect();
    match input {
        Value::F32(array) => {
            let permuted = array.view().permuted_axes(IxDyn(&axes));
            Value::floats(&shape, permuted.iter().copied().collect())
        }
        Value::I64(array) => {
            let permuted = array.view().permuted_axes(IxDyn(&axes));
            Value::integers(&shape, permuted.iter().copied().collect())
        }
    }
}

/// All operands agree outside the axis, whose extents add up.
pub(crate) fn infer_concat(axis: &Axis, inputs: &[TensorType]) -> Result<TensorType, Fault> {
    let element = need_same_element(inputs)?;
    let first = &operand(inputs, 0)?.shape;
    let index = checked_axis(axis.axis, first)?;
    let mut shape = first.clone();
    for input in inputs.iter().skip(1) {
        let mut expected = first.clone();
        if input.shape.len() == first.len() {
            expected[index] = input.shape[index];
            shape[index] = shape[index].saturating_add(input.shape[index]);
        }
        if input.shape != expected {
            let (left, right) = (first.clone(), input.shape.clone());
            return Err(Fault::Shapes { left, right, relation: "join: they differ outside the axis" });
        }
    }
    Ok(TensorType::new(checked(shape)?, element))
}

/// Operands one after the other along an axis.
pub(crate) fn concat(axis: &Axis, inputs: &[&Value]) -> Result<Value, Fault> {
    let types: Vec<TensorType> = inputs.iter().map(|input| input.tensor_type()).collect();
    let output = infer_concat(axis, &types)?;
    let outer = Lanes::new(&output.shape, axis.axis as usize).outer;
    if matches!(inputs.first(), Some(Value::F32(_))) {
        let parts: Result<Vec<Vec<f32>>, Fault> = inputs
            .iter()
            .enumerate()
            .map(|(index, input)| Ok(input.need_floats(index)?.iter().copied().collect()))
            .collect();
        Value::floats(&output.shape, interleave(&parts?, outer))
    } else {
        let parts: Result<Vec<Vec<i64>>, Fault> = inputs
            .iter()
            .enumerate()
            .map(|(index, input)| Ok(input.need_integers(index)?.iter().copied().collect()))
            .collect();
        Value::integers(&output.shape, interleave(&parts?, outer))
    }
}

/// One chunk of each part in turn, `outer` times.
fn interleave<T: Copy>(parts: &[Vec<T>], outer: usize) -> Vec<T> {
    let total = parts.iter().map(Vec::len).sum();
    let mut joined = Vec::with_capacity(total);
    for index in 0..outer {
        for part in parts {
            let chunk = part.len() / outer;
            joined.extend_from_slice(&part[index * chunk..(index + 1) * chunk]);
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::super::super::message::Element;
    use super::*;
    use ndarray::{ArrayD, Axis as NdAxis};
    use proptest::prelude::*;

    fn ramp(shape: &[usize]) -> ArrayD<i64> {
        let count = shape.iter().product::<usize>() as i64;
        ArrayD::from_shape_vec(shape, (0..count).collect()).unwrap()
    }

    proptest! {
        #[test]
        fn transposing_twice_is_the_identity(
            shape in prop::collection::vec(0usize..4, 0..5),
            seed in any::<u64>(),
        ) {
            let mut axes: Vec<u64> = (0..shape.len() as u64).collect();
            axes.sort_by_key(|axis| (axis + 1).wrapping_mul(seed | 1).rotate_left(17));
            let mut inverse = axes.clone();
            for (to, from) in axes.iter().enumerate() {
                inverse[*from as usize] = to as u64;
            }
            let input = Value::from(ramp(&shape));
            let there = transpose(&Dims { dims: axes }, &input).unwrap();
            prop_assert_eq!(transpose(&Dims { dims: inverse }, &there).unwrap(), input);
        }

        #[test]
        fn concat_agrees_with_ndarray(
            shape in prop::collection::vec(1usize..4, 1..4),
            extents in prop::collection::vec(0usize..4, 1..4),
            axis in 0usize..3,
        ) {
            let axis = axis % shape.len();
            let parts: Vec<ArrayD<i64>> = extents
                .iter()
                .map(|extent| {
                    let mut shape = shape.clone();
                    shape[axis] = *extent;
                    ramp(&shape)
                })
                .collect();
            let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
            let expected = ndarray::concatenate(NdAxis(axis), &views).unwrap();
            let values: Vec<Value> = parts.into_iter().map(Value::from).collect();
            let found = concat(&Axis { axis: axis as u32 }, &values.iter().collect::<Vec<_>>()).unwrap();
            prop_assert_eq!(found, Value::from(expected));
        }
    }

    #[test]
    fn shapes_that_do_not_fit_are_refused() {
        let input = TensorType::new([2, 3], Element::F32);
        assert!(infer_reshape(&Dims { dims: vec![5] }, std::slice::from_ref(&input)).is_err());
        assert!(infer_reshape(&Dims { dims: vec![u64::MAX, 6] }, std::slice::from_ref(&input)).is_err());
        for dims in [vec![0], vec![0, 0], vec![1, 2], vec![0, 1, 2]] {
            assert!(infer_transpose(&Dims { dims }, std::slice::from_ref(&input)).is_err());
        }
        let other = TensorType::new([2, 4], Element::F32);
        assert!(infer_concat(&Axis { axis: 0 }, &[input.clone(), other.clone()]).is_err());
        assert!(infer_concat(&Axis { axis: 2 }, &[input.clone(), other.clone()]).is_err());
        assert_eq!(infer_concat(&Axis { axis: 1 }, &[input, other]).unwrap().shape, [2, 7]);
    }

    #[test]
    fn nothing_to_join_gives_an_empty_tensor() {
        let empty = Value::from(ramp(&[0, 2]));
        assert_eq!(concat(&Axis { axis: 1 }, &[&empty, &empty]).unwrap().shape(), [0, 4]);
    }
}
