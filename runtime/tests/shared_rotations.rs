//! Two tables out of one rotation: exact in all executors, failing as often as the ledger says, and correlated as it counts.
// What fails in a helper of a test fails the test.
#![allow(clippy::unwrap_used)]

mod crypto_support;

use cml_runtime::client::{decrypt, encrypt};
use cml_runtime::parameters::events::events;
use cml_runtime::parameters::noise;
use cml_runtime::program::message::{Action, Bootstrap, Combine, ParameterSet, Server, Step};
use cml_runtime::reference::message::Table;
use cml_runtime::server::CheckedServer;
use cml_runtime::units::Spacing;
use crypto_support::{
    assert_encrypted_rate, assert_simulated_rate, client, keys, narrow, port, sample, wide,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Spacing of results.
const SPACING: u64 = 1 << 58;

fn step(action: Action) -> Step {
    Step { node: "node".to_owned(), action: Some(action) }
}

/// Readers of one phase at -1, each with a table for each element that some elements have in common; all are outputs.
fn readers(set: ParameterSet, slots: u64, readers: usize, count: usize, random: &mut ChaCha8Rng) -> Server {
    let spacing = Spacing::of_slots(slots).0;
    let last = slots as i64 - 1;
    let reader = |random: &mut ChaCha8Rng| {
        let mut table = || Table { lo: 0, values: (0..=last).map(|_| random.random_range(-9..=9)).collect() };
        let tables: Vec<Table> = (0..3).map(|_| table()).collect();
        let centers = vec![1, 0, -4];
        let table_of = (0..count).map(|_| random.random_range(0..3)).collect();
        let extension = ParameterSet::SHARED;
        Bootstrap { extension, tables, table_of, centers, spacing: SPACING, ..Bootstrap::default() }
    };
    let steps: Vec<Step> = (0..readers).map(|_| step(Action::Bootstrap(reader(random)))).collect();
    Server {
        parameters: vec![set],
        inputs: vec![port("x", spacing, &vec![(0, last); count])],
        outputs: (0..readers).map(|_| port("y", SPACING, &vec![(-16, 15); count])).collect(),
        output_values: (1..=readers as u32).collect(),
        steps,
    }
}

#[test]
fn tables_that_share_a_rotation_are_exact() {
    let mut random = ChaCha8Rng::seed_from_u64(21);
    for (set, slots, count, rotations) in
        [(narrow(), 5, 2, 1), (narrow(), 6, 3, 2), (wide(), 11, 1, 1), (wide(), 12, 5, 3)]
    {
        let elements = 7;
        let server = readers(set, slots, count, elements, &mut random);
        let checked = CheckedServer::new(&server).unwrap();
        assert_eq!(checked.rotations(), elements * rotations);
        let client = client(&server);
        assert_eq!(client.events[0].rotations as usize, rotations);
        let (key, server_key, mut randomness) = keys(&client);
        let samples: Vec<_> = (0..3).map(|_| sample(&server, &mut random)).collect();
        let inputs = encrypt(&key, &client, &samples, &mut randomness).unwrap();
        let outputs = checked.run_encrypted(&server_key, &inputs, &|_| {}).unwrap();
        let found = decrypt(&key, &client, &outputs).unwrap().samples;
        for (seed, (sample, found)) in samples.iter().zip(found).enumerate() {
            let expected = checked.run_clear(sample).unwrap();
            assert_eq!(found, expected, "{count} readers of {slots} slots");
            assert_eq!(checked.run_simulated(sample, seed as u64).unwrap(), expected);
        }
    }
}

/// The identity and another table, with more slots than the parameters allow: what fails is the reading of the phase.
fn loose(slots: u64, count: usize) -> Server {
    let spacing = Spacing::of_slots(slots).0;
    let table = |entry: fn(i64) -> i64| Bootstrap {
        extension: ParameterSet::SHARED,
        tables: vec![Table { lo: 0, values: (0..slots as i64).map(entry).collect() }],
        table_of: vec![0; count],
        spacing: spacing / 2,
        ..Bootstrap::default()
    };
    let ranges = vec![(0, slots as i64 - 1); count];
    Server {
        parameters: vec![wide()],
        inputs: vec![port("x", spacing, &ranges)],
        steps: [table(|x| x), table(|x| x % 3)].map(|reader| step(Action::Bootstrap(reader))).to_vec(),
        outputs: vec![port("y", spacing / 2, &ranges), port("z", spacing / 2, &ranges)],
        output_values: vec![1, 2],
    }
}

#[test]
fn a_loose_budget_fails_at_the_predicted_rate() {
    assert_simulated_rate(&loose(50, 1000), 40, &mut ChaCha8Rng::seed_from_u64(22));
}

#[test]
fn ciphertexts_fail_as_often_as_the_simulation() {
    let found = assert_encrypted_rate(&loose(75, 400), &mut ChaCha8Rng::seed_from_u64(23));
    // Both tables are read at one place: another entry of the one is another entry of the other.
    for (identity, rest) in found[0].iter().zip(&found[1]) {
        assert_eq!(identity % 3, *rest);
    }
}

/// What the ledger counts for a sum of both tables, and for their difference.
#[test]
fn sums_of_tables_of_a_rotation_count_what_they_have_in_common() {
    let mut random = ChaCha8Rng::seed_from_u64(24);
    let mut server = readers(wide(), 12, 3, 2, &mut random);
    let sums = [(1, 2, 1), (1, 2, -1), (2, 3, 1)];
    for (one, other, weight) in sums {
        server.steps.push(step(Action::Combine(Combine {
            inputs: vec![one, other],
            weights: vec![3, weight],
            bias: vec![0; 2],
            spacing: SPACING,
        })));
        server.outputs.push(port("sum", SPACING, &[(-16, 15); 2]));
        server.output_values.push(server.steps.len() as u32);
    }
    let found = events(&server).unwrap();
    let norms: Vec<f64> = found[4..].iter().map(|event| event.norm2_squared_bootstraps[0]).collect();
    let (set, coefficient) = (wide(), f64::from(wide().polynomial_size).recip());
    let of_both =
        |weight| noise::rotation_norm2_squared(&[(0.0, 3.0), (coefficient, weight)], set.correlated_share());
    // The third table is in a rotation of its own.
    for (found, expected) in norms.iter().zip([of_both(1.0), of_both(-1.0), 10.0]) {
        assert!((found - expected).abs() < 1e-9, "{norms:?}");
    }
    assert!(norms[1] < 10.0 && 10.0 < norms[0], "{norms:?}");
}
