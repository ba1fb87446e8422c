//! `cml bench`: what this machine takes for encrypted operations, and their noise.

mod machine;
mod noise;
mod operations;

use crate::arguments::BenchCommand;
use anyhow::Result;

/// Measures, and prints or writes what came of it.
pub(crate) fn bench(command: &BenchCommand) -> Result<()> {
    match command {
        BenchCommand::Machine { output, name } => machine::machine(output, name),
        BenchCommand::Noise { samples, json } => noise::noise(*samples as usize, *json),
        BenchCommand::Operations { runs, json } => operations::operations(*runs as usize, *json),
    }
}
