//! Zero points at the border of a clear computation: stored integers on one side, the integers themselves on the other.

use cml_runtime::reference::message::{Element, Empty, Graph, Node, Op, Tensor};

/// The graph that takes inputs without zero point: each one's is added before anything reads it.
pub(crate) fn add_to_inputs(graph: Graph, zero_points: &[i64]) -> Graph {
    let inputs = graph.inputs.len() as u32;
    let mut shifted = Graph { inputs: graph.inputs, ..Graph::default() };
    let mut numbers: Vec<u32> = (0..inputs).collect();
    for (number, zero_point) in numbers.iter_mut().zip(zero_points) {
        *number = combine(&mut shifted, *number, *zero_point, Op::Add(Empty {}));
    }
    let inserted = shifted.nodes.len() as u32;
    let renumbered = |value: &u32| match numbers.get(*value as usize) {
        Some(number) => *number,
        None => value.saturating_add(inserted),
    };
    let nodes = graph.nodes.iter().map(|node| Node {
        name: node.name.clone(),
        inputs: node.inputs.iter().map(renumbered).collect(),
        op: node.op.clone(),
    });
    shifted.nodes.extend(nodes);
    shifted.outputs = graph.outputs.iter().map(renumbered).collect();
    shifted.output_names = graph.output_names;
    shifted
}

/// The graph that gives results without zero point: each one's is subtracted.
pub(crate) fn subtract_from_outputs(mut graph: Graph, zero_points: &[i64]) -> Graph {
    let mut outputs = std::mem::take(&mut graph.outputs);
    for (output, zero_point) in outputs.iter_mut().zip(zero_points) {
        *output = combine(&mut graph, *output, *zero_point, Op::Sub(Empty {}));
    }
    graph.outputs = outputs;
    graph
}

/// Applies an operation with a constant on the right, unless that is 0.
fn combine(graph: &mut Graph, value: u32, constant: i64, op: Op) -> u32 {
    if constant == 0 {
        return value;
    }
    let tensor = Tensor { shape: Vec::new(), floats: Vec::new(), integers: vec![constant] };
    let constant = graph.push("zero_point", Op::Constant(tensor), []);
    graph.push("zero_point", op, [value, constant])
}

/// Whether every input is integer.
pub(crate) fn takes_integers(graph: &Graph) -> bool {
    graph.inputs.iter().all(|port| port.element() == Element::I64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cml_runtime::reference::message::Port;
    use cml_runtime::reference::{TensorType, Value};

    /// `[b - a, a]` of two inputs.
    fn difference() -> Graph {
        let port = |name| Port::new(name, &TensorType::new([1usize, 2], Element::I64));
        let mut graph = Graph { inputs: vec![port("a"), port("b")], ..Graph::default() };
        let difference = graph.push("difference", Op::Sub(Empty {}), [1, 0]);
        graph.outputs = vec![difference, 0];
        graph
    }

    fn run(graph: &Graph) -> Vec<Vec<i64>> {
        let value = |elements| Value::integers(&[1, 2], elements).unwrap();
        let results = graph.run(&[value(vec![1, 2]), value(vec![10, 20])]).unwrap();
        results.iter().map(|result| result.as_integers().unwrap().iter().copied().collect()).collect()
    }

    #[test]
    fn zero_points_are_added_before_and_subtracted_after() {
        let shifted = add_to_inputs(difference(), &[100, 0]);
        assert_eq!(run(&shifted), [[-91, -82], [101, 102]]);
        let shifted = subtract_from_outputs(shifted, &[9, 1]);
        assert_eq!(run(&shifted), [[-100, -91], [100, 101]]);
    }

    #[test]
    fn without_zero_points_nothing_changes() {
        let same = subtract_from_outputs(add_to_inputs(difference(), &[0, 0]), &[0, 0]);
        assert_eq!(same, difference());
    }
}
