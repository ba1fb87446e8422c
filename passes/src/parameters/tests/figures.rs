//! Searches whose results were measured, or are known from other searches.

use super::*;

/// Variance of the input in units of that of a fresh encryption with a big key of 2048: a deviation of 2^-20.
const NOISY_INPUT: f64 = 1.1e17;

/// An output that can be decrypted at 2^-40 if what it reads has this deviation, log2.
fn wants(log2_std_dev: f64, list: u32) -> Output {
    output(1, 4096, &[(list, ((-14.0 - log2_std_dev).exp2() / 7.2).powi(2))])
}

/// As many lookups as fill their batches.
const LOOKUPS: u32 = 64;

/// Milliseconds of one of many lookups on one core, where its result may have a deviation.
fn alone(profile: Profile, log2_std_dev: f64, budget: Budget, options: Options) -> f64 {
    let problem = Problem {
        inputs: 1,
        groups: vec![group(LOOKUPS, profile, &[(0, NOISY_INPUT)])],
        outputs: vec![wants(log2_std_dev, 1)],
    };
    // Two threads share the lookups.
    solve(&problem, budget, options).seconds * 2e3 / f64::from(LOOKUPS)
}

#[test]
fn single_tables_get_the_sets_that_were_measured() {
    // Milliseconds of keyswitch and bootstrap, measured at sets of another search.
    for (bits, milliseconds) in [(4, 8.0), (5, 17.0), (6, 30.3), (7, 88.7), (8, 173.0)] {
        let narrow = group(1, ramp(2), &[(0, 1.0)]);
        let problem = Problem {
            inputs: 1,
            groups: vec![narrow, group(1, ramp((1 << bits) + 1), &[(1, 64.0)])],
            outputs: vec![],
        };
        let found = solve(&problem, per_lookup(-40.0), PLAIN);
        let one_thread = found.groups[1].seconds * 2e3;
        assert!((one_thread / milliseconds - 1.0).abs() < 0.15, "{one_thread} ms");
        let set = &found.key_sets[0];
        let extension = found.groups[1].form.stages[0].extension;
        let shape = (set.glwe_dimension, set.polynomial_size, set.pbs_level, extension);
        match bits {
            4 => assert_eq!(shape, (2, 1024, 1, 0)),
            6 => assert_eq!(shape, (1, 2048, 1, 2)),
            8 => assert_eq!(shape, (1, 2048, 2, 4)),
            _ => {}
        }
    }
}

#[test]
fn folds_cost_what_was_measured() {
    // Transitions of 8 slots, measured at 2^-40 for each stage.
    for (bits, loud, quiet) in [(6, 14.1, 17.2), (7, 16.4, 20.1), (8, 17.1, 23.6), (10, 23.9, 28.5)] {
        let profile = || staircase(1 << bits, (0..7).map(|i| (1 << (bits - 1)) + i));
        for (log2_std_dev, measured) in [(-15.0, loud), (-21.5, quiet)] {
            let found = alone(profile(), log2_std_dev, per_lookup(-38.4), Options::default());
            assert!(found < 1.1 * measured, "{bits} bits: {found} ms, measured {measured} ms");
        }
    }
}

#[test]
fn a_fold_and_steps_cost_what_was_measured() {
    // Seven jumps at least 19 apart, somewhere in 10 bits; no common distance.
    let jumps = [402, 421, 441, 461, 482, 503, 523];
    // The noise of both stages that make the result adds up.
    for (log2_std_dev, measured) in [(-14.5, 32.4), (-21.5, 44.3)] {
        let found = alone(staircase(1024, jumps), log2_std_dev, per_lookup(-38.0), Options::default());
        assert!(found < 1.1 * measured, "{found} ms, measured {measured} ms");
    }
}

#[test]
fn accumulators_of_15_bits_can_be_looked_up() {
    let jumps = (0..7).map(|i| 9000 + 900 * i + i * i);
    let found = alone(staircase(1 << 15, jumps), -21.5, per_lookup(-40.0), Options::default());
    assert!(found < 100.0, "{found} ms");
}

/// Activations of 4, 6 and 8 bits on ranges that no bootstrap reads at once.
#[test]
fn uniform_staircases_of_any_width_can_be_looked_up() {
    for (bits, count) in [(12, 15), (12, 63), (12, 255), (16, 15), (16, 63), (16, 255)] {
        let gap = (1i64 << bits) / (count + 1);
        let profile = staircase(1 << bits, (1..=count).map(|step| step * gap));
        let problem = behind_a_lookup(vec![(10, profile, 4.0)], vec![]);
        solve(&problem, Budget::default(), Options::default());
    }
}

#[test]
fn wide_staircases_of_one_list_can_be_looked_up() {
    // Accumulators of weights of 8 bits: no single reading serves the spacing that the narrowest encoding would have.
    let jumps = |first: i64, gap: i64| (0..7).map(move |i| first + gap * i + i % 3);
    let problem = Problem {
        inputs: 1,
        groups: vec![
            group(12, staircase(8000, jumps(2500, 240)), &[(0, 4e4)]),
            group(16, staircase(21_000, jumps(6000, 700)), &[(0, 2e5)]),
        ],
        outputs: vec![output(10, 6000, &[(1, 5e4), (2, 8e4)])],
    };
    let found = solve(&problem, per_lookup(-40.0), Options::default());
    assert!(found.seconds < 1.2, "{} s", found.seconds);
}

#[test]
fn the_smallest_budgets_can_be_kept() {
    let profile = || staircase(512, (0..7).map(|i| 256 + i));
    let [loose, strict] =
        [-40.0, -128.0].map(|log2| alone(profile(), -21.5, per_lookup(log2), Options::default()));
    assert!(loose < strict && strict < 2.0 * loose, "{loose} ms, {strict} ms");
}

#[test]
fn one_ring_costs_more_but_not_much() {
    let profile = || staircase(1024, [402, 421, 441, 461, 482, 503, 523]);
    let problem = Problem {
        inputs: 1,
        groups: vec![group(1, profile(), &[(0, NOISY_INPUT)])],
        outputs: vec![wants(-21.5, 1)],
    };
    let free = solve(&problem, per_lookup(-40.0), Options::default());
    let one_ring = solve(&problem, per_lookup(-40.0), Options { one_ring: true, ..Options::default() });
    let shapes: Vec<_> = one_ring.key_sets.iter().map(ParameterSet::glwe_shape).collect();
    assert!(shapes.windows(2).all(|pair| pair[0] == pair[1]), "{shapes:?}");
    assert!(free.seconds <= one_ring.seconds * 1.02 && one_ring.seconds < 1.5 * free.seconds);
}

/// A network of 28 wide staircases in two layers, between inputs of 4 bits and a decrypted sum.
fn digits() -> Problem {
    let jumps = |first: i64, gap: i64| (0..7).map(move |i| first + gap * i + i % 3);
    Problem {
        inputs: 1,
        groups: vec![
            group(16, staircase(1000, jumps(400, 30)), &[(0, 600.0)]),
            group(12, staircase(500, jumps(180, 19)), &[(1, 150.0)]),
        ],
        outputs: vec![output(10, 400, &[(2, 100.0)])],
    }
}

#[test]
fn a_small_network_takes_what_its_lookups_take() {
    let found = solve(&digits(), per_lookup(-40.0), Options::default());
    // 28 lookups at 44 ms on one of two threads, and a little more for the sake of fewer keys.
    assert!(found.seconds < 0.65, "{} s", found.seconds);
    let plain = solve(&digits(), per_lookup(-40.0), PLAIN);
    assert!(found.seconds < 0.2 * plain.seconds);
    let bytes: u64 = found.key_sets.iter().map(ParameterSet::eval_key_bytes).sum();
    assert!(bytes < 221_000_000, "{bytes} bytes");
}
