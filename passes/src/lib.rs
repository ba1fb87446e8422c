//! What is done to the IR: analyses, passes on one level, conversions one level down, the parameter search, and the named
//! pipelines made of them.
//!
//! Embedding takes two calls: [`register`] in the caller's process, and [`pipelines::run`] on the caller's module.

pub mod analysis;
pub mod bits;
pub mod conversions;
mod egraph;
pub mod framework;
pub mod lookups;
pub mod parameters;
pub mod pipelines;
pub mod transforms;

pub use framework::{Message, register, set_check_semantics, set_observer};
