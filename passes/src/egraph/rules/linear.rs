//! Rules of negation, sums and clear integers. Clear sums move towards the results, where a lookup or another one takes them in.

use super::{Match, Rule};
use crate::egraph::attributes::Elements;
use crate::egraph::language::Term;
use egg::Id;

pub(super) const RULES: &[Rule] = &[
    Rule { name: "neg-of-neg", pattern: "(neg (neg ?x))", apply: neg_of_neg },
    Rule { name: "add-clear-of-add-clear", pattern: "(add_clear ?c (add_clear ?d ?x))", apply: add_clears },
    Rule { name: "mul-clear-of-mul-clear", pattern: "(mul_clear ?c (mul_clear ?d ?x))", apply: mul_clears },
    Rule { name: "add-clear-of-zero", pattern: "(add_clear ?c ?x)", apply: add_zero },
    Rule { name: "mul-clear-by-one", pattern: "(mul_clear ?c ?x)", apply: mul_one },
    Rule { name: "neg-of-mul-clear", pattern: "(neg (mul_clear ?c ?x))", apply: scale_negated },
    Rule { name: "mul-clear-of-neg", pattern: "(mul_clear ?c (neg ?x))", apply: scale_negated },
    Rule { name: "neg-of-add-clear", pattern: "(neg (add_clear ?c ?x))", apply: neg_of_add_clear },
    Rule {
        name: "mul-clear-of-add-clear",
        pattern: "(mul_clear ?d (add_clear ?c ?x))",
        apply: mul_of_add_clear,
    },
    Rule { name: "add-of-add-clear", pattern: "(add (add_clear ?c ?x) ?y)", apply: add_of_add_clear },
    Rule { name: "add-to-add-clear", pattern: "(add ?y (add_clear ?c ?x))", apply: add_to_add_clear },
    Rule { name: "sub-of-add-clear", pattern: "(sub (add_clear ?c ?x) ?y)", apply: sub_of_add_clear },
    Rule { name: "sub-from-add-clear", pattern: "(sub ?y (add_clear ?c ?x))", apply: sub_from_add_clear },
    Rule { name: "add-of-neg", pattern: "(add ?y (neg ?x))", apply: sub_instead },
    Rule { name: "add-to-neg", pattern: "(add (neg ?x) ?y)", apply: sub_instead },
    Rule { name: "sub-of-neg", pattern: "(sub ?y (neg ?x))", apply: add_instead },
    Rule { name: "neg-of-sub", pattern: "(neg (sub ?y ?x))", apply: neg_of_sub },
    Rule { name: "sub-of-mul-clear", pattern: "(sub ?y (mul_clear ?c ?x))", apply: sub_of_mul_clear },
];

fn neg_of_neg(found: &mut Match<'_>) -> Option<()> {
    let x = found.id("?x")?;
    found.same(x)
}

fn add_clears(found: &mut Match<'_>) -> Option<()> {
    let (c, d, x) = (found.elements("?c")?, found.elements("?d")?, found.id("?x")?);
    let clear = found.clear(c.zip(&d, i64::checked_add)?);
    found.equal(Term::AddClear([clear, x]))
}

fn mul_clears(found: &mut Match<'_>) -> Option<()> {
    let (c, d, x) = (found.elements("?c")?, found.elements("?d")?, found.id("?x")?);
    let clear = found.clear(c.zip(&d, i64::checked_mul)?);
    found.equal(Term::MulClear([clear, x]))
}

fn neutral(found: &mut Match<'_>, neutral: i64) -> Option<()> {
    let (clear, x) = (found.elements("?c")?, found.id("?x")?);
    if clear.values.iter().all(|value| *value == neutral) { found.same(x) } else { None }
}

fn add_zero(found: &mut Match<'_>) -> Option<()> {
    neutral(found, 0)
}

fn mul_one(found: &mut Match<'_>) -> Option<()> {
    neutral(found, 1)
}

fn scale_negated(found: &mut Match<'_>) -> Option<()> {
    let (clear, x) = (found.elements("?c")?.map(i64::checked_neg)?, found.id("?x")?);
    let clear = found.clear(clear);
    found.equal(Term::MulClear([clear, x]))
}

fn neg_of_add_clear(found: &mut Match<'_>) -> Option<()> {
    let (clear, x) = (found.elements("?c")?.map(i64::checked_neg)?, found.id("?x")?);
    let negated = found.inner(Term::Neg(x))?;
    let clear = found.clear(clear);
    found.equal(Term::AddClear([clear, negated]))
}

fn mul_of_add_clear(found: &mut Match<'_>) -> Option<()> {
    let (c, factor, x) = (found.elements("?c")?, found.elements("?d")?, found.id("?x")?);
    let added = c.zip(&factor, i64::checked_mul)?;
    let factor = found.id("?d")?;
    let scaled = found.inner(Term::MulClear([factor, x]))?;
    let clear = found.clear(added);
    found.equal(Term::AddClear([clear, scaled]))
}

/// `make(x, y) + clear`; [`facts::infer`](crate::egraph::facts::infer) refuses clear integers that do not fit the sum.
fn add_later(found: &mut Match<'_>, clear: Elements, make: impl Fn(Id, Id) -> Term) -> Option<()> {
    let (x, y) = (found.id("?x")?, found.id("?y")?);
    let rest = found.inner(make(x, y))?;
    let clear = found.clear(clear);
    found.equal(Term::AddClear([clear, rest]))
}

fn add_of_add_clear(found: &mut Match<'_>) -> Option<()> {
    let clear = found.elements("?c")?;
    add_later(found, (*clear).clone(), |x, y| Term::Add([x, y]))
}

fn add_to_add_clear(found: &mut Match<'_>) -> Option<()> {
    let clear = found.elements("?c")?;
    add_later(found, (*clear).clone(), |x, y| Term::Add([y, x]))
}

fn sub_of_add_clear(found: &mut Match<'_>) -> Option<()> {
    let clear = found.elements("?c")?;
    add_later(found, (*clear).clone(), |x, y| Term::Sub([x, y]))
}

fn sub_from_add_clear(found: &mut Match<'_>) -> Option<()> {
    let clear = found.elements("?c")?.map(i64::checked_neg)?;
    add_later(found, clear, |x, y| Term::Sub([y, x]))
}

fn sub_instead(found: &mut Match<'_>) -> Option<()> {
    let (x, y) = (found.id("?x")?, found.id("?y")?);
    found.equal(Term::Sub([y, x]))
}

fn add_instead(found: &mut Match<'_>) -> Option<()> {
    let (x, y) = (found.id("?x")?, found.id("?y")?);
    found.equal(Term::Add([y, x]))
}

fn neg_of_sub(found: &mut Match<'_>) -> Option<()> {
    let (x, y) = (found.id("?x")?, found.id("?y")?);
    found.equal(Term::Sub([x, y]))
}

/// A factor of -1 ends here.
fn sub_of_mul_clear(found: &mut Match<'_>) -> Option<()> {
    let (clear, x, y) = (found.elements("?c")?.map(i64::checked_neg)?, found.id("?x")?, found.id("?y")?);
    let clear = found.clear(clear);
    let scaled = found.inner(Term::MulClear([clear, x]))?;
    found.equal(Term::Add([y, scaled]))
}
