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
use super::stride::Steps;
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
    /// Bits of the widest accumulator that a lookup may read.
    pub accumulator_bits: Option<u32>,
    /// How many integers of each product's sums a step of the next input may have.
    pub steps: Vec<Steps>,
}

/// Price of all lookups, relative to plain quantization, above which accuracy has to pay.
const FAIR: f64 = 1.1;

/// Multiplications that the search may take, about ten seconds of one core: of wide networks fewer rows are looked at.
const MOST_WORK: f64 = 5e9;

/// Fewer rows than this tell nothing about the outputs.
const FEWEST_ROWS: f64 = 32.0;

/// Quantizers for each layer of a chain; `inputs` are the rows that go into the first. `tell` is told what is being done.
#[must_use]
pub fn search(
    layers: &[Layer],
    inputs: &Array2<f64>,
    wish: &Wish,
    tell: &dyn Fn(&str),
) -> Vec<ProductQuantizers> {
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
            widest: if layer + 1 < wish.bits.len() { widest } else { f64::INFINITY },
            steps: wish.steps[layer],
        })
        .collect();
    let mut network = Network::new(&target);
    let mut wanted = Vec::new();
    for (layer, plan) in plans.iter().enumerate() {
        let next = plans.get(layer + 1).map(|plan| &plan.grids[..]);
        let most = plain
            .readings()
            .get(layer)
            .map_or(0.0, |readings| FAIR * readings.iter().map(|reading| reading.milliseconds).sum::<f64>());
        tell(&format!("calibrating: product {} of {}", layer + 1, plans.len()));
        wanted.push(push(&mut network, plan, next, wish.rounding, most));
    }
    if rows >= FEWEST_ROWS {
        let judge = Judge { fair: FAIR * plain.outcome().price };
        descend(&mut network, &wanted, (&plans, wish.rounding), judge, tell);
    }
    finish(&network)
}

/// The network when all is quantized from the smallest to the largest value.
fn plain<'n>(target: &'n Target<'n>, wish: &Wish) -> Network<'n> {
    let mut network = Network::new(target);
    for (layer, bits) in wish.bits.iter().enumerate() {
        let grids = hidden_grids(target, layer, bits.levels(), false);
        push_plain(
            &mut network,
            &Plan {
                grids,
                levels: bits.levels(),
                limit: bits.limit(),
                widest: f64::INFINITY,
                steps: Steps::Free,
            },
        );
    }
    network
}

/// A grid for each input of a product.
fn hidden_grids(target: &Target<'_>, layer: usize, levels: i64, clip: bool) -> Vec<Grid> {
    let grid = |input: usize| {
        let (values, weights) = target.seen(layer, input);
        if clip {
            Grid::weighted_least_squares(&values, &weights, levels)
        } else {
            Grid::min_max(&values, levels)
        }
    };
    (0..target.inputs[layer].ncols()).into_par_iter().map(grid).collect()
}

/// Whether a chain is small enough to look at as many rows as tell something.
#[must_use]
pub fn is_small(layers: &[Layer], rounding: Rounding) -> bool {
    MOST_WORK / work(layers, rounding) >= FEWEST_ROWS
}

/// Multiplications of the search for one row, about.
fn work(layers: &[Layer], rounding: Rounding) -> f64 {
    let size = |layer: &Layer| layer.weights.values.iter().filter(|weight| **weight != 0.0).count() as f64;
    let sizes: Vec<f64> = layers.iter().map(size).collect();
    let of_layer = |(index, layer): (usize, &Layer)| {
        let own = sizes[index] / layer.weights.columns().max(1) as f64;
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
            unfired: Vec::new(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transforms::quantization::Weights;
    use crate::transforms::quantization::chain::Step;
    use crate::transforms::quantization::scores::decisions;
    use cml_runtime::reference::Value;
    use proptest::prelude::*;

    /// Two inputs, eight hidden neurons, two outputs; some weights are zero.
    fn layers(numbers: &[f32]) -> Vec<Layer> {
        let weights = |shape: [u64; 2], from: usize| {
            let values = numbers[from..][..(shape[0] * shape[1]) as usize].iter();
            let pruned = values.map(|value| if value.abs() < 0.2 { 0.0 } else { *value });
            Weights { shape: shape.to_vec(), values: pruned.collect() }
        };
        vec![
            Layer { weights: weights([2, 4], 0), after: vec![Step::Add(vec![0.1]), Step::Relu] },
            Layer { weights: weights([4, 4], 8), after: vec![Step::Relu] },
            Layer { weights: weights([4, 2], 24), after: vec![] },
        ]
    }

    /// The integer sums of each product of a chain with these quantizers, and its outputs.
    fn quantized(
        layers: &[Layer],
        quantizers: &[ProductQuantizers],
        inputs: &Array2<f64>,
    ) -> (Vec<Array2<f64>>, Array2<f64>) {
        let (mut all, mut values) = (Vec::new(), inputs.clone());
        for (layer, quantizers) in layers.iter().zip(quantizers) {
            let steps = Array2::from_shape_fn(values.dim(), |(row, input)| {
                quantizers.grid(input).step(values[(row, input)], quantizers.levels)
            });
            let columns = layer.weights.columns();
            let integers = Array2::from_shape_fn((layer.weights.inputs(), columns), |(input, column)| {
                quantizers.integers[input * columns + column] as f64
            });
            let constants = quantizers.constants(&layer.weights);
            let sums = steps.dot(&integers);
            values = Array2::from_shape_fn(sums.dim(), |(row, column)| {
                let sum =
                    sums[(row, column)] * quantizers.weight_scales[column] + f64::from(constants[column]);
                layer.activate(column, sum)
            });
            all.push(sums);
        }
        (all, values)
    }

    /// The share of rows with the same decision.
    fn agreement(outputs: &Array2<f64>, wanted: &Array2<f64>) -> f64 {
        let of = |scores: &Array2<f64>| {
            let floats = scores.iter().map(|score| *score as f32).collect();
            decisions(&[Value::floats(&[scores.nrows(), scores.ncols()], floats).unwrap()])
        };
        let (outputs, wanted) = (of(outputs), of(wanted));
        let same = outputs.iter().zip(&wanted).filter(|(one, other)| one == other).count();
        same as f64 / wanted.len() as f64
    }

    fn rows() -> Array2<f64> {
        Array2::from_shape_fn((60, 2), |(row, column)| {
            [(row % 10) as f64 / 9.0, (row / 10) as f64 / 5.0][column]
        })
    }

    fn wish(inputs: u32, rounding: Rounding) -> Wish {
        Wish {
            bits: vec![Bits { inputs, weights: 3 }; 3],
            rounding,
            accumulator_bits: None,
            steps: vec![Steps::Free; 3],
        }
    }

    /// The widest sum of the first product, for any steps that inputs can have: those of hidden layers depend on the sums before.
    fn widest(found: &[ProductQuantizers]) -> i64 {
        let norm = |found: &ProductQuantizers, columns: usize, column: usize| {
            found.integers.iter().skip(column).step_by(columns).map(|integer| integer.abs()).sum::<i64>()
        };
        let most = |(found, columns): (&ProductQuantizers, usize)| {
            (0..columns).map(|column| norm(found, columns, column) * found.levels).max()
        };
        found.iter().zip([4]).filter_map(most).max().unwrap_or_default()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn the_result_fits_the_products(
            numbers in prop::collection::vec(-1f32..1.0, 32), bits in 2u32..6, thorough: bool,
        ) {
            let layers = layers(&numbers);
            let rounding = if thorough { Rounding::SecondOrder } else { Rounding::Nearest };
            let found = search(&layers, &rows(), &wish(bits, rounding), &|_| ());
            prop_assert_eq!(found.len(), 3);
            for (layer, found) in layers.iter().zip(&found) {
                prop_assert_eq!(found.scales.len(), layer.weights.inputs());
                prop_assert_eq!(found.corrections.len(), layer.weights.columns());
                prop_assert!(found.weight_scales.iter().all(|scale| *scale > 0.0 && scale.is_finite()));
                prop_assert!(found.scales.iter().all(|scale| *scale >= 0.0 && scale.is_finite()));
                prop_assert!(found.integers.iter().all(|integer| integer.abs() <= found.weight_limit));
                let weights = layer.weights.values.iter().zip(&found.integers);
                prop_assert!(weights.clone().all(|(weight, integer)| *weight != 0.0 || *integer == 0));
            }
            prop_assert_eq!(search(&layers, &rows(), &wish(bits, rounding), &|_| ()), found);
        }

        #[test]
        fn steps_are_whole_numbers_of_the_sums_integers(
            numbers in prop::collection::vec(-1f32..1.0, 32), bits in 2u32..6, thorough: bool, power: bool,
        ) {
            let layers = layers(&numbers);
            let rounding = if thorough { Rounding::SecondOrder } else { Rounding::Nearest };
            let steps = if power { Steps::PowerOfTwo } else { Steps::Integer };
            let found = search(&layers, &rows(), &Wish { steps: vec![steps; 3], ..wish(bits, rounding) }, &|_| ());
            for pair in found.windows(2) {
                for (step, scale) in pair[1].scales.iter().zip(&pair[0].weight_scales).filter(|(step, _)| **step > 0.0) {
                    let integers = step / scale;
                    prop_assert!((integers - integers.round()).abs() < 1e-9 * integers, "{}", integers);
                    prop_assert!(!power || (integers.round() as u64).is_power_of_two(), "{}", integers);
                }
            }
        }

        #[test]
        fn accumulators_stay_within_their_bits(
            numbers in prop::collection::vec(-1f32..1.0, 32), bits in 8u32..12,
        ) {
            let layers = layers(&numbers);
            let wish = Wish { accumulator_bits: Some(bits), ..wish(8, Rounding::SecondOrder) };
            // Of eight bits there are too many inputs to try them all: the bound is on the norm.
            prop_assert!(widest(&search(&layers, &rows(), &wish, &|_| ())) < 1 << bits);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        /// Of three bits all inputs are tried: the sums of the second product depend on what becomes of the first one's.
        #[test]
        fn accumulators_of_all_inputs_stay_within_their_bits(
            numbers in prop::collection::vec(-1f32..1.0, 32), bits in 4u32..7, thorough: bool,
        ) {
            let layers = layers(&numbers);
            let rounding = if thorough { Rounding::SecondOrder } else { Rounding::Nearest };
            let wish = Wish { accumulator_bits: Some(bits), ..wish(3, rounding) };
            let found = search(&layers, &rows(), &wish, &|_| ());
            let inputs = Array2::from_shape_fn((64, 2), |(row, input)| {
                let grid = found[0].grid(input);
                grid.offset + grid.scale * [row % 8, row / 8][input] as f64
            });
            for sums in &quantized(&layers, &found, &inputs).0[..2] {
                for column in sums.columns() {
                    let lo = column.iter().copied().fold(f64::INFINITY, f64::min);
                    let hi = column.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    prop_assert!(hi - lo < f64::from(bits).exp2(), "{} {}", lo, hi);
                }
            }
        }
    }

    /// Of eight bits there are too many inputs to try them all: the sums are bounded by the ranges of the inputs.
    #[test]
    fn a_single_product_is_searched() {
        let numbers: Vec<f32> = (0..32).map(|at| ((at * 7) % 11) as f32 / 5.0 - 1.0).collect();
        let layers = &layers(&numbers)[..1];
        let wish = Wish { bits: vec![Bits { inputs: 8, weights: 8 }], ..wish(8, Rounding::SecondOrder) };
        let found = search(layers, &rows(), &wish, &|_| ());
        let outputs = quantized(layers, &found, &rows()).1;
        let float = super::super::inputs::outputs(layers, &rows());
        assert!(agreement(&outputs, &float) > 0.97);
    }

    #[test]
    fn many_bits_decide_as_float_does() {
        let numbers: Vec<f32> = (0..32).map(|at| ((at * 7) % 11) as f32 / 5.0 - 1.0).collect();
        let layers = layers(&numbers);
        let wish = Wish { bits: vec![Bits { inputs: 8, weights: 8 }; 3], ..wish(8, Rounding::SecondOrder) };
        let found = search(&layers, &rows(), &wish, &|_| ());
        let outputs = quantized(&layers, &found, &rows()).1;
        let float = super::super::inputs::outputs(&layers, &rows());
        assert!(agreement(&outputs, &float) > 0.97);
    }
}
