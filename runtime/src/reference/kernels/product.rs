//! MatMul and Gemm.
//!
//! Float sums run in f64 over ascending positions and are rounded to f32 once; integer sums are exact.

use super::super::error::Fault;
use super::super::message::{Element, Gemm};
use super::super::shape::{TensorType, broadcast, checked};
use super::super::value::Value;
use super::{arithmetic, need_same_element, operand, whole};
use ndarray::{ArcArray, IxDyn};

/// Sizes of a batched product `[.., m, k] x [.., k, n]`.
struct Plan {
    batch: Vec<usize>,
    m: usize,
    k: usize,
    n: usize,
    /// The result without the axes that one-dimensional operands lend.
    shape: Vec<usize>,
}

impl Plan {
    fn new(left: &[usize], right: &[usize]) -> Result<Self, Fault> {
        let clash = |relation| Fault::Shapes { left: left.to_vec(), right: right.to_vec(), relation };
        let (left_batch, m, k) = match left {
            [] => return Err(Fault::Rank { index: 0, expected: "at least 1", found: vec![] }),
            [k] => (&[][..], None, *k),
            [batch @ .., m, k] => (batch, Some(*m), *k),
        };
        let (right_batch, rows, n) = match right {
            [] => return Err(Fault::Rank { index: 1, expected: "at least 1", found: vec![] }),
            [k] => (&[][..], *k, None),
            [batch @ .., k, n] => (batch, *k, Some(*n)),
        };
        if k != rows {
            return Err(clash("multiply as matrices: the inner extents differ"));
        }
        let batch =
            broadcast(left_batch, right_batch).ok_or_else(|| clash("broadcast over the leading axes"))?;
        let shape = batch.iter().copied().chain(m).chain(n).collect();
        Ok(Self { batch, m: m.unwrap_or(1), k, n: n.unwrap_or(1), shape })
    }

    /// Offsets of the two matrices of each product, in elements.
    fn offsets(&self, left: &[usize], right: &[usize]) -> Vec<(usize, usize)> {
        // An empty result needs no products, however long its batch axes are.
        let count = if self.m * self.n == 0 { 0 } else { self.batch.iter().product() };
        let lead = |shape: &[usize]| shape.len().saturating_sub(2);
        (0..count)
            .map(|index| {
                let a = self.offset(index, &left[..lead(left)]) * self.m * self.k;
                (a, self.offset(index, &right[..lead(right)]) * self.k * self.n)
            })
            .collect()
    }

    /// Position, in an operand with these leading axes, of the matrix that the product `index` reads.
    fn offset(&self, mut index: usize, axes: &[usize]) -> usize {
        let (mut offset, mut stride) = (0, 1);
        for (back, extent) in self.batch.iter().rev().enumerate() {
            let at = index % extent;
            index /= extent;
            let Some(own) = axes.len().checked_sub(back + 1).and_then(|axis| axes.get(axis)) else {
                continue;
            };
            if *own != 1 {
                offset += at * stride;
            }
            stride *= own;
        }
        offset
    }
}

/// numpy's rule: leading axes broadcast, a one-dimensional operand is a row on the left, a column on the right.
pub(crate) fn infer(inputs: &[TensorType]) -> Result<TensorType, Fault> {
    let element = need_same_element(inputs)?;
    let plan = Plan::new(&operand(inputs, 0)?.shape, &operand(inputs, 1)?.shape)?;
    Ok(TensorType::new(checked(plan.shape)?, element))
}

/// The product of two tensors.
pub(crate) fn run(left: &Value, right: &Value) -> Result<Value, Fault> {
    let plan = Plan::new(left.shape(), right.shape())?;
    let offsets = plan.offsets(left.shape(), right.shape());
    match (left, right) {
        (Value::F32(a), Value::F32(b)) => {
            let (a, b) = (elements(a), elements(b));
            let products = offsets.iter().flat_map(|(i, j)| {
                multiply_floats(&a[*i..*i + plan.m * plan.k], &b[*j..*j + plan.k * plan.n], &plan)
            });
            let products = products.collect();
            Value::floats(&plan.shape, products)
        }
        _ => {
            let (a, b) = (elements(left.need_integers(0)?), elements(right.need_integers(1)?));
            let mut products = vec![];
            for (i, j) in offsets {
                let (a, b) = (&a[i..i + plan.m * plan.k], &b[j..j + plan.k * plan.n]);
                products.extend(multiply_integers(a, b, &plan)?);
            }
            Value::integers(&plan.shape, products)
        }
    }
}

fn elements<T: Copy>(array: &ArcArray<T, IxDyn>) -> std::borrow::Cow<'_, [T]> {
    array.as_slice().map_or_else(|| array.iter().copied().collect::<Vec<T>>().into(), Into::into)
}

fn multiply_floats(a: &[f32], b: &[f32], plan: &Plan) -> Vec<f32> {
    let mut product = Vec::with_capacity(plan.m * plan.n);
    let mut sums = vec![0f64; plan.n];
    for i in 0..plan.m {
        sums.fill(0.0);
        for l in 0..plan.k {
            let factor = f64::from(a[i * plan.k + l]);
            for (sum, x) in sums.iter_mut().zip(&b[l * plan.n..(l + 1) * plan.n]) {
                *sum += factor * f64::from(*x);
            }
        }
        product.extend(sums.iter().map(|sum| *sum as f32));
    }
    product
}

fn multiply_integers(a: &[i64], b: &[i64], plan: &Plan) -> Result<Vec<i64>, Fault> {
    let largest = |side: &[i64]| side.iter().map(|x| u128::from(x.unsigned_abs())).max().unwrap_or(0);
    let bound = largest(a).checked_mul(largest(b)).and_then(|x| x.checked_mul(plan.k as u128));
    // Below this bound no partial sum can leave i64, and the sums need no watching.
    if bound.is_some_and(|bound| bound <= i64::MAX as u128) {
        let mut product = vec![0i64; plan.m * plan.n];
        for i in 0..plan.m {
            let sums = &mut product[i * plan.n..(i + 1) * plan.n];
            for l in 0..plan.k {
                let factor = a[i * plan.k + l];
                for (sum, x) in sums.iter_mut().zip(&b[l * plan.n..(l + 1) * plan.n]) {
                    *sum += factor * x;
                }
            }
        }
        return Ok(product);
    }
    let mut product = Vec::with_capacity(plan.m * plan.n);
    for i in 0..plan.m {
        for j in 0..plan.n {
            let mut terms =
                (0..plan.k).map(|l| i128::from(a[i * plan.k + l]) * i128::from(b[l * plan.n + j]));
            let sum = terms.try_fold(0i128, i128::checked_add);
            product.push(sum.and_then(|sum| i64::try_from(sum).ok()).ok_or(Fault::Overflow)?);
        }
    }
    Ok(product)
}

/// The type of `alpha * A' * B' + beta * C`; on integers alpha and beta must be whole.
pub(crate) fn infer_gemm(gemm: &Gemm, inputs: &[TensorType]) -> Result<TensorType, Fault> {
    let element = need_same_element(inputs)?;
    let side = |index: usize, transposed: bool| match operand(inputs, index)?.shape[..] {
        [rows, columns] => Ok(if transposed { [columns, rows] } else { [rows, columns] }),
        ref shape => Err(Fault::Rank { index, expected: "2", found: shape.to_vec() }),
    };
    let plan = Plan::new(&side(0, gemm.transpose_a)?, &side(1, gemm.transpose_b)?)?;
    if element == Element::I64 {
        whole("alpha", gemm.alpha)?;
        whole("beta", gemm.beta)?;
    }
    if let Some(addend) = inputs.get(2) {
        let common = broadcast(&plan.shape, &addend.shape);
        if common.as_ref() != Some(&plan.shape) {
            let (left, right) = (addend.shape.clone(), plan.shape);
            return Err(Fault::Shapes {
                left,
                right,
                relation: "match: the first must broadcast to the second",
            });
        }
    }
    Ok(TensorType::new(checked(plan.shape)?, element))
}

/// `alpha * A' * B' + beta * C`, where `'` is the transposition that the attributes ask for.
pub(crate) fn run_gemm(gemm: &Gemm, inputs: &[&Value]) -> Result<Value, Fault> {
    let [a, b, rest @ ..] = inputs else {
        return Err(Fault::Arity { expected: "2 or 3", found: inputs.len() });
    };
    let product = run(&transposed(a, gemm.transpose_a), &transposed(b, gemm.transpose_b))?;
    let product = scaled(product, "alpha", gemm.alpha)?;
    match rest.first() {
        None => Ok(product),
        Some(c) => {
            let addend = scaled((*c).clone(), "beta", gemm.beta)?;
            arithmetic::run(arithmetic::Binary::Add, &product, &addend)
        }
    }
}

fn transposed(value: &Value, transpose: bool) -> Value {
    match value {
        _ if !transpose => value.clone(),
        Value::F32(array) => Value::F32(array.clone().reversed_axes()),
        Value::I64(array) => Value::I64(array.clone().reversed_axes()),
    }
}

fn scaled(value: Value, attribute: &'static str, factor: f32) -> Result<Value, Fault> {
    if factor == 1.0 {
        return Ok(value);
    }
    let factor = match value {
        Value::F32(_) => Value::floats(&[], vec![factor]),
        Value::I64(_) => Value::integers(&[], vec![whole(attribute, factor)?]),
    };
    arithmetic::run(arithmetic::Binary::Mul, &value, &factor?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Dimension;
    use proptest::prelude::*;

    fn ramp(shape: &[usize], step: i64) -> Value {
        let count = shape.iter().product::<usize>() as i64;
        Value::integers(shape, (0..count).map(|i| (i * step) % 7 - 3).collect()).unwrap()
    }

    /// numpy's definition, one element at a time.
    fn element(a: &Value, b: &Value, batch: &[usize], i: usize, j: usize) -> i64 {
        let at = |value: &Value, row: usize, column: usize| {
            let array = value.as_integers().unwrap();
            let lead = array.ndim() - 2;
            let mut index: Vec<usize> = batch[batch.len() - lead..].to_vec();
            for (axis, at) in index.iter_mut().enumerate() {
                *at = if array.shape()[axis] == 1 { 0 } else { *at };
            }
            index.extend([row, column]);
            array[ndarray::IxDyn(&index)]
        };
        (0..a.shape()[a.shape().len() - 1]).map(|l| at(a, i, l) * at(b, l, j)).sum()
    }

    proptest! {
        #[test]
        fn batches_broadcast_as_numpy_says(
            batch in prop::collection::vec(1usize..4, 0..3),
            ones in prop::collection::vec(any::<bool>(), 3),
            drop in 0usize..3,
            (m, k, n) in (1usize..4, 0usize..4, 1usize..4),
        ) {
            let left: Vec<usize> = batch.iter().copied().chain([m, k]).collect();
            let lead: Vec<usize> = batch.iter().zip(&ones).map(|(e, one)| if *one { 1 } else { *e }).collect();
            let right: Vec<usize> = lead.into_iter().skip(drop).chain([k, n]).collect();
            let (a, b) = (ramp(&left, 5), ramp(&right, 3));
            let product = run(&a, &b).unwrap();
            let product = product.as_integers().unwrap();
            for (index, found) in product.indexed_iter() {
                let index: Vec<usize> = index.as_array_view().to_vec();
                let (lead, at) = index.split_at(batch.len());
                prop_assert_eq!(*found, element(&a, &b, lead, at[0], at[1]));
            }
            let float = |value: &Value| Value::from(value.as_integers().unwrap().mapv(|x| x as f32));
            let floats = run(&float(&a), &float(&b)).unwrap();
            prop_assert_eq!(floats, Value::from(product.mapv(|x| x as f32)));
        }

        #[test]
        fn large_integer_products_are_exact_or_an_error(
            a in prop::collection::vec(any::<i64>(), 3),
            b in prop::collection::vec(any::<i64>(), 3),
            shift in 20u32..62,
        ) {
            let small = |side: Vec<i64>| side.into_iter().map(|x| x >> shift).collect::<Vec<_>>();
            let (a, b) = (small(a), small(b));
            let exact: i128 = a.iter().zip(&b).map(|(x, y)| i128::from(*x) * i128::from(*y)).sum();
            let found = run(&Value::integers(&[3], a).unwrap(), &Value::integers(&[3], b).unwrap());
            let expected = i64::try_from(exact).map_err(|_| Fault::Overflow);
            prop_assert_eq!(found.map(|value| value.as_integers().unwrap()[[]]), expected);
        }
    }

    #[test]
    fn one_dimensional_operands_lose_their_axis() {
        let (row, column) = (ramp(&[3], 2), ramp(&[3], 4));
        assert_eq!(run(&row, &column).unwrap().shape(), [0usize; 0]);
        assert_eq!(run(&row, &ramp(&[3, 2], 1)).unwrap().shape(), [2]);
        assert_eq!(run(&ramp(&[5, 2, 3], 1), &column).unwrap().shape(), [5, 2]);
        assert!(run(&ramp(&[2, 2], 1), &column).is_err());
        assert!(infer(&[TensorType::new([], Element::F32), TensorType::new([1], Element::F32)]).is_err());
    }

    #[test]
    fn gemm_scales_transposes_and_adds() {
        let a = Value::floats(&[3, 1], vec![1.0, 2.0, 3.0]).unwrap();
        let b = Value::floats(&[2, 3], vec![1.0, 0.0, -1.0, 2.0, 2.0, 2.0]).unwrap();
        let c = Value::floats(&[2], vec![10.0, 20.0]).unwrap();
        let gemm = Gemm { alpha: 0.5, beta: 2.0, transpose_a: true, transpose_b: true };
        let types: Vec<TensorType> = [&a, &b, &c].map(Value::tensor_type).into();
        assert_eq!(infer_gemm(&gemm, &types).unwrap().shape, [1, 2]);
        assert_eq!(
            run_gemm(&gemm, &[&a, &b, &c]).unwrap(),
            Value::floats(&[1, 2], vec![19.0, 46.0]).unwrap()
        );
        assert_eq!(run_gemm(&gemm, &[&a, &b]).unwrap(), Value::floats(&[1, 2], vec![-1.0, 6.0]).unwrap());
        let wide = TensorType::new([2, 2], Element::F32);
        assert!(infer_gemm(&gemm, &[types[0].clone(), types[1].clone(), wide]).is_err());
    }
}
