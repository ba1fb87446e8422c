//! `cargo xtask setup`: the system packages that a build needs.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::process::{capture, command, succeeds};

/// Where Debian's packages put LLVM and MLIR; `.cargo/config.toml` names the same folder.
const DEBIAN_PREFIX: &str = "/usr/lib/llvm-22";

/// LLVM and MLIR with headers, static libraries and tools: what is not needed where another prefix is set.
const LLVM_PACKAGES: &[&str] = &[
    "libmlir-22-dev",
    "mlir-22-tools",
    "llvm-22-dev",
    "llvm-22-tools",
    "libpolly-22-dev",
    "clang-22",
    "libclang-22-dev",
];

/// Libraries that LLVM links, the compiler of the dialects' C++, and Python for lit and the referee tests.
const OTHER_PACKAGES: &[&str] = &[
    "zlib1g-dev",
    "libzstd-dev",
    "libxml2-dev",
    "libz3-dev",
    "libncurses-dev",
    "g++",
    "git",
    "python3",
    "python3-venv",
];

/// Files below the prefix without which the build, or lit, stops with a message that explains less.
const PREFIX_FILES: &[&str] = &[
    "bin/llvm-config",
    "bin/mlir-tblgen",
    "bin/lit",
    "bin/FileCheck",
    "bin/not",
    "include/mlir/IR/Builders.h",
    "lib/libMLIRIR.a",
    "lib/libLLVMCore.a",
];

/// Makes sure that everything a build needs is installed, and installs it where that is possible.
///
/// # Errors
/// If packages are missing and may not, or cannot, be installed here: the message names them and the command.
pub(crate) fn setup() -> Result<()> {
    let prefix = mlir_prefix()?;
    if is_debian_12() {
        let mut needed = OTHER_PACKAGES.to_vec();
        if prefix == Path::new(DEBIAN_PREFIX) {
            needed.splice(0..0, LLVM_PACKAGES.iter().copied());
        }
        let missing = missing_packages(&needed)?;
        if !missing.is_empty() {
            install(&missing)?;
        }
    }
    check_prefix(&prefix)
}

/// The folder of LLVM and MLIR, as the build scripts of `mlir-sys` and `tblgen` will see it.
pub(crate) fn mlir_prefix() -> Result<PathBuf> {
    let read = |name: &str| std::env::var(name).unwrap_or_else(|_| DEBIAN_PREFIX.to_owned());
    let (mlir, tablegen) = (read("MLIR_SYS_220_PREFIX"), read("TABLEGEN_220_PREFIX"));
    if mlir != tablegen {
        bail!(
            "MLIR_SYS_220_PREFIX is {mlir} and TABLEGEN_220_PREFIX is {tablegen}; both must name the one folder \
             that `llvm-config --prefix` of LLVM 22 prints"
        );
    }
    Ok(PathBuf::from(mlir))
}

fn is_debian_12() -> bool {
    std::fs::read_to_string("/etc/os-release").is_ok_and(|text| names_debian_12(&text))
}

fn names_debian_12(os_release: &str) -> bool {
    let has = |key: &str, expected: &str| {
        os_release
            .lines()
            .filter_map(|line| line.strip_prefix(key)?.strip_prefix('='))
            .any(|value| value.trim_matches('"') == expected)
    };
    has("ID", "debian") && has("VERSION_ID", "12")
}

fn missing_packages(needed: &[&str]) -> Result<Vec<String>> {
    // dpkg-query fails as soon as one package is unknown, and still lists the others.
    let output = command("dpkg-query")
        .args(["--show", "--showformat=${Package} ${db:Status-Status}\n"])
        .args(needed)
        .output()
        .context("cannot start dpkg-query")?;
    let listed = String::from_utf8_lossy(&output.stdout);
    let installed =
        |package: &str| listed.lines().any(|line| line.split_once(' ') == Some((package, "installed")));
    Ok(needed.iter().filter(|package| !installed(package)).map(|&package| package.to_owned()).collect())
}

/// Installs `missing` with apt-get.
fn install(missing: &[String]) -> Result<()> {
    let Some(privilege) = privilege() else {
        bail!(
            "{}",
            refusal(missing, "this user may not install packages (neither root nor sudo without a password)")
        );
    };
    let start = Instant::now();
    println!("setup: {} packages are missing: {}", missing.len(), missing.join(" "));
    println!("setup: reading the package lists (apt-get update)");
    let apt = |arguments: &[&str]| {
        let mut apt = command(privilege[0]);
        apt.args(&privilege[1..]).args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"]);
        // Another apt may be at work on a machine that has just started.
        apt.args(["-o", "DPkg::Lock::Timeout=300"]).args(arguments);
        apt
    };
    // A source that does not answer is no reason to stop when the packages come from another one.
    if let Err(error) = capture(&mut apt(&["update"])) {
        println!("setup: warning: {error:#}");
    }
    let absent = packages_without_candidate(missing)?;
    if !absent.is_empty() {
        bail!("{}", no_source(&absent));
    }
    println!("setup: installing (LLVM and MLIR take about 240 MB to load and 2 GB on disk)");
    let mut arguments = vec!["install", "-y", "--no-install-recommends"];
    arguments.extend(missing.iter().map(String::as_str));
    capture(&mut apt(&arguments)).with_context(|| refusal(missing, "apt-get could not install them"))?;
    println!("setup: installed in {:.0} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// The words that stand before `NAME=VALUE apt-get` to run it with the rights to install, if there are any.
fn privilege() -> Option<&'static [&'static str]> {
    if capture(command("id").arg("-u")).is_ok_and(|id| id.trim() == "0") {
        Some(&["env"])
    } else if succeeds(command("sudo").args(["-n", "true"])) {
        Some(&["sudo", "-n", "env"])
    } else {
        None
    }
}

fn refusal(missing: &[String], reason: &str) -> String {
    let packages = missing.join(" ");
    format!(
        "{} packages are missing: {packages}\n{reason}. As root, run\n\n    apt-get update && apt-get install -y \
         --no-install-recommends {packages}\n\nand then this command again",
        missing.len()
    )
}

/// Those of `packages` that no apt source offers.
fn packages_without_candidate(packages: &[String]) -> Result<Vec<String>> {
    let policy = capture(Command::new("apt-cache").arg("policy").args(packages).env("LC_ALL", "C"))?;
    let offered = offered_packages(&policy);
    Ok(packages.iter().filter(|package| !offered.contains(&package.as_str())).cloned().collect())
}

/// The packages that have a candidate in the output of `apt-cache policy`.
fn offered_packages(policy: &str) -> Vec<&str> {
    let mut offered = Vec::new();
    let mut current = "";
    for line in policy.lines() {
        if let Some(name) = line.strip_suffix(':').filter(|name| !name.starts_with(' ')) {
            current = name;
        } else if line.trim().strip_prefix("Candidate: ").is_some_and(|version| version != "(none)") {
            offered.push(current);
        }
    }
    offered
}

fn no_source(absent: &[String]) -> String {
    let mut text = format!("no apt source of this machine offers {}", absent.join(" "));
    if absent.iter().any(|package| package.contains("-22")) {
        let _ = write!(
            text,
            "\nLLVM 22 comes from Debian's security archive; add the line\n\n    deb \
             http://deb.debian.org/debian-security bookworm-security main\n\nto /etc/apt/sources.list, or install \
             LLVM and MLIR 22 elsewhere and set MLIR_SYS_220_PREFIX and TABLEGEN_220_PREFIX to that folder"
        );
    }
    text
}

/// Looks for what the build takes from `prefix`, and for the right version of LLVM.
fn check_prefix(prefix: &Path) -> Result<()> {
    let absent: Vec<&str> = PREFIX_FILES.iter().copied().filter(|file| !prefix.join(file).exists()).collect();
    let advice = "install LLVM and MLIR 22 with headers, static libraries and tools, and set MLIR_SYS_220_PREFIX \
                  and TABLEGEN_220_PREFIX to what its `llvm-config --prefix` prints (`cargo xtask setup` installs \
                  packages on Debian 12 only)";
    if !absent.is_empty() {
        bail!("{} lacks {}; {advice}", prefix.display(), absent.join(", "));
    }
    let version = capture(command(prefix.join("bin/llvm-config")).arg("--version"))?;
    if !version.starts_with("22.") {
        bail!("{} holds LLVM {}, and 22 is needed; {advice}", prefix.display(), version.trim());
    }
    for program in ["c++", "python3"] {
        if !succeeds(command(program).arg("--version")) {
            bail!("`{program}` cannot be started; install it (a C++17 compiler and Python 3 are needed)");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debian_12_is_recognised() {
        assert!(names_debian_12(
            "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nID=debian\n"
        ));
        assert!(!names_debian_12("VERSION_ID=\"13\"\nID=debian\n"));
        assert!(!names_debian_12("VERSION_ID=\"12\"\nID=raspbian\nID_LIKE=debian\n"));
        assert!(!names_debian_12(""));
    }

    #[test]
    fn packages_without_a_candidate_are_told_apart() {
        let policy = "libz3-dev:\n  Installed: (none)\n  Candidate: 4.8.12-3.1\n  Version table:\n     4.8.12-3.1 \
                      500\nlibmlir-22-dev:\n  Installed: (none)\n  Candidate: (none)\n  Version table:\n";
        assert_eq!(offered_packages(policy), ["libz3-dev"]);
        assert!(offered_packages("").is_empty());
    }

    #[test]
    fn a_refusal_names_every_package_and_the_command() {
        let text = refusal(&["g++".into(), "git".into()], "no rights");
        assert!(text.contains("install -y --no-install-recommends g++ git"), "{text}");
        assert!(no_source(&["clang-22".into()]).contains("bookworm-security"));
        assert!(!no_source(&["git".into()]).contains("bookworm-security"));
    }

    #[test]
    fn an_empty_prefix_is_refused_with_what_it_lacks() {
        let message = check_prefix(Path::new("/nonexistent")).unwrap_err().to_string();
        assert!(message.contains("bin/mlir-tblgen") && message.contains("MLIR_SYS_220_PREFIX"), "{message}");
    }
}
