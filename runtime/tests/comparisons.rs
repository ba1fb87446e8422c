//! Comparisons with thresholds: many results out of one rotation, exact, and with the noise that is predicted of their sums.
// What fails in a helper of a test fails the test.
#![allow(clippy::unwrap_used)]

mod crypto_support;

use cml_runtime::client::{decrypt, encrypt};
use cml_runtime::parameters::events::events;
use cml_runtime::program::message::{Action, Compare, Comparisons, Linear, ParameterSet, Server, Step};
use cml_runtime::server::CheckedServer;
use cml_runtime::units::Spacing;
use crypto_support::{assert_simulated_rate, client, keys, port, sample, set, wide};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Two polynomials of 1024 coefficients, for up to 16 slots.
fn small() -> ParameterSet {
    set(820, (2, 1024), (23, 1), (2, 7))
}

fn step(action: Action) -> Step {
    Step { node: "node".to_owned(), action: Some(action) }
}

/// A table as comparisons give it: a value, and a jump at each threshold.
struct Staircase {
    first: i64,
    jumps: Vec<i64>,
}

/// Tables of each element of an input, all out of one rotation of the element; the tables are the output.
struct Tables {
    server: Server,
    /// For each element its tables.
    of: Vec<Vec<Staircase>>,
}

impl Tables {
    /// `ranges` has the smallest and largest value of each element.
    fn random(
        set: ParameterSet,
        extension: i32,
        slots: u64,
        ranges: &[(i64, i64)],
        random: &mut ChaCha8Rng,
    ) -> Self {
        let (input, output) = (Spacing::of_slots(slots).0, Spacing::of_slots(80).0);
        let mut elements = Vec::new();
        for (lo, hi) in ranges {
            let thresholds: Vec<i64> = (lo + 1..=*hi).filter(|_| random.random_bool(0.4)).collect();
            let thresholds = if thresholds.is_empty() { vec![*hi] } else { thresholds };
            elements.push(Comparisons { lo: *lo, hi: *hi, thresholds });
        }
        let tables = |element: &Comparisons, random: &mut ChaCha8Rng| -> Vec<Staircase> {
            let jumps = |random: &mut ChaCha8Rng| {
                element.thresholds.iter().map(|_| random.random_range(-2..=2)).collect()
            };
            (0..3).map(|_| Staircase { first: random.random_range(-3..=3), jumps: jumps(random) }).collect()
        };
        let of: Vec<Vec<Staircase>> = elements.iter().map(|element| tables(element, random)).collect();
        let columns: usize = elements.iter().map(|element| element.thresholds.len()).sum();
        let (mut weights, mut bias, mut first) = (Vec::new(), Vec::new(), 0);
        for tables in &of {
            for table in tables {
                let mut row = vec![0; columns];
                row[first..first + table.jumps.len()].copy_from_slice(&table.jumps);
                weights.extend(row);
                bias.push(table.first);
            }
            first += tables[0].jumps.len();
        }
        let outputs = vec![(-40, 39); bias.len()];
        let compare = Compare { input: 0, extension, elements, spacing: output, ..Compare::default() };
        let rows = bias.len() as u32;
        let server = Server {
            parameters: vec![set],
            inputs: vec![port("x", input, ranges)],
            steps: vec![
                step(Action::Compare(compare)),
                step(Action::Linear(Linear { inputs: vec![1], rows, weights, bias, spacing: output })),
            ],
            outputs: vec![port("y", output, &outputs)],
            output_values: vec![2],
        };
        Self { server, of }
    }

    /// What the tables hold at these values.
    fn values(&self, inputs: &[i64]) -> Vec<i64> {
        let Some(Action::Compare(compare)) = &self.server.steps[0].action else { panic!("a comparison") };
        let mut values = Vec::new();
        for ((tables, element), input) in self.of.iter().zip(&compare.elements).zip(inputs) {
            for table in tables {
                let below =
                    element.thresholds.iter().zip(&table.jumps).filter(|(threshold, _)| *threshold <= input);
                values.push(table.first + below.map(|(_, jump)| jump).sum::<i64>());
            }
        }
        values
    }
}

#[test]
fn tables_out_of_one_rotation_are_exact() {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let narrow = [(-4, 5), (0, 3), (-9, 0), (2, 11), (-1, 1), (0, 9)];
    let broad = [(-20, 24), (0, 30), (-40, 2), (1, 2)];
    for (set, extension, slots, ranges) in
        [(small(), 0, 11, &narrow[..]), (wide(), 1, 45, &broad), (wide(), 2, 70, &broad)]
    {
        let tables = Tables::random(set, extension, slots, ranges, &mut random);
        let checked = CheckedServer::new(&tables.server).unwrap();
        let client = client(&tables.server);
        let (key, server_key, mut randomness) = keys(&client);
        assert_eq!(checked.rotations(), ranges.len());
        let samples: Vec<_> = (0..8).map(|_| sample(&tables.server, &mut random)).collect();
        let inputs = encrypt(&key, &client, &samples, &mut randomness).unwrap();
        let outputs = checked.run_encrypted(&server_key, &inputs, &|_| {}).unwrap();
        let found = decrypt(&key, &client, &outputs).unwrap();
        for (seed, (found, sample)) in found.samples.iter().zip(&samples).enumerate() {
            let expected = vec![tables.values(&sample[0])];
            assert_eq!(checked.run_clear(sample).unwrap(), expected);
            assert_eq!(*found, expected, "extension {extension}");
            assert_eq!(checked.run_simulated(sample, seed as u64).unwrap(), expected);
        }
    }
}

/// All values and all thresholds of ranges that fill the torus as far as one rotation can tell.
#[test]
fn values_far_beyond_the_thresholds_are_told_apart() {
    let slots = 12;
    let element =
        |lo: i64, hi: i64, thresholds: &[i64]| Comparisons { lo, hi, thresholds: thresholds.to_vec() };
    // The first threshold is at most as many slots below the end of the range as half the torus has, and so on.
    let elements = [element(0, 18, &[7, 9, 12]), element(-12, 11, &[0]), element(-1, 11, &[0, 11])];
    for (number, element) in elements.into_iter().enumerate() {
        let (lo, hi, count) = (element.lo, element.hi, element.thresholds.len());
        let values: Vec<i64> = (lo..=hi).collect();
        let spacing = Spacing::of_slots(slots).0;
        let ranges = vec![(lo, hi); values.len()];
        let elements = vec![element; values.len()];
        let compare = Compare { input: 0, elements, spacing: 1 << 60, ..Compare::default() };
        let server = Server {
            parameters: vec![small()],
            inputs: vec![port("x", spacing, &ranges)],
            steps: vec![step(Action::Compare(compare))],
            outputs: vec![port("y", 1 << 60, &vec![(0, 1); values.len() * count])],
            output_values: vec![1],
        };
        let checked = CheckedServer::new(&server).unwrap();
        let sample = vec![values];
        let expected = checked.run_clear(&sample).unwrap();
        for seed in 0..20 {
            assert_eq!(checked.run_simulated(&sample, seed).unwrap(), expected, "element {number}");
        }
        if number == 0 {
            let client = client(&server);
            let (key, server_key, mut randomness) = keys(&client);
            let inputs = encrypt(&key, &client, std::slice::from_ref(&sample), &mut randomness).unwrap();
            let outputs = checked.run_encrypted(&server_key, &inputs, &|_| {}).unwrap();
            assert_eq!(decrypt(&key, &client, &outputs).unwrap().samples[0], expected);
        }
    }
}

/// How many ciphertexts are compared where noise is measured.
const SAMPLES: usize = 2000;

/// Thresholds of each of them.
const THRESHOLDS: i64 = 9;

/// Spacing far below the noise, which so is what is decrypted.
const UNIT: u64 = 1 << 34;

/// Weights of one comparison, of a rising staircase, of one that alternates, of one without order.
const ROWS: [[i64; THRESHOLDS as usize]; 5] = [
    [0, 0, 0, 0, 1, 0, 0, 0, 0],
    [1, 1, 1, 1, 1, 1, 1, 1, 1],
    [1, 2, 0, 0, 3, 0, 1, 0, 4],
    [2, -2, 2, -2, 2, -2, 2, -2, 2],
    [3, -1, -4, 1, 5, -2, 0, 2, -3],
];

/// A value above all thresholds for each sample, and its comparisons.
fn comparisons(set: ParameterSet, extension: i32) -> Server {
    let element = Comparisons { lo: 0, hi: 11, thresholds: (1..=THRESHOLDS).collect() };
    let compare = Compare {
        input: 0,
        extension,
        elements: vec![element; SAMPLES],
        spacing: UNIT,
        ..Compare::default()
    };
    Server {
        parameters: vec![set],
        inputs: vec![port("x", Spacing::of_slots(12).0, &vec![(0, 11); SAMPLES])],
        steps: vec![step(Action::Compare(compare))],
        outputs: vec![port("y", UNIT, &vec![(-1 << 28, 1 << 28); SAMPLES * THRESHOLDS as usize])],
        output_values: vec![1],
    }
}

/// The variance of each sum against the ledger's prediction for it, bits of standard deviation.
fn assert_noise(server: &Server, found: &[i64]) {
    let set = &server.parameters[0];
    for weights in &ROWS {
        let sum = |comparisons: &[i64]| -> f64 {
            let noise = comparisons.iter().zip(weights).map(|(value, weight)| (value - 1) * weight);
            noise.sum::<i64>() as f64 * UNIT as f64 * (-64f64).exp2()
        };
        let squares: f64 = found.chunks_exact(weights.len()).map(|one| sum(one).powi(2)).sum();
        let measured = squares / SAMPLES as f64;
        let predicted = norm2_squared(server, weights) * set.bootstrap_variance().0;
        let error = 0.5 * (measured / predicted).log2();
        assert!(error.abs() < 0.1, "weights {weights:?}: off by {error} bits");
    }
}

/// The norm that the ledger has for a sum with these weights.
fn norm2_squared(server: &Server, weights: &[i64]) -> f64 {
    let mut server = server.clone();
    let Some(Action::Compare(compare)) = &mut server.steps[0].action else { panic!("a comparison") };
    compare.elements.truncate(1);
    let sum = Linear { inputs: vec![1], rows: 1, weights: weights.to_vec(), bias: vec![0], spacing: UNIT };
    server.steps.push(step(Action::Linear(sum)));
    server.inputs = vec![port("x", server.inputs[0].spacing, &[(0, 11)])];
    server.outputs = vec![port("y", UNIT, &[(-99, 99)])];
    server.output_values = vec![2];
    events(&server).unwrap().last().unwrap().norm2_squared_bootstraps[0]
}

/// Real noise is measured in `commands/noise.rs`.
#[test]
fn simulated_noise_of_sums_out_of_one_rotation_is_as_predicted() {
    for (set, extension) in [(small(), 0), (wide(), 0), (wide(), 1)] {
        let server = comparisons(set, extension);
        let checked = CheckedServer::new(&server).unwrap();
        assert_noise(&server, &checked.run_simulated(&[vec![11; SAMPLES]], 1).unwrap()[0]);
    }
}

/// Every integer is a threshold, so the sum of the comparisons is the value itself.
fn too_many_slots(slots: u64, extension: i32, count: usize) -> Server {
    let range = (0, slots as i64 - 1);
    let thresholds: Vec<i64> = (1..=range.1).collect();
    let (columns, output) = (count * thresholds.len(), Spacing::of_slots(slots).0 / 2);
    let mut weights = vec![0; count * columns];
    for (row, weights) in weights.chunks_exact_mut(columns).enumerate() {
        weights[row * thresholds.len()..(row + 1) * thresholds.len()].fill(1);
    }
    let elements = vec![Comparisons { lo: range.0, hi: range.1, thresholds }; count];
    let compare = Compare { input: 0, extension, elements, spacing: output, ..Compare::default() };
    let sums = Linear { inputs: vec![1], rows: count as u32, weights, bias: vec![0; count], spacing: output };
    Server {
        parameters: vec![wide()],
        inputs: vec![port("x", Spacing::of_slots(slots).0, &vec![range; count])],
        steps: vec![step(Action::Compare(compare)), step(Action::Linear(sums))],
        outputs: vec![port("y", output, &vec![range; count])],
        output_values: vec![2],
    }
}

#[test]
fn comparisons_fail_at_the_predicted_rate() {
    let mut random = ChaCha8Rng::seed_from_u64(4);
    for (slots, extension) in [(95, 0), (190, 1), (300, 2)] {
        assert_simulated_rate(&too_many_slots(slots, extension, 100), 200, &mut random);
    }
}

#[test]
fn values_outside_of_the_range_are_errors_in_the_clear() {
    let server = too_many_slots(9, 0, 2);
    let message = CheckedServer::new(&server).unwrap().run_clear(&[vec![3, 9]]).unwrap_err().to_string();
    assert!(message.starts_with("node: element 1 is 9, its table covers 0 to 8"), "{message}");
}

#[test]
fn comparisons_that_no_position_tells_apart_are_refused() {
    let refused = |server: &Server| CheckedServer::new(server).err().map(|error| error.to_string());
    assert_eq!(refused(&too_many_slots(1000, 1, 1)), None);
    // Thresholds lie on positions of the plain bootstrap, whatever the extension is.
    assert!(refused(&too_many_slots(2049, 2, 1)).unwrap().contains("tell apart"));
    assert!(refused(&too_many_slots(20, 11, 1)).unwrap().contains("too many accumulators"));
}
