//! Rules that move elements later, so that the ops around a movement meet.

use super::{Match, Rule};
use crate::analysis::shapes::{concat_origins, count, transpose_origins};
use crate::egraph::attributes::Elements;
use crate::egraph::language::Term;
use crate::egraph::tables::Tables;
use egg::Id;

pub(super) const RULES: &[Rule] = &[
    Rule { name: "reshape-to-own-shape", pattern: "(reshape ?s ?x)", apply: reshape_nothing },
    Rule { name: "reshape-of-reshape", pattern: "(reshape ?s (reshape ?r ?x))", apply: reshape_once },
    Rule { name: "transpose-nothing", pattern: "(transpose ?p ?x)", apply: transpose_nothing },
    Rule {
        name: "transpose-of-transpose",
        pattern: "(transpose ?p (transpose ?q ?x))",
        apply: transpose_once,
    },
    Rule { name: "neg-of-reshape", pattern: "(neg (reshape ?s ?x))", apply: neg },
    Rule { name: "neg-of-transpose", pattern: "(neg (transpose ?p ?x))", apply: neg },
    Rule { name: "lookup-of-reshape", pattern: "(lookup ?t (reshape ?s ?x))", apply: lookup },
    Rule { name: "lookup-of-transpose", pattern: "(lookup ?t (transpose ?p ?x))", apply: lookup },
    Rule { name: "add-clear-of-reshape", pattern: "(add_clear ?c (reshape ?s ?x))", apply: add_clear },
    Rule { name: "add-clear-of-transpose", pattern: "(add_clear ?c (transpose ?p ?x))", apply: add_clear },
    Rule { name: "mul-clear-of-reshape", pattern: "(mul_clear ?c (reshape ?s ?x))", apply: mul_clear },
    Rule { name: "mul-clear-of-transpose", pattern: "(mul_clear ?c (transpose ?p ?x))", apply: mul_clear },
    Rule { name: "add-of-reshapes", pattern: "(add (reshape ?s ?x) (reshape ?s ?y))", apply: add },
    Rule { name: "add-of-transposes", pattern: "(add (transpose ?p ?x) (transpose ?p ?y))", apply: add },
    Rule { name: "sub-of-reshapes", pattern: "(sub (reshape ?s ?x) (reshape ?s ?y))", apply: sub },
    Rule { name: "sub-of-transposes", pattern: "(sub (transpose ?p ?x) (transpose ?p ?y))", apply: sub },
    Rule { name: "neg-of-concat", pattern: "(neg ?joined)", apply: neg_joined },
    Rule { name: "lookup-of-concat", pattern: "(lookup ?t ?joined)", apply: lookup_joined },
    Rule { name: "add-clear-of-concat", pattern: "(add_clear ?c ?joined)", apply: add_clear_joined },
    Rule { name: "mul-clear-of-concat", pattern: "(mul_clear ?c ?joined)", apply: mul_clear_joined },
];

fn reshape_nothing(found: &mut Match<'_>) -> Option<()> {
    let (extents, x) = (found.numbers("?s")?, found.id("?x")?);
    if found.shape(x)? == &extents[..] { found.same(x) } else { None }
}

fn reshape_once(found: &mut Match<'_>) -> Option<()> {
    let (extents, x) = (found.id("?s")?, found.id("?x")?);
    found.equal(Term::Reshape([extents, x]))
}

fn transpose_nothing(found: &mut Match<'_>) -> Option<()> {
    let (permutation, x) = (found.numbers("?p")?, found.id("?x")?);
    let stays = permutation.iter().enumerate().all(|(index, axis)| *axis == index as u64);
    if stays { found.same(x) } else { None }
}

fn transpose_once(found: &mut Match<'_>) -> Option<()> {
    let (outer, inner, x) = (found.numbers("?p")?, found.numbers("?q")?, found.id("?x")?);
    let both = outer.iter().map(|axis| inner.get(*axis as usize).copied()).collect::<Option<Vec<_>>>()?;
    let both = found.number_leaf(&both);
    found.equal(Term::Transpose([both, x]))
}

/// The movement that the match names, on another tensor. It commutes with broadcasting: a transpose moves axes of extent 1 as
/// any, and two tensors reshaped to one shape broadcast to a larger one before, which no longer fits the reshape, or not at all.
fn moved(found: &Match<'_>, input: Id) -> Option<Term> {
    match (found.id("?s"), found.id("?p")) {
        (Some(extents), _) => Some(Term::Reshape([extents, input])),
        (_, Some(permutation)) => Some(Term::Transpose([permutation, input])),
        _ => None,
    }
}

/// What stood at each element after the movement, at the element where it stands before it.
fn before<T: Clone>(found: &Match<'_>, after: &[T]) -> Option<Vec<T>> {
    let Some(permutation) = found.numbers("?p") else { return Some(after.to_vec()) };
    let origins = transpose_origins(found.shape(found.id("?x")?)?, &permutation)?;
    let mut places = vec![0; origins.len()];
    for (at, origin) in origins.into_iter().enumerate() {
        *places.get_mut(origin)? = at;
    }
    places.into_iter().map(|at| after.get(at).cloned()).collect()
}

fn later(found: &mut Match<'_>, term: Term) -> Option<()> {
    let inner = found.inner(term)?;
    let term = moved(found, inner)?;
    found.equal(term)
}

fn neg(found: &mut Match<'_>) -> Option<()> {
    let x = found.id("?x")?;
    later(found, Term::Neg(x))
}

fn lookup(found: &mut Match<'_>) -> Option<()> {
    let (tables, x) = (found.tables("?t")?, found.id("?x")?);
    let of = before(found, &tables.of)?;
    let tables = found.table_leaf(Tables { of, ..(*tables).clone() });
    later(found, Term::Lookup([tables, x]))
}

/// The clear integers of the match, as they meet the elements before the movement.
fn clear_before(found: &mut Match<'_>) -> Option<Id> {
    let clear = found.elements("?c")?;
    if clear.values.len() == 1 {
        return found.id("?c");
    }
    let values = before(found, &clear.values)?;
    let shape = found.shape(found.id("?x")?)?.to_vec();
    Some(found.clear(Elements { shape, values }))
}

fn add_clear(found: &mut Match<'_>) -> Option<()> {
    let (clear, x) = (clear_before(found)?, found.id("?x")?);
    later(found, Term::AddClear([clear, x]))
}

fn mul_clear(found: &mut Match<'_>) -> Option<()> {
    let (clear, x) = (clear_before(found)?, found.id("?x")?);
    later(found, Term::MulClear([clear, x]))
}

fn add(found: &mut Match<'_>) -> Option<()> {
    let inputs = [found.id("?x")?, found.id("?y")?];
    later(found, Term::Add(inputs))
}

fn sub(found: &mut Match<'_>) -> Option<()> {
    let inputs = [found.id("?x")?, found.id("?y")?];
    later(found, Term::Sub(inputs))
}

/// An op on joined tensors is the same op on each, joined; `part` makes it, given the tensor and the elements of the whole
/// that it became.
fn on_each(found: &mut Match<'_>, part: impl Fn(&mut Match<'_>, Id, &[usize]) -> Option<Term>) -> Option<()> {
    let joined = found.id("?joined")?;
    for term in found.terms(joined) {
        let Term::Concat(children) = term else { continue };
        let (axis, inputs) = children.split_first()?;
        let number = *super::facts::numbers(found.egraph, *axis)?.first()? as usize;
        let shapes = inputs.iter().map(|id| found.shape(*id)).collect::<Option<Vec<_>>>()?;
        let mut places: Vec<Vec<usize>> = shapes.iter().map(|shape| vec![0; count(shape)]).collect();
        for (at, (which, origin)) in concat_origins(&shapes, number)?.into_iter().enumerate() {
            places[which][origin] = at;
        }
        let mut parts = vec![*axis];
        for (input, places) in inputs.iter().zip(&places) {
            let term = part(found, *input, places)?;
            parts.push(found.inner(term)?);
        }
        found.equal(Term::Concat(parts.into()))?;
    }
    Some(())
}

fn neg_joined(found: &mut Match<'_>) -> Option<()> {
    on_each(found, |_, input, _| Some(Term::Neg(input)))
}

fn lookup_joined(found: &mut Match<'_>) -> Option<()> {
    let tables = found.tables("?t")?;
    on_each(found, |found, input, places| {
        let of = places.iter().map(|at| tables.of.get(*at).copied()).collect::<Option<_>>()?;
        let part = found.table_leaf(Tables { of, ..(*tables).clone() });
        Some(Term::Lookup([part, input]))
    })
}

fn clear_part(found: &mut Match<'_>, input: Id, places: &[usize]) -> Option<Id> {
    let clear = found.elements("?c")?;
    if clear.values.len() == 1 {
        return found.id("?c");
    }
    let values = places.iter().map(|at| clear.at(*at)).collect::<Option<_>>()?;
    let shape = found.shape(input)?.to_vec();
    Some(found.clear(Elements { shape, values }))
}

fn add_clear_joined(found: &mut Match<'_>) -> Option<()> {
    on_each(found, |found, input, places| Some(Term::AddClear([clear_part(found, input, places)?, input])))
}

fn mul_clear_joined(found: &mut Match<'_>) -> Option<()> {
    on_each(found, |found, input, places| Some(Term::MulClear([clear_part(found, input, places)?, input])))
}
