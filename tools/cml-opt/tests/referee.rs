//! The referee of networks that bring their quantizers: qonnx' own executor, and onnxruntime, to the last bit of what quantizers give.
//!
//! Compared is the network as it was imported, and as exact integers.
#![allow(clippy::unwrap_used)]

#[path = "../../../lit-tests/referee/mod.rs"]
mod python;

use cml_dialects::interpret::graph_with_values;
use cml_dialects::ir::{Function, defining_op, module_op, op_name, operand};
use cml_dialects::nn;
use cml_frontend::{ImportOptions, import};
use cml_passes::pipelines;
use cml_runtime::arrays::ArraySource;
use cml_runtime::reference::message::{Graph, Op};
use cml_runtime::reference::{Evaluator, Value};
use melior::ir::OperationRef;
use ndarray::{ArrayViewD, Axis};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn referee(arguments: &[&str]) -> bool {
    python::referee(&root().join("lit-tests/referee/qonnx_check.py"), arguments)
}

fn floats(archive: &Path, name: &str) -> Vec<Value> {
    let source = ArraySource { path: archive.to_owned(), name: Some(name.to_owned()), rows: None };
    let array = source.load_floats().unwrap();
    let row = |row: ArrayViewD<'_, f32>| Value::from(row.insert_axis(Axis(0)).to_owned());
    array.outer_iter().map(row).collect()
}

fn whole(archive: &Path, name: &str) -> Value {
    ArraySource { path: archive.to_owned(), name: Some(name.to_owned()), rows: None }
        .load_floats()
        .unwrap()
        .into()
}

/// What a network gives: its result, and all that its quantizers of activations give, in order.
struct Results {
    quantized: Vec<Value>,
    result: Value,
}

/// Runs a graph on each sample; `quantizers` are the numbers of what its quantizers give.
fn run(graph: &Graph, quantizers: &[u32], samples: &[Value]) -> Vec<Results> {
    let evaluator = Evaluator::new(graph).unwrap();
    let run = |sample: &Value| {
        let values = evaluator.run_all(std::slice::from_ref(sample)).unwrap();
        let value = |number: &u32| values[*number as usize].clone();
        Results { quantized: quantizers.iter().map(value).collect(), result: value(&graph.outputs[0]) }
    };
    samples.iter().map(run).collect()
}

/// The network as the file has it.
fn as_imported(model: &Path, samples: &[Value]) -> Vec<Results> {
    let graph = import(model, &ImportOptions::default()).unwrap().graph;
    let first = graph.inputs.len() as u32;
    let is_constant = |number: u32| {
        number
            .checked_sub(first)
            .is_some_and(|at| matches!(graph.nodes[at as usize].op, Some(Op::Constant(_))))
    };
    let quantizers: Vec<u32> = (first..)
        .zip(&graph.nodes)
        .filter(|(_, node)| matches!(node.op, Some(Op::FakeQuantize(_))) && !is_constant(node.inputs[0]))
        .map(|(number, _)| number)
        .collect();
    run(&graph, &quantizers, samples)
}

/// The network as exact integers; every pass up to encrypted integers is run, and checked.
fn as_integers(model: &Path, samples: &[Value]) -> Vec<Results> {
    cml_passes::register();
    cml_passes::set_check_semantics(true);
    let context = cml_dialects::context();
    let imported = import(model, &ImportOptions::default()).unwrap();
    let mut module = imported.build(&context).unwrap();
    for text in [pipelines::SIMPLIFY.text(), "cml-nn-to-qnn".to_owned()] {
        pipelines::run(&context, &mut module, &text).unwrap();
    }
    let main = Function::named(module_op(&module), nn::MAIN).unwrap();
    let mut numbers = vec![];
    let graph = graph_with_values(main, &mut numbers).unwrap();
    let is_quantizer = |op: OperationRef<'_, '_>| {
        let source = operand(op, 0).ok().and_then(defining_op);
        op_name(op) == "qnn.dequantize" && source.is_some_and(|op| op_name(op) == "qnn.quantize")
    };
    let quantizers: Vec<u32> = main
        .ops()
        .into_iter()
        .zip(&numbers)
        .filter(|(op, _)| is_quantizer(*op))
        .map(|(_, number)| *number)
        .collect();
    let results = run(&graph, &quantizers, samples);
    for text in ["canonicalize,cse,cml-split-client-server".to_owned(), pipelines::TO_FHE.text()] {
        pipelines::run(&context, &mut module, &text).unwrap();
    }
    results
}

#[test]
fn every_quantizer_agrees_with_qonnx_to_the_last_bit() {
    let folder = tempfile::tempdir().unwrap();
    if !referee(&["cases", folder.path().to_str().unwrap()]) {
        return;
    }
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let model = entry.unwrap().path();
        if model.extension().is_none_or(|extension| extension != "onnx") {
            continue;
        }
        let what = model.file_stem().unwrap().to_str().unwrap();
        let archive = model.with_extension("npz");
        let (x, y) = (whole(&archive, "x"), whole(&archive, "y"));
        assert_eq!(as_imported(&model, std::slice::from_ref(&x))[0].result, y, "{what}");
        let kind = what.split('-').next().unwrap();
        if matches!(kind, "Network" | "Integers") {
            assert_eq!(as_integers(&model, &[x])[0].result, y, "{what} as integers");
        }
        *counts.entry(kind.to_owned()).or_default() += 1;
    }
    let kinds: Vec<&str> = counts.keys().map(String::as_str).collect();
    assert_eq!(kinds, ["BipolarQuant", "IntQuant", "Integers", "Network", "Quant", "Trunc"]);
    assert!(counts.values().sum::<usize>() > 500, "{counts:?}");
}

/// Float ties: quantizers of a sample whose sum lies so near a half that the referee's f32 rounds it to the other side.
const TIES: [(&str, &str, usize, usize, usize); 0] = [];

#[test]
fn every_export_gives_the_integers_of_its_referee_on_every_test_vector() {
    let folder = tempfile::tempdir().unwrap();
    for network in ["qat100_30", "digits_mlp_qat"] {
        let files = root().join("lit-tests/models").join(network);
        let data = files.join("data.npz");
        let samples = floats(&data, "x_test");
        let logits = floats(&data, "logits");
        for export in ["qonnx", "cml", "qcdq", "qcdq_dyn"] {
            let model = files.join(format!("model_{export}.onnx"));
            let expected = folder.path().join(format!("{network}-{export}.npz"));
            let source = format!("{}:x_test", data.display());
            if !referee(&["quantized", model.to_str().unwrap(), &source, expected.to_str().unwrap()]) {
                return;
            }
            let outputs = floats(&expected, "y");
            for found in [as_imported(&model, &samples), as_integers(&model, &samples)] {
                for (sample, results) in found.iter().enumerate() {
                    for reference in [&outputs[sample], &logits[sample]] {
                        assert_near(&results.result, reference, &format!("{network} {export} {sample}"));
                    }
                }
                for number in 0..found[0].quantized.len() {
                    for (sample, expected) in floats(&expected, &format!("q{number}")).iter().enumerate() {
                        let differing = differing(&found[sample].quantized[number], expected);
                        let known =
                            |element: &usize| TIES.contains(&(network, export, sample, number, *element));
                        let unknown: Vec<&usize> =
                            differing.iter().filter(|element| !known(element)).collect();
                        assert!(
                            unknown.is_empty(),
                            "{network} {export}: sample {sample}, q{number}, elements {unknown:?}"
                        );
                    }
                }
            }
        }
    }
}

/// Elements that are not the same.
fn differing(found: &Value, expected: &Value) -> Vec<usize> {
    let (found, expected) = (found.as_floats().unwrap(), expected.as_floats().unwrap());
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).enumerate().filter(|(_, (x, y))| x != y).map(|(at, _)| at).collect()
}

/// To 1e-5, as the networks' float results are compared.
fn assert_near(found: &Value, expected: &Value, what: &str) {
    let (found, expected) = (found.as_floats().unwrap(), expected.as_floats().unwrap());
    assert_eq!(found.shape(), expected.shape());
    let furthest = found.iter().zip(expected).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
    assert!(furthest <= 1e-5, "{what}: {furthest}");
}
