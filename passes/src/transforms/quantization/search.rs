//! The quantizers of a whole chain of products, from what it makes of calibration rows.
//!
//! Layer by layer first, each on the already quantized inputs of the one before; then single changes of scales, sums and
//! integer weights, as long as the outputs come nearer to those of the float network. Lookups are paid for: what they may cost
//! together is measured by the plain quantization of the same network.
//!
//! # Source
//! Bias correction as in Nagel et al. 2019 (Data-free quantization through weight equalization and bias correction); a search
//! over single parameters by the loss at the outputs in the spirit of Nagel et al. 2020 (Up or down?). Which candidates pay was
//! measured on networks of few bits.

use super::ProductQuantizers;
use super::activations::Grid;
use super::chain::Layer;
use super::descend::{Judge, descend};
use super::inputs::input_grids;
use super::layers::{Plan, Rounding, push, push_plain};
use super::network::{Network, Product};
use super::target::Target;
use ndarray::Array2;
use rayon::prelude::*;

/// How many bits the quantizers of one product have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bits {
    /// Of its inputs.
    pub inputs: u32,
    /// Of its weights, with sign.
    pub weights: u32,
}

impl Bits {
    /// The largest step of an input.
    #[must_use]
    pub fn levels(self) -> i64 {
        (1 << self.inputs) - 1
    }

    /// The largest integer weight.
    #[must_use]
    pub fn limit(self) -> i64 {
        (1 << (self.weights - 1)) - 1
    }
}

/// What is searched for.
#[derive(Clone, Debug, PartialEq)]
pub struct Wish {
    /// Of each product.
    pub bits: Vec<Bits>,
    /// How weights are rounded; with [`Rounding::SecondOrder`] each is tried a step up and down as well.
    pub rounding: Rounding,
    /// Bits of the widest accumulator.
    pub accumulator_bits: Option<u32>,
}

/// Price of all lookups, relative to plain quantization, above which accuracy has to pay.
const FAIR: f64 = 1.1;

/// Multiplications that the search may take, about ten seconds of one core: of wide networks fewer rows are looked at.
const MOST_WORK: f64 = 1e10;

/// Fewer rows than this tell nothing about the outputs.
const FEWEST_ROWS: f64 = 32.0;

/// Quantizers for each layer of a chain; `inputs` are the rows that go into the first.
#[must_use]
pub fn search(layers: &[Layer], inputs: &Array2<f64>, wish: &Wish) -> Vec<ProductQuantizers> {
    let levels = wish.bits[0].levels();
    let first = input_grids(layers, inputs, wish.bits[0].inputs);
    let rows = MOST_WORK / work(layers, wish.rounding);
    let target = Target::new(layers, inputs, (&first, levels), rows.max(FEWEST_ROWS) as usize);
    let plain = plain(&target, wish);
    let widest = wish.accumulator_bits.map_or(f64::INFINITY, |bits| f64::from(bits).exp2());
    let plans: Vec<Plan> = wish
        .bits
        .iter()
        .enumerate()
        .map(|(layer, bits)| Plan {
            grids: if layer == 0 { first.clone() } else { hidden_grids(&target, layer, bits.levels(), true) },
            levels: bits.levels(),
            limit: bits.limit(),
            widest,
        })
        .collect();
    let mut network = Network::new(&target);
    let mut wanted = Vec::new();
    for (layer, plan) in plans.iter().enumerate() {
        let next = plans.get(layer + 1).map(|plan| &plan.grids[..]);
        let most = plain.readings().get(layer).map_or(0.0, |readings| {
            FAIR * readings.iter().map(|reading| reading.milliseconds).sum::<f64>()
        });
        wanted.push(push(&mut network, plan, next, wish.rounding, most));
    }
    if rows >= FEWEST_ROWS {
        let judge = Judge { fair: FAIR * plain.outcome().price };
        descend(&mut network, &wanted, (&plans, wish.rounding), judge);
    }
    finish(&network)
}

/// The network when all is quantized from the smallest to the largest value.
fn plain<'n>(target: &'n Target<'n>, wish: &Wish) -> Network<'n> {
    let mut network = Network::new(target);
    for (layer, bits) in wish.bits.iter().enumerate() {
        let grids = hidden_grids(target, layer, bits.levels(), false);
        push_plain(&mut network, &Plan { grids, levels: bits.levels(), limit: bits.limit(), widest: f64::INFINITY });
    }
    network
}

/// A grid for each input of a product.
fn hidden_grids(target: &Target<'_>, layer: usize, levels: i64, clip: bool) -> Vec<Grid> {
    let grid = |input: usize| {
        let (values, weights) = target.seen(layer, input);
        if clip { Grid::weighted_least_squares(&values, &weights, levels) } else { Grid::min_max(&values, levels) }
    };
    (0..target.inputs[layer].ncols()).into_par_iter().map(grid).collect()
}

/// Multiplications of the search for one row, about.
fn work(layers: &[Layer], rounding: Rounding) -> f64 {
    let sizes: Vec<f64> =
        layers.iter().map(|layer| (layer.weights.inputs() * layer.weights.columns()) as f64).collect();
    let of_layer = |(index, layer): (usize, &Layer)| {
        let own = layer.weights.inputs() as f64;
        let weights = if rounding == Rounding::SecondOrder { 2.0 * own } else { 0.0 };
        let next = layers.get(index + 1).map_or(0, |next| next.weights.columns()) as f64;
        let later: f64 = sizes.iter().skip(index + 2).sum();
        layer.weights.columns() as f64 * (20.0 * own + (20.0 + weights) * (10.0 + next + later))
    };
    let sweep: f64 = layers.iter().enumerate().map(of_layer).sum();
    sweep.max(1.0) * 3.0
}

/// The quantizers, the last product's corrections set so that each class keeps its mean.
fn finish(network: &Network<'_>) -> Vec<ProductQuantizers> {
    let target = network.target();
    let last = network.products().len() - 1;
    let of = |(layer, product): (usize, &Product)| {
        let weights = &target.layers[layer].weights;
        let quantizers = ProductQuantizers {
            offsets: product.grids.iter().map(|grid| grid.offset).collect(),
            scales: product.grids.iter().map(|grid| grid.scale).collect(),
            levels: product.levels,
            weight_scales: product.scales.clone(),
            weight_limit: product.limit as i64,
            corrections: Vec::new(),
            integers: product.integers.iter().map(|integer| *integer as i64).collect(),
        };
        let constants = quantizers.constants(weights);
        let shift = |column: usize| {
            if layer < last {
                return product.shifts[column];
            }
            let wanted = target.mean(&target.sums[layer].column(column));
            wanted - product.scales[column] * network.mean(layer, column)
        };
        let corrections =
            constants.iter().enumerate().map(|(column, constant)| shift(column) - f64::from(*constant));
        ProductQuantizers { corrections: corrections.collect(), ..quantizers }
    };
    network.products().iter().enumerate().map(of).collect()
}
