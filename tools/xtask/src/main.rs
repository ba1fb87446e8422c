//! `cargo xtask`: the commands a contributor and continuous integration run.
//!
//! It links neither MLIR nor a crate of this workspace, so it builds on a machine with only Rust and a C linker,
//! and installs there what the rest needs.

mod architecture;
mod bench;
mod demo;
mod docs;
mod new;
mod process;
mod python;
mod seed_tables;
mod setup;
mod test;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use seed_tables::Outcome;

/// Set up, try, test and document the compiler.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install the system packages that are missing (Debian 12, as root or with sudo)
    Setup {
        /// Also make target/venv, with the Python packages that tests compare with
        #[arg(long)]
        tests: bool,
    },
    /// Compile a bundled network, generate keys, and run it on encrypted samples
    Demo,
    /// Run every check: formatting, lints, architecture, generated pages, all tests
    Test {
        /// Also run the slow tests (those marked `#[ignore]`)
        #[arg(long)]
        long: bool,
    },
    /// Measure operations, growth and the bundled networks, beside floors, plain calls of tfhe and predictions
    Bench(bench::BenchArguments),
    /// Write the files that something new begins with, and make it known
    #[command(subcommand)]
    New(New),
    /// Check only the rules of the tree: crate graph, places of C++ and unsafe code, sizes of files
    Architecture,
    /// Write the generated pages: passes, operators, pipelines, dialects
    Docs {
        /// Write nothing; fail if a page differs from what would be written
        #[arg(long)]
        check: bool,
    },
    /// Measure families of networks: accuracy, accumulators, lookups, predicted time, decision regions
    SeedTables {
        /// A folder of networks and data, as lit-tests/models/seed-table, which is the default
        #[arg(value_parser = absolute)]
        folder: Option<PathBuf>,
        /// Print one object with the figures of every network, and write nothing
        #[arg(long)]
        json: bool,
        /// Write nothing; fail if the page or a picture differs from what would be written
        #[arg(long, conflicts_with = "json")]
        check: bool,
    },
}

/// A path as it is meant where cargo was called; [`perform`] goes to the root.
fn absolute(path: &str) -> std::io::Result<PathBuf> {
    std::path::absolute(path)
}

#[derive(Subcommand)]
enum New {
    /// A pass: `cargo xtask new pass fuse_lookups`, or a conversion: `... qnn_to_fhe`
    Pass {
        /// In lower case with underscores; the flag is `cml-` and the name with hyphens
        name: String,
    },
    /// An op of a dialect: `cargo xtask new op fhe round_up`
    Op {
        /// nn, qnn, fhe or tfhe
        level: String,
        /// The op without its dialect, in lower case with underscores
        name: String,
    },
    /// An operator of ONNX: `cargo xtask new operator GlobalAveragePool`
    Operator {
        /// As ONNX spells it
        name: String,
    },
}

fn main() -> ExitCode {
    match perform(&Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(task: &Task) -> Result<()> {
    // Everything printed and run below is relative to the root, wherever in the tree cargo was called.
    let root = process::workspace();
    std::env::set_current_dir(&root).with_context(|| format!("cannot enter {}", root.display()))?;
    match task {
        Task::Setup { tests: false } => setup::setup(),
        Task::Setup { tests: true } => setup::setup().and_then(|()| python::provide()),
        Task::Demo => demo::demo(),
        Task::Test { long } => test::test(*long),
        Task::Bench(arguments) => bench::bench(arguments),
        Task::New(New::Pass { name }) => new::pass(&root, name),
        Task::New(New::Op { level, name }) => new::op(&root, level, name),
        Task::New(New::Operator { name }) => new::operator::operator(&root, name),
        Task::Architecture => architecture::check(),
        Task::Docs { check } => docs::docs(*check),
        Task::SeedTables { folder, json, check } => {
            let outcome = match (json, check) {
                (true, _) => Outcome::Printed,
                (false, true) => Outcome::Compared,
                (false, false) => Outcome::Written,
            };
            seed_tables::seed_tables(folder.as_deref(), outcome)
        }
    }
}
