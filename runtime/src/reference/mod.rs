//! The clear semantics: values, kernels, and graphs of operations.

pub mod message;
