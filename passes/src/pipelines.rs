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

    /// The same with options: for each pass that `options` names, what stands between its braces.
    #[must_use]
    pub fn text_with(&self, options: &[(&str, String)]) -> String {
        let with_options = |pass: &&str| {
            let given = options.iter().find(|(name, text)| name == pass && !text.is_empty());
            given.map_or_else(|| (*pass).to_owned(), |(_, text)| format!("{pass}{{{text}}}"))
        };
        self.passes.iter().map(with_options).collect::<Vec<_>>().join(",")
    }
}

/// Simplify a float network: constants, batch normalization, Gemm, pruning if asked for, products in a row.
pub const SIMPLIFY: Pipeline = Pipeline {
    name: "cml-simplify-nn",
    summary: "Simplify a float network",
    passes: &[
        "cml-fold-constants",
        "cml-fold-batch-norm",
        "cml-decompose-gemm",
        "cml-fold-constants",
        "cml-prune",
        "cml-fold-products",
        "canonicalize",
        "cse",
    ],
};

/// Post-training quantization: needs calibration data.
pub const QUANTIZE: Pipeline = Pipeline {
    name: "cml-quantize",
    summary: "Quantize a float network after training",
    passes: &["cml-calibrate", "cml-insert-quantizers", "canonicalize", "cse"],
};

/// Quantized integers, client and server apart.
pub const TO_QNN: Pipeline = Pipeline {
    name: "cml-lower-to-qnn",
    summary: "Lower a network with quantizers to integers",
    passes: &["cml-nn-to-qnn", "canonicalize", "cse", "cml-split-client-server"],
};

/// Encrypted integers with explicit lookups.
pub const TO_FHE: Pipeline = Pipeline {
    name: "cml-lower-to-fhe",
    summary: "Lower quantized integers to encrypted ones",
    passes: &[
        "cml-infer-ranges",
        "cml-fuse-float-chains",
        "cml-qnn-to-fhe",
        "cml-rewrite-fhe",
        "canonicalize",
        "cse",
    ],
};

/// Ciphertexts and bootstraps under a few key sets.
pub const TO_TFHE: Pipeline = Pipeline {
    name: "cml-lower-to-tfhe",
    summary: "Lower encrypted integers to ciphertexts",
    passes: &["cml-parametrize", "cml-fhe-to-tfhe", "canonicalize", "cse"],
};

/// All named pipelines, in lowering order.
pub const PIPELINES: &[Pipeline] = &[SIMPLIFY, QUANTIZE, TO_QNN, TO_FHE, TO_TFHE];

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
