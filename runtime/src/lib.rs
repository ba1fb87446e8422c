//! What runs: the program format, client and server, the reference kernels, and the numbers both sides agree on.
//!
//! Nothing here knows MLIR. `tfhe` is called from `client`, `server` and `kernels` only.

pub mod arrays;
pub mod client;
pub mod commands;
pub mod kernels;
pub mod machine;
pub mod memory;
pub mod output;
pub mod parameters;
pub mod program;
pub mod reference;
pub mod server;
pub mod units;
