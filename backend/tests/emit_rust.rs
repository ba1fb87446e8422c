//! The emitted crate: its text, its layout, and that it builds outside of the workspace and computes the same.

mod support;

use cml_backend::emit::rust::{RuntimeSource, files, write};
use cml_runtime::arrays::{ArraySource, save_floats};
use cml_runtime::client;
use cml_runtime::reference::Value;
use cml_runtime::server::CheckedServer;
use std::path::{Path, PathBuf};
use std::process::Command;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the workspace exists")
}

fn succeed(command: &mut Command) {
    let output = command.output().expect("the program starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}:\n{}{}", text(&output.stdout), text(&output.stderr));
}

#[test]
fn the_source_is_the_program() {
    let emitted = files(&support::program(), &RuntimeSource::Version).unwrap();
    for file in &emitted {
        let name = file.path.replace(['/', '.'], "-");
        // The noise of the keys has all digits of a double, but they are the same on every machine.
        insta::assert_snapshot!(name, file.text);
    }
}

#[test]
fn the_source_is_laid_out_as_rustfmt_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("emitted");
    write(&support::program(), &path, &RuntimeSource::Version).unwrap();
    let sources = ["main.rs", "program.rs"].map(|name| path.join("src").join(name));
    succeed(Command::new("rustfmt").args(["--check", "--edition", "2024"]).args(sources));
}

#[test]
fn a_folder_that_holds_something_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("notes"), "mine").unwrap();
    let refused = write(&support::program(), folder.path(), &RuntimeSource::Version).unwrap_err();
    assert!(refused.to_string().contains("exists and is no empty folder"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn the_crate_builds_outside_of_the_workspace_and_computes_the_same() {
    let program = support::program();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("emitted");
    write(&program, &path, &RuntimeSource::Path(workspace().join("runtime"))).unwrap();
    // The versions and the compiled dependencies of this workspace: nothing is loaded, little is compiled.
    std::fs::copy(workspace().join("Cargo.lock"), path.join("Cargo.lock")).unwrap();
    let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    succeed(
        Command::new(cargo)
            .args(["build", "--release", "--offline"])
            .current_dir(&path)
            .env("CARGO_TARGET_DIR", &target),
    );
    let narrow = vec![0.0, 0.5, -0.5, 1.0, 1.0, -1.0, 4.0, 0.25];
    let x = folder.path().join("x.npy");
    save_floats(&x, &ndarray::ArrayD::from_shape_vec(vec![4, 2], narrow.clone()).unwrap()).unwrap();
    let (client, server) = (program.client.as_ref().unwrap(), program.server.as_ref().unwrap());
    let array = Value::floats(&[4, 2], narrow).unwrap();
    let samples = client::quantize(client, &[array], false).unwrap().samples;
    let server = CheckedServer::new(server).unwrap();
    let integers: Vec<_> = samples.iter().map(|sample| server.run_clear(sample).unwrap()).collect();
    let expected = client::dequantize(client, &integers).unwrap();
    for mode in ["clear", "encrypted"] {
        let y = folder.path().join(format!("{mode}.npy"));
        let binary = target.join("release").join("small_net_encrypted");
        succeed(Command::new(binary).arg(mode).arg(&x).arg(&y));
        let found = y.to_str().unwrap().parse::<ArraySource>().unwrap().load_floats().unwrap();
        assert_eq!(Value::from(found), expected[0], "{mode}");
    }
}
