//! Key and ciphertext files: what is written comes back, what is damaged or of another program is refused.
// What fails in a helper of a test fails the test.
#![allow(clippy::unwrap_used)]

mod crypto_support;

use cml_runtime::client::{
    ClientKey, EncryptedInputs, EncryptedOutputs, Error, EvaluationKey, Randomness, decrypt, encrypt,
};
use cml_runtime::parameters::{key_sets, outputs};
use cml_runtime::program::message::{Client, Program};
use cml_runtime::server::{CheckedServer, ServerKey};
use crypto_support::whole_program;
use std::path::{Path, PathBuf};

struct Files {
    folder: tempfile::TempDir,
    client: Client,
    other: Client,
}

const SAMPLES: [[i64; 3]; 2] = [[3, -4, 2], [-1, 0, 1]];

impl Files {
    /// All four files of one program.
    fn new(program: &Program) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let client = program.client.clone().unwrap();
        let mut randomness = Randomness::from_seed([5; 32]);
        let key = ClientKey::generate(&client, &mut randomness).unwrap();
        let evaluation = key.evaluation_key(&mut randomness);
        let samples: Vec<_> = SAMPLES.iter().map(|sample| vec![sample.to_vec()]).collect();
        let inputs = encrypt(&key, &client, &samples, &mut randomness).unwrap();
        let server = CheckedServer::new(program.server.as_ref().unwrap()).unwrap();
        let outputs = server.run_encrypted(&ServerKey::prepare(&evaluation), &inputs, &|_| {}).unwrap();
        let files = Self { folder, client, other: whole_program(1).client.unwrap() };
        key.save(&files.path("client.key")).unwrap();
        evaluation.save(&files.path("eval.key")).unwrap();
        inputs.save(&files.path("x.ct")).unwrap();
        outputs.save(&files.path("y.ct")).unwrap();
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Reads a file as what its name says.
    fn load(name: &str, path: &Path, client: &Client) -> Result<(), Error> {
        let (hash, parameters) = (client.hash()?, client.parameter_sets()?);
        match name {
            "client.key" => ClientKey::load(path, client).map(drop),
            "eval.key" => EvaluationKey::load(path, &hash, parameters).map(drop),
            "x.ct" => EncryptedInputs::load(path, &hash, &client.inputs).map(drop),
            _ => EncryptedOutputs::load(path, client).map(drop),
        }
    }

    /// What is said of a damaged copy; the file is named.
    fn refused(&self, name: &str, content: &[u8]) -> String {
        let path = self.path("damaged");
        std::fs::write(&path, content).unwrap();
        let message = Self::load(name, &path, &self.client).expect_err(name).to_string();
        assert!(message.contains("damaged"), "{message}");
        message
    }
}

const NAMES: [&str; 4] = ["client.key", "eval.key", "x.ct", "y.ct"];

#[test]
fn keys_and_ciphertexts_survive_files() {
    let program = whole_program(0);
    let files = Files::new(&program);
    let client = &files.client;
    let key = ClientKey::load(&files.path("client.key"), client).unwrap();
    let (hash, parameters) = (client.hash().unwrap(), client.parameter_sets().unwrap());
    let evaluation = EvaluationKey::load(&files.path("eval.key"), &hash, parameters).unwrap();
    let inputs = EncryptedInputs::load(&files.path("x.ct"), &hash, &client.inputs).unwrap();
    let server = CheckedServer::new(program.server.as_ref().unwrap()).unwrap();
    let again = server.run_encrypted(&ServerKey::prepare(&evaluation), &inputs, &|_| {}).unwrap();
    let stored = EncryptedOutputs::load(&files.path("y.ct"), client).unwrap();
    let expected: Vec<_> =
        SAMPLES.iter().map(|sample| server.run_clear(&[sample.to_vec()]).unwrap()).collect();
    for outputs in [again, stored] {
        assert_eq!(decrypt(&key, client, &outputs).unwrap().samples, expected);
    }
}

/// What the report promises, and some bytes around it.
#[test]
fn files_are_as_small_as_promised() {
    let files = Files::new(&whole_program(0));
    let client = &files.client;
    let samples = SAMPLES.len() as u64;
    let output = &client.outputs[0];
    let of_sample = outputs::bytes(2, output.returned.as_ref(), &client.parameters);
    assert!(of_sample < 5000, "two values take {of_sample} bytes");
    let expected = [
        ("eval.key", key_sets::eval_key_bytes(&client.parameters)),
        ("x.ct", 8 + samples * (16 + 3 * 8)),
        ("y.ct", 8 + samples * of_sample),
    ];
    for (name, content) in expected {
        let size = std::fs::metadata(files.path(name)).unwrap().len();
        assert!((content..content + 128).contains(&size), "{name} has {size} bytes, {content} of content");
    }
    // At least an eighth is saved over whole words.
    let words = client.parameters[0].bootstrap_key_words() * 8;
    assert!(key_sets::eval_key_bytes(&client.parameters) * 8 < words * 7);
}

#[test]
fn damaged_files_are_refused() {
    let files = Files::new(&whole_program(0));
    for name in NAMES {
        let bytes = std::fs::read(files.path(name)).unwrap();
        // The evaluation key has tens of megabytes: a few places of it must do.
        let step = if name == "eval.key" { bytes.len() / 9 } else { 97 };
        for place in (0..bytes.len()).step_by(step) {
            let mut flipped = bytes.clone();
            flipped[place] ^= 1 << (place % 8);
            files.refused(name, &flipped);
        }
        for length in [0, 7, 8, 30, 55, 56, 57, bytes.len() / 2, bytes.len() - 1] {
            files.refused(name, &bytes[..length]);
        }
        files.refused(name, &[bytes.as_slice(), &[0]].concat());
    }
}

#[test]
fn files_of_another_program_or_kind_are_refused() {
    let files = Files::new(&whole_program(0));
    for name in NAMES {
        let message = Files::load(name, &files.path(name), &files.other).unwrap_err().to_string();
        assert!(message.contains(name) && message.contains("made for another program"), "{message}");
        let wrong = NAMES[(NAMES.iter().position(|other| *other == name).unwrap() + 1) % 4];
        let message = Files::load(name, &files.path(wrong), &files.client).unwrap_err().to_string();
        assert!(message.contains(wrong) && message.contains("expected a"), "{message}");
    }
}

#[test]
fn sizes_that_do_not_fit_the_program_are_refused() {
    let files = Files::new(&whole_program(0));
    // The same hash, other dimensions: what a forged bundle could say.
    let mut forged = files.client.clone();
    forged.parameters[0].lwe_dimension += 8;
    forged.inputs[0].lo.push(0);
    forged.outputs[0].lo.pop();
    for name in NAMES {
        let message = Files::load(name, &files.path(name), &forged).unwrap_err().to_string();
        assert!(message.contains("bytes of content, this program needs"), "{name}: {message}");
    }
    forged.parameters[0].polynomial_size = u32::MAX;
    assert!(ClientKey::load(&files.path("client.key"), &forged).is_err());
}

#[test]
fn no_keys_are_made_for_an_unsafe_program() {
    let client = whole_program(0).client.unwrap();
    let refused = |change: &dyn Fn(&mut Client)| {
        let mut client = client.clone();
        change(&mut client);
        let result = ClientKey::generate(&client, &mut Randomness::from_seed([0; 32]));
        result.err().map(|error| error.to_string()).unwrap()
    };
    let weak = refused(&|client| client.parameters[0].lwe_std_dev /= 8.0);
    assert!(weak.contains("bits of security"), "{weak}");
    let failing = refused(&|client| client.p_error_log2 = Some(-3000.0));
    assert!(failing.contains("one inference fails with probability"), "{failing}");
    let silent = refused(&|client| client.events.clear());
    assert!(silent.contains("states no failure events"), "{silent}");
}
