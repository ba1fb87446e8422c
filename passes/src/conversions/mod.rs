//! One level down: one arrow, one file.

pub mod fhe_to_tfhe;
pub mod nn_to_qnn;
pub mod qnn_to_fhe;
