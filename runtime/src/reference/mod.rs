//! The clear semantics: values, kernels, and graphs of operations.
//!
//! Floats follow ONNX in f32; integers are exact, and a result that leaves i64 is an error. Nothing here depends on the
//! machine: sums have one order, and the transcendental functions are those of `libm`, so two machines agree bit for bit.

mod error;
mod graph;
pub(crate) mod kernels;
pub mod message;
mod op;
mod shape;
mod value;

pub use error::{Error, Fault};
pub use graph::Evaluator;
pub use shape::{MAX_ELEMENTS, TensorType, broadcast};
pub use value::Value;
