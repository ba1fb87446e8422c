//! `--steps cheapest`: after each layer a power of two, where the program is faster by it and decides as well.

use super::configuration::products;
use super::options::{Effort, Granularity, Options, Steps};
use super::source::Level;
use super::stages::{Compiler, Settings};
use super::with_announced;
use crate::progress;
use anyhow::Result;
use cml_dialects::ir::{Function, module_op, node_name};
use cml_dialects::nn::MAIN;
use cml_passes::analysis::samples::samples as read_samples;
use cml_passes::framework::semantics::Meaning;
use cml_passes::transforms::calibrate::is_chain;
use cml_passes::transforms::quantization::scores::decisions;
use cml_runtime::output::{note, warn};
use cml_runtime::reference::Value;
use std::path::Path;

/// What a network with some steps comes to.
struct Found {
    /// Predicted, of one inference; nothing where no parameters serve it.
    seconds: f64,
    /// On how many calibration samples it decides as in floats.
    agree: usize,
}

/// The network in floats.
struct Float {
    /// Products whose sums become steps of the next one's inputs.
    nodes: Vec<String>,
    samples: Vec<Vec<Value>>,
    decisions: Vec<Vec<i64>>,
    is_chain: bool,
}

/// The settings with steps of single nodes, where the cheapest ones are asked for: from the first product to the last one whose
/// sums are looked up, each that makes the program faster by the cost table, and decides as float on as many calibration samples
/// as with free steps.
pub(super) fn choose(model: &Path, mut settings: Settings) -> Result<Settings> {
    let options = &mut settings.configuration.options;
    if options.steps != Some(Steps::Cheapest) || settings.calibration.is_empty() {
        return Ok(settings);
    }
    // Those of an earlier choice.
    options.node_bits.values_mut().for_each(|node| node.steps = None);
    let is_whole = options.granularity != Some(Granularity::Tensor) && options.effort != Some(Effort::Fast);
    let stages = progress::Stages::start();
    stages.announce("choosing steps: reading the network");
    let float = with_announced(model, settings.clone(), &|_| (), |compiler| float(compiler, &settings))?;
    let Some(float) = float else { return Ok(settings) };
    if !float.is_chain || !is_whole {
        drop(stages);
        warn(
            "steps are left free: they follow in chains of layers, with one scale per channel, and not with --effort fast",
        );
        return Ok(settings);
    }
    let try_out = |settings: &Settings| {
        with_announced(model, settings.clone(), &|_| (), |compiler| found(compiler, &float))
    };
    let free = try_out(&settings)?;
    let (mut best, mut fastest, mut taken) = (settings, free.seconds, Vec::new());
    for (number, node) in float.nodes.iter().enumerate() {
        stages.announce(&format!("choosing steps: layer {} of {}", number + 1, float.nodes.len()));
        let candidate = with_steps(&best, node);
        let found = try_out(&candidate)?;
        if found.seconds < fastest && found.agree >= free.agree {
            (best, fastest) = (candidate, found.seconds);
            taken.push(node.as_str());
        }
    }
    drop(stages);
    let nodes = if taken.is_empty() { "none".to_owned() } else { taken.join(", ") };
    note(&format!(
        "steps that are powers of two after: {nodes}; predicted {fastest:.3} s, with free steps {:.3} s",
        free.seconds
    ));
    Ok(best)
}

fn with_steps(settings: &Settings, node: &str) -> Settings {
    let mut settings = settings.clone();
    let Options { node_bits, .. } = &mut settings.configuration.options;
    node_bits.entry(node.to_owned()).or_default().steps = Some(Steps::PowerOfTwo);
    settings
}

/// `None` for a module whose steps are chosen already.
fn float(mut compiler: Compiler<'_>, settings: &Settings) -> Result<Option<Float>> {
    if compiler.level() != Level::Nn {
        return Ok(None);
    }
    compiler.lower_to(Level::Nn)?;
    let meaning = Meaning::of(module_op(compiler.module()))?;
    let samples = read_samples("calibration data", meaning.inputs(), &settings.calibration.join(";"))?;
    let mut nodes: Vec<String> = products(compiler.module())?.into_iter().map(node_name).collect();
    nodes.pop();
    let is_chain = is_chain(Function::named(module_op(compiler.module()), MAIN)?)?;
    Ok(Some(Float { nodes, decisions: decided(&meaning, &samples)?, samples, is_chain }))
}

fn found(mut compiler: Compiler<'_>, float: &Float) -> Result<Found> {
    compiler.lower_to(Level::Qnn)?;
    let decisions = decided(&Meaning::of(module_op(compiler.module()))?, &float.samples)?;
    let agree = decisions.iter().zip(&float.decisions).filter(|(found, float)| found == float).count();
    Ok(Found { seconds: compiler.predicted_seconds()?.unwrap_or(f64::INFINITY), agree })
}

/// What each sample is decided to be.
fn decided(meaning: &Meaning, samples: &[Vec<Value>]) -> Result<Vec<Vec<i64>>> {
    Ok(meaning.run(samples)?.iter().map(|outputs| decisions(outputs)).collect())
}
