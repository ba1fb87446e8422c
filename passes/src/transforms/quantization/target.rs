//! The float network on calibration rows: what a quantized one is to meet.

use super::activations::Grid;
use super::chain::Layer;
use super::scores::{centred, importance, margin};
use ndarray::{Array1, Array2, ArrayView1, Axis};
use std::collections::BTreeMap;

/// All steps that inputs can have together are looked at where there are at most this many of them.
const MOST_IN_BOX: usize = 1024;

/// The float network on rows that count more or less.
pub struct Target<'n> {
    /// The products.
    pub layers: &'n [Layer],
    /// Weights of the rows; those without weight were not seen, and stand for what a client may send.
    pub weights: Array1<f64>,
    /// What goes into the first product, in steps of its quantizers.
    pub steps: Array2<f64>,
    /// What each product has as result, row by row.
    pub sums: Vec<Array2<f64>>,
    /// What goes into each product.
    pub inputs: Vec<Array2<f64>>,
    /// The outputs of the chain.
    pub outputs: Array2<f64>,
    /// Whether the rows have all steps that inputs can have together.
    pub is_box: bool,
}

impl<'n> Target<'n> {
    /// Rows with equal steps are merged into their mean: no quantized network can tell them apart. Rows near the decision count
    /// more. Of more than `most_rows` rows, every second or third is taken, and so on.
    #[must_use]
    pub fn new(
        layers: &'n [Layer],
        inputs: &Array2<f64>,
        (grids, levels): (&[Grid], i64),
        most_rows: usize,
    ) -> Self {
        let group = |row: usize| -> Vec<i64> {
            let step = |(feature, grid): (usize, &Grid)| grid.step(inputs[(row, feature)], levels) as i64;
            grids.iter().enumerate().map(step).collect()
        };
        let mut groups: BTreeMap<Vec<i64>, Vec<usize>> = BTreeMap::new();
        (0..inputs.nrows()).for_each(|row| groups.entry(group(row)).or_default().push(row));
        let every = groups.len().div_ceil(most_rows).max(1);
        let unseen = unseen(grids, levels, &groups).filter(|_| every == 1);
        let is_box = unseen.is_some();
        let groups: Vec<(Vec<i64>, Vec<usize>)> = groups.into_iter().step_by(every).collect();
        let unseen = unseen.unwrap_or_default();
        let nearest = Array2::from_shape_fn((unseen.len(), grids.len()), |(row, feature)| {
            grids[feature].offset + grids[feature].scale * unseen[row][feature] as f64
        });
        let merge = |seen: &Array2<f64>, unseen: &Array2<f64>| {
            let mut merged = Array2::zeros((groups.len() + unseen.nrows(), seen.ncols()));
            for (mut mean, (_, rows)) in merged.rows_mut().into_iter().zip(&groups) {
                rows.iter().for_each(|row| mean += &seen.row(*row));
                mean /= rows.len() as f64;
            }
            merged.slice_mut(ndarray::s![groups.len().., ..]).assign(unseen);
            merged
        };
        let (mut values, mut beyond) = (inputs.clone(), nearest);
        let (mut sums, mut between) = (Vec::new(), Vec::new());
        for layer in layers {
            between.push(merge(&values, &beyond));
            let products = [layer.sums(&values), layer.sums(&beyond)];
            sums.push(merge(&products[0], &products[1]));
            [values, beyond] = products.map(|products| layer.activations(&products));
        }
        let margin = margin(&centred(&values));
        let outputs = merge(&values, &beyond);
        let scores = centred(&outputs);
        let weight = |(row, (_, group)): (usize, &(Vec<i64>, Vec<usize>))| {
            group.len() as f64 * importance(&scores.row(row), margin)
        };
        let seen = groups.iter().enumerate().map(weight);
        let weights = seen.chain(unseen.iter().map(|_| 0.0)).collect();
        let all: Vec<&Vec<i64>> = groups.iter().map(|(steps, _)| steps).chain(&unseen).collect();
        let steps =
            Array2::from_shape_fn((all.len(), grids.len()), |(row, feature)| all[row][feature] as f64);
        Self { layers, weights, steps, sums, inputs: between, outputs, is_box }
    }

    /// The sum of the rows' weights.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.weights.sum()
    }

    /// The weighted mean of a column.
    #[must_use]
    pub fn mean(&self, column: &ArrayView1<'_, f64>) -> f64 {
        column.iter().zip(&self.weights).map(|(value, weight)| value * weight).sum::<f64>() / self.total()
    }

    /// The values of one column of the inputs of a product on the rows that were seen.
    #[must_use]
    pub fn seen(&self, layer: usize, input: usize) -> (Vec<f32>, Vec<f64>) {
        let column = self.inputs[layer].index_axis(Axis(1), input);
        let seen = column.iter().zip(&self.weights).filter(|(_, weight)| **weight > 0.0);
        seen.map(|(value, weight)| (*value as f32, *weight)).unzip()
    }
}

/// All combinations of steps that no row has; `None` where there are too many.
fn unseen(grids: &[Grid], levels: i64, seen: &BTreeMap<Vec<i64>, Vec<usize>>) -> Option<Vec<Vec<i64>>> {
    let steps = |grid: &Grid| if grid.scale == 0.0 { 1 } else { levels as usize + 1 };
    let count = grids.iter().try_fold(1usize, |count, grid| count.checked_mul(steps(grid)))?;
    if count > MOST_IN_BOX {
        return None;
    }
    let combination = |mut index: usize| -> Vec<i64> {
        let mut next = |grid: &Grid| {
            let step = index % steps(grid);
            index /= steps(grid);
            step as i64
        };
        grids.iter().map(&mut next).collect()
    };
    Some((0..count).map(combination).filter(|steps| !seen.contains_key(steps)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transforms::quantization::Weights;

    fn layers() -> Vec<Layer> {
        vec![Layer {
            weights: Weights { shape: vec![2, 2], values: vec![1.0, -1.0, 0.5, 2.0] },
            after: vec![],
        }]
    }

    fn rows() -> Array2<f64> {
        Array2::from_shape_fn((60, 2), |(row, column)| [(row % 10) as f64 / 9.0, (row / 10) as f64][column])
    }

    const GRIDS: [Grid; 2] = [Grid { offset: 0.0, scale: 1.0 / 7.0 }, Grid { offset: 0.0, scale: 5.0 / 7.0 }];

    #[test]
    fn equal_rows_become_one() {
        let layers = layers();
        let twice = ndarray::concatenate(Axis(0), &[rows().view(), rows().view()]).unwrap();
        let [once, twice] = [rows(), twice].map(|rows| Target::new(&layers, &rows, (&GRIDS, 7), 1000));
        assert_eq!(once.weights.len(), twice.weights.len());
        for (one, other) in once.weights.iter().zip(&twice.weights) {
            assert!((2.0 * one - other).abs() < 1e-9);
        }
    }

    #[test]
    fn few_combinations_of_steps_are_all_there() {
        let layers = layers();
        let target = Target::new(&layers, &rows(), (&GRIDS, 7), 1000);
        assert!(target.is_box);
        let mut steps: Vec<Vec<i64>> = target
            .steps
            .rows()
            .into_iter()
            .map(|row| row.iter().map(|step| *step as i64).collect())
            .collect();
        steps.sort();
        steps.dedup();
        assert_eq!(steps.len(), 64);
        let unseen = target.weights.iter().position(|weight| *weight == 0.0).unwrap();
        for (feature, grid) in GRIDS.iter().enumerate() {
            let value = grid.scale * target.steps[(unseen, feature)];
            assert!((target.inputs[0][(unseen, feature)] - value).abs() < 1e-12);
        }
        assert!(!Target::new(&layers, &rows(), (&GRIDS, 255), 1000).is_box);
    }
}
