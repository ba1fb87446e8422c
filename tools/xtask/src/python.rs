//! `target/venv`: the Python packages that tests take as referees.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::process::{capture, command, succeeds, target_folder};

const REQUIREMENTS: &str = include_str!("../requirements.txt");

/// Makes `target/venv` unless it is there already with exactly the packages of `requirements.txt`.
///
/// # Errors
/// If Python is older than 3.11 or lacks `venv`, or if the packages cannot be loaded.
pub(crate) fn provide() -> Result<()> {
    let folder = target_folder()?.join("venv");
    let stamp = folder.join("requirements.txt");
    let python = folder.join("bin").join("python");
    // The stamp is written last, so a folder that was left half made is made again.
    if std::fs::read_to_string(&stamp).is_ok_and(|text| text == REQUIREMENTS)
        && succeeds(command(&python).arg("--version"))
    {
        return Ok(());
    }
    let start = Instant::now();
    println!("python: making {} with numpy, onnx, onnxruntime and qonnx", folder.display());
    make_environment(&folder)?;
    let wanted = folder.join("wanted.txt");
    std::fs::write(&wanted, REQUIREMENTS).with_context(|| format!("cannot write {}", wanted.display()))?;
    let mut pip = command(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary=:all:"]);
    capture(pip.arg("--requirement").arg(&wanted)).context("cannot install the Python packages")?;
    std::fs::rename(&wanted, &stamp).with_context(|| format!("cannot write {}", stamp.display()))?;
    println!("python: made in {:.0} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// An empty environment with pip in `folder`, replacing what is there.
fn make_environment(folder: &Path) -> Result<()> {
    // The system's own interpreter, whose `venv` was installed by `setup`, before one that a version manager puts first.
    let system = Path::new("/usr/bin/python3");
    let python = if system.exists() { system } else { Path::new("python3") };
    capture(command(python).args(["-c", "import sys; sys.exit(sys.version_info < (3, 11))"]))
        .with_context(|| format!("{} is not Python 3.11 or newer", python.display()))?;
    let Err(error) = capture(command(python).args(["-m", "venv", "--clear"]).arg(folder)) else {
        return Ok(());
    };
    // Without ensurepip `venv` fails; the package virtualenv brings its own pip.
    if !succeeds(command("virtualenv").args(["--quiet", "--clear", "--python"]).arg(python).arg(folder)) {
        bail!("{error:#}\ninstall python3-venv or virtualenv");
    }
    Ok(())
}
