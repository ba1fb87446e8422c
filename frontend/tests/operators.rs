//! Each operator in each form that an opset gives it, and each way to be refused.
#![allow(clippy::unwrap_used)]

mod common;

use cml_frontend::onnx::proto::{DataType, Node, Tensor};
use common::{
    NodeExt, apply, float_tensor, floats, info, int_tensor, integers, model, node, refusal, run, try_import,
};

const OPSETS: [i64; 7] = [7, 9, 11, 13, 17, 21, 28];

#[test]
fn arithmetic_broadcasts() {
    let x = (&[1, 2, 2][..], &[1.0, 2.0, 3.0, -4.0][..]);
    let half = [float_tensor("a", &[2], &[0.5, 2.0])];
    for opset in OPSETS {
        let of = |op: &str, inputs: &[&str]| apply(opset, x, &half, &node(op, inputs));
        let shape = [1, 2, 2];
        assert_eq!(of("Add", &["x", "a"]), floats(&shape, &[1.5, 4.0, 3.5, -2.0]));
        assert_eq!(of("Sub", &["a", "x"]), floats(&shape, &[-0.5, 0.0, -2.5, 6.0]));
        assert_eq!(of("Mul", &["x", "a"]), floats(&shape, &[0.5, 4.0, 1.5, -8.0]));
        assert_eq!(of("Div", &["x", "a"]), floats(&shape, &[2.0, 1.0, 6.0, -2.0]));
        assert_eq!(of("Neg", &["x"]), floats(&shape, &[-1.0, -2.0, -3.0, 4.0]));
        assert_eq!(of("MatMul", &["x", "a"]), floats(&[1, 2], &[4.5, -6.5]));
    }
    let wrong = model(13, &[1, 2], &[float_tensor("a", &[3], &[0.0; 3])], &[node("Add", &["x", "a"])]);
    assert_eq!(refusal(&wrong), "the_Add (Add, opset 13): shapes [1, 2] and [3] do not broadcast");
}

#[test]
fn activations() {
    let x = (&[1, 2][..], &[-2.0, 3.0][..]);
    for opset in OPSETS {
        let of = |node| apply(opset, x, &[], &node);
        assert_eq!(of(node("Relu", &["x"])), floats(&[1, 2], &[0.0, 3.0]));
        assert_eq!(of(node("LeakyRelu", &["x"])), floats(&[1, 2], &[-0.02, 3.0]));
        assert_eq!(of(node("LeakyRelu", &["x"]).float("alpha", 0.5)), floats(&[1, 2], &[-1.0, 3.0]));
        let e = (-2f32).exp_m1();
        for (node, low) in [(node("Elu", &["x"]), e), (node("Elu", &["x"]).float("alpha", 2.0), 2.0 * e)] {
            let cml_runtime::reference::Value::F32(y) = of(node) else { panic!("floats come out") };
            assert!((y[[0, 0]] - low).abs() < 1e-6 && y[[0, 1]] == 3.0);
        }
        for (op, expected) in [
            ("Sigmoid", [0.119_202_92, 0.952_574_13]),
            ("Tanh", [-0.964_027_6, 0.995_054_8]),
            ("Softplus", [0.126_928, 3.048_587_3]),
        ] {
            let cml_runtime::reference::Value::F32(y) = of(node(op, &["x"])) else {
                panic!("floats come out")
            };
            assert!(y.iter().zip(expected).all(|(y, expected)| (y - expected).abs() < 1e-6), "{op}: {y}");
        }
    }
}

#[test]
fn clip_takes_its_bounds_where_the_opset_has_them() {
    let x = (&[1, 3][..], &[-2.0, 0.5, 3.0][..]);
    for opset in [7, 9, 10] {
        let both = node("Clip", &["x"]).float("min", -1.0).float("max", 1.0);
        assert_eq!(apply(opset, x, &[], &both), floats(&[1, 3], &[-1.0, 0.5, 1.0]));
        let lower = node("Clip", &["x"]).float("min", 0.0);
        assert_eq!(apply(opset, x, &[], &lower), floats(&[1, 3], &[0.0, 0.5, 3.0]));
    }
    let bounds = [float_tensor("lo", &[], &[-1.0]), float_tensor("hi", &[1], &[1.0])];
    for opset in [11, 12, 13, 28] {
        let of = |inputs: &[&str]| apply(opset, x, &bounds, &node("Clip", inputs));
        assert_eq!(of(&["x", "lo", "hi"]), floats(&[1, 3], &[-1.0, 0.5, 1.0]));
        assert_eq!(of(&["x", "", "hi"]), floats(&[1, 3], &[-2.0, 0.5, 1.0]));
        assert_eq!(of(&["x", "lo"]), floats(&[1, 3], &[-1.0, 0.5, 3.0]));
        assert_eq!(of(&["x"]), floats(&[1, 3], x.1));
    }
    let late = model(13, &[1], &[], &[node("Clip", &["x"]).float("min", 0.0)]);
    assert_eq!(refusal(&late), "the_Clip (Clip, opset 13): attribute min is unknown at this opset");
    let early = model(9, &[1], &bounds, &[node("Clip", &["x", "lo", "hi"])]);
    assert_eq!(refusal(&early), "the_Clip (Clip, opset 9): expected 1 inputs, found 3");
    let computed = model(13, &[1], &[], &[node("Clip", &["x", "x"])]);
    assert!(refusal(&computed).contains("input 1 (min) must be constant"));
    let list = [float_tensor("lo", &[2], &[0.0, 1.0])];
    assert!(refusal(&model(13, &[1], &list, &[node("Clip", &["x", "lo"])])).contains("must be one number"));
}

#[test]
fn gemm_in_all_its_forms() {
    let weights = [float_tensor("b", &[2, 2], &[1.0, 2.0, 3.0, 4.0]), float_tensor("c", &[2], &[10.0, 20.0])];
    let x = (&[1, 2][..], &[1.0, -1.0][..]);
    for opset in OPSETS {
        let of = |node| apply(opset, x, &weights, &node);
        assert_eq!(of(node("Gemm", &["x", "b", "c"])), floats(&[1, 2], &[8.0, 18.0]));
        let scaled = node("Gemm", &["x", "b", "c"]).float("alpha", 2.0).float("beta", 0.5).int("transB", 1);
        assert_eq!(of(scaled), floats(&[1, 2], &[3.0, 8.0]));
    }
    let column = (&[2, 1][..], &[1.0, -1.0][..]);
    let turned = node("Gemm", &["x", "b", ""]).int("transA", 1);
    assert_eq!(apply(11, column, &weights, &turned), floats(&[1, 2], &[-2.0, -2.0]));
    let without = model(9, &[1, 2], &weights, &[node("Gemm", &["x", "b"])]);
    assert!(refusal(&without).contains("expected 3 inputs, found 2"));
    let inner = model(13, &[1, 3], &weights, &[node("Gemm", &["x", "b"])]);
    assert!(refusal(&inner).contains("shapes [1, 3] and [2, 2] do not multiply"));
}

#[test]
fn shapes_change_where_the_opset_has_the_axes() {
    let x = (&[1, 2, 1, 3][..], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0][..]);
    let shape_of = |opset, initializers: &[Tensor], node| {
        let y = apply(opset, x, initializers, &node);
        assert_eq!(y, floats(y.shape(), x.1));
        y.shape().to_vec()
    };
    for opset in OPSETS {
        assert_eq!(shape_of(opset, &[], node("Flatten", &["x"])), [1, 6]);
        assert_eq!(shape_of(opset, &[], node("Flatten", &["x"]).int("axis", 0)), [1, 6]);
        assert_eq!(shape_of(opset, &[], node("Flatten", &["x"]).int("axis", 2)), [2, 3]);
        assert_eq!(shape_of(opset, &[], node("Flatten", &["x"]).int("axis", 4)), [6, 1]);
        let target = [int_tensor("s", &[0, -1])];
        assert_eq!(shape_of(opset, &target, node("Reshape", &["x", "s"])), [1, 6]);
        assert_eq!(shape_of(opset, &[], node("Identity", &["x"])), [1, 2, 1, 3]);
    }
    assert_eq!(shape_of(11, &[], node("Flatten", &["x"]).int("axis", -1)), [2, 3]);
    for opset in [7, 11] {
        assert_eq!(shape_of(opset, &[], node("Squeeze", &["x"]).ints("axes", &[2])), [1, 2, 3]);
        assert_eq!(shape_of(opset, &[], node("Squeeze", &["x"])), [2, 3]);
        assert_eq!(shape_of(opset, &[], node("Unsqueeze", &["x"]).ints("axes", &[0, 5])), [1, 1, 2, 1, 3, 1]);
    }
    for opset in [13, 21, 28] {
        let axes = |list: &[i64]| [int_tensor("a", list)];
        assert_eq!(shape_of(opset, &axes(&[-2]), node("Squeeze", &["x", "a"])), [1, 2, 3]);
        assert_eq!(shape_of(opset, &[], node("Squeeze", &["x"])), [2, 3]);
        assert_eq!(shape_of(opset, &axes(&[-1, 0]), node("Unsqueeze", &["x", "a"])), [1, 1, 2, 1, 3, 1]);
    }
}

#[test]
fn shapes_that_cannot_be_are_refused() {
    let of = |opset, initializers: &[Tensor], node| refusal(&model(opset, &[1, 2], initializers, &[node]));
    let target = |list: &[i64]| [int_tensor("s", list)];
    assert_eq!(
        of(13, &target(&[3, -1]), node("Reshape", &["x", "s"])),
        "the_Reshape (Reshape, opset 13): shape [1, 2] cannot be reshaped to [3, -1]"
    );
    assert!(of(13, &[], node("Reshape", &["x", "x"])).contains("input 1 (shape) must be constant"));
    let zero = node("Reshape", &["x", "s"]).int("allowzero", 1);
    assert!(of(14, &target(&[0, -1]), zero.clone()).contains("cannot be reshaped"));
    assert!(of(13, &target(&[0, -1]), zero).contains("attribute allowzero is unknown"));
    assert!(of(13, &target(&[1]), node("Squeeze", &["x", "s"])).contains("its extent is not 1"));
    assert!(of(13, &target(&[7]), node("Squeeze", &["x", "s"])).contains("axis 7 is outside shape [1, 2]"));
    assert!(of(11, &[], node("Squeeze", &["x"]).ints("axes", &[0, 0])).contains("repeat one"));
    assert!(of(11, &[], node("Unsqueeze", &["x"]).ints("axes", &[1, 1])).contains("repeat one"));
    assert!(of(11, &[], node("Unsqueeze", &["x"])).contains("attribute axes is missing"));
    assert!(of(11, &[], node("Unsqueeze", &["x"]).int("axes", 1)).contains("must be a list of integers"));
    assert!(of(13, &[], node("Flatten", &["x"]).int("axis", 3)).contains("axis 3 is outside"));
    assert!(of(13, &[], node("Flatten", &["x"]).int("axis", i64::MIN)).contains("is outside"));
}

#[test]
fn transpose_and_concat_move_elements() {
    let x = (&[1, 2, 2][..], &[1.0, 2.0, 3.0, 4.0][..]);
    let more = [float_tensor("a", &[1, 1, 2], &[8.0, 9.0])];
    for opset in OPSETS {
        let of = |node| apply(opset, x, &more, &node);
        assert_eq!(of(node("Transpose", &["x"])), floats(&[2, 2, 1], &[1.0, 3.0, 2.0, 4.0]));
        let swapped = node("Transpose", &["x"]).ints("perm", &[0, 2, 1]);
        assert_eq!(of(swapped), floats(&[1, 2, 2], &[1.0, 3.0, 2.0, 4.0]));
        let same = node("Transpose", &["x"]).ints("perm", &[0, 1, 2]);
        assert_eq!(of(same), floats(&[1, 2, 2], x.1));
        let joined = node("Concat", &["a", "x", "x"]).int("axis", 1);
        let expected = [8.0, 9.0, 1.0, 2.0, 3.0, 4.0, 1.0, 2.0, 3.0, 4.0];
        assert_eq!(of(joined), floats(&[1, 5, 2], &expected));
    }
    assert_eq!(apply(11, x, &[], &node("Concat", &["x", "x"]).int("axis", -3)).shape(), [2, 2, 2]);
    let of = |node| refusal(&model(13, &[1, 2, 2], &more, &[node]));
    assert!(of(node("Concat", &["x", "a"]).int("axis", 2)).contains("differ outside the axis"));
    assert!(of(node("Concat", &["x", "a"])).contains("attribute axis is missing"));
    assert!(of(node("Transpose", &["x"]).ints("perm", &[0, 1])).contains("permutation"));
}

#[test]
fn batch_normalization_is_inference_only() {
    let each = |name: &str, a, b| float_tensor(name, &[2], &[a, b]);
    let statistics = [each("s", 2.0, 1.0), each("b", 0.5, 0.0), each("m", 1.0, 2.0), each("v", 3.0, 8.0)];
    let inputs = ["x", "s", "b", "m", "v"];
    let normalize = || node("BatchNormalization", &inputs).float("epsilon", 1.0);
    for opset in OPSETS {
        let y = apply(opset, (&[1, 2], &[3.0, 5.0]), &statistics, &normalize().float("momentum", 0.9));
        assert_eq!(y, floats(&[1, 2], &[2.5, 1.0]));
        let wide = apply(opset, (&[1, 2, 2], &[3.0, 1.0, 5.0, 2.0]), &statistics, &normalize());
        assert_eq!(wide, floats(&[1, 2, 2], &[2.5, 0.5, 1.0, 0.0]));
    }
    let of = |opset, node| refusal(&model(opset, &[1, 2], &statistics, &[node]));
    assert!(of(15, normalize().int("training_mode", 1)).contains("training_mode is 1"));
    assert!(of(7, normalize().int("spatial", 0)).contains("spatial is 0, supported: 1"));
    assert!(of(9, normalize().int("spatial", 1)).contains("attribute spatial is unknown"));
    let training = normalize().outputs(&["y", "mean"]);
    assert!(of(9, training).contains("output 1 is used, but only training makes it"));
    assert!(try_import(&model(9, &[1, 2], &statistics, &[normalize().outputs(&["y", ""])])).is_ok());
}

#[test]
fn dropout_does_nothing() {
    let x = (&[1, 2][..], &[3.0, 5.0][..]);
    for opset in [7, 10] {
        assert_eq!(apply(opset, x, &[], &node("Dropout", &["x"]).float("ratio", 0.5)), floats(&[1, 2], x.1));
    }
    let mode =
        |value| Tensor { data_type: DataType::Bool as i32, int32_data: vec![value], ..int_tensor("t", &[0]) };
    let inputs = ["x", "", "t"];
    for opset in [12, 13, 22] {
        let y = apply(opset, x, &[Tensor { int64_data: vec![], ..mode(0) }], &node("Dropout", &inputs));
        assert_eq!(y, floats(&[1, 2], x.1));
    }
    let training =
        model(12, &[1, 2], &[Tensor { int64_data: vec![], ..mode(1) }], &[node("Dropout", &inputs)]);
    assert!(refusal(&training).contains("input 2 (training_mode) must be false"));
    let masked =
        |opset| run(&model(opset, &[1, 2], &[], &[node("Dropout", &["x"]).outputs(&["y", "mask"])]), x.1);
    assert_eq!(masked(9)[1], floats(&[1, 2], &[1.0, 1.0]));
    assert_eq!(masked(13)[1], integers(&[1, 2], &[1, 1]));
}

#[test]
fn constants_come_in_every_form() {
    let x = (&[1, 2][..], &[3.0, 5.0][..]);
    let plus = |opset, constant: cml_frontend::onnx::proto::Node| {
        let nodes = [constant.outputs(&["k"]), node("Add", &["x", "k"])];
        run(&model(opset, x.0, &[], &nodes), x.1).swap_remove(0)
    };
    for opset in OPSETS {
        let tensor = node("Constant", &[]).tensor("value", float_tensor("", &[2], &[1.0, 2.0]));
        assert_eq!(plus(opset, tensor), floats(&[1, 2], &[4.0, 7.0]));
    }
    assert_eq!(plus(12, node("Constant", &[]).float("value_float", 0.5)), floats(&[1, 2], &[3.5, 5.5]));
    assert_eq!(
        plus(13, node("Constant", &[]).floats("value_floats", &[1.0, 2.0])),
        floats(&[1, 2], &[4.0, 7.0])
    );
    let reshaped = |constant: cml_frontend::onnx::proto::Node| {
        let nodes = [constant.outputs(&["k"]), node("Reshape", &["x", "k"])];
        run(&model(13, x.0, &[], &nodes), x.1).swap_remove(0).shape().to_vec()
    };
    assert_eq!(reshaped(node("Constant", &[]).int("value_int", -1)), [2]);
    assert_eq!(reshaped(node("Constant", &[]).ints("value_ints", &[2, 1])), [2, 1]);
    let of = |opset, node| refusal(&model(opset, &[1, 2], &[], &[node]));
    assert!(of(13, node("Constant", &[])).contains("attribute value is missing"));
    assert!(
        of(13, node("Constant", &[]).text("value_string", "a")).contains("type string are not supported")
    );
    assert!(of(11, node("Constant", &[]).float("value_float", 1.0)).contains("unknown at this opset"));
    let short = node("Constant", &[]).tensor("value", float_tensor("", &[3], &[1.0]));
    assert!(of(13, short).contains("attribute value: shape [3] needs 3 elements, found 1"));
}

#[test]
fn casts_between_kinds_of_numbers() {
    let x = (&[1, 3][..], &[-1.5, 0.5, 2.0][..]);
    for opset in OPSETS {
        let to = |kind: DataType| apply(opset, x, &[], &node("Cast", &["x"]).int("to", kind as i64));
        assert_eq!(to(DataType::Int64), integers(&[1, 3], &[-1, 0, 2]));
        assert_eq!(to(DataType::Int8), integers(&[1, 3], &[-1, 0, 2]));
        assert_eq!(to(DataType::Double), floats(&[1, 3], x.1));
    }
    let folded = |kind: DataType| {
        let a = [float_tensor("a", &[1, 3], &[-1.5, 0.0, 300.0])];
        let nodes = [node("Cast", &["a"]).int("to", kind as i64)];
        try_import(&model(13, x.0, &a, &nodes))
    };
    let value = |kind| folded(kind).unwrap().graph.run(&[floats(&[1, 3], x.1)]).unwrap().swap_remove(0);
    assert_eq!(value(DataType::Bool), integers(&[1, 3], &[1, 0, 1]));
    assert_eq!(value(DataType::Int32), integers(&[1, 3], &[-1, 0, 300]));
    assert!(folded(DataType::Uint8).unwrap_err().to_string().contains("the constant -1 does not fit uint8"));
    let of = |node| refusal(&model(13, &[1, 3], &[], &[node]));
    assert!(of(node("Cast", &["x"]).int("to", 9)).contains("a cast of computed numbers to bool"));
    assert!(of(node("Cast", &["x"]).int("to", 8)).contains("type string are not supported"));
    assert!(of(node("Cast", &["x"]).int("to", 17)).contains("type number 17 are not supported"));
    assert!(of(node("Cast", &["x"]).float("to", 1.0)).contains("attribute to must be an integer"));
}

#[test]
fn softmax_flattens_before_opset_13() {
    let x = (&[1, 2, 2][..], &[0.0, 0.0, 0.0, 0.0][..]);
    for opset in [7, 9, 11] {
        assert_eq!(apply(opset, x, &[], &node("Softmax", &["x"])), floats(&[1, 2, 2], &[0.25; 4]));
        assert_eq!(
            apply(opset, x, &[], &node("Softmax", &["x"]).int("axis", 2)),
            floats(&[1, 2, 2], &[0.5; 4])
        );
    }
    for opset in [13, 17, 28] {
        assert_eq!(apply(opset, x, &[], &node("Softmax", &["x"])), floats(&[1, 2, 2], &[0.5; 4]));
        assert_eq!(
            apply(opset, x, &[], &node("Softmax", &["x"]).int("axis", 1)),
            floats(&[1, 2, 2], &[0.5; 4])
        );
        assert_eq!(
            apply(opset, x, &[], &node("Softmax", &["x"]).int("axis", 0)),
            floats(&[1, 2, 2], &[1.0; 4])
        );
    }
}

#[test]
fn argmax_gives_positions() {
    let x = (&[1, 3][..], &[5.0, 1.0, 5.0][..]);
    for opset in OPSETS {
        let of = |node| apply(opset, x, &[], &node);
        assert_eq!(of(node("ArgMax", &["x"])), integers(&[1, 3], &[0, 0, 0]));
        assert_eq!(of(node("ArgMax", &["x"]).int("axis", 1)), integers(&[1, 1], &[0]));
        assert_eq!(of(node("ArgMax", &["x"]).int("axis", 1).int("keepdims", 0)), integers(&[1], &[0]));
    }
    let last = node("ArgMax", &["x"]).int("axis", -1).int("select_last_index", 1);
    assert_eq!(apply(12, x, &[], &last), integers(&[1, 1], &[2]));
    assert!(refusal(&model(11, x.0, &[], &[last])).contains("select_last_index is unknown"));
}

#[test]
fn integers_from_outside_are_moved_but_not_computed_on() {
    let integer = |nodes: &[_]| {
        let mut model = model(14, &[1, 2], &[], nodes);
        model.graph.as_mut().unwrap().input[0] = info("x", DataType::Int32, &[1, 2]);
        model
    };
    let joined = try_import(&integer(&[node("Concat", &["x", "x"]).int("axis", 1)])).unwrap();
    let y = joined.graph.run(&[integers(&[1, 2], &[3, -4])]).unwrap();
    assert_eq!(y[0], integers(&[1, 4], &[3, -4, 3, -4]));
    assert!(refusal(&integer(&[node("Relu", &["x"])])).contains("cast them to float before"));
    let cast = [node("Cast", &["x"]).int("to", 1).outputs(&["f"]), node("Relu", &["f"])];
    let y = try_import(&integer(&cast)).unwrap().graph.run(&[integers(&[1, 2], &[3, -4])]).unwrap();
    assert_eq!(y[0], floats(&[1, 2], &[3.0, 0.0]));
}

#[test]
fn windows_that_do_not_fit_are_refused() {
    let weights = float_tensor("w", &[1, 1, 2, 2], &[1.0; 4]);
    let refuse = |x: &[i64], node: Node| refusal(&model(13, x, std::slice::from_ref(&weights), &[node]));
    let conv = || node("Conv", &["x", "w"]);
    assert!(
        refuse(&[1, 2, 4, 4], conv())
            .contains("input 1 (W) must be floats of shape [results, channels / group")
    );
    assert!(refuse(&[1, 1, 1, 4], conv()).contains("supported: windows that fit the padded input"));
    assert!(refuse(&[1, 1, 4, 4], conv().ints("strides", &[0, 1])).contains("strides and dilations above 0"));
    assert!(refuse(&[1, 1, 4, 4], conv().ints("pads", &[1, 1])).contains("attribute pads is [1, 1]"));
    assert!(refuse(&[1, 1, 4, 4], conv().text("auto_pad", "FULL")).contains("attribute auto_pad is FULL"));
    assert!(refuse(&[1, 1, 512, 512], conv()).contains("elements"));
    let computed = node("Conv", &["x", "x"]);
    assert!(refuse(&[1, 1, 4, 4], computed).contains("input 1 (W) must be constant"));
    let pool = node("AveragePool", &["x"]).ints("kernel_shape", &[2, 2]).int("ceil_mode", 1);
    assert!(refuse(&[1, 1, 4, 4], pool).contains("attribute ceil_mode is 1, supported: 0"));
    let other = conv().ints("kernel_shape", &[3, 2]);
    assert!(refuse(&[1, 1, 4, 4], other).contains("kernel_shape is [3, 2], supported: the extents of W"));
}

/// Nearly all of them is padding: no matrix would be large.
#[test]
fn windows_of_any_size_are_refused_at_once() {
    let pool = |x: &[i64], kernel: &[i64], pads: i64| {
        let pool = node("AveragePool", &["x"]).ints("kernel_shape", kernel);
        refusal(&model(19, x, &[], &[pool.ints("pads", &vec![pads; 2 * kernel.len()])]))
    };
    assert!(
        pool(&[1, 1, 4, 4], &[1 << 20; 2], 1 << 19).contains("windows of at most 2^24 elements together")
    );
    assert!(pool(&[1, 1, 4], &[i64::MAX], 0).contains("an extent of 1 to 2^24 for each axis"));
    let shape = [1, 1, 1, 1, 1, 1];
    assert!(pool(&shape, &[1; 4], (1 << 20) - 1).contains("elements"));
    let same = node("AveragePool", &["x"]).ints("kernel_shape", &[1 << 24]).text("auto_pad", "SAME_UPPER");
    assert!(refusal(&model(19, &[1, 1, 4], &[], &[same])).contains("windows of at most 2^24 elements"));
}
