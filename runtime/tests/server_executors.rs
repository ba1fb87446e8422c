//! The three executors agree: clear, simulated and encrypted, on random programs with real parameters.
// What fails in a helper of a test fails the test.
#![allow(clippy::unwrap_used)]

mod crypto_support;

use cml_runtime::client::{decrypt, encrypt};
use cml_runtime::parameters::ledger;
use cml_runtime::program::message::{Action, Bootstrap, Linear, Server, Step};
use cml_runtime::reference::message::Table;
use cml_runtime::server::CheckedServer;
use cml_runtime::units::Spacing;
use crypto_support::{
    Form, assert_encrypted_rate, assert_simulated_rate, client, keys, narrow, port, program, sample, wide,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};

fn encrypted_equals_clear(form: Form, server: &Server, random: &mut ChaCha8Rng) {
    let checked = CheckedServer::new(server).unwrap();
    let client = client(server);
    let (key, server_key, mut randomness) = keys(&client);
    let samples: Vec<_> = (0..3).map(|_| sample(server, random)).collect();
    let inputs = encrypt(&key, &client, &samples, &mut randomness).unwrap();
    let finished = AtomicUsize::new(0);
    let progress = |count| {
        finished.fetch_add(count, Ordering::Relaxed);
    };
    let outputs = checked.run_encrypted(&server_key, &inputs, &progress).unwrap();
    assert_eq!(finished.into_inner(), 3 * checked.rotations());
    let found = decrypt(&key, &client, &outputs).unwrap();
    let expected: Vec<_> = samples.iter().map(|sample| checked.run_clear(sample).unwrap()).collect();
    assert_eq!(found.samples, expected, "extension {}, {} slots", form.extension, form.slots);
    assert_eq!(found.out_of_range, 0);
    // Three samples in groups of two: one full group, one that is not.
    let two = NonZeroUsize::new(2).unwrap();
    assert_eq!(checked.run_encrypted_together(&server_key, &inputs, two, &|_| {}).unwrap(), outputs);
    // One sample alone gives the same as with others.
    let alone = checked.run_encrypted(&server_key, &inputs.some(1..2), &|_| {}).unwrap();
    assert_eq!(decrypt(&key, &client, &alone).unwrap().samples[0], expected[1]);
}

#[test]
fn plain_lookups_are_exact() {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    for slots in [9, 11] {
        let form = Form { lookups: 19, extension: 0, slots, factor: 1 };
        encrypted_equals_clear(form, &program(form, narrow(), &mut random), &mut random);
    }
    // No other table shares the rotation.
    let form = Form { lookups: 4, extension: -1, slots: 6, factor: 1 };
    encrypted_equals_clear(form, &program(form, narrow(), &mut random), &mut random);
    let form = Form { lookups: 7, extension: 0, slots: 23, factor: 3 };
    encrypted_equals_clear(form, &program(form, wide(), &mut random), &mut random);
}

#[test]
fn extended_lookups_are_exact() {
    let mut random = ChaCha8Rng::seed_from_u64(2);
    for (extension, slots, factor) in [(1, 37, 1), (2, 61, 2)] {
        let form = Form { lookups: 6, extension, slots, factor };
        encrypted_equals_clear(form, &program(form, wide(), &mut random), &mut random);
    }
}

/// A constant, an input without elements, and an output that is an input: no bootstrap at all.
#[test]
fn degenerate_programs_run_on_several_samples() {
    let spacing = 1 << 58;
    let constant = Linear { inputs: vec![], rows: 2, weights: vec![], bias: vec![3, -4], spacing };
    let nothing = Linear { inputs: vec![1], rows: 0, weights: vec![], bias: vec![], spacing };
    let actions = [Action::Linear(constant), Action::Linear(nothing)];
    let server = Server {
        parameters: vec![wide()],
        inputs: vec![port("x", spacing, &[(-4, 3)]), port("empty", spacing, &[])],
        steps: actions.map(|action| Step { node: "node".to_owned(), action: Some(action) }).to_vec(),
        outputs: vec![
            port("constant", spacing, &[(3, 3), (-4, -4)]),
            port("x", spacing, &[(-4, 3)]),
            port("nothing", spacing, &[]),
        ],
        output_values: vec![2, 0, 3],
    };
    let form = Form { lookups: 0, extension: 0, slots: 32, factor: 1 };
    encrypted_equals_clear(form, &server, &mut ChaCha8Rng::seed_from_u64(9));
}

/// Groups of different extensions on one layer, written one after the other, and a linear step on their results.
#[test]
fn groups_of_a_layer_run_together() {
    let (spacing, range) = (Spacing::of_slots(24).0, (-4, 3));
    let square = Table { lo: -4, values: (-4..=3).map(|x: i64| x * x / 3).collect() };
    let step = |action| Step { node: "node".to_owned(), action: Some(action) };
    let linear = |inputs: &[u32], rows: u32, weights: &[i64]| {
        let (inputs, weights) = (inputs.to_vec(), weights.to_vec());
        step(Action::Linear(Linear { inputs, rows, weights, bias: vec![0; rows as usize], spacing }))
    };
    let lookup = |input, extension, count| {
        let (tables, table_of) = (vec![square.clone()], vec![0; count]);
        let rest = Bootstrap::default();
        step(Action::Bootstrap(Bootstrap { input, extension, tables, table_of, spacing, ..rest }))
    };
    let server = Server {
        parameters: vec![wide()],
        inputs: vec![port("x", spacing, &[range; 3])],
        steps: vec![
            linear(&[0], 2, &[1, 0, 0, 0, 1, 0]),
            lookup(1, 0, 2),
            linear(&[0], 1, &[0, 0, 1]),
            lookup(3, 1, 1),
            linear(&[2, 4, 2], 2, &[1, 1, 1, 0, 0, 1, -1, 1, 0, 1]),
        ],
        outputs: vec![port("y", spacing, &[(0, 15), (-5, 15)]), port("x", spacing, &[range; 3])],
        output_values: vec![5, 0],
    };
    let form = Form { lookups: 3, extension: 1, slots: 24, factor: 1 };
    encrypted_equals_clear(form, &server, &mut ChaCha8Rng::seed_from_u64(8));
}

/// As many samples go together as a bound of memory allows, and no more.
#[test]
fn memory_bounds_how_many_samples_run_together() {
    let mut random = ChaCha8Rng::seed_from_u64(12);
    for (lookups, together) in [(20, 339), (2000, 3), (20_000, 1)] {
        let form = Form { lookups, extension: 0, slots: 23, factor: 1 };
        let server = program(form, narrow(), &mut random);
        let checked = CheckedServer::new(&server).unwrap();
        let bytes = |samples| checked.peak_bytes(NonZeroUsize::new(samples).unwrap());
        // What the lookups read, the same under the small key, and their results.
        let words = lookups * (2 * 2049 + 851);
        assert_eq!(bytes(1001) - bytes(1000), 8 * words as u64);
        assert_eq!(checked.samples_at_once().get(), together);
    }
}

#[test]
fn simulated_equals_clear_within_the_budget() {
    let mut random = ChaCha8Rng::seed_from_u64(3);
    for (extension, slots, factor) in [(0, 23, 1), (0, 16, 5), (1, 37, 1), (2, 61, 2)] {
        let form = Form { lookups: 12, extension, slots, factor };
        let server = program(form, wide(), &mut random);
        let checked = CheckedServer::new(&server).unwrap();
        ledger::check(&client(&server)).unwrap();
        for seed in 0..100 {
            let inputs = sample(&server, &mut random);
            assert_eq!(checked.run_simulated(&inputs, seed).unwrap(), checked.run_clear(&inputs).unwrap());
        }
    }
}

/// One lookup of each of some inputs, with more slots than the parameters allow.
fn too_many_slots(slots: u64, extension: i32, count: usize) -> Server {
    let spacing = Spacing::of_slots(slots).0;
    let range = (-5, slots as i64 - 6);
    let table = Table { lo: range.0, values: (range.0..=range.1).collect() };
    let bootstrap = Bootstrap {
        input: 0,
        extension,
        tables: vec![table],
        table_of: vec![0; count],
        spacing: spacing / 2,
        ..Bootstrap::default()
    };
    Server {
        parameters: vec![wide()],
        inputs: vec![port("x", spacing, &vec![range; count])],
        steps: vec![Step { node: "identity".to_owned(), action: Some(Action::Bootstrap(bootstrap)) }],
        outputs: vec![port("y", spacing / 2, &vec![range; count])],
        output_values: vec![1],
    }
}

#[test]
fn a_loose_budget_fails_at_the_predicted_rate() {
    let mut random = ChaCha8Rng::seed_from_u64(4);
    for (slots, extension) in [(300, 2), (180, 1), (90, 0)] {
        assert_simulated_rate(&too_many_slots(slots, extension, 1000), 40, &mut random);
    }
}

#[test]
fn ciphertexts_fail_as_often_as_the_simulation() {
    assert_encrypted_rate(&too_many_slots(150, 0, 400), &mut ChaCha8Rng::seed_from_u64(5));
}

#[test]
fn values_outside_of_a_table_are_errors_in_the_clear() {
    let server = too_many_slots(20, 0, 2);
    let checked = CheckedServer::new(&server).unwrap();
    let message = checked.run_clear(&[vec![3, 15]]).unwrap_err().to_string();
    assert!(message.starts_with("identity: element 1 is 15, its table covers -5 to 14"), "{message}");
    let message = checked.run_clear(&[vec![3]]).unwrap_err().to_string();
    assert_eq!(message, "1 values were given for input x, expected 2");
    assert!(checked.run_simulated(&[], 0).is_err());
}

#[test]
fn keys_and_inputs_of_another_program_are_refused() {
    let (server, other) = (too_many_slots(9, 0, 1), too_many_slots(10, 0, 1));
    let (one, two) = (client(&server), client(&other));
    let (key, server_key, mut randomness) = keys(&one);
    assert!(encrypt(&key, &two, &[vec![vec![0]]], &mut randomness).is_err());
    let inputs = encrypt(&key, &one, &[vec![vec![0]]], &mut randomness).unwrap();
    let checked = CheckedServer::new(&other).unwrap();
    let message = checked.run_encrypted(&server_key, &inputs, &|_| {}).unwrap_err().to_string();
    assert!(message.starts_with("the evaluation key was made for another program"), "{message}");
    let message = encrypt(&key, &one, &[vec![vec![99]]], &mut randomness).unwrap_err().to_string();
    assert_eq!(message, "input x, sample 0: element 0 is 99, the encrypted input holds -5 to 3");
}

#[test]
fn programs_that_cannot_run_are_refused() {
    let refused = |server: &Server| CheckedServer::new(server).err().map(|error| error.to_string());
    assert_eq!(refused(&too_many_slots(20, 0, 2)), None);
    let too_fine = refused(&too_many_slots(3000, 0, 2)).unwrap();
    assert!(too_fine.contains("identity") && too_fine.contains("tell apart"), "{too_fine}");
    let too_long = refused(&too_many_slots(20, 11, 2)).unwrap();
    assert!(too_long.contains("too many accumulators"), "{too_long}");
}
