//! Names and order: who makes each value, and which node comes when.

use super::proto::{Graph, Node};
use crate::error::ImportError;
use petgraph::Direction;
use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use std::collections::{BTreeMap, BTreeSet};

/// How a node is called in messages and locations: by its name, or by its operator and position.
pub(crate) fn node_name(index: usize, node: &Node) -> String {
    if node.name.is_empty() { format!("{}_{index}", node.op_type) } else { node.name.clone() }
}

/// Positions of the nodes that the outputs need, each after those whose values it reads; otherwise as the file has them.
///
/// # Errors
/// [`ImportError::DuplicateName`], [`ImportError::MissingValue`], [`ImportError::MissingOutput`], [`ImportError::Cycle`].
pub(crate) fn order(graph: &Graph) -> Result<Vec<usize>, ImportError> {
    let makers = makers(graph)?;
    let dependencies = dependencies(graph, &makers)?;
    let sorted = sort(&dependencies).ok_or_else(|| cycle(graph, &dependencies))?;
    let needed = needed(graph, &makers, &dependencies)?;
    Ok(sorted.into_iter().filter(|index| needed.contains(index)).collect())
}

/// Who makes a value: a node, or the file itself.
type Makers<'g> = BTreeMap<&'g str, Option<usize>>;

fn makers(graph: &Graph) -> Result<Makers<'_>, ImportError> {
    let mut makers: BTreeMap<&str, (Option<usize>, String)> = BTreeMap::new();
    let mut add = |name, node, who: String| match makers.insert(name, (node, who.clone())) {
        None => Ok(()),
        Some((_, first)) => Err(ImportError::DuplicateName { name: name.to_owned(), first, second: who }),
    };
    for initializer in &graph.initializer {
        add(&initializer.name, None, "an initializer".to_owned())?;
    }
    let stored: BTreeSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    let mut listed = BTreeSet::new();
    for input in &graph.input {
        let name = input.name.as_str();
        // Older files list initializers among the inputs as well.
        if !listed.insert(name) || !stored.contains(name) {
            add(name, None, "a graph input".to_owned())?;
        }
    }
    for (index, node) in graph.node.iter().enumerate() {
        for output in node.output.iter().filter(|output| !output.is_empty()) {
            add(output, Some(index), format!("node {}", node_name(index, node)))?;
        }
    }
    Ok(makers.into_iter().map(|(name, (node, _))| (name, node)).collect())
}

/// An edge from each node to those that read its values.
fn dependencies(graph: &Graph, makers: &Makers<'_>) -> Result<DiGraph<usize, ()>, ImportError> {
    let mut dependencies = DiGraph::with_capacity(graph.node.len(), graph.node.len());
    for index in 0..graph.node.len() {
        dependencies.add_node(index);
    }
    for (index, node) in graph.node.iter().enumerate() {
        for input in node.input.iter().filter(|input| !input.is_empty()) {
            let maker = makers.get(input.as_str()).ok_or_else(|| ImportError::MissingValue {
                node: node_name(index, node),
                value: input.clone(),
            })?;
            if let Some(maker) = maker {
                dependencies.update_edge(NodeIndex::new(*maker), NodeIndex::new(index), ());
            }
        }
    }
    Ok(dependencies)
}

/// Always the first node of the file that waits for nothing; `None` where there is a cycle.
fn sort(dependencies: &DiGraph<usize, ()>) -> Option<Vec<usize>> {
    let waits_for = |node| dependencies.neighbors_directed(node, Direction::Incoming).count();
    let mut waiting: Vec<usize> = dependencies.node_indices().map(waits_for).collect();
    let ready = waiting.iter().enumerate().filter(|(_, count)| **count == 0);
    let mut ready: BTreeSet<usize> = ready.map(|(index, _)| index).collect();
    let mut sorted = vec![];
    while let Some(index) = ready.pop_first() {
        sorted.push(index);
        for next in dependencies.neighbors(NodeIndex::new(index)) {
            waiting[next.index()] -= 1;
            if waiting[next.index()] == 0 {
                ready.insert(next.index());
            }
        }
    }
    (sorted.len() == waiting.len()).then_some(sorted)
}

fn cycle(graph: &Graph, dependencies: &DiGraph<usize, ()>) -> ImportError {
    // Unlike tarjan's, this search has a stack of its own: a cycle may have any number of nodes.
    let components = kosaraju_scc(dependencies);
    let in_cycle = |component: &&Vec<NodeIndex>| {
        component.len() > 1 || component.iter().any(|node| dependencies.contains_edge(*node, *node))
    };
    let mut nodes: Vec<usize> =
        components.iter().find(in_cycle).into_iter().flatten().map(|node| node.index()).collect();
    nodes.sort_unstable();
    let names: Vec<String> =
        nodes.into_iter().take(10).map(|index| node_name(index, &graph.node[index])).collect();
    ImportError::Cycle { nodes: names.join(", ") }
}

/// Nodes from which an output can be reached.
fn needed(
    graph: &Graph,
    makers: &Makers<'_>,
    dependencies: &DiGraph<usize, ()>,
) -> Result<BTreeSet<usize>, ImportError> {
    let mut open = vec![];
    for output in &graph.output {
        let missing = || ImportError::MissingOutput { name: output.name.clone() };
        open.extend(makers.get(output.name.as_str()).ok_or_else(missing)?);
    }
    let mut needed = BTreeSet::new();
    while let Some(index) = open.pop() {
        if needed.insert(index) {
            let sources = dependencies.neighbors_directed(NodeIndex::new(index), Direction::Incoming);
            open.extend(sources.map(NodeIndex::index));
        }
    }
    Ok(needed)
}

#[cfg(test)]
mod tests {
    use super::super::proto::{Tensor, ValueInfo};
    use super::*;

    fn node(name: &str, inputs: &[&str], outputs: &[&str]) -> Node {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Node { name: name.to_owned(), input: names(inputs), output: names(outputs), ..Node::default() }
    }

    fn graph(nodes: &[Node], outputs: &[&str]) -> Graph {
        let info = |name: &str| ValueInfo { name: name.to_owned(), r#type: None };
        Graph {
            node: nodes.to_vec(),
            input: vec![info("x")],
            output: outputs.iter().map(|name| info(name)).collect(),
            ..Graph::default()
        }
    }

    fn refusal(graph: &Graph) -> String {
        order(graph).unwrap_err().to_string()
    }

    #[test]
    fn nodes_come_after_what_they_read_and_unneeded_ones_not_at_all() {
        let nodes = [
            node("late", &["b", "a"], &["y"]),
            node("first", &["x", ""], &["a"]),
            node("unused", &["a"], &["z"]),
            node("second", &["a"], &["b"]),
        ];
        assert_eq!(order(&graph(&nodes, &["y"])).unwrap(), [1, 3, 0]);
        assert_eq!(order(&graph(&nodes, &["x"])).unwrap(), [0usize; 0]);
    }

    #[test]
    fn cycles_are_named() {
        let nodes = [node("a", &["z"], &["y"]), node("b", &["y"], &["z"]), node("c", &["x"], &["w"])];
        assert_eq!(refusal(&graph(&nodes, &["y"])), "the graph has a cycle through a, b");
        let own = [node("", &["y"], &["y"])];
        assert_eq!(refusal(&graph(&own, &["y"])), "the graph has a cycle through _0");
    }

    #[test]
    fn a_cycle_may_be_long() {
        let count = 200_000;
        let name = |index: usize| format!("v{}", index % count);
        let nodes: Vec<Node> =
            (0..count).map(|index| node("", &[&name(index)], &[&name(index + 1)])).collect();
        assert!(refusal(&graph(&nodes, &["v0"])).starts_with("the graph has a cycle through _0, _1, "));
    }

    #[test]
    fn missing_values_are_named() {
        let nodes = [node("a", &["q"], &["y"])];
        assert_eq!(
            refusal(&graph(&nodes, &["y"])),
            "a: input q is made by no node, initializer or graph input"
        );
        let output = refusal(&graph(&[], &["y"]));
        assert_eq!(output, "graph output y is made by no node, initializer or graph input");
    }

    #[test]
    fn names_are_given_once() {
        let nodes = [node("a", &["x"], &["y"]), node("b", &["x"], &["y"])];
        assert_eq!(refusal(&graph(&nodes, &["y"])), "the name y is given twice, by node a and by node b");
        let nodes = [node("a", &["x"], &["x"])];
        assert!(refusal(&graph(&nodes, &["x"])).contains("by a graph input and by node a"));
        let mut twice = graph(&[], &["x"]);
        twice.input.push(twice.input[0].clone());
        assert!(refusal(&twice).contains("given twice"));
        let mut listed = graph(&[], &["x"]);
        listed.initializer.push(Tensor { name: "x".to_owned(), ..Tensor::default() });
        order(&listed).unwrap();
    }
}
