//! `cml-translate`: from ONNX to MLIR, from MLIR to programs and Rust source, from programs to text.

mod docs;
mod translate;

use clap::{ArgGroup, Parser};
use cml_frontend::ImportOptions;
use std::path::PathBuf;
use std::process::ExitCode;

const EXAMPLES: &str = "Examples:
  cml-translate --import-onnx model.onnx -o model.mlir
  cml-translate --import-onnx model.onnx | cml-opt --cml-simplify-nn
  cml-translate --emit-program tfhe.mlir -o model.cml
  cml-translate --emit-rust tfhe.mlir -o crate
  cml-translate --print-program model.cml
  cml-translate --docs passes";

/// Translates between ONNX, MLIR and programs.
#[derive(Parser)]
#[command(name = "cml-translate", version, after_help = EXAMPLES)]
#[command(group = ArgGroup::new("translation").required(true).args([
    "import_onnx", "emit_program", "emit_rust", "print_program", "docs"
]))]
struct Arguments {
    /// From an ONNX model to a module of the dialect `nn`
    #[arg(long)]
    import_onnx: bool,
    /// From a module of the dialect `tfhe` to a program
    #[arg(long)]
    emit_program: bool,
    /// From a module of the dialect `tfhe`, or a program (.cml), to a folder with a Rust crate
    #[arg(long)]
    emit_rust: bool,
    /// From a program to text
    #[arg(long)]
    print_program: bool,
    /// Print the page on passes, operators or pipelines
    #[arg(long, value_name = "TOPIC")]
    docs: Option<docs::Topic>,
    /// The file to translate; `-` is standard input
    #[arg(default_value = "-", conflicts_with = "docs")]
    input: PathBuf,
    /// Where the result goes; `-` is standard output
    #[arg(short, long, default_value = "-")]
    output: PathBuf,
    /// Value of a symbolic extent of an ONNX model
    #[arg(long, value_name = "NAME=VALUE", requires = "import_onnx", value_parser = ImportOptions::dim)]
    dim: Vec<(String, u64)>,
    /// Write MLIR as bytecode instead of text
    #[arg(long, requires = "import_onnx")]
    emit_bytecode: bool,
    /// Where the emitted crate finds cml-runtime; by default in the workspace that this program was built in
    #[arg(long, value_name = "FOLDER", requires = "emit_rust")]
    runtime: Option<PathBuf>,
}

fn main() -> ExitCode {
    match perform(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cml_runtime::output::error(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn perform(arguments: &Arguments) -> anyhow::Result<()> {
    let Arguments { input, output, .. } = arguments;
    if let Some(topic) = arguments.docs {
        translate::write(output, docs::page(topic)?.as_bytes())
    } else if arguments.import_onnx {
        let dims = arguments.dim.iter().cloned().collect();
        let bytes = translate::import_onnx(input, dims, arguments.emit_bytecode)?;
        translate::write(output, &bytes)
    } else if arguments.emit_program {
        translate::emit_program(input, output)
    } else if arguments.emit_rust {
        translate::emit_rust(input, output, arguments.runtime.clone())
    } else {
        translate::write(output, translate::print_program(input)?.as_bytes())
    }
}
