//! `cargo xtask bench`: what the engine takes, beside the floor of the machine, plain calls of `tfhe`, and its predictions.
//!
//! Every figure is measured when the command runs. Nothing here is a test: times depend on what else the machine does, so
//! what is worth a look are ratios within one run.

mod growth;
mod models;
mod table;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::process::{build_tools, capture, command, shown, target_folder, tool};
use table::Table;

/// What `cargo xtask bench` measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    /// Lookups and other operations, beside their floor and plain calls of tfhe
    Operations,
    /// Growth with the width of tables, the size of layers, and threads
    Growth,
    /// The bundled networks beside their predictions, and many samples through one program
    Models,
}

/// Options of `cargo xtask bench`.
#[derive(clap::Args)]
pub(crate) struct BenchArguments {
    /// What to measure; all, if none is named
    #[arg(value_enum)]
    parts: Vec<Part>,
    /// How often each figure is measured
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
    /// Cost table to predict with, as `cml bench machine` writes it; the shipped one by default
    #[arg(long, value_name = "FILE")]
    machine: Option<PathBuf>,
    /// Print one object for programs
    #[arg(long)]
    json: bool,
}

/// Measures and prints.
///
/// # Errors
/// If the tools cannot be built, or if a command fails.
pub(crate) fn bench(arguments: &BenchArguments) -> Result<()> {
    build_tools()?;
    let bench = Bench {
        cml: tool("cml")?,
        folder: folder()?,
        runs: arguments.runs,
        machine: arguments.machine.clone(),
    };
    let asked = |part| arguments.parts.is_empty() || arguments.parts.contains(&part);
    let load = load();
    let mut tables = Vec::new();
    if asked(Part::Operations) {
        tables.extend(bench.operations()?);
    }
    if asked(Part::Growth) {
        tables.extend(growth::measure(&bench)?);
    }
    if asked(Part::Models) {
        tables.extend(models::measure(&bench)?);
    }
    if arguments.json {
        let tables: Vec<Value> = tables.iter().map(Table::to_json).collect();
        let object =
            json!({"machine": machine(), "load_before": load, "load_after": self::load(), "tables": tables});
        println!("{object:#}");
    } else {
        println!("{}; load before {load}, after {}", machine(), self::load());
        tables.iter().for_each(|table| println!("\n{table}"));
    }
    Ok(())
}

/// The tools and how to use them.
struct Bench {
    cml: PathBuf,
    folder: PathBuf,
    runs: u32,
    machine: Option<PathBuf>,
}

impl Bench {
    /// What `cml bench operations` measures, with its ratios.
    fn operations(&self) -> Result<Vec<Table>> {
        eprintln!("operations");
        let runs = self.runs.to_string();
        let found = json_of(command(&self.cml).args(["bench", "operations", "--json", "--runs", &runs]))?;
        let mut lookups = Table::new(
            "one lookup in a batch, ms; the floor is the transforms and multiply-adds of its bootstrap, on data in cache",
            &[
                "lookup",
                "key",
                "batch",
                "floor",
                "1 thread",
                "to the floor",
                "all threads",
                "1 / all",
                "twice the batch",
                "plain tfhe, all",
                "plain / ours",
            ],
        );
        for row in found["lookups"].as_array().into_iter().flatten() {
            let number = |name: &str| row[name].as_f64();
            let ratio = |a: &str, b: &str| Some(number(a)? / number(b)?);
            let (bits, n, k, size) =
                (&row["bits"], &row["lwe_dimension"], &row["glwe_dimension"], &row["polynomial_size"]);
            let accumulators = 1u64 << row["extension"].as_u64().unwrap_or_default().min(63);
            lookups.add([
                json!(format!("{bits} bits")),
                json!(format!("n={n} k={k} N={size} l={} v={accumulators}", row["pbs_level"])),
                row["batch"].clone(),
                row["floor"].clone(),
                row["one_thread"].clone(),
                json!(ratio("one_thread", "floor")),
                row["all_threads"].clone(),
                json!(ratio("one_thread", "all_threads")),
                json!(ratio("twice_the_batch", "one_thread").map(|ratio| 2.0 * ratio)),
                row["plain_all_threads"].clone(),
                json!(ratio("plain_all_threads", "all_threads")),
            ]);
        }
        let mut others = Table::new(
            "other operations at the parameters of 4 bits, one thread, ms for each ciphertext",
            &["operation", "batch", "floor", "ms", "to the floor", "plain tfhe", "plain / ours"],
        );
        for row in found["operations"].as_array().into_iter().flatten() {
            let number = |name: &str| row[name].as_f64();
            let ratio = |a: &str, b: &str| Some(number(a)? / number(b)?);
            others.add([
                row["operation"].clone(),
                row["batch"].clone(),
                row["floor"].clone(),
                row["one_thread"].clone(),
                json!(ratio("one_thread", "floor")),
                row["plain_one_thread"].clone(),
                json!(ratio("plain_one_thread", "one_thread")),
            ]);
        }
        Ok(vec![lookups, others])
    }

    /// `cml compile` with the cost table that was asked for.
    fn compile(&self, arguments: &[&str], program: &Path) -> Result<()> {
        let mut compile = command(&self.cml);
        compile.arg("compile").args(arguments).args(["--p-error-per-lookup", "2^-40", "-o"]).arg(program);
        if let Some(machine) = &self.machine {
            compile.arg("--machine").arg(machine);
        }
        capture(&mut compile).map(drop)
    }

    /// The object of `cml inspect`.
    fn inspect(&self, program: &Path) -> Result<Value> {
        json_of(command(&self.cml).arg("inspect").arg(program).arg("--json"))
    }

    /// The object of `cml predict` on encrypted samples, so many of them together; on all threads, or on as many.
    fn predict(&self, program: &Path, input: &str, run: Run) -> Result<Value> {
        let mut predict = command(&self.cml);
        let [samples, together] = [run.samples, run.together].map(|number| number.to_string());
        predict.arg("predict").arg(program).arg(input).arg("--json");
        predict.args(["--limit", &samples, "--together", &together]);
        if let Some(threads) = run.threads {
            predict.env("RAYON_NUM_THREADS", threads.to_string());
        }
        json_of(&mut predict)
    }
}

/// How samples go through a program.
#[derive(Clone, Copy)]
struct Run {
    samples: usize,
    together: usize,
    /// All, where none is given.
    threads: Option<u32>,
}

fn json_of(command: &mut Command) -> Result<Value> {
    let text = capture(command)?;
    serde_json::from_str(&text).with_context(|| format!("cannot read what {} prints", shown(command)))
}

fn ratio(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    Some(a? / b?)
}

/// The least time of a run.
fn least_run(prediction: &Value) -> Option<f64> {
    let runs = prediction["seconds"]["run"].as_array()?;
    runs.iter().filter_map(Value::as_f64).min_by(f64::total_cmp)
}

/// A folder below `target` for programs and their inputs.
fn folder() -> Result<PathBuf> {
    let path = target_folder()?.join("bench");
    std::fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
    Ok(path)
}

/// What the system calls its processor, and how many threads it has.
fn machine() -> String {
    let known = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = known.lines().find_map(|line| line.strip_prefix("model name")?.trim_start().strip_prefix(':'));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{}, {threads} threads", line.map_or(std::env::consts::ARCH, str::trim))
}

/// How many processes wanted to run in the last minute.
fn load() -> String {
    let known = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    known.split_whitespace().next().unwrap_or("unknown").to_owned()
}
