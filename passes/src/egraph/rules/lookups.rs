//! Rules that make bootstraps fewer, or keep linear work off them.

use super::{Match, Rule};
use crate::egraph::tables::Tables;
use egg::Id;

pub(super) const RULES: &[Rule] = &[
    Rule { name: "compose-lookups", pattern: "(lookup ?outer (lookup ?inner ?x))", apply: compose },
    Rule { name: "lookup-of-neg", pattern: "(lookup ?t (neg ?x))", apply: of_neg },
    Rule { name: "lookup-of-add-clear", pattern: "(lookup ?t (add_clear ?c ?x))", apply: of_add_clear },
    Rule { name: "lookup-of-mul-clear", pattern: "(lookup ?t (mul_clear ?c ?x))", apply: of_mul_clear },
    Rule { name: "neg-of-lookup", pattern: "(neg (lookup ?t ?x))", apply: neg },
    Rule { name: "add-clear-of-lookup", pattern: "(add_clear ?c (lookup ?t ?x))", apply: add_clear },
    Rule { name: "mul-clear-of-lookup", pattern: "(mul_clear ?c (lookup ?t ?x))", apply: mul_clear },
    Rule { name: "add-of-lookups", pattern: "(add (lookup ?t ?x) (lookup ?u ?x))", apply: add },
    Rule { name: "sub-of-lookups", pattern: "(sub (lookup ?t ?x) (lookup ?u ?x))", apply: sub },
    Rule { name: "identity-lookup", pattern: "(lookup ?t ?x)", apply: identity },
    Rule { name: "read-entries", pattern: "(lookup ?t ?x)", apply: read_entries },
];

/// What `after` makes of an entry is the entry of one table.
fn absorb_after(
    found: &mut Match<'_>,
    key: impl Fn(usize) -> Option<i64>,
    after: impl Fn(usize, i64) -> Option<i64>,
) -> Option<()> {
    let (tables, x) = (found.tables("?t")?, found.id("?x")?);
    let entry = |element, value| after(element, tables.nearest(element, value)?);
    let new = Tables::build(&*found.ranges(x)?, |element| (tables.of.get(element), key(element)), entry);
    found.lookup(new, x)
}

/// What the table says of `before` of a value is an entry of one table.
fn absorb_before(
    found: &mut Match<'_>,
    key: impl Fn(usize) -> Option<i64>,
    before: impl Fn(usize, i64) -> Option<i64>,
) -> Option<()> {
    let (tables, x) = (found.tables("?t")?, found.id("?x")?);
    let entry = |element, value| tables.nearest(element, before(element, value)?);
    let new = Tables::build(&*found.ranges(x)?, |element| (tables.of.get(element), key(element)), entry);
    found.lookup(new, x)
}

fn compose(found: &mut Match<'_>) -> Option<()> {
    let (outer, inner, x) = (found.tables("?outer")?, found.tables("?inner")?, found.id("?x")?);
    let new = Tables::build(
        &*found.ranges(x)?,
        |element| (outer.of.get(element), inner.of.get(element)),
        |element, value| outer.nearest(element, inner.nearest(element, value)?),
    );
    found.lookup(new, x)
}

fn of_neg(found: &mut Match<'_>) -> Option<()> {
    absorb_before(found, |_| None, |_, value| value.checked_neg())
}

fn of_add_clear(found: &mut Match<'_>) -> Option<()> {
    let clear = found.elements("?c")?;
    absorb_before(found, |element| clear.at(element), |element, value| value.checked_add(clear.at(element)?))
}

fn of_mul_clear(found: &mut Match<'_>) -> Option<()> {
    let clear = found.elements("?c")?;
    absorb_before(found, |element| clear.at(element), |element, value| value.checked_mul(clear.at(element)?))
}

fn neg(found: &mut Match<'_>) -> Option<()> {
    absorb_after(found, |_| None, |_, entry| entry.checked_neg())
}

fn add_clear(found: &mut Match<'_>) -> Option<()> {
    let clear = found.elements("?c")?;
    absorb_after(found, |element| clear.at(element), |element, entry| entry.checked_add(clear.at(element)?))
}

fn mul_clear(found: &mut Match<'_>) -> Option<()> {
    let clear = found.elements("?c")?;
    absorb_after(found, |element| clear.at(element), |element, entry| entry.checked_mul(clear.at(element)?))
}

fn combine(found: &mut Match<'_>, function: impl Fn(i64, i64) -> Option<i64>) -> Option<()> {
    let (left, right, x) = (found.tables("?t")?, found.tables("?u")?, found.id("?x")?);
    let new = Tables::build(
        &*found.ranges(x)?,
        |element| (left.of.get(element), right.of.get(element)),
        |element, value| function(left.nearest(element, value)?, right.nearest(element, value)?),
    );
    found.lookup(new, x)
}

fn add(found: &mut Match<'_>) -> Option<()> {
    combine(found, i64::checked_add)
}

fn sub(found: &mut Match<'_>) -> Option<()> {
    combine(found, i64::checked_sub)
}

/// Whether every entry that is read is its own place.
fn is_identity(found: &Match<'_>, tables: &Tables, x: Id) -> Option<bool> {
    let ranges = found.ranges(x)?;
    let mut elements = ranges.lows.iter().zip(&ranges.highs).enumerate();
    Some(elements.all(|(element, (lo, hi))| {
        tables.read(element, *lo, *hi).is_some_and(|read| read.iter().copied().eq(*lo..=*hi))
    }))
}

fn identity(found: &mut Match<'_>) -> Option<()> {
    let (tables, x) = (found.tables("?t")?, found.id("?x")?);
    if is_identity(found, &tables, x)? { found.same(x) } else { None }
}

fn read_entries(found: &mut Match<'_>) -> Option<()> {
    let (tables, x) = (found.tables("?t")?, found.id("?x")?);
    let entry = |element, value| tables.read(element, value, value)?.first().copied();
    let new = Tables::build(&*found.ranges(x)?, |element| tables.of.get(element), entry);
    found.lookup(new, x)
}
