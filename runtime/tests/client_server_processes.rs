//! Client and server as processes of their own, in folders of their own.
// What fails in a helper of a test fails the test.
#![allow(clippy::unwrap_used)]

mod crypto_support;

use cml_runtime::arrays::{self, ArraySource};
use cml_runtime::commands::{Mode, predict};
use cml_runtime::reference::Value;
use crypto_support::whole_program;
use ndarray::{ArrayD, IxDyn};
use prost::Message;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

struct Parties {
    folder: tempfile::TempDir,
}

impl Parties {
    /// A client with the bundle and inputs, a server with the program.
    fn new() -> Self {
        let parties = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(parties.client("")).unwrap();
        std::fs::create_dir(parties.server("")).unwrap();
        let program = whole_program(0);
        program.save(&parties.server("model.cml")).unwrap();
        program.client.as_ref().unwrap().save(&parties.client("client.cml")).unwrap();
        arrays::save_floats(&parties.client("x.npy"), &inputs()).unwrap();
        parties
    }

    fn client(&self, name: &str) -> PathBuf {
        self.folder.path().join("client").join(name)
    }

    fn server(&self, name: &str) -> PathBuf {
        self.folder.path().join("server").join(name)
    }

    fn run(folder: &Path, arguments: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cml-run"));
        command.current_dir(folder).args(arguments.split_whitespace()).output().unwrap()
    }

    fn client_runs(&self, arguments: &str) {
        let output = Self::run(&self.client(""), arguments);
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn server_runs(&self, arguments: &str) {
        let output = Self::run(&self.server(""), arguments);
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn keygen(&self) {
        self.client_runs("keygen client.cml --client-key client.key --eval-key eval.key");
    }

    fn encrypt(&self) {
        self.client_runs("encrypt client.cml --client-key client.key x.npy -o x.ct");
    }

    /// The diagnostic of a command that must fail with status 1 and leave nothing of this name.
    fn refused(&self, folder: &Path, arguments: &str, output: &str) -> String {
        let result = Self::run(folder, arguments);
        let message = String::from_utf8(result.stderr).unwrap();
        assert_eq!(result.status.code(), Some(1), "{arguments}: {message}");
        assert!(message.starts_with("error: ") && message.lines().count() == 1, "{message}");
        assert!(!folder.join(output).exists(), "{arguments} left {output}");
        message
    }
}

fn inputs() -> ArrayD<f32> {
    ArrayD::from_shape_vec(IxDyn(&[2, 3]), vec![0.75, -1.0, 0.5, -0.3, 0.0, 9.0]).unwrap()
}

fn contains(folder: &Path, needle: &[u8]) -> bool {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    files.into_iter().any(|content| content.windows(needle.len()).any(|part| part == needle))
}

#[test]
fn two_processes_compute_what_the_quantized_function_says() {
    let parties = Parties::new();
    parties.keygen();
    parties.encrypt();
    for name in ["eval.key", "x.ct"] {
        std::fs::copy(parties.client(name), parties.server(name)).unwrap();
    }
    parties.server_runs("run model.cml --eval-key eval.key x.ct -o y.ct");
    std::fs::copy(parties.server("y.ct"), parties.client("y.ct")).unwrap();
    parties.client_runs("decrypt client.cml --client-key client.key y.ct -o y.npy");
    let source: ArraySource = parties.client("y.npy").to_str().unwrap().parse().unwrap();
    let found = source.load_floats().unwrap();
    let arrays = [Value::from(inputs())];
    let expected = predict(&whole_program(0), &arrays, Mode::Quantized, &|_, _| {}).unwrap();
    assert_eq!(Value::from(found), expected.outputs[0]);
    assert_eq!(expected.clipped, 1);

    let secret = std::fs::read(parties.client("client.key")).unwrap();
    assert!(contains(&parties.client(""), &secret[88..]), "the search finds what is there");
    assert!(!contains(&parties.server(""), &secret[88..120]), "the server's folder holds secret bits");
    let step = &whole_program(0).server.unwrap().steps[0].encode_to_vec();
    assert!(contains(&parties.server(""), step), "the search finds what is there");
    assert!(!contains(&parties.client(""), &step[8..]), "the client's folder holds weights");
}

#[test]
fn all_modes_agree_in_one_process() {
    let (program, arrays) = (whole_program(2), [Value::from(inputs())]);
    let of_mode = |mode| predict(&program, &arrays, mode, &|_, _| {}).unwrap();
    let expected = of_mode(Mode::Quantized);
    let [alone, together] = [1, 3].map(|count| Mode::Encrypted(NonZeroUsize::new(count).unwrap()));
    for (mode, runs) in [(Mode::Clear, 2), (Mode::Simulated(1), 2), (alone, 2), (together, 1)] {
        let found = of_mode(mode);
        assert_eq!((&found.integers, &found.outputs), (&expected.integers, &expected.outputs), "{mode:?}");
        assert_eq!((found.out_of_range, found.seconds.run.len()), (0, runs), "{mode:?}");
        assert_eq!(found.seconds.keygen > 0.0, matches!(mode, Mode::Encrypted(_)));
    }
}

#[test]
fn bad_arrays_are_refused_before_anything_is_encrypted() {
    let parties = Parties::new();
    parties.keygen();
    let refused = |array: &ArrayD<f32>, flags: &str| {
        arrays::save_floats(&parties.client("bad.npy"), array).unwrap();
        let arguments = format!("encrypt client.cml --client-key client.key bad.npy -o bad.ct {flags}");
        parties.refused(&parties.client(""), &arguments, "bad.ct")
    };
    let shape = refused(&ArrayD::zeros(IxDyn(&[2, 4])), "");
    assert!(shape.contains("input x: shape [2, 4], expected [2, 3]"), "{shape}");
    let infinite = refused(&ArrayD::from_elem(IxDyn(&[1, 3]), f32::INFINITY), "");
    assert!(infinite.contains("input x, sample 0: element 0 is inf"), "{infinite}");
    let strict = refused(&inputs(), "--strict");
    assert!(strict.contains("1 input values are outside of the calibrated range"), "{strict}");
    let name = parties.refused(
        &parties.client(""),
        "encrypt client.cml --client-key client.key --input z=x.npy -o bad.ct",
        "bad.ct",
    );
    assert!(name.contains("the program has x"), "{name}");
}

#[test]
fn bad_files_are_refused_and_leave_no_output() {
    let parties = Parties::new();
    parties.keygen();
    parties.encrypt();
    let (client, server) = (parties.client(""), parties.server(""));
    for name in ["eval.key", "x.ct"] {
        std::fs::copy(parties.client(name), parties.server(name)).unwrap();
    }
    let other = whole_program(1);
    other.save(&parties.server("other.cml")).unwrap();
    other.client.unwrap().save(&parties.client("other.cml")).unwrap();

    let run = |arguments: &str| parties.refused(&server, &format!("run {arguments} -o y.ct"), "y.ct");
    assert!(
        run("other.cml --eval-key eval.key x.ct")
            .contains("x.ct: this file of encrypted inputs was made for another program")
    );
    assert!(run("missing.cml --eval-key eval.key x.ct").contains("cannot read missing.cml"));
    assert!(run("model.cml --eval-key x.ct x.ct").contains("x.ct is a file of encrypted inputs"));
    std::fs::copy(parties.client("client.cml"), parties.server("client.cml")).unwrap();
    assert!(
        run("client.cml --eval-key eval.key x.ct")
            .contains("client.cml is a client bundle, expected a program")
    );
    let bytes = std::fs::read(parties.server("x.ct")).unwrap();
    std::fs::write(parties.server("x.ct"), &bytes[..bytes.len() - 3]).unwrap();
    assert!(run("model.cml --eval-key eval.key x.ct").contains("x.ct is truncated"));

    let key = "--client-key client.key";
    let wrong_key = parties.refused(&client, &format!("encrypt other.cml {key} x.npy -o z.ct"), "z.ct");
    assert!(wrong_key.contains("client.key: this client key was made for another program"), "{wrong_key}");
    let not_results = parties.refused(&client, &format!("decrypt client.cml {key} x.ct -o y.npy"), "y.npy");
    assert!(not_results.contains("x.ct is a file of encrypted inputs"), "{not_results}");
    let nowhere = "keygen client.cml --client-key missing/client.key --eval-key new.key";
    assert!(parties.refused(&client, nowhere, "new.key").contains("cannot write missing/client.key"));
}
