//! Vector code; the one place of this crate with `unsafe`.
#![allow(unsafe_code)]
