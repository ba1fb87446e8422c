//! A function of `fhe` ops as an e-graph.

use super::attributes::{Attribute, Elements};
use super::facts::{self, Data, EGraph, Facts, Value};
use super::language::{ArgumentNumber, Term};
use super::rules;
use super::tables::Tables;
use crate::analysis::shapes::count;
use crate::framework::{PassError, model_error};
use cml_dialects::fhe::{MEASURED_HIGHS, MEASURED_LOWS, Ranges, hull};
use cml_dialects::interpret::lookup_of;
use cml_dialects::ir::{
    Attributes, Function, expected, key, op_name, operands, result, shape_of, tensor_shape,
};
use egg::{Id, Runner, SimpleScheduler};
use melior::ir::operation::OperationLike;
use melior::ir::{AttributeLike, OperationRef};
use std::collections::BTreeMap;
use std::time::Duration;

/// Most rounds of all rules.
const MAX_ITERATIONS: usize = 24;
/// Most terms that rules may add.
const MAX_TERMS: usize = 4_000;
/// Most elements, of all tensors together, that the added terms may have.
const MAX_ELEMENTS: usize = 1 << 24;

/// The e-graph, and what it was made of.
#[derive(Default)]
pub(crate) struct Program {
    pub(crate) egraph: EGraph,
    /// The terms of the function in order, arguments first, with the classes they were put in.
    pub(crate) originals: Vec<(Term, Id)>,
    /// What the function returns.
    pub(crate) roots: Vec<Id>,
    ops: u32,
}

impl Program {
    /// Reads `@server` at level `fhe`.
    ///
    /// # Errors
    /// [`PassError::Model`] for an op of another level.
    pub(crate) fn of(server: Function<'_, '_>) -> Result<Self, PassError> {
        let mut program = Self { egraph: EGraph::new(Facts::default()), ..Self::default() };
        let mut classes: BTreeMap<usize, Id> = BTreeMap::new();
        for value in server.arguments() {
            let shape = shape_of(server.op, value)?;
            let (lo, hi) = hull(server.op, value)?;
            let count = count(&shape);
            let id = program.argument(shape, Ranges { lows: vec![lo; count], highs: vec![hi; count] });
            classes.insert(key(value), id);
        }
        for op in server.ops() {
            let inputs = operands(op).into_iter().map(|value| classes.get(&key(value)).copied());
            let inputs = inputs
                .collect::<Option<Vec<_>>>()
                .ok_or_else(|| expected(op, "operands made by earlier ops"))?;
            let term = program.term(op, &inputs)?;
            let attributes = Attributes(op);
            let stated = match (attributes.i64_array("lows"), attributes.i64_array("highs")) {
                (Ok(lows), Ok(highs)) => Some(Ranges { lows: lows.to_vec(), highs: highs.to_vec() }),
                _ => None,
            };
            let measured = op.has_attribute(MEASURED_LOWS) && op.has_attribute(MEASURED_HIGHS);
            let id = program.add(term, stated, measured);
            classes.insert(key(result(op)?), id);
        }
        for value in server.results() {
            let root = classes.get(&key(value)).copied();
            program
                .roots
                .push(root.ok_or_else(|| expected(server.op, "results made by ops of the function"))?);
        }
        program.egraph.rebuild();
        Ok(program)
    }

    /// Adds an argument.
    pub(crate) fn argument(&mut self, shape: Vec<u64>, ranges: Ranges) -> Id {
        let number = self.egraph.analysis.arguments.len() as u32;
        self.egraph.analysis.arguments.push(Value { is_argument: true, ..Value::new(shape, ranges) });
        let term = Term::Argument(ArgumentNumber(number));
        let id = self.egraph.add(term.clone());
        self.originals.push((term, id));
        id
    }

    /// Adds the next op of the function.
    pub(crate) fn add(&mut self, term: Term, stated: Option<Ranges>, measured: bool) -> Id {
        let id = self.egraph.add(term.clone());
        if let Some(mut known) = facts::value(&self.egraph, id).cloned() {
            known.origin = Some(self.ops);
            known.measured = measured.then_some(self.ops);
            if let Some(stated) = stated {
                known.ranges = stated.into();
            }
            facts::narrow(&mut self.egraph, id, &known);
            facts::narrow_input(&mut self.egraph, id, &term);
        }
        self.ops += 1;
        self.originals.push((term, id));
        id
    }

    /// An attribute as a leaf.
    pub(crate) fn attribute(&mut self, attribute: Attribute) -> Id {
        let id = self.egraph.analysis.interner.intern(attribute);
        self.egraph.add(Term::Attribute(id))
    }

    fn term(&mut self, op: OperationRef<'_, '_>, inputs: &[Id]) -> Result<Term, PassError> {
        let input = |index: usize| inputs.get(index).copied().ok_or_else(|| expected(op, "more operands"));
        let attributes = Attributes(op);
        let numbers = |values: &[i64]| Attribute::Numbers(values.iter().map(|value| *value as u64).collect());
        Ok(match op_name(op).as_str() {
            "fhe.constant" => Term::Constant(self.elements(op, "value")?),
            "fhe.matmul" => Term::Matmul([self.elements(op, "weights")?, input(0)?]),
            "fhe.add" => Term::Add([input(0)?, input(1)?]),
            "fhe.sub" => Term::Sub([input(0)?, input(1)?]),
            "fhe.neg" => Term::Neg(input(0)?),
            "fhe.add_clear" => Term::AddClear([self.elements(op, "clear")?, input(0)?]),
            "fhe.mul_clear" => Term::MulClear([self.elements(op, "clear")?, input(0)?]),
            "fhe.sum" => Term::Sum([self.attribute(numbers(attributes.i64_array("axes")?)), input(0)?]),
            "fhe.reshape" => {
                let extents = shape_of(op, result(op)?)?;
                Term::Reshape([self.attribute(Attribute::Numbers(extents.into())), input(0)?])
            }
            "fhe.transpose" => {
                let permutation = numbers(attributes.i64_array("permutation")?);
                Term::Transpose([self.attribute(permutation), input(0)?])
            }
            "fhe.concat" => {
                let axis = self.attribute(numbers(&[attributes.i64("axis")?]));
                Term::Concat([&[axis], inputs].concat().into())
            }
            "fhe.lookup" => {
                let lookup = lookup_of(op)?;
                let (firsts, values) =
                    lookup.tables.into_iter().map(|table| (table.lo, table.values)).unzip();
                let tables = Tables { firsts, values, of: lookup.table_of };
                Term::Lookup([self.attribute(Attribute::Tables(tables.into())), input(0)?])
            }
            _ => {
                return Err(model_error(
                    op,
                    "expected an op of `fhe`: run `cml-qnn-to-fhe` before `cml-rewrite-fhe`",
                ));
            }
        })
    }

    fn elements(&mut self, op: OperationRef<'_, '_>, name: &'static str) -> Result<Id, PassError> {
        let attributes = Attributes(op);
        let shape = tensor_shape(attributes.get(name)?.r#type());
        let shape = shape.ok_or_else(|| expected(op, "clear integers of static shape"))?;
        let values = attributes.i64_elements(name)?;
        Ok(self.attribute(Attribute::Elements(Elements { shape, values }.into())))
    }

    /// Applies the rules until nothing new is found, or a limit on rounds or terms is met. No clock stops it.
    pub(crate) fn saturate(&mut self, rules: &[rules::Rule]) {
        let rewrites: Vec<_> = rules.iter().map(rules::Rule::rewrite).collect();
        let widest = self.egraph.classes().map(|class| match &class.data {
            Data::Value(value) => count(&value.shape),
            _ => 0,
        });
        let extra = (MAX_ELEMENTS / widest.max().unwrap_or(1).max(1)).clamp(64, MAX_TERMS);
        let limit = self.egraph.total_size() + extra;
        let egraph = std::mem::take(&mut self.egraph);
        let runner = Runner::<Term, Facts>::new(Facts::default())
            .with_egraph(egraph)
            .with_iter_limit(MAX_ITERATIONS)
            .with_node_limit(limit)
            .with_time_limit(Duration::MAX)
            .with_scheduler(SimpleScheduler)
            .run(&rewrites);
        self.egraph = runner.egraph;
    }
}
