use super::super::message::{
    ArgMax, Axis, BatchNormalization, Cast, Clip, Dims, Empty, Gemm, Lookup, Quantizer, Slope, Table, Tensor,
};
use super::*;
use proptest::prelude::*;
use prost::Message;

fn graph_of_one_layer() -> Graph {
    let mut graph = Graph {
        inputs: vec![Port::new("x", &TensorType::new([1, 2], Element::F32))],
        output_names: vec!["y".to_owned()],
        ..Graph::default()
    };
    let weights =
        Tensor { shape: vec![2, 3], floats: vec![1.0, 2.0, 3.0, -1.0, -2.0, -3.0], integers: vec![] };
    let weights = graph.push("w", Op::Constant(weights), []);
    let product = graph.push("fc", Op::MatMul(Empty {}), [0, weights]);
    let relu = graph.push("relu", Op::Relu(Empty {}), [product]);
    graph.outputs = vec![relu];
    graph
}

#[test]
fn values_flow_from_inputs_to_outputs() {
    let graph = graph_of_one_layer();
    let x = Value::floats(&[1, 2], vec![1.0, 3.0]).unwrap();
    let all = graph.run_all(std::slice::from_ref(&x)).unwrap();
    assert_eq!(all[2], Value::floats(&[1, 3], vec![-2.0, -4.0, -6.0]).unwrap());
    assert_eq!(graph.run(&[x]).unwrap(), [Value::floats(&[1, 3], vec![0.0; 3]).unwrap()]);
    let types = graph.types().unwrap();
    assert_eq!(types, all.iter().map(Value::tensor_type).collect::<Vec<_>>());
}

#[test]
fn errors_name_the_node() {
    let mut graph = graph_of_one_layer();
    graph.nodes[0].op =
        Some(Op::Constant(Tensor { shape: vec![3, 3], floats: vec![0.0; 9], integers: vec![] }));
    assert_eq!(
        graph.check().unwrap_err().to_string(),
        "node fc (MatMul): shapes [1, 2] and [3, 3] do not multiply as matrices: the inner extents differ"
    );
    graph.nodes[1].inputs = vec![0, 7];
    assert_eq!(
        graph.check().unwrap_err().to_string(),
        "node fc reads value 7, but only 2 values come before it"
    );
    graph.nodes[1].op = None;
    assert!(matches!(graph.check(), Err(Error::UnknownOp { node }) if node == "fc"));
}

#[test]
fn inputs_and_results_must_fit() {
    let mut graph = graph_of_one_layer();
    let wrong = Value::floats(&[2], vec![0.0; 2]).unwrap();
    assert_eq!(
        graph.run(&[wrong]).unwrap_err().to_string(),
        "input x is float of shape [1, 2], found float of shape [2]"
    );
    assert!(matches!(graph.run(&[]), Err(Error::InputCount { expected: 1, found: 0 })));
    graph.outputs = vec![9];
    assert!(matches!(graph.check(), Err(Error::UndefinedOutput { index: 0, value: 9, defined: 4 })));
    graph.outputs = vec![3, 3];
    assert!(matches!(graph.check(), Err(Error::OutputNames { outputs: 2, names: 1 })));
}

#[test]
fn a_small_file_cannot_ask_for_a_large_tensor() {
    let mut graph = Graph {
        inputs: vec![
            Port::new("a", &TensorType::new([1 << 20, 1], Element::F32)),
            Port::new("b", &TensorType::new([1, 1 << 20], Element::F32)),
        ],
        ..Graph::default()
    };
    graph.push("outer", Op::Add(Empty {}), [0, 1]);
    let refused = graph.check().unwrap_err();
    assert!(matches!(refused, Error::Node { fault, .. } if matches!(*fault, Fault::TooLarge { .. })));
    graph.nodes.clear();
    let mut wide = graph.push("narrow", Op::Relu(Empty {}), [0]);
    for step in 0..300 {
        wide = graph.push(format!("step{step}"), Op::Relu(Empty {}), [wide]);
    }
    assert!(matches!(graph.check(), Err(Error::TooLarge { .. })));
}

fn small_dims() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(prop_oneof![0u64..4, Just(u64::MAX), Just(1 << 33)], 0..4)
}

fn any_tensor() -> impl Strategy<Value = Tensor> {
    (small_dims(), any::<bool>(), any::<bool>()).prop_map(|(shape, float, fill)| {
        let count = shape.iter().try_fold(1u64, |product, extent| product.checked_mul(*extent));
        let count = count.filter(|count| fill && *count < 100).unwrap_or(2) as usize;
        let integers: Vec<i64> = (0..count as i64).map(|i| i - 2).collect();
        if float {
            Tensor { shape, floats: integers.iter().map(|x| *x as f32).collect(), integers: vec![] }
        } else {
            Tensor { shape, floats: vec![], integers }
        }
    })
}

fn any_quantizer() -> impl Strategy<Value = Quantizer> {
    let reals = || {
        let real = prop_oneof![Just(0.5), Just(0.0), Just(f64::NAN), Just(1e-300)];
        prop::collection::vec(real, 0..3)
    };
    let integers = (prop::collection::vec(any::<i64>(), 0..3), any::<i64>(), any::<i64>());
    (reals(), integers, 0u32..3, -1i32..10, (reals(), reals(), reals())).prop_map(
        |(scales, (zero_points, lo, hi), axis, rounding, (divisors, shifts, offsets))| Quantizer {
            scales,
            zero_points,
            axis,
            lo,
            hi,
            rounding,
            divisors,
            shifts,
            offsets,
        },
    )
}

fn any_op() -> impl Strategy<Value = Option<Op>> {
    let empty = || Just(Empty {});
    let axis = 0u32..4;
    let arithmetic = prop_oneof![
        empty().prop_map(Op::Add),
        empty().prop_map(Op::Sub),
        empty().prop_map(Op::Mul),
        empty().prop_map(Op::Div),
        empty().prop_map(Op::Neg),
        empty().prop_map(Op::MatMul),
        (any::<f32>(), any::<f32>(), any::<bool>(), any::<bool>()).prop_map(|(alpha, beta, a, b)| {
            Op::Gemm(Gemm { alpha, beta, transpose_a: a, transpose_b: b })
        }),
    ];
    let activations = prop_oneof![
        empty().prop_map(Op::Relu),
        empty().prop_map(Op::Sigmoid),
        empty().prop_map(Op::Tanh),
        empty().prop_map(Op::Softplus),
        any::<f32>().prop_map(|alpha| Op::Elu(Slope { alpha })),
        any::<f32>().prop_map(|alpha| Op::LeakyRelu(Slope { alpha })),
        (any::<Option<f32>>(), any::<Option<f32>>()).prop_map(|(min, max)| Op::Clip(Clip { min, max })),
    ];
    let movement = prop_oneof![
        small_dims().prop_map(|dims| Op::Reshape(Dims { dims })),
        small_dims().prop_map(|dims| Op::Transpose(Dims { dims })),
        small_dims().prop_map(|dims| Op::ReduceSum(Dims { dims })),
        axis.clone().prop_map(|axis| Op::Concat(Axis { axis })),
        axis.clone().prop_map(|axis| Op::Softmax(Axis { axis })),
        (axis, any::<bool>(), any::<bool>()).prop_map(|(axis, keep_dims, select_last_index)| {
            Op::ArgMax(ArgMax { axis, keep_dims, select_last_index })
        }),
    ];
    let rest = prop_oneof![
        any::<f32>().prop_map(|epsilon| Op::BatchNormalization(BatchNormalization { epsilon })),
        (-1i32..3).prop_map(|element| Op::Cast(Cast { element })),
        any_quantizer().prop_map(Op::Quantize),
        any_quantizer().prop_map(Op::Dequantize),
        any_quantizer().prop_map(Op::FakeQuantize),
        (any::<i64>(), 0usize..4, prop::collection::vec(0u32..2, 0..6)).prop_map(|(lo, count, table_of)| {
            Op::Lookup(Lookup { tables: vec![Table { lo, values: vec![i64::MAX; count] }], table_of })
        }),
        any_tensor().prop_map(Op::Constant),
    ];
    prop_oneof![
        1 => Just(None),
        20 => arithmetic.prop_map(Some),
        20 => activations.prop_map(Some),
        20 => movement.prop_map(Some),
        20 => rest.prop_map(Some),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

    /// Whatever a graph says, it is refused or run; and what it gives has the inferred type.
    #[test]
    fn no_graph_panics(
        constants in prop::collection::vec(any_tensor(), 1..6),
        steps in prop::collection::vec((any_op(), prop::collection::vec(0u32..8, 0..6)), 1..5),
        outputs in prop::collection::vec(0u32..10, 0..3),
    ) {
        let mut graph = Graph { outputs, ..Graph::default() };
        for tensor in constants {
            graph.push("constant", Op::Constant(tensor), []);
        }
        for (op, inputs) in steps {
            graph.nodes.push(Node { name: "step".to_owned(), inputs, op });
        }
        if let Ok(types) = graph.types()
            && let Ok(values) = graph.run_all(&[])
        {
            prop_assert_eq!(types, values.iter().map(Value::tensor_type).collect::<Vec<_>>());
        }
        // One operation at a time, on whatever constants come before it.
        for node in &graph.nodes {
            let Some(op) = &node.op else { continue };
            let operands: Vec<Value> = node
                .inputs
                .iter()
                .filter_map(|value| match &graph.nodes.get(*value as usize)?.op {
                    Some(Op::Constant(tensor)) => Value::try_from(tensor).ok(),
                    _ => None,
                })
                .collect();
            let operands: Vec<&Value> = operands.iter().collect();
            if let Ok(value) = op.run(&operands) {
                let types: Vec<TensorType> = operands.iter().map(|value| value.tensor_type()).collect();
                prop_assert_eq!(op.infer(&types).unwrap(), value.tensor_type());
            }
        }
    }

    #[test]
    fn altered_bytes_decode_to_a_graph_that_does_not_panic(at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut bytes = graph_of_one_layer().encode_to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(graph) = Graph::decode(bytes.as_slice()) {
            let inputs: Vec<Value> = vec![Value::floats(&[1, 2], vec![1.0, 3.0]).unwrap()];
            drop(graph.run(&inputs));
        }
    }
}
