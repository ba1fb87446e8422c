//! Small models, built from the protobuf messages.
#![allow(dead_code, clippy::unwrap_used)]

use cml_frontend::onnx::proto::{
    Attribute, AttributeType, DataType, Dimension, Extent, Graph, Model, Node, OperatorSet, Shape, Tensor,
    TensorType, Type, ValueInfo,
};
use cml_frontend::{ImportError, ImportOptions, Imported, import_bytes};
use cml_runtime::reference::Value;
use prost::Message;

/// A node with inputs `x`, `a`, `b`, ... as given and one output `y`.
pub(crate) fn node(op: &str, inputs: &[&str]) -> Node {
    Node {
        name: format!("the_{op}"),
        op_type: op.to_owned(),
        input: inputs.iter().map(|name| (*name).to_owned()).collect(),
        output: vec!["y".to_owned()],
        ..Node::default()
    }
}

/// Parts of a node that tests set.
pub(crate) trait NodeExt: Sized {
    fn attribute(self, attribute: Attribute) -> Self;
    fn outputs(self, names: &[&str]) -> Self;

    fn int(self, name: &str, i: i64) -> Self {
        self.attribute(Attribute { i, ..empty(name, AttributeType::Int) })
    }

    fn float(self, name: &str, f: f32) -> Self {
        self.attribute(Attribute { f, ..empty(name, AttributeType::Float) })
    }

    fn ints(self, name: &str, ints: &[i64]) -> Self {
        self.attribute(Attribute { ints: ints.to_vec(), ..empty(name, AttributeType::Ints) })
    }

    fn floats(self, name: &str, floats: &[f32]) -> Self {
        self.attribute(Attribute { floats: floats.to_vec(), ..empty(name, AttributeType::Floats) })
    }

    fn text(self, name: &str, text: &str) -> Self {
        self.attribute(Attribute { s: text.into(), ..empty(name, AttributeType::String) })
    }

    fn tensor(self, name: &str, tensor: Tensor) -> Self {
        self.attribute(Attribute { t: Some(tensor), ..empty(name, AttributeType::Tensor) })
    }
}

impl NodeExt for Node {
    fn attribute(mut self, attribute: Attribute) -> Self {
        self.attribute.push(attribute);
        self
    }

    fn outputs(mut self, names: &[&str]) -> Self {
        self.output = names.iter().map(|name| (*name).to_owned()).collect();
        self
    }
}

fn empty(name: &str, kind: AttributeType) -> Attribute {
    Attribute { name: name.to_owned(), r#type: kind as i32, ..Attribute::default() }
}

pub(crate) fn float_tensor(name: &str, dims: &[i64], elements: &[f32]) -> Tensor {
    Tensor {
        name: name.to_owned(),
        dims: dims.to_vec(),
        data_type: DataType::Float as i32,
        float_data: elements.to_vec(),
        ..Tensor::default()
    }
}

pub(crate) fn int_tensor(name: &str, elements: &[i64]) -> Tensor {
    Tensor {
        name: name.to_owned(),
        dims: vec![elements.len() as i64],
        data_type: DataType::Int64 as i32,
        int64_data: elements.to_vec(),
        ..Tensor::default()
    }
}

pub(crate) fn info(name: &str, kind: DataType, extents: &[i64]) -> ValueInfo {
    let dim = extents.iter().map(|extent| Dimension { value: Some(Extent::Fixed(*extent)) }).collect();
    let tensor = TensorType { elem_type: kind as i32, shape: Some(Shape { dim }) };
    ValueInfo { name: name.to_owned(), r#type: Some(Type { tensor_type: Some(tensor) }) }
}

/// A model from its nodes; it has one float input `x`, initializers, and the outputs of the last node.
pub(crate) fn model(opset: i64, x: &[i64], initializers: &[Tensor], nodes: &[Node]) -> Model {
    let outputs = nodes.last().map(|node| node.output.clone()).unwrap_or_default();
    let graph = Graph {
        name: "graph".to_owned(),
        node: nodes.to_vec(),
        initializer: initializers.to_vec(),
        input: vec![info("x", DataType::Float, x)],
        output: outputs
            .iter()
            .filter(|name| !name.is_empty())
            .map(|name| info(name, DataType::Float, &[]))
            .collect(),
        ..Graph::default()
    };
    let opset_import = vec![OperatorSet { domain: String::new(), version: opset }];
    Model { ir_version: 7, graph: Some(graph), opset_import, ..Model::default() }
}

pub(crate) fn try_import(model: &Model) -> Result<Imported, ImportError> {
    import_bytes(&model.encode_to_vec(), "test", &ImportOptions::default())
}

pub(crate) fn refusal(model: &Model) -> String {
    try_import(model).unwrap_err().to_string()
}

/// The outputs on one float input, also after a round through encoded bytes.
pub(crate) fn run(model: &Model, x: &[f32]) -> Vec<Value> {
    let imported = try_import(model).unwrap();
    let shape = imported.graph.types().unwrap()[0].shape.clone();
    imported.graph.run(&[Value::floats(&shape, x.to_vec()).unwrap()]).unwrap()
}

pub(crate) fn floats(shape: &[usize], elements: &[f32]) -> Value {
    Value::floats(shape, elements.to_vec()).unwrap()
}

pub(crate) fn integers(shape: &[usize], elements: &[i64]) -> Value {
    Value::integers(shape, elements.to_vec()).unwrap()
}

/// The one output of a one-node model whose node reads `x` and the initializers, on one input.
pub(crate) fn apply(opset: i64, (shape, x): (&[i64], &[f32]), initializers: &[Tensor], node: &Node) -> Value {
    run(&model(opset, shape, initializers, std::slice::from_ref(node)), x).swap_remove(0)
}
