//! ONNX models.

mod context;
mod dims;
pub(crate) mod import;
pub(crate) mod ops;
mod order;
pub mod proto;
mod qonnx;
mod quantizer;
mod tensor;
mod windows;
