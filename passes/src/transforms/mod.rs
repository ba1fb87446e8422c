//! Passes that stay on one level.

pub mod calibrate;
pub mod decompose_gemm;
pub mod fold_batch_norm;
pub mod fold_constants;
pub mod fold_products;
pub mod fuse_float_chains;
pub mod infer_ranges;
pub mod insert_quantizers;
pub mod parametrize;
pub mod prune;
pub mod quantization;
mod rewrite;
pub mod rewrite_fhe;
pub mod split_client_server;
