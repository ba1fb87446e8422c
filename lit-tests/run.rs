//! Starts lit on the files of this folder, and checks that each of them can fail.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Programs and options that make a RUN line fail when the output is wrong.
const CHECKS: &[&str] = &["FileCheck", "-verify-diagnostics"];

fn lit_tests() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folder of the tools: this program lies in `deps` below it.
fn tools() -> PathBuf {
    let program = std::env::current_exe().expect("a test program has a path");
    program.ancestors().nth(2).expect("the test program lies in <target>/<profile>/deps").to_path_buf()
}

/// Brings the tools up to date, as the tests of this crate do not depend on them.
fn build_tools(tools: &Path) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // The default members: the same selection as a plain build, so that nothing is built twice.
    command.arg("build").current_dir(lit_tests().join(".."));
    if tools.ends_with("release") {
        command.arg("--release");
    }
    let output = command.output().expect("cargo starts");
    assert!(output.status.success(), "the tools do not build:\n{}", text_of(&output));
}

fn text_of(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The files below `folder` with this extension, sorted; the bundled networks and inputs of tests are none.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder can be listed") {
        let path = entry.expect("the folder can be listed").path();
        if path.ends_with("models") || path.ends_with("Inputs") {
            continue;
        }
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Says why the text of a lit file checks nothing, if so.
fn weakness(text: &str) -> Option<&'static str> {
    let runs: Vec<&str> =
        text.lines().filter_map(|line| line.split_once("RUN:")).map(|(_, run)| run).collect();
    if runs.is_empty() {
        return Some("no RUN line");
    }
    let checks = runs.iter().any(|run| CHECKS.iter().any(|check| run.contains(check)));
    (!checks).then_some("no RUN line checks its output (FileCheck or --verify-diagnostics)")
}

#[test]
fn every_lit_test_passes() {
    let tools = tools();
    build_tools(&tools);
    let prefix =
        std::env::var("MLIR_SYS_220_PREFIX").expect("cargo sets MLIR_SYS_220_PREFIX (.cargo/config.toml)");
    let llvm_tools = Path::new(&prefix).join("bin");
    let output = Command::new(llvm_tools.join("lit"))
        .arg("-v")
        .arg(lit_tests())
        .env("CML_TOOLS", &tools)
        .env("CML_LIT_OUTPUT", tools.join("lit"))
        .env("LLVM_TOOLS", &llvm_tools)
        .output()
        .expect("lit starts");
    assert!(output.status.success(), "lit failed:\n{}", text_of(&output));
    println!("{}", text_of(&output));
}

#[test]
fn every_lit_file_checks_something() {
    let weak: Vec<String> = files(lit_tests(), "mlir")
        .iter()
        .filter_map(|path| {
            let text = fs::read_to_string(path).expect("a lit file is text");
            weakness(&text).map(|reason| format!("{}: {reason}", path.display()))
        })
        .collect();
    assert!(weak.is_empty(), "{}", weak.join("\n"));
}

#[test]
fn a_file_that_checks_nothing_is_found() {
    assert!(weakness("// RUN: cml-opt %s | FileCheck %s\n").is_none());
    assert!(weakness("// RUN: cml-opt %s --verify-diagnostics\n").is_none());
    assert!(weakness("// RUN: cml-opt %s\n// FileCheck\n").is_some());
    assert!(weakness("// RUN: cml-opt %s | diff %s -\n").is_some());
    assert!(weakness("module {}\n").is_some());
}

/// The flag of the pass that `path` must define, by its name: `fuse_lookups.rs` is `cml-fuse-lookups`.
fn flag_of(path: &Path) -> String {
    let stem =
        if path.ends_with("mod.rs") { path.parent().and_then(Path::file_name) } else { path.file_stem() };
    format!("cml-{}", stem.expect("a file has a name").to_string_lossy().replace('_', "-"))
}

#[test]
fn every_pass_has_a_lit_file() {
    let passes = lit_tests().join("../passes/src");
    let mut faults = Vec::new();
    let mut count = 0;
    for folder in ["transforms", "conversions"] {
        for path in files(&passes.join(folder), "rs") {
            let text = fs::read_to_string(&path).expect("a source file is text");
            if !text.contains("PassInfo = PassInfo {") {
                continue;
            }
            count += 1;
            let flag = flag_of(&path);
            if !text.contains(&format!("\"{flag}\"")) {
                faults.push(format!("{} defines no pass of its name, {flag}", path.display()));
            }
            let test = format!("passes/{}.mlir", flag.trim_start_matches("cml-"));
            if !lit_tests().join(&test).exists() {
                faults.push(format!("{flag} has no test lit-tests/{test}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(count > 0, "no pass found below {}", passes.display());
}
