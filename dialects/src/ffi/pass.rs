//! Passes written in Rust, behind the one C++ pass class of `Passes.cpp`.

use super::emit_error;
use melior::ir::OperationRef;
use melior::ir::operation::OperationLike;
use melior::{Context, StringRef};
use mlir_sys::*;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::slice;

unsafe extern "C" {
    fn cmlRegisterPass(spec: *const PassSpec);
    fn cmlRegisterPipeline(argument: MlirStringRef, description: MlirStringRef, text: MlirStringRef);
}

/// The pass failed, and has said why with [`emit_error`].
#[derive(Debug)]
pub struct PassFailed;

/// A pass written in Rust. MLIR may run it on many ops at once, from its thread pool: `new` makes a value for each op, so
/// that nothing is shared.
pub trait IrPass: Sized {
    /// The name on the command line, `cml-verb-object`.
    const ARGUMENT: &'static str;
    /// One line for `--help`.
    const DESCRIPTION: &'static str;
    /// The op that the pass runs on, such as `func.func`; empty for any.
    const ANCHOR: &'static str;

    /// Name, description (both for `--help`) and default of each option.
    fn options() -> Vec<[&'static str; 3]>;

    /// `values` has one text for each option.
    ///
    /// # Errors
    /// A sentence on the bad option; it refuses the pipeline.
    fn new(values: &[&str]) -> Result<Self, String>;

    /// Changes `operation`.
    ///
    /// # Errors
    /// [`PassFailed`] after a diagnostic.
    fn run<'c>(self, context: &'c Context, operation: OperationRef<'c, '_>) -> Result<(), PassFailed>;
}

#[repr(C)]
struct PassSpec {
    argument: MlirStringRef,
    description: MlirStringRef,
    anchor: MlirStringRef,
    options: *const [MlirStringRef; 3],
    option_count: isize,
    check: unsafe extern "C" fn(*const MlirStringRef, MlirStringCallback, *mut c_void),
    run: unsafe extern "C" fn(MlirOperation, *const MlirStringRef) -> bool,
}

/// Makes a pass known by name in the whole process. Once for each pass: MLIR aborts at a second time.
pub fn register_pass<P: IrPass>() {
    let raw = |text: &'static str| StringRef::new(text).to_raw();
    // Leaked on purpose: MLIR's registry lives as long as the process.
    let options = P::options().into_iter().map(|texts| texts.map(raw)).collect::<Vec<_>>().leak();
    let spec = Box::leak(Box::new(PassSpec {
        argument: raw(P::ARGUMENT),
        description: raw(P::DESCRIPTION),
        anchor: raw(P::ANCHOR),
        options: options.as_ptr(),
        option_count: options.len() as isize,
        check: check::<P>,
        run: run::<P>,
    }));
    unsafe { cmlRegisterPass(spec) }
}

unsafe fn make<P: IrPass>(values: *const MlirStringRef) -> Result<P, String> {
    let text = |index| {
        let value: MlirStringRef = unsafe { *values.add(index) };
        // Not `StringRef::as_str`: it panics on an empty string.
        let bytes =
            (value.length > 0).then(|| unsafe { slice::from_raw_parts(value.data.cast(), value.length) });
        std::str::from_utf8(bytes.unwrap_or_default()).map_err(|error| error.to_string())
    };
    P::new(&(0..P::options().len()).map(text).collect::<Result<Vec<_>, _>>()?)
}

unsafe extern "C" fn check<P: IrPass>(
    values: *const MlirStringRef,
    report: MlirStringCallback,
    data: *mut c_void,
) {
    let result = catch_unwind(AssertUnwindSafe(|| unsafe { make::<P>(values) }.map(drop)));
    if let (Err(problem), Some(report)) = (result.unwrap_or_else(|_| Err("panic".into())), report) {
        unsafe { report(StringRef::new(&problem).to_raw(), data) }
    }
}

unsafe extern "C" fn run<P: IrPass>(operation: MlirOperation, values: *const MlirStringRef) -> bool {
    let operation = unsafe { OperationRef::from_raw(operation) };
    // `to_ref` gives a pointer to this very variable under a longer lifetime: written in one line,
    // `operation.context().to_ref()`, it dangles. Here it outlives its uses.
    let context_ref = operation.context();
    let context = unsafe { context_ref.to_ref() };
    // A panic that reaches C++ ends the process, so it becomes a diagnostic here.
    let result = catch_unwind(AssertUnwindSafe(|| {
        unsafe { make::<P>(values) }.map_err(|_| PassFailed)?.run(context, operation)
    }));
    result.map(|outcome| outcome.is_ok()).unwrap_or_else(|_| {
        emit_error(operation.location(), &format!("panic in pass `{}`: a bug", P::ARGUMENT), &[]);
        false
    })
}

/// Makes MLIR's general passes (canonicalize, cse, inline, ...) known by name. Once in a process.
pub fn register_transforms_passes() {
    unsafe { mlirRegisterTransformsPasses() }
}

/// Names a pipeline; `text` is what stands between the parentheses of `builtin.module(...)`.
pub fn register_pipeline(argument: &str, description: &str, text: &str) {
    let raw = |text| StringRef::new(text).to_raw();
    unsafe { cmlRegisterPipeline(raw(argument), raw(description), raw(text)) }
}
