//! `cargo xtask demo`: a bundled network, from ONNX to predictions on encrypted samples.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::process::{build_tools, command, run, shown, target_folder, tool, workspace};
use crate::setup;

/// The network: two inputs, two hidden layers of ten neurons, two classes.
const MODEL: &str = "lit-tests/models/simple10/model.onnx";
/// Its data: `calibration`, `x_test` and `y_test`.
const DATA: &str = "lit-tests/models/simple10/data.npz";

/// Compiles the bundled network, runs it on encrypted samples, and shows the commands and what they print.
///
/// # Errors
/// If something is missing and cannot be installed, or if a command fails.
pub(crate) fn demo() -> Result<()> {
    setup::setup()?;
    println!("demo: building the compiler (minutes the first time)");
    build_tools()?;
    let cml = tool("cml")?;
    let (client, server) = (folder("client")?, folder("server")?);
    compile_and_inspect(&cml, &server)?;
    infer_apart(&cml, &client, &server)?;
    show(
        "All of it in one command, for three samples whose classes are known",
        predict(&cml, &server.join("model.cml")).args(["--mode", "fhe"]),
    )?;
    println!("\nThe files lie in {}. README.md explains each command.", client.with_file_name("").display());
    Ok(())
}

fn compile_and_inspect(cml: &Path, server: &Path) -> Result<()> {
    let program = server.join("model.cml");
    show(
        "Compile: quantize to 3 bits, prove the range of every integer, choose secure parameters",
        command(cml)
            .args(["compile", MODEL, "--calibration", &rows("calibration", None), "--bits", "3", "-o"])
            .arg(&program),
    )?;
    show(
        "The report: widths, lookups, parameters, failure probability",
        command(cml).arg("inspect").arg(&program),
    )?;
    show(
        "The quantized network in the clear: what encryption has to reproduce exactly",
        predict(cml, &program).args(["--mode", "quantized"]),
    )
}

/// One inference as two parties do it: each command reads and writes only its party's folder, and what they send.
fn infer_apart(cml: &Path, client: &Path, server: &Path) -> Result<()> {
    let (program, bundle) = (server.join("model.cml"), client.join("client.cml"));
    let (secret, evaluation) = (client.join("client.key"), server.join("eval.key"));
    let (question, answer) = (server.join("x.ct"), client.join("y.ct"));
    show(
        "Model owner: export what the client needs (no weights)",
        command(cml).arg("export-client").arg(&program).arg("-o").arg(&bundle),
    )?;
    show(
        "Client: generate keys; the evaluation key goes to the server, the client key stays",
        command(cml)
            .arg("keygen")
            .arg(&bundle)
            .arg("--client-key")
            .arg(&secret)
            .arg("--eval-key")
            .arg(&evaluation),
    )?;
    show(
        "Client: quantize and encrypt one sample",
        command(cml)
            .arg("encrypt")
            .arg(&bundle)
            .arg("--client-key")
            .arg(&secret)
            .arg(rows("x_test", Some(1)))
            .arg("-o")
            .arg(&question),
    )?;
    show(
        "Server: evaluate the network on the ciphertext",
        command(cml)
            .arg("run")
            .arg(&program)
            .arg("--eval-key")
            .arg(&evaluation)
            .arg(&question)
            .arg("-o")
            .arg(&answer),
    )?;
    show(
        "Client: decrypt and dequantize",
        command(cml)
            .arg("decrypt")
            .arg(&bundle)
            .arg("--client-key")
            .arg(&secret)
            .arg(&answer)
            .arg("-o")
            .arg(client.join("y.npy")),
    )
}

/// `cml predict` on the first test samples and their labels.
fn predict(cml: &Path, program: &Path) -> Command {
    let mut predict = command(cml);
    predict.arg("predict").arg(program).arg(rows("x_test", Some(3)));
    predict.arg("--labels").arg(rows("y_test", Some(3)));
    predict
}

/// The array `name` of the data, or its first `count` rows.
fn rows(name: &str, count: Option<usize>) -> String {
    let range = count.map(|count| format!("[0:{count}]")).unwrap_or_default();
    format!("{DATA}:{name}{range}")
}

/// A folder of the demo, made if need be; relative to the workspace, so that printed commands can be copied.
fn folder(party: &str) -> Result<PathBuf> {
    let path = target_folder()?.join("demo").join(party);
    fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
    Ok(path.strip_prefix(workspace()).map(Path::to_path_buf).unwrap_or(path))
}

/// Prints what is done and by which command, runs it, and prints the seconds.
fn show(purpose: &str, command: &mut Command) -> Result<()> {
    println!("\n# {purpose}\n$ {}", shown(command));
    let start = Instant::now();
    run(command)?;
    println!("  ({:.1} s)", start.elapsed().as_secs_f64());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_named_as_the_tools_read_them() {
        assert_eq!(rows("calibration", None), format!("{DATA}:calibration"));
        assert_eq!(rows("x_test", Some(3)), format!("{DATA}:x_test[0:3]"));
    }
}
