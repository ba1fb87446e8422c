//! Reading and building IR from Rust: what comes back is what was built, and no input brings the process down.

mod all {
    pub(crate) mod graphs;
    mod parsing;
    mod round_trip;
    mod types;
}

use cml_dialects::ffi::diagnostic_text;
use cml_dialects::ir::{Function, module_op};
use cml_dialects::{interpret, nn};
use cml_runtime::reference::message::Graph;
use melior::Context;
use melior::ir::Module;
use std::cell::RefCell;
use std::rc::Rc;

/// A context of ours, and the texts of the errors that it reports.
pub(crate) fn context_with_errors() -> (Context, Rc<RefCell<Vec<String>>>) {
    let context = cml_dialects::context();
    let errors = Rc::new(RefCell::new(Vec::new()));
    let sink = Rc::clone(&errors);
    context.attach_diagnostic_handler(move |diagnostic| {
        sink.borrow_mut().push(diagnostic_text(&diagnostic));
        true
    });
    (context, errors)
}

/// What `@main` of a module computes.
pub(crate) fn graph_of(module: &Module<'_>) -> Graph {
    let main = Function::named(module_op(module), nn::MAIN).expect("the module has @main");
    interpret::graph(main).expect("@main has a meaning")
}
