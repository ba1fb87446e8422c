//! Quantizers in each form, and each way to be refused.
#![allow(clippy::unwrap_used)]

mod common;

use cml_frontend::onnx::proto::{DataType, Node, OperatorSet, Tensor};
use cml_runtime::reference::message::Op;
use common::{NodeExt, float_tensor, floats, model, node, refusal, run, try_import};

const X: [f32; 6] = [-9.0, -0.75, -0.25, 0.25, 0.75, 9.0];

fn stored(name: &str, kind: DataType, elements: &[i32]) -> Tensor {
    let dims = if elements.len() == 1 { vec![] } else { vec![elements.len() as i64] };
    let int32_data = elements.to_vec();
    Tensor { name: name.to_owned(), dims, data_type: kind as i32, int32_data, ..Tensor::default() }
}

fn quant(bits: f32, zero_point: f32, change: impl Fn(Node) -> Node) -> cml_frontend::onnx::proto::Model {
    let constants = [
        float_tensor("s", &[], &[0.5]),
        float_tensor("z", &[], &[zero_point]),
        float_tensor("b", &[], &[bits]),
    ];
    let mut quant = node("Quant", &["x", "s", "z", "b"]);
    quant.domain = "onnx.brevitas".to_owned();
    let mut quant = model(14, &[1, 6], &constants, &[change(quant)]);
    quant.opset_import.push(OperatorSet { domain: "onnx.brevitas".to_owned(), version: 1 });
    quant
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
    let general = quant(3.0, 0.0, |mut node| {
        node.domain = "qonnx.custom_op.general".to_owned();
        node.op_type = "IntQuant".to_owned();
        node
    });
    assert_eq!(run(&general, &X), [floats(&[1, 6], &[-2.0, -1.0, 0.0, 0.0, 1.0, 1.5])]);
}

#[test]
fn quant_of_other_forms_is_refused() {
    let same = |node: Node| node;
    assert!(refusal(&quant(2.5, 0.0, same)).contains("has 2.5 bits, supported: 2 to 16 bits"));
    assert!(refusal(&quant(1.0, 0.0, same)).contains("has 1 bits"));
    assert!(refusal(&quant(3.0, 0.5, same)).contains("a zero point other than 0, supported: zero point 0"));
    let ceil = refusal(&quant(3.0, 0.0, |node| node.text("rounding_mode", "CEIL")));
    assert!(ceil.contains("attribute rounding_mode is CEIL, supported: ROUND"), "{ceil}");
    let foreign = |mut node: Node| {
        node.domain.clear();
        node
    };
    assert!(refusal(&quant(3.0, 0.0, foreign)).contains("operator Quant (opset 14) is not supported"));
}

fn chain(clip: &[&str], scale: &str, zero: &str) -> cml_frontend::onnx::proto::Model {
    let constants = [
        float_tensor("s", &[], &[0.5]),
        float_tensor("t", &[], &[0.25]),
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
fn linear_quantizers_of_other_forms_are_refused() {
    let other = refusal(&chain(&["q", "lo", "hi"], "t", "z"));
    assert!(other.contains("another scale or zero point than the QuantizeLinear before"), "{other}");
    let constants = [float_tensor("s", &[], &[0.5])];
    let quantize = || node("QuantizeLinear", &["x", "s"]).outputs(&["q"]);
    let add = refusal(&model(14, &[1, 6], &constants, &[quantize(), node("Add", &["q", "q"])]));
    assert!(add.starts_with("the_Add (Add, opset 14): it reads the integers of a quantizer"), "{add}");
    let blocks = refusal(&model(21, &[1, 6], &constants, &[quantize().int("block_size", 2)]));
    assert!(blocks.contains("a scale for each block"), "{blocks}");
    let dynamic = refusal(&model(13, &[1, 6], &[], &[node("DynamicQuantizeLinear", &["x"])]));
    assert!(dynamic.contains("its scale depends on the encrypted input"), "{dynamic}");
}
