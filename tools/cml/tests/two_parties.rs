//! Client and server in folders of their own: what each holds, and what they make of it.
#![allow(clippy::unwrap_used)]

mod support;

use cml_runtime::program::message::{Action, Linear, Program};
use prost::Message;
use std::path::Path;
use support::{Place, data};

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (path.display().to_string(), std::fs::read(&path).unwrap())).collect()
}

#[test]
fn neither_party_has_what_the_other_keeps() {
    let place = Place::new();
    for folder in ["client", "server"] {
        std::fs::create_dir(place.path(folder)).unwrap();
    }
    place.compile("simple10");
    std::fs::rename(place.path("simple10.cml"), place.path("server/model.cml")).unwrap();
    let step = |folder: &str, arguments: &str| {
        let ended = place.cml_in(folder, arguments);
        assert_eq!(ended.status, Some(0), "cml {arguments}\n{}", ended.stderr);
    };
    let hand_over = |from: &str, to: &str| std::fs::rename(place.path(from), place.path(to)).unwrap();
    let x = format!("{}:x_test[3:5]", data("simple10"));
    step("server", "export-client model.cml -o client.cml");
    hand_over("server/client.cml", "client/client.cml");
    step("client", "keygen client.cml --client-key client.key --eval-key eval.key");
    hand_over("client/eval.key", "server/eval.key");
    step("client", &format!("encrypt client.cml --client-key client.key {x} -o x.ct"));
    hand_over("client/x.ct", "server/x.ct");
    step("server", "run model.cml --eval-key eval.key x.ct -o y.ct");
    // The server keeps a copy: what it holds is looked at below.
    std::fs::copy(place.path("server/y.ct"), place.path("client/y.ct")).unwrap();
    step("client", "decrypt client.cml --client-key client.key y.ct -o y.npy");
    place.succeed(&format!("predict server/model.cml {x} --mode quantized -o expected.npy"));
    assert_eq!(place.bytes("client/y.npy"), place.bytes("expected.npy"));

    let key = place.bytes("client/client.key");
    let secret = &key[key.len() - 64..];
    assert!(files(&place.path("client")).iter().any(|(_, bytes)| contains(bytes, secret)));
    for (name, bytes) in files(&place.path("server")) {
        assert!(!contains(&bytes, secret), "{name} holds the secret key");
    }
    let program = Program::load(&place.path("server/model.cml")).unwrap();
    let model = place.bytes("server/model.cml");
    let mut looked_at = 0;
    for step in program.server.unwrap().steps {
        let Some(Action::Linear(linear)) = step.action else { continue };
        if linear.weights.len() < 16 {
            continue;
        }
        // As they are written in a file, without the field's number and length.
        let weights = Linear { weights: linear.weights.clone(), ..Linear::default() }.encode_to_vec();
        let weights = &weights[weights.len() - linear.weights.len()..];
        assert!(contains(&model, weights), "{}", step.node);
        for (name, bytes) in files(&place.path("client")) {
            assert!(!contains(&bytes, weights), "{name} holds the weights of {}", step.node);
        }
        looked_at += 1;
    }
    assert!(looked_at > 0);
}
