//! `cml`: compiles ONNX networks to programs on encrypted data, and runs them.

mod arguments;
mod bench;
mod compare;
mod compile;
mod execute;
mod inspect;
mod predict;
mod progress;
mod table;
mod verify;

use arguments::{Arguments, Command};
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    match perform(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cml_runtime::output::error(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn perform(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Compile(arguments) => compile::compile(&arguments),
        Command::Inspect(arguments) => inspect::inspect(&arguments),
        Command::ExportClient(arguments) => execute::export_client(&arguments),
        Command::Keygen(arguments) => execute::keygen(&arguments),
        Command::Encrypt(arguments) => execute::encrypt(arguments),
        Command::Run(arguments) => execute::run(&arguments),
        Command::Decrypt(arguments) => execute::decrypt(&arguments),
        Command::Predict(arguments) => predict::predict(&arguments),
        Command::Compare(arguments) => compare::compare(&arguments),
        Command::Verify(arguments) => verify::verify(&arguments),
        Command::Bench(command) => bench::bench(&command),
    }
}
