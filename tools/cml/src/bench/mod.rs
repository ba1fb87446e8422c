//! `cml bench`: what this machine is measured to be, and the noise of encrypted operations.

mod machine;
mod noise;

use crate::arguments::BenchCommand;
use anyhow::Result;

/// Measures, and prints or writes what came of it.
pub(crate) fn bench(command: &BenchCommand) -> Result<()> {
    match command {
        BenchCommand::Machine { output, name } => machine::machine(output, name),
        BenchCommand::Noise { samples, json } => noise::noise(*samples as usize, *json),
    }
}
