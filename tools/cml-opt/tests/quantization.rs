//! Post-training quantization of the bundled networks at 3 bits, by its accuracy on test data that calibration never saw.
//! Slow ones, means over many trainings among them: `cargo test --release -p cml-opt --test quantization -- --ignored`.

#![allow(clippy::unwrap_used)]

use cml_dialects::interpret::graph;
use cml_dialects::ir::{Attributes, Function, module_op, op_name};
use cml_dialects::{nn, qnn};
use cml_frontend::{ImportOptions, import};
use cml_passes::pipelines;
use cml_runtime::arrays::ArraySource;
use cml_runtime::reference::message::Graph;
use cml_runtime::reference::{Evaluator, Value};
use melior::Context;
use melior::ir::{Module, OperationRef};
use rayon::prelude::*;
use std::path::{Path, PathBuf};

const NETWORKS: [&str; 5] = ["simple10", "simple30", "simple100", "pruned100_10", "pruned100_30"];

fn folder(network: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../lit-tests/models").join(network)
}

fn array(network: &str, name: &str) -> ArraySource {
    ArraySource { path: folder(network).join("data.npz"), name: Some(name.to_owned()), rows: None }
}

/// The network with its quantizers, as floats; `options` are those of `cml-calibrate`.
fn quantized(network: &str, options: &str) -> Graph {
    quantized_file(&folder(network).join("model.onnx"), network, options)
}

/// Another training of a network.
fn quantized_file(model: &Path, network: &str, options: &str) -> Graph {
    let context = cml_dialects::context();
    let module = quantized_module(&context, model, network, options);
    let main = Function::named(module_op(&module), nn::MAIN).unwrap();
    let count = |name: &str| main.ops().into_iter().filter(|op| op_name(*op) == name).count();
    assert_eq!(
        count("nn.fake_quantize"),
        2 * count("nn.matmul"),
        "one for the input and one for the weights"
    );
    graph(main).unwrap()
}

fn quantized_module<'c>(context: &'c Context, model: &Path, network: &str, options: &str) -> Module<'c> {
    cml_passes::register();
    cml_passes::set_check_semantics(true);
    let imported = import(model, &ImportOptions::default()).unwrap();
    let mut module = imported.build(context).unwrap();
    let samples = array(network, "calibration");
    let calibrate = [("cml-calibrate", format!("calibration={samples} {options}"))];
    for text in [pipelines::SIMPLIFY.text(), pipelines::QUANTIZE.text_with(&calibrate)] {
        pipelines::run(context, &mut module, &text).unwrap();
    }
    module
}

/// Of the sums that a lookup reads, all but the last product's: how many integers the widest can be, proved.
fn widest(network: &str, options: &str) -> i64 {
    let context = cml_dialects::context();
    let mut module = quantized_module(&context, &folder(network).join("model.onnx"), network, options);
    let lower = format!("{},cml-infer-ranges", pipelines::TO_QNN.text());
    pipelines::run(&context, &mut module, &lower).unwrap();
    let mut products = Function::named(module_op(&module), qnn::SERVER).unwrap().ops();
    products.retain(|op| op_name(*op) == "qnn.matmul");
    products.pop();
    let widest = |op: &OperationRef<'_, '_>| {
        let [lows, highs] = ["lows", "highs"].map(|name| Attributes(*op).i64_array(name).unwrap());
        lows.iter().zip(highs).map(|(low, high)| high - low + 1).max().unwrap()
    };
    products.iter().map(widest).max().unwrap()
}

/// Share of the test samples whose largest output is that of their label.
fn accuracy(network: &str, graph: &Graph) -> f64 {
    let inputs = array(network, "x_test").load_floats().unwrap();
    let labels = array(network, "y_test").load_integers().unwrap();
    let evaluator = Evaluator::new(graph).unwrap();
    let rows: Vec<_> = inputs.outer_iter().zip(&labels).collect();
    let right = rows.par_iter().filter(|(row, label)| {
        let shape: Vec<usize> = [1].into_iter().chain(row.shape().iter().copied()).collect();
        let sample = Value::floats(&shape, row.iter().copied().collect()).unwrap();
        let output = evaluator.run(&[sample]).unwrap().remove(0);
        let logits: Vec<f32> = output.as_floats().unwrap().iter().copied().collect();
        let largest = (0..logits.len()).rev().max_by(|i, j| logits[*i].total_cmp(&logits[*j]));
        largest == Some(**label as usize)
    });
    right.count() as f64 / labels.len() as f64
}

fn accuracies(options: &str) -> Vec<f64> {
    let of = |network: &&str| accuracy(network, &quantized(network, options));
    let found: Vec<f64> = NETWORKS.iter().map(of).collect();
    println!("{options:36} {found:.3?}, mean {:.4}", mean(&found));
    found
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn three_bits_keep_the_decisions() {
    let found = accuracies("");
    for ((network, floor), found) in NETWORKS.iter().zip([0.622, 0.764, 0.902, 0.734, 0.942]).zip(&found) {
        assert!(*found >= floor, "{network}: {found}, expected {floor}");
    }
}

#[test]
fn effort_pays() {
    let tensor = mean(&accuracies("granularity=tensor effort=fast"));
    let channel = mean(&accuracies("effort=fast"));
    let layers = mean(&accuracies("granularity=tensor effort=normal"));
    let searched = mean(&accuracies("effort=normal"));
    assert!(tensor < layers && layers < searched, "{tensor} {layers} {searched}");
    assert!(channel + 0.15 < searched, "{channel} {searched}");
}

#[test]
fn images_keep_their_accuracy() {
    let found = accuracy("digits_mlp", &quantized("digits_mlp", ""));
    println!("digits_mlp {found}");
    assert!(found >= 0.944, "{found}");
}

/// Networks that a search over integer weights takes seconds for, and what it must keep.
const SMALL: [(&str, f64); 2] = [("simple10", 0.60), ("simple30", 0.76)];
/// The others.
const LARGE: [(&str, f64); 4] =
    [("simple100", 0.85), ("pruned100_10", 0.71), ("pruned100_30", 0.85), ("digits_mlp", 0.944)];

fn keep_the_decisions(networks: &[(&str, f64)], options: &str) {
    for (network, floor) in networks {
        let found = accuracy(network, &quantized(network, options));
        println!("{network} {options}: {found:.3}");
        assert!(found >= *floor, "{network}: {found}, expected {floor}");
    }
}

#[test]
fn searched_weights_keep_the_decisions() {
    keep_the_decisions(&SMALL, "effort=thorough");
}

#[test]
#[ignore = "slow: searches over many integer weights"]
fn searched_weights_of_large_networks_keep_the_decisions() {
    keep_the_decisions(&LARGE, "effort=thorough");
}

/// Points below float, of each family of the seed table: the mean over its trainings.
fn losses(options: &str) -> Vec<f64> {
    let of_family = |family: &&str| {
        let losses = (0..5).map(|number| {
            let model = folder("seed-table").join(family).join(format!("{number}.onnx"));
            let float = import(&model, &ImportOptions::default()).unwrap().graph;
            let graph = quantized_file(&model, "seed-table", options);
            100.0 * (accuracy("seed-table", &float) - accuracy("seed-table", &graph))
        });
        mean(&losses.collect::<Vec<_>>())
    };
    let found: Vec<f64> = NETWORKS.iter().map(of_family).collect();
    println!("{options:68} {found:.2?}, mean {:.2}", mean(&found));
    found
}

#[test]
#[ignore = "slow: 100 searches over integer weights"]
fn means_over_trainings_are_near_float() {
    let three = losses("effort=thorough");
    assert!(mean(&three) <= 1.5, "{three:?}");
    let four = losses("inputs=4 weights=4 activations=4 effort=thorough");
    assert!(mean(&four) <= 0.8 && four.iter().all(|loss| *loss <= 2.0), "{four:?}");
    let powers = losses("effort=thorough steps=power-of-two");
    assert!(mean(&powers) - mean(&three) <= 0.7, "{powers:?} {three:?}");
    let powers = losses("inputs=4 weights=4 activations=4 effort=thorough steps=power-of-two");
    assert!(mean(&powers) - mean(&four) <= 0.7, "{powers:?} {four:?}");
}

#[test]
fn many_bits_are_as_accurate_as_floats() {
    let float = [0.694, 0.860, 0.874, 0.780, 0.882];
    let found = accuracies("inputs=8 weights=8 activations=8");
    for (float, found) in float.into_iter().zip(found) {
        assert!((found - float).abs() <= 0.01, "{found} {float}");
    }
}

/// Convolution, pooling and a dense layer are a chain of two products.
#[test]
fn convolutions_are_searched_as_dense_layers_are() {
    let of = |options: &str| accuracy("digits_cnn", &quantized("digits_cnn", options));
    let [normal, thorough] = ["normal", "thorough"].map(|effort| of(&format!("effort={effort}")));
    println!("digits_cnn {normal} {thorough}");
    assert!(normal >= 0.93 && thorough >= 0.942, "{normal} {thorough}");
}

#[test]
fn a_bound_on_accumulators_leaves_decisions() {
    let cases = [
        ("digits_cnn", "", 6, 0.93),
        ("digits_cnn", "effort=fast", 6, 0.91),
        ("digits_mlp", "granularity=tensor", 6, 0.89),
        ("digits_mlp", "effort=fast", 6, 0.85),
        ("simple100", "effort=fast", 6, 0.74),
    ];
    cases.into_par_iter().for_each(|(network, options, bits, floor)| {
        let options = format!("{options} accumulator-bits={bits}");
        let (found, widest) = (accuracy(network, &quantized(network, &options)), widest(network, &options));
        println!("{network} {options}: {found:.3}, at most {widest} integers");
        assert!(found >= floor && widest <= 1 << bits, "{network} {options}: {found} {widest}");
    });
}

#[test]
fn the_same_samples_give_the_same_program() {
    let compiled = |_| quantized("simple10", "");
    let [first, second] = [0, 1].map(compiled);
    assert_eq!(first, second);
}
