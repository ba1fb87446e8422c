//! Whole searches.

mod figures;
mod properties;
mod refusals;

use super::*;
use crate::lookups::Profile;
use cml_runtime::machine::{Bootstraps, Keyswitch};
use cml_runtime::parameters::{failure, ledger};
use cml_runtime::reference::message::Table;
use cml_runtime::units::{GlweShape, Variance};

/// One bootstrap for each lookup, and one key set.
const PLAIN: Options =
    Options { one_ring: false, key_sets: 1, chains: false, shared_rotations: false, approximate: None };

/// Of a staircase with these jumps on `0..range`, rising, each by 1.
fn staircase(range: i64, jumps: impl IntoIterator<Item = i64>) -> Profile {
    let mut jumps = jumps.into_iter().peekable();
    let mut value = 0;
    let values = (0..range).map(|x| {
        value += i64::from(jumps.next_if(|jump| *jump <= x).is_some());
        value
    });
    Profile::of(&Table { lo: 0, values: values.collect() }).unwrap()
}

/// Of a table that is flat nowhere.
fn ramp(range: i64) -> Profile {
    staircase(range, 1..range)
}

fn reading(node: &str, range: (i64, i64), count: u32, pairs: &[(u32, f64)]) -> Reading {
    Reading { node: node.to_owned(), range, count, rows: vec![pairs.iter().copied().collect()] }
}

fn group(count: u32, profile: Profile, pairs: &[(u32, f64)]) -> Group {
    let range = (0, profile.range as i64 - 1);
    let reading = reading(&format!("Relu_{}", profile.range), range, count, pairs);
    Group { reading, profile, compares: None }
}

fn output(count: u32, slots: u64, pairs: &[(u32, f64)]) -> Output {
    let range = (-(slots as i64), slots as i64 - 1);
    Output { reading: reading("scores", range, count, pairs), slots }
}

/// Groups that read what a group before them made: that has a narrow table.
fn behind_a_lookup(groups: Vec<(u32, Profile, f64)>, outputs: Vec<(u32, u64, f64)>) -> Problem {
    let mut all = Vec::new();
    for (count, profile, norm2_squared) in groups {
        let list = 1 + all.len() as u32;
        all.push(group(1, ramp(4), &[(0, 1.0)]));
        all.push(group(count, profile, &[(list, norm2_squared)]));
    }
    let outputs = outputs.into_iter().map(|(count, slots, norm2_squared)| {
        let list = 1 + all.len() as u32;
        all.push(group(1, ramp(4), &[(0, 1.0)]));
        output(count, slots, &[(list, norm2_squared)])
    });
    let outputs = outputs.collect();
    Problem { inputs: 1, groups: all, outputs }
}

fn per_inference(log2: f64) -> Budget {
    Budget { inference: Some(Log2Probability(log2)), per_lookup: None }
}

fn per_lookup(log2: f64) -> Budget {
    Budget { inference: None, per_lookup: Some(Log2Probability(log2)) }
}

/// A machine whose costs follow a rule: what is found with it does not change when the shipped table is measured anew.
///
/// Transforms of `N log2 N`, multiply-adds, rotations and digits, in nanoseconds of a core of 2022 with AVX-512.
fn machine() -> Machine {
    let entry = |shape: GlweShape| {
        let (size, rows) = (shape.polynomial_size as f64, shape.dimension as f64 + 1.0);
        let transforms = rows * 0.085 * size * size.log2();
        Bootstraps {
            glwe_dimension: shape.dimension as u32,
            polynomial_size: shape.polynomial_size as u32,
            key: rows * rows * size * 8.0 * 0.05,
            digit: transforms + rows * size * (rows * 0.105 + 0.37),
            accumulator: transforms + rows * size * 0.37,
        }
    };
    let keyswitch = Keyswitch { multiply_add: 0.055, digit: 0.0, key_word: 0.0 };
    let bootstraps = space::shapes().map(entry).collect();
    Machine { threads: 2, keyswitch, crowded: Vec::new(), bootstraps, ..Machine::default_table() }
}

fn solve(problem: &Problem, budget: Budget, options: Options) -> Solution {
    let start = std::time::Instant::now();
    let found = search(problem, budget, &machine(), options).unwrap();
    show(&found, start);
    verify(problem, &found, budget);
    found
}

fn show(found: &Solution, start: std::time::Instant) {
    let (seconds, total) = (found.seconds, found.total.0);
    println!(
        "{:.2} ms, 2^{total:.2}, searched in {:.0} ms",
        seconds * 1e3,
        start.elapsed().as_secs_f64() * 1e3
    );
    for set in &found.key_sets {
        println!(
            "   k={} N={} n={} pbs ({}, {}) ks ({}, {}), results 2^{:.2}, {:.0} MB",
            set.glwe_dimension,
            set.polynomial_size,
            set.lwe_dimension,
            set.pbs_level,
            set.pbs_base_log,
            set.ks_level,
            set.ks_base_log,
            set.bootstrap_variance().log2_std_dev(),
            set.eval_key_bytes() as f64 * 1e-6,
        );
    }
    for Chosen { form, spacing, probability, seconds } in &found.groups {
        println!("   {form} at {} slots: {:.2} ms, 2^{:.2}", spacing.slots(), seconds * 1e3, probability.0);
    }
}

/// Holds a solution against the formulas, by a way of its own.
fn verify(problem: &Problem, found: &Solution, budget: Budget) {
    let sets = &found.key_sets;
    for set in sets {
        assert_eq!((set.check(), set.check_security()), (Ok(()), Ok(())));
        assert_eq!(set.big_dimension(), sets[0].big_dimension());
        assert_eq!(set.glwe_std_dev.to_bits(), sets[0].glwe_std_dev.to_bits());
    }
    let mut variances = vec![sets[0].fresh_variance().0; problem.inputs];
    let (mut all, mut one) = (Vec::new(), Vec::new());
    for (group, chosen) in problem.groups.iter().zip(&found.groups) {
        let Chosen { form, spacing, .. } = chosen;
        for list in group.reading.lists() {
            assert_eq!(spacing.0 % found.spacings[list].0, 0, "no multiple of the spacing of list {list}");
        }
        assert!(u128::from(spacing.0) * u128::from(form.slots) <= 1 << 63, "too few slots for {form}");
        assert!(i64::try_from(spacing.0).is_ok(), "no spacing that the dialect has");
        let list = group.reading.lists()[0];
        let factor = (spacing.0 / found.spacings[list].0) as f64;
        let arriving = group.reading.largest(|list| variances[list]) * factor * factor;
        let result = |stage: usize| sets[form.stages[stage].key as usize].bootstrap_variance().0;
        let mut phases = Vec::new();
        for (stage, demand) in form.stages.iter().zip(form.stages()) {
            let set = &sets[stage.key as usize];
            assert!(stage.extension >= 0 || demand.tables == 2, "nothing to share in {form}");
            let earlier = demand.stages.iter().map(|(stage, factor)| factor * result(*stage)).sum::<f64>();
            let added = set.keyswitch_variance() + set.modulus_switch_variance(stage.extension);
            let variance = Variance(demand.input * arriving + earlier) + added;
            let room = (demand.tolerance as f64 + 0.5) * demand.spacing(*spacing).torus();
            let boundaries = ledger::boundary_extension(form.compares(), stage.extension);
            phases.push(failure::outside(room - ledger::half_position(set, boundaries), variance));
        }
        let probability = Log2Probability::sum(phases);
        assert!((probability.0 - chosen.probability.0).abs() < 1e-6 * probability.0.abs());
        one.push(probability);
        all.push(Log2Probability(probability.0 + f64::from(group.reading.count).log2()));
        variances.push(form.result().iter().map(|(stage, factor)| factor * result(*stage)).sum());
    }
    for (output, found_probability) in problem.outputs.iter().zip(&found.outputs) {
        let lists = output.reading.lists();
        let spacing = found.spacings[lists[0]];
        assert!(spacing.slots() >= output.slots);
        let variance = output.reading.largest(|list| variances[list]);
        let probability = failure::outside(spacing.torus() / 2.0, Variance(variance));
        assert!(
            probability.0 == found_probability.0 || (probability.0 / found_probability.0 - 1.0).abs() < 1e-6
        );
        one.push(probability);
        all.push(Log2Probability(probability.0 + f64::from(output.reading.count).log2()));
    }
    let total = Log2Probability::sum(all).0;
    assert!((total - found.total.0).abs() < 1e-6 * total.abs());
    assert!(budget.inference.is_none_or(|budget| total <= budget.0 + 1e-6), "2^{total}");
    assert!(budget.per_lookup.is_none_or(|budget| one.iter().all(|one| one.0 <= budget.0 + 1e-6)));
    let groups: f64 = found.groups.iter().map(|group| group.seconds).sum();
    assert!((groups - found.seconds).abs() <= 1e-9 * groups);
}
