//! Whole models: structure, names, options, damaged files, and the networks that the tests of all crates share.
#![allow(clippy::unwrap_used)]

mod common;

use cml_frontend::onnx::proto::{DataType, Dimension, Extent, Model, OperatorSet, Tensor};
use cml_frontend::{ImportError, ImportOptions, import};
use cml_runtime::arrays::ArraySource;
use cml_runtime::reference::message::Op;
use cml_runtime::reference::{Evaluator, Value};
use common::{NodeExt, float_tensor, floats, info, int_tensor, model, node, refusal, run, try_import};
use proptest::prelude::*;
use prost::Message;
use std::path::{Path, PathBuf};

const NETWORKS: [&str; 6] =
    ["simple10", "simple30", "simple100", "pruned100_10", "pruned100_30", "digits_mlp"];

fn network(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../lit-tests/models").join(name)
}

/// The logits in the data are those of the framework that trained the network.
#[test]
fn networks_give_the_logits_of_their_training() {
    for name in NETWORKS {
        let imported = import(&network(name).join("model.onnx"), &ImportOptions::default()).unwrap();
        let array = |array: &str| {
            let source = ArraySource {
                path: network(name).join("data.npz"),
                name: Some(array.to_owned()),
                rows: None,
            };
            source.load_floats().unwrap()
        };
        let (samples, logits) = (array("x_test"), array("logits"));
        let evaluator = Evaluator::new(&imported.graph).unwrap();
        assert!(samples.shape()[0] >= 360);
        for (sample, expected) in samples.outer_iter().zip(logits.outer_iter()) {
            let sample = sample.insert_axis(ndarray::Axis(0)).to_owned();
            let found = evaluator.run(&[Value::from(sample)]).unwrap().swap_remove(0);
            let found = found.as_floats().unwrap();
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() <= 1e-5 * expected.abs().max(1.0), "{name}");
            }
        }
    }
}

#[test]
fn networks_become_functions_with_names_as_locations() {
    let imported = import(&network("simple10").join("model.onnx"), &ImportOptions::default()).unwrap();
    assert_eq!(imported.name, "model");
    let names: Vec<&str> = imported.graph.nodes.iter().map(|node| node.name.as_str()).collect();
    let layers: Vec<&str> = names.iter().copied().filter(|name| name.starts_with("/fc")).collect();
    assert_eq!(layers.len(), 3, "{names:?}");
    let context = cml_dialects::context();
    let module = imported.build(&context).unwrap();
    use melior::ir::operation::OperationLike;
    assert!(module.as_operation().verify());
    let text = module.as_operation().to_string();
    assert_eq!(text.matches("nn.gemm").count(), 3, "{text}");
}

fn dynamic(model: &mut Model, symbols: &[&str]) {
    let graph = model.graph.as_mut().unwrap();
    let tensor = graph.input[0].r#type.as_mut().unwrap().tensor_type.as_mut().unwrap();
    let symbol = |symbol: &&str| Dimension { value: Some(Extent::Symbol((*symbol).to_owned())) };
    tensor.shape.as_mut().unwrap().dim = symbols.iter().map(symbol).collect();
}

#[test]
fn the_batch_is_one_and_other_extents_are_options() {
    let mut relu = model(13, &[], &[], &[node("Relu", &["x"])]);
    dynamic(&mut relu, &["batch"]);
    assert_eq!(run(&relu, &[-1.0]), [floats(&[1], &[0.0])]);
    dynamic(&mut relu, &["batch", "length"]);
    assert_eq!(refusal(&relu), "graph input x has no fixed extent for axis 1; give one as length=VALUE");
    let options = ImportOptions { dims: [("length".to_owned(), 3)].into() };
    let imported = cml_frontend::import_bytes(&relu.encode_to_vec(), "relu", &options).unwrap();
    assert_eq!(imported.graph.inputs[0].shape, [1, 3]);
    assert_eq!(ImportOptions::dim("x[1]=3"), Ok(("x[1]".to_owned(), 3)));
    for text in ["length", "length=", "length=0", "length=-1"] {
        assert!(ImportOptions::dim(text).is_err(), "{text}");
    }
}

#[test]
fn several_inputs_and_outputs_keep_their_names() {
    let mut both = model(
        13,
        &[1, 2],
        &[],
        &[node("Add", &["x", "z"]).outputs(&["sum"]), node("Relu", &["sum"]).outputs(&["y"])],
    );
    let graph = both.graph.as_mut().unwrap();
    graph.input.push(info("z", DataType::Float, &[1, 1]));
    graph.output = ["y", "x", "sum"].map(|name| info(name, DataType::Float, &[])).into();
    let imported = try_import(&both).unwrap().graph;
    assert_eq!(imported.inputs.iter().map(|port| port.name.as_str()).collect::<Vec<_>>(), ["x", "z"]);
    assert_eq!(imported.output_names, ["y", "x", "sum"]);
    let results = imported.run(&[floats(&[1, 2], &[1.0, -3.0]), floats(&[1, 1], &[1.0])]).unwrap();
    let expected = [[2.0, 0.0], [1.0, -3.0], [2.0, -2.0]].map(|row| floats(&[1, 2], &row));
    assert_eq!(results, expected);
    let graph = both.graph.as_mut().unwrap();
    graph.output.push(graph.output[0].clone());
    assert!(refusal(&both).contains("the name y is given twice"));
}

#[test]
fn initializers_may_be_listed_as_inputs() {
    let mut listed = model(7, &[1, 2], &[float_tensor("a", &[2], &[1.0, 2.0])], &[node("Add", &["x", "a"])]);
    listed.graph.as_mut().unwrap().input.push(info("a", DataType::Float, &[2]));
    assert_eq!(run(&listed, &[1.0, 1.0]), [floats(&[1, 2], &[2.0, 3.0])]);
}

#[test]
fn constants_are_computed_at_import() {
    let nodes = [
        node("Mul", &["a", "a"]).outputs(&["squares"]),
        node("Relu", &["squares"]).outputs(&["k"]),
        node("Conv", &["x"]).outputs(&["nobody_reads_this"]),
        node("Add", &["x", "k"]).outputs(&["s"]),
        node("Add", &["s", "k"]).outputs(&["y"]),
    ];
    let folded = model(13, &[1, 2], &[float_tensor("a", &[2], &[3.0, -2.0])], &nodes);
    let graph = try_import(&folded).unwrap().graph;
    let ops: Vec<&str> = graph.nodes.iter().map(|node| node.op.as_ref().unwrap().name()).collect();
    assert_eq!(ops, ["Constant", "Add", "Add"]);
    assert_eq!(graph.nodes[0].name, "k");
    let constant = model(13, &[1, 2], &[float_tensor("y", &[2], &[3.0, -2.0])], &[]);
    let mut constant = constant;
    constant.graph.as_mut().unwrap().output = vec![info("y", DataType::Float, &[2])];
    let graph = try_import(&constant).unwrap().graph;
    assert!(matches!(graph.nodes[0].op, Some(Op::Constant(_))));
    assert_eq!(graph.run(&[floats(&[1, 2], &[0.0; 2])]).unwrap(), [floats(&[2], &[3.0, -2.0])]);
}

#[test]
fn names_of_folded_constants_do_not_collide() {
    let nodes = [
        node("Dropout", &["a"]).outputs(&["d", "d.1"]),
        node("Add", &["x", "d"]).outputs(&["s"]),
        node("Add", &["s", "b"]).outputs(&["y"]),
    ];
    let initializers = [float_tensor("a", &[2], &[1.0, 2.0]), float_tensor("b", &[2], &[10.0, 20.0])];
    let folded = model(9, &[1, 2], &initializers, &nodes);
    assert_eq!(run(&folded, &[0.0, 0.0]), [floats(&[1, 2], &[11.0, 22.0])]);
}

#[test]
fn what_is_not_supported_is_named() {
    let misspelled = model(13, &[1, 2], &[], &[node("Gem", &["x"])]);
    let message = refusal(&misspelled);
    assert_eq!(message, "the_Gem: operator Gem (opset 13) is not supported; nearest supported: Gemm");
    let mut foreign = node("Relu", &["x"]);
    foreign.domain = "com.example".to_owned();
    foreign.name.clear();
    let mut model_of_it = model(13, &[1, 2], &[], &[foreign]);
    model_of_it.opset_import.push(OperatorSet { domain: "com.example".to_owned(), version: 3 });
    assert!(refusal(&model_of_it).starts_with("Relu_0: operator com.example::Relu (com.example opset 3)"));
    for opset in [6, 29, 0, i64::MIN] {
        let refused = refusal(&model(opset, &[1], &[], &[node("Relu", &["x"])]));
        assert!(
            refused.starts_with(&format!("test uses opset {opset}, opsets 7 to 28 are read")),
            "{refused}"
        );
    }
    let spare = model(13, &[1, 2], &[], &[node("Relu", &["x"]).outputs(&["y", "z"])]);
    assert!(refusal(&spare).contains("it has 2 outputs, the operator has 1"));
    let left_out = model(13, &[1, 2], &[], &[node("Add", &["", "x"])]);
    assert_eq!(refusal(&left_out), "the_Add (Add, opset 13): input 0 (A) is missing");
}

#[test]
fn files_that_are_no_models_are_refused() {
    let refused = |bytes: &[u8]| {
        cml_frontend::import_bytes(bytes, "x.onnx", &ImportOptions::default()).unwrap_err().to_string()
    };
    assert_eq!(refused(b""), "x.onnx is not an ONNX model, or it is damaged: it has no opset");
    assert!(refused(b"hello, world").starts_with("x.onnx is not an ONNX model, or it is damaged: "));
    let mut graphless = model(13, &[1], &[], &[]);
    graphless.graph = None;
    assert!(refused(&graphless.encode_to_vec()).ends_with("it has no graph"));
    let missing = import(Path::new("no/such.onnx"), &ImportOptions::default()).unwrap_err();
    assert!(missing.to_string().starts_with("cannot read no/such.onnx: "));
}

#[test]
fn weights_may_be_in_another_file_of_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let entry = |key: &str, value: &str| cml_frontend::onnx::proto::Entry {
        key: key.to_owned(),
        value: value.to_owned(),
    };
    let stored = |location| Tensor {
        name: "a".to_owned(),
        dims: vec![2],
        data_type: DataType::Float as i32,
        data_location: 1,
        external_data: vec![entry("location", location), entry("offset", "4")],
        ..Tensor::default()
    };
    let bytes: Vec<u8> = [9.0f32, 1.0, 2.0].iter().flat_map(|x| x.to_le_bytes()).collect();
    std::fs::write(folder.path().join("w.bin"), bytes).unwrap();
    let path = folder.path().join("model.onnx");
    let read = |location| {
        let add = model(13, &[1, 2], &[stored(location)], &[node("Add", &["x", "a"])]);
        std::fs::write(&path, add.encode_to_vec()).unwrap();
        import(&path, &ImportOptions::default())
    };
    let graph = read("w.bin").unwrap().graph;
    assert_eq!(graph.run(&[floats(&[1, 2], &[0.0; 2])]).unwrap(), [floats(&[1, 2], &[1.0, 2.0])]);
    let refused = read("../w.bin").unwrap_err();
    assert!(matches!(&refused, ImportError::Initializer { name, .. } if name == "a"));
    assert!(refused.to_string().ends_with("which is not inside the model's folder"), "{refused}");
}

fn sound_model() -> Model {
    let initializers = [
        float_tensor("w", &[2, 2], &[1.0, 2.0, 3.0, 4.0]),
        float_tensor("c", &[2], &[0.5, 0.25]),
        int_tensor("s", &[0, -1]),
    ];
    let nodes = [
        node("Gemm", &["x", "w", "c"]).int("transB", 1).outputs(&["h"]),
        node("LeakyRelu", &["h"]).float("alpha", 0.1).outputs(&["r"]),
        node("Reshape", &["r", "s"]).outputs(&["f"]),
        node("Softmax", &["f"]),
    ];
    let mut model = model(13, &[], &initializers, &nodes);
    dynamic(&mut model, &["N"]);
    let graph = model.graph.as_mut().unwrap();
    let tensor = graph.input[0].r#type.as_mut().unwrap().tensor_type.as_mut().unwrap();
    let extent = Dimension { value: Some(Extent::Fixed(2)) };
    tensor.shape.as_mut().unwrap().dim.push(extent);
    model
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

    /// A damaged model is refused, or means something else; it never brings the compiler down.
    #[test]
    fn damaged_models_never_panic(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut bytes = sound_model().encode_to_vec();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(imported) = cml_frontend::import_bytes(&bytes, "damaged", &ImportOptions::default()) {
            let types = imported.graph.types().unwrap();
            let inputs: Vec<Value> = types[..imported.graph.inputs.len()]
                .iter()
                .filter(|found| found.element_count() < 1000)
                .filter_map(|found| Value::floats(&found.shape, vec![0.5; found.element_count()]).ok())
                .collect();
            drop(imported.graph.run(&inputs));
        }
    }
}

#[test]
fn the_model_that_is_damaged_is_sound() {
    let y = run(&sound_model(), &[1.0, -1.0]).swap_remove(0);
    assert!((y.as_floats().unwrap().sum() - 1.0).abs() < 1e-6);
}

const QUANTIZED: [(&str, usize); 2] = [("qat100_30", 480), ("digits_mlp_qat", 344)];
const EXPORTS: [&str; 4] = ["qonnx", "cml", "qcdq", "qcdq_dyn"];

/// The logits and the number of right answers are those of brevitas, whichever way it exports.
#[test]
fn quantized_networks_give_the_logits_of_their_training() {
    for ((name, right), export) in QUANTIZED.into_iter().flat_map(|name| EXPORTS.map(|export| (name, export)))
    {
        let path = network(name).join(format!("model_{export}.onnx"));
        let graph = import(&path, &ImportOptions::default()).unwrap().graph;
        assert_eq!(graph.inputs.len(), 1, "biases are no inputs");
        let quantizers =
            graph.nodes.iter().filter(|node| matches!(node.op, Some(Op::FakeQuantize(_)))).count();
        assert_eq!(
            quantizers,
            graph.nodes.iter().filter(|node| matches!(node.op, Some(Op::Gemm(_)))).count() * 2
        );
        let source = |array: &str| ArraySource {
            path: network(name).join("data.npz"),
            name: Some(array.to_owned()),
            rows: None,
        };
        let samples = source("x_test").load_floats().unwrap();
        let logits = source("logits").load_floats().unwrap();
        let labels = source("y_test").load_integers().unwrap();
        let evaluator = Evaluator::new(&graph).unwrap();
        let mut agreeing = 0;
        for ((sample, expected), label) in samples.outer_iter().zip(logits.outer_iter()).zip(labels.iter()) {
            let sample = sample.insert_axis(ndarray::Axis(0)).to_owned();
            let found = evaluator.run(&[Value::from(sample)]).unwrap().swap_remove(0);
            let found: Vec<f32> = found.as_floats().unwrap().iter().copied().collect();
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() <= 1e-5, "{name} {export}: {found} for {expected}");
            }
            let best = (0..found.len()).rev().max_by(|a, b| found[*a].total_cmp(&found[*b])).unwrap();
            agreeing += usize::from(best as i64 == *label);
        }
        assert_eq!(agreeing, right, "{name} {export}");
    }
}
