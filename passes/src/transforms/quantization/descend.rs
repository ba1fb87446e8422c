//! Single changes of a quantized chain, as long as its outputs come nearer to float at a fair price.

use super::layers::{Column, Plan, Rounding, columns, roundings};
use super::moments::Moments;
use super::network::{Change, Integers, Network, Outcome};
use super::stride::Stride;
use rayon::prelude::*;

/// How often every channel is tried, at most.
const SWEEPS: usize = 6;

/// A sweep that gains less than this share is the last.
const WORTHWHILE: f64 = 0.01;

/// Shifts of a sum, in steps of the input that it becomes.
const SHIFTS: [f64; 4] = [0.06, 0.12, 0.25, 0.5];

/// Factors of the scale of a column that keeps its integers.
const FACTORS: [f64; 6] = [0.85, 0.93, 0.97, 1.03, 1.07, 1.15];

/// Factors of the scale of a column whose weights are rounded again.
const ROUNDED: [f64; 6] = [0.8, 0.93, 1.07, 1.25, 1.6, 2.2];

/// Fewer multiplications than this are not worth waking other cores for.
const WORTH_CORES: usize = 1 << 22;

/// What a price above the fair one adds to the loss, both relative.
const ABOVE: f64 = 10.0;

/// What any price adds.
const BELOW: f64 = 0.02;

/// How outcomes compare.
#[derive(Clone, Copy, Debug)]
pub struct Judge {
    /// Milliseconds that the lookups may cost.
    pub fair: f64,
}

impl Judge {
    /// The loss, times what the price adds to it.
    #[must_use]
    pub fn value(self, outcome: Outcome) -> f64 {
        if self.fair == 0.0 {
            return outcome.loss;
        }
        let relative = outcome.price / self.fair;
        outcome.loss * (1.0 + BELOW * relative + ABOVE * (relative - 1.0).max(0.0))
    }
}

/// Takes for each channel the change that is judged best, if one is better than none; `wanted` are the weights before rounding.
pub fn descend(
    network: &mut Network<'_>,
    wanted: &[Vec<Column>],
    (plans, rounding): (&[Plan], Rounding),
    judge: Judge,
    tell: &dyn Fn(&str),
) {
    let last = plans.len() - 1;
    for sweep in 0..SWEEPS {
        tell(&format!("calibrating: searching, sweep {} of at most {SWEEPS}", sweep + 1));
        let before = judge.value(network.outcome());
        for layer in (0..=last).rev() {
            for (column, wanted) in wanted[layer].iter().enumerate() {
                if layer < last && plans[layer + 1].grids[column].scale == 0.0 {
                    continue;
                }
                improve(network, (layer, column), wanted, (&plans[layer], rounding), judge);
            }
        }
        round_last(network, (&plans[last], rounding), judge);
        if judge.value(network.outcome()) > before * (1.0 - WORTHWHILE) {
            break;
        }
    }
}

fn improve(
    network: &mut Network<'_>,
    place: (usize, usize),
    wanted: &Column,
    (plan, rounding): (&Plan, Rounding),
    judge: Judge,
) {
    let changes = changes(network, place, wanted, (plan, rounding));
    take_best(network, place, &changes, plan.widest, judge);
}

fn take_best(
    network: &mut Network<'_>,
    (layer, column): (usize, usize),
    changes: &[Change],
    widest: f64,
    judge: Judge,
) {
    let mean = network.mean(layer, column);
    let scale = network.products()[layer].scales[column];
    let total = network.target().total();
    let weights = &network.target().weights;
    let value = |change: &Change| {
        let accumulator = network.accumulator(layer, column, &change.integers);
        // The shift of a change is relative to one with which the column keeps its mean.
        let after = accumulator.dot(weights) / total;
        let shift =
            network.products()[layer].shifts[column] + change.shift + scale * mean - change.scale * after;
        let change = Change { shift, ..change.clone() };
        let (lo, hi) = network.range((layer, column), &change.integers, &accumulator.view());
        if hi - lo + 1.0 > widest {
            return (f64::INFINITY, change);
        }
        (judge.value(network.after((layer, column), &change, &accumulator.view())), change)
    };
    // All values are collected before the first of the least is taken: what is chosen does not depend on threads.
    let next = network.products().get(layer + 1).map_or(0, |next| next.scales.len());
    let work = changes.len() * network.target().weights.len() * (10 + next);
    let values: Vec<(f64, Change)> = if work < WORTH_CORES {
        changes.iter().map(value).collect()
    } else {
        changes.par_iter().map(value).collect()
    };
    let best = values.into_iter().min_by(|(one, _), (other, _)| one.total_cmp(other));
    if let Some((value, change)) = best
        && value < judge.value(network.outcome()) * (1.0 - 1e-9)
    {
        let product = &network.products()[layer];
        let before = Change {
            integers: Integers::All(product.integers.column(column).to_vec()),
            scale,
            shift: product.shifts[column],
        };
        network.apply((layer, column), &change);
        // Other steps of this column may widen the sums of later products.
        if !network.keeps(layer + 1, widest) {
            network.apply((layer, column), &before);
        }
    }
}

/// Changes of one column, their shifts relative to the mean that it has.
fn changes(
    network: &Network<'_>,
    (layer, column): (usize, usize),
    wanted: &Column,
    (plan, rounding): (&Plan, Rounding),
) -> Vec<Change> {
    let product = &network.products()[layer];
    let scale = product.scales[column];
    let same = Change { integers: Integers::Same, scale, shift: 0.0 };
    let next = network.products().get(layer + 1);
    let stride =
        Stride::new(plan.steps, &network.target().layers[layer], column, next.map(|next| next.grids[column]));
    let mut scales: Vec<f64> = FACTORS.iter().map(|factor| stride.nearest(scale * factor)).collect();
    scales.extend(stride.neighbours(scale));
    let mut changes: Vec<Change> =
        distinct(scales, scale).map(|scale| Change { scale, ..same.clone() }).collect();
    if let Some(next) = next {
        let step = next.grids[column].scale;
        let shifts = SHIFTS.iter().flat_map(|shift| [-shift * step, shift * step]);
        changes.extend(shifts.map(|shift| Change { shift, ..same.clone() }));
        let none = vec![0.0; product.integers.nrows()];
        changes.push(Change { integers: Integers::All(none), ..same.clone() });
    }
    let rounded = ROUNDED.iter().map(|factor| stride.nearest(scale * factor));
    for scale in distinct(rounded.collect(), f64::NAN) {
        let round = |weight: &f64| (weight / scale).round_ties_even().clamp(-product.limit, product.limit);
        let rounded: Vec<f64> = wanted.weights.iter().map(round).collect();
        let integers = Integers::All(wanted.spread(&rounded, product.integers.nrows()));
        changes.push(Change { integers, scale, shift: 0.0 });
    }
    if rounding == Rounding::SecondOrder {
        let long = plan.limit / 16;
        let steps = if long > 1 { vec![-1.0, 1.0, -(long as f64), long as f64] } else { vec![-1.0, 1.0] };
        for input in &wanted.support.inputs {
            for by in &steps {
                if (product.integers[(*input, column)] + by).abs() <= product.limit {
                    changes.push(Change { integers: Integers::One(*input, *by), ..same.clone() });
                }
            }
        }
    }
    changes
}

/// Scales but the one, each once.
fn distinct(mut scales: Vec<f64>, but: f64) -> impl Iterator<Item = f64> {
    scales.sort_by(f64::total_cmp);
    scales.dedup();
    scales.into_iter().filter(move |scale| *scale != but)
}

/// Rounds the last product again, for the inputs that it has by now.
fn round_last(network: &mut Network<'_>, (plan, rounding): (&Plan, Rounding), judge: Judge) {
    let last = network.products().len() - 1;
    let moments = Moments::of(network.steps(last), &network.target().weights);
    for (column, wanted) in columns(network, last, plan, &moments, rounding).iter().enumerate() {
        let changes: Vec<Change> = roundings(wanted, plan.limit, (rounding, Stride::FREE))
            .iter()
            .map(|rounded| Change {
                integers: Integers::All(wanted.spread(&rounded.integers, plan.grids.len())),
                scale: rounded.scale,
                shift: 0.0,
            })
            .collect();
        take_best(network, (last, column), &changes, plan.widest, judge);
    }
}
