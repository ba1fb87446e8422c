//! Rules that take clear factors, and sums of products of one input, into the weights.

use super::{Match, Rule};
use crate::analysis::shapes::count;
use crate::egraph::attributes::Elements;
use crate::egraph::language::Term;

pub(super) const RULES: &[Rule] = &[
    Rule { name: "neg-of-matmul", pattern: "(neg (matmul ?w ?x))", apply: negate_weights },
    Rule { name: "matmul-of-neg", pattern: "(matmul ?w (neg ?x))", apply: negate_weights },
    Rule { name: "mul-clear-of-matmul", pattern: "(mul_clear ?c (matmul ?w ?x))", apply: scale_columns },
    Rule { name: "matmul-of-mul-clear", pattern: "(matmul ?w (mul_clear ?c ?x))", apply: scale_rows },
    Rule { name: "matmul-of-add-clear", pattern: "(matmul ?w (add_clear ?c ?x))", apply: add_later },
    Rule { name: "add-of-matmuls", pattern: "(add (matmul ?w ?x) (matmul ?v ?x))", apply: add_weights },
    Rule { name: "sub-of-matmuls", pattern: "(sub (matmul ?w ?x) (matmul ?v ?x))", apply: subtract_weights },
];

fn with_weights(found: &mut Match<'_>, weights: Elements) -> Option<()> {
    let (weights, x) = (found.clear(weights), found.id("?x")?);
    found.equal(Term::Matmul([weights, x]))
}

fn negate_weights(found: &mut Match<'_>) -> Option<()> {
    let weights = found.elements("?w")?.map(i64::checked_neg)?;
    with_weights(found, weights)
}

/// One factor for each of `extent` places of the last axis; `None` if they differ between rows.
fn factors(clear: &Elements, extent: usize) -> Option<Vec<i64>> {
    let factors: Vec<i64> = (0..extent).map(|place| clear.at(place)).collect::<Option<_>>()?;
    let agrees = clear.values.len() == 1 || clear.values.chunks(extent.max(1)).all(|row| row == factors);
    agrees.then_some(factors)
}

fn scale_columns(found: &mut Match<'_>) -> Option<()> {
    let (weights, clear) = (found.elements("?w")?, found.elements("?c")?);
    let columns = *weights.shape.get(1)? as usize;
    let factors = factors(&clear, columns)?;
    let scaled = weights.values.iter().enumerate();
    let scaled =
        scaled.map(|(index, weight)| weight.checked_mul(factors[index % columns])).collect::<Option<_>>()?;
    with_weights(found, Elements { shape: weights.shape.clone(), values: scaled })
}

fn scale_rows(found: &mut Match<'_>) -> Option<()> {
    let (weights, clear) = (found.elements("?w")?, found.elements("?c")?);
    let [inner, columns] = weights.shape[..] else { return None };
    let factors = factors(&clear, inner as usize)?;
    let scaled = weights.values.iter().enumerate();
    let scaled = scaled.map(|(index, weight)| weight.checked_mul(factors[index / columns as usize]));
    let values = scaled.collect::<Option<_>>()?;
    with_weights(found, Elements { shape: weights.shape.clone(), values })
}

fn add_later(found: &mut Match<'_>) -> Option<()> {
    let (weights, clear, x) = (found.elements("?w")?, found.elements("?c")?, found.id("?x")?);
    let [inner, columns] = weights.shape[..] else { return None };
    let (inner, columns) = (inner as usize, columns as usize);
    let (_, leading) = found.shape(x)?.split_last()?;
    let shape = leading.iter().copied().chain([columns as u64]).collect();
    let mut sums = vec![0i64; count(leading) * columns];
    for (at, sum) in sums.iter_mut().enumerate() {
        let (row, column) = (at / columns, at % columns);
        for i in 0..inner {
            let weight = weights.values.get(i * columns + column)?;
            *sum = sum.checked_add(weight.checked_mul(clear.at(row * inner + i)?)?)?;
        }
    }
    let weights = found.id("?w")?;
    let rest = found.inner(Term::Matmul([weights, x]))?;
    let clear = found.clear(Elements { shape, values: sums });
    found.equal(Term::AddClear([clear, rest]))
}

fn combine(found: &mut Match<'_>, function: impl Fn(i64, i64) -> Option<i64>) -> Option<()> {
    let (left, right) = (found.elements("?w")?, found.elements("?v")?);
    // Results of other shapes meet by broadcasting.
    if left.shape != right.shape {
        return None;
    }
    let sums = left.values.iter().zip(&right.values).map(|(w, v)| function(*w, *v)).collect::<Option<_>>()?;
    with_weights(found, Elements { shape: left.shape.clone(), values: sums })
}

fn add_weights(found: &mut Match<'_>) -> Option<()> {
    combine(found, i64::checked_add)
}

fn subtract_weights(found: &mut Match<'_>) -> Option<()> {
    combine(found, i64::checked_sub)
}
