//! What the end-to-end tests share: a folder of their own, the bundled networks, and the command.
#![allow(dead_code)]

pub(crate) mod tables;

use cml_frontend::onnx::proto::Model;
use cml_runtime::arrays::save_floats;
use ndarray::{ArrayD, IxDyn};
use prost::Message;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder that goes away with the test, and in which the commands run.
pub(crate) struct Place(tempfile::TempDir);

/// What a command came to.
pub(crate) struct Ended {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { status: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder can be made"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).expect("the file is there")
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).expect("the file can be written");
    }

    /// Writes an array of floats.
    pub(crate) fn floats(&self, name: &str, shape: &[usize], elements: &[f32]) {
        let array = ArrayD::from_shape_vec(IxDyn(shape), elements.to_vec()).expect("the shape fits");
        save_floats(&self.path(name), &array).expect("the file can be written");
    }

    /// Runs `cml` here; arguments are separated by spaces.
    pub(crate) fn cml(&self, arguments: &str) -> Ended {
        self.cml_in("", arguments)
    }

    /// Runs `cml` in a folder below.
    pub(crate) fn cml_in(&self, folder: &str, arguments: &str) -> Ended {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cml"));
        command.current_dir(self.path(folder)).args(arguments.split_whitespace());
        command.output().expect("cml starts").into()
    }

    /// Runs `cml`, which must succeed with nothing but warnings on stderr: it is no terminal.
    pub(crate) fn succeed(&self, arguments: &str) -> String {
        let ended = self.cml(arguments);
        assert_eq!(ended.status, Some(0), "cml {arguments}\n{}", ended.stderr);
        assert!(
            ended.stderr.lines().all(|line| line.starts_with("warning: ")),
            "cml {arguments}\n{}",
            ended.stderr
        );
        ended.stdout
    }

    /// Runs `cml`, which must fail with status 1, one error and no new file; gives the message.
    pub(crate) fn refuse(&self, arguments: &str) -> String {
        let before = self.names();
        let ended = self.cml(arguments);
        assert_eq!(ended.status, Some(1), "cml {arguments}\n{}{}", ended.stdout, ended.stderr);
        assert!(ended.stderr.starts_with("error: "), "cml {arguments}\n{}", ended.stderr);
        assert!(!ended.stderr.contains("panic"), "cml {arguments}\n{}", ended.stderr);
        assert_eq!(self.names(), before, "cml {arguments} left something behind");
        ended.stderr
    }

    /// As [`Self::refuse`]; the message must have all of these parts.
    pub(crate) fn refuse_with(&self, arguments: &str, parts: &[&str]) {
        let message = self.refuse(arguments);
        for part in parts {
            assert!(message.contains(part), "cml {arguments}\n{message}does not say `{part}`");
        }
    }

    /// Compiles a bundled network with 3 bits to `NETWORK.cml`.
    pub(crate) fn compile(&self, network: &str) {
        let (model, data) = (model(network), data(network));
        self.succeed(&format!("compile {model} --calibration {data}:calibration --bits 3 -o {network}.cml"));
    }

    /// The names of all files here.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).expect("the folder can be listed");
        let name = |entry: std::io::Result<std::fs::DirEntry>| {
            entry.expect("the folder can be listed").file_name().to_string_lossy().into_owned()
        };
        let mut names: Vec<String> = entries.map(name).collect();
        names.sort();
        names
    }

    /// Writes `simple10`, changed, as `changed.onnx`.
    pub(crate) fn changed_model(&self, change: impl FnOnce(&mut Model)) {
        let bytes = std::fs::read(model("simple10")).expect("the network is there");
        let mut model = Model::decode(bytes.as_slice()).expect("the network is ONNX");
        change(&mut model);
        self.write("changed.onnx", model.encode_to_vec());
    }
}

fn networks() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../lit-tests/models")
}

/// The file of a bundled network.
pub(crate) fn model(network: &str) -> String {
    networks().join(network).join("model.onnx").display().to_string()
}

/// The data of a bundled network.
pub(crate) fn data(network: &str) -> String {
    networks().join(network).join("data.npz").display().to_string()
}
