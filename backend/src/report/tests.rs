use super::*;
use cml_runtime::parameters::events::events;
use cml_runtime::program::message::{Action, Bootstrap, Combine, Linear, ParameterSet, Step};
use cml_runtime::reference::message::Table;
use cml_runtime::units::{Decomposition, GlweShape, LweDimension};

fn set(n: usize, k: usize, size: usize, (level, base_log): (u32, u32)) -> ParameterSet {
    ParameterSet::with_least_noise(
        LweDimension(n),
        GlweShape { dimension: k, polynomial_size: size },
        Decomposition { base_log, level },
        Decomposition { base_log: 5, level: 3 },
    )
}

fn port(name: &str, count: usize, spacing: u64) -> EncryptedPort {
    let shape = vec![1, count as u64];
    EncryptedPort {
        name: name.to_owned(),
        shape,
        spacing,
        lo: vec![0; count],
        hi: vec![3; count],
        returned: None,
    }
}

fn step(node: &str, action: Action) -> Step {
    Step { node: node.to_owned(), action: Some(action) }
}

fn linear(node: &str, input: u32, rows: usize, columns: usize, spacing: u64) -> Step {
    let (weights, bias) = (vec![1; rows * columns], vec![0; rows]);
    step(node, Action::Linear(Linear { inputs: vec![input], rows: rows as u32, weights, bias, spacing }))
}

/// All elements read one table.
fn bootstrap(node: &str, count: usize, values: Vec<i64>, reading: &Bootstrap) -> Step {
    let center = values[0] + values[values.len() - 1];
    let tables = vec![Table { lo: 0, values }];
    let table_of = vec![0; count];
    step(node, Action::Bootstrap(Bootstrap { tables, table_of, centers: vec![center], ..reading.clone() }))
}

/// Two inputs; ten lookups of 16 entries; four of 180, folded by 9 slots to a window of 40 first; then two outputs. The last
/// lookup is in steps: its thresholds are counted at the phase at which the nearest is found.
fn program() -> Program {
    let slots = |slots| Spacing::of_slots(slots).0;
    let (wide, window) = (slots(180), 4 * slots(180));
    let stairs = |at: i64| ((at - 80) / 5).clamp(0, 3);
    let fold = (0..180i64).map(|at| at.clamp(74, 105) - at).collect();
    let nearest = (0..40i64).map(|at| if at < 20 { 10 - at } else { 30 - at }).collect();
    let steps = vec![
        linear("/fc1/Gemm", 0, 10, 2, slots(16)),
        bootstrap(
            "/fc1/Gemm",
            10,
            (0..16).collect(),
            &Bootstrap { input: 1, spacing: wide, ..Bootstrap::default() },
        ),
        linear("/fc2/Gemm", 2, 4, 10, wide),
        bootstrap(
            "/fc2/Gemm",
            4,
            fold,
            &Bootstrap {
                input: 3,
                spacing: window,
                key: 1,
                tolerance: 5,
                stage: message::Stage::Fold.into(),
                lookup: 1,
                ..Bootstrap::default()
            },
        ),
        step(
            "/fc2/Gemm",
            Action::Combine(Combine {
                inputs: vec![3, 4],
                weights: vec![1, 1],
                bias: vec![0; 4],
                spacing: window,
            }),
        ),
        bootstrap(
            "/fc2/Gemm",
            4,
            (0..45).map(|at| stairs(at + 69)).collect(),
            &Bootstrap { input: 5, extension: 1, spacing: slots(40), lookup: 1, ..Bootstrap::default() },
        ),
        bootstrap(
            "/fc3/Gemm",
            4,
            nearest,
            &Bootstrap {
                input: 6,
                key: 1,
                tolerance: 3,
                spacing: slots(40),
                stage: message::Stage::Nearest.into(),
                lookup: 2,
                ..Bootstrap::default()
            },
        ),
        bootstrap(
            "/fc3/Gemm",
            4,
            (0..40).map(|at| at / 20).collect(),
            &Bootstrap {
                input: 6,
                key: 1,
                tolerance: 3,
                spacing: slots(64),
                stage: message::Stage::Count.into(),
                lookup: 2,
                ..Bootstrap::default()
            },
        ),
        linear("logits", 8, 2, 4, slots(64)),
    ];
    let server = Server {
        parameters: vec![set(930, 1, 2048, (2, 15)), set(800, 4, 512, (2, 15))],
        inputs: vec![port("x", 2, slots(16))],
        steps,
        outputs: vec![port("logits", 2, slots(64))],
        output_values: vec![9],
    };
    let mut events = events(&server).unwrap();
    events[1].measured_width = Some(7);
    let client = Client {
        model: "simple10".to_owned(),
        parameters: server.parameters.clone(),
        inputs: server.inputs.clone(),
        outputs: server.outputs.clone(),
        events,
        p_error_log2: Some(-40.0),
        ..Client::default()
    };
    Program { client: Some(client), server: Some(server), ..Program::default() }
}

fn predicted() -> Recorded {
    let milliseconds = [((0, 0), 7.5), ((1, 0), 4.25), ((1, 1), 12.0), ((2, 0), 4.25), ((2, 1), 4.0)];
    let pruned = vec![Pruned { node: "/fc2/Gemm".to_owned(), weights: 40, before: 38, after: 12 }];
    let neurons = vec![
        Neurons { node: "/Relu".to_owned(), count: 12, proved: 1, observed: 1 },
        Neurons { node: "/Relu_1".to_owned(), count: 4, proved: 0, observed: 0 },
    ];
    Recorded {
        seconds: Some(0.187),
        milliseconds: BTreeMap::from(milliseconds),
        measured: BTreeMap::from([(1, (12, 120))]),
        pruned,
        accumulator_bound: Some(AccumulatorBound { bits: 8, samples: 250, agree_unbounded: 249, agree: 231 }),
        neurons,
        unseen_inputs: true,
    }
}

#[test]
fn tables_for_people() {
    let text = Report::of(&program(), &predicted()).unwrap().to_string();
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn object_for_programs() {
    let report = Report::of(&program(), &Recorded::default()).unwrap();
    insta::assert_json_snapshot!(report, {
        ".**.p_error_log2" => insta::rounded_redaction(3),
        ".**.share_of_p_error" => insta::rounded_redaction(3),
        ".**.share_of_time" => insta::rounded_redaction(3),
        ".**.noise_std_log2" => insta::rounded_redaction(6),
        ".**.tolerance_log2" => insta::rounded_redaction(6),
        ".**.norm2" => insta::rounded_redaction(6),
        ".p_error_log2" => insta::rounded_redaction(3),
        ".p_error_per_lookup_log2" => insta::rounded_redaction(3),
        ".outputs_p_error_log2" => insta::rounded_redaction(3),
    });
}

#[test]
fn a_long_name_stays_within_the_page() {
    let mut program = program();
    let client = program.client.as_mut().unwrap();
    client.events[0].node = "/encoder/layers.0/feed_forward/activation/Gemm_with_a_long_name".to_owned();
    let text = Report::of(&program, &predicted()).unwrap().to_string();
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn the_shares_of_lookups_and_outputs_are_the_whole() {
    let report = Report::of(&program(), &predicted()).unwrap();
    let total = report.p_error_log2.unwrap();
    let outputs = report.outputs_p_error_log2.map_or(0.0, |log2| (log2 - total).exp2());
    let lookups: f64 = report.lookups.iter().map(|lookup| lookup.share_of_p_error).sum();
    assert!((lookups + outputs - 1.0).abs() < 1e-9, "{lookups} {outputs}");
}

#[test]
fn the_slowest_lookups_come_first() {
    let report = Report::of(&program(), &predicted()).unwrap();
    let shares: Vec<f64> = report.lookups.iter().filter_map(|lookup| lookup.share_of_time).collect();
    assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9 && shares[0] > shares[1]);
    let slow = Recorded { milliseconds: BTreeMap::from([((1, 0), 90.0), ((1, 1), 9.0)]), ..predicted() };
    let text = Report::of(&program(), &slow).unwrap().to_string();
    assert!(!text.contains("--input-range"), "nothing is known of the other lookups: {text}");
}

#[test]
fn a_range_of_inputs_is_asked_for_where_it_helps() {
    let shown = |unseen_inputs: bool, measured: u32| {
        let mut program = program();
        program.client.as_mut().unwrap().events[1].measured_width = Some(measured);
        let recorded = Recorded { unseen_inputs, ..predicted() };
        Report::of(&program, &recorded).unwrap().to_string().contains("--input-range")
    };
    assert!(shown(true, 7));
    assert!(!shown(true, 8) && !shown(false, 7));
}

#[test]
fn nodes_add_up_their_lookups() {
    let report = Report::of(&program(), &predicted()).unwrap();
    let lookups: u64 = report.nodes.iter().map(|node| node.lookups).sum();
    assert_eq!(lookups, report.lookups_per_inference);
    let shares: Vec<f64> = report.nodes.iter().filter_map(|node| node.share_of_time).collect();
    assert!(
        (shares.iter().sum::<f64>() - 1.0).abs() < 1e-9 && shares.is_sorted_by(|one, other| one >= other)
    );
    let wide = report.nodes.iter().find(|node| node.node == "/fc2/Gemm").unwrap();
    assert_eq!((wide.low, wide.high, wide.width), (0, 179, 8));
    assert_eq!((wide.measured_range, wide.measured_width), (Some((12, 120)), Some(7)));
    assert!(wide.hints.iter().any(|hint| hint.contains("--max-accumulator-bits 7")), "{:?}", wide.hints);
}

#[test]
fn only_what_cannot_be_computed_is_taken_from_the_file() {
    let mut program = program();
    let mut stored = Report::of(&program, &predicted()).unwrap();
    stored.security_bits = 500.0;
    stored.lookups[1].stages[0].tolerance_slots = 1000;
    program.report = stored.to_json();
    let found = Report::stored_in(&program).unwrap();
    assert_eq!(found, Report::of(&program, &predicted()).unwrap());
    program.report = "damaged".to_owned();
    assert_eq!(Report::stored_in(&program).unwrap(), Report::of(&program, &Recorded::default()).unwrap());
}

/// Chains by the nearest border, with borders here and there.
#[test]
fn a_floor_has_borders_that_are_equally_far_apart() {
    for (borders, form) in [(vec![10, 30], "floor"), (vec![0, 10, 20], "floor"), (vec![0, 10, 30], "nearest")]
    {
        let mut program = program();
        for step in &mut program.server.as_mut().unwrap().steps {
            if let Some(Action::Bootstrap(bootstrap)) = &mut step.action {
                match bootstrap.stage() {
                    message::Stage::Nearest => {
                        let parts = (0..40).map(|at| borders[at * borders.len() / 40]);
                        bootstrap.tables[0].values = parts.collect();
                    }
                    message::Stage::Count => bootstrap.stage = message::Stage::Sign.into(),
                    _ => {}
                }
            }
        }
        let report = Report::of(&program, &Recorded::default()).unwrap();
        assert_eq!(report.lookups[2].form, form, "{borders:?}");
    }
}
