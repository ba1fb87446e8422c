//! `cml compare`: a layer that is quantized badly is the one that is named.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::Value;
use support::{Place, data, model};

/// Bits enough for every layer, but for one node.
fn configuration(node: &str, bits: &str) -> String {
    format!(
        r#"{{"version": 1, "options": {{"bits": {{"inputs": 5, "weights": 5, "activations": 5}},
            "node_bits": {{"{node}": {{{bits}}}}}, "effort": "fast"}}}}"#
    )
}

#[test]
fn a_badly_quantized_layer_is_named() {
    let place = Place::new();
    let (network, data) = (model("simple10"), data("simple10"));
    let compare = format!("compare {network} {data}:calibration[0:300] --simulate 2 --config c.json");
    for (node, good, bad) in [
        ("/fc1/Gemm", r#""inputs": 5"#, r#""inputs": 1"#),
        ("/fc2/Gemm", r#""weights": 5"#, r#""weights": 2"#),
    ] {
        place.write("c.json", configuration(node, good));
        let found: Value = serde_json::from_str(&place.succeed(&format!("{compare} --json"))).unwrap();
        assert_eq!(found["first_diverging"], Value::Null, "{found}");
        place.write("c.json", configuration(node, bad));
        let found: Value = serde_json::from_str(&place.succeed(&format!("{compare} --json"))).unwrap();
        assert_eq!(found["first_diverging"], node, "{found}");
        let text = place.succeed(&compare);
        assert!(text.contains(&format!("diverges first  {node}\n")), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }
}

#[test]
fn a_program_is_compared_with_its_network() {
    let place = Place::new();
    place.compile("simple10");
    let (network, data) = (model("simple10"), data("simple10"));
    let text = place.succeed(&format!(
        "compare {network} {data}:x_test[0:60] --program simple10.cml --simulate 3 --json"
    ));
    let found: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&found["samples"], &found["simulated_samples"]), (&60.into(), &3.into()));
    let layers = found["layers"].as_array().unwrap();
    let of = |node: &str| layers.iter().find(|layer| layer["node"] == node).unwrap();
    assert!(of("/fc1/Gemm")["signal_to_noise_db"].as_f64().unwrap() > 0.0);
    assert!(of("/Relu")["clipped"].as_f64().is_some() && of("/Relu")["simulated_sums"].as_u64().unwrap() > 0);
    assert!(layers.iter().all(|layer| layer["simulated_wrong"] == 0), "{text}");
    // The outputs are sums as well, which the client decrypts.
    assert!(of("/fc3/Gemm")["simulated_sums"].as_u64().unwrap() == 6, "{text}");
    place.refuse_with(&format!("compare {network} {data}:y_test --program simple10.cml"), &["input"]);
}
