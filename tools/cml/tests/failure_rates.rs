//! Programs that the compiler makes for a loose budget fail as often as their ledger says, simulated and encrypted.
//!
//! The ledger counts an error to either side. Where every misreading shows (a table without equal neighbours, a decrypted
//! result) that is the rate, and where one side shows (a comparison with the threshold at hand) half of it is. A chain of
//! stages lies between: at the first and last of its jumps an error to one side shows at most stages, and one to the other at some.
#![allow(clippy::unwrap_used)]

mod support;

use cml_runtime::client::{ClientKey, Randomness, decrypt, encrypt};
use cml_runtime::parameters::{failure, ledger};
use cml_runtime::program::message::{Client, Program};
use cml_runtime::server::{CheckedServer, ServerKey};
use support::Place;
use support::tables::{Lookup, network, staircase};

/// Integers of each lookup.
const COUNT: usize = 20;

/// A lookup where its errors show.
struct Worst {
    /// What the search should choose.
    form: &'static str,
    lookup: Lookup,
    arguments: Vec<i64>,
    /// Least part of the ledger's probability that shows, of coarse readings and of exact ones; and the largest part.
    shares: [f64; 3],
}

impl Worst {
    /// These tables, at these arguments in turn.
    fn new(form: &'static str, tables: Vec<Vec<i64>>, arguments: &[i64], shares: [f64; 3]) -> Self {
        let arguments = arguments.iter().copied().cycle().take(COUNT).collect();
        Self { form, lookup: Lookup::new(COUNT, tables), arguments, shares }
    }

    /// How many of the integers have a wrong result.
    fn wrong(&self, found: &[i64]) -> usize {
        let expected = self.lookup.at(&self.arguments);
        let is_wrong =
            |place: &usize| (*place..found.len()).step_by(COUNT).any(|at| found[at] != expected[at]);
        (0..COUNT).filter(is_wrong).count()
    }
}

/// A lookup of each kind.
fn lookups() -> [Worst; 5] {
    const FAR: [usize; 5] = [150, 261, 430, 612, 770];
    const EVEN: [usize; 5] = [150, 250, 450, 650, 750];
    const COMPARED: [usize; 4] = [6, 13, 18, 27];
    // Beyond the first and the last jump all is flat.
    let ends = |jumps: &[usize]| [jumps[0] as i64 - 1, jumps[jumps.len() - 1] as i64];
    let valued = |steps: Vec<i64>, values: &[i64]| steps.into_iter().map(|x| values[x as usize]).collect();
    // The nearest border of a lattice is read worst where no jump is.
    let close: Vec<usize> = (201..=209).collect();
    let beside: Vec<i64> = COMPARED.iter().flat_map(|jump| [*jump as i64 - 1, *jump as i64]).collect();
    let compared = [&COMPARED, &COMPARED[1..3], &COMPARED[..2]].map(|jumps| staircase(33, jumps));
    let unequal = valued(staircase(400, &close), &[0, 3, 1, 4, 2, 5, 1, 6, 3, 7]);
    let zones = valued(staircase(1000, &EVEN), &[3, 0, 5, 1, 4, 2]);
    let unordered = (0..100).map(|x| x * 3 % 8).collect();
    let inside: Vec<i64> = (10..90).step_by(4).collect();
    [
        Worst::new("fold", vec![unequal], &ends(&close), [0.5, 0.5, 1.0]),
        Worst::new("steps", vec![staircase(1000, &FAR)], &ends(&FAR), [0.5, 0.5, 1.0]),
        Worst::new("floor", vec![zones], &ends(&EVEN), [0.0, 0.5, 1.0]),
        Worst::new("bootstrap", vec![unordered], &inside, [1.0; 3]),
        Worst::new("compare", compared.to_vec(), &beside, [0.5; 3]),
    ]
}

/// A program for this lookup, of which each integer may fail with this probability.
fn compiled(worst: &Worst, budget: &str) -> Program {
    let place = Place::new();
    place.write("table.mlir", network(std::slice::from_ref(&worst.lookup)));
    place.succeed(&format!("compile table.mlir --p-error-per-lookup {budget} -o table.cml"));
    let report = place.succeed("inspect table.cml --json");
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let form = report["lookups"][0]["form"].as_str().unwrap();
    assert!(form.contains(worst.form), "{form}, expected {}", worst.form);
    Program::load(&place.path("table.cml")).unwrap()
}

/// Least and largest probability that one integer has a wrong result.
fn predicted(client: &Client, worst: &Worst) -> [f64; 2] {
    let sets = &client.parameters;
    let mut sums = [0.0; 2];
    for event in &client.events {
        let assessed = ledger::assess(event, sets).unwrap();
        // The ledger gives away half a position on every side; with all of it back, the rate is a lower bound.
        let half_position = event.extension.map_or(0.0, |extension| {
            let boundaries = ledger::boundary_extension(event.compares, extension);
            ledger::half_position(&sets[event.key as usize], boundaries)
        });
        let least = failure::outside(assessed.tolerance + 2.0 * half_position, assessed.variance);
        let [coarse, exact, most] = worst.shares;
        let shares = match event {
            // The results of all tables are decrypted.
            event if event.lookups.is_empty() => [1.0, worst.lookup.tables.len() as f64],
            event => [if event.tolerance > 0 { coarse } else { exact }, most],
        };
        for (sum, (share, log2)) in sums.iter_mut().zip(shares.iter().zip([least, assessed.probability])) {
            *sum += share * log2.0.exp2();
        }
    }
    sums
}

/// Up to four deviations of a binomial count.
fn assert_within(what: &str, found: usize, count: usize, [least, most]: [f64; 2]) {
    let (found, count) = (found as f64, count as f64);
    let deviations = |probability: f64| 4.0 * (count * probability * (1.0 - probability)).sqrt();
    let (low, high) = (count * least - deviations(least), count * most + deviations(most));
    eprintln!("{what}: {found} of {count}, predicted {:.1} to {:.1}", count * least, count * most);
    assert!(low <= found && found <= high, "{what}: {found} of {count}, expected {low:.1} to {high:.1}");
}

/// The failures in so many runs.
fn simulated(server: &CheckedServer<'_>, worst: &Worst, runs: u64) -> usize {
    let inputs = std::slice::from_ref(&worst.arguments);
    (0..runs).map(|seed| worst.wrong(&server.run_simulated(inputs, seed).unwrap()[0])).sum()
}

#[test]
fn simulated_lookups_fail_at_the_predicted_rate() {
    let runs = 10_000;
    for worst in lookups() {
        let program = compiled(&worst, "2^-8");
        let server = CheckedServer::new(program.server.as_ref().unwrap()).unwrap();
        let failures = simulated(&server, &worst, runs);
        let bounds = predicted(program.client.as_ref().unwrap(), &worst);
        assert_within(worst.form, failures, runs as usize * COUNT, bounds);
    }
}

#[test]
fn encrypted_lookups_fail_at_the_predicted_rate() {
    let (samples, runs) = (12, 1000);
    let (mut found, mut expected) = (0, 0.0);
    for worst in lookups() {
        let program = compiled(&worst, "2^-4");
        let client = program.client.as_ref().unwrap();
        let server = CheckedServer::new(program.server.as_ref().unwrap()).unwrap();
        let mut randomness = Randomness::from_seed([7; 32]);
        let key = ClientKey::generate(client, &mut randomness).unwrap();
        let server_key = ServerKey::prepare(&key.evaluation_key(&mut randomness));
        let inputs = vec![vec![worst.arguments.clone()]; samples];
        let inputs = encrypt(&key, client, &inputs, &mut randomness).unwrap();
        let outputs = server.run_encrypted(&server_key, &inputs, &|_| {}).unwrap();
        let decrypted = decrypt(&key, client, &outputs).unwrap().samples;
        let failures = decrypted.iter().map(|sample| worst.wrong(&sample[0])).sum();
        assert_within(worst.form, failures, samples * COUNT, predicted(client, &worst));
        found += failures;
        expected += simulated(&server, &worst, runs) as f64 / (runs as usize * COUNT) as f64;
    }
    let (kinds, count) = (lookups().len(), samples * COUNT);
    let rate = expected / kinds as f64;
    assert_within("all, beside the simulation", found, kinds * count, [rate; 2]);
}
