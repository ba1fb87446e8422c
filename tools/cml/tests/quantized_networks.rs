//! Networks that bring their quantizers: all exports of brevitas compile without calibration and are exact.
#![allow(clippy::unwrap_used)]

mod support;

use cml_frontend::onnx::proto::Model;
use prost::Message;
use serde_json::Value;
use support::{Place, data};

const EXPORTS: [&str; 4] = ["qonnx", "cml", "qcdq", "qcdq_dyn"];

/// Compiles an export of a network as it is, to `EXPORT.cml`.
fn compile(place: &Place, network: &str, export: &str) {
    let model = data(network).replace("data.npz", &format!("model_{export}.onnx"));
    let ended = place.cml(&format!("compile {model} -o {export}.cml"));
    assert_eq!(ended.status, Some(0), "{network} {export}: {}", ended.stderr);
}

fn predict(place: &Place, network: &str, export: &str, (mode, samples): (&str, usize)) -> Value {
    let data = data(network);
    let rows = format!("[0:{samples}]");
    let ended = place.cml(&format!(
        "predict {export}.cml {data}:x_test{rows} --labels {data}:y_test{rows} --mode {mode} --json"
    ));
    assert_eq!(ended.status, Some(0), "{network} {export}: {}", ended.stderr);
    serde_json::from_str(&ended.stdout).unwrap()
}

/// The right answers of brevitas, as the networks' `meta.json` tells.
#[test]
fn every_export_has_the_accuracy_of_its_training() {
    for (network, right, samples) in [("qat100_30", 480, 500), ("digits_mlp_qat", 344, 360)] {
        let place = Place::new();
        for export in EXPORTS {
            compile(&place, network, export);
            let found = predict(&place, network, export, ("quantized", samples));
            let accuracy = found["accuracy"].as_f64().unwrap();
            assert!(
                (accuracy * samples as f64 - f64::from(right)).abs() < 1e-6,
                "{network} {export}: {found}"
            );
        }
    }
}

/// The message names the layer, and where the quantizer belongs.
#[test]
fn a_layer_without_quantizer_is_named() {
    let place = Place::new();
    let path = data("qat100_30").replace("data.npz", "model_qonnx.onnx");
    let mut model = Model::decode(std::fs::read(path).unwrap().as_slice()).unwrap();
    let graph = model.graph.as_mut().unwrap();
    // Without its quantizer, the second layer reads what the first activation gives.
    graph.node.retain(|node| node.name != "/q1/act_quant/export_handler/Quant");
    let second = graph.node.iter_mut().find(|node| node.name == "/fc2/Gemm").unwrap();
    second.input[0] = "/Relu_output_0".to_owned();
    place.write("missing.onnx", model.encode_to_vec());
    place.refuse_with(
        "compile missing.onnx -o missing.cml",
        &[
            "/fc2/Gemm: its input is not quantized: put a quantizer",
            "between it and what nn.relu (/Relu) gives",
        ],
    );
}

#[test]
#[ignore = "slow: encrypted inferences"]
fn every_export_is_exact_encrypted() {
    for network in ["qat100_30", "digits_mlp_qat"] {
        let place = Place::new();
        for export in EXPORTS {
            compile(&place, network, export);
            let found = predict(&place, network, export, ("fhe", 3));
            assert_eq!(found["equal_to_quantized"], 3, "{network} {export}: {found}");
        }
    }
}
