//! The report of a program: widths, lookups, parameters, failure probability, sizes, predicted time.

mod neighbours;
mod nodes;
mod text;

pub use nodes::Node;

use crate::Error;
use cml_runtime::parameters::ledger::{Summary, assess, summarize};
use cml_runtime::parameters::{key_sets, outputs};
use cml_runtime::program::file::FORMAT_VERSION;
use cml_runtime::program::message::{Client, EncryptedPort, Event, Program, Server};
use cml_runtime::program::{self, Invalid, message};
use cml_runtime::server::CheckedServer;
use cml_runtime::units::{Log2Probability, Spacing};
use neighbours::neighbours;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Bytes of the seed from which all masks of one encrypted input follow.
const SEED_BYTES: u64 = 16;

/// What `cml inspect` shows. Probabilities and noise are logarithms to base 2; `None` is the probability 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Version of the file format.
    pub format_version: u32,
    /// Name of the model.
    pub model: String,
    /// Security of the weakest key, bits.
    pub security_bits: f64,
    /// Failure probability of one inference: the sum over all lookups and outputs.
    pub p_error_log2: Option<f64>,
    /// The budget that it had to stay within, if one was set for the inference.
    pub p_error_budget_log2: Option<f64>,
    /// Failure probability of the worst lookup.
    pub p_error_per_lookup_log2: Option<f64>,
    /// The budget of each lookup and output, if one was set.
    pub p_error_per_lookup_budget_log2: Option<f64>,
    /// How many lookups one inference does.
    pub lookups_per_inference: u64,
    /// How many bootstraps one inference does: one or a few for each lookup.
    pub bootstraps_per_inference: u64,
    /// Largest proved width of a value that enters a lookup.
    pub max_accumulator_bits: u32,
    /// Largest proved width of a value that is only decrypted.
    pub max_output_bits: u32,
    /// One entry for each ONNX node with lookups, in the order of what to change first.
    #[serde(default)]
    pub nodes: Vec<Node>,
    /// One entry for each group of lookups.
    pub lookups: Vec<Lookup>,
    /// Failure probability of all decrypted outputs together.
    pub outputs_p_error_log2: Option<f64>,
    /// Every key set.
    pub parameter_sets: Vec<Parameters>,
    /// Size of the evaluation key as it is sent, in bytes.
    pub eval_key_bytes: u64,
    /// Size of the encrypted input of one sample, in bytes.
    pub input_bytes: u64,
    /// Size of the encrypted output of one sample, in bytes.
    pub output_bytes: u64,
    /// How many samples a server takes through the program together, if it has as many.
    #[serde(default)]
    pub samples_together: u64,
    /// Most memory that keys and ciphertexts take on the server, with that many samples, in bytes.
    #[serde(default)]
    pub server_bytes: u64,
    /// What the cost table gives for one inference; `None` where the program was made without one.
    pub predicted_seconds: Option<f64>,
    /// What pruning did, by product; nothing where nothing was pruned.
    #[serde(default)]
    pub pruned: Vec<Pruned>,
    /// Neurons of each activation between products, and how many of them never fire.
    #[serde(default)]
    pub neurons: Vec<Neurons>,
    /// What a bound on accumulators costs; `None` where there was none.
    #[serde(default)]
    pub accumulator_bound: Option<AccumulatorBound>,
    /// Calibration saw less of the inputs than the client may send, and sums would be narrower if that were all.
    #[serde(default)]
    pub unseen_inputs: bool,
}

/// A bound on the sums that lookups read, and the decisions of the quantized network on the calibration samples.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccumulatorBound {
    /// The most bits that a sum may have.
    pub bits: u64,
    /// How many samples there are.
    pub samples: u64,
    /// On how many of them the decision would be that of float without the bound.
    pub agree_unbounded: u64,
    /// On how many of them it is.
    pub agree: u64,
}

/// Neurons of an activation between products. Those that never fire are constants, without a lookup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neurons {
    /// The ONNX node.
    pub node: String,
    /// How many there are.
    pub count: u64,
    /// How many have one value on every input that the client may send.
    pub proved: u64,
    /// How many had one value on every calibration sample and might have another on other inputs: they were made constant.
    pub observed: u64,
}

/// What pruning did to the weights of one product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pruned {
    /// The ONNX node.
    pub node: String,
    /// How many weights it has.
    pub weights: u64,
    /// How many of them were not 0 before.
    pub before: u64,
    /// How many are not 0 now.
    pub after: u64,
}

/// Lookups of one node that are done in the same way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lookup {
    /// Its number in the program.
    pub lookup: u32,
    /// The ONNX node.
    pub node: String,
    /// How many lookups.
    pub count: u32,
    /// How many values they read: fewer than lookups where several tables are read out of one rotation.
    pub values: u32,
    /// Width of the widest range, proved.
    pub width: u32,
    /// Width of the widest range that calibration saw.
    pub measured_width: Option<u32>,
    /// The smallest and the largest integer that calibration saw one of them read.
    pub measured_range: Option<(i64, i64)>,
    /// Largest 2-norm of the weights since the last bootstrap, not squared.
    pub norm2: f64,
    /// How the lookup is done: `bootstrap`, `extended_bootstrap`, `fold`, `steps`, `zones`, `floor`, `nearest`, or one of
    /// the last four after a fold, as in `fold_steps`; `compare` where all tables of a value are read out of one rotation; `approximate` where a
    /// table is read at once and not exactly.
    pub form: String,
    /// How many rotations one value takes.
    pub rotations: u32,
    /// Predicted milliseconds of one lookup on one core.
    pub milliseconds: Option<f64>,
    /// Part that all of these lookups have in the predicted time of all lookups.
    pub share_of_time: Option<f64>,
    /// Failure probability of one lookup: the sum over its phases.
    pub p_error_log2: Option<f64>,
    /// Part that all of these lookups have in the failure probability of an inference.
    pub share_of_p_error: f64,
    /// What is done for one lookup, in order.
    pub stages: Vec<Stage>,
}

/// One bootstrap of a lookup.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// What the stage is for.
    pub role: String,
    /// log2 of the number of accumulators for each table: -1 where it shares a rotation with the other table of its phase.
    pub extension: i32,
    /// Position among `parameter_sets`.
    pub parameter_set: u32,
    /// Integers that half the torus holds at the spacing that is read.
    pub slots: u64,
    /// By how many slots the reading may be off.
    pub tolerance_slots: u32,
    /// Smallest noise that is an error, on the torus.
    pub tolerance_log2: f64,
    /// Standard deviation of the noise at the modulus switch, on the torus.
    pub noise_std_log2: f64,
    /// Whether an earlier stage reads the same phase: one keyswitch, and one failure for both.
    pub shares_phase: bool,
    /// Whether it comes out of the rotation of an earlier stage.
    pub shares_rotation: bool,
    /// Failure probability of one reading.
    pub p_error_log2: Option<f64>,
    /// Predicted milliseconds of one element on one core.
    pub milliseconds: Option<f64>,
}

/// Sizes and decompositions of a key set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameters {
    /// n, of the small key.
    pub lwe_dimension: u32,
    /// k.
    pub glwe_dimension: u32,
    /// N.
    pub polynomial_size: u32,
    /// Of the bootstrap.
    pub pbs_base_log: u32,
    /// Of the bootstrap.
    pub pbs_level: u32,
    /// Of the keyswitch.
    pub ks_base_log: u32,
    /// Of the keyswitch.
    pub ks_level: u32,
    /// Its part of the evaluation key as it is sent, in bytes.
    pub eval_key_bytes: u64,
}

/// What the compilation knew and the program itself does not say: predictions of a cost table, and what became of the network.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recorded {
    /// Seconds of one inference on all threads of the machine.
    pub seconds: Option<f64>,
    /// Milliseconds of one element on one core, by number of the lookup and position of the stage among its stages.
    pub milliseconds: BTreeMap<(u32, usize), f64>,
    /// The smallest and the largest integer that calibration saw, by number of the lookup.
    pub measured: BTreeMap<u32, (i64, i64)>,
    /// What pruning did, by product.
    pub pruned: Vec<Pruned>,
    /// Neurons that never fire.
    pub neurons: Vec<Neurons>,
    /// What a bound on accumulators costs.
    pub accumulator_bound: Option<AccumulatorBound>,
    /// The inputs may be more than calibration saw, and that makes sums wider.
    pub unseen_inputs: bool,
}

impl Report {
    /// The report of a program; all numbers but what is recorded are computed from the program itself.
    ///
    /// # Errors
    /// [`Error`] for a program without client or server, or with numbers that cannot be assessed.
    pub fn of(program: &Program, recorded: &Recorded) -> Result<Self, Error> {
        let client = program.client.as_ref().ok_or(Invalid::Missing { what: "client" })?;
        let server = program.server.as_ref().ok_or(Invalid::Missing { what: "server" })?;
        let sets = &client.parameters;
        let checked = CheckedServer::new(server)?;
        let samples_together = checked.samples_at_once();
        let summary = summarize(&client.events, sets)?;
        let readings = Reading::all(server)?;
        let lookups = readings.values().map(|readings| Lookup::of(readings, client, &summary, recorded));
        let mut lookups = lookups.collect::<Result<Vec<_>, _>>()?;
        let time: Option<f64> = lookups.iter().map(Lookup::all_milliseconds).sum();
        for lookup in &mut lookups {
            lookup.share_of_time = time.and_then(|all| Some(lookup.all_milliseconds()? / all));
        }
        let outputs: Vec<&Event> = client.events.iter().filter(|event| event.extension.is_none()).collect();
        let of_outputs =
            outputs.iter().map(|event| Ok(assess(event, sets)?.all)).collect::<Result<Vec<_>, Error>>()?;
        Ok(Self {
            format_version: FORMAT_VERSION,
            model: client.model.clone(),
            security_bits: summary.security_bits,
            p_error_log2: finite(summary.total),
            p_error_budget_log2: client.p_error_log2,
            p_error_per_lookup_log2: finite(summary.worst_lookup),
            p_error_per_lookup_budget_log2: client.p_error_per_lookup_log2,
            lookups_per_inference: lookups.iter().map(|lookup| u64::from(lookup.count)).sum(),
            bootstraps_per_inference: lookups
                .iter()
                .map(|lookup| u64::from(lookup.values) * u64::from(lookup.rotations))
                .sum(),
            max_accumulator_bits: lookups.iter().map(|lookup| lookup.width).max().unwrap_or(0),
            max_output_bits: outputs.iter().map(|event| event.width).max().unwrap_or(0),
            nodes: Node::all(&lookups, &readings, &neighbours(program), recorded.unseen_inputs),
            lookups,
            outputs_p_error_log2: finite(Log2Probability::sum(of_outputs)),
            parameter_sets: sets.iter().map(Parameters::of).collect(),
            eval_key_bytes: key_sets::eval_key_bytes(sets),
            input_bytes: input_bytes(client),
            output_bytes: output_bytes(client),
            samples_together: samples_together.get() as u64,
            server_bytes: checked.peak_bytes(samples_together),
            predicted_seconds: recorded.seconds,
            pruned: recorded.pruned.clone(),
            neurons: recorded.neurons.clone(),
            accumulator_bound: recorded.accumulator_bound.clone(),
            unseen_inputs: recorded.unseen_inputs,
        })
    }

    /// The report of a program, with what the one that it carries says of predicted times, measured ranges, pruning, neurons that
    /// never fire, and a bound on accumulators.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub fn stored_in(program: &Program) -> Result<Self, Error> {
        // Only what cannot be computed is taken from the file: everything else follows from what is checked on load.
        let stored: Option<Self> = serde_json::from_str(&program.report).ok();
        let predicted = stored.map_or_else(Recorded::default, |report| Recorded {
            seconds: report.predicted_seconds,
            milliseconds: report.lookups.iter().flat_map(Lookup::predicted).collect(),
            measured: report
                .lookups
                .iter()
                .filter_map(|lookup| Some((lookup.lookup, lookup.measured_range?)))
                .collect(),
            pruned: report.pruned,
            neurons: report.neurons,
            accumulator_bound: report.accumulator_bound,
            unseen_inputs: report.unseen_inputs,
        });
        Self::of(program, &predicted)
    }

    /// One object, over several lines.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a report has nothing that JSON cannot say")
    }
}

/// One bootstrap step of the server, and the event of the phase that it reads.
struct Reading<'a> {
    reading: program::Reading<'a>,
    /// Half-torus slots of its input.
    slots: u64,
    event: usize,
}

impl<'a> Reading<'a> {
    /// All of them, in order, by number of their lookup.
    fn all(server: &'a Server) -> Result<BTreeMap<u32, Vec<Self>>, Error> {
        let values = server.values()?;
        let mut all: BTreeMap<u32, Vec<Self>> = BTreeMap::new();
        let mut phases = BTreeMap::new();
        for step in &server.steps {
            if let Some(reading) = step.reading() {
                // Events are in the order in which their phases are first read.
                let next = phases.len();
                let event = *phases.entry(reading.phase()).or_insert(next);
                let input = values.get(reading.input() as usize).map_or(0, |value| value.spacing);
                let slots = Spacing(input).slots();
                all.entry(reading.lookup()).or_default().push(Self { reading, slots, event });
            }
        }
        Ok(all)
    }
}

impl Lookup {
    fn of(
        readings: &[Reading<'_>],
        client: &Client,
        summary: &Summary,
        recorded: &Recorded,
    ) -> Result<Self, Error> {
        let missing = || Invalid::Missing { what: "failure event of a lookup" };
        let (mut stages, mut seen, mut readers) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        for (position, Reading { reading, slots, event: number }) in readings.iter().enumerate() {
            let event = client.events.get(*number).ok_or_else(missing)?;
            let found = assess(event, &client.parameters)?;
            let shares_phase = seen.insert(*number, found).is_some();
            let reader: &mut usize = readers.entry(*number).or_default();
            *reader += 1;
            let shares_rotation = reading.rotations_of(*reader) == reading.rotations_of(*reader - 1);
            stages.push(Stage {
                role: role_of(*reading),
                extension: reading.extension(),
                parameter_set: reading.key(),
                slots: *slots,
                tolerance_slots: reading.tolerance(),
                tolerance_log2: found.tolerance.log2(),
                noise_std_log2: found.variance.log2_std_dev(),
                shares_phase,
                shares_rotation,
                p_error_log2: finite(found.probability),
                milliseconds: recorded.milliseconds.get(&(reading.lookup(), position)).copied(),
            });
        }
        let Reading { reading, event, .. } = readings.first().ok_or_else(missing)?;
        let event = client.events.get(*event).ok_or_else(missing)?;
        let one = Log2Probability::sum(seen.values().map(|found| found.probability));
        let all = Log2Probability::sum(seen.values().map(|found| found.all));
        let norm2_squared =
            event.norm2_squared_bootstraps.iter().fold(event.norm2_squared_inputs, |sum, norm| sum + norm);
        let count = match reading {
            program::Reading::Tables(_) => event.count,
            program::Reading::Comparisons(compare) => compare.tables,
        };
        let of_value: Option<f64> = stages.iter().map(|stage| stage.milliseconds).sum();
        Ok(Self {
            lookup: reading.lookup(),
            node: event.node.clone(),
            count,
            values: event.count,
            width: event.width,
            measured_width: event.measured_width,
            measured_range: recorded.measured.get(&reading.lookup()).copied(),
            norm2: norm2_squared.sqrt(),
            form: form_of(&stages, evenly_spaced(readings)),
            rotations: stages.iter().filter(|stage| !stage.shares_rotation).count() as u32,
            milliseconds: of_value.map(|one| one * f64::from(event.count) / f64::from(count.max(1))),
            share_of_time: None,
            p_error_log2: finite(one),
            share_of_p_error: if finite(all).is_some() { (all.0 - summary.total.0).exp2() } else { 0.0 },
            stages,
        })
    }

    /// Of all these lookups, on one core.
    fn all_milliseconds(&self) -> Option<f64> {
        self.milliseconds.map(|one| one * f64::from(self.count))
    }

    /// What was predicted of each stage.
    fn predicted(&self) -> impl Iterator<Item = ((u32, usize), f64)> + '_ {
        let stages = self.stages.iter().enumerate();
        stages.filter_map(|(position, stage)| Some(((self.lookup, position), stage.milliseconds?)))
    }
}

fn role_of(reading: program::Reading<'_>) -> String {
    match reading {
        program::Reading::Tables(bootstrap) => bootstrap.stage().to_string(),
        program::Reading::Comparisons(_) => "compare".to_owned(),
    }
}

/// The name of a chain of stages: `bootstrap` or `extended_bootstrap` for a table that is read at once, and `approximate`
/// where that is not exact; `compare` where all tables of a value are read out of one rotation; `fold` for one that is read after
/// folds; `steps` for equal jumps, `zones` for unequal ones; `floor` where the nearest border is found and all borders are
/// equally far apart, so that it is the floor of a division, `nearest` where they are not. A fold before one of these four gives
/// `fold_steps`, and so on.
fn form_of(stages: &[Stage], evenly_spaced: bool) -> String {
    let has = |role| stages.iter().any(|stage| stage.role == role);
    if has("approximate") {
        return "approximate".to_owned();
    }
    if has("compare") {
        return "compare".to_owned();
    }
    let chain = match (has("count"), has("nearest"), has("table")) {
        (true, _, false) => "steps",
        (true, _, true) => "zones",
        (false, true, _) if evenly_spaced => "floor",
        (false, true, _) => "nearest",
        (false, false, _) if has("fold") => return "fold".to_owned(),
        (false, false, _) if stages.iter().all(|stage| stage.extension == 0) => "bootstrap",
        (false, false, _) => "extended_bootstrap",
    };
    let folds_first = stages.first().is_some_and(|stage| stage.role == "fold");
    if folds_first { format!("fold_{chain}") } else { chain.to_owned() }
}

/// Whether all borders that these stages look for are equally far apart.
fn evenly_spaced(readings: &[Reading<'_>]) -> bool {
    let tables = readings.iter().filter_map(|reading| match reading.reading {
        program::Reading::Tables(bootstrap) if bootstrap.stage() == message::Stage::Nearest => {
            Some(&bootstrap.tables)
        }
        _ => None,
    });
    let neighbours = tables.flatten().flat_map(|table| table.values.windows(2));
    let distances = neighbours.map(|pair| pair[0].abs_diff(pair[1])).filter(|distance| *distance > 0);
    distances.collect::<BTreeSet<_>>().len() <= 1
}

impl Parameters {
    /// What is reported of a key set.
    #[must_use]
    pub fn of(set: &message::ParameterSet) -> Self {
        Self {
            lwe_dimension: set.lwe_dimension,
            glwe_dimension: set.glwe_dimension,
            polynomial_size: set.polynomial_size,
            pbs_base_log: set.pbs_base_log,
            pbs_level: set.pbs_level,
            ks_base_log: set.ks_base_log,
            ks_level: set.ks_level,
            eval_key_bytes: set.eval_key_bytes(),
        }
    }
}

fn elements(ports: &[EncryptedPort]) -> u64 {
    ports.iter().map(|port| port.lo.len() as u64).sum()
}

/// A seed for each input, and the body of each ciphertext.
fn input_bytes(client: &Client) -> u64 {
    SEED_BYTES * client.inputs.len() as u64 + 8 * elements(&client.inputs)
}

fn output_bytes(client: &Client) -> u64 {
    let bytes =
        |port: &EncryptedPort| outputs::bytes(port.lo.len(), port.returned.as_ref(), &client.parameters);
    client.outputs.iter().map(bytes).sum()
}

fn finite(probability: Log2Probability) -> Option<f64> {
    Some(probability.0).filter(|log2| log2.is_finite())
}

#[cfg(test)]
mod tests;
