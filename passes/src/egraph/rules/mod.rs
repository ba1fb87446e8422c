//! The rules, by topic. Each is a pattern and a function that adds what the match is equal to; README.md numbers them.

mod linear;
mod lookups;
mod matmul;
mod movement;

use super::attributes::{Attribute, Elements};
use super::facts::{self, Data, EGraph, Facts};
use super::language::Term;
use super::tables::Tables;
use cml_dialects::fhe::Ranges;
use egg::{Applier, Id, Language, Pattern, PatternAst, Rewrite, Subst, Symbol, Var};
use std::sync::Arc;

/// One equation.
#[derive(Clone, Copy)]
pub(crate) struct Rule {
    /// As in README.md.
    pub(crate) name: &'static str,
    /// What it matches.
    pub(crate) pattern: &'static str,
    /// Adds what the match is equal to, by [`Match::equal`]; `None` where a side condition fails.
    apply: fn(&mut Match<'_>) -> Option<()>,
}

/// All rules, in the order of README.md.
pub(crate) fn all() -> impl Iterator<Item = &'static Rule> {
    [lookups::RULES, linear::RULES, matmul::RULES, movement::RULES].into_iter().flatten()
}

impl Rule {
    /// What it matches, as egg takes it.
    pub(crate) fn searcher(&self) -> Pattern<Term> {
        self.pattern.parse().expect("each rule has a pattern, which a test instantiates")
    }

    /// The rule as egg takes it.
    pub(crate) fn rewrite(&self) -> Rewrite<Term, Facts> {
        Rewrite::new(self.name, self.searcher(), *self).expect("a rule names no variables but its pattern's")
    }
}

impl Applier<Term, Facts> for Rule {
    fn apply_one(
        &self,
        egraph: &mut EGraph,
        class: Id,
        subst: &Subst,
        _: Option<&PatternAst<Term>>,
        _: Symbol,
    ) -> Vec<Id> {
        let mut found = Match { egraph, subst, equal: Vec::new() };
        // Equalities found before a side condition failed hold all the same.
        let _ = (self.apply)(&mut found);
        let equal = found.equal;
        let mut changed = Vec::new();
        for (id, term) in equal {
            if egraph.union(class, id) {
                changed.push(id);
            }
            if let Some(term) = term {
                facts::narrow_input(egraph, class, &term);
            }
        }
        changed
    }
}

/// A match under treatment.
struct Match<'a> {
    egraph: &'a mut EGraph,
    subst: &'a Subst,
    equal: Vec<(Id, Option<Term>)>,
}

impl Match<'_> {
    /// The class that a variable stands for.
    fn id(&self, variable: &str) -> Option<Id> {
        let variable: Var = variable.parse().ok()?;
        self.subst.get(variable).copied()
    }

    fn shape(&self, id: Id) -> Option<&[u64]> {
        facts::value(self.egraph, id).map(|value| value.shape.as_slice())
    }

    fn ranges(&self, id: Id) -> Option<Arc<Ranges>> {
        facts::value(self.egraph, id).map(|value| value.ranges.clone())
    }

    fn elements(&self, variable: &str) -> Option<Arc<Elements>> {
        facts::elements(self.egraph, self.id(variable)?)
    }

    fn tables(&self, variable: &str) -> Option<Arc<Tables>> {
        facts::tables(self.egraph, self.id(variable)?)
    }

    fn numbers(&self, variable: &str) -> Option<Arc<[u64]>> {
        facts::numbers(self.egraph, self.id(variable)?)
    }

    /// The terms of a class.
    fn terms(&self, id: Id) -> Vec<Term> {
        self.egraph[id].nodes.clone()
    }

    /// An attribute as a leaf.
    fn attribute(&mut self, attribute: Attribute) -> Id {
        let id = self.egraph.analysis.interner.intern(attribute);
        self.egraph.add(Term::Attribute(id))
    }

    fn clear(&mut self, elements: Elements) -> Id {
        self.attribute(Attribute::Elements(Arc::new(elements)))
    }

    fn table_leaf(&mut self, tables: Tables) -> Id {
        self.attribute(Attribute::Tables(Arc::new(tables)))
    }

    fn number_leaf(&mut self, numbers: &[u64]) -> Id {
        self.attribute(Attribute::Numbers(numbers.into()))
    }

    /// Adds a term on the way; `None` if it does not fit together, or if its range has no type.
    fn inner(&mut self, term: Term) -> Option<Id> {
        let term = term.map_children(|id| self.egraph.find(id));
        if let Some(known) = self.egraph.lookup(term.clone()) {
            return Some(known);
        }
        match facts::infer(self.egraph, &term)? {
            Data::Value(value) if value.has_type() => Some(self.egraph.add(term)),
            _ => None,
        }
    }

    /// Says that the match is equal to this term, whose range is then that of the match.
    fn equal(&mut self, term: Term) -> Option<()> {
        facts::infer(self.egraph, &term)?;
        let id = self.egraph.add(term.clone());
        self.equal.push((id, Some(term)));
        Some(())
    }

    /// Says that the match is equal to a class.
    fn same(&mut self, id: Id) -> Option<()> {
        self.equal.push((id, None));
        Some(())
    }

    /// Says that the match is a lookup.
    fn lookup(&mut self, tables: Option<Tables>, input: Id) -> Option<()> {
        let tables = self.table_leaf(tables?);
        self.equal(Term::Lookup([tables, input]))
    }
}
