//! The translations, as commands: ONNX in, MLIR in both forms, programs and crates out.
#![allow(clippy::unwrap_used)]

use cml_dialects::ffi::{parse_module, write_bytecode};
use cml_passes::pipelines::{PIPELINES, run};
use cml_runtime::program::message::Program;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn translate(arguments: &[&str], folder: &Path, input: Option<&Path>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cml-translate"));
    command.args(arguments).current_dir(folder);
    command.stdin(input.map_or_else(Stdio::null, |path| File::open(path).unwrap().into()));
    command.output().unwrap()
}

fn succeed(arguments: &[&str], folder: &Path, input: Option<&Path>) -> Vec<u8> {
    let output = translate(arguments, folder, input);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn refuse(arguments: &[&str], folder: &Path) -> String {
    let output = translate(arguments, folder, None);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {message}");
    assert!(message.contains("error: ") && !message.contains("panic"), "{message}");
    message
}

fn network() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../lit-tests/models/simple10").canonicalize().unwrap()
}

/// The bundled network at the level of ciphertexts, as text and as bytecode.
fn lowered(folder: &Path) {
    cml_passes::register();
    let context = cml_dialects::context();
    let model = succeed(&["--import-onnx", network().join("model.onnx").to_str().unwrap()], folder, None);
    let mut module = parse_module(&context, &model, "model.mlir").unwrap();
    let calibration = format!("calibration=\"{}:calibration\"", network().join("data.npz").display());
    for pipeline in PIPELINES {
        let text = pipeline.text_with(&[("cml-calibrate", calibration.clone())]);
        run(&context, &mut module, &text).unwrap();
    }
    std::fs::write(folder.join("tfhe.mlir"), module.as_operation().to_string()).unwrap();
    std::fs::write(folder.join("tfhe.mlirbc"), write_bytecode(&module)).unwrap();
}

#[test]
fn models_come_in_as_text_or_bytecode() {
    let folder = tempfile::tempdir().unwrap();
    let model = network().join("model.onnx");
    let text = succeed(&["--import-onnx"], folder.path(), Some(&model));
    succeed(&["--import-onnx", model.to_str().unwrap(), "-o", "model.mlir"], folder.path(), None);
    assert_eq!(std::fs::read(folder.path().join("model.mlir")).unwrap(), text);
    assert!(String::from_utf8_lossy(&text).contains("loc(\"/fc1/Gemm\")"));
    let bytecode = succeed(&["--import-onnx", "--emit-bytecode"], folder.path(), Some(&model));
    let context = cml_dialects::context();
    let [one, other] = [text, bytecode].map(|bytes| parse_module(&context, &bytes, "model").unwrap());
    assert_eq!(one.as_operation().to_string(), other.as_operation().to_string());
}

#[test]
fn programs_and_crates_go_out() {
    let folder = tempfile::tempdir().unwrap();
    lowered(folder.path());
    succeed(&["--emit-program", "tfhe.mlir", "-o", "text.cml"], folder.path(), None);
    succeed(
        &["--emit-program", "-", "-o", "code.cml"],
        folder.path(),
        Some(&folder.path().join("tfhe.mlirbc")),
    );
    let program = Program::load(&folder.path().join("text.cml")).unwrap();
    let other = Program::load(&folder.path().join("code.cml")).unwrap();
    let steps = |program: &Program| program.server.as_ref().unwrap().steps.len();
    assert_eq!(steps(&program), steps(&other));
    let printed = String::from_utf8(succeed(&["--print-program", "text.cml"], folder.path(), None)).unwrap();
    assert_eq!(printed, cml_runtime::program::print(&program));
    succeed(&["--emit-rust", "tfhe.mlir", "-o", "crate"], folder.path(), None);
    succeed(&["--emit-rust", "text.cml", "-o", "same"], folder.path(), None);
    for file in ["Cargo.toml", "src/main.rs", "src/program.rs"] {
        let text =
            |crate_folder| std::fs::read_to_string(folder.path().join(crate_folder).join(file)).unwrap();
        assert_eq!(text("crate"), text("same"));
    }
}

#[test]
fn what_cannot_be_translated_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::fs::write(path.join("text"), "text").unwrap();
    assert!(refuse(&["--import-onnx", "text"], path).contains("text is not an ONNX model"));
    assert!(refuse(&["--emit-program", "text", "-o", "x.cml"], path).contains("text is no MLIR module"));
    assert!(refuse(&["--print-program", "text"], path).contains("text is not a cml file"));
    assert!(refuse(&["--emit-rust", "absent.mlir", "-o", "x"], path).contains("absent.mlir"));
    succeed(&["--import-onnx", network().join("model.onnx").to_str().unwrap(), "-o", "nn.mlir"], path, None);
    assert!(refuse(&["--emit-program", "nn.mlir", "-o", "x.cml"], path).contains("no function @server"));
    assert_eq!(std::fs::read_dir(path).unwrap().count(), 2);
    assert_eq!(translate(&[], path, None).status.code(), Some(2));
    let help = String::from_utf8(succeed(&["--help"], path, None)).unwrap();
    assert!(help.contains("cml-translate --emit-program tfhe.mlir -o model.cml"));
}
