//! The clear computation as data: what the client's part of a program, and its quantized function, are stored as.

use prost::{Message, Oneof};

/// A dense tensor. Exactly one of the two lists is filled, unless the tensor is empty.
#[derive(Clone, PartialEq, Message)]
pub struct Tensor {
    /// Extents, outermost first.
    #[prost(uint64, repeated, tag = "1")]
    pub shape: Vec<u64>,
    /// Elements in row-major order, of a float tensor.
    #[prost(float, repeated, tag = "2")]
    pub floats: Vec<f32>,
    /// Elements in row-major order, of an integer tensor.
    #[prost(sint64, repeated, tag = "3")]
    pub integers: Vec<i64>,
}

/// What kind of numbers a tensor holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum Element {
    /// IEEE 754 single precision.
    F32 = 0,
    /// Exact integers.
    I64 = 1,
}

/// A named value that enters a graph.
#[derive(Clone, PartialEq, Message)]
pub struct Port {
    /// As the ONNX file names it.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Shape of one sample; the leading axis of extent 1 is the batch axis.
    #[prost(uint64, repeated, tag = "2")]
    pub shape: Vec<u64>,
    /// Kind of numbers.
    #[prost(enumeration = "Element", tag = "3")]
    pub element: i32,
}

/// How a quantizer makes a whole number of a real one. Every way is computed in f32, by the formula that QONNX states for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum Rounding {
    /// To the nearest, halves to the even one.
    HalfEven = 0,
    /// Up.
    Ceil = 1,
    /// Down.
    Floor = 2,
    /// Away from 0.
    Up = 3,
    /// Toward 0.
    Down = 4,
    /// To the nearest, halves away from 0: `sign(x) * floor(|x| + 0.5)`.
    HalfUp = 5,
    /// To the nearest, halves toward 0: `sign(x) * ceil(|x| - 0.5)`.
    HalfDown = 6,
    /// The largest stored integer from 0 on, the smallest below.
    Sign = 7,
}

/// Affine quantizer: `q = clip(round(x / divisor + shift) + zero_point, lo, hi)` on the way to a stored integer, and
/// `scale * (q - zero_point - offset)` on the way back.
///
/// Division, shift and rounding are done in f32 for float inputs, as ONNX' QuantizeLinear does, where divisor and scale are the
/// same and there is no shift. QONNX adds its zero point before it rounds: it is shift and offset there, and may be a half.
#[derive(Clone, PartialEq, Message)]
pub struct Quantizer {
    /// One scale, or one for each index of `axis`.
    #[prost(double, repeated, tag = "1")]
    pub scales: Vec<f64>,
    /// As many as scales.
    #[prost(sint64, repeated, tag = "2")]
    pub zero_points: Vec<i64>,
    /// The axis of several scales; unused for one.
    #[prost(uint32, tag = "3")]
    pub axis: u32,
    /// Smallest stored integer.
    #[prost(sint64, tag = "4")]
    pub lo: i64,
    /// Largest stored integer.
    #[prost(sint64, tag = "5")]
    pub hi: i64,
    /// One of [`Rounding`].
    #[prost(enumeration = "Rounding", tag = "6")]
    pub rounding: i32,
    /// As many as scales; empty where the scales divide.
    #[prost(double, repeated, tag = "7")]
    pub divisors: Vec<f64>,
    /// As many as scales, or empty for 0.
    #[prost(double, repeated, tag = "8")]
    pub shifts: Vec<f64>,
    /// As many as scales, or empty for 0.
    #[prost(double, repeated, tag = "9")]
    pub offsets: Vec<f64>,
}

/// A table over the integers `lo ..= lo + values.len() - 1`.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Table {
    /// The first input value.
    #[prost(sint64, tag = "1")]
    pub lo: i64,
    /// One result for each input value.
    #[prost(sint64, repeated, tag = "2")]
    pub values: Vec<i64>,
}

/// `alpha * A' * B' + beta * C`, ONNX' Gemm; a third input is optional.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs)]
pub struct Gemm {
    #[prost(float, tag = "1")]
    pub alpha: f32,
    #[prost(float, tag = "2")]
    pub beta: f32,
    #[prost(bool, tag = "3")]
    pub transpose_a: bool,
    #[prost(bool, tag = "4")]
    pub transpose_b: bool,
}

/// `min(max(x, min), max)`; an absent bound is infinite, and where the bounds cross, the upper one wins.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs)]
pub struct Clip {
    #[prost(float, optional, tag = "1")]
    pub min: Option<f32>,
    #[prost(float, optional, tag = "2")]
    pub max: Option<f32>,
}

/// The one real parameter of LeakyRelu and Elu.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs)]
pub struct Slope {
    #[prost(float, tag = "1")]
    pub alpha: f32,
}

/// A list of extents (Reshape) or of axes (Transpose; ReduceSum: ascending, with extent 1 in the result).
#[derive(Clone, PartialEq, Eq, Hash, Message)]
#[allow(missing_docs)]
pub struct Dims {
    #[prost(uint64, repeated, tag = "1")]
    pub dims: Vec<u64>,
}

/// One axis (Concat, Softmax).
#[derive(Clone, PartialEq, Eq, Hash, Message)]
#[allow(missing_docs)]
pub struct Axis {
    #[prost(uint32, tag = "1")]
    pub axis: u32,
}

/// Index of the largest element along an axis; integers come out.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
#[allow(missing_docs)]
pub struct ArgMax {
    #[prost(uint32, tag = "1")]
    pub axis: u32,
    #[prost(bool, tag = "2")]
    pub keep_dims: bool,
    #[prost(bool, tag = "3")]
    pub select_last_index: bool,
}

/// Inference form: inputs x, scale, bias, mean, variance; the channel axis is 1.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs)]
pub struct BatchNormalization {
    #[prost(float, tag = "1")]
    pub epsilon: f32,
}

/// Conversion to another kind of number; float to integer truncates toward zero.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
#[allow(missing_docs)]
pub struct Cast {
    #[prost(enumeration = "Element", tag = "1")]
    pub element: i32,
}

/// One table for each element of the input: element `i` (row-major) reads `tables[table_of[i]]`.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
#[allow(missing_docs)]
pub struct Lookup {
    #[prost(message, repeated, tag = "1")]
    pub tables: Vec<Table>,
    #[prost(uint32, repeated, tag = "2")]
    pub table_of: Vec<u32>,
}

/// No parameters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub struct Empty {}

/// One operation. Arithmetic and movement work on floats and on exact integers alike; integer arithmetic that
/// leaves i64 is an error, never a wrap. Binary operations broadcast as numpy does.
#[derive(Clone, PartialEq, Oneof)]
#[allow(missing_docs)]
pub enum Op {
    #[prost(message, tag = "10")]
    Constant(Tensor),
    #[prost(message, tag = "11")]
    MatMul(Empty),
    #[prost(message, tag = "12")]
    Gemm(Gemm),
    #[prost(message, tag = "13")]
    Add(Empty),
    #[prost(message, tag = "14")]
    Sub(Empty),
    #[prost(message, tag = "15")]
    Mul(Empty),
    #[prost(message, tag = "16")]
    Div(Empty),
    #[prost(message, tag = "17")]
    Neg(Empty),
    #[prost(message, tag = "18")]
    Relu(Empty),
    #[prost(message, tag = "19")]
    LeakyRelu(Slope),
    #[prost(message, tag = "20")]
    Sigmoid(Empty),
    #[prost(message, tag = "21")]
    Tanh(Empty),
    #[prost(message, tag = "22")]
    Clip(Clip),
    #[prost(message, tag = "23")]
    Elu(Slope),
    #[prost(message, tag = "24")]
    Softplus(Empty),
    #[prost(message, tag = "25")]
    Reshape(Dims),
    #[prost(message, tag = "26")]
    Transpose(Dims),
    #[prost(message, tag = "27")]
    Concat(Axis),
    #[prost(message, tag = "28")]
    Softmax(Axis),
    #[prost(message, tag = "29")]
    ArgMax(ArgMax),
    #[prost(message, tag = "30")]
    BatchNormalization(BatchNormalization),
    #[prost(message, tag = "31")]
    Cast(Cast),
    #[prost(message, tag = "32")]
    ReduceSum(Dims),
    /// Float to stored integer.
    #[prost(message, tag = "33")]
    Quantize(Quantizer),
    /// Stored integer to float: `f32(scale * (q - zero_point))`, the product in f64.
    #[prost(message, tag = "34")]
    Dequantize(Quantizer),
    /// Quantize, then dequantize: a float that a quantizer can represent.
    #[prost(message, tag = "35")]
    FakeQuantize(Quantizer),
    #[prost(message, tag = "36")]
    Lookup(Lookup),
}

/// One operation on earlier values.
#[derive(Clone, PartialEq, Message)]
pub struct Node {
    /// The ONNX node that it came from.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Value numbers: the graph's inputs count from 0, then each node's result in order.
    #[prost(uint32, repeated, tag = "2")]
    pub inputs: Vec<u32>,
    /// What is done; absent in a file from a newer version, which `Graph::check` refuses.
    #[prost(
        oneof = "Op",
        tags = "10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36"
    )]
    pub op: Option<Op>,
}

/// A clear computation on one sample: nodes in an order in which each uses only earlier values.
#[derive(Clone, PartialEq, Message)]
pub struct Graph {
    /// What enters.
    #[prost(message, repeated, tag = "1")]
    pub inputs: Vec<Port>,
    /// What is done, one result each.
    #[prost(message, repeated, tag = "2")]
    pub nodes: Vec<Node>,
    /// Value numbers of the results.
    #[prost(uint32, repeated, tag = "3")]
    pub outputs: Vec<u32>,
    /// Names of the results, as the ONNX file has them.
    #[prost(string, repeated, tag = "4")]
    pub output_names: Vec<String>,
}
