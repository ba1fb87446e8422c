use super::super::Weights;
use super::super::activations::Grid;
use super::super::chain::{Layer, Step};
use super::super::target::Target;
use super::*;
use proptest::prelude::*;

/// Two inputs, twice four hidden neurons, three outputs.
fn layers(numbers: &[f32], activation: &Step) -> Vec<Layer> {
    let weights = |shape: [u64; 2], from: usize| {
        let count = (shape[0] * shape[1]) as usize;
        Weights { shape: shape.to_vec(), values: numbers[from..from + count].to_vec() }
    };
    vec![
        Layer { weights: weights([2, 4], 0), after: vec![Step::Add(vec![0.1]), activation.clone()] },
        Layer { weights: weights([4, 4], 8), after: vec![activation.clone()] },
        Layer { weights: weights([4, 3], 24), after: vec![] },
    ]
}

fn rows() -> Array2<f64> {
    Array2::from_shape_fn((60, 2), |(row, column)| [(row % 10) as f64 / 9.0, (row / 10) as f64][column])
}

fn product(weights: &Weights, grids: Vec<Grid>, levels: i64) -> Product {
    let columns = weights.columns();
    let integers = Array2::from_shape_fn((weights.inputs(), columns), |(input, column)| {
        f64::from((weights.values[input * columns + column] * 3.0).round())
    });
    let scale = grids.iter().map(|grid| grid.scale).sum::<f64>() / grids.len() as f64 / 3.0;
    Product { grids, levels, limit: 3.0, integers, scales: vec![scale; columns], shifts: vec![0.05; columns] }
}

fn network<'n>(target: &'n Target<'n>, levels: i64) -> Network<'n> {
    let mut network = Network::new(target);
    let scale = [[1.0, 5.0].map(|range| range / levels as f64).to_vec(), vec![0.5; 4], vec![0.5; 4]];
    for (layer, scales) in target.layers.iter().zip(scale) {
        let grids = scales.into_iter().map(|scale| Grid { offset: 0.0, scale }).collect();
        network.push(product(&layer.weights, grids, levels));
    }
    network
}

fn close(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-7 * one.abs().max(other.abs()).max(1e-3)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn changes_do_what_was_foreseen_and_what_building_anew_does(
        numbers in prop::collection::vec(-1f32..1.0, 36),
        smooth: bool,
        // Seven levels: all inputs are looked at; 63: ranges are intervals.
        levels in prop::sample::select(vec![7i64, 63]),
        places in prop::collection::vec((0usize..3, 0usize..3, -1f64..1.0, 0usize..4), 12),
    ) {
        let layers = layers(&numbers, &if smooth { Step::Sigmoid } else { Step::Relu });
        let grids = [1.0, 5.0].map(|range| Grid { offset: 0.0, scale: range / levels as f64 });
        let target = Target::new(&layers, &rows(), (&grids, levels), 1000);
        prop_assert_eq!(target.is_box, levels == 7);
        let mut network = network(&target, levels);
        for (layer, column, number, kind) in places {
            let product = &network.products()[layer];
            let same = Change {
                integers: Integers::Same, scale: product.scales[column], shift: product.shifts[column],
            };
            let change = match kind {
                0 => Change { shift: same.shift + number, ..same },
                1 => Change { scale: same.scale * (1.2 + number), ..same },
                2 => Change { integers: Integers::One(1, number.signum()), ..same },
                _ => {
                    let inputs = product.integers.nrows();
                    let integers = (0..inputs).map(|input| ((input + 2) as f64 * number).round());
                    Change { integers: Integers::All(integers.collect()), ..same }
                }
            };
            let place = (layer, column);
            let accumulator = network.accumulator(layer, column, &change.integers);
            let foreseen = network.after(place, &change, &accumulator.view());
            network.apply(place, &change);
            prop_assert!(close(network.outcome().loss, foreseen.loss), "{change:?}");
            let mut anew = Network::new(&target);
            network.products().iter().for_each(|product| anew.push(product.clone()));
            prop_assert!(close(anew.outcome().loss, network.outcome().loss));
            prop_assert!(close(anew.outcome().price, network.outcome().price));
        }
    }
}

#[test]
fn what_nothing_reads_is_free() {
    let numbers: Vec<f32> = (0..36).map(|at| ((at * 7) % 11) as f32 / 5.0 - 1.0).collect();
    let layers = layers(&numbers, &Step::Relu);
    let grids = [1.0, 5.0].map(|range| Grid { offset: 0.0, scale: range / 7.0 });
    let target = Target::new(&layers, &rows(), (&grids, 7), 1000);
    let mut network = network(&target, 7);
    assert!(network.outcome().price > 0.0);
    for column in 0..3 {
        let none = Change { integers: Integers::All(vec![0.0; 4]), scale: 1.0, shift: 0.0 };
        network.apply((2, column), &none);
    }
    assert_eq!(network.outcome().price, 0.0);
}
