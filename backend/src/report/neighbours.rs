//! The products before and after each node, with the bits that the configuration has for them.

use cml_runtime::program::message::Program;
use cml_runtime::reference::message::Node;
use cml_runtime::units::Width;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Bits of a product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bits {
    /// The ONNX node.
    pub(super) node: String,
    /// Of each input.
    pub(super) inputs: u32,
    /// Of each weight, the sign included.
    pub(super) weights: u32,
}

/// The nearest products of a node; `None` where the network brought their quantizers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Neighbours {
    /// The one whose sums it reads.
    pub(super) before: Option<Bits>,
    /// The one that reads its results.
    pub(super) after: Option<Bits>,
}

/// What is read here of a compilation's configuration: another version of it may have none of this.
#[derive(Default, Deserialize)]
struct Configuration {
    #[serde(default)]
    products: Vec<Product>,
}

#[derive(Deserialize)]
struct Product {
    node: String,
    levels: i64,
    weight_limit: i64,
}

/// Of all nodes of the quantized network that a program carries.
pub(super) fn neighbours(program: &Program) -> BTreeMap<String, Neighbours> {
    let Some(graph) = &program.quantized else { return BTreeMap::new() };
    let configuration: Configuration = serde_json::from_str(&program.configuration).unwrap_or_default();
    let bits = |product: Product| Bits {
        inputs: Width::of_range(0, product.levels).0,
        weights: Width::of_range(-product.weight_limit, product.weight_limit).0,
        node: product.node,
    };
    let products: Vec<Bits> = configuration.products.into_iter().map(bits).collect();
    let product_at = |node: &Node| products.iter().find(|product| product.node == node.name);
    let first = graph.inputs.len();
    // Of each value: the last product before it, and the first one after it.
    let mut before: Vec<Option<&Bits>> = vec![None; first + graph.nodes.len()];
    let mut after = before.clone();
    for (node, value) in graph.nodes.iter().zip(first..) {
        let of_inputs = || node.inputs.iter().find_map(|input| *before.get(*input as usize)?);
        before[value] = product_at(node).or_else(of_inputs);
    }
    for (node, value) in graph.nodes.iter().zip(first..before.len()).rev() {
        let next = product_at(node).or(after[value]);
        for input in &node.inputs {
            if let Some(known) = after.get_mut(*input as usize) {
                *known = known.or(next);
            }
        }
    }
    let mut found: BTreeMap<String, Neighbours> = BTreeMap::new();
    for (node, value) in graph.nodes.iter().zip(first..).filter(|(node, _)| product_at(node).is_none()) {
        let known = found.entry(node.name.clone()).or_default();
        known.before = known.before.take().or_else(|| before[value].cloned());
        known.after = known.after.take().or_else(|| after[value].cloned());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use cml_runtime::reference::message::{Graph, Port};

    #[test]
    fn a_node_lies_between_two_products() {
        let node = |name: &str, inputs: &[u32]| Node {
            name: name.to_owned(),
            inputs: inputs.to_vec(),
            ..Node::default()
        };
        let nodes = vec![node("fc1", &[0]), node("Relu", &[1]), node("fc2", &[2]), node("Clip", &[3])];
        let quantized = Graph { inputs: vec![Port::default()], nodes, ..Graph::default() };
        let configuration = r#"{"products": [{"node": "fc1", "levels": 15, "weight_limit": 3},
            {"node": "fc2", "levels": 7, "weight_limit": 1}]}"#;
        let program = Program {
            quantized: Some(quantized),
            configuration: configuration.to_owned(),
            ..Program::default()
        };
        let bits = |node: &str, inputs, weights| Some(Bits { node: node.to_owned(), inputs, weights });
        let found = neighbours(&program);
        assert_eq!(found.keys().collect::<Vec<_>>(), ["Clip", "Relu"]);
        assert_eq!(found["Relu"], Neighbours { before: bits("fc1", 4, 3), after: bits("fc2", 3, 2) });
        assert_eq!(found["Clip"], Neighbours { before: bits("fc2", 3, 2), after: None });
        let unknown = Program { configuration: "of another version".to_owned(), ..program };
        assert_eq!(neighbours(&unknown)["Relu"], Neighbours::default());
        assert!(neighbours(&Program::default()).is_empty());
    }
}
