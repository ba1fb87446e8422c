//! How models come in: ONNX files become functions of the dialect `nn`.
//!
//! A model is read ([`onnx::proto`]), put in order, and translated node by node into a
//! [`Graph`](cml_runtime::reference::message::Graph) of the reference operations, which are those of `nn`; all shapes are
//! static and whatever depends on constants alone is computed. [`Imported::build`] makes the MLIR module.

mod error;
pub mod onnx;

pub use error::{Fault, ImportError, TensorFault};
pub use onnx::import::{ImportOptions, Imported, import, import_bytes};
pub use onnx::ops::supported_operators_markdown;
