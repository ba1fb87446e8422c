//! Random small graphs of the operations that `nn` has.

use cml_runtime::reference::TensorType;
use cml_runtime::reference::message::{
    ArgMax, Axis, BatchNormalization, Cast, Clip, Dims, Element, Empty, Gemm, Graph, Node, Op, Port,
    Quantizer, Slope, Tensor,
};
use proptest::prelude::*;

/// One attempt to add a node: which operation, and what its operands and attributes are taken from.
type Attempt = (u8, [u8; 3], i16);

/// Graphs with a float input, an integer input, and the nodes of `attempts` that fit together.
pub(crate) fn graphs() -> impl Strategy<Value = Graph> {
    let shapes = prop::collection::vec(prop::collection::vec(1u64..4, 0..3), 1..3);
    let attempts = prop::collection::vec(any::<Attempt>(), 0..40);
    (shapes, attempts).prop_map(|(shapes, attempts)| {
        let mut graph = Graph::default();
        for (index, shape) in shapes.into_iter().enumerate() {
            let element = if index == 0 { Element::F32 } else { Element::I64 };
            graph.inputs.push(Port { name: format!("input \"{index}\"\\"), shape, element: element.into() });
        }
        for attempt in attempts {
            extend(&mut graph, attempt);
        }
        let last = (graph.inputs.len() + graph.nodes.len()) as u32 - 1;
        graph.outputs = vec![last, 0];
        graph.output_names = vec!["ergebnis ß".to_owned(), "x".to_owned()];
        graph
    })
}

fn extend(graph: &mut Graph, (kind, picks, number): Attempt) {
    let types = graph.types().expect("only nodes that fit were kept");
    let pick = |index: usize| (usize::from(picks[index]) % types.len()) as u32;
    let (op, inputs) = node(kind, number, &types, [pick(0), pick(1), pick(2)]);
    let integers = inputs.iter().any(|input| types[*input as usize].element == Element::I64);
    // The runtime computes these on integers too, `nn` does not.
    let float_only = matches!(op, Op::Neg(_) | Op::Relu(_) | Op::Clip(_) | Op::MatMul(_) | Op::Gemm(_));
    if integers && float_only {
        return;
    }
    graph.nodes.push(Node { name: format!("{}/{number} \"é\"", graph.nodes.len()), inputs, op: Some(op) });
    if graph.types().is_err() {
        graph.nodes.pop();
    }
}

fn node(kind: u8, number: i16, types: &[TensorType], [x, y, z]: [u32; 3]) -> (Op, Vec<u32>) {
    let shape = &types[x as usize].shape;
    let real = f32::from(number) / 7.0;
    let axis = number.unsigned_abs() as u32 % 3;
    let slope = Slope { alpha: real };
    let bit = |at: u32| number >> at & 1 == 1;
    match kind % 27 {
        0 => (Op::Constant(floats(number)), vec![]),
        1 => (Op::Constant(integers(number)), vec![]),
        2 => (Op::MatMul(Empty {}), vec![x, y]),
        3 => {
            let gemm = Gemm { alpha: real, beta: -real, transpose_a: bit(0), transpose_b: bit(1) };
            (Op::Gemm(gemm), if bit(2) { vec![x, y] } else { vec![x, y, z] })
        }
        4 => (Op::Add(Empty {}), vec![x, y]),
        5 => (Op::Sub(Empty {}), vec![x, y]),
        6 => (Op::Mul(Empty {}), vec![x, y]),
        7 => (Op::Div(Empty {}), vec![x, y]),
        8 => (Op::Neg(Empty {}), vec![x]),
        9 => (Op::Relu(Empty {}), vec![x]),
        10 => (Op::LeakyRelu(slope), vec![x]),
        11 => (Op::Sigmoid(Empty {}), vec![x]),
        12 => (Op::Tanh(Empty {}), vec![x]),
        13 => (Op::Clip(Clip { min: bit(0).then_some(-real), max: bit(1).then_some(real) }), vec![x]),
        14 => (Op::Elu(slope), vec![x]),
        15 => (Op::Softplus(Empty {}), vec![x]),
        16 => (Op::Reshape(Dims { dims: vec![shape.iter().product::<usize>() as u64, 1] }), vec![x]),
        17 => (Op::Transpose(Dims { dims: (0..shape.len() as u64).rev().collect() }), vec![x]),
        18 => (Op::Concat(Axis { axis }), if bit(0) { vec![x, y, z] } else { vec![x, x] }),
        19 => (Op::Softmax(Axis { axis }), vec![x]),
        20 => (Op::ArgMax(ArgMax { axis, keep_dims: bit(0), select_last_index: bit(1) }), vec![x]),
        21 => (Op::BatchNormalization(BatchNormalization { epsilon: real.abs() }), vec![x, y, y, z, z]),
        22 => {
            let element = if bit(0) { Element::F32 } else { Element::I64 };
            (Op::Cast(Cast { element: element.into() }), vec![x])
        }
        23 => {
            let axes = (0..shape.len() as u64).filter(|axis| bit(*axis as u32));
            (Op::ReduceSum(Dims { dims: axes.collect() }), vec![x])
        }
        24 => (Op::FakeQuantize(quantizer(number, 1, 0)), vec![x]),
        25 => {
            let count = shape.get(axis as usize).copied().unwrap_or(1).max(1);
            (Op::FakeQuantize(quantizer(number, count, if count == 1 { 0 } else { axis })), vec![x])
        }
        _ => (Op::Constant(Tensor { shape: vec![0, 2], ..Tensor::default() }), vec![]),
    }
}

fn extents(number: i16) -> Vec<u64> {
    let number = number.unsigned_abs() as u64;
    vec![number % 3 + 1, number / 3 % 3 + 1][..number as usize / 9 % 3].to_vec()
}

fn floats(number: i16) -> Tensor {
    let shape = extents(number);
    let count = shape.iter().product::<u64>();
    // Thirds have no short decimal form, and the infinities none at all.
    let value = |index: u64| match (index, number % 5) {
        (0, 0) => f32::INFINITY,
        (1, 0) => -0.0,
        (_, 1) => 2.5,
        _ => (f32::from(number) + index as f32) / 3.0,
    };
    Tensor { shape, floats: (0..count).map(value).collect(), integers: Vec::new() }
}

fn integers(number: i16) -> Tensor {
    let shape = extents(number);
    let count = shape.iter().product::<u64>();
    let value = |index: u64| match (index, number % 5) {
        (0, 0) => i64::MIN,
        (1, 0) => i64::MAX,
        (_, 1) => 3,
        _ => i64::from(number) * 1_000_000_007 + index as i64,
    };
    Tensor { shape, floats: Vec::new(), integers: (0..count).map(value).collect() }
}

fn quantizer(number: i16, count: usize, axis: u32) -> Quantizer {
    let scale = |index: usize| (f64::from(number).abs() + 1.0 + index as f64) / 3.0;
    Quantizer {
        scales: (0..count).map(scale).collect(),
        zero_points: (0..count as i64).map(|index| index - 1).collect(),
        axis,
        lo: -i64::from(number.unsigned_abs()) - 1,
        hi: 7,
        rounding: i32::from(number) & 7,
        divisors: if number % 2 == 0 { vec![] } else { (0..count).map(|index| scale(index + 1)).collect() },
        shifts: if number % 3 == 0 { vec![] } else { vec![f64::from(number) + 0.5; count] },
        offsets: if number % 5 == 0 { vec![] } else { vec![-0.5; count] },
    }
}
