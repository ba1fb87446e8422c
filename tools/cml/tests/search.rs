//! The search for bits: what it promises, what it writes, and what it refuses. Slow ones: `cargo test --release -p cml --test search --
//! --ignored`.
#![allow(clippy::unwrap_used)]

mod support;

use cml_runtime::program::message::Program;
use support::{Place, data, model};

/// Samples, labels and calibration of a network, for a search with the cheapest scales.
fn search(network: &str, rest: &str) -> String {
    let data = data(network);
    format!(
        "compile {} --calibration {data}:calibration --effort fast --validation {data}:x_test[0:250] {rest} -o found.cml",
        model(network)
    )
}

fn labelled(network: &str) -> String {
    format!("--labels {}:y_test[0:250]", data(network))
}

#[test]
fn what_is_found_keeps_the_target_and_is_recorded() {
    let place = Place::new();
    let labels = labelled("simple10");
    let compile = search("simple10", &format!("--max-loss 2% {labels} --save-config found.json"));
    let table = place.succeed(&compile);
    let taken = table.lines().find(|line| line.ends_with("<- taken")).unwrap();
    let predict = format!("predict found.cml {}:x_test[0:250] {labels} --json", data("simple10"));
    let accuracy = |mode: &str| -> f64 {
        let json = place.succeed(&format!("{predict} --mode {mode}"));
        serde_json::from_str::<serde_json::Value>(&json).unwrap()["accuracy"].as_f64().unwrap()
    };
    let quantized = accuracy("quantized");
    let float = accuracy(&format!("float --model {}", model("simple10")));
    assert!(quantized >= float - 0.02, "{quantized} {float}");
    assert!(taken.contains(&format!("{:.1} %", 100.0 * quantized)), "{taken}");
    // The same again, from the bits that were written and from what the program records.
    let found = Program::load(&place.path("found.cml")).unwrap();
    place.succeed(&format!("verify found.cml {}", model("simple10")));
    let calibration = format!("--calibration {}:calibration", data("simple10"));
    place.succeed(&format!("compile {} {calibration} --config found.json -o again.cml", model("simple10")));
    assert!(place.bytes("found.cml") == place.bytes("again.cml"));
    assert!(found.configuration.contains("node_bits") && found.configuration.contains("/fc2/Gemm"));
    assert_eq!(place.succeed(&compile), table);
}

/// The default search on one half of the test samples, measured on the other.
#[test]
#[ignore = "slow: two searches of minutes"]
fn what_is_found_holds_on_other_samples() {
    for (network, half, all) in [("simple10", 250, 500), ("digits_mlp", 180, 360)] {
        let place = Place::new();
        let (model, data) = (model(network), data(network));
        place.succeed(&format!(
            "compile {model} --calibration {data}:calibration --max-loss 2% --validation {data}:x_test[0:{half}] \
             --labels {data}:y_test[0:{half}] -o found.cml"
        ));
        let rows = format!("[{half}:{all}]");
        let accuracy = |mode: &str| {
            let json = place.succeed(&format!(
                "predict found.cml {data}:x_test{rows} --labels {data}:y_test{rows} --json --mode {mode}"
            ));
            serde_json::from_str::<serde_json::Value>(&json).unwrap()["accuracy"].as_f64().unwrap()
        };
        let (quantized, float) = (accuracy("quantized"), accuracy(&format!("float --model {model}")));
        println!("{network}: {quantized:.3}, float {float:.3}");
        assert!(quantized >= float - 0.02, "{network}: {quantized} {float}");
    }
}

#[test]
fn without_labels_decisions_are_those_of_float() {
    let place = Place::new();
    let table = place.succeed(&search("simple10", "--max-loss 20% --margin 0"));
    let taken = table.lines().find(|line| line.ends_with("<- taken")).unwrap();
    let numbers: Vec<f64> = taken.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [seconds, agreement, loss, ..] = numbers[..] else { panic!("{taken}") };
    assert!(seconds > 0.0 && agreement >= 80.0 && (agreement + loss - 100.0).abs() < 0.11, "{taken}");
}

#[test]
fn a_target_out_of_reach_names_the_best() {
    let place = Place::new();
    let labels = labelled("simple10");
    let parts = ["none keeps", "accuracy of at least 99.0 %", "the best one", "predicted", "/fc1/Gemm"];
    place.refuse_with(&search("simple10", &format!("--accuracy-target 0.99 {labels}")), &parts);
}

#[test]
fn a_network_with_its_own_quantizers_is_checked() {
    let place = Place::new();
    let data = data("qat100_30");
    let network = data.replace("data.npz", "model_qcdq_dyn.onnx");
    let compile = |goal: &str| {
        let validation = format!("--validation {data}:x_test[0:250] --labels {data}:y_test[0:250]");
        format!("compile {network} {goal} {validation} -o qat.cml")
    };
    let said = place.succeed(&compile("--max-loss 2%"));
    assert!(said.contains("own quantizers") && said.contains("loss 0.0"), "{said}");
    place.refuse_with(&compile("--accuracy-target 0.999"), &["own quantizers", "99.9 %", "loss 0.0"]);
}

#[test]
fn what_a_search_needs() {
    let place = Place::new();
    let labels = labelled("simple10");
    let refuse = |rest: &str, parts: &[&str]| place.refuse_with(&search("simple10", rest), parts);
    let few = format!("--labels {}:y_test[0:249]", data("simple10"));
    refuse(&format!("--max-loss 2% {few}"), &["249 labels", "250 validation samples"]);
    refuse("--max-loss 0.1%", &["250 validation samples beside 500", "too few", "2761"]);
    place.floats("wide.npy", &[4, 3], &[0.0; 12]);
    let network = model("simple10");
    place.refuse_with(
        &format!("compile {network} --max-loss 2% --validation wide.npy -o x.cml"),
        &["validation data", "[4, 3]"],
    );
    let validation = format!("--validation {}:x_test", data("simple10"));
    place.refuse_with(&format!("compile {network} --max-loss 2% {validation} -o x.cml"), &["--calibration"]);
    for usage in [
        format!("compile {network} --max-loss 2% -o x.cml"),
        format!("compile {network} --accuracy-target 0.8 {validation} -o x.cml"),
        format!("compile {network} --max-loss 2% --bits 3 {validation} -o x.cml"),
        format!("compile {network} --max-loss 2 {validation} {labels} -o x.cml"),
    ] {
        assert_eq!(place.cml(&usage).status, Some(2), "{usage}");
    }
}
