//! `cml-run`: keys, encryption, evaluation and decryption, without the compiler.

use clap::{Parser, Subcommand};
use cml_runtime::arrays::ArraySource;
use cml_runtime::commands::{self, EncryptOptions, Error, Named};
use cml_runtime::output;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs programs that `cml compile` made on encrypted data.
///
/// The client keeps client.key, and sends eval.key and x.ct to the server, which sends y.ct back.
#[derive(Parser)]
#[command(version, propagate_version = true, subcommand_required = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make keys for a program: the client's step
    #[command(
        after_help = "Example:\n  cml-run keygen client.cml --client-key client.key --eval-key eval.key"
    )]
    Keygen {
        /// client.cml or model.cml
        bundle: PathBuf,
        /// Where the secret keys go; they stay with the client
        #[arg(long)]
        client_key: PathBuf,
        /// Where the key for the server goes
        #[arg(long)]
        eval_key: PathBuf,
    },
    /// Quantize and encrypt arrays: the client's step
    #[command(after_help = "Examples:\n  \
        cml-run encrypt client.cml --client-key client.key x.npy -o x.ct\n  \
        cml-run encrypt client.cml --client-key client.key --input a=a.npy --input b=b.npz:b -o x.ct")]
    Encrypt {
        /// client.cml or model.cml
        bundle: PathBuf,
        /// The array of a program with one input: x.npy, data.npz:name, data.npz:name[0:10]
        #[arg(required_unless_present = "input", conflicts_with = "input")]
        array: Option<ArraySource>,
        /// The secret keys
        #[arg(long)]
        client_key: PathBuf,
        /// The array of one of several inputs
        #[arg(long, value_name = "NAME=ARRAY")]
        input: Vec<Named<ArraySource>>,
        /// Where the ciphertexts go
        #[arg(short, long)]
        output: PathBuf,
        /// Refuse values outside of the calibrated range instead of clipping them
        #[arg(long)]
        strict: bool,
    },
    /// Compute on ciphertexts: the server's step
    #[command(after_help = "Example:\n  cml-run run model.cml --eval-key eval.key x.ct -o y.ct")]
    Run {
        /// model.cml
        model: PathBuf,
        /// The encrypted input
        input: PathBuf,
        /// The client's evaluation key
        #[arg(long)]
        eval_key: PathBuf,
        /// Where the encrypted results go
        #[arg(short, long)]
        output: PathBuf,
    },
    /// Decrypt results: the client's step
    #[command(after_help = "Examples:\n  \
        cml-run decrypt client.cml --client-key client.key y.ct -o y.npy\n  \
        cml-run decrypt client.cml --client-key client.key y.ct -o a=a.npy -o b=b.npy")]
    Decrypt {
        /// client.cml or model.cml
        bundle: PathBuf,
        /// The encrypted results
        input: PathBuf,
        /// The secret keys
        #[arg(long)]
        client_key: PathBuf,
        /// Where the results go; once for each output, by name if there are several
        #[arg(short, long, required = true, value_name = "[NAME=]FILE")]
        output: Vec<Named<PathBuf>>,
    },
}

fn main() -> ExitCode {
    match execute(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::error(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn execute(command: Command) -> Result<(), Error> {
    match command {
        Command::Keygen { bundle, client_key, eval_key } => {
            let report = commands::keygen(&bundle, &client_key, &eval_key)?;
            output::note(&report.to_string());
        }
        Command::Encrypt { bundle, array, client_key, mut input, output, strict } => {
            input.extend(array.map(|place| Named { name: None, place }));
            let report =
                commands::encrypt(&EncryptOptions { bundle, client_key, inputs: input, output, strict })?;
            output::warn_of_clipping(report.clipped);
            output::note(&format!("{} samples encrypted", report.samples));
        }
        Command::Run { model, input, eval_key, output } => {
            let samples = commands::run(&model, &eval_key, &input, &output, &show_progress)?;
            output::note(&format!("{samples} samples evaluated{}", output::peak_memory()));
        }
        Command::Decrypt { bundle, input, client_key, output } => {
            let report = commands::decrypt(&bundle, &client_key, &input, &output)?;
            output::warn_of_wrong_results(report.out_of_range);
            output::note(&format!("{} samples decrypted", report.samples));
        }
    }
    Ok(())
}

fn show_progress(finished: usize, total: usize) {
    let mut stderr = std::io::stderr();
    if stderr.is_terminal() {
        let end = if finished == total { "\n" } else { "" };
        // A terminal that went away is no reason to stop.
        let _ = write!(stderr, "\r{finished} of {total} bootstraps{end}");
    }
}
