//! The rules of the tree that no compiler checks: which crate may use which, where C++ and `unsafe` may stand.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use crate::process::{capture, cargo, workspace};

/// The crates of this workspace that each library may use. Tools may use every library; nothing uses a tool.
const EDGES: &[(&str, &[&str])] = &[
    ("cml-runtime", &[]),
    ("cml-dialects", &["cml-runtime"]),
    ("cml-passes", &["cml-dialects", "cml-runtime"]),
    // Operators become operations of the runtime's reference, which folds constants and is what `nn` means.
    ("cml-frontend", &["cml-dialects", "cml-runtime"]),
    ("cml-backend", &["cml-dialects", "cml-runtime"]),
    ("cml-lit-tests", &[]),
    ("xtask", &[]),
];

const TOOLS: &[&str] = &["cml", "cml-opt", "cml-translate"];

/// Crates from elsewhere that belong to some of ours only.
const RESERVED: &[(&str, &[&str])] = &[
    ("tfhe", &["cml-runtime"]),
    ("mlir-sys", &["cml-dialects"]),
    (
        "melior",
        &["cml-dialects", "cml-passes", "cml-frontend", "cml-backend", "cml", "cml-opt", "cml-translate"],
    ),
    ("cc", &["cml-dialects"]),
    ("egg", &["cml-passes"]),
];

/// What no crate below `cml-runtime` may be: clients and servers run without LLVM.
const LLVM_CRATES: &[&str] = &["melior", "mlir-sys", "tblgen", "llvm-sys", "inkwell"];

const MAX_LINES: usize = 600;

/// The lint whose `allow` lets `unsafe` into a file; every crate denies it.
const UNSAFE_LINT: &str = concat!("unsafe", "_code");

/// Where that `allow` may stand.
const UNSAFE_PLACES: &[&str] = &["dialects/src/ffi", "dialects/src/ffi.rs", "runtime/src/kernels"];

/// The declarations of those modules.
const UNSAFE_MODULES: &[(&str, &str)] =
    &[("dialects/src/lib.rs", "mod ffi;"), ("runtime/src/lib.rs", "mod kernels;")];

/// Checks the crate graph and every source file.
///
/// # Errors
/// If a rule is broken: one line for each place.
pub(crate) fn check() -> Result<()> {
    let metadata = capture(&mut cargo(["metadata", "--format-version", "1", "--no-deps", "--locked"]))?;
    let metadata = serde_json::from_str(&metadata).context("cannot read the output of cargo metadata")?;
    let mut faults = graph_faults(&metadata)?;
    let tree = capture(&mut cargo(["tree", "--locked", "--prefix=none", "--package=cml-runtime"]))?;
    faults.extend(runtime_faults(&tree));
    let root = workspace();
    let mut files = Vec::new();
    list_files(&root, &mut files)?;
    for path in files {
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        faults.extend(file_faults(path.strip_prefix(&root).unwrap_or(&path), &text));
    }
    if !faults.is_empty() {
        bail!("the rules of the tree are broken in {} places:\n{}", faults.len(), faults.join("\n"));
    }
    Ok(())
}

fn graph_faults(metadata: &Value) -> Result<Vec<String>> {
    let packages =
        metadata["packages"].as_array().ok_or_else(|| anyhow!("cargo metadata lists no packages"))?;
    let name_of = |package: &Value| package["name"].as_str().unwrap_or_default().to_owned();
    let ours: Vec<String> = packages.iter().map(name_of).collect();
    let mut faults = Vec::new();
    for package in packages {
        let name = name_of(package);
        let allowed = EDGES.iter().find(|(crate_name, _)| *crate_name == name).map(|(_, allowed)| *allowed);
        if allowed.is_none() && !TOOLS.contains(&name.as_str()) {
            faults.push(format!("{name}: not in the crate graph (tools/xtask/src/architecture.rs)"));
        }
        for dependency in package["dependencies"].as_array().into_iter().flatten().map(name_of) {
            let is_library = EDGES.iter().any(|(name, _)| dependency == *name) && dependency != "xtask";
            let may_use = allowed.map_or(is_library, |allowed| allowed.contains(&dependency.as_str()));
            if ours.contains(&dependency) && !may_use {
                faults.push(format!("{name}: may not depend on {dependency}"));
            }
            let reserved = RESERVED.iter().find(|(crate_name, _)| *crate_name == dependency);
            if let Some((_, users)) = reserved.filter(|(_, users)| !users.contains(&name.as_str())) {
                faults.push(format!("{name}: may not depend on {dependency}, only {} may", users.join(", ")));
            }
        }
    }
    Ok(faults)
}

fn runtime_faults(tree: &str) -> Vec<String> {
    let crates = tree.lines().filter_map(|line| line.split_whitespace().next());
    crates
        .filter(|name| LLVM_CRATES.contains(name))
        .map(|name| format!("cml-runtime: reaches {name}, and it must run without LLVM"))
        .collect()
}

/// Collects the source files below `folder`, leaving out `target` and what begins with a dot.
fn list_files(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let path = entry.with_context(|| format!("cannot list {}", folder.display()))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') || name == "target" {
            continue;
        }
        if path.is_dir() {
            list_files(&path, files)?;
        } else if is_cpp(&path) || ["rs", "py"].contains(&extension(&path)) || name == "Cargo.toml" {
            files.push(path);
        }
    }
    files.sort();
    Ok(())
}

fn extension(path: &Path) -> &str {
    path.extension().and_then(|extension| extension.to_str()).unwrap_or_default()
}

/// C++ and TableGen, which describes it.
fn is_cpp(path: &Path) -> bool {
    ["c", "cc", "cpp", "cxx", "h", "hpp", "inc", "td"].contains(&extension(path))
}

fn file_faults(path: &Path, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let shown = path.display();
    let lines = text.lines().count();
    if lines > MAX_LINES {
        faults.push(format!("{shown}: {lines} lines, and {MAX_LINES} is the limit; split it by topic"));
    }
    if is_cpp(path) && !path.starts_with("dialects") {
        faults.push(format!("{shown}: C++ and TableGen belong below dialects/"));
    }
    if extension(path) == "rs" && !UNSAFE_PLACES.iter().any(|place| path.starts_with(place)) {
        faults.extend(unsafe_lines(path, text).map(|line| {
            format!("{shown}:{line}: unsafe code belongs in dialects/src/ffi and runtime/src/kernels")
        }));
    }
    // The root holds the lints themselves.
    let is_member = path.ends_with("Cargo.toml") && path != Path::new("Cargo.toml");
    if is_member && !text.contains("[lints]\nworkspace = true") {
        faults.push(format!("{shown}: lacks `[lints] workspace = true`"));
    }
    faults
}

/// The lines of `text` that let unsafe code in, save where the module of such code itself is declared.
fn unsafe_lines<'a>(path: &'a Path, text: &'a str) -> impl Iterator<Item = usize> + 'a {
    let declares = move |next: &str| {
        UNSAFE_MODULES.iter().any(|(file, module)| path == Path::new(file) && next.ends_with(module))
    };
    let following = text.lines().skip(1).chain(std::iter::once(""));
    text.lines().zip(following).enumerate().filter_map(move |(index, (line, next))| {
        let code = line.split("//").next().unwrap_or_default();
        (code.contains(UNSAFE_LINT) && !declares(next)).then_some(index + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults_of(name: &str, dependencies: &[&str]) -> Vec<String> {
        let list =
            |names: &[&str]| names.iter().map(|name| serde_json::json!({"name": name})).collect::<Vec<_>>();
        let mut packages = list(&[
            "cml-runtime",
            "cml-dialects",
            "cml-passes",
            "cml-frontend",
            "cml-backend",
            "cml-opt",
            "xtask",
        ]);
        packages.retain(|package| package["name"] != name);
        packages.push(serde_json::json!({"name": name, "dependencies": list(dependencies)}));
        graph_faults(&serde_json::json!({ "packages": packages })).unwrap()
    }

    #[test]
    fn allowed_edges_pass() {
        assert!(
            faults_of("cml-passes", &["cml-dialects", "cml-runtime", "melior", "egg", "serde"]).is_empty()
        );
        assert!(faults_of("cml", &["cml-runtime", "cml-passes", "melior"]).is_empty());
    }

    #[test]
    fn every_other_edge_is_refused() {
        assert_eq!(
            faults_of("cml-runtime", &["cml-dialects"]),
            ["cml-runtime: may not depend on cml-dialects"]
        );
        assert_eq!(
            faults_of("cml-frontend", &["cml-passes"]),
            ["cml-frontend: may not depend on cml-passes"]
        );
        assert_eq!(faults_of("cml", &["cml-opt"]), ["cml: may not depend on cml-opt"]);
        assert_eq!(faults_of("cml", &["xtask"]), ["cml: may not depend on xtask"]);
        assert_eq!(faults_of("xtask", &["cml-runtime"]), ["xtask: may not depend on cml-runtime"]);
        assert_eq!(faults_of("cml-backend", &["tfhe"]).len(), 1);
        assert_eq!(faults_of("cml-new", &[]).len(), 1);
    }

    #[test]
    fn llvm_below_the_runtime_is_found() {
        assert_eq!(runtime_faults("cml-runtime v0.1.0 (/x)\ntfhe v1.8.2\nmlir-sys v220.0.2\n").len(), 1);
        assert!(runtime_faults("cml-runtime v0.1.0 (/x)\ntfhe v1.8.2\n").is_empty());
    }

    #[test]
    fn files_are_held_to_their_places() {
        let attribute = format!("#![allow({UNSAFE_LINT})]");
        assert!(file_faults(Path::new("runtime/src/kernels/rotate.rs"), &attribute).is_empty());
        assert!(file_faults(Path::new("dialects/src/ffi.rs"), &attribute).is_empty());
        assert_eq!(file_faults(Path::new("runtime/src/client/keys.rs"), &attribute).len(), 1);
        let declaration = |module: &str| format!("#[allow({UNSAFE_LINT})]\npub mod {module};\n");
        assert!(file_faults(Path::new("dialects/src/lib.rs"), &declaration("ffi")).is_empty());
        assert_eq!(file_faults(Path::new("dialects/src/lib.rs"), &declaration("nn")).len(), 1);
        assert_eq!(file_faults(Path::new("passes/src/lib.rs"), &declaration("ffi")).len(), 1);
        assert!(file_faults(Path::new("dialects/src/fhe/Fhe.cpp"), "").is_empty());
        assert_eq!(file_faults(Path::new("passes/src/x.cpp"), "").len(), 1);
        assert!(file_faults(Path::new("passes/src/x.rs"), &"\n".repeat(MAX_LINES)).is_empty());
        assert_eq!(file_faults(Path::new("passes/src/x.rs"), &"\n".repeat(MAX_LINES + 1)).len(), 1);
    }
}
