//! Graph to IR and back.

use super::graphs::graphs;
use crate::{context_with_errors, graph_of};
use cml_dialects::ffi::{location_name, parse_module, write_bytecode};
use cml_dialects::ir::{Function, module_op};
use cml_dialects::nn;
use cml_runtime::reference::message::{Graph, Lookup, Node, Op};
use melior::ir::operation::OperationLike;
use proptest::prelude::*;

fn without_names(mut graph: Graph) -> Graph {
    graph.nodes.iter_mut().for_each(|node| node.name.clear());
    graph
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_graph_comes_back(graph in graphs()) {
        let (context, errors) = context_with_errors();
        let module = nn::build(&context, &graph, "model").unwrap();
        prop_assert!(module.as_operation().verify(), "{:?}", errors.borrow());
        prop_assert_eq!(&graph_of(&module), &graph);

        let bytecode = write_bytecode(&module);
        let read = parse_module(&context, &bytecode, "model.mlirbc").unwrap();
        prop_assert_eq!(&graph_of(&read), &graph);
        prop_assert_eq!(&write_bytecode(&read), &bytecode);

        // Plain text has no locations, and so no node names; every number survives.
        let text = module.as_operation().to_string();
        let read = parse_module(&context, text.as_bytes(), "model.mlir").unwrap();
        prop_assert_eq!(without_names(graph_of(&read)), without_names(graph));
    }

    #[test]
    fn equal_graphs_are_equal_bytes_in_any_context(graph in graphs()) {
        let bytes = || {
            let (context, _) = context_with_errors();
            write_bytecode(&nn::build(&context, &graph, "model").unwrap())
        };
        prop_assert_eq!(bytes(), bytes());
    }

    #[test]
    fn every_op_has_the_name_of_its_node(graph in graphs()) {
        let (context, _) = context_with_errors();
        let module = nn::build(&context, &graph, "model").unwrap();
        let main = Function::named(module_op(&module), nn::MAIN).unwrap();
        let found: Vec<_> = main.ops().iter().map(|op| location_name(op.location()).unwrap()).collect();
        let expected: Vec<_> = graph.nodes.iter().map(|node| node.name.clone()).collect();
        prop_assert_eq!(found, expected);
        prop_assert_eq!(location_name(module.as_operation().location()), Some("model".to_owned()));
    }
}

#[test]
fn what_floats_do_not_have_is_refused_by_node() {
    let (context, _) = context_with_errors();
    let mut graph = Graph::default();
    graph.inputs.push(cml_runtime::reference::message::Port { name: "x".into(), shape: vec![0], element: 1 });
    let lookup = Op::Lookup(Lookup { tables: Vec::new(), table_of: Vec::new() });
    graph.nodes.push(Node { name: "Table_7".into(), inputs: vec![0], op: Some(lookup) });
    graph.outputs = vec![1];
    let error = nn::build(&context, &graph, "model").unwrap_err().to_string();
    assert_eq!(error, "Table_7: not an operation of float networks");
}
