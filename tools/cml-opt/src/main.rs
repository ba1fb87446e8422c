//! `cml-opt`: a full mlir-opt with our dialects, passes and named pipelines.

fn main() {
    // MLIR parses the rest of the command line and knows only passes; this flag is about all of them.
    let (checks, arguments): (Vec<_>, Vec<_>) = std::env::args()
        .partition(|argument| matches!(argument.as_str(), "--cml-check-semantics" | "-cml-check-semantics"));
    cml_passes::set_check_semantics(!checks.is_empty());
    cml_passes::register();
    let registry = melior::dialect::DialectRegistry::new();
    cml_dialects::register(&registry);
    std::process::exit(cml_dialects::ffi::opt_main(arguments.into_iter(), &registry));
}
