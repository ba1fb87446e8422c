//! `cml bench`: what this machine is measured to be.

mod machine;

use crate::arguments::BenchCommand;
use anyhow::Result;

/// Measures, and prints or writes what came of it.
pub(crate) fn bench(command: &BenchCommand) -> Result<()> {
    match command {
        BenchCommand::Machine { output, name } => machine::machine(output, name),
    }
}
