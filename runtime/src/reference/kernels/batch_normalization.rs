//! BatchNormalization as inference does it: `(x - mean) / sqrt(variance + epsilon) * scale + bias` for each channel.

use super::super::error::Fault;
use super::super::message::{BatchNormalization, Element};
use super::super::shape::{Lanes, TensorType};
use super::super::value::Value;
use super::need;

/// The type of `x`; the other four have one element for each index of axis 1.
pub(crate) fn infer(op: &BatchNormalization, inputs: &[TensorType]) -> Result<TensorType, Fault> {
    let input = need(inputs, 0, Element::F32)?;
    let Some(channels) = input.shape.get(1).copied() else {
        return Err(Fault::Rank { index: 0, expected: "at least 2", found: input.shape.clone() });
    };
    for index in 1..5 {
        let statistic = need(inputs, index, Element::F32)?;
        if statistic.shape != [channels] {
            let (left, right) = (input.shape.clone(), statistic.shape.clone());
            return Err(Fault::Shapes { left, right, relation: "agree on the number of channels (axis 1)" });
        }
    }
    if op.epsilon.is_nan() || op.epsilon < 0.0 {
        let found = op.epsilon.to_string();
        return Err(Fault::Attribute { attribute: "epsilon", expected: "at least 0", found });
    }
    Ok(input.clone())
}

/// Inputs: x, scale, bias, mean, variance.
pub(crate) fn run(op: &BatchNormalization, inputs: &[&Value]) -> Result<Value, Fault> {
    let [x, scale, bias, mean, variance] = inputs else {
        return Err(Fault::Arity { expected: "5", found: inputs.len() });
    };
    let (scale, bias) = (scale.need_floats(1)?, bias.need_floats(2)?);
    let (mean, variance) = (mean.need_floats(3)?, variance.need_floats(4)?);
    let lanes = Lanes::new(x.shape(), 1);
    let normalized = x.need_floats(0)?.iter().enumerate().map(|(at, x)| {
        let channel = at / lanes.inner % lanes.length;
        let deviation = (variance[[channel]] + op.epsilon).sqrt();
        (x - mean[[channel]]) / deviation * scale[[channel]] + bias[[channel]]
    });
    Value::floats(x.shape(), normalized.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_channel_has_its_own_statistics() {
        let x = Value::floats(&[1, 2, 2], vec![1.0, 2.0, 3.0, 4.0]).unwrap();
        let each = |a, b| Value::floats(&[2], vec![a, b]).unwrap();
        let inputs = [&x, &each(2.0, 1.0), &each(0.5, -1.0), &each(1.0, 3.0), &each(3.0, 0.0)];
        let op = BatchNormalization { epsilon: 1.0 };
        let types: Vec<TensorType> = inputs.iter().map(|value| value.tensor_type()).collect();
        assert_eq!(infer(&op, &types).unwrap(), x.tensor_type());
        let expected = Value::floats(&[1, 2, 2], vec![0.5, 1.5, -1.0, 0.0]).unwrap();
        assert_eq!(run(&op, &inputs).unwrap(), expected);
        assert!(infer(&BatchNormalization { epsilon: -1.0 }, &types).is_err());
        assert!(infer(&op, &types[..4]).is_err());
    }
}
