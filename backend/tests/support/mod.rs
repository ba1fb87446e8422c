//! A small module at the level of ciphertexts, for the tests of this folder.

use cml_backend::{Provenance, program_of};
use cml_dialects::ffi::parse_module;
use cml_runtime::machine::Machine;
use cml_runtime::parameters::security::gaussian_132;
use cml_runtime::program::message::Program;
use cml_runtime::units::LweDimension;
use melior::Context;
use melior::ir::Module;

/// `y = z(a(1 + x0 - x1) + b(2 x0 + x1) - 3)` on two integers from -1 to 2, with a step that nothing reads; z is folded under a
/// second key set.
pub(crate) fn module(context: &Context) -> Module<'_> {
    let text = include_str!("small.mlir");
    let noise = |dimension| format!("{:?}", gaussian_132(LweDimension(dimension)).std_dev());
    let text = text.replace("SMALL_NOISE", &noise(930)).replace("BIG_NOISE", &noise(2048));
    parse_module(context, text.as_bytes(), "small.mlir").expect("the module parses")
}

/// The program of [`module`].
pub(crate) fn program() -> Program {
    let context = cml_dialects::context();
    let provenance = Provenance {
        configuration: "{}".to_owned(),
        machine: Some(Machine::default_table()),
        ..Provenance::default()
    };
    program_of(&module(&context), provenance).expect("the module is a program")
}
