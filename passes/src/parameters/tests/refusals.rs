//! What cannot be done, and what is said then.

use super::*;

fn refuse(problem: &Problem, budget: Budget, options: Options) -> SearchError {
    let start = std::time::Instant::now();
    let error = search(problem, budget, &machine(), options).unwrap_err();
    println!("{error} (after {:?})", start.elapsed());
    error
}

#[test]
fn what_nothing_can_read_is_named() {
    let of = |range: i64| behind_a_lookup(vec![(10, ramp(16), 10.0), (10, ramp(range), 1e4)], vec![]);
    for options in [PLAIN, Options::default()] {
        let error = refuse(&of(1 << 20), Budget::default(), options);
        let SearchError::TooDemanding(found) = &error else { panic!("{error}") };
        assert_eq!((found.node.as_str(), found.range, found.bits), ("Relu_1048576", (0, (1 << 20) - 1), 20));
        assert!(found.reachable > -40.0 && found.of_inference);
        // The advice holds.
        let fits = found.values_that_fit;
        assert!((64..1 << 20).contains(&fits), "{fits}");
        assert!(search(&of(fits as i64 / 2), Budget::default(), &machine(), options).is_ok());

        // Where each would fit alone, as many as there are of all; the sum is reported.
        let many = vec![(u32::MAX, ramp(fits as i64), 1e4), (10, ramp(fits as i64), 1e4)];
        let error = refuse(&behind_a_lookup(many, vec![]), Budget::default(), options);
        let SearchError::TooDemanding(found) = &error else { panic!("{error}") };
        assert!(
            found.norm2_squared == 1e4 && found.reachable > -40.0 && found.values_that_fit < fits,
            "{error}"
        );
    }
    let problem = behind_a_lookup(vec![], vec![(3, 1 << 62, 1.0)]);
    let message = refuse(&problem, per_lookup(-40.0), Options::default()).to_string();
    assert!(
        message.contains("scores: no parameters decrypt") && message.contains("for each lookup"),
        "{message}"
    );
}

/// Where, what was found, and the options by name.
#[test]
fn a_refusal_says_what_to_do() {
    let mut error = TooDemanding {
        node: "/fc2/Gemm".to_owned(),
        kind: DemandKind::Lookup,
        range: (-434, 406),
        bits: 10,
        norm2_squared: 450.0,
        budget: -40.0,
        of_inference: true,
        reachable: -12.25,
        values_that_fit: 300,
    };
    assert_eq!(
        error.to_string(),
        "/fc2/Gemm: no parameters look up -434:406 (841 values, 10 bits) of squared weight norm 450 within a failure \
         probability of 2^-40.0 for the inference; the least that can be reached is 2^-12.2. At these parameters the node \
         could have 300 values. What helps: --max-accumulator-bits 8, a smaller --bits (for inputs, weights or \
         activations), a larger --p-error, --rounding approximate:6 where results may differ"
    );
    (error.kind, error.of_inference) = (DemandKind::Output, false);
    assert_eq!(
        error.to_string(),
        "/fc2/Gemm: no parameters decrypt -434:406 (841 values, 10 bits) of squared weight norm 450 within a failure \
         probability of 2^-40.0 for each lookup; the least that can be reached is 2^-12.2. At these parameters the node \
         could have 300 values. What helps: a smaller --bits (for inputs, weights or activations), a larger \
         --p-error-per-lookup"
    );
    // Nothing can be narrower, and only the sum is too much.
    (error.kind, error.range, error.bits, error.values_that_fit) = (DemandKind::Lookup, (0, 1), 1, 2);
    assert!(!error.to_string().contains("--max-accumulator-bits"), "{error}");
    (error.range, error.bits, error.values_that_fit) = ((0, 15), 4, 16);
    assert!(error.to_string().contains("--max-accumulator-bits 3, "), "{error}");
}

#[test]
fn wide_staircases_are_refused_only_where_chains_are() {
    let profile = staircase(1 << 14, (0..7).map(|i| 9000 + 700 * i + i % 2));
    let problem = behind_a_lookup(vec![(10, profile, 400.0)], vec![]);
    let error = refuse(&problem, Budget::default(), PLAIN);
    assert!(matches!(&error, SearchError::TooDemanding(found) if found.node == "Relu_16384"), "{error}");
    solve(&problem, Budget::default(), Options::default());
}

#[test]
fn senseless_arguments_are_refused() {
    let good = || group(1, ramp(4), &[(0, 1.0)]);
    let of = |group: Group| {
        let problem = Problem { inputs: 1, groups: vec![group], outputs: vec![] };
        search(&problem, Budget::default(), &machine(), Options::default()).unwrap_err()
    };
    let nothing = Problem { inputs: 1, groups: vec![], outputs: vec![] };
    assert_eq!(refuse(&nothing, Budget::default(), PLAIN), SearchError::NothingToRead);
    let name = |error| match error {
        SearchError::BadDemand { name, .. } => name,
        other => panic!("{other}"),
    };
    assert_eq!(name(of(Group { reading: reading("Relu_0", (0, 3), 0, &[(0, 1.0)]), ..good() })), "number");
    for norm in [f64::NAN, f64::INFINITY, -1.0] {
        assert_eq!(name(of(group(1, ramp(4), &[(0, norm)]))), "squared norm");
    }
    assert_eq!(name(of(group(1, ramp(4), &[(1, 1.0)]))), "source");
    let problem = Problem { inputs: 1, groups: vec![good()], outputs: vec![] };
    for log2 in [0.0, 1.0, f64::NAN, f64::NEG_INFINITY] {
        let error = refuse(&problem, per_inference(log2), PLAIN);
        assert!(matches!(error, SearchError::BadBudget { .. }), "{error}");
    }
    assert_eq!(refuse(&problem, Budget { inference: None, per_lookup: None }, PLAIN), SearchError::NoBudget);
}
