//! The bundled networks, encrypted: exact on real samples. Slow: `cargo test --release -p cml -- --ignored`.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::Value;
use support::{Place, data};

/// Runs the first samples of a network encrypted; all must equal the quantized function.
fn is_exact(network: &str, samples: usize) {
    let place = Place::new();
    place.compile(network);
    let data = data(network);
    let arguments =
        format!("predict {network}.cml {data}:x_test[0:{samples}] --labels {data}:y_test[0:{samples}]");
    let ended = place.cml(&format!("{arguments} --mode fhe --json"));
    assert_eq!(ended.status, Some(0), "{network}: {}", ended.stderr);
    let found: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(
        (&found["equal_to_quantized"], &found["out_of_range"]),
        (&samples.into(), &0.into()),
        "{network}"
    );
    println!("{network}: {found}");
}

#[test]
#[ignore = "slow: 80 encrypted inferences"]
fn small_networks_are_exact() {
    for network in ["simple10", "simple30", "pruned100_10", "pruned100_30"] {
        is_exact(network, 20);
    }
}

#[test]
#[ignore = "slow: encrypted inferences of wide accumulators"]
fn wide_networks_are_exact() {
    is_exact("simple100", 3);
    is_exact("digits_mlp", 1);
}

/// Compiles `digits_mlp` with weights of 8 bits: accumulators of 15 bits.
fn compile_with_wide_weights(place: &Place) {
    let data = data("digits_mlp");
    let model = data.replace("data.npz", "model.onnx");
    place.succeed(&format!(
        "compile {model} --calibration {data}:calibration --bits inputs=3,weights=8,activations=3 \
         --p-error-per-lookup 2^-40 -o digits_mlp.cml"
    ));
}

#[test]
#[ignore = "slow: encrypted inferences of wide accumulators"]
fn a_network_of_fifteen_bits_is_exact() {
    let place = Place::new();
    compile_with_wide_weights(&place);
    let found = place
        .succeed(&format!("predict digits_mlp.cml {}:x_test[0:2] --mode fhe --json", data("digits_mlp")));
    let found: Value = serde_json::from_str(&found).unwrap();
    assert_eq!(found["equal_to_quantized"], 2, "{found}");
}

#[test]
fn a_network_of_fifteen_bits_runs_simulated() {
    let place = Place::new();
    compile_with_wide_weights(&place);
    let report: Value = serde_json::from_str(&place.succeed("inspect digits_mlp.cml --json")).unwrap();
    assert_eq!(report["max_accumulator_bits"], 15, "{report}");
    let data = data("digits_mlp");
    let found = place.succeed(&format!("predict digits_mlp.cml {data}:x_test[0:40] --mode simulate --json"));
    let found: Value = serde_json::from_str(&found).unwrap();
    assert_eq!(found["equal_to_quantized"], 40, "{found}");
}

#[test]
fn a_network_of_ten_bits_runs_quantized_and_simulated() {
    let place = Place::new();
    place.compile("digits_mlp");
    let data = data("digits_mlp");
    for (mode, samples) in [("quantized", 360), ("simulate", 40)] {
        let arguments =
            format!("predict digits_mlp.cml {data}:x_test[0:{samples}] --labels {data}:y_test[0:{samples}]");
        let ended = place.cml(&format!("{arguments} --mode {mode} --json"));
        assert_eq!(ended.status, Some(0), "{}", ended.stderr);
        let found: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(found["equal_to_quantized"], samples);
        assert!(found["accuracy"].as_f64().unwrap() > 0.9, "{found}");
    }
}
