//! `cml bench machine`.

use crate::progress::Measuring;
use anyhow::Result;
use cml_runtime::output::note;
use cml_runtime::program::file::write_atomically;
use cml_runtime::server::measure;
use std::io::Write;
use std::path::Path;

/// Writes the cost table of this machine, for `cml compile --machine`.
pub(crate) fn machine(output: &Path, name: &str) -> Result<()> {
    let bar = Measuring::start();
    let machine = measure::machine(name, &|part| bar.report(part));
    drop(bar);
    write_atomically(output, false, |file| file.write_all(machine.to_json().as_bytes()))?;
    note(&format!("{}: {} shapes on {}", output.display(), machine.bootstraps.len(), machine.cpu));
    Ok(())
}
