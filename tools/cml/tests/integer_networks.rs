//! Networks of each operator on integers, from the file to the program: quantized as in floats, simulated as quantized.
#![allow(clippy::unwrap_used)]

#[path = "../../../frontend/tests/common/mod.rs"]
mod common;
mod support;

use cml_frontend::onnx::proto::{DataType, Node, OperatorSet, Tensor};
use cml_runtime::arrays::ArraySource;
use common::{NodeExt, float_tensor, model, node};
use prost::Message;
use serde_json::Value;
use support::Place;

/// Samples of each network.
const SAMPLES: usize = 8;

fn stored(name: &str, kind: DataType, dims: &[i64], elements: &[i32]) -> Tensor {
    let (dims, int32_data) = (dims.to_vec(), elements.to_vec());
    Tensor { name: name.to_owned(), dims, data_type: kind as i32, int32_data, ..Tensor::default() }
}

/// Weights of -2 to 2, all of them among the first.
fn weights(name: &str, kind: DataType, dims: &[i64]) -> Tensor {
    let count = dims.iter().product::<i64>() as i32;
    stored(name, kind, dims, &(0..count).map(|at| at * 7 % 5 - 2).collect::<Vec<_>>())
}

/// A node with another result than `y`.
fn step(op: &str, inputs: &[&str], output: &str) -> Node {
    node(op, inputs).outputs(&[output])
}

/// Compiles a network without calibration; what its integers give is what its floats give, and what simulation gives.
fn is_exact((opset, domain): (i64, Option<&str>), x: &[i64], constants: &[Tensor], nodes: &[Node]) {
    let place = Place::new();
    let mut model = model(opset, x, constants, nodes);
    model.ir_version = 10;
    model.opset_import.extend(domain.map(|domain| OperatorSet { domain: domain.to_owned(), version: 1 }));
    place.write("model.onnx", model.encode_to_vec());
    let count = SAMPLES * x.iter().product::<i64>() as usize;
    let shape: Vec<usize> =
        [SAMPLES].into_iter().chain(x[1..].iter().map(|extent| *extent as usize)).collect();
    // From -1.5 to 1.5, off the ties of every scale here.
    let values: Vec<f32> = (0..count).map(|at| (at * 37 % 61) as f32 / 20.0 - 1.493).collect();
    place.floats("x.npy", &shape, &values);
    place.succeed("compile model.onnx -o model.cml");
    let outcome: Value =
        serde_json::from_str(&place.succeed("predict model.cml x.npy --mode simulate --json -o y.npy"))
            .unwrap();
    assert_eq!(outcome["equal_to_quantized"], SAMPLES, "{outcome}");
    place.succeed("predict model.cml x.npy --mode float --model model.onnx -o float.npy");
    let load =
        |name: &str| ArraySource { path: place.path(name), name: None, rows: None }.load_floats().unwrap();
    let (found, expected) = (load("y.npy"), load("float.npy"));
    assert_eq!(found, expected);
    assert!(found.iter().any(|value| *value != found[[0, 0]]), "they say nothing: {found}");
}

/// Three bits of the input.
fn quantize(constants: &mut Vec<Tensor>) -> Vec<Node> {
    constants.extend([
        float_tensor("s", &[], &[0.5]),
        stored("z", DataType::Uint8, &[], &[3]),
        stored("lo", DataType::Uint8, &[], &[0]),
        stored("hi", DataType::Uint8, &[], &[7]),
        float_tensor("t", &[], &[2.0]),
        stored("n", DataType::Int8, &[], &[0]),
    ]);
    vec![step("QuantizeLinear", &["x", "s", "z"], "wide"), step("Clip", &["wide", "lo", "hi"], "q")]
}

#[test]
fn convolutions_pools_and_products_of_quantized_values() {
    let mut constants = vec![
        weights("w", DataType::Int8, &[2, 1, 2, 2]),
        float_tensor("ws", &[2], &[0.5, 0.25]),
        stored("wz", DataType::Int8, &[2], &[0, 0]),
        stored("bias", DataType::Int32, &[2], &[1, -2]),
        weights("v", DataType::Int8, &[2, 3]),
    ];
    let mut nodes = quantize(&mut constants);
    nodes.extend([
        step("QLinearConv", &["q", "s", "z", "w", "ws", "wz", "t", "z", "bias"], "c"),
        step("DequantizeLinear", &["c", "t", "z"], "d"),
        step("AveragePool", &["d"], "p").ints("kernel_shape", &[2, 2]),
        step("GlobalAveragePool", &["e"], "g"),
        step("QuantizeLinear", &["g", "s", "z"], "i"),
        step("Flatten", &["i"], "f"),
        step("QLinearMatMul", &["f", "s", "z", "v", "s", "n", "s", "z"], "o"),
        step("DequantizeLinear", &["o", "s", "z"], "y"),
    ]);
    let again =
        [step("QuantizeLinear", &["p", "s", "z"], "pq"), step("DequantizeLinear", &["pq", "s", "z"], "e")];
    nodes.splice(5..5, again);
    is_exact((13, None), &[1, 1, 4, 4], &constants, &nodes);
}

#[test]
fn products_of_integers() {
    let mut constants = vec![
        weights("w", DataType::Int8, &[2, 1, 2, 2]),
        weights("v", DataType::Int8, &[8, 3]),
        float_tensor("m", &[], &[0.25]),
    ];
    let mut nodes = quantize(&mut constants);
    nodes.extend([
        step("ConvInteger", &["q", "w", "z"], "c"),
        step("Cast", &["c"], "cf").int("to", 1),
        step("Mul", &["cf", "m"], "a"),
        step("QuantizeLinear", &["a", "t", "z"], "h"),
        step("Flatten", &["h"], "f"),
        step("MatMulInteger", &["f", "v", "z"], "p"),
        step("Cast", &["p"], "pf").int("to", 1),
        step("Mul", &["pf", "m"], "y"),
    ]);
    is_exact((13, None), &[1, 1, 3, 3], &constants, &nodes);
}

#[test]
fn integers_of_four_bits() {
    let constants = [
        float_tensor("s", &[], &[0.25]),
        stored("z", DataType::Uint4, &[], &[5]),
        float_tensor("t", &[], &[0.5]),
        // Two integers of four bits in each byte: -2, 0, 2, -1, 1, -2, 0, 2 and -2, 0, 2, -1.
        stored("w", DataType::Int4, &[4, 2], &[0x0e, 0xf2, 0xe1, 0x20]),
        float_tensor("ws", &[2], &[0.5, 0.25]),
        stored("wz", DataType::Int4, &[2], &[0x00]),
        stored("v", DataType::Int4, &[2, 2], &[0x0e, 0xf2]),
        stored("n", DataType::Int4, &[], &[0]),
    ];
    let nodes = [
        step("QuantizeLinear", &["x", "s", "z"], "q"),
        step("DequantizeLinear", &["q", "s", "z"], "d"),
        step("DequantizeLinear", &["w", "ws", "wz"], "wd").int("axis", 1),
        step("MatMul", &["d", "wd"], "p"),
        step("QuantizeLinear", &["p", "t", "z"], "h"),
        step("DequantizeLinear", &["h", "t", "z"], "g"),
        step("DequantizeLinear", &["v", "s", "n"], "vd"),
        step("MatMul", &["g", "vd"], "y"),
    ];
    is_exact((21, None), &[1, 4], &constants, &nodes);
}

/// As brevitas exports a convolution with a scale for each channel, and TruncAvgPool.
#[test]
fn quantizers_of_channels_and_truncated_means() {
    let scalar = |name: &str, value: f32| float_tensor(name, &[], &[value]);
    let weights = |name: &str, dims: &[i64]| {
        let count = dims.iter().product::<i64>();
        float_tensor(name, dims, &(0..count).map(|at| (at * 7 % 5) as f32 - 1.8).collect::<Vec<_>>())
    };
    let constants = [
        scalar("s", 0.5),
        scalar("z", 0.0),
        scalar("b", 3.0),
        weights("w", &[2, 1, 2, 2]),
        float_tensor("ws", &[2, 1, 1, 1], &[1.0, 0.5]),
        scalar("k", 4.0),
        scalar("from", 5.0),
        weights("v", &[2, 3]),
    ];
    let quant = |input: &str, scale: &str, output: &str| {
        let of = step("Quant", &[input, scale, "z", "b"], output).int("signed", 1).int("narrow", 0);
        Node { domain: "onnx.brevitas".to_owned(), ..of.text("rounding_mode", "ROUND") }
    };
    let trunc = step("Trunc", &["sum", "s", "z", "from", "b"], "t").text("rounding_mode", "FLOOR");
    let nodes = [
        quant("x", "s", "q"),
        quant("w", "ws", "wq"),
        step("Conv", &["q", "wq"], "c"),
        step("Relu", &["c"], "r"),
        quant("r", "s", "h"),
        step("AveragePool", &["h"], "m").ints("kernel_shape", &[2, 2]),
        step("Mul", &["m", "k"], "sum"),
        Node { domain: "onnx.brevitas".to_owned(), ..trunc },
        step("Flatten", &["t"], "f"),
        quant("v", "s", "vq"),
        step("MatMul", &["f", "vq"], "y"),
    ];
    is_exact((14, Some("onnx.brevitas")), &[1, 1, 3, 3], &constants, &nodes);
}
