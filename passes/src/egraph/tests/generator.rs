//! Random functions, and random instances of patterns.

use super::evaluate::{Classes, integers};
use crate::analysis::shapes::count;
use crate::egraph::attributes::{Attribute, Elements};
use crate::egraph::facts;
use crate::egraph::language::Term;
use crate::egraph::program::Program;
use crate::egraph::tables::Tables;
use cml_dialects::fhe::Ranges;
use cml_runtime::reference::Value;
use egg::{ENodeOrVar, Id, Language, Var};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// Makes random functions.
pub(super) struct Generator {
    random: ChaCha8Rng,
    pub(super) program: Program,
    /// Columns of all weights, so that products of one input can meet.
    columns: u64,
    shape: Vec<u64>,
    bound: BTreeMap<Var, Id>,
}

impl Generator {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let shapes: [&[u64]; 7] = [&[1], &[3], &[1, 4], &[2, 2], &[3, 2], &[1, 2, 2], &[2, 1, 3]];
        let shape = shapes[random.random_range(0..shapes.len())].to_vec();
        let columns = random.random_range(1..4);
        Self { random, program: Program::default(), columns, shape, bound: BTreeMap::new() }
    }

    pub(super) fn flip(&mut self, of: u32) -> bool {
        self.random.random_range(0..of) == 0
    }

    fn value(&self, id: Id) -> Option<facts::Value> {
        facts::value(&self.program.egraph, id).cloned()
    }

    /// Arguments have one range each; now and then one that broadcasts.
    fn argument(&mut self) -> Id {
        let mut shape = self.shape.clone();
        if !self.program.originals.is_empty() && self.flip(5) {
            let axis = self.random.random_range(0..shape.len());
            // Repeated along an axis, or without its leading axes.
            if self.flip(2) {
                shape[axis] = 1;
            } else {
                shape.drain(..axis);
            }
        }
        let (lo, span) = (self.random.random_range(-3..3), self.random.random_range(0..4));
        let count = count(&shape);
        self.program.argument(shape, Ranges { lows: vec![lo; count], highs: vec![lo + span; count] })
    }

    fn clear(&mut self, shape: &[u64]) -> Id {
        let fixed = self.random.random_range(-2..3);
        let kind = self.random.random_range(0..4);
        // One value, the same value everywhere, values that depend on the last axis alone, any values.
        let shape = if kind == 0 { &[] } else { shape };
        let last: Vec<i64> =
            (0..shape.last().copied().unwrap_or(1)).map(|_| self.random.random_range(-2..3)).collect();
        let values = (0..count(shape)).map(|at| match kind {
            0 | 1 => fixed,
            2 => last[at % last.len()],
            _ => self.random.random_range(-3..4),
        });
        let values = values.collect();
        self.program.attribute(Attribute::Elements(Elements { shape: shape.to_vec(), values }.into()))
    }

    fn weights(&mut self, input: &facts::Value) -> Option<Id> {
        let shape = vec![*input.shape.last()?, self.columns];
        let values = (0..count(&shape)).map(|_| self.random.random_range(-2..3)).collect();
        Some(self.program.attribute(Attribute::Elements(Elements { shape, values }.into())))
    }

    /// Tables that cover the input, some of them longer, some shared, some the identity.
    fn tables(&mut self, input: &facts::Value) -> Option<Id> {
        let (lo, hi) = input.ranges.hull();
        if hi - lo > 200 {
            return None;
        }
        let kind = self.random.random_range(0..4);
        let number = if kind < 2 { 1 } else { self.random.random_range(1..4) };
        let mut tables = Tables::default();
        for _ in 0..number {
            let first = lo - self.random.random_range(0..3);
            let (scale, reach) = (self.random.random_range(-1..2), self.random.random_range(1..5));
            let last = hi + self.random.random_range(0..3);
            let entry = |value: i64| match kind {
                0 => value,
                1 => value.max(0) * scale,
                _ => self.random.random_range(-reach..=reach),
            };
            tables.values.push((first..=last).map(entry).collect());
            tables.firsts.push(first);
        }
        tables.of = input.ranges.lows.iter().map(|_| self.random.random_range(0..number)).collect();
        Some(self.program.attribute(Attribute::Tables(tables.into())))
    }

    fn extents(&mut self, input: &facts::Value) -> Id {
        let total = count(&input.shape) as u64;
        let shapes = [input.shape.clone(), vec![total], vec![1, total], vec![total, 1]];
        let shape = shapes[self.random.random_range(0..shapes.len())].clone();
        self.program.attribute(Attribute::Numbers(shape.into()))
    }

    fn permutation(&mut self, input: &facts::Value) -> Id {
        let mut axes: Vec<u64> = (0..input.shape.len() as u64).collect();
        for last in (1..axes.len()).rev() {
            axes.swap(last, self.random.random_range(0..=last));
        }
        self.program.attribute(Attribute::Numbers(axes.into()))
    }

    /// A random attribute for an op on `input`.
    fn attribute(&mut self, term: &Term, input: &facts::Value) -> Option<Id> {
        Some(match term {
            Term::Matmul(_) => self.weights(input)?,
            Term::AddClear(_) | Term::MulClear(_) => self.clear(&input.shape),
            Term::Lookup(_) => self.tables(input)?,
            Term::Reshape(_) => self.extents(input),
            Term::Transpose(_) => self.permutation(input),
            Term::Sum(_) => {
                let axis = self.random.random_range(0..input.shape.len() as u64);
                self.program.attribute(Attribute::Numbers([axis].into()))
            }
            _ => return None,
        })
    }

    fn add(&mut self, term: Term) -> Option<Id> {
        let known = facts::infer(&self.program.egraph, &term)?;
        let facts::Data::Value(value) = known else { return None };
        let (lo, hi) = value.ranges.hull();
        (lo >= -500 && hi <= 500).then(|| self.program.add(term, None, false))
    }

    fn concat(&mut self) -> Option<Id> {
        let axis = self.random.random_range(0..self.shape.len() as u64);
        let axis = self.program.attribute(Attribute::Numbers([axis].into()));
        let inputs = [self.argument(), self.argument()];
        self.add(Term::Concat([axis, inputs[0], inputs[1]].into()))
    }

    /// A random instance of a pattern; `None` where shapes do not fit.
    pub(super) fn instance(&mut self, pattern: &[ENodeOrVar<Term>], at: usize) -> Option<Id> {
        let term = match &pattern[at] {
            ENodeOrVar::Var(variable) => {
                if let Some(known) = self.bound.get(variable) {
                    return Some(*known);
                }
                let joined = variable.to_string() == "?joined";
                let id = if joined { self.concat()? } else { self.argument() };
                self.bound.insert(*variable, id);
                return Some(id);
            }
            ENodeOrVar::ENode(term) => term.clone(),
        };
        let places: Vec<usize> = term.children().iter().map(|id| usize::from(*id)).collect();
        let mut children = Vec::new();
        if matches!(term, Term::Neg(_) | Term::Add(_) | Term::Sub(_)) {
            for place in places {
                children.push(self.instance(pattern, place)?);
            }
        } else {
            let input = self.instance(pattern, places[1])?;
            let ENodeOrVar::Var(variable) = pattern[places[0]] else { return None };
            let attribute = match self.bound.get(&variable) {
                Some(known) => *known,
                None => self.attribute(&term, &self.value(input)?)?,
            };
            self.bound.insert(variable, attribute);
            children.extend([attribute, input]);
        }
        let mut next = children.into_iter();
        self.add(term.map_children(|id| next.next().unwrap_or(id)))
    }

    /// A random function of some ops.
    pub(super) fn function(&mut self) {
        let mut values = vec![self.argument()];
        if self.flip(2) {
            values.push(self.argument());
        }
        for _ in 0..self.random.random_range(3..9) {
            // Mostly chains, so that ops meet.
            let input = if self.flip(4) {
                values[self.random.random_range(0..values.len())]
            } else {
                values[values.len() - 1]
            };
            let other = values[self.random.random_range(0..values.len())];
            let id = Id::from(0);
            let term = match self.random.random_range(0..14) {
                0 => Term::Neg(input),
                1 => Term::Add([input, other]),
                2 => Term::Sub([input, other]),
                3 => Term::Matmul([id; 2]),
                4 | 5 => Term::AddClear([id; 2]),
                6 => Term::MulClear([id; 2]),
                7 => Term::Reshape([id; 2]),
                8 => Term::Transpose([id; 2]),
                9 => Term::Sum([id; 2]),
                _ => Term::Lookup([id; 2]),
            };
            let known = self.value(input).unwrap();
            let term = if matches!(term, Term::Neg(_) | Term::Add(_) | Term::Sub(_)) {
                term
            } else {
                let Some(attribute) = self.attribute(&term, &known) else { continue };
                let mut children = [attribute, input].into_iter();
                term.map_children(|id| children.next().unwrap_or(id))
            };
            values.extend(self.add(term));
        }
        self.program.roots.push(values[values.len() - 1]);
        if self.flip(3) {
            self.program.roots.push(values[self.random.random_range(0..values.len())]);
        }
        self.program.egraph.rebuild();
    }

    pub(super) fn inputs(&mut self) -> Vec<Value> {
        let arguments = self.program.egraph.analysis.arguments.clone();
        arguments
            .iter()
            .map(|argument| {
                let pairs = argument.ranges.lows.iter().zip(&argument.ranges.highs);
                let elements = pairs.map(|(lo, hi)| self.random.random_range(*lo..=*hi)).collect();
                integers(&argument.shape, elements)
            })
            .collect()
    }

    /// Proves some classes by trying all inputs, where there are few: ranges tighter than interval arithmetic gives.
    pub(super) fn prove(&mut self) -> bool {
        let arguments = self.program.egraph.analysis.arguments.clone();
        let spans =
            arguments.iter().flat_map(|argument| argument.ranges.lows.iter().zip(&argument.ranges.highs));
        let spans: Vec<i64> = spans.map(|(lo, hi)| hi - lo + 1).collect();
        let total = spans.iter().try_fold(1i64, |product, span| product.checked_mul(*span));
        let Some(total) = total.filter(|total| *total <= 1000) else { return false };
        let classes = Classes::of(&self.program.egraph);
        let mut proved: BTreeMap<Id, Ranges> = BTreeMap::new();
        for number in 0..total {
            let mut rest = number;
            let mut inputs = Vec::new();
            for argument in &arguments {
                let elements = argument.ranges.lows.iter().zip(&argument.ranges.highs).map(|(lo, hi)| {
                    let span = hi - lo + 1;
                    let value = lo + rest % span;
                    rest /= span;
                    value
                });
                inputs.push(integers(&argument.shape, elements.collect()));
            }
            for (id, value) in classes.run(&inputs) {
                let known =
                    proved.entry(id).or_insert_with(|| Ranges { lows: value.clone(), highs: value.clone() });
                known.lows.iter_mut().zip(&value).for_each(|(low, value)| *low = *value.min(low));
                known.highs.iter_mut().zip(&value).for_each(|(high, value)| *high = *value.max(high));
            }
        }
        for (id, ranges) in proved {
            if self.flip(2) {
                let known = self.value(id).unwrap();
                let known = facts::Value { ranges: ranges.into(), is_argument: false, ..known };
                facts::narrow(&mut self.program.egraph, id, &known);
            }
        }
        self.program.egraph.rebuild();
        true
    }
}
