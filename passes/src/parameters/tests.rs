//! Whole searches.

use super::*;
use cml_runtime::parameters::ledger;
use cml_runtime::program::message::Event;
use proptest::prelude::*;

fn lookup(count: u32, slots: u64, norm2_squared: f64) -> Demand {
    Demand {
        node: format!("Relu_{slots}"),
        count,
        norm2_squared_inputs: 0.0,
        norm2_squared_bootstraps: norm2_squared,
        spacing: Spacing::of_slots(slots),
        kind: DemandKind::Lookup,
    }
}

fn output(count: u32, slots: u64, norm2_squared: f64) -> Demand {
    Demand { kind: DemandKind::Output, node: "scores".to_owned(), ..lookup(count, slots, norm2_squared) }
}

fn per_inference(log2: f64) -> Budget {
    Budget { inference: Some(Log2Probability(log2)), per_lookup: None }
}

fn per_lookup(log2: f64) -> Budget {
    Budget { inference: None, per_lookup: Some(Log2Probability(log2)) }
}

fn solve(demands: &[Demand], budget: Budget) -> Solution {
    search(demands, budget, &Machine::default_table()).unwrap()
}

fn events(demands: &[Demand], solution: &Solution) -> Vec<Event> {
    let event = |(index, (demand, extension)): (u32, (&Demand, &Option<u32>))| Event {
        lookups: extension.map(|_| index).into_iter().collect(),
        node: demand.node.clone(),
        count: demand.count,
        norm2_squared_inputs: demand.norm2_squared_inputs,
        norm2_squared_bootstraps: vec![demand.norm2_squared_bootstraps],
        spacing: demand.spacing.0,
        extension: *extension,
        ..Event::default()
    };
    (0..).zip(demands.iter().zip(&solution.extensions)).map(event).collect()
}

fn show(title: &str, solution: &Solution, start: std::time::Instant) {
    let set = &solution.set;
    println!(
        "{title}: {:.2} ms, k={} N={} n={} pbs ({}, {}) ks ({}, {}) v={:?}, 2^{:.2}, searched in {:.0} ms",
        solution.seconds * 1e3,
        set.glwe_dimension,
        set.polynomial_size,
        set.lwe_dimension,
        set.pbs_level,
        set.pbs_base_log,
        set.ks_level,
        set.ks_base_log,
        solution.extensions,
        solution.total.0,
        start.elapsed().as_secs_f64() * 1e3,
    );
}

#[test]
fn single_tables_get_the_sets_that_were_measured() {
    // Milliseconds of keyswitch and bootstrap, measured at sets of another search.
    for (bits, milliseconds) in [(4, 8.0), (5, 17.0), (6, 30.3), (7, 88.7), (8, 173.0)] {
        let start = std::time::Instant::now();
        let found = solve(&[lookup(1, 1 << bits, 64.0)], per_lookup(-40.0));
        show(&format!("{bits} bits"), &found, start);
        // Two threads share the lookups.
        let one_thread = found.seconds * 2e3;
        assert!((one_thread / milliseconds - 1.0).abs() < 0.15, "{one_thread} ms");
        let set = &found.set;
        let shape = (set.glwe_dimension, set.polynomial_size, set.pbs_level, found.extensions[0]);
        match bits {
            4 => assert_eq!(shape, (2, 1024, 1, Some(0))),
            6 => assert_eq!(shape, (1, 2048, 1, Some(2))),
            8 => assert_eq!(shape, (1, 2048, 2, Some(4))),
            _ => {}
        }
    }
}

#[test]
fn groups_of_one_program_have_their_own_extensions() {
    let start = std::time::Instant::now();
    let demands =
        [lookup(40, 8, 20.0), lookup(50, 60, 300.0), lookup(10, 200, 300.0), output(10, 100, 300.0)];
    let found = solve(&demands, Budget::default());
    show("three widths", &found, start);
    let v: Vec<u32> = found.extensions.iter().flatten().copied().collect();
    assert!(v.len() == 3 && v[0] < v[1] && v[1] < v[2], "{v:?}");
    assert_eq!(found.extensions[3], None);
}

#[test]
fn thirty_demands_are_searched_quickly() {
    let demands: Vec<Demand> =
        (0..30).map(|i| lookup(5 + i, 10 + 7 * u64::from(i), 50.0 + 10.0 * f64::from(i))).collect();
    let start = std::time::Instant::now();
    let found = solve(&demands, Budget::default());
    show("thirty demands", &found, start);
    assert_eq!(found, solve(&demands, Budget::default()));
}

#[test]
fn a_program_without_lookups_has_keys_all_the_same() {
    let start = std::time::Instant::now();
    let found = solve(&[output(10, 1000, 0.0)], Budget::default());
    show("outputs only", &found, start);
    assert_eq!((found.seconds, &found.extensions), (0.0, &vec![None]));
    assert_eq!(found.set.check_security(), Ok(()));
}

#[test]
fn what_nothing_can_read_is_named() {
    let start = std::time::Instant::now();
    let demands = [lookup(10, 16, 10.0), lookup(10, 1 << 20, 1e4)];
    let error = search(&demands, Budget::default(), &Machine::default_table()).unwrap_err();
    println!("{error} (after {:?})", start.elapsed());
    let SearchError::TooDemanding(found) = &error else { panic!("{error}") };
    assert_eq!((found.node.as_str(), found.slots, found.bits), ("Relu_1048576", 1 << 20, 20));
    assert!(found.reachable > -40.0 && found.of_inference);
    // The advice holds.
    let fits = found.slots_that_fit;
    assert!((64..1 << 20).contains(&fits), "{fits}");
    assert!(search(&[lookup(10, fits / 2, 1e4)], Budget::default(), &Machine::default_table()).is_ok());

    // Where each would fit alone, as many as there are of all; the sum is reported.
    let crowd = [lookup(u32::MAX, fits, 1e4), lookup(10, fits, 1e4)];
    let error = search(&crowd, Budget::default(), &Machine::default_table()).unwrap_err();
    let SearchError::TooDemanding(found) = &error else { panic!("{error}") };
    assert!(found.norm2_squared == 1e4 && found.reachable > -40.0 && found.slots_that_fit < fits, "{error}");

    let error = search(&[output(3, 1 << 62, 1.0)], per_lookup(-40.0), &Machine::default_table());
    let message = error.unwrap_err().to_string();
    assert!(
        message.contains("scores: no parameters decrypt") && message.contains("for each lookup"),
        "{message}"
    );
}

#[test]
fn senseless_arguments_are_refused() {
    let machine = Machine::default_table();
    let good = lookup(1, 4, 1.0);
    let of = |demand: Demand| search(&[demand], Budget::default(), &machine).unwrap_err();
    assert_eq!(search(&[], Budget::default(), &machine), Err(SearchError::NothingToRead));
    let name = |error| match error {
        SearchError::BadDemand { name, .. } => name,
        other => panic!("{other}"),
    };
    assert_eq!(name(of(Demand { count: 0, ..good.clone() })), "number");
    assert_eq!(name(of(Demand { spacing: Spacing(0), ..good.clone() })), "spacing");
    assert_eq!(name(of(Demand { norm2_squared_inputs: f64::NAN, ..good.clone() })), "squared norm on inputs");
    assert_eq!(
        name(of(Demand { norm2_squared_bootstraps: -1.0, ..good.clone() })),
        "squared norm on bootstraps"
    );
    for log2 in [0.0, 1.0, f64::NAN, f64::NEG_INFINITY] {
        let found = search(std::slice::from_ref(&good), per_inference(log2), &machine);
        assert!(matches!(found, Err(SearchError::BadBudget { .. })), "{found:?}");
    }
    let none = Budget { inference: None, per_lookup: None };
    assert_eq!(search(&[good], none, &machine), Err(SearchError::NoBudget));
}

#[test]
fn sizes_that_the_machine_lacks_are_not_used() {
    let mut machine = Machine::default_table();
    machine.polynomials.retain(|entry| entry.size == 1024);
    let found = search(&[lookup(1, 64, 64.0)], Budget::default(), &machine).unwrap();
    assert_eq!(found.set.polynomial_size, 1024);
    machine.polynomials.iter_mut().for_each(|entry| entry.size = 128);
    assert!(search(&[lookup(1, 64, 64.0)], Budget::default(), &machine).is_err());
}

fn demands() -> impl Strategy<Value = Vec<Demand>> {
    let demand = (any::<bool>(), 1u32..200, 2u64..300, 0.0f64..500.0, 0.0f64..500.0);
    let demand = demand.prop_map(|(is_output, count, slots, inputs, bootstraps)| Demand {
        norm2_squared_inputs: inputs,
        kind: if is_output { DemandKind::Output } else { DemandKind::Lookup },
        ..lookup(count, slots, bootstraps)
    });
    proptest::collection::vec(demand, 1..6)
}

fn budgets() -> impl Strategy<Value = Budget> {
    let log2 = || proptest::option::of((-90.0f64..-10.0).prop_map(Log2Probability));
    let both = (log2(), log2()).prop_map(|(inference, per_lookup)| Budget { inference, per_lookup });
    both.prop_filter("at least one", |budget| budget.inference.is_some() || budget.per_lookup.is_some())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_found_is_secure_and_within_the_budget(demands in demands(), budget in budgets()) {
        let found = solve(&demands, budget);
        prop_assert_eq!(found.set.check(), Ok(()));
        prop_assert_eq!(found.set.check_security(), Ok(()));
        prop_assert!(found.set.security_bits() >= 128.0);
        let summary = ledger::summarize(&events(&demands, &found), std::slice::from_ref(&found.set)).unwrap();
        prop_assert_eq!(summary.total, found.total);
        if let Some(budget) = budget.inference {
            prop_assert!(summary.total <= budget);
        }
        if let Some(budget) = budget.per_lookup {
            prop_assert!(summary.worst_lookup <= budget && summary.worst_output <= budget);
        }
        let lookups = demands.iter().zip(&found.extensions);
        let lookups = lookups.filter_map(|(demand, extension)| Some((demand.count, (*extension)?)));
        let predicted = Machine::default_table().seconds(&found.set, lookups).unwrap();
        prop_assert!((predicted - found.seconds).abs() <= 1e-9 * predicted);
    }

    #[test]
    fn asking_for_less_never_costs_more(demands in demands(), log2 in -90.0f64..-10.0, index: prop::sample::Index) {
        let seconds = |demands: &[Demand], log2| solve(demands, per_inference(log2)).seconds;
        let reference = seconds(&demands, log2);
        prop_assert!(seconds(&demands, log2 - 8.0) >= reference);
        let at = index.index(demands.len());
        let change = |change: fn(&mut Demand)| {
            let mut demands = demands.clone();
            change(&mut demands[at]);
            demands
        };
        prop_assert!(seconds(&change(|demand| demand.spacing.0 /= 2), log2) >= reference);
        prop_assert!(seconds(&change(|demand| demand.norm2_squared_bootstraps *= 3.0), log2) >= reference);
        prop_assert!(seconds(&change(|demand| demand.count += 50), log2) >= reference);
    }
}

#[test]
fn unequal_shares_beat_an_even_split() {
    let mut better = 0;
    for slots in (24..124).step_by(10) {
        let demands = [lookup(1000, 30, 64.0), lookup(20, slots, 64.0), output(10, slots, 64.0)];
        let shared = solve(&demands, Budget::default()).seconds;
        // A little less than the even share, for what rounding to parts of the budget costs.
        let even = solve(&demands, per_lookup(-40.01 - 1030f64.log2())).seconds;
        assert!(shared <= even, "{slots} slots: {shared} s, {even} s");
        better += u32::from(shared < even * 0.995);
    }
    assert!(better > 0);
}
