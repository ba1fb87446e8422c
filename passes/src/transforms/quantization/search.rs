//! The quantizers of a whole chain of products, from what it makes of calibration rows.
//!
//! Layer by layer first, each on the already quantized inputs of the one before; then single changes of scales and
//! corrections, as long as the outputs come nearer to those of the float network.
//!
//! # Source
//! Bias correction as in Nagel et al. 2019 (Data-free quantization through weight equalization and bias correction); a search
//! over single parameters by the loss at the outputs in the spirit of Nagel et al. 2020 (Up or down?). Which candidates pay was
//! measured on networks of few bits.

use super::ProductQuantizers;
use super::activations::Grid;
use super::chain::Layer;
use super::inputs::input_grids;
use super::scores::{centred, importance, margin};
use super::state::{Change, State, Target};
use super::weights;
use ndarray::Array2;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// How many bits a quantizer has, by what it quantizes.
#[derive(Clone, Copy, Debug)]
pub struct Bits {
    /// Of the network's inputs.
    pub inputs: u32,
    /// Of weights, with sign.
    pub weights: u32,
    /// Between layers.
    pub activations: u32,
}

/// How often every channel is tried.
const SWEEPS: usize = 2;

/// Shifts of a sum, in steps of the input that it becomes.
const SHIFTS: [f64; 4] = [0.06, 0.12, 0.25, 0.5];

/// Factors of scales.
const FACTORS: [f64; 6] = [0.85, 0.93, 0.97, 1.03, 1.07, 1.15];

/// Multiplications that the search may take, about ten seconds of one core: of wide networks fewer rows are looked at.
const MOST_WORK: f64 = 1e10;

/// Fewer rows than this tell nothing about the outputs.
const FEWEST_ROWS: f64 = 32.0;

/// Quantizers for each layer of a chain; `inputs` are the rows that go into the first.
#[must_use]
pub fn search(layers: &[Layer], inputs: &Array2<f64>, bits: Bits) -> Vec<ProductQuantizers> {
    let limit = (1 << (bits.weights - 1)) - 1;
    let quantizers = |grids: Vec<Grid>, bits: u32| ProductQuantizers {
        offsets: grids.iter().map(|grid| grid.offset).collect(),
        scales: grids.iter().map(|grid| grid.scale).collect(),
        levels: (1 << bits) - 1,
        weight_scales: Vec::new(),
        weight_limit: limit,
        corrections: Vec::new(),
    };
    let first = quantizers(input_grids(layers, inputs, bits.inputs), bits.inputs);
    let rows = MOST_WORK / work(layers);
    let most_rows = rows.max(FEWEST_ROWS) as usize;
    let target = target(layers, inputs, &first, most_rows);
    let mut state = State::new(&target);
    state.push(first);
    for values in &target.inputs[1..] {
        let levels = (1 << bits.activations) - 1;
        let columns: Vec<Vec<f32>> = values
            .columns()
            .into_iter()
            .map(|column| column.iter().map(|value| *value as f32).collect())
            .collect();
        let grid = |values: &Vec<f32>| Grid::weighted_least_squares(values, &target.weights, levels);
        state.push(quantizers(columns.par_iter().map(grid).collect(), bits.activations));
    }
    if rows >= FEWEST_ROWS {
        descend(&mut state, layers);
    }
    state.finish()
}

/// Multiplications of the search for one row, about.
fn work(layers: &[Layer]) -> f64 {
    let sizes: Vec<f64> =
        layers.iter().map(|layer| (layer.weights.inputs() * layer.weights.columns()) as f64).collect();
    let changes = (2 * SHIFTS.len() + 2 * FACTORS.len()) * SWEEPS;
    let of_layer = |(index, layer): (usize, &Layer)| {
        let own = (layer.weights.inputs() + layer.weights.columns()) as f64;
        let next = layers.get(index + 1).map_or(0, |next| next.weights.columns()) as f64;
        let later: f64 = sizes.iter().skip(index + 2).sum();
        layer.weights.columns() as f64 * changes as f64 * (own + next + later)
    };
    layers.iter().enumerate().map(of_layer).sum::<f64>().max(1.0)
}

/// The float network on rows, those with equal steps merged into their mean: no quantized network can tell them apart. Rows near
/// the decision count more.
fn target<'n>(
    layers: &'n [Layer],
    inputs: &Array2<f64>,
    first: &ProductQuantizers,
    most_rows: usize,
) -> Target<'n> {
    let group = |row: usize| -> Vec<i64> {
        let step = |feature: usize| first.grid(feature).step(inputs[(row, feature)], first.levels) as i64;
        (0..inputs.ncols()).map(step).collect()
    };
    let mut groups: BTreeMap<Vec<i64>, Vec<usize>> = BTreeMap::new();
    (0..inputs.nrows()).for_each(|row| groups.entry(group(row)).or_default().push(row));
    let every = groups.len().div_ceil(most_rows).max(1);
    let groups: Vec<Vec<usize>> = groups.into_values().step_by(every).collect();
    let merge = |values: &Array2<f64>| {
        Array2::from_shape_fn((groups.len(), values.ncols()), |(group, column)| {
            let rows = &groups[group];
            rows.iter().map(|row| values[(*row, column)]).sum::<f64>() / rows.len() as f64
        })
    };
    let (mut values, mut sums, mut between) = (inputs.clone(), Vec::new(), Vec::new());
    for layer in layers {
        between.push(merge(&values));
        let products = layer.sums(&values);
        sums.push(merge(&products));
        values = layer.activations(&products);
    }
    let margin = margin(&centred(&values));
    let outputs = merge(&values);
    let scores = centred(&outputs);
    let weight =
        |(row, group): (usize, &Vec<usize>)| group.len() as f64 * importance(&scores.row(row), margin);
    let weights = groups.iter().enumerate().map(weight).collect();
    Target { layers, weights, sums, inputs: between, outputs }
}

/// Takes for each channel the change that brings the outputs nearest to float, if one does.
fn descend(state: &mut State<'_>, layers: &[Layer]) {
    let last = layers.len() - 1;
    for _ in 0..SWEEPS {
        for layer in (0..=last).rev() {
            (0..layers[layer].weights.columns()).for_each(|column| improve(state, layer, column, last));
        }
    }
    (0..layers[last].weights.columns()).for_each(|column| improve(state, last, column, last));
}

fn improve(state: &mut State<'_>, layer: usize, column: usize, last: usize) {
    let changes = changes(state, layer, column, last);
    // All losses are collected before the first of the least is taken: what is chosen does not depend on threads.
    let losses: Vec<f64> = changes.par_iter().map(|change| state.loss_after(change)).collect();
    let best = changes.iter().zip(losses).min_by(|(_, one), (_, other)| one.total_cmp(other));
    if let Some((change, loss)) = best
        && loss < state.loss() * (1.0 - 1e-9)
    {
        state.apply(change);
    }
}

fn changes(state: &State<'_>, layer: usize, column: usize, last: usize) -> Vec<Change> {
    let none = Change::none(layer, column);
    if layer == last {
        let limit = state.weight_limit();
        let scale = state.weight_scale(layer, column);
        let scales = weights::candidates(&state.scaled_column(layer, column), limit);
        return scales.map(|new| Change { weight_factor: new / scale, ..none }).collect();
    }
    let step = state.input_scale(layer + 1, column);
    if step == 0.0 {
        return Vec::new();
    }
    let shifts = SHIFTS.iter().flat_map(|shift| [-shift * step, shift * step]);
    let shifts = shifts.map(|shift| Change { shift, ..none });
    let weights = FACTORS.iter().map(|factor| Change { weight_factor: *factor, ..none });
    let inputs = FACTORS.iter().map(|factor| Change { input_factor: *factor, ..none });
    shifts.chain(weights).chain(inputs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transforms::quantization::Weights;
    use crate::transforms::quantization::chain::Step;
    use proptest::prelude::*;

    /// Two inputs, four hidden neurons, three outputs; some weights are zero.
    fn layers(numbers: &[f32], activation: Step) -> Vec<Layer> {
        let weights = |shape: [u64; 2], from: usize| {
            let count = (shape[0] * shape[1]) as usize;
            let values: Vec<f32> = numbers[from..from + count].to_vec();
            let pruned = values.into_iter().map(|value| if value.abs() < 0.2 { 0.0 } else { value });
            Weights { shape: shape.to_vec(), values: pruned.collect() }
        };
        vec![
            Layer { weights: weights([2, 4], 0), after: vec![Step::Add(vec![0.1]), activation.clone()] },
            Layer { weights: weights([4, 4], 8), after: vec![activation] },
            Layer { weights: weights([4, 3], 24), after: vec![] },
        ]
    }

    fn rows() -> Array2<f64> {
        Array2::from_shape_fn((60, 2), |(row, column)| [(row % 10) as f64 / 9.0, (row / 10) as f64][column])
    }

    fn started<'n>(target: &'n Target<'n>, first: &ProductQuantizers) -> State<'n> {
        let mut state = State::new(target);
        state.push(first.clone());
        for values in &target.inputs[1..] {
            let grid = |column: Vec<f32>| Grid::weighted_least_squares(&column, &target.weights, 7);
            let grids: Vec<Grid> = values
                .columns()
                .into_iter()
                .map(|column| grid(column.iter().map(|value| *value as f32).collect()))
                .collect();
            let offsets = grids.iter().map(|grid| grid.offset).collect();
            let scales = grids.iter().map(|grid| grid.scale).collect();
            state.push(ProductQuantizers { offsets, scales, ..first.clone() });
        }
        state
    }

    fn first() -> ProductQuantizers {
        ProductQuantizers {
            offsets: vec![0.0, 0.0],
            scales: vec![1.0 / 7.0, 5.0 / 7.0],
            levels: 7,
            weight_scales: vec![],
            weight_limit: 3,
            corrections: vec![],
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn changes_do_what_was_foreseen_and_the_loss_never_rises(
            numbers in prop::collection::vec(-1f32..1.0, 36), smooth: bool,
        ) {
            let layers = layers(&numbers, if smooth { Step::Sigmoid } else { Step::Relu });
            let target = target(&layers, &rows(), &first(), 1000);
            let mut state = started(&target, &first());
            for layer in (0..3).rev() {
                for column in 0..layers[layer].weights.columns() {
                    for change in changes(&state, layer, column, 2).iter().step_by(5) {
                        let foreseen = state.loss_after(change);
                        state.apply(change);
                        prop_assert!((state.loss() - foreseen).abs() <= 1e-9 * foreseen.max(1e-9), "{change:?}");
                    }
                    let before = state.loss();
                    improve(&mut state, layer, column, 2);
                    prop_assert!(state.loss() <= before);
                }
            }
        }

        #[test]
        fn the_result_fits_the_products(numbers in prop::collection::vec(-1f32..1.0, 36), bits in 2u32..6) {
            let layers = layers(&numbers, Step::Relu);
            let bits = Bits { inputs: bits, weights: bits, activations: bits };
            let found = search(&layers, &rows(), bits);
            prop_assert_eq!(found.len(), 3);
            for (layer, found) in layers.iter().zip(&found) {
                prop_assert_eq!(found.scales.len(), layer.weights.inputs());
                prop_assert_eq!(found.corrections.len(), layer.weights.columns());
                prop_assert!(found.weight_scales.iter().all(|scale| *scale > 0.0 && scale.is_finite()));
                prop_assert!(found.scales.iter().all(|scale| *scale >= 0.0 && scale.is_finite()));
            }
            prop_assert_eq!(search(&layers, &rows(), bits), found);
        }
    }

    #[test]
    fn equal_rows_become_one() {
        let numbers: Vec<f32> = (0..36).map(|at| ((at * 7) % 11) as f32 / 5.0 - 1.0).collect();
        let layers = layers(&numbers, Step::Relu);
        let twice = ndarray::concatenate(ndarray::Axis(0), &[rows().view(), rows().view()]).unwrap();
        let [once, twice] = [rows(), twice].map(|rows| target(&layers, &rows, &first(), 1000));
        assert_eq!(once.weights.len(), twice.weights.len());
        assert!(once.weights.len() < 60);
        for (one, other) in once.weights.iter().zip(&twice.weights) {
            assert!((2.0 * one - other).abs() < 1e-9);
        }
    }
}
