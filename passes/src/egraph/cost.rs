//! What a term costs: bootstraps first, then linear work, then ops.

use super::facts::{self, Data, EGraph, Value};
use super::language::Term;
use crate::analysis::shapes::count;
use cml_dialects::fhe::Ranges;
use cml_runtime::units::Width;
use std::ops::AddAssign;

/// Compared from the first field on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cost {
    /// Price of the elements that a lookup reads and whose entries differ.
    pub(crate) bootstraps: u64,
    /// Additions and multiplications on ciphertexts.
    pub(crate) linear: u64,
    /// Number of ops, arguments aside.
    pub(crate) ops: u64,
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.bootstraps = self.bootstraps.saturating_add(other.bootstraps);
        self.linear = self.linear.saturating_add(other.linear);
        self.ops = self.ops.saturating_add(other.ops);
    }
}

/// What one bootstrap costs that reads `width` bits, relative to others: tenths of milliseconds of the cheapest form that
/// looks up any table, as measured on one core; beyond 8 bits each bit doubles it.
fn price(width: Width) -> u64 {
    const MEASURED: [u64; 9] = [40, 45, 50, 60, 70, 150, 300, 880, 1730];
    let last = MEASURED.len() - 1;
    let beyond = (width.0 as usize).saturating_sub(last);
    MEASURED[(width.0 as usize).min(last)].saturating_mul(1 << beyond.min(40))
}

/// The cost of a term without its children; `None` if the term cannot be emitted, its input being wider than its tables, or
/// its range without a type.
pub(crate) fn of(egraph: &EGraph, term: &Term) -> Option<Cost> {
    let Data::Value(result) = facts::infer(egraph, term)? else { return None };
    let elements = count(&result.shape) as u64;
    let mut cost = Cost { bootstraps: 0, linear: 0, ops: 1 };
    match term {
        Term::Argument(_) => cost.ops = 0,
        Term::Lookup([tables, input]) => {
            let (tables, input) = (facts::tables(egraph, *tables)?, facts::value(egraph, *input)?);
            cost.bootstraps = lookup(&input.ranges, |index, lo, hi| tables.read(index, lo, hi))?;
        }
        Term::Matmul([weights, _]) => {
            let weights = facts::elements(egraph, *weights)?;
            let rows = elements / weights.shape.get(1).copied().filter(|columns| *columns > 0).unwrap_or(1);
            cost.linear = rows * weights.values.iter().filter(|weight| **weight != 0).count() as u64;
        }
        Term::Sum([_, input]) => cost.linear = elements_of(facts::value(egraph, *input)?),
        Term::Add(_) | Term::Sub(_) | Term::Neg(_) | Term::AddClear(_) | Term::MulClear(_) => {
            cost.linear = elements;
        }
        Term::Constant(_) | Term::Reshape(_) | Term::Transpose(_) | Term::Concat(_) | Term::Attribute(_) => {}
    }
    Some(cost)
}

fn elements_of(value: &Value) -> u64 {
    count(&value.shape) as u64
}

fn lookup<'a>(ranges: &Ranges, read: impl Fn(usize, i64, i64) -> Option<&'a [i64]>) -> Option<u64> {
    let mut sum = 0u64;
    for (index, (lo, hi)) in ranges.lows.iter().zip(&ranges.highs).enumerate() {
        let entries = read(index, *lo, *hi)?;
        if entries.iter().any(|entry| *entry != entries[0]) {
            sum = sum.saturating_add(price(Width::of_range(*lo, *hi)));
        }
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wider_bootstraps_cost_more_and_no_width_overflows() {
        let prices: Vec<u64> = (0..100).map(|width| price(Width(width))).collect();
        assert!(prices.windows(2).all(|pair| pair[0] <= pair[1]));
        assert_eq!(prices[9], 2 * prices[8]);
    }

    #[test]
    fn constant_elements_cost_nothing() {
        let ranges = Ranges { lows: vec![0, 0, 2], highs: vec![3, 3, 2] };
        let tables = [[1, 1, 1, 1], [1, 1, 1, 2], [1, 2, 3, 4]];
        let read = |index: usize, lo: i64, hi: i64| tables[index].get(lo as usize..=hi as usize);
        assert_eq!(lookup(&ranges, read), Some(price(Width(2))));
    }
}
