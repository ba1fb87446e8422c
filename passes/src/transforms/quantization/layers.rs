//! The first quantizers of each product of a chain, on the already quantized inputs that the ones before it give.

use super::activations::Grid;
use super::moments::{Moments, Support};
use super::network::{Network, Product};
use super::price::Reading;
use super::rounding::{Rounded, Wanted};
use super::stride::{Steps, Stride};
use super::{Weights, weights};
use ndarray::{Array1, Array2};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How the weights of a product are rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// Each for itself.
    Nearest,
    /// Refitted to what their inputs have become, and rounded by the error of their sums.
    SecondOrder,
}

/// A product as it is to be quantized.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Of the inputs.
    pub grids: Vec<Grid>,
    /// The largest step of an input.
    pub levels: i64,
    /// The largest integer weight.
    pub limit: i64,
    /// The largest range of an accumulator.
    pub widest: f64,
    /// What the scales of its columns have to divide.
    pub steps: Steps,
}

/// The wanted weights of one column, for inputs in steps.
#[derive(Clone)]
pub struct Column {
    /// Inputs with a weight that is not 0 and a value that is not constant.
    pub support: Arc<Support>,
    /// Of these inputs.
    pub weights: Vec<f64>,
}

impl Column {
    /// To be rounded to integers of at most `limit`.
    #[must_use]
    pub fn to_round(&self, limit: i64) -> Wanted<'_> {
        Wanted { weights: &self.weights, errors: &self.support.errors, limit: limit as f64 }
    }

    /// Numbers of these inputs, as numbers of all inputs.
    #[must_use]
    pub fn spread(&self, numbers: &[f64], inputs: usize) -> Vec<f64> {
        let mut all = vec![0.0; inputs];
        self.support.inputs.iter().zip(numbers).for_each(|(input, number)| all[*input] = *number);
        all
    }
}

/// Scales relative to the largest weight's, of which the first are within reach of all weights, and the later ones trade
/// accuracy for narrow sums.
pub const FINE: [f64; 29] = {
    let mut scales = [0.0; 29];
    let mut at = 0;
    while at < scales.len() {
        scales[at] = 1.0 - at as f64 / 40.0;
        at += 1;
    }
    scales
};
/// See [`FINE`].
pub const COARSE: [f64; 9] = [1.2, 1.4, 1.7, 2.0, 2.5, 3.0, 4.0, 6.0, 16.0];

/// Scales for rounding of second order, which looks for the best one near each itself.
const SPARSE: [f64; 7] = [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4];

/// One way to round a column.
struct Choice {
    rounded: Rounded,
    error: f64,
    price: f64,
}

/// Adds the next product to a chain: of all roundings, the ones of least error for which the lookups after it cost no more than
/// `most` milliseconds, if there are any. Gives the weights that were rounded.
pub fn push(
    network: &mut Network<'_>,
    plan: &Plan,
    next: Option<&[Grid]>,
    rounding: Rounding,
    most: f64,
) -> Vec<Column> {
    let layer = network.products().len();
    let target = network.target();
    let steps = network.next_steps(&plan.grids, plan.levels);
    let moments = Moments::of(&steps, &target.weights);
    let columns = columns(network, layer, plan, &moments, rounding);
    let importance = |column: usize| {
        let Some(next) = target.layers.get(layer + 1) else { return 1.0 };
        let count = next.weights.columns();
        next.weights.values[column * count..][..count].iter().map(|weight| f64::from(weight * weight)).sum()
    };
    let choices: Vec<Vec<Choice>> = columns
        .par_iter()
        .enumerate()
        .map(|(column, wanted)| {
            let is_read = next.is_some_and(|grids| grids[column].scale > 0.0);
            let importance: f64 = importance(column);
            let choose = |rounded: Rounded| {
                let range = range(&steps, wanted, &rounded.integers, target.is_box, plan);
                let price = if is_read { Reading::new(range, 0.0).milliseconds } else { 0.0 };
                (range <= plan.widest).then_some(Choice { error: rounded.error * importance, price, rounded })
            };
            let next = next.map(|grids| grids[column]);
            let stride = Stride::new(plan.steps, &target.layers[layer], column, next);
            let mut choices: Vec<Choice> =
                roundings(wanted, plan.limit, (rounding, stride)).into_iter().filter_map(choose).collect();
            let error = wanted.support.errors.variance(&Array1::from(wanted.weights.clone()));
            let none =
                Rounded { integers: vec![0.0; wanted.weights.len()], scale: stride.nearest(1.0), error };
            choices.push(Choice { error: error * importance, price: 0.0, rounded: none });
            choices
        })
        .collect();
    let chosen = cheapest(&choices, most);
    let mut integers = Array2::zeros((plan.grids.len(), columns.len()));
    let mut scales = Vec::new();
    for (column, (choice, wanted)) in chosen.iter().zip(&columns).enumerate() {
        let all = wanted.spread(&choice.rounded.integers, plan.grids.len());
        integers.column_mut(column).assign(&Array1::from(all));
        scales.push(choice.rounded.scale);
    }
    let shifts = (0..columns.len())
        .map(|column| {
            let wanted = target.mean(&target.sums[layer].column(column));
            wanted - scales[column] * target.mean(&steps.dot(&integers.column(column)).view())
        })
        .collect();
    let product = Product {
        grids: plan.grids.clone(),
        levels: plan.levels,
        limit: plan.limit as f64,
        integers,
        scales,
        shifts,
    };
    network.push(product);
    columns
}

/// Adds the next product as `effort=fast` has it: all weights rounded to the nearest multiple of the largest one's.
pub fn push_plain(network: &mut Network<'_>, plan: &Plan) {
    let layer = network.products().len();
    let float = &network.target().layers[layer].weights;
    let columns = float.columns();
    let weight = |input: usize, column: usize| f64::from(float.values[input * columns + column]);
    let mut integers = Array2::zeros((plan.grids.len(), columns));
    let (mut scales, mut shifts) = (Vec::new(), Vec::new());
    for column in 0..columns {
        let scaled: Vec<f32> = plan
            .grids
            .iter()
            .enumerate()
            .map(|(input, grid)| (weight(input, column) * grid.scale) as f32)
            .collect();
        let scale = weights::max_scale(&scaled, plan.limit);
        for (input, scaled) in scaled.iter().enumerate() {
            integers[(input, column)] = weights::step(f64::from(*scaled), scale, plan.limit);
        }
        scales.push(scale);
        shifts.push(
            plan.grids.iter().enumerate().map(|(input, grid)| grid.offset * weight(input, column)).sum(),
        );
    }
    let limit = plan.limit as f64;
    network.push(Product { grids: plan.grids.clone(), levels: plan.levels, limit, integers, scales, shifts });
}

/// What the weights of each column are to be.
#[must_use]
pub fn columns(
    network: &Network<'_>,
    layer: usize,
    plan: &Plan,
    moments: &Moments,
    rounding: Rounding,
) -> Vec<Column> {
    let target = network.target();
    let sums = (rounding == Rounding::SecondOrder).then(|| &target.sums[layer]);
    wanted(moments, &target.layers[layer].weights, |input| plan.grids[input].scale, sums)
}

/// The weights of each column for inputs in steps of these scales; where the float sums are given, refitted to meet them.
#[must_use]
pub fn wanted(
    moments: &Moments,
    float: &Weights,
    scale: impl Fn(usize) -> f64 + Sync,
    sums: Option<&Array2<f64>>,
) -> Vec<Column> {
    let count = float.columns();
    let scaled = |input: usize, column: usize| f64::from(float.values[input * count + column]) * scale(input);
    let inputs = |column: usize| -> Vec<usize> {
        (0..float.inputs()).filter(|input| scaled(*input, column) != 0.0).collect()
    };
    // Columns of a dense product share one.
    let distinct: BTreeSet<Vec<usize>> = (0..count).map(inputs).collect();
    let supports: Vec<(Vec<usize>, Arc<Support>)> =
        distinct.into_par_iter().map(|inputs| (inputs.clone(), Arc::new(moments.support(inputs)))).collect();
    let supports: BTreeMap<Vec<usize>, Arc<Support>> = supports.into_iter().collect();
    let of = |column: usize| {
        let support = supports[&inputs(column)].clone();
        let weights: Vec<f64> = support.inputs.iter().map(|input| scaled(*input, column)).collect();
        // The inputs' offsets are constants, so that the covariance with the float sums is all that counts.
        let weights = match sums {
            None => weights,
            Some(sums) => support.refit(&weights, &moments.with(&sums.column(column))),
        };
        Column { support, weights }
    };
    (0..count).into_par_iter().map(of).collect()
}

/// Roundings of one column.
#[must_use]
pub fn roundings(column: &Column, limit: i64, (rounding, stride): (Rounding, Stride)) -> Vec<Rounded> {
    let largest = column.weights.iter().fold(0.0, |largest: f64, weight| largest.max(weight.abs()));
    if largest < weights::SMALLEST {
        return Vec::new();
    }
    let wanted = column.to_round(limit);
    let largest = largest / limit as f64;
    let factors = if rounding == Rounding::Nearest { &FINE[..] } else { &SPARSE[..] };
    let mut scales: Vec<f64> =
        factors.iter().chain(&COARSE).map(|factor| stride.nearest(largest * factor)).collect();
    scales.dedup();
    let round = |scale: f64| match rounding {
        Rounding::Nearest => wanted.nearest(scale),
        Rounding::SecondOrder => wanted.second_order(scale, stride),
    };
    scales.into_iter().map(round).collect()
}

fn range(steps: &Array2<f64>, column: &Column, integers: &[f64], is_box: bool, plan: &Plan) -> f64 {
    if !is_box {
        return integers.iter().map(|integer| integer.abs()).sum::<f64>() * plan.levels as f64 + 1.0;
    }
    let mut sums = Array1::<f64>::zeros(steps.nrows());
    for (input, integer) in column.support.inputs.iter().zip(integers).filter(|(_, integer)| **integer != 0.0)
    {
        sums.scaled_add(*integer, &steps.column(*input));
    }
    let (lo, hi) =
        sums.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), sum| (lo.min(*sum), hi.max(*sum)));
    hi - lo + 1.0
}

/// One choice for each column, of least error at a price that all together keep: the error that a millisecond is worth is
/// raised until they do.
fn cheapest(choices: &[Vec<Choice>], most: f64) -> Vec<&Choice> {
    let choose = |worth: f64| -> Vec<&Choice> {
        let cost = |choice: &Choice| choice.error + worth * choice.price;
        let best = |choices: &'_ Vec<Choice>| -> usize {
            (0..choices.len())
                .min_by(|one, other| cost(&choices[*one]).total_cmp(&cost(&choices[*other])))
                .unwrap_or(0)
        };
        choices.iter().map(|choices| &choices[best(choices)]).collect()
    };
    let price = |chosen: &[&Choice]| chosen.iter().map(|choice| choice.price).sum::<f64>();
    let free = choose(0.0);
    if price(&free) <= most {
        return free;
    }
    let errors: f64 = free.iter().map(|choice| choice.error).sum();
    let unit = (errors / price(&free)).max(f64::MIN_POSITIVE);
    let (mut low, mut high) = (-30.0, 30.0);
    for _ in 0..30 {
        let middle = f64::midpoint(low, high);
        if price(&choose(unit * f64::exp2(middle))) <= most { high = middle } else { low = middle }
    }
    choose(unit * f64::exp2(high))
}
