//! What the IR levels are: the dialects `nn`, `qnn`, `fhe` and `tfhe`, and what their functions mean.
//!
//! Each level has its folder: the ODS file that defines the ops, a thin C++ file with verifiers and folders, and a Rust module
//! that builds ops and says what they compute. All `unsafe` is in [`ffi`].

#[allow(unsafe_code)]
pub mod ffi;
pub mod fhe;
pub mod interpret;
pub mod ir;
pub mod nn;
pub mod qnn;
pub mod tfhe;

use melior::Context;
use melior::dialect::{DialectHandle, DialectRegistry};

/// Adds our dialects, and those of MLIR that we use, to a registry.
pub fn register(registry: &DialectRegistry) {
    handles().iter().for_each(|handle| handle.insert_dialect(registry));
}

/// Loads the same dialects in a context that the caller made. Without it, making one of our types aborts.
pub fn load(context: &Context) {
    for handle in handles() {
        handle.load_dialect(context);
    }
}

/// A context with all dialects loaded.
#[must_use]
pub fn context() -> Context {
    let context = Context::new();
    load(&context);
    context
}

fn handles() -> [DialectHandle; 6] {
    let [nn, qnn, fhe, tfhe] = ffi::handles();
    [nn, qnn, fhe, tfhe, DialectHandle::func(), DialectHandle::quant()]
}
