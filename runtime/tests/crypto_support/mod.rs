//! Parameter sets and random programs for the tests of client and server.
#![allow(dead_code)]

pub(crate) mod staircases;

use cml_runtime::client::{ClientKey, Randomness, decrypt, encrypt};
use cml_runtime::parameters::events::events;
use cml_runtime::parameters::{failure, ledger, outputs};
use cml_runtime::program::message::{
    Action, Bootstrap, Client, EncryptedPort, Event, Linear, ParameterSet, Program, Server, Step,
};
use cml_runtime::reference::TensorType;
use cml_runtime::reference::message::{Element, Empty, Graph, Lookup, Op, Port, Quantizer, Table, Tensor};
use cml_runtime::server::{CheckedServer, ServerKey};
use cml_runtime::units::{Decomposition, GlweShape, LweDimension, Spacing};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// log2 of the budget of an inference.
pub(crate) const P_ERROR: f64 = -35.0;

/// A 132-bit set on one polynomial of 2048 coefficients; level 2 leaves an output noise of 2^-22.
pub(crate) fn wide() -> ParameterSet {
    set(930, (1, 2048), (15, 2), (4, 4))
}

/// A 132-bit set for narrow lookups.
pub(crate) fn narrow() -> ParameterSet {
    set(850, (2, 1024), (23, 1), (5, 3))
}

pub(crate) fn set(n: u32, (k, size): (usize, usize), pbs: (u32, u32), ks: (u32, u32)) -> ParameterSet {
    ParameterSet::with_least_noise(
        LweDimension(n as usize),
        GlweShape { dimension: k, polynomial_size: size },
        Decomposition { base_log: pbs.0, level: pbs.1 },
        Decomposition { base_log: ks.0, level: ks.1 },
    )
}

/// What a random program looks like.
#[derive(Clone, Copy)]
pub(crate) struct Form {
    /// Lookups of the one layer.
    pub(crate) lookups: usize,
    /// log2 of the accumulators.
    pub(crate) extension: i32,
    /// Widest range of a lookup's input, in slots.
    pub(crate) slots: u64,
    /// Spacing of a sum in units of that of what is summed.
    pub(crate) factor: u64,
}

/// Inputs, a layer of lookups, a sum that is decrypted, and a lookup on that sum.
pub(crate) fn program(form: Form, set: ParameterSet, random: &mut ChaCha8Rng) -> Server {
    let inputs: Vec<(i64, i64)> =
        (0..6).map(|_| (random.random_range(-2..=0), random.random_range(1..=2))).collect();
    let (first, ranges) = linear(form, &inputs, form.lookups, 0, random);
    let spacing = first.spacing / form.factor;
    let tables: Vec<Table> = ranges.iter().map(|range| table(*range, (-2, 2), random)).collect();
    let middle: Vec<(i64, i64)> = tables.iter().map(entry_range).collect();
    let (second, sums) = linear(form, &middle, 2, 2, random);
    let last: Vec<Table> = sums.iter().map(|range| table(*range, (-40, 40), random)).collect();
    let results: Vec<(i64, i64)> = last.iter().map(entry_range).collect();
    let bootstrap = |input, tables: Vec<Table>, spacing| {
        let table_of = (0..tables.len() as u32).collect();
        let extension = form.extension;
        Action::Bootstrap(Bootstrap { input, extension, tables, table_of, spacing, ..Bootstrap::default() })
    };
    let sum_spacing = second.spacing;
    let actions = [
        Action::Linear(first),
        bootstrap(1, tables, sum_spacing / form.factor),
        Action::Linear(second),
        bootstrap(3, last, 1 << 56),
    ];
    let steps = actions.into_iter().enumerate();
    Server {
        parameters: vec![set],
        inputs: vec![port("x", spacing, &inputs)],
        steps: steps.map(|(i, action)| Step { node: format!("node{i}"), action: Some(action) }).collect(),
        outputs: vec![port("sum", sum_spacing, &sums), port("table", 1 << 56, &results)],
        output_values: vec![3, 4],
    }
}

/// An affine map whose rows fit the slots of the form.
fn linear(
    form: Form,
    inputs: &[(i64, i64)],
    rows: usize,
    value: u32,
    random: &mut ChaCha8Rng,
) -> (Linear, Vec<(i64, i64)>) {
    let (mut weights, mut bias, mut ranges) = (vec![], vec![], vec![]);
    while ranges.len() < rows {
        let mut row = vec![0; inputs.len()];
        (0..4).for_each(|_| row[random.random_range(0..inputs.len())] = random.random_range(-2..=2));
        let offset = random.random_range(-9..=9);
        let bound = |pick: fn(i64, i64) -> i64| {
            row.iter().zip(inputs).map(|(w, (lo, hi))| pick(w * lo, w * hi)).sum::<i64>() + offset
        };
        let (lo, hi) = (bound(i64::min), bound(i64::max));
        if ((hi - lo) as u64) < form.slots {
            weights.extend(row);
            bias.push(offset);
            ranges.push((lo, hi));
        }
    }
    // Not a power of two, and a multiple of the factor.
    let spacing = Spacing::of_slots(form.slots).0 / form.factor * form.factor;
    (Linear { inputs: vec![value], rows: rows as u32, weights, bias, spacing }, ranges)
}

fn table((lo, hi): (i64, i64), (least, most): (i64, i64), random: &mut ChaCha8Rng) -> Table {
    Table { lo, values: (lo..=hi).map(|_| random.random_range(least..=most)).collect() }
}

fn entry_range(table: &Table) -> (i64, i64) {
    (table.values.iter().copied().min().unwrap(), table.values.iter().copied().max().unwrap())
}

pub(crate) fn port(name: &str, spacing: u64, ranges: &[(i64, i64)]) -> EncryptedPort {
    EncryptedPort {
        name: name.to_owned(),
        shape: vec![1, ranges.len() as u64],
        spacing,
        lo: ranges.iter().map(|range| range.0).collect(),
        hi: ranges.iter().map(|range| range.1).collect(),
        returned: None,
    }
}

/// The client's part, with a ledger made from the program itself.
pub(crate) fn client(server: &Server) -> Client {
    Client {
        model: "test".to_owned(),
        program_hash: server.hash().to_vec(),
        parameters: server.parameters.clone(),
        inputs: server.inputs.clone(),
        outputs: server.outputs.clone(),
        events: events(server).unwrap(),
        p_error_log2: Some(P_ERROR),
        ..Client::default()
    }
}

/// Uniform inputs in range.
pub(crate) fn sample(server: &Server, random: &mut ChaCha8Rng) -> Vec<Vec<i64>> {
    let port = |port: &EncryptedPort| {
        port.lo.iter().zip(&port.hi).map(|(lo, hi)| random.random_range(*lo..=*hi)).collect()
    };
    server.inputs.iter().map(port).collect()
}

/// Keys of a program that keeps its budget, made from a fixed seed.
pub(crate) fn keys(client: &Client) -> (ClientKey, ServerKey, Randomness) {
    ledger::check(client).unwrap();
    let mut randomness = Randomness::from_seed([7; 32]);
    let key = ClientKey::generate(client, &mut randomness).unwrap();
    let server_key = ServerKey::prepare(&key.evaluation_key(&mut randomness));
    (key, server_key, randomness)
}

/// How many of the first outputs differ.
pub(crate) fn count_failures(found: &[Vec<i64>], expected: &[Vec<i64>]) -> usize {
    found[0].iter().zip(&expected[0]).filter(|(found, expected)| found != expected).count()
}

/// Simulates a program whose first output should equal its input, on uniform inputs: fails as often as its first event says.
pub(crate) fn assert_simulated_rate(server: &Server, runs: u64, random: &mut ChaCha8Rng) {
    let checked = CheckedServer::new(server).unwrap();
    let (mut failures, mut count) = (0, 0);
    for seed in 0..runs {
        let inputs = sample(server, random);
        count += inputs[0].len();
        failures += count_failures(&checked.run_simulated(&inputs, seed).unwrap(), &inputs);
    }
    assert_rate(&events(server).unwrap()[0], &server.parameters, count as f64, failures);
}

/// The same of ciphertexts, once; returns what comes out.
pub(crate) fn assert_encrypted_rate(server: &Server, random: &mut ChaCha8Rng) -> Vec<Vec<i64>> {
    let checked = CheckedServer::new(server).unwrap();
    let mut client = client(server);
    client.p_error_log2 = Some(20.0);
    let (key, server_key, mut randomness) = keys(&client);
    let inputs = vec![sample(server, random)];
    let encrypted = encrypt(&key, &client, &inputs, &mut randomness).unwrap();
    let outputs = checked.run_encrypted(&server_key, &encrypted, &|_| {}).unwrap();
    let found = decrypt(&key, &client, &outputs).unwrap().samples.remove(0);
    let failures = count_failures(&found, &inputs[0]);
    assert_rate(&client.events[0], &server.parameters, inputs[0][0].len() as f64, failures);
    found
}

/// Whether that many of these readings fail, up to five standard deviations. The ledger gives away half a position on
/// every side; with all of it back, the rate is a lower bound.
pub(crate) fn assert_rate(event: &Event, sets: &[ParameterSet], count: f64, failures: usize) {
    let extension = event.extension.unwrap();
    let assessed = ledger::assess(event, sets).unwrap();
    let boundaries = ledger::boundary_extension(event.compares, extension);
    let half_position = ledger::half_position(&sets[event.key as usize], boundaries);
    let least =
        count * failure::outside(assessed.tolerance + 2.0 * half_position, assessed.variance).0.exp2();
    let most = count * assessed.probability.0.exp2();
    assert!(least > 5.0, "a rate that can be measured, {least}");
    let (low, high) = (least - 5.0 * least.sqrt(), most + 5.0 * most.sqrt());
    let found = failures as f64;
    eprintln!("extension {extension}: {found} failures, predicted {least:.0} to {most:.0}");
    assert!(low < found && found < high, "{found} failures, predicted {least:.0} to {most:.0}");
}

/// A whole program: 3 floats, a layer of 4 with ReLU, 2 sums that come back as floats. `shift` makes another one of it.
pub(crate) fn whole_program(shift: i64) -> Program {
    let (first, second) = ([2, -1, 1, 3, -2, 1, 1, 1, -1, 2, 3, -3], [1, -2, 3, 1, 2, 2, -1, 1]);
    let transposed = |weights: &[i64], columns: usize| -> Vec<i64> {
        (0..columns).flat_map(|row| weights.iter().skip(row).step_by(columns).copied()).collect()
    };
    let spacing = Spacing::of_slots(50).0;
    let linear = |inputs: u32, rows: u32, weights: &[i64]| {
        let (weights, bias) = (transposed(weights, rows as usize), vec![0; rows as usize]);
        Action::Linear(Linear { inputs: vec![inputs], rows, weights, bias, spacing })
    };
    let relu = Table { lo: -24, values: (-24..=24).map(|x: i64| x.clamp(0, 6) + shift).collect() };
    let (tables, table_of) = (vec![relu.clone()], vec![0; 4]);
    let bootstrap = Bootstrap { input: 1, extension: 1, tables, table_of, spacing, ..Bootstrap::default() };
    let actions = [linear(0, 4, &first), Action::Bootstrap(bootstrap), linear(2, 2, &second)];
    let steps = actions.into_iter().zip(["fc1", "relu", "fc2"]);
    let mut server = Server {
        parameters: vec![wide()],
        inputs: vec![port("x", spacing, &[(-4, 3); 3])],
        steps: steps.map(|(action, node)| Step { node: node.to_owned(), action: Some(action) }).collect(),
        outputs: vec![port("y", spacing, &[(-40, 40), (-48, 45)])],
        output_values: vec![3],
    };
    outputs::choose(&mut server, Some(P_ERROR), None).unwrap();
    let [quantize, dequantize] = clear_functions();
    let client = Client { quantize: Some(quantize), dequantize: Some(dequantize), ..client(&server) };
    let quantized = integer_function(&first, &second, relu);
    Program { client: Some(client), server: Some(server), quantized: Some(quantized), ..Program::default() }
}

fn clear_functions() -> [Graph; 2] {
    let typed = |shape: [usize; 2], element| TensorType::new(shape, element);
    let quantizer = |scale, lo, hi| {
        let (scales, zero_points) = (vec![scale], vec![0]);
        Quantizer { scales, zero_points, lo, hi, ..Quantizer::default() }
    };
    let mut quantize =
        Graph { inputs: vec![Port::new("x", &typed([1, 3], Element::F32))], ..Graph::default() };
    quantize.outputs = vec![quantize.push("in", Op::Quantize(quantizer(0.25, -4, 3)), [0])];
    quantize.output_names = vec!["x".to_owned()];
    let mut dequantize =
        Graph { inputs: vec![Port::new("y", &typed([1, 2], Element::I64))], ..Graph::default() };
    dequantize.outputs = vec![dequantize.push("out", Op::Dequantize(quantizer(0.125, -99, 99)), [0])];
    dequantize.output_names = vec!["y".to_owned()];
    [quantize, dequantize]
}

fn integer_function(first: &[i64], second: &[i64], relu: Table) -> Graph {
    let port = Port::new("x", &TensorType::new([1, 3], Element::I64));
    let mut graph = Graph { inputs: vec![port], ..Graph::default() };
    let product = |graph: &mut Graph, input, weights: &[i64], shape: [u64; 2]| {
        let tensor = Tensor { shape: shape.to_vec(), floats: vec![], integers: weights.to_vec() };
        let weights = graph.push("weights", Op::Constant(tensor), []);
        graph.push("fc", Op::MatMul(Empty {}), [input, weights])
    };
    let hidden = product(&mut graph, 0, first, [3, 4]);
    let active =
        graph.push("relu", Op::Lookup(Lookup { tables: vec![relu], table_of: vec![0; 4] }), [hidden]);
    graph.outputs = vec![product(&mut graph, active, second, [4, 2])];
    graph.output_names = vec!["y".to_owned()];
    graph
}
