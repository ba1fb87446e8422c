//! Programs that xtask starts, and the folders they work in.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, bail};

/// The root of the workspace.
pub(crate) fn workspace() -> PathBuf {
    // Cargo sets the variable for `cargo xtask`; the compiled-in value serves a direct start of the program.
    let own = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    let root = own.ancestors().nth(2).unwrap_or(&own);
    root.to_path_buf()
}

/// The target folder, which is where this program was built.
pub(crate) fn target_folder() -> Result<PathBuf> {
    let executable = std::env::current_exe().context("cannot find the path of xtask itself")?;
    let folder = executable.ancestors().nth(2).ok_or_else(|| {
        anyhow!("{} lies in no target folder; start it with `cargo xtask`", executable.display())
    })?;
    Ok(folder.to_path_buf())
}

/// A tool of this workspace as [`build_tools`] leaves it, relative to the workspace where possible, so that a
/// printed command can be copied.
pub(crate) fn tool(name: &str) -> Result<PathBuf> {
    let path = target_folder()?.join("release").join(name);
    Ok(path.strip_prefix(workspace()).map(Path::to_path_buf).unwrap_or(path))
}

/// A command that starts in the root of the workspace and reads nothing.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(workspace()).stdin(Stdio::null());
    command
}

/// The cargo that started this program, with `arguments`.
pub(crate) fn cargo<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut cargo = command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(arguments);
    cargo
}

/// Builds `cml`, `cml-run`, `cml-opt` and `cml-translate`: the default members of the workspace.
///
/// Always all of them, and never with `-p`: another selection of packages may resolve other features, and cargo
/// would then build the same crates twice.
pub(crate) fn build_tools() -> Result<()> {
    run(&mut cargo(["build", "--release"]))
}

/// Runs `command` with the terminal's output, and fails if it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {}", shown(command)))?;
    if !status.success() {
        bail!("{} failed ({status})", shown(command));
    }
    Ok(())
}

/// Runs `command` and gives back what it wrote to standard output; its error output is part of the error.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot start {}", shown(command)))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("{} failed ({}):\n{}{}", shown(command), output.status, text, errors);
    }
    Ok(text)
}

/// True if `command` can be started and succeeds; it prints nothing.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// The command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| quoted(&word.to_string_lossy())).collect::<Vec<_>>().join(" ")
}

/// `word`, in quotes if a shell would take it apart otherwise.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,+^@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Writes `path` so that it appears complete or not at all.
pub(crate) fn write_whole(path: &Path, text: &str) -> Result<()> {
    let folder = path.parent().ok_or_else(|| anyhow!("{} has no folder", path.display()))?;
    let part = path.with_extension("part");
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&part, text))
        .and_then(|()| fs::rename(&part, path))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// `word` with a capital letter, as C++ and TableGen name a level.
pub(crate) fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_get_a_capital_letter() {
        assert_eq!(capitalized("tfhe"), "Tfhe");
        assert_eq!(capitalized(""), "");
    }

    #[test]
    fn a_shown_command_can_be_typed() {
        let mut command = Command::new("cml");
        command.args(["predict", "data.npz:x_test[0:3]", "it's", "--bits=3", ""]);
        assert_eq!(shown(&command), r"cml predict 'data.npz:x_test[0:3]' 'it'\''s' --bits=3 ''");
    }

    #[test]
    fn a_failing_program_is_an_error_with_its_output() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo wrong >&2; exit 3"]);
        let message = capture(&mut command).unwrap_err().to_string();
        assert!(message.contains("wrong") && message.contains('3'), "{message}");
    }
}
