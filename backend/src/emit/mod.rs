//! Programs as source code.

mod clear;
mod code;
pub mod rust;
mod source;
