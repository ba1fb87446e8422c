//! Lookups of several stages on several key sets: exact in all executors, and failing as often as the ledger says.
// What fails in a helper of a test fails the test.
#![allow(clippy::unwrap_used)]

mod crypto_support;

use cml_runtime::client::{decrypt, encrypt};
use cml_runtime::parameters::events::events;
use cml_runtime::parameters::{ledger, outputs};
use cml_runtime::program::message::{Action, Linear, ParameterSet, Server};
use cml_runtime::reference::message::Table;
use cml_runtime::server::CheckedServer;
use crypto_support::staircases::{Builder, Fold, Place, Saturating, Steps, TRANSITION, three_sets};
use crypto_support::{P_ERROR, assert_rate, client, count_failures, keys, set};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const FOLD: Fold = Fold { window: 50, ratio: 6 };
const STEPS: Steps = Steps { gap: 33, ratio: 5 };

/// Largest inputs.
const LAST: [i64; 2] = [255, 127];

/// The two tables of steps by two rotations, or out of one.
const APART: Place = Place { key: 1, extension: 0 };
const TOGETHER: Place = Place { key: 2, extension: ParameterSet::SHARED };

/// Elements of each input.
const COUNT: usize = 12;

struct Network {
    server: Server,
    saturating: Vec<Saturating>,
    thresholds: Vec<Vec<i64>>,
}

/// What the lookup after the sum of both does.
fn last(x: i64) -> i64 {
    (x * 7) % 5
}

impl Network {
    /// Folded staircases of one input and counted thresholds of another, their sum, and a lookup on it.
    /// With the place of the tables for the nearest threshold and the count.
    fn new(nearest: Place) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(11);
        let saturating: Vec<_> = (0..COUNT as i64)
            .map(|index| Saturating {
                start: [0, 1, LAST[0] - TRANSITION + 1][index as usize % 3].max(index * 20 % 240),
            })
            .collect();
        let thresholds: Vec<Vec<i64>> = (0..COUNT)
            .map(|_| {
                let first = random.random_range(1..25);
                let second = first + STEPS.gap + random.random_range(0..3);
                vec![first, second, second + STEPS.gap + random.random_range(0..20)]
            })
            .collect();
        let mut builder = Builder::new(three_sets());
        let x = builder.input(COUNT, LAST[0], FOLD.input_spacing());
        let u = builder.input(COUNT, LAST[1], STEPS.input_spacing());
        let coarse = Place { key: 0, extension: 0 };
        let exact = Place { key: 2, extension: 1 };
        let folded = builder.folded((x, LAST[0]), (FOLD, 0), &saturating, [coarse, exact], 1 << 58);
        let counted = builder.counted((u, LAST[1]), STEPS, &thresholds, [nearest, exact], 1 << 57);
        let spacing = 1 << 59;
        let row = |row: usize| (0..2 * COUNT).map(move |column| i64::from(column % COUNT == row));
        let sum = builder.step(Action::Linear(Linear {
            inputs: vec![folded, counted],
            rows: COUNT as u32,
            weights: (0..COUNT).flat_map(row).collect(),
            bias: vec![0; COUNT],
            spacing,
        }));
        let table = Table { lo: 0, values: (0..=10).map(last).collect() };
        let result = builder.lookup(sum, &table, COUNT, Place { key: 2, extension: 0 }, spacing);
        for (value, hi, spacing) in [(folded, 7, 1 << 58), (counted, 3, 1 << 57), (result, 4, spacing)] {
            builder.output(value, COUNT, (0, hi), spacing);
        }
        let mut server = builder.server;
        outputs::choose(&mut server, Some(P_ERROR), None).unwrap();
        assert!(
            server.outputs.iter().all(|port| port.returned.is_some_and(|returned| returned.key.is_some()))
        );
        Self { server, saturating, thresholds }
    }

    /// What the program should give, computed without it.
    fn expected(&self, inputs: &[Vec<i64>]) -> Vec<Vec<i64>> {
        let folded = |(staircase, x): (&Saturating, &i64)| staircase.at(*x);
        let folded: Vec<i64> = self.saturating.iter().zip(&inputs[0]).map(folded).collect();
        let counted =
            |(thresholds, x): (&Vec<i64>, &i64)| thresholds.iter().filter(|t| x >= t).count() as i64;
        let counted: Vec<i64> = self.thresholds.iter().zip(&inputs[1]).map(counted).collect();
        let result = folded.iter().zip(&counted).map(|(folded, counted)| last(folded + counted)).collect();
        vec![folded, counted, result]
    }

    /// Inputs at jumps, in the middle between two, at the ends, and anywhere.
    fn inputs(&self, random: &mut ChaCha8Rng) -> Vec<Vec<i64>> {
        let mut pick = |last: i64, marks: &[i64]| {
            let mark = marks[random.random_range(0..marks.len())];
            let choices = [mark - 1, mark, mark + 1, 0, last, random.random_range(0..=last)];
            choices[random.random_range(0..choices.len())].clamp(0, last)
        };
        let folded =
            self.saturating.iter().map(|s| pick(LAST[0], &[s.start, s.start + TRANSITION])).collect();
        let counted = self.thresholds.iter().map(|list| {
            pick(LAST[1], &[list[0], list[1], list[2], (list[0] + list[1]) / 2, (list[1] + list[2] + 1) / 2])
        });
        vec![folded, counted.collect()]
    }
}

#[test]
fn stages_give_the_staircase_for_every_input_in_the_clear() {
    let network = Network::new(APART);
    let server = CheckedServer::new(&network.server).unwrap();
    for x in 0..=LAST[0] {
        let inputs = [vec![x; COUNT], vec![x.min(LAST[1]); COUNT]];
        assert_eq!(server.run_clear(&inputs).unwrap(), network.expected(&inputs), "{x}");
    }
}

#[test]
fn simulated_and_encrypted_equal_clear() {
    for nearest in [APART, TOGETHER] {
        assert_equal(&Network::new(nearest));
    }
}

fn assert_equal(network: &Network) {
    let server = CheckedServer::new(&network.server).unwrap();
    let client = client(&network.server);
    let (key, server_key, mut randomness) = keys(&client);
    let mut random = ChaCha8Rng::seed_from_u64(12);
    for seed in 0..300 {
        let inputs = network.inputs(&mut random);
        assert_eq!(server.run_simulated(&inputs, seed).unwrap(), network.expected(&inputs));
    }
    let samples: Vec<_> = (0..2).map(|_| network.inputs(&mut random)).collect();
    let encrypted = encrypt(&key, &client, &samples, &mut randomness).unwrap();
    let outputs = server.run_encrypted(&server_key, &encrypted, &|_| {}).unwrap();
    let found = decrypt(&key, &client, &outputs).unwrap().samples;
    for (inputs, found) in samples.iter().zip(found) {
        assert_eq!(found, network.expected(inputs), "{inputs:?}");
    }
}

#[test]
fn the_ledger_has_one_event_for_each_phase() {
    for (nearest, rotations) in [(APART, 2), (TOGETHER, 1)] {
        assert_one_event_for_each_phase(&Network::new(nearest), rotations);
    }
}

fn assert_one_event_for_each_phase(network: &Network, of_steps: u32) {
    let events = events(&network.server).unwrap();
    let lookups: Vec<&[u32]> = events.iter().map(|event| event.lookups.as_slice()).collect();
    // Fold and table, nearest with count and sign, the lookup at the end; then the outputs.
    assert_eq!(lookups, [&[0][..], &[0], &[1], &[1], &[2], &[], &[], &[]]);
    let rotations: Vec<u32> = events.iter().map(|event| event.rotations).collect();
    assert_eq!(rotations, [1, 1, of_steps, 1, 1, 0, 0, 0]);
    let sets = &network.server.parameters;
    let failures = ledger::lookup_failures(&events, sets).unwrap();
    let single = |index: usize| ledger::assess(&events[index], sets).unwrap().probability.0.exp2();
    for (failure, expected) in failures.iter().zip([single(0) + single(1), single(2) + single(3), single(4)])
    {
        assert!((failure.probability.0.exp2() / expected - 1.0).abs() < 1e-9);
    }
    let worst =
        failures.iter().take(3).map(|failure| failure.probability.0).fold(f64::NEG_INFINITY, f64::max);
    assert_eq!(ledger::summarize(&events, sets).unwrap().worst_lookup.0, worst);
}

/// The input fills half the torus: what is read beyond an end is the center less the entry at the other end.
#[test]
fn a_fold_may_fill_half_the_torus() {
    let fold = Fold { window: 64, ratio: 4 };
    for staircase in [60, 100, 150, 180].map(|start| Saturating { start }) {
        // On both sides the correction falls with slope 1: a reading that is off beyond an end is off inwards.
        let center = 2 * staircase.start + TRANSITION - 256;
        let mut builder =
            Builder::new(vec![set(780, (4, 512), (23, 1), (3, 5)), set(872, (1, 2048), (15, 2), (3, 6))]);
        let x = builder.input(COUNT, 255, fold.input_spacing());
        let places = [Place { key: 0, extension: 0 }, Place { key: 1, extension: 2 }];
        let y = builder.folded((x, 255), (fold, center), &[staircase; COUNT], places, 1 << 60);
        builder.output(y, COUNT, (0, 7), 1 << 60);
        let server = CheckedServer::new(&builder.server).unwrap();
        ledger::check(&client(&builder.server)).unwrap();
        for seed in 0..300 {
            let at = |index: i64| {
                [0, 1, 2, 253, 254, 255, staircase.start - 1, staircase.start][index as usize % 8]
            };
            let inputs: Vec<i64> = (0..COUNT as i64).map(|index| at(index + seed)).collect();
            let expected: Vec<i64> = inputs.iter().map(|x| staircase.at(*x)).collect();
            assert_eq!(server.run_simulated(&[inputs], seed as u64).unwrap(), [expected]);
        }
    }
}

/// Folds whose coarse reading alone is likely to fail.
fn loose(ratio: i64, count: usize) -> (Server, Saturating) {
    let (fold, staircase) = (Fold { window: 20, ratio }, Saturating { start: 90 });
    let mut builder =
        Builder::new(vec![set(780, (4, 512), (23, 1), (3, 5)), set(900, (1, 2048), (23, 1), (4, 4))]);
    let x = builder.input(count, 199, fold.input_spacing());
    let places = [Place { key: 0, extension: 0 }, Place { key: 1, extension: 0 }];
    let y = builder.folded((x, 199), (fold, 0), &vec![staircase; count], places, 1 << 60);
    builder.output(y, count, (0, 7), 1 << 60);
    (builder.server, staircase)
}

/// Far from the transition a reading that is off by too much is wrong on either side; at a jump on one side only.
const INPUTS: [(&[i64], f64); 2] = [(&[20, 40, 160, 180], 1.0), (&[89, 99], 0.5)];

fn inputs_of(values: &[i64], count: usize) -> Vec<i64> {
    values.iter().copied().cycle().take(count).collect()
}

#[test]
fn coarse_readings_fail_at_the_predicted_rate() {
    let count = 2000;
    let (server, staircase) = loose(11, count);
    let checked = CheckedServer::new(&server).unwrap();
    let events = events(&server).unwrap();
    let others = ledger::assess(&events[1], &server.parameters).unwrap().probability.0;
    assert!(others < -20.0, "only the coarse reading fails, 2^{others}");
    for (values, share) in INPUTS {
        let inputs = vec![inputs_of(values, count)];
        let expected = vec![inputs[0].iter().map(|x| staircase.at(*x)).collect()];
        let runs = 20;
        let failures = (0..runs)
            .map(|seed| count_failures(&checked.run_simulated(&inputs, seed).unwrap(), &expected))
            .sum();
        assert_rate(&events[0], &server.parameters, share * (runs as usize * count) as f64, failures);
    }
}

#[test]
fn coarse_readings_of_ciphertexts_fail_at_the_predicted_rate() {
    let count = 240;
    let (server, staircase) = loose(16, count);
    let checked = CheckedServer::new(&server).unwrap();
    let mut client = client(&server);
    client.p_error_log2 = Some(20.0);
    let (key, server_key, mut randomness) = keys(&client);
    for (values, share) in INPUTS {
        let inputs = vec![vec![inputs_of(values, count)]];
        let expected = vec![inputs[0][0].iter().map(|x| staircase.at(*x)).collect()];
        let encrypted = encrypt(&key, &client, &inputs, &mut randomness).unwrap();
        let outputs = checked.run_encrypted(&server_key, &encrypted, &|_| {}).unwrap();
        let failures = count_failures(&decrypt(&key, &client, &outputs).unwrap().samples[0], &expected);
        assert_rate(&client.events[0], &server.parameters, share * count as f64, failures);
    }
}
