//! `--prune`: what it keeps, what leaves the program, and that it is part of the configuration.
#![allow(clippy::unwrap_used)]

mod support;

use cml_backend::report::Report;
use cml_runtime::program::message::Program;
use cml_runtime::reference::message::Op;
use support::{Place, data, model};

/// The integer weights of each product of the quantized function: rows, columns, values.
fn weights(program: &Program) -> Vec<(usize, usize, Vec<i64>)> {
    let graph = program.quantized.as_ref().unwrap();
    let constant = |number: u32| match &graph.nodes[number as usize - graph.inputs.len()].op {
        Some(Op::Constant(tensor)) => Some(tensor.clone()),
        _ => None,
    };
    let products = graph.nodes.iter().filter(|node| matches!(node.op, Some(Op::MatMul(_))));
    let tensors = products.map(|node| constant(node.inputs[1]).unwrap());
    tensors.map(|tensor| (tensor.shape[0] as usize, tensor.shape[1] as usize, tensor.integers)).collect()
}

#[test]
fn pruned_neurons_have_few_weights_and_dead_ones_no_lookup() {
    let place = Place::new();
    let network = model("simple30");
    let compile = format!("compile {network} --calibration {}:calibration", data("simple30"));
    place.succeed(&format!("{compile} --prune 3 --save-config c.json -o pruned.cml"));
    place.succeed(&format!("{compile} -o whole.cml"));
    let [pruned, whole] = ["pruned.cml", "whole.cml"].map(|name| Program::load(&place.path(name)).unwrap());
    let products = weights(&pruned);
    for (rows, columns, values) in &products {
        assert_eq!(values.len(), rows * columns);
        for column in 0..*columns {
            let live = values.iter().skip(column).step_by(*columns).filter(|weight| **weight != 0).count();
            assert!(live <= 3, "{live}");
        }
    }
    // A neuron of the last hidden layer is live where an output reads it and it reads something, and so on to the first.
    let mut live: Vec<usize> = Vec::new();
    let mut is_read = vec![true; products.last().unwrap().1];
    for (rows, columns, values) in products.iter().rev() {
        let weight = |row: usize, column: usize| values[row * columns + column];
        let reads = |row: &usize| (0..*columns).any(|column| is_read[column] && weight(*row, column) != 0);
        let read: Vec<bool> = (0..*rows).map(|row| reads(&row)).collect();
        live.push(read.iter().filter(|read| **read).count());
        is_read = read;
    }
    let hidden: usize = live[..live.len() - 1].iter().sum();
    let reports = [&pruned, &whole].map(|program| Report::stored_in(program).unwrap());
    let lookups = reports.each_ref().map(|report| report.lookups_per_inference as usize);
    assert!(lookups[0] <= hidden && lookups[0] < lookups[1], "{lookups:?} {hidden}");
    assert!(reports[0].max_accumulator_bits < reports[1].max_accumulator_bits);
    let counts: Vec<_> =
        reports[0].pruned.iter().map(|found| (found.weights, found.before, found.after)).collect();
    // Two inputs are fewer than three.
    assert_eq!(counts, [(60, 60, 60), (900, 900, 90), (60, 60, 6)]);
    assert!(reports[1].pruned.is_empty());
    let text = place.succeed("inspect pruned.cml");
    assert!(text.contains("864 of 1020 weights went, 156 are left"), "{text}");
    let json = place.succeed("inspect pruned.cml --json");
    assert!(json.contains("\"pruned\": [") && json.contains("\"after\": 90"), "{json}");
    place.succeed(&format!("verify pruned.cml {network}"));
    place.succeed(&format!("compile {network} --config c.json -o again.cml"));
    assert_eq!(Program::load(&place.path("again.cml")).unwrap().server, pruned.server);
    place.refuse_with(&format!("compile {network} --config c.json --prune 4 -o x.cml"), &["--calibration"]);
    let outcome =
        place.succeed(&format!("predict pruned.cml {}:x_test[0:20] --mode simulate", data("simple30")));
    assert!(outcome.contains("equal to quantized  20 of 20"), "{outcome}");
}

/// Pooling stays: it has no neurons. Each output reads three means of four values.
#[test]
fn means_of_windows_are_not_pruned() {
    let place = Place::new();
    let network = model("digits_cnn");
    place.succeed(&format!(
        "compile {network} --calibration {}:calibration --prune 3 -o pruned.cml",
        data("digits_cnn")
    ));
    let program = Program::load(&place.path("pruned.cml")).unwrap();
    let report = Report::stored_in(&program).unwrap();
    let counts: Vec<_> = report.pruned.iter().map(|found| (found.before, found.after)).collect();
    assert_eq!(counts, [(1296, 432), (360, 30)], "{:?}", report.pruned);
    let products = weights(&program);
    let [_, (rows, columns, values)] = &products[..] else { panic!("{} products", products.len()) };
    for column in 0..*columns {
        let live = values.iter().skip(column).step_by(*columns).filter(|weight| **weight != 0).count();
        assert!(*rows == 144 && live <= 12, "{live} of {rows}");
    }
    assert!(report.lookups_per_inference <= 144);
}
