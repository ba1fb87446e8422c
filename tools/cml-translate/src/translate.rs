//! The translations.

use anyhow::{Result, anyhow, bail};
use cml_backend::emit::rust::{self, RuntimeSource};
use cml_backend::{Provenance, program_of};
use cml_dialects::ffi::{parse_module, write_bytecode};
use cml_dialects::ir::module_op;
use cml_frontend::ImportOptions;
use cml_runtime::output::print_bytes;
use cml_runtime::program::file::write_atomically;
use cml_runtime::program::message::Program;
use melior::ir::operation::{OperationLike, OperationPrintingFlags};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

fn is_standard(path: &Path) -> bool {
    path == Path::new("-")
}

/// All bytes of a file or of standard input, and what messages call it.
fn read(input: &Path) -> Result<(Vec<u8>, String)> {
    if is_standard(input) {
        let mut bytes = Vec::new();
        let read = std::io::stdin().read_to_end(&mut bytes);
        read.map_err(|error| anyhow!("cannot read standard input: {error}"))?;
        return Ok((bytes, "standard input".to_owned()));
    }
    let place = input.display().to_string();
    Ok((std::fs::read(input).map_err(|error| anyhow!("cannot read {place}: {error}"))?, place))
}

/// Writes a file, complete or not at all, or standard output.
pub(crate) fn write(output: &Path, bytes: &[u8]) -> Result<()> {
    if is_standard(output) {
        return Ok(print_bytes(bytes)?);
    }
    Ok(write_atomically(output, false, |file| file.write_all(bytes))?)
}

/// The module of an ONNX model, as text with locations or as bytecode.
pub(crate) fn import_onnx(input: &Path, dims: BTreeMap<String, u64>, bytecode: bool) -> Result<Vec<u8>> {
    let options = ImportOptions { dims };
    let imported = if is_standard(input) {
        let (bytes, _) = read(input)?;
        cml_frontend::import_bytes(&bytes, "model", &options)?
    } else {
        cml_frontend::import(input, &options)?
    };
    let context = cml_dialects::context();
    let module = imported.build(&context)?;
    if bytecode {
        return Ok(write_bytecode(&module));
    }
    let flags = OperationPrintingFlags::new().enable_debug_info(true, false);
    Ok((module_op(&module).to_string_with_flags(flags)? + "\n").into_bytes())
}

/// The program of a module of ciphertexts; MLIR reports what it has to say on standard error.
fn program(input: &Path) -> Result<Program> {
    let (bytes, place) = read(input)?;
    let context = cml_dialects::context();
    let module =
        parse_module(&context, &bytes, &place).ok_or_else(|| anyhow!("{place} is no MLIR module"))?;
    // Nothing is recorded: the module does not say how it came about.
    let provenance = Provenance { configuration: "{}".to_owned(), ..Provenance::default() };
    program_of(&module, provenance).map_err(|error| anyhow!("{place}: {error}"))
}

/// Writes the program of a module of ciphertexts.
pub(crate) fn emit_program(input: &Path, output: &Path) -> Result<()> {
    if is_standard(output) {
        bail!("a program is written to a file: give one with -o");
    }
    Ok(program(input)?.save(output)?)
}

/// Writes the crate of a module of ciphertexts, or of a program.
pub(crate) fn emit_rust(input: &Path, output: &Path, runtime: Option<PathBuf>) -> Result<()> {
    if is_standard(output) {
        bail!("a crate is written to a folder: name a new one with -o");
    }
    let runtime = runtime.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../runtime"));
    let runtime = runtime.canonicalize().map_err(|error| {
        anyhow!("cannot find cml-runtime in {}: {error}; say with --runtime where it is", runtime.display())
    })?;
    let is_program = input.extension().is_some_and(|extension| extension == "cml");
    let program = if is_program { Program::load(input)? } else { program(input)? };
    Ok(rust::write(&program, output, &RuntimeSource::Path(runtime))?)
}

/// The text of a program.
pub(crate) fn print_program(input: &Path) -> Result<String> {
    if is_standard(input) {
        bail!("a program is read from a file: name one");
    }
    Ok(cml_runtime::program::print(&Program::load(input)?))
}
