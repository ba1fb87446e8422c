//! From a module at the level of ciphertexts to the program artefact.

use crate::Error;
use crate::graphs::{add_to_inputs, subtract_from_outputs, takes_integers};
use crate::report::{AccumulatorBound, Neurons, Pruned, Recorded, Report};
use crate::schedule::Schedule;
use cml_dialects::fhe::UNSEEN_INPUTS;
use cml_dialects::interpret::graph;
use cml_dialects::ir::{Attributes, Function, IrError, expected, module_op, op_name};
use cml_dialects::nn::{ACCUMULATOR_BOUND, MODEL, NEURON_COUNTS, NEURON_NODES, PRUNED_NODES, PRUNED_WEIGHTS};
use cml_dialects::qnn::{CLIENT_IN, CLIENT_OUT, SERVER, zero_point};
use cml_dialects::tfhe::{
    self, MEASURED_RANGE, MEASURED_WIDTH, P_ERROR, P_ERROR_PER_LOOKUP, PREDICTED_MILLISECONDS,
};
use cml_runtime::machine::Machine;
use cml_runtime::parameters::events::events;
use cml_runtime::parameters::outputs;
use cml_runtime::program::message::{Client, DeclaredRange, Event, Program, Server};
use cml_runtime::reference::message::Graph;
use cml_runtime::server::CheckedServer;
use melior::ir::{Module, OperationRef, Value};
use std::collections::BTreeMap;

/// Attribute of a module: smallest value that each input may have, an `array<f64>` for each input.
pub const DECLARED_LOWS: &str = "cml.declared_lows";
/// Attribute of a module: largest value that each input may have, an `array<f64>` for each input.
pub const DECLARED_HIGHS: &str = "cml.declared_highs";

/// What a program holds beside the module that it is made of.
#[derive(Clone, Debug, Default)]
pub struct Provenance {
    /// The integer function of the server before rewriting, from [`quantized_graph`] or [`encrypted_graph`].
    pub quantized: Option<Graph>,
    /// The options of the compilation, as JSON.
    pub configuration: String,
    /// The cost table that times are predicted with; only its hash is recorded.
    pub machine: Option<Machine>,
}

/// The program of a module with `@client_in`, `@server` in ops of `tfhe`, and `@client_out`. The same module gives the same bytes.
///
/// # Errors
/// [`Error`] if the module is not at this level, or the program would not pass its own checks.
pub fn program_of(module: &Module<'_>, provenance: Provenance) -> Result<Program, Error> {
    let root = module_op(module);
    let unordered = tfhe::interpret::server_of(root)?;
    unordered.check()?;
    let schedule = Schedule::of(&unordered);
    let mut server = schedule.apply(&unordered);
    outputs::choose(&mut server, optional_f64(root, P_ERROR)?, optional_f64(root, P_ERROR_PER_LOOKUP)?)?;
    let mut events = events(&server)?;
    let noted = notes(root, &schedule)?;
    for event in &mut events {
        let widths = event.lookups.iter().filter_map(|lookup| noted.measured_widths.get(lookup));
        event.measured_width = widths.copied().max();
    }
    let client = client_of(root, &server, events)?;
    let machine = provenance.machine.as_ref();
    let mut program = Program {
        client: Some(client),
        server: Some(server),
        quantized: provenance.quantized,
        configuration: provenance.configuration,
        machine_hash: machine.map_or_else(Vec::new, |machine| machine.hash().to_vec()),
        report: String::new(),
    };
    program.check()?;
    let seconds =
        machine.and_then(|machine| machine.seconds(&CheckedServer::new(program.server.as_ref()?).ok()?));
    let recorded = Recorded {
        seconds,
        milliseconds: noted.milliseconds,
        measured: noted.measured,
        unseen_inputs: Attributes(root).has(UNSEEN_INPUTS),
        pruned: counts(root, PRUNED_NODES, PRUNED_WEIGHTS)?
            .into_iter()
            .map(|(node, [weights, before, after])| Pruned { node, weights, before, after })
            .collect(),
        neurons: counts(root, NEURON_NODES, NEURON_COUNTS)?
            .into_iter()
            .map(|(node, [count, proved, observed])| Neurons { node, count, proved, observed })
            .collect(),
        accumulator_bound: accumulator_bound(root)?,
    };
    let report = Report::of(&program, &recorded)?;
    program.report = report.to_json();
    Ok(program)
}

/// What the attributes of bootstraps say that their steps do not.
#[derive(Default)]
struct Notes {
    /// By number of the lookup.
    measured_widths: BTreeMap<u32, u32>,
    /// By number of the lookup: the smallest and the largest value that was seen.
    measured: BTreeMap<u32, (i64, i64)>,
    /// By number of the lookup and position of the stage among its stages.
    milliseconds: BTreeMap<(u32, usize), f64>,
}

/// In the order of the scheduled steps: that is the order of a lookup's stages.
fn notes(root: OperationRef<'_, '_>, schedule: &Schedule) -> Result<Notes, IrError> {
    let ops = Function::named(root, SERVER)?.ops();
    let steps: Vec<_> = ops.into_iter().filter(|op| op_name(*op) != "tfhe.keyswitch").collect();
    let mut notes = Notes::default();
    let mut stages: BTreeMap<u32, usize> = BTreeMap::new();
    let reads =
        |op: &OperationRef<'_, '_>| matches!(op_name(*op).as_str(), "tfhe.bootstrap" | "tfhe.compare");
    for op in schedule.order().map(|step| steps[step]).filter(reads) {
        let attributes = Attributes(op);
        let lookup =
            u32::try_from(attributes.i64("lookup")?).map_err(|_| expected(op, "a lookup of 0 or more"))?;
        let stage = stages.entry(lookup).or_default();
        if let Ok(milliseconds) = attributes.f64(PREDICTED_MILLISECONDS) {
            notes.milliseconds.insert((lookup, *stage), milliseconds);
        }
        *stage += 1;
        if let Some(width) = attributes.i64(MEASURED_WIDTH).ok().and_then(|width| u32::try_from(width).ok()) {
            let widest = notes.measured_widths.entry(lookup).or_default();
            *widest = width.max(*widest);
        }
        if let Ok([low, high]) = attributes.i64_array(MEASURED_RANGE) {
            let seen = notes.measured.entry(lookup).or_insert((*low, *high));
            *seen = (seen.0.min(*low), seen.1.max(*high));
        }
    }
    Ok(notes)
}

fn client_of(root: OperationRef<'_, '_>, server: &Server, events: Vec<Event>) -> Result<Client, Error> {
    let client_in = Function::named(root, CLIENT_IN)?;
    let client_out = Function::named(root, CLIENT_OUT)?;
    let quantize = subtract_from_outputs(graph(client_in)?, &zero_points(client_in, &client_in.results())?);
    let dequantize = add_to_inputs(graph(client_out)?, &zero_points(client_out, &client_out.arguments())?);
    Ok(Client {
        model: Attributes(root).string(MODEL).unwrap_or_default(),
        program_hash: server.hash().to_vec(),
        parameters: server.parameters.clone(),
        quantize: Some(quantize),
        dequantize: Some(dequantize),
        inputs: server.inputs.clone(),
        outputs: server.outputs.clone(),
        events,
        p_error_log2: optional_f64(root, P_ERROR)?,
        p_error_per_lookup_log2: optional_f64(root, P_ERROR_PER_LOOKUP)?,
        declared: declared(root)?,
    })
}

/// What `@server` computes at the level `qnn`, from the integers that the client sends to those that it gets back. Stored
/// integers differ from these by their zero points.
///
/// # Errors
/// [`Error::Ir`] if the module has no `@server` at that level.
pub fn quantized_graph(module: &Module<'_>) -> Result<Graph, Error> {
    let server = Function::named(module_op(module), SERVER)?;
    let arguments = zero_points(server, &server.arguments())?;
    let results = zero_points(server, &server.results())?;
    Ok(subtract_from_outputs(add_to_inputs(graph(server)?, &arguments), &results))
}

/// What `@server` computes at the level `fhe`, where values have no zero point. It stands in for [`quantized_graph`] where a
/// compilation begins at that level.
///
/// # Errors
/// [`Error::Ir`] if the module has no `@server` at that level.
pub fn encrypted_graph(module: &Module<'_>) -> Result<Graph, Error> {
    let server = Function::named(module_op(module), SERVER)?;
    let graph = graph(server)?;
    if takes_integers(&graph) { Ok(graph) } else { Err(expected(server.op, "a function of integers").into()) }
}

fn zero_points(function: Function<'_, '_>, values: &[Value<'_, '_>]) -> Result<Vec<i64>, IrError> {
    values.iter().map(|value| zero_point(function.op, *value)).collect()
}

fn optional_f64(root: OperationRef<'_, '_>, name: &'static str) -> Result<Option<f64>, Error> {
    let attributes = Attributes(root);
    if !attributes.has(name) {
        return Ok(None);
    }
    attributes.f64(name).map(Some).map_err(|_| Error::Attribute { name, expected: "a float" })
}

/// Names of one attribute with three numbers of each from another; nothing where there are none.
fn counts(
    root: OperationRef<'_, '_>,
    names: &'static str,
    numbers: &'static str,
) -> Result<Vec<(String, [u64; 3])>, Error> {
    let attributes = Attributes(root);
    if !attributes.has(names) {
        return Ok(Vec::new());
    }
    let wrong = |_| Error::Attribute { name: numbers, expected: "an array<i64> of three for each node" };
    let nodes = attributes.strings(names).map_err(wrong)?;
    let counts = attributes.i64_arrays(numbers).map_err(wrong)?;
    let three = |counts: &[i64]| [0, 1, 2].map(|at| counts.get(at).map_or(0, |count| count.unsigned_abs()));
    Ok(nodes.into_iter().zip(counts.into_iter().map(three)).collect())
}

fn accumulator_bound(root: OperationRef<'_, '_>) -> Result<Option<AccumulatorBound>, Error> {
    let attributes = Attributes(root);
    if !attributes.has(ACCUMULATOR_BOUND) {
        return Ok(None);
    }
    let wrong = || Error::Attribute { name: ACCUMULATOR_BOUND, expected: "an array<i64> of four" };
    match attributes.i64_array(ACCUMULATOR_BOUND).map_err(|_| wrong())? {
        [bits, samples, agree_unbounded, agree] => Ok(Some(AccumulatorBound {
            bits: bits.unsigned_abs(),
            samples: samples.unsigned_abs(),
            agree_unbounded: agree_unbounded.unsigned_abs(),
            agree: agree.unsigned_abs(),
        })),
        _ => Err(wrong()),
    }
}

fn declared(root: OperationRef<'_, '_>) -> Result<Vec<DeclaredRange>, Error> {
    let (lows, highs) = (bounds(root, DECLARED_LOWS)?, bounds(root, DECLARED_HIGHS)?);
    if lows.len() != highs.len() {
        return Err(Error::Attribute {
            name: DECLARED_HIGHS,
            expected: "as many inputs as the lower bounds have",
        });
    }
    Ok(lows.into_iter().zip(highs).map(|(lo, hi)| DeclaredRange { lo, hi }).collect())
}

fn bounds(root: OperationRef<'_, '_>, name: &'static str) -> Result<Vec<Vec<f32>>, Error> {
    let attributes = Attributes(root);
    if !attributes.has(name) {
        return Ok(Vec::new());
    }
    let wrong = |_| Error::Attribute { name, expected: "an array of array<f64>" };
    let narrow = |bounds: &[f64]| bounds.iter().map(|bound| *bound as f32).collect();
    Ok(attributes.f64_arrays(name).map_err(wrong)?.into_iter().map(narrow).collect())
}
