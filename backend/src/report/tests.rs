use super::*;
use cml_runtime::parameters::security::gaussian_132;
use cml_runtime::units::{LweDimension, Spacing};

fn program() -> Program {
    let std_dev = |dimension| gaussian_132(LweDimension(dimension)).std_dev();
    let set = ParameterSet {
        lwe_dimension: 930,
        glwe_dimension: 1,
        polynomial_size: 2048,
        pbs_base_log: 15,
        pbs_level: 2,
        ks_base_log: 5,
        ks_level: 3,
        lwe_std_dev: std_dev(930),
        glwe_std_dev: std_dev(2048),
    };
    let lookup = |node: &str, count, width, extension, norm2_squared: f64| Event {
        node: node.to_owned(),
        count,
        norm2_squared_bootstraps: vec![norm2_squared],
        extension: Some(extension),
        spacing: Spacing::of_slots(1u64 << width).0,
        width,
        measured_width: (extension > 0).then_some(width - 1),
        lookups: vec![width],
        rotations: 1,
        ..Event::default()
    };
    let port = |name: &str, count: usize| EncryptedPort {
        name: name.to_owned(),
        shape: vec![1, count as u64],
        spacing: 1 << 60,
        lo: vec![0; count],
        hi: vec![7; count],
        returned: None,
    };
    let output = Event {
        node: "logits".to_owned(),
        count: 2,
        norm2_squared_bootstraps: vec![30.0],
        spacing: Spacing::of_slots(1 << 7).0,
        width: 7,
        ..Event::default()
    };
    let client = Client {
        model: "simple10".to_owned(),
        parameters: vec![set],
        inputs: vec![port("x", 2)],
        outputs: vec![port("logits", 2)],
        events: vec![lookup("/fc1/Gemm", 10, 4, 0, 20.0), lookup("/fc2/Gemm", 8, 6, 2, 110.25), output],
        p_error_log2: Some(-40.0),
        ..Client::default()
    };
    Program { client: Some(client), ..Program::default() }
}

#[test]
fn tables_for_people() {
    let text = Report::of(&program(), Some(0.187)).unwrap().to_string();
    assert!(text.lines().all(|line| line.chars().count() <= 80));
    insta::assert_snapshot!(text);
}

#[test]
fn object_for_programs() {
    let report = Report::of(&program(), None).unwrap();
    insta::assert_json_snapshot!(report, {
        ".**.p_error_log2" => insta::rounded_redaction(3),
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
    let text = Report::of(&program, None).unwrap().to_string();
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn only_the_predicted_time_is_taken_from_the_file() {
    let mut program = program();
    let mut stored = Report::of(&program, Some(1.5)).unwrap();
    stored.security_bits = 500.0;
    program.report = stored.to_json();
    let found = Report::stored_in(&program).unwrap();
    assert_eq!(found, Report::of(&program, Some(1.5)).unwrap());
    program.report = "damaged".to_owned();
    assert_eq!(Report::stored_in(&program).unwrap().predicted_seconds, None);
}
