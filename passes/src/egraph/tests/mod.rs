//! Every rule on random instances of its pattern, and the whole pass on random functions: the reference interpreter decides.

mod evaluate;
mod generator;

use super::emit::{self, Frame, Origin};
use super::facts::{self, EGraph};
use super::program::Program;
use super::rules::{self, Rule};
use super::select::{self, Selection};
use cml_dialects::fhe::tensor;
use cml_dialects::interpret::graph;
use cml_dialects::ir::{Function, Signature};
use cml_dialects::qnn::SERVER;
use cml_runtime::reference::message::Graph;
use egg::Id;
use evaluate::{Classes, ints};
use generator::Generator;
use melior::Context;
use melior::ir::operation::OperationLike;
use melior::ir::{BlockLike, Location, Module};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Whether the values of all classes lie in their ranges.
fn assert_in_range(egraph: &EGraph, values: &BTreeMap<Id, Vec<i64>>) {
    for (id, elements) in values {
        let ranges = &facts::value(egraph, *id).unwrap().ranges;
        let pairs = ranges.lows.iter().zip(&ranges.highs);
        assert!(
            pairs.zip(elements).all(|((lo, hi), value)| lo <= value && value <= hi),
            "{ranges:?}: {elements:?}"
        );
    }
}

/// Tries a rule on one random instance; whether it found anything.
fn try_rule(context: &Context, rule: &Rule, seed: u64) -> bool {
    let mut generator = Generator::new(seed);
    let pattern = rule.searcher();
    let nodes = pattern.ast.as_ref();
    let Some(root) = generator.instance(nodes, nodes.len() - 1) else { return false };
    generator.program.roots.push(root);
    generator.program.egraph.rebuild();
    let proved = generator.flip(2) && generator.prove();
    let before = select::unchanged(&generator.program).unwrap().1;
    let terms = generator.program.egraph.total_number_of_nodes();
    let classes = generator.program.egraph.number_of_classes();
    generator.program.saturate(&[*rule]);
    let egraph = &generator.program.egraph;
    let found = egraph.total_number_of_nodes() > terms || egraph.number_of_classes() < classes;
    assert!(!egraph.analysis.contradiction);
    let all = Classes::of(egraph);
    for _ in 0..8 {
        let inputs = generator.inputs();
        assert_in_range(&generator.program.egraph, &all.run(&inputs));
    }
    for (selection, cost) in select::alternatives(&generator.program) {
        let module = module(context, &generator.program, &selection);
        assert!(module.as_operation().verify(), "{}: {}", rule.name, module.as_operation());
        // Where nothing tighter was proved of a value on the way, no side of an equation has the dearer lookups.
        assert!(proved || cost.bootstraps <= before.bootstraps, "{}: {cost:?}, was {before:?}", rule.name);
    }
    found
}

#[test]
fn every_rule_keeps_values_and_ranges_and_bootstraps_and_verifies() {
    let context = cml_dialects::context();
    for rule in rules::all() {
        let found = (0..150).filter(|seed| try_rule(&context, rule, *seed)).count();
        assert!(found >= 10, "{} found something in {found} instances only", rule.name);
    }
}

#[test]
fn every_rule_has_its_own_name_and_is_explained() {
    let readme = include_str!("../README.md");
    let mut names: Vec<&str> = rules::all().map(|rule| rule.name).collect();
    for name in &names {
        assert!(readme.contains(&format!("`{name}`")), "README.md does not explain {name}");
    }
    names.sort_unstable();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
}

/// The function of a program as a module.
fn module<'c>(context: &'c Context, program: &Program, selection: &Selection) -> Module<'c> {
    let place = Location::unknown(context);
    let arguments = &program.egraph.analysis.arguments;
    let inputs =
        arguments.iter().map(|known| tensor(place, &known.shape, known.ranges.hull()).unwrap()).collect();
    let names = |stem: &str, count: usize| (0..count).map(|number| format!("{stem}{number}")).collect();
    let signature = Signature {
        name: SERVER.to_owned(),
        inputs,
        input_names: names("x", arguments.len()),
        output_names: names("y", program.roots.len()),
        location: place,
        attributes: Vec::new(),
    };
    let origin = || Origin { location: place, measured: [None, None] };
    let origins = program.originals.iter().map(|_| origin()).collect();
    let function = emit::function(context, &Frame { signature, origins }, program, selection).unwrap();
    let module = Module::new(place);
    module.body().append_operation(function);
    module
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn random_functions_stay_equal_and_verify_and_cost_no_more(seed in any::<u64>()) {
        let mut generator = Generator::new(seed);
        generator.function();
        if generator.flip(2) {
            generator.prove();
        }
        let context = cml_dialects::context();
        let unchanged = select::unchanged(&generator.program).unwrap().0;
        let module = module(&context, &generator.program, &unchanged);
        prop_assert!(module.as_operation().verify(), "{}", module.as_operation());
        let before = module.as_operation().to_string();
        let measure = || {
            let server = Function::named(module.as_operation(), SERVER).unwrap();
            (graph(server).unwrap(), select::unchanged(&Program::of(server).unwrap()).unwrap().1)
        };
        let (graph_before, cost_before) = measure();
        crate::egraph::rewrite(&context, Function::named(module.as_operation(), SERVER).unwrap()).unwrap();
        let after = module.as_operation().to_string();
        prop_assert!(module.as_operation().verify(), "{before} became {after}");
        let (graph_after, cost_after) = measure();
        prop_assert!(cost_after <= cost_before, "{before} became {after}");
        for _ in 0..16 {
            let inputs = generator.inputs();
            let run = |graph: &Graph| graph.run(&inputs).unwrap().iter().map(ints).collect::<Vec<_>>();
            prop_assert_eq!(run(&graph_before), run(&graph_after), "{} became {}", &before, &after);
        }
    }

    #[test]
    fn the_same_function_becomes_the_same_text(seed in any::<u64>()) {
        let text = || {
            let mut generator = Generator::new(seed);
            generator.function();
            let context = cml_dialects::context();
            let unchanged = select::unchanged(&generator.program).unwrap().0;
        let module = module(&context, &generator.program, &unchanged);
            crate::egraph::rewrite(&context, Function::named(module.as_operation(), SERVER).unwrap()).unwrap();
            module.as_operation().to_string()
        };
        prop_assert_eq!(text(), text());
    }
}

#[test]
fn many_random_functions_become_cheaper() {
    let mut cheaper = 0;
    for seed in 0..100 {
        let mut generator = Generator::new(seed);
        generator.function();
        let all: Vec<Rule> = rules::all().copied().collect();
        let before = select::unchanged(&generator.program).unwrap().1;
        generator.program.saturate(&all);
        cheaper += usize::from(select::select(&generator.program, before).is_some());
    }
    assert!(cheaper >= 25, "{cheaper} of 100");
}
