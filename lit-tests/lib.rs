//! No code: this crate exists for its test, `run.rs`, which starts lit on the files beside it.
