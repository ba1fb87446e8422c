//! The report of a program: widths, lookups, parameters, failure probability, sizes, predicted time.

mod text;

use crate::Error;
use cml_runtime::parameters::ledger::{assess, summarize};
use cml_runtime::parameters::{key_sets, outputs};
use cml_runtime::program::file::FORMAT_VERSION;
use cml_runtime::program::message::{Client, EncryptedPort, Event, ParameterSet, Program};
use cml_runtime::program::{Invalid, message};
use cml_runtime::units::Log2Probability;
use serde::{Deserialize, Serialize};

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
    /// How many bootstraps one inference does.
    pub bootstraps_per_inference: u64,
    /// Largest proved width of a value that enters a lookup.
    pub max_accumulator_bits: u32,
    /// Largest proved width of a value that is only decrypted.
    pub max_output_bits: u32,
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
    /// What the cost table gives for one inference; `None` where the program was made without one.
    pub predicted_seconds: Option<f64>,
}

/// Lookups of one node that are done in the same way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lookup {
    /// The ONNX node.
    pub node: String,
    /// How many lookups.
    pub count: u32,
    /// Width of the widest range, proved.
    pub width: u32,
    /// Width of the widest range that calibration saw.
    pub measured_width: Option<u32>,
    /// Largest 2-norm of the weights since the last bootstrap, not squared.
    pub norm2: f64,
    /// How the lookup is done.
    pub form: String,
    /// Failure probability of one lookup.
    pub p_error_log2: Option<f64>,
    /// What is done for one lookup, in order.
    pub stages: Vec<Stage>,
}

/// One reading of a phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// What the stage is for.
    pub role: String,
    /// log2 of the number of accumulators.
    pub extension: u32,
    /// Position among `parameter_sets`.
    pub parameter_set: u32,
    /// Smallest noise that is an error, on the torus.
    pub tolerance_log2: f64,
    /// Standard deviation of the noise at the modulus switch, on the torus.
    pub noise_std_log2: f64,
    /// Failure probability of one reading.
    pub p_error_log2: Option<f64>,
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
}

impl Report {
    /// The report of a program; all numbers but the predicted time are computed from the program itself.
    ///
    /// # Errors
    /// [`Error`] for a program without client or parameters, or with numbers that cannot be assessed.
    pub fn of(program: &Program, predicted_seconds: Option<f64>) -> Result<Self, Error> {
        let client = program.client.as_ref().ok_or(Invalid::Missing { what: "client" })?;
        let sets = &client.parameters;
        let summary = summarize(&client.events, sets)?;
        let (lookups, outputs): (Vec<&Event>, Vec<&Event>) =
            client.events.iter().partition(|event| event.extension.is_some());
        let widest = |events: &[&Event]| events.iter().map(|event| event.width).max().unwrap_or(0);
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
            bootstraps_per_inference: lookups
                .iter()
                .map(|event| u64::from(event.count) * u64::from(event.rotations))
                .sum(),
            max_accumulator_bits: widest(&lookups),
            max_output_bits: widest(&outputs),
            lookups: lookups.iter().map(|event| Lookup::of(event, sets)).collect::<Result<_, _>>()?,
            outputs_p_error_log2: finite(Log2Probability::sum(of_outputs)),
            parameter_sets: sets.iter().map(Parameters::of).collect(),
            eval_key_bytes: key_sets::eval_key_bytes(sets),
            input_bytes: input_bytes(client),
            output_bytes: output_bytes(client),
            predicted_seconds,
        })
    }

    /// The report that a program carries, or one made of its numbers if it carries none.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub fn stored_in(program: &Program) -> Result<Self, Error> {
        // Only the predicted time is taken from the file: everything else follows from what is checked on load.
        let stored: Option<Self> = serde_json::from_str(&program.report).ok();
        Self::of(program, stored.and_then(|report| report.predicted_seconds))
    }

    /// One object, over several lines.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a report has nothing that JSON cannot say")
    }
}

impl Lookup {
    fn of(event: &Event, sets: &[ParameterSet]) -> Result<Self, Error> {
        let found = assess(event, sets)?;
        let extension = event.extension.unwrap_or(0);
        let stage = Stage {
            role: "bootstrap".to_owned(),
            extension,
            parameter_set: event.key,
            tolerance_log2: found.tolerance.log2(),
            noise_std_log2: found.variance.log2_std_dev(),
            p_error_log2: finite(found.probability),
        };
        Ok(Self {
            node: event.node.clone(),
            count: event.count,
            width: event.width,
            measured_width: event.measured_width,
            norm2: event
                .norm2_squared_bootstraps
                .iter()
                .fold(event.norm2_squared_inputs, |sum, norm| sum + norm)
                .sqrt(),
            form: if extension == 0 { "bootstrap" } else { "extended_bootstrap" }.to_owned(),
            p_error_log2: finite(found.probability),
            stages: vec![stage],
        })
    }
}

impl Parameters {
    fn of(set: &message::ParameterSet) -> Self {
        Self {
            lwe_dimension: set.lwe_dimension,
            glwe_dimension: set.glwe_dimension,
            polynomial_size: set.polynomial_size,
            pbs_base_log: set.pbs_base_log,
            pbs_level: set.pbs_level,
            ks_base_log: set.ks_base_log,
            ks_level: set.ks_level,
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
