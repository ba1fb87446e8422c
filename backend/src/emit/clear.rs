//! Graphs of the client as code: a function that pushes one node after the other.

use super::code::{Field, Layout, double, float, integers, option, text};
use cml_runtime::reference::message::{Dims, Element, Graph, Node, Op, Port, Quantizer, Table, Tensor};

/// The body of a function that returns the graph.
pub(crate) fn graph_body(graph: &Graph) -> String {
    let layout = Layout::at(4);
    let mut body = format!("    let inputs = {};\n", layout.vec_of(&graph.inputs, port));
    body.push_str(
        "    let mut graph = clear::Graph {\n        inputs,\n        ..Default::default()\n    };\n",
    );
    for node in &graph.nodes {
        body.push_str(&push(node));
    }
    body.push_str(&format!("    graph.outputs = {};\n", layout.vec(integers(&graph.outputs))));
    let names = graph.output_names.iter().map(|name| text(name)).collect();
    body.push_str(&format!("    graph.output_names = {};\n", layout.vec(names)));
    body + "    graph\n"
}

fn push(node: &Node) -> String {
    let Some(op) = &node.op else { return String::new() };
    let inputs = node.inputs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let code = operation(&Layout::at(4), op);
    let name = &node.name;
    format!("    let op = clear::Op::{code};\n    graph.push({name:?}, op, [{inputs}]);\n")
}

fn port(layout: &Layout, port: &Port) -> String {
    layout.literal(
        "clear::Port",
        &[
            ("name", &|_| text(&port.name)),
            ("shape", &|inner| inner.vec(integers(&port.shape))),
            ("element", &|_| format!("{}.into()", element(port.element()))),
        ],
    )
}

fn element(element: Element) -> &'static str {
    match element {
        Element::F32 => "clear::Element::F32",
        Element::I64 => "clear::Element::I64",
    }
}

fn operation(layout: &Layout, op: &Op) -> String {
    let empty = |name: &str| format!("{name}(clear::Empty {{}})");
    let axis = |name: &str, axis: u32| {
        format!("{name}({})", layout.literal("clear::Axis", &[("axis", &|_| axis.to_string())]))
    };
    let slope = |name: &str, alpha: f32| {
        format!("{name}({})", layout.literal("clear::Slope", &[("alpha", &|_| float(alpha))]))
    };
    match op {
        Op::Constant(value) => format!("Constant({})", tensor(layout, value)),
        Op::MatMul(_) => empty("MatMul"),
        Op::Gemm(gemm) => {
            let fields: [Field<'_>; 4] = [
                ("alpha", &|_| float(gemm.alpha)),
                ("beta", &|_| float(gemm.beta)),
                ("transpose_a", &|_| gemm.transpose_a.to_string()),
                ("transpose_b", &|_| gemm.transpose_b.to_string()),
            ];
            format!("Gemm({})", layout.literal("clear::Gemm", &fields))
        }
        Op::Add(_) => empty("Add"),
        Op::Sub(_) => empty("Sub"),
        Op::Mul(_) => empty("Mul"),
        Op::Div(_) => empty("Div"),
        Op::Neg(_) => empty("Neg"),
        Op::Relu(_) => empty("Relu"),
        Op::LeakyRelu(value) => slope("LeakyRelu", value.alpha),
        Op::Sigmoid(_) => empty("Sigmoid"),
        Op::Tanh(_) => empty("Tanh"),
        Op::Clip(clip) => {
            let fields: [Field<'_>; 2] =
                [("min", &|_| option(clip.min, float)), ("max", &|_| option(clip.max, float))];
            format!("Clip({})", layout.literal("clear::Clip", &fields))
        }
        Op::Elu(value) => slope("Elu", value.alpha),
        Op::Softplus(_) => empty("Softplus"),
        Op::Reshape(value) => dims(layout, "Reshape", value),
        Op::Transpose(value) => dims(layout, "Transpose", value),
        Op::Concat(value) => axis("Concat", value.axis),
        Op::Softmax(value) => axis("Softmax", value.axis),
        Op::ArgMax(argmax) => {
            let fields: [Field<'_>; 3] = [
                ("axis", &|_| argmax.axis.to_string()),
                ("keep_dims", &|_| argmax.keep_dims.to_string()),
                ("select_last_index", &|_| argmax.select_last_index.to_string()),
            ];
            format!("ArgMax({})", layout.literal("clear::ArgMax", &fields))
        }
        Op::BatchNormalization(norm) => {
            let literal =
                layout.literal("clear::BatchNormalization", &[("epsilon", &|_| float(norm.epsilon))]);
            format!("BatchNormalization({literal})")
        }
        Op::Cast(cast) => {
            let literal = layout
                .literal("clear::Cast", &[("element", &|_| format!("{}.into()", element(cast.element())))]);
            format!("Cast({literal})")
        }
        Op::ReduceSum(value) => dims(layout, "ReduceSum", value),
        Op::Quantize(value) => format!("Quantize({})", quantizer(layout, value)),
        Op::Dequantize(value) => format!("Dequantize({})", quantizer(layout, value)),
        Op::FakeQuantize(value) => format!("FakeQuantize({})", quantizer(layout, value)),
        Op::Lookup(lookup) => {
            let fields: [Field<'_>; 2] = [
                ("tables", &|inner| inner.vec_of(&lookup.tables, table)),
                ("table_of", &|inner| inner.vec(integers(&lookup.table_of))),
            ];
            format!("Lookup({})", layout.literal("clear::Lookup", &fields))
        }
    }
}

fn dims(layout: &Layout, name: &str, dims: &Dims) -> String {
    format!(
        "{name}({})",
        layout.literal("clear::Dims", &[("dims", &|inner| inner.vec(integers(&dims.dims)))])
    )
}

fn table(layout: &Layout, table: &Table) -> String {
    layout.literal(
        "clear::Table",
        &[("lo", &|_| table.lo.to_string()), ("values", &|inner| inner.vec(integers(&table.values)))],
    )
}

fn tensor(layout: &Layout, tensor: &Tensor) -> String {
    layout.literal(
        "clear::Tensor",
        &[
            ("shape", &|inner| inner.vec(integers(&tensor.shape))),
            ("floats", &|inner| inner.vec(tensor.floats.iter().map(|value| float(*value)).collect())),
            ("integers", &|inner| inner.vec(integers(&tensor.integers))),
        ],
    )
}

fn quantizer(layout: &Layout, quantizer: &Quantizer) -> String {
    let doubles =
        |inner: &Layout, values: &[f64]| inner.vec(values.iter().map(|value| double(*value)).collect());
    layout.literal(
        "clear::Quantizer",
        &[
            ("scales", &|inner| doubles(inner, &quantizer.scales)),
            ("zero_points", &|inner| inner.vec(integers(&quantizer.zero_points))),
            ("axis", &|_| quantizer.axis.to_string()),
            ("lo", &|_| quantizer.lo.to_string()),
            ("hi", &|_| quantizer.hi.to_string()),
            ("rounding", &|_| format!("clear::Rounding::{:?}.into()", quantizer.rounding())),
            ("divisors", &|inner| doubles(inner, &quantizer.divisors)),
            ("shifts", &|inner| doubles(inner, &quantizer.shifts)),
            ("offsets", &|inner| doubles(inner, &quantizer.offsets)),
        ],
    )
}
