//! Quantizers of a network's inputs that keep its decisions.

use super::Weights;
use super::activations::Grid;
use super::chain::Layer;
use super::scores::{centred, disagreement, margin};
use ndarray::Array2;

/// From this many bits on the range is divided evenly: steps are narrow beside what the network tells apart.
const ENOUGH_BITS: u32 = 4;

/// So many features are named.
const NAMED: usize = 8;

/// More features than this are not searched one by one.
const FEATURES_ALONE: usize = 8;

/// The float outputs for rows of inputs.
#[must_use]
pub fn outputs(layers: &[Layer], inputs: &Array2<f64>) -> Array2<f64> {
    layers.iter().fold(inputs.clone(), |values, layer| layer.activations(&layer.sums(&values)))
}

/// One grid for each feature: from its smallest to its largest value; of few bits, the one among several of fewer levels that
/// changes the fewest decisions, first one choice for all features, then each alone.
#[must_use]
pub fn input_grids(layers: &[Layer], inputs: &Array2<f64>, bits: u32) -> Vec<Grid> {
    let levels = (1 << bits) - 1;
    let features = inputs.columns().into_iter();
    let first: Vec<Grid> = features
        .map(|values| Grid::min_max(&values.iter().map(|value| *value as f32).collect::<Vec<_>>(), levels))
        .collect();
    if bits >= ENOUGH_BITS {
        return first;
    }
    let wanted = centred(&outputs(layers, inputs));
    let margin = margin(&wanted);
    let cost = |grids: &[Grid]| {
        let nearest = Array2::from_shape_fn(inputs.dim(), |(row, feature)| {
            grids[feature].nearest(inputs[(row, feature)], levels)
        });
        disagreement(&centred(&outputs(layers, &nearest)), &wanted, margin)
    };
    let mut best = (cost(&first), first.clone());
    let mut improve = |features: &[usize]| {
        let start = best.1.clone();
        for candidate in 0..candidates(first.first().copied(), levels).len() {
            let mut grids = start.clone();
            for feature in features {
                grids[*feature] = candidates(first.get(*feature).copied(), levels)[candidate];
            }
            let cost = cost(&grids);
            if cost < best.0 {
                best = (cost, grids);
            }
        }
    };
    improve(&(0..first.len()).collect::<Vec<_>>());
    if (2..=FEATURES_ALONE).contains(&first.len()) {
        (0..first.len()).for_each(|feature| improve(&[feature]));
    }
    best.1
}

/// With `k` steps from end to end, or with `k + 1` cells of equal width, for `k` from all levels down to half of them.
fn candidates(full: Option<Grid>, levels: i64) -> Vec<Grid> {
    let Some(full) = full else { return Vec::new() };
    let range = full.scale * levels as f64;
    let of = |steps: i64| {
        let cell = range / (steps + 1) as f64;
        [
            Grid { offset: full.offset, scale: range / steps as f64 },
            Grid { offset: full.offset + cell / 2.0, scale: cell },
        ]
    };
    ((levels / 2).max(1)..=levels).rev().flat_map(of).collect()
}

/// Features that have one value in all samples, and weights that are not 0: the first ones by index, and how many more there are.
#[must_use]
pub fn constant_features(weights: &Weights, features: &[Vec<f32>]) -> Option<String> {
    let mut rows = weights.values.chunks(weights.columns().max(1));
    let is_constant = |values: &Vec<f32>| {
        let has_weights = rows.next().is_some_and(|row| row.iter().any(|weight| *weight != 0.0));
        has_weights && values.windows(2).all(|pair| pair[0] == pair[1])
    };
    let constant: Vec<bool> = features.iter().map(is_constant).collect();
    let constant: Vec<usize> = (0..constant.len()).filter(|feature| constant[*feature]).collect();
    let mut named: Vec<String> = constant.iter().take(NAMED).map(usize::to_string).collect();
    if constant.len() > NAMED {
        named.push(format!("and {} more", constant.len() - NAMED));
    }
    (!named.is_empty()).then(|| named.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constant_features_with_weights_are_named() {
        let weights = Weights { shape: vec![4, 2], values: vec![1.0, 0.0, 0.0, 0.0, 0.0, 2.0, 1.0, 1.0] };
        let features = [vec![1.0, 1.0], vec![2.0, 2.0], vec![0.0, -0.0], vec![3.0, 4.0]];
        assert_eq!(constant_features(&weights, &features).as_deref(), Some("0, 2"));
        assert_eq!(constant_features(&weights, &features[3..]), None);
        let weights = Weights { shape: vec![12], values: vec![1.0; 12] };
        let found = constant_features(&weights, &vec![vec![5.0; 3]; 12]);
        assert_eq!(found.as_deref(), Some("0, 1, 2, 3, 4, 5, 6, 7, and 4 more"));
    }

    /// Scores `x` and `0.5`: the decision lies at 0.5.
    fn layers() -> Vec<Layer> {
        let weights = Weights { shape: vec![1, 2], values: vec![1.0, 0.0] };
        let bias = crate::transforms::quantization::chain::Step::Add(vec![0.0, 0.5]);
        vec![Layer { weights, after: vec![bias] }]
    }

    #[test]
    fn few_steps_are_laid_around_the_decision() {
        let inputs = Array2::from_shape_fn((97, 1), |(row, _)| row as f64 / 96.0);
        let grids = input_grids(&layers(), &inputs, 3);
        let agree = inputs.iter().filter(|x| (**x > 0.5) == (grids[0].nearest(**x, 7) > 0.5)).count();
        assert!(agree >= 96, "{agree} {grids:?}");
    }

    #[test]
    fn many_bits_reach_from_end_to_end() {
        let inputs = Array2::from_shape_fn((4, 1), |(row, _)| row as f64);
        assert_eq!(input_grids(&layers(), &inputs, 4), [Grid { offset: 0.0, scale: 0.2 }]);
    }
}
