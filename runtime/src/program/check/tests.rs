use super::super::message::{DeclaredRange, ParameterSet, Returned};
use super::*;
use crate::reference::message::{Empty, Lookup, Op, Port, Quantizer, Table};
use proptest::prelude::*;
use prost::Message;

const SPACING: u64 = 1 << 60;

/// A 132-bit set whose noise is far below the spacing of [`small_program`].
fn parameters() -> ParameterSet {
    let dimension = crate::units::LweDimension;
    let std_dev = |n| crate::parameters::security::gaussian_132(dimension(n)).std_dev();
    ParameterSet {
        lwe_dimension: 930,
        glwe_dimension: 1,
        polynomial_size: 2048,
        pbs_base_log: 23,
        pbs_level: 1,
        ks_base_log: 4,
        ks_level: 4,
        lwe_std_dev: std_dev(930),
        glwe_std_dev: std_dev(2048),
    }
}

fn port(name: &str, lo: Vec<i64>, hi: Vec<i64>) -> EncryptedPort {
    let shape = vec![1, lo.len() as u64];
    EncryptedPort { name: name.to_owned(), shape, spacing: SPACING, lo, hi, returned: None }
}

fn table() -> Table {
    Table { lo: -1, values: vec![0, 1, 0, 1, 1, 0] }
}

fn server() -> Server {
    let linear = Linear { inputs: vec![0], rows: 1, weights: vec![1, -1], bias: vec![1], spacing: SPACING };
    let bootstrap = Bootstrap {
        input: 1,
        tables: vec![table()],
        table_of: vec![0],
        spacing: SPACING,
        ..Bootstrap::default()
    };
    Server {
        parameters: vec![parameters()],
        inputs: vec![port("x", vec![0, 0], vec![3, 2])],
        steps: vec![
            Step { node: "fc".to_owned(), action: Some(Action::Linear(linear)) },
            Step { node: "relu".to_owned(), action: Some(Action::Bootstrap(bootstrap)) },
        ],
        outputs: vec![port("y", vec![0], vec![1])],
        output_values: vec![2],
    }
}

fn clear_functions() -> [Graph; 3] {
    let quantizer = || {
        let (scales, zero_points) = (vec![0.5], vec![0]);
        Quantizer { scales, zero_points, lo: 0, hi: 3, ..Quantizer::default() }
    };
    let typed = |shape: [usize; 2], element| TensorType::new(shape, element);
    let graph = |name: &str, input| Graph { inputs: vec![Port::new(name, &input)], ..Graph::default() };
    let mut quantize = graph("x", typed([1, 2], Element::F32));
    quantize.outputs = vec![quantize.push("in", Op::Quantize(quantizer()), [0])];
    let mut dequantize = graph("y", typed([1, 1], Element::I64));
    dequantize.outputs = vec![dequantize.push("out", Op::Dequantize(quantizer()), [0])];
    let mut quantized = graph("x", typed([1, 2], Element::I64));
    let weights =
        crate::reference::message::Tensor { shape: vec![2, 1], floats: vec![], integers: vec![1, -1] };
    let weights = quantized.push("w", Op::Constant(weights), []);
    let product = quantized.push("fc", Op::MatMul(Empty {}), [0, weights]);
    let lookup = Lookup { tables: vec![Table { lo: -2, ..table() }], table_of: vec![0] };
    quantized.outputs = vec![quantized.push("relu", Op::Lookup(lookup), [product])];
    [quantize, dequantize, quantized]
}

/// Two inputs, one sum, one lookup.
pub(in super::super) fn small_program() -> Program {
    let server = server();
    let [quantize, dequantize, quantized] = clear_functions();
    let client = Client {
        model: "small".to_owned(),
        program_hash: server.hash().to_vec(),
        parameters: server.parameters.clone(),
        quantize: Some(quantize),
        dequantize: Some(dequantize),
        inputs: server.inputs.clone(),
        outputs: server.outputs.clone(),
        events: events(&server).unwrap(),
        p_error_log2: Some(-30.0),
        ..Client::default()
    };
    Program {
        client: Some(client),
        server: Some(server),
        quantized: Some(quantized),
        configuration: "{}".to_owned(),
        ..Program::default()
    }
}

#[test]
fn a_sound_program_passes() {
    small_program().check().unwrap();
    let values = server().values().unwrap();
    assert_eq!(values.iter().map(|value| value.count).collect::<Vec<_>>(), [2, 1, 1]);
}

#[test]
fn each_way_to_break_a_step_is_found() {
    type Edit<T> = fn(&mut T);
    let linear: [(Edit<Linear>, &str); 5] = [
        (|step| step.inputs = vec![1], "no earlier step makes"),
        (|step| step.rows = 2, "weights and bias do not fit"),
        (|step| step.weights.push(0), "weights and bias do not fit"),
        (|step| step.spacing = 0, "spacing is 0"),
        (|step| step.spacing = SPACING + 1, "no multiple"),
    ];
    let combine: [(Edit<Combine>, &str); 7] = [
        (|step| step.inputs[0] = 9, "no earlier step makes"),
        (|step| step.inputs.clear(), "no inputs"),
        (|step| step.inputs[1] = 0, "different numbers of elements"),
        (|step| step.bias.push(0), "different numbers of elements"),
        (|step| step.weights.push(0), "not one weight for each input"),
        (|step| step.spacing = 0, "spacing is 0"),
        (|step| step.spacing = SPACING + 1, "no multiple"),
    ];
    let bootstrap: [(Edit<Bootstrap>, &str); 13] = [
        (|step| step.input = 9, "no earlier step makes"),
        (|step| step.extension = 40, "too many accumulators"),
        (|step| step.extension = -2, "or too few"),
        (|step| step.table_of.push(0), "not one table for each element"),
        (|step| step.table_of = vec![1], "a table that does not exist"),
        (|step| step.tables[0].values.clear(), "a table is empty"),
        (|step| step.tables[0].values = vec![0; 17], "does not fit the torus"),
        (|step| step.tables[0].values = vec![1; 9], "not negacyclic"),
        (|step| step.centers = vec![1; 2], "not one center for each table"),
        (|step| step.stage = 77, "a stage that only a newer version knows"),
        (|step| step.tolerance = 8, "the tolerance is more than the torus"),
        (|step| step.key = 1, "a key set that does not exist"),
        (|step| step.spacing = 0, "spacing is 0"),
    ];
    let compare: [(Edit<Compare>, &str); 12] = [
        (|step| step.input = 9, "no earlier step makes"),
        (|step| step.extension = 40, "too many accumulators"),
        (|step| step.extension = -1, "or too few"),
        (|step| step.elements.clear(), "not as many elements"),
        (|step| step.spacing = 0, "spacing is 0"),
        (|step| step.key = 1, "a key set that does not exist"),
        (|step| step.elements[0].thresholds.clear(), "without thresholds"),
        (|step| step.elements[0].thresholds = vec![2, 2], "do not increase"),
        (|step| step.elements[0].lo = 1, "never on both sides"),
        (|step| step.elements[0].hi = 2, "never on both sides"),
        (|step| step.elements[0].lo = i64::MIN, "further than half the torus"),
        (|step| step.elements[0].hi = 9, "further than half the torus"),
    ];
    let refusal = |server: &Server| server.check().unwrap_err().to_string();
    for (edit, expected) in compare {
        let elements = vec![Comparisons { lo: -5, hi: 8, thresholds: vec![1, 3] }];
        let mut step = Compare { input: 1, elements, spacing: SPACING, ..Compare::default() };
        let with = |step: Compare| {
            let mut server = server();
            server.steps.push(Step { node: "compare".to_owned(), action: Some(Action::Compare(step)) });
            server
        };
        let values = with(step.clone()).values().unwrap();
        assert_eq!(values[3], Ciphertexts { count: 2, spacing: SPACING });
        edit(&mut step);
        let refused = refusal(&with(step));
        assert!(refused.starts_with("step 2 (compare): ") && refused.contains(expected), "{refused}");
    }
    for (edit, expected) in linear {
        let mut server = server();
        if let Some(Action::Linear(step)) = &mut server.steps[0].action {
            edit(step);
        }
        assert!(refusal(&server).starts_with("step 0 (fc): ") && refusal(&server).contains(expected));
    }
    for (edit, expected) in combine {
        let mut step = Combine { inputs: vec![1, 2], weights: vec![1, 2], bias: vec![0], spacing: SPACING };
        let with = |step: Combine| {
            let mut server = server();
            server.steps.push(Step { node: "sum".to_owned(), action: Some(Action::Combine(step)) });
            server
        };
        with(step.clone()).check().unwrap();
        edit(&mut step);
        let refused = refusal(&with(step));
        assert!(refused.starts_with("step 2 (sum): ") && refused.contains(expected), "{refused}");
    }
    for (edit, expected) in bootstrap {
        let mut server = server();
        if let Some(Action::Bootstrap(step)) = &mut server.steps[1].action {
            edit(step);
        }
        assert!(refusal(&server).starts_with("step 1 (relu): ") && refusal(&server).contains(expected));
    }
    let mut newer = server();
    newer.steps[1].action = None;
    assert!(refusal(&newer).contains("newer version"));
}

/// Tables around the whole turn, at spacings that divide it and at spacings that do not.
#[test]
fn a_table_of_more_than_half_the_torus_adds_up_to_its_center() {
    for slots in [8u64, 12] {
        let spacing = crate::units::Spacing::of_slots(slots).0;
        let fits = |values: &[i64], center| {
            is_negacyclic(&Table { lo: 0, values: values.to_vec() }, center, spacing)
        };
        let half: Vec<i64> = (0..slots as i64).map(|x| x * x % 7).collect();
        let other: Vec<i64> = half.iter().map(|value| 5 - value).collect();
        let whole = [half.as_slice(), &other].concat();
        assert!(fits(&half, 0) && fits(&half, 99) && fits(&whole, 5));
        assert!(!fits(&whole, 6) && !fits(&whole[1..], 4) && fits(&whole[1..], 5));
        let mut altered = whole.clone();
        altered[slots as usize + 3] += 1;
        assert!(!fits(&altered, 5));
    }
    // With a half turn of seven and a half slots, a phase half a turn away is near two entries.
    let spacing = (1 << 63) / 15 * 2;
    let fits = |values: &[i64]| is_negacyclic(&Table { lo: 0, values: values.to_vec() }, 1, spacing);
    assert!(fits(&[0, 0, 0, 0, 0, 0, 0]) && fits(&[0, 0, 0, 0, 0, 0, 0, 1, 1, 1]));
    assert!(!fits(&[0, 0, 0, 0, 0, 0, 0, 0]) && !fits(&[0, 0, 0, 0, 0, 0, 0, 1, 0]));
}

#[test]
fn ports_and_outputs_must_fit() {
    let refusal = |edit: fn(&mut Server)| {
        let mut server = server();
        edit(&mut server);
        server.check().unwrap_err().to_string()
    };
    assert_eq!(refusal(|server| server.inputs[0].lo[0] = 4), "x: a range is empty");
    assert!(refusal(|server| server.inputs[0].shape = vec![u64::MAX, 3]).contains("different numbers"));
    assert!(refusal(|server| server.inputs[0].hi[0] = 99).contains("does not fit the torus"));
    fn returned(key: Option<u32>, log2_modulus: u32) -> Option<Returned> {
        Some(Returned { key, log2_modulus })
    }
    assert!(refusal(|server| server.inputs[0].returned = returned(None, 12)).contains("not returned"));
    assert!(refusal(|server| server.outputs[0].returned = returned(Some(1), 12)).contains("does not exist"));
    assert!(refusal(|server| server.outputs[0].returned = returned(None, 64)).contains("makes no sense"));
    assert!(refusal(|server| server.output_values = vec![7]).contains("makes no such value"));
    assert!(refusal(|server| server.output_values = vec![0]).contains("another size"));
    assert!(refusal(|server| server.output_values = vec![]).contains("as many values"));
    assert!(refusal(|server| server.parameters.clear()).contains("no parameters"));
}

#[test]
fn client_and_server_must_fit_together() {
    let refusal = |edit: fn(&mut Client)| {
        let mut program = small_program();
        edit(program.client.as_mut().unwrap());
        program.check().unwrap_err().to_string()
    };
    assert!(refusal(|client| client.program_hash[0] ^= 1).contains("another server's part"));
    assert!(refusal(|client| client.program_hash.clear()).contains("no hash"));
    assert!(refusal(|client| client.quantize = None).contains("no quantize function"));
    assert!(refusal(|client| client.quantize = client.dequantize.clone()).contains("not integer"));
    assert!(refusal(|client| client.events.clear()).contains("events"));
    assert!(refusal(|client| client.inputs[0].hi[0] = 1).contains("different inputs"));
    let stated = "failure events are not those";
    assert!(refusal(|client| client.events[0].norm2_squared_inputs = 1.0).contains(stated));
    assert!(refusal(|client| client.events[0].node.clear()).contains(stated));
    assert!(refusal(|client| client.events[1].spacing *= 2).contains(stated));
    assert!(refusal(|client| client.events.truncate(1)).contains(stated));
    assert!(refusal(|client| client.parameters[0].ks_level = 5).contains("different parameters"));
    let mut measured = small_program();
    measured.client.as_mut().unwrap().events[0].measured_width = Some(2);
    measured.check().unwrap();
    let crossed =
        |client: &mut Client| client.declared = vec![DeclaredRange { lo: vec![1.0], hi: vec![0.0] }];
    assert_eq!(refusal(crossed), "x: the declared range is empty");
    let three =
        |client: &mut Client| client.declared = vec![DeclaredRange { lo: vec![0.0; 3], hi: vec![1.0; 3] }];
    assert!(refusal(three).contains("neither one bound"));
    let mut stripped = small_program();
    stripped.quantized = None;
    stripped.check().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2048, ..ProptestConfig::default() })]

    /// Whoever alters a program can make its checksum fit: the checks themselves must hold.
    #[test]
    fn altered_content_never_panics(
        at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = small_program().encode_to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(program) = Program::decode(bytes.as_slice()) {
            drop(program.check());
            drop(super::super::print(&program));
        }
        let cut = cut.index(bytes.len());
        if let Ok(program) = Program::decode(&bytes[..cut]) {
            drop(program.check());
        }
    }
}
