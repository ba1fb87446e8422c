//! What each operation is called, takes, gives and does: the one place that knows all of them.

use super::error::Fault;
use super::kernels::arithmetic::{self, Binary};
use super::kernels::quantize::{self, Direction};
use super::kernels::{
    activation, argmax, batch_normalization, cast, lookup, movement, product, reduce_sum, softmax,
};
use super::message::Op;
use super::shape::TensorType;
use super::value::Value;
use std::ops::RangeInclusive;

impl Op {
    /// The ONNX name, or ours where ONNX has none.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Constant(_) => "Constant",
            Self::MatMul(_) => "MatMul",
            Self::Gemm(_) => "Gemm",
            Self::Add(_) => "Add",
            Self::Sub(_) => "Sub",
            Self::Mul(_) => "Mul",
            Self::Div(_) => "Div",
            Self::Neg(_) => "Neg",
            Self::Relu(_) => "Relu",
            Self::LeakyRelu(_) => "LeakyRelu",
            Self::Sigmoid(_) => "Sigmoid",
            Self::Tanh(_) => "Tanh",
            Self::Clip(_) => "Clip",
            Self::Elu(_) => "Elu",
            Self::Softplus(_) => "Softplus",
            Self::Reshape(_) => "Reshape",
            Self::Transpose(_) => "Transpose",
            Self::Concat(_) => "Concat",
            Self::Softmax(_) => "Softmax",
            Self::ArgMax(_) => "ArgMax",
            Self::BatchNormalization(_) => "BatchNormalization",
            Self::Cast(_) => "Cast",
            Self::ReduceSum(_) => "ReduceSum",
            Self::Quantize(_) => "Quantize",
            Self::Dequantize(_) => "Dequantize",
            Self::FakeQuantize(_) => "FakeQuantize",
            Self::Lookup(_) => "Lookup",
        }
    }

    fn arity(&self) -> (RangeInclusive<usize>, &'static str) {
        match self {
            Self::Constant(_) => (0..=0, "0"),
            Self::MatMul(_) | Self::Add(_) | Self::Sub(_) | Self::Mul(_) | Self::Div(_) => (2..=2, "2"),
            Self::Gemm(_) => (2..=3, "2 or 3"),
            Self::Concat(_) => (1..=usize::MAX, "at least 1"),
            Self::BatchNormalization(_) => (5..=5, "5"),
            _ => (1..=1, "1"),
        }
    }

    /// The type of the result.
    ///
    /// # Errors
    /// The [`Fault`] of operands or attributes that do not fit.
    pub fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, Fault> {
        let (arity, expected) = self.arity();
        if !arity.contains(&inputs.len()) {
            return Err(Fault::Arity { expected, found: inputs.len() });
        }
        match self {
            Self::Constant(tensor) => tensor.tensor_type(),
            Self::MatMul(_) => product::infer(inputs),
            Self::Gemm(gemm) => product::infer_gemm(gemm, inputs),
            Self::Add(_) | Self::Sub(_) | Self::Mul(_) | Self::Div(_) => arithmetic::infer(inputs),
            Self::Neg(_) | Self::Relu(_) => activation::infer(inputs),
            Self::LeakyRelu(_) | Self::Sigmoid(_) | Self::Tanh(_) | Self::Elu(_) | Self::Softplus(_) => {
                activation::infer_float(inputs)
            }
            Self::Clip(clip) => activation::infer_clip(clip, inputs),
            Self::Reshape(dims) => movement::infer_reshape(dims, inputs),
            Self::Transpose(dims) => movement::infer_transpose(dims, inputs),
            Self::Concat(axis) => movement::infer_concat(axis, inputs),
            Self::Softmax(axis) => softmax::infer(axis, inputs),
            Self::ArgMax(op) => argmax::infer(op, inputs),
            Self::BatchNormalization(op) => batch_normalization::infer(op, inputs),
            Self::Cast(op) => cast::infer(op, inputs),
            Self::ReduceSum(dims) => reduce_sum::infer(dims, inputs),
            Self::Quantize(quantizer) => quantize::infer(quantizer, Direction::Quantize, inputs),
            Self::Dequantize(quantizer) => quantize::infer(quantizer, Direction::Dequantize, inputs),
            Self::FakeQuantize(quantizer) => quantize::infer(quantizer, Direction::Both, inputs),
            Self::Lookup(op) => lookup::infer(op, inputs),
        }
    }

    /// The result on values.
    ///
    /// # Errors
    /// As [`Self::infer`], and the faults of numbers: overflow of an integer, a NaN in a quantizer, a missing table entry.
    pub fn run(&self, inputs: &[&Value]) -> Result<Value, Fault> {
        let types: Vec<TensorType> = inputs.iter().map(|value| value.tensor_type()).collect();
        self.infer(&types)?;
        self.compute(inputs)
    }

    /// As [`Self::run`], on operands that `infer` accepts.
    pub(super) fn compute(&self, inputs: &[&Value]) -> Result<Value, Fault> {
        let operand =
            |index: usize| inputs.get(index).copied().ok_or(Fault::Arity { expected: "more", found: index });
        let binary = |op| arithmetic::run(op, operand(0)?, operand(1)?);
        match self {
            Self::Constant(tensor) => tensor.try_into(),
            Self::MatMul(_) => product::run(operand(0)?, operand(1)?),
            Self::Gemm(gemm) => product::run_gemm(gemm, inputs),
            Self::Add(_) => binary(Binary::Add),
            Self::Sub(_) => binary(Binary::Sub),
            Self::Mul(_) => binary(Binary::Mul),
            Self::Div(_) => binary(Binary::Div),
            Self::Concat(axis) => movement::concat(axis, inputs),
            Self::BatchNormalization(op) => batch_normalization::run(op, inputs),
            _ => self.compute_unary(operand(0)?),
        }
    }

    fn compute_unary(&self, input: &Value) -> Result<Value, Fault> {
        match self {
            Self::Neg(_) => arithmetic::negate(input),
            Self::Relu(_) => Ok(activation::relu(input)),
            Self::LeakyRelu(slope) => activation::map(input, |x| activation::leaky_relu(slope.alpha, x)),
            Self::Sigmoid(_) => activation::map(input, activation::sigmoid),
            Self::Tanh(_) => activation::map(input, libm::tanhf),
            Self::Clip(clip) => activation::clip(clip, input),
            Self::Elu(slope) => activation::map(input, |x| activation::elu(slope.alpha, x)),
            Self::Softplus(_) => activation::map(input, activation::softplus),
            Self::Reshape(dims) => movement::reshape(dims, input),
            Self::Transpose(dims) => movement::transpose(dims, input),
            Self::Softmax(axis) => softmax::run(axis, input),
            Self::ArgMax(op) => argmax::run(op, input),
            Self::Cast(op) => cast::run(op, input),
            Self::ReduceSum(dims) => reduce_sum::run(dims, input),
            Self::Quantize(quantizer) => quantize::run(quantizer, Direction::Quantize, input),
            Self::Dequantize(quantizer) => quantize::run(quantizer, Direction::Dequantize, input),
            Self::FakeQuantize(quantizer) => quantize::run(quantizer, Direction::Both, input),
            Self::Lookup(op) => lookup::run(op, input),
            Self::Constant(_)
            | Self::MatMul(_)
            | Self::Gemm(_)
            | Self::Add(_)
            | Self::Sub(_)
            | Self::Mul(_)
            | Self::Div(_)
            | Self::Concat(_)
            | Self::BatchNormalization(_) => self.compute(&[input]),
        }
    }
}
