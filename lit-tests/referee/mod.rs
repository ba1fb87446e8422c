// Starting the referees: included by the tests that need one, which are in several crates.
//
// Python is `$CML_PYTHON`, or the environment that `cargo xtask test` makes; without either, these tests say so and pass.

use std::path::{Path, PathBuf};
use std::process::Command;

fn python() -> Option<PathBuf> {
    if let Some(given) = std::env::var_os("CML_PYTHON") {
        return Some(given.into());
    }
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let found = target.join("venv/bin/python");
    if !found.exists() {
        eprintln!("skipped: neither CML_PYTHON nor {}; `cargo xtask test` makes it", found.display());
    }
    found.exists().then_some(found)
}

/// Runs a script of `lit-tests/referee`; false where there is no Python.
pub(crate) fn referee(script: &Path, arguments: &[&str]) -> bool {
    let Some(python) = python() else { return false };
    let output = Command::new(&python).arg(script).args(arguments).output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{} failed: {complaint}", python.display());
    true
}
