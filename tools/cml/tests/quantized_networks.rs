//! Networks that bring their quantizers: all exports of brevitas compile without calibration and are exact.
#![allow(clippy::unwrap_used)]

mod support;

use cml_frontend::onnx::proto::Model;
use cml_runtime::arrays::ArraySource;
use prost::Message;
use serde_json::Value;
use support::{Place, data};

const EXPORTS: [&str; 4] = ["qonnx", "cml", "qcdq", "qcdq_dyn"];

/// Compiles an export of a network as it is, to `EXPORT.cml`.
fn compile(place: &Place, network: &str, export: &str) {
    let model = data(network).replace("data.npz", &format!("model_{export}.onnx"));
    place.succeed(&format!("compile {model} -o {export}.cml"));
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

/// The largest difference between two arrays of one shape.
fn furthest(one: &str, other: &str) -> f32 {
    let load = |source: &str| source.parse::<ArraySource>().unwrap().load_floats().unwrap();
    let (one, other) = (load(one), load(other));
    assert_eq!(one.shape(), other.shape());
    one.iter().zip(&other).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max)
}

/// The right answers and the logits of brevitas, as the networks' `meta.json` and `data.npz` tell.
#[test]
fn every_export_gives_what_its_training_gave() {
    for (network, right, samples) in [("qat100_30", 480, 500), ("digits_mlp_qat", 344, 360)] {
        let place = Place::new();
        let data = data(network);
        for export in EXPORTS {
            compile(&place, network, export);
            let output = place.path("y.npy").display().to_string();
            let found: Value = serde_json::from_str(&place.succeed(&format!(
                "predict {export}.cml {data}:x_test --labels {data}:y_test --mode quantized --json -o {output}"
            )))
            .unwrap();
            assert_eq!(
                (&found["correct"], &found["samples"]),
                (&right.into(), &samples.into()),
                "{network} {export}"
            );
            let furthest = furthest(&output, &format!("{data}:logits"));
            assert!(furthest <= 1e-5, "{network} {export}: {furthest}");
        }
    }
}

/// All trainings of the tables' family, in both of their exports: 96.0 %, as brevitas counted.
#[test]
fn every_training_keeps_its_accuracy() {
    let place = Place::new();
    let data = data("seed-table");
    for network in (0..5).flat_map(|number| [format!("{number}"), format!("{number}_qonnx")]) {
        let model = data.replace("data.npz", &format!("qat100_30/{network}.onnx"));
        place.succeed(&format!("compile {model} -o {network}.cml"));
        let found: Value = serde_json::from_str(&place.succeed(&format!(
            "predict {network}.cml {data}:x_test --labels {data}:y_test --mode quantized --json"
        )))
        .unwrap();
        assert_eq!(found["correct"], 480, "{network}");
    }
}

/// Nothing is chosen after training, so no option of it is taken: not on the command line, in a file, by the search or to compare.
#[test]
fn options_that_change_nothing_are_refused() {
    let place = Place::new();
    let data = data("qat100_30");
    let network = data.replace("data.npz", "model_qonnx.onnx");
    let parts = |option: &'static str| [option, "leave", "its own quantizers", "/fc1/Gemm"];
    for option in [
        "--bits 2",
        "--max-accumulator-bits 5",
        "--effort thorough",
        "--steps power-of-two",
        "--granularity tensor",
        "--keep-unfired",
        "--prune 10",
    ] {
        let name = option.split(' ').next().unwrap();
        let given = format!("compile {network} --calibration {data}:calibration {option} -o x.cml");
        place.refuse_with(&given, &parts(name));
    }
    place.refuse_with(
        &format!("compile {network} --bits 2 --effort fast -o x.cml"),
        &["--bits, --effort change nothing here, leave them out"],
    );
    place.write("nodes.json", r#"{"version": 1, "options": {"node_bits": {"/fc9/Gemm": {"weights": 2}}}}"#);
    place.refuse_with(&format!("compile {network} --config nodes.json -o x.cml"), &parts("node_bits"));
    let search = format!("--max-loss 5% --validation {data}:x_test --margin 0 --effort fast");
    place.refuse_with(&format!("compile {network} {search} -o x.cml"), &parts("--effort"));
    place.refuse_with(&format!("compare {network} {data}:x_test[0:20] --bits 4"), &parts("--bits"));
}

/// Writes `qat100_30` as `missing.onnx`, whose second layer reads what the first activation gives, without a quantizer, and whose
/// weights there keep theirs or not.
fn write_without_quantizer(place: &Place, quantized_weights: bool) {
    let path = data("qat100_30").replace("data.npz", "model_qonnx.onnx");
    let mut model = Model::decode(std::fs::read(path).unwrap().as_slice()).unwrap();
    let graph = model.graph.as_mut().unwrap();
    graph.node.retain(|node| node.name != "/q1/act_quant/export_handler/Quant");
    let second = graph.node.iter().position(|node| node.name == "/fc2/Gemm").unwrap();
    graph.node[second].input[0] = "/Relu_output_0".to_owned();
    if !quantized_weights {
        let weights = graph.node[second].input[1].clone();
        let quantizer = graph.node.iter().position(|node| node.output.contains(&weights)).unwrap();
        graph.node[second].input[1] = graph.node[quantizer].input[0].clone();
        graph.node.remove(quantizer);
    }
    place.write("missing.onnx", model.encode_to_vec());
}

/// The message names the layer, and where the quantizer belongs; calibration finds none beside weights that have one.
#[test]
fn a_layer_without_quantizer_is_named() {
    let place = Place::new();
    write_without_quantizer(&place, true);
    let parts = [
        "/fc2/Gemm: its input is not quantized: put a quantizer",
        "between it and what nn.relu (/Relu) gives",
    ];
    place.refuse_with("compile missing.onnx -o missing.cml", &parts);
    let calibration =
        format!("compile missing.onnx --calibration {}:calibration -o missing.cml", data("qat100_30"));
    let parts = [
        "its input is not quantized: put a quantizer",
        "what nn.relu (/Relu) gives",
        "whose weights have none",
    ];
    place.refuse_with(&calibration, &parts);
}

/// With samples, a layer without any quantizers gets some, and the others keep theirs.
#[test]
fn a_layer_without_quantizers_is_calibrated() {
    let place = Place::new();
    write_without_quantizer(&place, false);
    place.refuse_with(
        "compile missing.onnx -o missing.cml",
        &["/fc2/Gemm: its input is not quantized: put a quantizer", "or give --calibration"],
    );
    let data = data("qat100_30");
    let classes = |mode: &str| {
        let found = place.succeed(&format!("predict missing.cml {data}:x_test --json --mode {mode}"));
        serde_json::from_str::<Value>(&found).unwrap()["predictions"].as_array().unwrap().clone()
    };
    for effort in ["fast", "thorough"] {
        place.succeed(&format!(
            "compile missing.onnx --calibration {data}:calibration --bits 6 --effort {effort} -o missing.cml"
        ));
        let (quantized, float) = (classes("quantized"), classes("float --model missing.onnx"));
        let equal = quantized.iter().zip(&float).filter(|(one, other)| one == other).count();
        assert!(equal >= 490, "{effort}: {equal} of {}", float.len());
    }
}

fn is_exact_encrypted(place: &Place, network: &str, export: &str) {
    compile(place, network, export);
    let found = predict(place, network, export, ("fhe", 3));
    assert_eq!(found["equal_to_quantized"], 3, "{network} {export}: {found}");
    println!("{network} {export}: {}", found["seconds"]);
}

#[test]
fn exports_are_exact_encrypted() {
    let place = Place::new();
    is_exact_encrypted(&place, "qat100_30", "qonnx");
    is_exact_encrypted(&place, "digits_mlp_qat", "qcdq");
}

#[test]
#[ignore = "slow: encrypted inferences"]
fn every_export_is_exact_encrypted() {
    for network in ["qat100_30", "digits_mlp_qat"] {
        let place = Place::new();
        for export in EXPORTS {
            is_exact_encrypted(&place, network, export);
        }
    }
}
