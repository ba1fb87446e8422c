//! Random tables through the whole compiler: every way to look up gives the table's value, encrypted, where it is hardest.
#![allow(clippy::unwrap_used)]

mod support;

use cml_runtime::client::{ClientKey, Randomness, decrypt, encrypt};
use cml_runtime::program::message::{Action, Program, Server, Stage};
use cml_runtime::server::{CheckedServer, ServerKey};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::ops::Range;
use support::Place;
use support::tables::{Lookup, network, staircase};

/// Tables of one integer, and where to look them up: beside all jumps, and at both ends.
struct Tables {
    lookup: Lookup,
    arguments: Vec<i64>,
}

impl Tables {
    fn new(tables: Vec<Vec<i64>>) -> Self {
        let last = tables[0].len() - 1;
        let jumps = |x: &usize| tables.iter().any(|table| table[x - 1] != table[*x]);
        let beside = (1..=last).filter(jumps).flat_map(|x| [x - 1, x]);
        let mut arguments: Vec<i64> = beside.chain([0, last]).map(|x| x as i64).collect();
        arguments.sort_unstable();
        arguments.dedup();
        Self { lookup: Lookup::new(arguments.len(), tables), arguments }
    }
}

/// Jumps from a place on, each so far from the one before.
fn jumps(random: &mut ChaCha8Rng, first: Range<usize>, apart: Range<usize>, count: usize) -> Vec<usize> {
    let mut next = random.random_range(first);
    let mut jump = || {
        let jump = next;
        next += random.random_range(apart.clone());
        jump
    };
    (0..count).map(|_| jump()).collect()
}

fn values(random: &mut ChaCha8Rng, count: usize) -> Vec<i64> {
    (0..count).map(|_| random.random_range(0..16)).collect()
}

/// Another value from each jump on.
fn unequal(random: &mut ChaCha8Rng, entries: usize, jumps: &[usize]) -> Vec<i64> {
    let values = values(random, jumps.len() + 1);
    staircase(entries, jumps).into_iter().map(|zone| values[zone as usize]).collect()
}

/// Tables of which the search makes something different each.
fn all(random: &mut ChaCha8Rng) -> Vec<Tables> {
    let mut all = Vec::new();
    // A narrow transition anywhere in a range that is wide, and in one that is wider still.
    for entries in [200..500, 8_000..30_000] {
        let entries = random.random_range(entries);
        let jumps = jumps(random, 20..entries - 20, 1..4, 5);
        all.push(unequal(random, entries, &jumps));
    }
    // Equal jumps far apart, all over the range and in a part of it.
    for (entries, first, apart) in [(900..1500, 60..120, 100..200), (3000..4000, 1000..2500, 20..40)] {
        let (entries, jumps) = (random.random_range(entries), jumps(random, first, apart, 6));
        all.push(staircase(entries, &jumps));
    }
    // Unequal ones, anywhere and on a lattice.
    let (entries, anywhere) = (random.random_range(900..1500), jumps(random, 60..120, 100..200, 6));
    all.push(unequal(random, entries, &anywhere));
    let (first, step) = (random.random_range(1..50), random.random_range(50..80));
    let lattice: Vec<usize> =
        (0..16).map(|at| first + at * step).filter(|_| random.random_bool(0.7)).collect();
    all.push(unequal(random, first + 16 * step, &lattice));
    // No order at all.
    for entries in [8..12, 40..60] {
        let entries = random.random_range(entries);
        all.push(values(random, entries));
    }
    let mut all: Vec<Tables> = all.into_iter().map(|table| Tables::new(vec![table])).collect();
    // Several tables of one value.
    let entries = random.random_range(20..28);
    all.push(Tables::new((0..3).map(|_| staircase(entries, &jumps(random, 1..5, 2..6, 4))).collect()));
    all
}

/// The stages of each lookup, in order.
fn plans(server: &Server) -> Vec<String> {
    let mut plans: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for step in &server.steps {
        let (lookup, stage) = match &step.action {
            Some(Action::Bootstrap(found)) => {
                let stage = format!("{:?}", Stage::try_from(found.stage).unwrap());
                (found.lookup, if found.extension > 0 { format!("extended {stage}") } else { stage })
            }
            Some(Action::Compare(found)) => (found.lookup, "Compare".to_owned()),
            _ => continue,
        };
        plans.entry(lookup).or_default().push(stage);
    }
    plans.into_values().map(|stages| stages.join(" ")).collect()
}

#[test]
fn every_way_to_look_up_is_exact_beside_all_jumps() {
    let mut found = Vec::new();
    for seed in 0..2 {
        let all = all(&mut ChaCha8Rng::seed_from_u64(seed));
        let place = Place::new();
        let lookups: Vec<Lookup> = all.iter().map(|tables| tables.lookup.clone()).collect();
        place.write("tables.mlir", network(&lookups));
        place.succeed("compile tables.mlir -o tables.cml");
        let program = Program::load(&place.path("tables.cml")).unwrap();
        let (server, client) = (program.server.as_ref().unwrap(), program.client.as_ref().unwrap());
        found.extend(plans(server));

        let inputs: Vec<Vec<i64>> = all.iter().map(|tables| tables.arguments.clone()).collect();
        let expected: Vec<Vec<i64>> = all.iter().map(|tables| tables.lookup.at(&tables.arguments)).collect();
        let checked = CheckedServer::new(server).unwrap();
        assert_eq!(checked.run_clear(&inputs).unwrap(), expected, "seed {seed}");
        for noise in 0..50 {
            assert_eq!(checked.run_simulated(&inputs, noise).unwrap(), expected, "seed {seed}");
        }
        let mut randomness = Randomness::from_seed([seed as u8; 32]);
        let key = ClientKey::generate(client, &mut randomness).unwrap();
        let server_key = ServerKey::prepare(&key.evaluation_key(&mut randomness));
        let encrypted = encrypt(&key, client, &[inputs], &mut randomness).unwrap();
        let outputs = checked.run_encrypted(&server_key, &encrypted, &|_| {}).unwrap();
        assert_eq!(decrypt(&key, client, &outputs).unwrap().samples, [expected], "seed {seed}");
    }
    let some = |what: &str, is_it: &dyn Fn(&str) -> bool| {
        assert!(found.iter().any(|plan| is_it(plan)), "no {what} among {found:#?}");
    };
    some("plain bootstrap", &|plan| plan == "Table");
    some("extended bootstrap", &|plan| plan == "extended Table");
    some("fold", &|plan| plan.starts_with("Fold Table"));
    some("fold of a fold", &|plan| plan.contains("Fold Fold") || plan.contains("Fold extended Fold"));
    some("steps", &|plan| plan.starts_with("Nearest Count") && plan.ends_with("Sign"));
    some("steps in a fold", &|plan| plan.starts_with("Fold Nearest"));
    some("zones", &|plan| plan.contains("Count") && plan.ends_with("Table"));
    some("floor", &|plan| plan.contains("Nearest") && !plan.contains("Count"));
    some("comparisons", &|plan| plan == "Compare");
}
