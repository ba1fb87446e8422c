//! `cml compare`: a network in floats, quantized and simulated, side by side.

mod layers;
mod text;

use crate::arguments::CompareArguments;
use crate::compile::configuration::Configuration;
use crate::compile::stages::Settings;
use crate::compile::{compile_program, float_and_quantized, settings};
use crate::predict::samples;
use anyhow::Result;
use cml_runtime::arrays::ArraySource;
use cml_runtime::client;
use cml_runtime::commands::{Named, load_arrays};
use cml_runtime::output::print;
use cml_runtime::program::Invalid;
use cml_runtime::program::message::Program;
use cml_runtime::server::CheckedServer;
use layers::Comparison;
use serde::Serialize;

/// What `--json` prints. Ratios are decibels: ten times the logarithm of the variance of the
/// float values to the mean square of the error.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Outcome {
    samples: usize,
    /// How many of them went through the program with noise.
    simulated_samples: usize,
    /// Below this ratio a layer diverges.
    diverges_below_db: f64,
    /// The first layer that does, in the order of the network.
    first_diverging: Option<String>,
    /// Samples whose largest result is that of the float network; absent where results are no rows of scores.
    same_decision: Option<usize>,
    /// In the order of the network.
    layers: Vec<Layer>,
}

/// One node of the network, or one of its inputs.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Layer {
    /// As ONNX names it.
    node: String,
    /// Of the quantized values to float; absent for a node that has no value there, and where there is no error at all.
    signal_to_noise_db: Option<f64>,
    /// Whether every value is that of float.
    is_exact: bool,
    /// The channel with the largest error, and its ratio: of the mean signal of all channels to its own error.
    worst_channel: Option<(usize, f64)>,
    /// Share of values that the quantizer behind clips; absent where there is none.
    clipped: Option<f64>,
    /// Sums that are looked up in this node, or decrypted, over the simulated samples.
    simulated_sums: u64,
    /// How many of them are another integer than without noise.
    simulated_wrong: u64,
}

/// Compares and prints.
pub(crate) fn compare(arguments: &CompareArguments) -> Result<()> {
    let (program, settings) = compiled(arguments)?;
    let (float, quantized) = float_and_quantized(&arguments.model, settings)?;
    let client = program.client.as_ref().ok_or(Invalid::Missing { what: "client" })?;
    let arrays = load_arrays(client, &arguments.inputs.sources())?;
    let samples = samples(&float, &arrays)?;
    let mut comparison = Comparison::of(&float, &quantized)?;
    for sample in &samples {
        comparison.add(sample)?;
    }
    let same_decision = comparison.same_decision();
    let mut layers = comparison.layers();
    let server = program.server.as_ref().ok_or(Invalid::Missing { what: "server" })?;
    let server = CheckedServer::new(server)?;
    let integers = client::quantize(client, &arrays, false)?.samples;
    let simulated_samples = arguments.simulate.min(integers.len());
    for (index, sample) in integers.iter().take(simulated_samples).enumerate() {
        for found in server.compare_simulated(sample, arguments.seed.wrapping_add(index as u64))? {
            let place = client.outputs.iter().position(|port| port.name == found.node);
            let node = place.and_then(|place| comparison.output_node(place)).unwrap_or(found.node);
            if let Some(layer) = layers.iter_mut().find(|layer| layer.node == node) {
                layer.simulated_sums += found.sums;
                layer.simulated_wrong += found.wrong;
            }
        }
    }
    let diverges = |layer: &&Layer| layer.signal_to_noise_db.is_some_and(|db| db < arguments.diverges);
    let outcome = Outcome {
        samples: samples.len(),
        simulated_samples,
        diverges_below_db: arguments.diverges,
        first_diverging: layers.iter().find(diverges).map(|layer| layer.node.clone()),
        same_decision,
        layers,
    };
    Ok(print(&if arguments.json {
        serde_json::to_string_pretty(&outcome)? + "\n"
    } else {
        outcome.to_string()
    })?)
}

/// The program, and what its network is to be quantized with once more.
fn compiled(arguments: &CompareArguments) -> Result<(Program, Settings)> {
    if let Some(path) = &arguments.program {
        let program = Program::load(path)?;
        let configuration = Configuration::of(&program, path)?;
        return Ok((program, Settings { configuration, ..Settings::default() }));
    }
    let mut settings = settings(&arguments.options, &arguments.calibration)?;
    if settings.calibration.is_empty() && settings.configuration.products.is_empty() {
        let text = |source: &Named<ArraySource>| match &source.name {
            Some(name) => format!("{name}={}", source.place),
            None => source.place.to_string(),
        };
        settings.calibration = arguments.inputs.sources().iter().map(text).collect();
    }
    let (program, configuration) = compile_program(&arguments.model, settings)?;
    Ok((program, Settings { configuration, ..Settings::default() }))
}
