//! One level down: one arrow, one file.

pub mod nn_to_qnn;
pub mod qnn_to_fhe;
pub mod fhe_to_tfhe;
