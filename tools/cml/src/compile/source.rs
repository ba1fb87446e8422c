//! What is compiled: an ONNX file, or MLIR at any level.

use super::diagnostics::Diagnostics;
use anyhow::{Result, anyhow, bail};
use clap::ValueEnum;
use cml_dialects::ffi::{eint_range, lwe_parts, parse_module};
use cml_dialects::ir::{Function, functions, module_op, op_name, tensor_element};
use cml_dialects::nn::MAIN;
use cml_dialects::qnn::SERVER;
use cml_frontend::ImportOptions;
use melior::Context;
use melior::ir::{Module, ValueLike};
use std::collections::BTreeMap;
use std::path::Path;

/// How far down a module is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Level {
    /// Floats, simplified
    Nn,
    /// Quantized integers, client and server apart
    Qnn,
    /// Encrypted integers with proved ranges and lookups
    Fhe,
    /// Ciphertexts, bootstraps, and their key sets
    Tfhe,
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Nn => "nn",
            Self::Qnn => "qnn",
            Self::Fhe => "fhe",
            Self::Tfhe => "tfhe",
        })
    }
}

/// A module, and where it is.
pub(crate) struct Source<'c> {
    pub(crate) module: Module<'c>,
    pub(crate) level: Level,
    /// Whether `@main` has integer ops already, so that quantization is done.
    pub(crate) has_integers: bool,
}

/// Reads a model: MLIR by its name (`.mlir`, `.mlirbc`) or its first bytes, else ONNX.
pub(crate) fn load<'c>(
    context: &'c Context,
    diagnostics: &Diagnostics,
    path: &Path,
    dims: &BTreeMap<String, u64>,
) -> Result<Source<'c>> {
    if !is_mlir(path)? {
        let options = ImportOptions { dims: dims.clone() };
        let module = cml_frontend::import(path, &options)?.build(context)?;
        return Ok(Source { module, level: Level::Nn, has_integers: false });
    }
    let place = path.display();
    let bytes = std::fs::read(path).map_err(|error| anyhow!("cannot read {place}: {error}"))?;
    let module = parse_module(context, &bytes, &place.to_string());
    let module = module.ok_or_else(|| diagnostics.take(format!("{place} is no MLIR module")))?;
    let (level, has_integers) = level_of(&module).map_err(|error| anyhow!("{place}: {error}"))?;
    Ok(Source { module, level, has_integers })
}

fn is_mlir(path: &Path) -> Result<bool> {
    use std::io::Read;
    if path.extension().is_some_and(|extension| extension == "mlir" || extension == "mlirbc") {
        return Ok(true);
    }
    let read = |error| anyhow!("cannot read {}: {error}", path.display());
    let mut start = Vec::new();
    std::fs::File::open(path).map_err(read)?.take(4).read_to_end(&mut start).map_err(read)?;
    Ok(start == b"ML\xefR")
}

fn level_of(module: &Module<'_>) -> Result<(Level, bool)> {
    let root = module_op(module);
    if let Ok(server) = Function::named(root, SERVER) {
        let uses = |dialect: &str| server.ops().iter().any(|op| op_name(*op).starts_with(dialect));
        let elements: Vec<_> =
            server.arguments().iter().filter_map(|value| tensor_element(value.r#type())).collect();
        let level = if uses("tfhe.") || elements.iter().any(|element| lwe_parts(*element).is_some()) {
            Level::Tfhe
        } else if uses("fhe.") || elements.iter().any(|element| eint_range(*element).is_some()) {
            Level::Fhe
        } else {
            Level::Qnn
        };
        return Ok((level, true));
    }
    let Ok(main) = Function::named(root, MAIN) else {
        let names: Vec<String> =
            functions(root).iter().map(|function| format!("@{}", function.name())).collect();
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        bail!("expected a function @{MAIN}, or @client_in, @{SERVER} and @client_out, found {names}");
    };
    Ok((Level::Nn, main.ops().iter().any(|op| op_name(*op).starts_with("qnn."))))
}
