//! The referee: onnxruntime on random models of every operator and on the shared networks, and onnx' own table of operators.
#![allow(clippy::unwrap_used)]

#[path = "../../lit-tests/referee/mod.rs"]
mod python;

use cml_frontend::{ImportOptions, import, supported_operators_markdown};
use cml_runtime::arrays::ArraySource;
use cml_runtime::reference::message::Element;
use cml_runtime::reference::{Evaluator, TensorType, Value};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Runs the script; false where there is no Python.
fn referee(arguments: &[&str]) -> bool {
    python::referee(&root().join("lit-tests/referee/onnxruntime_check.py"), arguments)
}

fn load(archive: &Path, name: &str, element: Element) -> Value {
    let source = ArraySource { path: archive.to_owned(), name: Some(name.to_owned()), rows: None };
    match element {
        Element::F32 => source.load_floats().unwrap().into(),
        Element::I64 => source.load_integers().unwrap().into(),
    }
}

fn assert_close(found: &Value, expected: &Value, what: &str) {
    assert_eq!(found.tensor_type(), expected.tensor_type(), "{what}");
    match (found, expected) {
        (Value::F32(found), Value::F32(expected)) => {
            for (x, y) in found.iter().zip(expected.iter()) {
                assert!(x == y || (x - y).abs() <= 1e-5 * y.abs().max(1.0), "{what}: {x} for {y}");
            }
        }
        _ => assert_eq!(found, expected, "{what}"),
    }
}

#[test]
fn every_operator_agrees_with_onnxruntime_at_every_opset() {
    let folder = tempfile::tempdir().unwrap();
    if !referee(&["cases", folder.path().to_str().unwrap()]) {
        return;
    }
    let mut operators = std::collections::BTreeSet::new();
    let mut count = 0;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let model = entry.unwrap().path();
        if model.extension().is_none_or(|extension| extension != "onnx") {
            continue;
        }
        let what = model.file_stem().unwrap().to_str().unwrap().to_owned();
        let graph =
            import(&model, &ImportOptions::default()).unwrap_or_else(|error| panic!("{what}: {error}")).graph;
        let archive = model.with_extension("npz");
        let types: Vec<TensorType> = graph.types().unwrap();
        let inputs: Vec<Value> = graph
            .inputs
            .iter()
            .zip(&types)
            .map(|(port, found)| load(&archive, &port.name, found.element))
            .collect();
        let results = graph.run(&inputs).unwrap_or_else(|error| panic!("{what}: {error}"));
        for (name, found) in graph.output_names.iter().zip(&results) {
            assert_close(found, &load(&archive, name, found.element()), &format!("{what}, {name}"));
        }
        operators.insert(what.split('-').next().unwrap().to_owned());
        count += 1;
    }
    let table = supported_operators_markdown();
    let listed = table.lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next()).skip(1);
    for operator in listed {
        assert!(operators.contains(operator), "no model with {operator}");
    }
    assert!(count > 1000, "{count} models");
}

#[test]
fn networks_agree_with_onnxruntime() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["simple10", "simple30", "simple100", "pruned100_10", "pruned100_30", "digits_mlp"] {
        let network = root().join("lit-tests/models").join(name);
        let (model, data) = (network.join("model.onnx"), network.join("data.npz"));
        let results = folder.path().join(format!("{name}.npz"));
        let samples = format!("{}:x_test", data.display());
        if !referee(&["run", model.to_str().unwrap(), &samples, results.to_str().unwrap()]) {
            return;
        }
        let graph = import(&model, &ImportOptions::default()).unwrap().graph;
        let expected = load(&results, &graph.output_names[0], Element::F32);
        let samples = load(&data, "x_test", Element::F32);
        let evaluator = Evaluator::new(&graph).unwrap();
        let (samples, expected) = (samples.as_floats().unwrap(), expected.as_floats().unwrap());
        assert_eq!(samples.shape()[0], expected.shape()[0]);
        for (sample, expected) in samples.outer_iter().zip(expected.outer_iter()) {
            let row =
                |row: ndarray::ArrayViewD<'_, f32>| Value::from(row.insert_axis(ndarray::Axis(0)).to_owned());
            let found = evaluator.run(&[row(sample)]).unwrap();
            assert_close(&found[0], &row(expected), name);
        }
    }
}

#[test]
fn the_table_of_operators_is_that_of_onnx() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("OPERATORS.md");
    std::fs::write(&page, supported_operators_markdown()).unwrap();
    referee(&["schemas", page.to_str().unwrap()]);
}
