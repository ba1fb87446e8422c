//! Passes that stay on one level.

pub mod fold_constants;
