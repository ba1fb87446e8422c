//! The named pipelines, as data: the same for `cml compile`, for `cml-opt` and for embedding.

use cml_dialects::ffi::emit_error;
use melior::Context;
use melior::ir::{Location, Module};
use melior::pass::PassManager;
use melior::utility::parse_pass_pipeline;

/// A list of passes under one name.
#[derive(Clone, Copy, Debug)]
pub struct Pipeline {
    /// Flag of `cml-opt`.
    pub name: &'static str,
    /// One line for `--help`.
    pub summary: &'static str,
    /// Passes in order, as in the text of a pipeline.
    pub passes: &'static [&'static str],
}

impl Pipeline {
    /// What stands between the parentheses of `builtin.module(...)`.
    #[must_use]
    pub fn text(&self) -> String {
        self.passes.join(",")
    }
}

/// All named pipelines.
pub const PIPELINES: &[Pipeline] = &[Pipeline {
    name: "cml-simplify-nn",
    summary: "Simplify a float network",
    passes: &["cml-fold-constants", "canonicalize", "cse"],
}];

/// A pipeline did not run to its end; what MLIR had to say went to the context's diagnostics.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The text is not a pipeline.
    #[error("`{text}` is not a pipeline: {source}")]
    Text {
        /// As given.
        text: String,
        /// MLIR's reason.
        source: melior::Error,
    },
    /// A pass failed.
    #[error("the pipeline failed")]
    Failed,
}

/// Runs a pipeline, given by name or as text (what stands between the parentheses of `builtin.module(...)`), on a module of
/// the caller's context. [`crate::register`] must have been called, and `cml_dialects::load` on the context.
///
/// # Errors
/// [`PipelineError`]; diagnostics went to the handlers of the context.
pub fn run(context: &Context, module: &mut Module<'_>, pipeline: &str) -> Result<(), PipelineError> {
    let named = PIPELINES.iter().find(|named| named.name == pipeline);
    let text = named.map_or_else(|| pipeline.to_owned(), Pipeline::text);
    let manager = PassManager::new(context);
    manager.enable_verifier(true);
    parse_pass_pipeline(manager.as_operation_pass_manager(), &format!("builtin.module({text})"))
        .map_err(|source| PipelineError::Text { text, source })?;
    manager.run(module).map_err(|_| {
        emit_error(Location::unknown(context), "the pipeline stopped here", &[]);
        PipelineError::Failed
    })
}
