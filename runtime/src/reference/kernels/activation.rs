//! Functions of one number: Relu, LeakyRelu, Sigmoid, Tanh, Clip, Elu, Softplus. A NaN stays one.

use super::super::error::Fault;
use super::super::message::{Clip, Element};
use super::super::shape::TensorType;
use super::super::value::Value;
use super::{need, operand, whole};

/// The type of the operand, of either kind of number.
pub(crate) fn infer(inputs: &[TensorType]) -> Result<TensorType, Fault> {
    operand(inputs, 0).cloned()
}

/// The type of the operand, which must be float.
pub(crate) fn infer_float(inputs: &[TensorType]) -> Result<TensorType, Fault> {
    need(inputs, 0, Element::F32).cloned()
}

/// As [`infer`]; bounds of integers are whole.
pub(crate) fn infer_clip(clip: &Clip, inputs: &[TensorType]) -> Result<TensorType, Fault> {
    let input = operand(inputs, 0)?;
    for (attribute, bound) in [("min", clip.min), ("max", clip.max)] {
        let Some(bound) = bound else { continue };
        if bound.is_nan() {
            return Err(Fault::Attribute { attribute, expected: "a number", found: bound.to_string() });
        }
        if input.element == Element::I64 && bound.is_finite() {
            whole(attribute, bound)?;
        }
    }
    Ok(input.clone())
}

/// Element by element, of floats.
pub(crate) fn map(input: &Value, f: impl Fn(f32) -> f32) -> Result<Value, Fault> {
    Ok(input.need_floats(0)?.mapv(f).into())
}

/// `max(x, 0)`.
pub(crate) fn relu(input: &Value) -> Value {
    match input {
        Value::F32(array) => array.mapv(|x| if x < 0.0 { 0.0 } else { x }).into(),
        Value::I64(array) => array.mapv(|x| x.max(0)).into(),
    }
}

/// `min(max(x, min), max)`: where the bounds cross, the upper one wins, as ONNX says.
pub(crate) fn clip(clip: &Clip, input: &Value) -> Result<Value, Fault> {
    match input {
        Value::F32(array) => {
            let lo = clip.min.unwrap_or(f32::NEG_INFINITY);
            let hi = clip.max.unwrap_or(f32::INFINITY);
            let bounded = |x: f32| {
                let x = if x < lo { lo } else { x };
                if x > hi { hi } else { x }
            };
            Ok(array.mapv(bounded).into())
        }
        Value::I64(array) => {
            let bound = |attribute, bound: Option<f32>, default| match bound {
                None => Ok(default),
                Some(bound) if bound.is_infinite() => Ok(bound as i64),
                Some(bound) => whole(attribute, bound),
            };
            let lo = bound("min", clip.min, i64::MIN)?;
            let hi = bound("max", clip.max, i64::MAX)?;
            Ok(array.mapv(|x| x.max(lo).min(hi)).into())
        }
    }
}

/// `x` above 0, `alpha * x` below.
pub(crate) fn leaky_relu(alpha: f32, x: f32) -> f32 {
    if x < 0.0 { alpha * x } else { x }
}

/// `x` above 0, `alpha * (exp(x) - 1)` below.
pub(crate) fn elu(alpha: f32, x: f32) -> f32 {
    if x < 0.0 { alpha * libm::expm1f(x) } else { x }
}

/// `1 / (1 + exp(-x))`, without overflow on either side.
pub(crate) fn sigmoid(x: f32) -> f32 {
    if x < 0.0 {
        let e = libm::expf(x);
        e / (1.0 + e)
    } else {
        1.0 / (1.0 + libm::expf(-x))
    }
}

/// `ln(1 + exp(x))`, without overflow on either side.
pub(crate) fn softplus(x: f32) -> f32 {
    let positive = if x < 0.0 { 0.0 } else { x };
    positive + libm::log1pf(libm::expf(-x.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn close(found: f32, exact: f64) -> bool {
        (f64::from(found) - exact).abs() <= 1e-6 * exact.abs().max(1e-30)
    }

    proptest! {
        #[test]
        fn stable_forms_agree_with_f64(x in -80f32..80.0) {
            let wide = f64::from(x);
            prop_assert!(close(sigmoid(x), 1.0 / (1.0 + (-wide).exp())));
            prop_assert!(close(softplus(x), wide.exp().ln_1p()));
            let bent = if x < 0.0 { 0.5 * wide.exp_m1() } else { wide };
            prop_assert!(close(elu(0.5, x), bent));
            prop_assert!(close(libm::tanhf(x), wide.tanh()));
        }
    }

    #[test]
    fn far_ends_saturate() {
        assert_eq!((sigmoid(-1e9), sigmoid(1e9)), (0.0, 1.0));
        assert_eq!((softplus(-1e9), softplus(1e9)), (0.0, 1e9));
        assert_eq!((elu(1.0, f32::NEG_INFINITY), leaky_relu(0.5, -4.0)), (-1.0, -2.0));
    }

    #[test]
    fn a_nan_stays_one() {
        let input = Value::floats(&[1], vec![f32::NAN]).unwrap();
        let both = Clip { min: Some(0.0), max: Some(1.0) };
        for output in [relu(&input), clip(&both, &input).unwrap()] {
            assert!(output.as_floats().unwrap()[[0]].is_nan());
        }
        assert!(sigmoid(f32::NAN).is_nan() && softplus(f32::NAN).is_nan() && elu(1.0, f32::NAN).is_nan());
    }

    #[test]
    fn crossed_bounds_give_the_upper_one() {
        let input = Value::floats(&[3], vec![-9.0, 0.0, 9.0]).unwrap();
        let crossed = clip(&Clip { min: Some(2.0), max: Some(1.0) }, &input).unwrap();
        assert_eq!(crossed, Value::floats(&[3], vec![1.0; 3]).unwrap());
    }

    #[test]
    fn integers_clip_at_whole_bounds_only() {
        let input = Value::integers(&[3], vec![-9, 0, 9]).unwrap();
        let bounds = Clip { min: Some(-1.0), max: None };
        assert_eq!(clip(&bounds, &input).unwrap(), Value::integers(&[3], vec![-1, 0, 9]).unwrap());
        assert_eq!(relu(&input), Value::integers(&[3], vec![0, 0, 9]).unwrap());
        let half = Clip { min: None, max: Some(0.5) };
        assert!(infer_clip(&half, &[input.tensor_type()]).is_err());
    }
}
