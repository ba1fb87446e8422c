use super::super::set::tests::wide;
use super::*;
use crate::program::message::{Comparisons, EncryptedPort, Step};
use proptest::prelude::*;

const SPACING: u64 = 1 << 56;

fn port(name: &str, count: usize, spacing: u64) -> EncryptedPort {
    let shape = vec![count as u64];
    let (lo, hi) = (vec![0; count], vec![3; count]);
    EncryptedPort { name: name.to_owned(), shape, spacing, lo, hi, returned: None }
}

fn linear(inputs: &[u32], rows: &[&[i64]], spacing: u64) -> Step {
    let bias = vec![0; rows.len()];
    let weights = rows.concat();
    let linear = Linear { inputs: inputs.to_vec(), rows: rows.len() as u32, weights, bias, spacing };
    Step { node: "MatMul_0".to_owned(), action: Some(Action::Linear(linear)) }
}

fn lookup(input: u32, tables: &[&[i64]], table_of: &[u32]) -> Step {
    let table = |values: &&[i64]| Table { lo: 0, values: values.to_vec() };
    let tables = tables.iter().map(table).collect();
    let table_of = table_of.to_vec();
    let bootstrap =
        Bootstrap { input, extension: 2, tables, table_of, spacing: SPACING, ..Bootstrap::default() };
    Step { node: "Relu_0".to_owned(), action: Some(Action::Bootstrap(bootstrap)) }
}

/// `inputs` encrypted elements; the last value is the output, with `outputs` elements.
fn server(inputs: usize, steps: Vec<Step>, outputs: usize, spacing: u64) -> Server {
    Server {
        parameters: vec![wide()],
        inputs: vec![port("x", inputs, SPACING)],
        output_values: vec![steps.len() as u32],
        steps,
        outputs: vec![port("y", outputs, spacing)],
    }
}

/// Norms of the output: on inputs, on bootstraps.
fn norms(server: &Server) -> (f64, f64) {
    let events = events(server).unwrap();
    let output = events.last().unwrap();
    (output.norm2_squared_inputs, output.norm2_squared_bootstraps.iter().sum())
}

#[test]
fn a_value_used_twice_is_one_source() {
    assert_eq!(norms(&server(1, vec![linear(&[0, 0], &[&[1, 1]], SPACING)], 1, SPACING)), (4.0, 0.0));
    let copies = linear(&[0], &[&[1], &[1]], SPACING);
    let sum = vec![copies.clone(), linear(&[1], &[&[1, 1]], SPACING)];
    assert_eq!(norms(&server(1, sum, 1, SPACING)), (4.0, 0.0));
    let difference = vec![copies, linear(&[1], &[&[1, -1]], SPACING)];
    assert_eq!(norms(&server(1, difference, 1, SPACING)), (0.0, 0.0));
    assert_eq!(norms(&server(2, vec![linear(&[0], &[&[1, 1]], SPACING)], 1, SPACING)), (2.0, 0.0));
}

#[test]
fn a_change_of_spacing_is_a_weight() {
    let steps = vec![linear(&[0], &[&[3, -1]], 4 * SPACING)];
    assert_eq!(norms(&server(2, steps, 1, 4 * SPACING)), (160.0, 0.0));
}

#[test]
fn a_bootstrap_is_read_and_starts_anew() {
    let steps = vec![
        linear(&[0], &[&[1, 2], &[3, -4]], SPACING),
        lookup(1, &[&[0, 1, 2], &[5, 4, 3, 2, 1]], &[0, 1]),
        linear(&[2, 0], &[&[2, 3, 7, 0]], SPACING),
    ];
    let found = events(&server(2, steps, 1, SPACING)).unwrap();
    let read = Event {
        node: "Relu_0".to_owned(),
        count: 2,
        norm2_squared_inputs: 25.0,
        norm2_squared_bootstraps: vec![0.0],
        lookups: vec![0],
        rotations: 1,
        extension: Some(2),
        spacing: SPACING,
        width: 3,
        ..Event::default()
    };
    let output = Event {
        node: "y".to_owned(),
        count: 1,
        norm2_squared_inputs: 49.0,
        norm2_squared_bootstraps: vec![13.0],
        spacing: SPACING,
        width: 2,
        ..Event::default()
    };
    assert_eq!(found, [read, output]);
}

#[test]
fn the_same_bootstrap_twice_is_one_source() {
    let sum_of = |tables: &[&[i64]], table_of: &[u32], rows: &[&[i64]]| {
        let steps =
            vec![linear(&[0], rows, SPACING), lookup(1, tables, table_of), linear(&[2], &[&[1, 1]], SPACING)];
        norms(&server(2, steps, 1, SPACING)).1
    };
    let (same, other): (&[&[i64]], &[&[i64]]) = (&[&[1, 2], &[1, 2]], &[&[1, 2], &[2, 1]]);
    assert_eq!(sum_of(same, &[0, 1], &[&[1, 1], &[1, 1]]), 4.0);
    assert_eq!(sum_of(other, &[0, 1], &[&[1, 1], &[1, 1]]), 2.0);
    assert_eq!(sum_of(same, &[0, 1], &[&[1, 1], &[1, 0]]), 2.0);
    // Another constant is another phase.
    let mut shifted = linear(&[0], &[&[1, 1], &[1, 1]], SPACING);
    let Some(Action::Linear(inner)) = &mut shifted.action else { panic!() };
    inner.bias[1] = 1;
    let steps = vec![shifted, lookup(1, same, &[0, 1]), linear(&[2], &[&[1, 1]], SPACING)];
    assert_eq!(norms(&server(2, steps, 1, SPACING)).1, 2.0);
}

fn of_lookup(step: Step, change: impl FnOnce(&mut Bootstrap)) -> Step {
    let Some(Action::Bootstrap(mut bootstrap)) = step.action else { panic!() };
    change(&mut bootstrap);
    Step { action: Some(Action::Bootstrap(bootstrap)), ..step }
}

fn combine(inputs: &[u32], weights: &[i64], elements: usize, spacing: u64) -> Step {
    let (inputs, weights) = (inputs.to_vec(), weights.to_vec());
    let combine = Combine { inputs, weights, bias: vec![0; elements], spacing };
    Step { node: "Relu_0".to_owned(), action: Some(Action::Combine(combine)) }
}

#[test]
fn bootstraps_of_one_phase_are_one_event() {
    let second = |change: fn(&mut Bootstrap)| of_lookup(lookup(0, &[&[7, 8, 9, 1, 2]], &[0, 0]), change);
    let of = |other: Step| {
        let first = of_lookup(lookup(0, &[&[1, 2, 3]], &[0, 0]), |bootstrap| bootstrap.tolerance = 4);
        let server = server(2, vec![first, other, combine(&[1, 2], &[3, 4], 2, SPACING)], 2, SPACING);
        let two_sets = vec![wide(), wide()];
        events(&Server { parameters: two_sets, ..server }).unwrap()
    };
    let found = of(second(|bootstrap| (bootstrap.tolerance, bootstrap.lookup) = (2, 5)));
    assert_eq!(found.len(), 2);
    let reading = &found[0];
    assert_eq!((reading.tolerance, reading.rotations, reading.count, reading.width), (2, 2, 2, 3));
    assert_eq!(reading.lookups, [0, 5]);
    // Two tables are two sources all the same.
    assert_eq!(found[1].norm2_squared_bootstraps, [25.0, 0.0]);
    for other in [
        second(|bootstrap| bootstrap.key = 1),
        second(|bootstrap| bootstrap.extension = 1),
        second(|bootstrap| bootstrap.tables[0].lo = 1),
    ] {
        assert_eq!(of(other).len(), 3);
    }
    assert_eq!(of(second(|bootstrap| bootstrap.key = 1))[2].norm2_squared_bootstraps, [9.0, 16.0]);
}

fn compare(input: u32, elements: &[(i64, &[i64])]) -> Step {
    let element =
        |(lo, thresholds): &(i64, &[i64])| Comparisons { lo: *lo, hi: 99, thresholds: thresholds.to_vec() };
    let elements = elements.iter().map(element).collect();
    let compare = Compare { input, elements, spacing: SPACING, lookup: 3, ..Compare::default() };
    Step { node: "Relu_0".to_owned(), action: Some(Action::Compare(compare)) }
}

/// 256 slots make a turn, so a slot is 1/128 of the half turn.
fn norm_of_one(terms: &[(i64, i64)]) -> f64 {
    let terms: Vec<(f64, f64)> =
        terms.iter().map(|(at, weight)| (*at as f64 / 128.0, *weight as f64)).collect();
    noise::rotation_norm2_squared(&terms, wide().correlated_share())
}

fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-9 * expected, "{found}, expected {expected}");
}

#[test]
fn comparisons_of_one_rotation_are_correlated_and_those_of_two_are_not() {
    let steps = vec![compare(0, &[(0, &[1, 40]), (5, &[7])]), linear(&[1], &[&[3, -2, 5]], SPACING)];
    let found = events(&server(2, steps, 1, SPACING)).unwrap();
    let expected = norm_of_one(&[(1, 3), (40, -2)]) + 25.0;
    close(found[1].norm2_squared_bootstraps[0], expected);
    assert!(expected < 38.0, "weights of two signs cancel");
    let event = &found[0];
    assert_eq!((event.count, event.width, event.rotations, event.tolerance), (2, 7, 1, 0));
    assert!(event.compares && event.lookups == [3]);
}

/// Thresholds of one ciphertext come out of one rotation, whichever step they stand in.
#[test]
fn equal_comparisons_of_two_steps_are_one_source() {
    let sum = |second: Step| {
        let steps = vec![compare(0, &[(0, &[1, 40])]), second, linear(&[1, 2], &[&[1, 1, 1, 1]], SPACING)];
        norms(&server(1, steps, 1, SPACING)).1
    };
    close(sum(compare(0, &[(0, &[40, 50])])), norm_of_one(&[(1, 1), (40, 2), (50, 1)]));
    let apart = norm_of_one(&[(1, 1), (40, 1)]) + norm_of_one(&[(1, 1), (2, 1)]);
    close(sum(compare(0, &[(39, &[40, 41])])), apart);
}

#[test]
fn a_phase_may_be_compared_and_looked_up() {
    let steps = |lo| {
        let table = of_lookup(lookup(0, &[&[1, 2, 3]], &[0]), |bootstrap| {
            (bootstrap.extension, bootstrap.tolerance) = (0, 4);
        });
        vec![table, compare(0, &[(lo, &[2])]), combine(&[1, 2], &[3, 4], 1, SPACING)]
    };
    let found = events(&server(1, steps(0), 1, SPACING)).unwrap();
    assert_eq!((found.len(), found[0].rotations, found[0].tolerance, found[0].compares), (2, 2, 0, true));
    close(found[1].norm2_squared_bootstraps[0], 25.0);
    assert_eq!(events(&server(1, steps(1), 1, SPACING)).unwrap().len(), 3);
}

#[test]
fn a_center_makes_another_source() {
    let first = lookup(0, &[&[1, 2]], &[0]);
    let twice = |second: Step| {
        norms(&server(1, vec![first.clone(), second, combine(&[1, 2], &[1, 1], 1, SPACING)], 1, SPACING)).1
    };
    assert_eq!(twice(first.clone()), 4.0);
    assert_eq!(twice(of_lookup(first.clone(), |bootstrap| bootstrap.centers = vec![3])), 2.0);
}

#[test]
fn inputs_of_a_sum_have_spacings_of_their_own() {
    let wide = linear(&[0], &[&[1, 0], &[0, 1]], 4 * SPACING);
    let sum = linear(&[0, 1], &[&[1, 0, 0, 3]], 8 * SPACING);
    assert_eq!(
        norms(&server(2, vec![wide.clone(), sum], 1, 8 * SPACING)),
        (8.0f64.powi(2) + 24f64.powi(2), 0.0)
    );
    let elementwise = combine(&[0, 1], &[-4, 1], 2, 4 * SPACING);
    assert_eq!(norms(&server(2, vec![wide, elementwise], 2, 4 * SPACING)), (12f64.powi(2), 0.0));
}

#[test]
fn weights_wrap_as_the_torus_does() {
    let steps = vec![linear(&[0], &[&[1 << 62]], SPACING), linear(&[1], &[&[4]], SPACING)];
    assert_eq!(norms(&server(1, steps, 1, SPACING)), (0.0, 0.0));
}

#[test]
fn malformed_servers_are_refused() {
    let good = server(2, vec![linear(&[0], &[&[1, 1]], SPACING)], 1, SPACING);
    assert!(events(&good).is_ok());
    let short = server(3, vec![linear(&[0], &[&[1, 1]], SPACING)], 1, SPACING);
    assert!(matches!(events(&short), Err(Invalid::Step { index: 0, .. })));
    let later = server(2, vec![lookup(7, &[&[1]], &[0, 0])], 2, SPACING);
    assert!(matches!(events(&later), Err(Invalid::Step { index: 0, .. })));
    let lost = Server { output_values: vec![9], ..good.clone() };
    assert!(matches!(events(&lost), Err(Invalid::Port { .. })));
    let empty = Server { steps: vec![Step::default()], ..good };
    assert!(matches!(events(&empty), Err(Invalid::Step { index: 0, .. })));
}

#[test]
fn too_much_work_is_refused() {
    let steps =
        vec![linear(&[0], &[&[1, 1], &[1, 2]], SPACING), linear(&[1], &[&[1, 1], &[1, 1], &[1, 1]], SPACING)];
    let server = server(2, steps, 3, SPACING);
    // 2 rows of 2 sources, then 3 rows of 2 combinations of 2 sources; each column counts for itself as well.
    let spent = 2 * (2 + 2) + 3 * (2 + 4);
    assert!(events_within(&server, Limits { work: spent, terms: 10 }).is_ok());
    for limits in [Limits { work: spent - 1, terms: 10 }, Limits { work: spent, terms: 9 }] {
        assert!(matches!(events_within(&server, limits), Err(Invalid::Step { index: 1, .. })));
    }
}

proptest! {
    #[test]
    fn norms_are_those_of_the_product_of_the_matrices(
        first in proptest::collection::vec(-5i64..6, 12),
        second in proptest::collection::vec(-5i64..6, 6),
    ) {
        // x (3) -> y (4) -> z (1), where z also reads x[0] and x[1].
        let rows: Vec<&[i64]> = first.chunks(3).collect();
        let columns = [second.as_slice(), &[0]].concat();
        let steps = vec![linear(&[0], &rows, SPACING), linear(&[1, 0], &[&columns], SPACING)];
        let by_hand: i64 = (0..3)
            .map(|x| {
                let through: i64 = rows.iter().zip(&second).map(|(row, weight)| weight * row[x]).sum();
                (through + columns[4 + x]).pow(2)
            })
            .sum();
        prop_assert_eq!(norms(&server(3, steps, 1, SPACING)), (by_hand as f64, 0.0));
    }
}
