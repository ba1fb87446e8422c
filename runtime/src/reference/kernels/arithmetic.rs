//! Add, Sub, Mul, Div and Neg, repeated to a common shape as numpy does.
//!
//! Integer division truncates toward zero, as ONNX' Div does.

use super::super::error::Fault;
use super::super::shape::{TensorType, broadcast, checked};
use super::super::value::Value;
use super::{need_same_element, operand};
use ndarray::{ArcArray, IxDyn};

/// A binary operation on two numbers of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binary {
    /// Sum.
    Add,
    /// Difference.
    Sub,
    /// Product.
    Mul,
    /// Quotient.
    Div,
}

impl Binary {
    fn floats(self, a: f32, b: f32) -> f32 {
        match self {
            Self::Add => a + b,
            Self::Sub => a - b,
            Self::Mul => a * b,
            Self::Div => a / b,
        }
    }

    fn integers(self, a: i64, b: i64) -> Result<i64, Fault> {
        match self {
            Self::Add => a.checked_add(b),
            Self::Sub => a.checked_sub(b),
            Self::Mul => a.checked_mul(b),
            Self::Div if b == 0 => return Err(Fault::DivisionByZero),
            Self::Div => a.checked_div(b),
        }
        .ok_or(Fault::Overflow)
    }
}

/// Both operands hold one kind of number; the result has the common shape.
pub(crate) fn infer(inputs: &[TensorType]) -> Result<TensorType, Fault> {
    let element = need_same_element(inputs)?;
    let (left, right) = (operand(inputs, 0)?, operand(inputs, 1)?);
    let shape = common_shape(&left.shape, &right.shape)?;
    Ok(TensorType::new(checked(shape)?, element))
}

fn common_shape(left: &[usize], right: &[usize]) -> Result<Vec<usize>, Fault> {
    let clash = || Fault::Shapes { left: left.to_vec(), right: right.to_vec(), relation: "broadcast" };
    broadcast(left, right).ok_or_else(clash)
}

/// Element by element.
pub(crate) fn run(op: Binary, left: &Value, right: &Value) -> Result<Value, Fault> {
    let shape = common_shape(left.shape(), right.shape())?;
    match (left, right) {
        (Value::F32(a), Value::F32(b)) => {
            let elements = pairs(a, b, &shape, |x, y| Ok(op.floats(x, y)))?;
            Value::floats(&shape, elements)
        }
        _ => {
            let (a, b) = (left.need_integers(0)?, right.need_integers(1)?);
            let elements = pairs(a, b, &shape, |x, y| op.integers(x, y))?;
            Value::integers(&shape, elements)
        }
    }
}

fn pairs<T: Copy>(
    left: &ArcArray<T, IxDyn>,
    right: &ArcArray<T, IxDyn>,
    shape: &[usize],
    f: impl Fn(T, T) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    let clash = || Fault::Shapes {
        left: left.shape().to_vec(),
        right: right.shape().to_vec(),
        relation: "broadcast",
    };
    let a = left.broadcast(shape).ok_or_else(clash)?;
    let b = right.broadcast(shape).ok_or_else(clash)?;
    a.iter().zip(b.iter()).map(|(x, y)| f(*x, *y)).collect()
}

/// `-x`; the smallest i64 has none.
pub(crate) fn negate(input: &Value) -> Result<Value, Fault> {
    match input {
        Value::F32(array) => Ok(array.mapv(|x| -x).into()),
        Value::I64(array) => {
            let negated: Result<Vec<i64>, Fault> =
                array.iter().map(|x| x.checked_neg().ok_or(Fault::Overflow)).collect();
            Value::integers(array.shape(), negated?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::ArrayD;
    use proptest::prelude::*;

    const ALL: [Binary; 4] = [Binary::Add, Binary::Sub, Binary::Mul, Binary::Div];

    fn operands() -> impl Strategy<Value = (Vec<usize>, Vec<usize>)> {
        // Start from a common shape, then shrink some extents to 1 and drop leading axes.
        let side = || (prop::collection::vec(any::<bool>(), 4), 0usize..4);
        (prop::collection::vec(1usize..4, 0..4), side(), side()).prop_map(|(shape, left, right)| {
            let shrink = |(ones, drop): (Vec<bool>, usize)| {
                let extents = shape.iter().zip(&ones).map(|(extent, one)| if *one { 1 } else { *extent });
                extents.skip(drop.min(shape.len())).collect::<Vec<usize>>()
            };
            (shrink(left), shrink(right))
        })
    }

    fn ramp(shape: &[usize], from: f32) -> ArrayD<f32> {
        let count = shape.iter().product::<usize>();
        ArrayD::from_shape_vec(shape, (0..count).map(|i| from + 0.5 * i as f32).collect()).unwrap()
    }

    proptest! {
        #[test]
        fn floats_broadcast_as_ndarray_does((left, right) in operands()) {
            let shape = broadcast(&left, &right).unwrap();
            let (a, b) = (ramp(&left, -1.25), ramp(&right, 0.75));
            let (wide_a, wide_b) = (a.broadcast(shape.clone()).unwrap(), b.broadcast(shape).unwrap());
            let expected = [&wide_a + &wide_b, &wide_a - &wide_b, &wide_a * &wide_b, &wide_a / &wide_b];
            for (op, expected) in ALL.into_iter().zip(expected) {
                let found = run(op, &a.clone().into(), &b.clone().into()).unwrap();
                prop_assert_eq!(found, Value::from(expected));
            }
        }

        #[test]
        fn integers_are_exact_or_an_error(a in any::<i64>(), b in any::<i64>(), shift in 0u32..63) {
            let (a, b) = (a >> shift, b >> shift);
            let exact = |op| match op {
                Binary::Add => Some(i128::from(a) + i128::from(b)),
                Binary::Sub => Some(i128::from(a) - i128::from(b)),
                Binary::Mul => Some(i128::from(a) * i128::from(b)),
                Binary::Div => i128::from(a).checked_div(i128::from(b)),
            };
            for op in ALL {
                let expected = exact(op).ok_or(Fault::DivisionByZero);
                let expected = expected.and_then(|x| i64::try_from(x).map_err(|_| Fault::Overflow));
                prop_assert_eq!(op.integers(a, b), expected);
            }
        }
    }

    #[test]
    fn the_extreme_quotient_and_negation_are_errors() {
        assert_eq!(Binary::Div.integers(i64::MIN, -1), Err(Fault::Overflow));
        let smallest = Value::integers(&[1], vec![i64::MIN]).unwrap();
        assert_eq!(negate(&smallest), Err(Fault::Overflow));
    }

    #[test]
    fn kinds_of_numbers_do_not_mix() {
        use super::super::super::message::Element;
        let types = [TensorType::new([2], Element::F32), TensorType::new([2], Element::I64)];
        assert_eq!(infer(&types), Err(Fault::Element { index: 1, expected: "float", found: "integer" }));
    }
}
