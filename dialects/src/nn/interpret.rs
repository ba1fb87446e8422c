//! What each op of `nn` computes.

use crate::ffi::is_f32;
use crate::interpret::{GraphBuilder, inputs, movement, no_meaning};
use crate::ir::{Attributes, IrError, expected, node_name, result, shape_of, tensor_element};
use crate::nn::ROUNDINGS;
use cml_runtime::reference::message::{
    ArgMax, Axis, BatchNormalization, Cast, Clip, Dims, Element, Empty, Gemm, Op, Quantizer, Rounding, Slope,
    Tensor,
};
use melior::ir::{OperationRef, ValueLike};

/// Adds the nodes of one op and gives the number of its result.
///
/// # Errors
/// [`IrError`] for an unknown op, or one that would not verify.
pub fn translate(
    op: OperationRef<'_, '_>,
    mnemonic: &str,
    builder: &mut GraphBuilder,
) -> Result<u32, IrError> {
    if let Some(number) = movement(op, mnemonic, builder)? {
        return Ok(number);
    }
    let attributes = Attributes(op);
    let slope = || attributes.f64("alpha").map(|alpha| Slope { alpha: alpha as f32 });
    let axis = || attributes.i64("axis").map(|axis| axis as u32);
    let bound = |name: &str| attributes.has(name).then(|| attributes.f64(name)).transpose();
    let kind = match mnemonic {
        "constant" => Op::Constant(constant(op)?),
        "matmul" => Op::MatMul(Empty {}),
        "gemm" => Op::Gemm(Gemm {
            alpha: attributes.f64("alpha")? as f32,
            beta: attributes.f64("beta")? as f32,
            transpose_a: attributes.has("transpose_a"),
            transpose_b: attributes.has("transpose_b"),
        }),
        "add" => Op::Add(Empty {}),
        "sub" => Op::Sub(Empty {}),
        "mul" => Op::Mul(Empty {}),
        "div" => Op::Div(Empty {}),
        "neg" => Op::Neg(Empty {}),
        "relu" => Op::Relu(Empty {}),
        "leaky_relu" => Op::LeakyRelu(slope()?),
        "sigmoid" => Op::Sigmoid(Empty {}),
        "tanh" => Op::Tanh(Empty {}),
        "clip" => Op::Clip(Clip {
            min: bound("min")?.map(|value| value as f32),
            max: bound("max")?.map(|value| value as f32),
        }),
        "elu" => Op::Elu(slope()?),
        "softplus" => Op::Softplus(Empty {}),
        "softmax" => Op::Softmax(Axis { axis: axis()? }),
        "argmax" => Op::ArgMax(ArgMax {
            axis: axis()?,
            keep_dims: attributes.has("keep_dims"),
            select_last_index: attributes.has("select_last_index"),
        }),
        "batch_normalization" => {
            Op::BatchNormalization(BatchNormalization { epsilon: attributes.f64("epsilon")? as f32 })
        }
        "cast" => Op::Cast(Cast { element: if is_float(op)? { Element::F32 } else { Element::I64 }.into() }),
        "reduce_sum" => {
            let axes = attributes.i64_array("axes")?.iter().map(|axis| *axis as u64).collect();
            Op::ReduceSum(Dims { dims: axes })
        }
        "fake_quantize" => Op::FakeQuantize(quantizer(op)?),
        _ => return Err(no_meaning(op)),
    };
    Ok(builder.push(&node_name(op), kind, inputs(op, builder)?))
}

/// The quantizer of an `nn.fake_quantize`.
///
/// # Errors
/// [`IrError::Expected`]
pub fn quantizer(op: OperationRef<'_, '_>) -> Result<Quantizer, IrError> {
    let attributes = Attributes(op);
    let quantizer = Quantizer {
        scales: attributes.f64_array("scales")?.to_vec(),
        zero_points: attributes.i64_array("zero_points")?.to_vec(),
        axis: attributes.i64("axis")? as u32,
        lo: attributes.i64("lo")?,
        hi: attributes.i64("hi")?,
        ..Quantizer::default()
    };
    with_stated(op, quantizer)
}

/// A quantizer with what an op states of its rounding and its offsets.
///
/// # Errors
/// [`IrError::Expected`]
pub(crate) fn with_stated(op: OperationRef<'_, '_>, quantizer: Quantizer) -> Result<Quantizer, IrError> {
    let attributes = Attributes(op);
    let reals = |name: &str| match attributes.has(name) {
        true => attributes.f64_array(name).map(<[f64]>::to_vec),
        false => Ok(Vec::new()),
    };
    let rounding = match attributes.has("rounding") {
        true => {
            let name = attributes.string("rounding")?;
            let known = ROUNDINGS.iter().find(|(_, known)| *known == name);
            known.ok_or_else(|| expected(op, "a known rounding"))?.0
        }
        false => Rounding::HalfEven,
    };
    Ok(Quantizer {
        rounding: rounding.into(),
        divisors: reals("divisors")?,
        shifts: reals("shifts")?,
        offsets: reals("offsets")?,
        ..quantizer
    })
}

fn is_float(op: OperationRef<'_, '_>) -> Result<bool, IrError> {
    Ok(tensor_element(result(op)?.r#type()).is_some_and(is_f32))
}

fn constant(op: OperationRef<'_, '_>) -> Result<Tensor, IrError> {
    let shape = shape_of(op, result(op)?)?;
    let attributes = Attributes(op);
    Ok(if is_float(op)? {
        Tensor { shape, floats: attributes.f32_elements("value")?, integers: Vec::new() }
    } else {
        Tensor { shape, floats: Vec::new(), integers: attributes.i64_elements("value")? }
    })
}
