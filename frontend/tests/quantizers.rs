//! Quantizers in each form, and each way to be refused.
#![allow(clippy::unwrap_used)]

mod common;

use cml_frontend::onnx::proto::{DataType, Model, Node, OperatorSet, Tensor};
use cml_runtime::reference::message::Op;
use common::{NodeExt, float_tensor, floats, integers, model, node, refusal, run, try_import};

const X: [f32; 6] = [-9.0, -0.75, -0.25, 0.25, 0.75, 9.0];

fn stored(name: &str, kind: DataType, elements: &[i32]) -> Tensor {
    let dims = if elements.len() == 1 { vec![] } else { vec![elements.len() as i64] };
    let int32_data = elements.to_vec();
    Tensor { name: name.to_owned(), dims, data_type: kind as i32, int32_data, ..Tensor::default() }
}

fn quant(bits: f32, zero_point: f32, change: impl Fn(Node) -> Node) -> Model {
    let constants = [
        float_tensor("s", &[], &[0.5]),
        float_tensor("z", &[], &[zero_point]),
        float_tensor("b", &[], &[bits]),
    ];
    qonnx(&[1, 6], &constants, &[change(node("Quant", &["x", "s", "z", "b"]))])
}

/// A model whose nodes are of QONNX.
fn qonnx(x: &[i64], constants: &[Tensor], nodes: &[Node]) -> Model {
    let mut nodes = nodes.to_vec();
    nodes.iter_mut().for_each(|node| node.domain = "onnx.brevitas".to_owned());
    let mut model = model(14, x, constants, &nodes);
    model.opset_import.push(OperatorSet { domain: "onnx.brevitas".to_owned(), version: 1 });
    model
}

#[test]
fn quant_rounds_halves_to_even_and_clips_to_its_bits() {
    for (signed, narrow, lo, hi) in [(1, 0, -2.0, 1.5), (1, 1, -1.5, 1.5), (0, 0, 0.0, 3.5), (0, 1, 0.0, 3.0)]
    {
        let of = quant(3.0, 0.0, |node| {
            node.int("signed", signed).int("narrow", narrow).text("rounding_mode", "ROUND")
        });
        let expected = [lo, f32::max(-1.0, lo), 0.0, 0.0, 1.0, hi];
        assert_eq!(run(&of, &X), [floats(&[1, 6], &expected)], "signed {signed}, narrow {narrow}");
    }
    let mut general = quant(3.0, 0.0, |mut node| {
        node.op_type = "IntQuant".to_owned();
        node
    });
    general.graph.as_mut().unwrap().node[0].domain = "qonnx.custom_op.general".to_owned();
    assert_eq!(run(&general, &X), [floats(&[1, 6], &[-2.0, -1.0, 0.0, 0.0, 1.0, 1.5])]);
}

#[test]
fn quant_adds_its_zero_point_before_it_rounds() {
    // x / 0.5 + 1 is -17, -0.5, 0.5, 1.5, 2.5, 19: halves go to the even neighbour of the sum.
    let whole = run(&quant(3.0, 1.0, |node| node), &X);
    assert_eq!(whole, [floats(&[1, 6], &[-2.5, -0.5, -0.5, 0.5, 0.5, 1.0])]);
    let half = run(&quant(2.0, 0.5, |node| node.int("signed", 0)), &X);
    assert_eq!(half, [floats(&[1, 6], &[-0.25, -0.25, -0.25, 0.25, 0.75, 1.25])]);
}

#[test]
fn one_signed_bit_is_a_sign() {
    let quantized = run(&quant(1.0, 0.0, |node| node), &[-9.0, -0.1, -0.0, 0.0, 0.1, 9.0]);
    assert_eq!(quantized, [floats(&[1, 6], &[-0.5, -0.5, 0.5, 0.5, 0.5, 0.5])]);
    let constants = [float_tensor("s", &[6], &[0.1, 0.2, 0.3, 0.4, 0.5, 0.6])];
    let bipolar = qonnx(&[1, 6], &constants, &[node("BipolarQuant", &["x", "s"])]);
    assert_eq!(run(&bipolar, &X), [floats(&[1, 6], &[-0.1, -0.2, -0.3, 0.4, 0.5, 0.6])]);
}

#[test]
fn scales_and_zero_points_go_along_one_axis_and_may_be_computed() {
    let constants = [
        float_tensor("s", &[2, 1], &[0.5, 1.0]),
        float_tensor("two", &[], &[2.0]),
        float_tensor("z", &[2, 1], &[0.0, 0.5]),
        float_tensor("b", &[], &[4.0]),
    ];
    let halved = node("Div", &["s", "two"]).outputs(&["halves"]);
    let mut quantize = node("Quant", &["x", "halves", "z", "b"]);
    quantize.domain = "onnx.brevitas".to_owned();
    let mut of = model(14, &[1, 2, 3], &constants, &[halved, quantize]);
    of.opset_import.push(OperatorSet { domain: "onnx.brevitas".to_owned(), version: 1 });
    assert_eq!(run(&of, &X), [floats(&[1, 2, 3], &[-2.0, -0.75, -0.25, 0.25, 0.75, 3.25])]);
}

#[test]
fn trunc_divides_the_integers_before_it() {
    let constants = [
        float_tensor("s", &[], &[0.25]),
        float_tensor("z", &[], &[0.0]),
        float_tensor("from", &[], &[4.0]),
        float_tensor("to", &[], &[2.0]),
        float_tensor("out", &[], &[1.0]),
    ];
    let x = [-2.0, -1.75, -0.25, 0.25, 0.75, 1.75];
    let first = qonnx(&[1, 6], &constants, &[node("Trunc", &["x", "s", "z", "from", "to"])]);
    assert_eq!(run(&first, &x), [floats(&[1, 6], &[-0.5, -0.5, -0.25, 0.0, 0.0, 0.25])]);
    let round = node("Trunc", &["x", "s", "z", "from", "to"]).text("rounding_mode", "ROUND");
    let first = qonnx(&[1, 6], &constants, &[round]);
    assert_eq!(run(&first, &x), [floats(&[1, 6], &[-0.5, -0.5, 0.0, 0.0, 0.25, 0.5])]);
    let second = qonnx(&[1, 6], &constants, &[node("Trunc", &["x", "s", "z", "from", "out", "to"])]);
    assert_eq!(run(&second, &x), [floats(&[1, 6], &[-2.0, -2.0, -1.0, 0.0, 0.0, 1.0])]);
}

#[test]
fn quant_of_other_forms_is_refused() {
    let same = |node: Node| node;
    assert!(refusal(&quant(2.5, 0.0, same)).contains("has 2.5 bits, supported: 1 to 32 bits"));
    assert!(refusal(&quant(33.0, 0.0, same)).contains("has 33 bits"));
    let zero = refusal(&quant(3.0, 0.1, same));
    assert!(zero.contains("the zero point 0.1") && zero.contains("does not subtract exactly"), "{zero}");
    let one = refusal(&quant(1.0, 0.0, |node| node.int("signed", 0).int("narrow", 1)));
    assert!(one.contains("has the one integer 0"), "{one}");
    let odd = refusal(&quant(3.0, 0.0, |node| node.text("rounding_mode", "STOCHASTIC")));
    assert!(
        odd.contains("attribute rounding_mode is STOCHASTIC, supported: ROUND, HALF_EVEN, CEIL"),
        "{odd}"
    );
    let mut foreign = quant(3.0, 0.0, same);
    foreign.graph.as_mut().unwrap().node[0].domain.clear();
    assert!(refusal(&foreign).contains("operator Quant (opset 14) is not supported"));
    let constants = [float_tensor("s", &[2, 3], &[0.5; 6]), float_tensor("z", &[], &[0.0])];
    let both = qonnx(&[1, 2, 3], &constants, &[node("BipolarQuant", &["x", "s"])]);
    assert!(refusal(&both).contains("input 1 (scale) must be one number, or one for each index of one axis"));
    let computed = qonnx(&[1, 6], &constants, &[node("BipolarQuant", &["z", "x"])]);
    assert!(refusal(&computed).contains("input 1 (scale) must be constant"));
}

fn chain(clip: &[&str], scale: &str, zero: &str) -> Model {
    let constants = [
        float_tensor("s", &[], &[0.5]),
        stored("z", DataType::Int8, &[0]),
        stored("one", DataType::Int8, &[1]),
        stored("u", DataType::Uint8, &[2]),
        stored("lo", DataType::Int8, &[-3]),
        stored("hi", DataType::Int8, &[3]),
    ];
    let nodes = [
        node("QuantizeLinear", &["x", "s", zero]).outputs(&["q"]),
        node("Clip", clip).outputs(&["c"]),
        node("DequantizeLinear", &["c", scale, zero]),
    ];
    model(14, &[1, 6], &constants, &nodes)
}

#[test]
fn quantize_clip_dequantize_is_one_quantizer() {
    let narrow = chain(&["q", "lo", "hi"], "s", "z");
    let graph = try_import(&narrow).unwrap().graph;
    let [quantize] = &graph.nodes[..] else { panic!("one node: {graph:?}") };
    let Some(Op::FakeQuantize(quantizer)) = &quantize.op else { panic!("a quantizer") };
    assert_eq!((quantizer.lo, quantizer.hi, &quantizer.scales[..]), (-3, 3, &[0.5][..]));
    assert_eq!(run(&narrow, &X), [floats(&[1, 6], &[-1.5, -1.0, 0.0, 0.0, 1.0, 1.5])]);
    let above = run(&chain(&["q", "lo"], "s", "z"), &X);
    assert_eq!(above, [floats(&[1, 6], &[-1.5, -1.0, 0.0, 0.0, 1.0, 9.0])]);
    let unsigned = run(&chain(&["q"], "s", "u"), &X);
    assert_eq!(unsigned, [floats(&[1, 6], &[-1.0, -1.0, 0.0, 0.0, 1.0, 9.0])]);
    let odd = run(&chain(&["q", "lo", "hi"], "s", "one"), &X);
    assert_eq!(odd, [floats(&[1, 6], &[-2.0, -1.0, 0.0, 0.0, 1.0, 1.0])]);
}

#[test]
fn weights_keep_their_quantizer_in_the_graph() {
    let weights = Tensor { dims: vec![2, 2], ..stored("w", DataType::Int8, &[-3, 2, 0, 1]) };
    let constants = [weights, float_tensor("s", &[2], &[0.5, 0.25]), stored("z", DataType::Int8, &[0, 0])];
    let nodes = [
        node("DequantizeLinear", &["w", "s", "z"]).int("axis", 0).outputs(&["d"]),
        node("MatMul", &["x", "d"]),
    ];
    let product = model(13, &[1, 2], &constants, &nodes);
    let graph = try_import(&product).unwrap().graph;
    assert!(
        graph
            .nodes
            .iter()
            .any(|node| matches!(&node.op, Some(Op::FakeQuantize(q)) if (q.lo, q.hi) == (-3, 2)))
    );
    assert_eq!(run(&product, &[1.0, 4.0]), [floats(&[1, 2], &[-1.5, 2.0])]);
}

#[test]
fn integers_may_be_read_by_another_scale_and_zero_point() {
    // Steps of 0.5 about 2, read as steps of 0.25 about 0.
    let of = model(
        14,
        &[1, 6],
        &[
            float_tensor("s", &[], &[0.5]),
            float_tensor("t", &[], &[0.25]),
            stored("u", DataType::Uint8, &[2]),
            stored("none", DataType::Uint8, &[0]),
        ],
        &[
            node("QuantizeLinear", &["x", "s", "u"]).outputs(&["q"]),
            node("DequantizeLinear", &["q", "t", "none"]),
        ],
    );
    assert_eq!(run(&of, &X), [floats(&[1, 6], &[0.0, 0.0, 0.5, 0.5, 1.0, 5.0])]);
    let cast = node("Cast", &["q"]).int("to", 1);
    let of = model(
        14,
        &[1, 6],
        &[float_tensor("s", &[], &[0.5])],
        &[
            node("QuantizeLinear", &["x", "s"]).outputs(&["q"]),
            node("Reshape", &["q", "shape"]).outputs(&["r"]),
            Node { input: vec!["r".to_owned()], ..cast },
        ],
    );
    let mut of = of;
    of.graph.as_mut().unwrap().initializer.push(common::int_tensor("shape", &[2, 3]));
    assert_eq!(run(&of, &X), [floats(&[2, 3], &[0.0, 0.0, 0.0, 0.0, 2.0, 18.0])]);
}

#[test]
fn integer_products_are_exact_and_quantized_anew() {
    let weights = Tensor { dims: vec![2, 2], ..stored("w", DataType::Int8, &[3, -1, 5, 2]) };
    let constants = [
        float_tensor("s", &[], &[0.5]),
        stored("z", DataType::Uint8, &[2]),
        weights,
        float_tensor("v", &[2], &[0.25, 0.5]),
        stored("zw", DataType::Int8, &[1, 0]),
        float_tensor("r", &[], &[1.0]),
        stored("zr", DataType::Int8, &[-3]),
    ];
    let quantize = || node("QuantizeLinear", &["x", "s", "z"]).outputs(&["q"]);
    // (x / 0.5) times [[2, -1], [4, 2]], as 1.5 and -0.5 are 3 and -1.
    let x = [1.5, -0.5];
    let product = node("MatMulInteger", &["q", "w", "z", "zw"]).outputs(&["sums"]);
    let of =
        model(14, &[1, 2], &constants, &[quantize(), product.clone(), node("Cast", &["sums"]).int("to", 1)]);
    assert_eq!(run(&of, &x), [floats(&[1, 2], &[2.0, -5.0])]);
    let integers_out = model(14, &[1, 2], &constants, &[quantize(), product]);
    assert_eq!(run(&integers_out, &x), [integers(&[1, 2], &[2, -5])]);
    // 2 * 0.5 * 0.25 is 0.25, and -5 * 0.5 * 0.5 is -1.25, in steps of 1 about -3.
    let inputs = ["q", "s", "z", "w", "v", "zw", "r", "zr"];
    let product = node("QLinearMatMul", &inputs).outputs(&["y"]);
    let of = model(14, &[1, 2], &constants, &[quantize(), product.clone()]);
    assert_eq!(run(&of, &x), [integers(&[1, 2], &[-3, -4])]);
    let dequantize = node("DequantizeLinear", &["p", "r", "zr"]).outputs(&["y"]);
    let of = model(14, &[1, 2], &constants, &[quantize(), product.outputs(&["p"]), dequantize]);
    assert_eq!(run(&of, &x), [floats(&[1, 2], &[0.0, -1.0])]);
}

#[test]
fn a_graph_input_may_hold_the_integers_of_a_quantizer() {
    let constants = [float_tensor("s", &[], &[0.5]), stored("z", DataType::Uint8, &[2])];
    let mut of = model(14, &[1, 2], &constants, &[node("DequantizeLinear", &["x", "s", "z"])]);
    of.graph.as_mut().unwrap().input = vec![common::info("x", DataType::Uint8, &[1, 2])];
    let graph = try_import(&of).unwrap().graph;
    assert_eq!(graph.run(&[integers(&[1, 2], &[0, 255])]).unwrap(), [floats(&[1, 2], &[-1.0, 126.5])]);
    let quantizer = graph.nodes.iter().find_map(|node| match &node.op {
        Some(Op::FakeQuantize(quantizer)) => Some(quantizer),
        _ => None,
    });
    assert_eq!(quantizer.map(|quantizer| (quantizer.lo, quantizer.hi)), Some((0, 255)));
    of.graph.as_mut().unwrap().input = vec![common::info("x", DataType::Int64, &[1, 2])];
    assert!(refusal(&of).contains("integers that are not constant"));
}

#[test]
fn linear_quantizers_of_other_forms_are_refused() {
    let constants = [float_tensor("s", &[], &[0.5])];
    let quantize = || node("QuantizeLinear", &["x", "s"]).outputs(&["q"]);
    let add = refusal(&model(14, &[1, 6], &constants, &[quantize(), node("Add", &["q", "q"])]));
    assert!(add.starts_with("the_Add (Add, opset 14): it reads the integers of a quantizer or of"), "{add}");
    let blocks = refusal(&model(21, &[1, 6], &constants, &[quantize().int("block_size", 2)]));
    assert!(blocks.contains("a scale for each block"), "{blocks}");
    let dynamic = refusal(&model(13, &[1, 6], &[], &[node("DynamicQuantizeLinear", &["x"])]));
    assert!(dynamic.contains("its scale depends on the encrypted input"), "{dynamic}");
}

/// Two results of one channel: the sum, and the difference along columns; scales for each result.
fn convolution(node: &str, kind: DataType) -> (Vec<Tensor>, Node) {
    let weights = Tensor { dims: vec![2, 1, 2, 2], ..stored("w", kind, &[1, 1, 1, 1, 1, -1, 1, -1]) };
    let constants = vec![weights, float_tensor("s", &[2], &[0.5, 0.25]), stored("z", kind, &[0, 0])];
    (constants, common::node(node, &["x", "d"]))
}

#[test]
fn quantized_convolutions_keep_their_quantizer_on_the_matrix() {
    let (constants, conv) = convolution("Conv", DataType::Int8);
    let dequantize = node("DequantizeLinear", &["w", "s", "z"]).int("axis", 0).outputs(&["d"]);
    let of = model(13, &[1, 1, 2, 3], &constants, &[dequantize, conv]);
    let graph = try_import(&of).unwrap().graph;
    let quantizers = graph.nodes.iter().filter_map(|node| match &node.op {
        Some(Op::FakeQuantize(quantizer)) => Some((quantizer.axis, quantizer.scales.clone())),
        _ => None,
    });
    let quantizers: Vec<(u32, Vec<f64>)> = quantizers.collect();
    assert_eq!(quantizers, [(1, vec![0.5, 0.5, 0.25, 0.25])]);
    let x = [1.0, 2.0, 3.0, 4.0, 5.0, 7.0];
    assert_eq!(run(&of, &x), [floats(&[1, 2, 1, 2], &[6.0, 8.5, -0.5, -0.75])]);
}

/// A window's share is the scale of its column, and its integers are 0 and 1; without a quantizer before there is none.
#[test]
fn pools_behind_a_quantizer_have_quantized_weights() {
    let constants = [float_tensor("s", &[], &[0.5]), stored("z", DataType::Int8, &[0])];
    let chain = [
        node("QuantizeLinear", &["x", "s", "z"]).outputs(&["q"]),
        node("DequantizeLinear", &["q", "s", "z"]).outputs(&["d"]),
        node("Transpose", &["d"]).ints("perm", &[0, 1, 3, 2]).outputs(&["t"]),
    ];
    let scales = |pool: &Node, input: &str| {
        let pool = Node { input: vec![input.to_owned()], ..pool.clone() };
        let nodes: Vec<Node> = chain.iter().cloned().chain([pool]).collect();
        let of = model(13, &[1, 1, 2, 3], &constants, &nodes);
        let graph = try_import(&of).unwrap().graph;
        let of_matrix = |node: &cml_runtime::reference::message::Node| match &node.op {
            Some(Op::FakeQuantize(quantizer)) if (quantizer.lo, quantizer.hi) == (0, 1) => {
                Some((quantizer.axis, quantizer.scales.clone()))
            }
            _ => None,
        };
        let found: Vec<(u32, Vec<f64>)> = graph.nodes.iter().filter_map(of_matrix).collect();
        (found, run(&of, &[1.0, 2.0, 3.0, 4.0, 5.0, 7.0]))
    };
    let even = node("AveragePool", &[]).ints("kernel_shape", &[2, 2]);
    let means = |values: &[f32]| vec![floats(&[1, 1, 2, 1], values)];
    assert_eq!(scales(&even, "t"), (vec![(1, vec![0.25])], means(&[3.0, 4.25])));
    assert_eq!(scales(&even, "x"), (vec![], vec![floats(&[1, 1, 1, 2], &[3.0, 4.25])]));
    // The second window has one row of the input.
    let uneven = node("AveragePool", &[])
        .ints("kernel_shape", &[2, 2])
        .ints("strides", &[2, 1])
        .ints("pads", &[0, 0, 1, 0]);
    assert_eq!(scales(&uneven, "t"), (vec![(1, vec![0.25, 0.5])], means(&[3.0, 5.0])));
    let counted = uneven.int("count_include_pad", 1);
    assert_eq!(scales(&counted, "t"), (vec![(1, vec![0.25])], means(&[3.0, 2.5])));
    let whole = node("GlobalAveragePool", &[]);
    assert_eq!(scales(&whole, "t"), (vec![(1, vec![1.0 / 6.0])], vec![floats(&[1, 1, 1, 1], &[22.0 / 6.0])]));
}

#[test]
fn weights_that_cannot_be_zero_are_no_convolution() {
    let constants = [float_tensor("w", &[1, 1, 1, 2], &[0.5, -0.5]), float_tensor("s", &[], &[1.0])];
    let mut signs = node("BipolarQuant", &["w", "s"]).outputs(&["d"]);
    signs.domain = "onnx.brevitas".to_owned();
    let mut of = model(14, &[1, 1, 2, 3], &constants, &[signs, node("Conv", &["x", "d"])]);
    of.opset_import.push(OperatorSet { domain: "onnx.brevitas".to_owned(), version: 1 });
    assert!(refusal(&of).contains("its quantizer has weights that cannot be 0"));
}
