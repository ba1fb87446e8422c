//! All terms of an e-graph, evaluated by the reference interpreter.

use crate::egraph::facts::{self, EGraph};
use crate::egraph::language::Term;
use cml_dialects::interpret::GraphBuilder;
use cml_runtime::reference::message::{Axis, Dims, Element, Empty, Graph, Lookup, Op, Port, Table};
use cml_runtime::reference::{Evaluator, Value};
use egg::Id;
use std::collections::BTreeMap;

pub(super) fn integers(shape: &[u64], elements: Vec<i64>) -> Value {
    let shape: Vec<usize> = shape.iter().map(|extent| *extent as usize).collect();
    Value::integers(&shape, elements).unwrap()
}

pub(super) fn ints(value: &Value) -> Vec<i64> {
    value.as_integers().unwrap().iter().copied().collect()
}

/// All terms of an e-graph as one graph of the reference interpreter.
pub(super) struct Classes {
    graph: Graph,
    /// One for each output: the class that must have this value.
    outputs: Vec<(Id, String)>,
}

impl Classes {
    pub(super) fn of(egraph: &EGraph) -> Self {
        let mut builder = GraphBuilder::default();
        for argument in &egraph.analysis.arguments {
            let shape = argument.shape.clone();
            builder.input(Port { name: String::new(), shape, element: Element::I64.into() });
        }
        let mut terms: Vec<(Id, Term)> = Vec::new();
        for class in egraph.classes().filter(|class| facts::value(egraph, class.id).is_some()) {
            terms.extend(class.nodes.iter().map(|term| (class.id, term.clone())));
        }
        let mut numbers: BTreeMap<Id, u32> = BTreeMap::new();
        let (mut outputs, mut names) = (Vec::new(), Vec::new());
        while !terms.is_empty() {
            let before = terms.len();
            terms.retain(|(class, term)| {
                let Some(number) = node(egraph, term, &numbers, &mut builder) else { return true };
                numbers.entry(*class).or_insert(number);
                outputs.push(number);
                names.push((*class, term.to_string()));
                false
            });
            assert!(terms.len() < before, "terms that nothing makes: {terms:?}");
        }
        let texts = vec![String::new(); outputs.len()];
        Self { graph: builder.finish(outputs, texts), outputs: names }
    }

    /// The value of each class; all its terms must agree.
    pub(super) fn run(&self, inputs: &[Value]) -> BTreeMap<Id, Vec<i64>> {
        let values = Evaluator::new(&self.graph).unwrap().run(inputs).unwrap();
        let mut known: BTreeMap<Id, Vec<i64>> = BTreeMap::new();
        for ((class, name), value) in self.outputs.iter().zip(&values) {
            let expected = known.entry(*class).or_insert_with(|| ints(value));
            assert_eq!(*expected, ints(value), "{name} differs from the other terms of its class");
        }
        known
    }
}

fn node(
    egraph: &EGraph,
    term: &Term,
    numbers: &BTreeMap<Id, u32>,
    builder: &mut GraphBuilder,
) -> Option<u32> {
    let of = |id: &Id| numbers.get(&egraph.find(*id)).copied();
    let elements = |id: &Id, builder: &mut GraphBuilder| {
        let elements = facts::elements(egraph, *id).unwrap();
        let shape = if elements.values.len() == 1 { Vec::new() } else { elements.shape.clone() };
        builder.integers("", &shape, elements.values.clone())
    };
    let dims = |id: &Id| Dims { dims: facts::numbers(egraph, *id).unwrap().to_vec() };
    let (op, inputs) = match term {
        Term::Argument(number) => return Some(number.0),
        Term::Constant(value) => return Some(elements(value, builder)),
        Term::Matmul([weights, input]) => {
            let (weights, input) = (facts::elements(egraph, *weights).unwrap(), of(input)?);
            let weights = builder.integers("", &weights.shape, weights.values.clone());
            (Op::MatMul(Empty {}), vec![input, weights])
        }
        Term::Add([x, y]) => (Op::Add(Empty {}), vec![of(x)?, of(y)?]),
        Term::Sub([x, y]) => (Op::Sub(Empty {}), vec![of(x)?, of(y)?]),
        Term::Neg(x) => (Op::Neg(Empty {}), vec![of(x)?]),
        Term::AddClear([clear, x]) => {
            let x = of(x)?;
            (Op::Add(Empty {}), vec![x, elements(clear, builder)])
        }
        Term::MulClear([clear, x]) => {
            let x = of(x)?;
            (Op::Mul(Empty {}), vec![x, elements(clear, builder)])
        }
        Term::Sum([axes, x]) => (Op::ReduceSum(dims(axes)), vec![of(x)?]),
        Term::Reshape([extents, x]) => (Op::Reshape(dims(extents)), vec![of(x)?]),
        Term::Transpose([permutation, x]) => (Op::Transpose(dims(permutation)), vec![of(x)?]),
        Term::Concat(children) => {
            let axis = facts::numbers(egraph, children[0]).unwrap()[0] as u32;
            (Op::Concat(Axis { axis }), children[1..].iter().map(of).collect::<Option<_>>()?)
        }
        Term::Lookup([tables, x]) => {
            let tables = facts::tables(egraph, *tables).unwrap();
            let pairs = tables.firsts.iter().zip(&tables.values);
            let all = pairs.map(|(lo, values)| Table { lo: *lo, values: values.clone() }).collect();
            (Op::Lookup(Lookup { tables: all, table_of: tables.of.clone() }), vec![of(x)?])
        }
        Term::Attribute(_) => return None,
    };
    Some(builder.push("", op, inputs))
}
