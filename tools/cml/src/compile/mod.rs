//! `cml compile`.

pub(crate) mod configuration;
pub(crate) mod diagnostics;
pub(crate) mod options;
mod search;
pub(crate) mod source;
pub(crate) mod stages;
mod steps;

use crate::arguments::{CompileArguments, OptionArguments};
use crate::progress;
use anyhow::{Result, bail};
use cml_dialects::ir::module_op;
use cml_runtime::commands::expect_different;
use cml_runtime::program::file::{check_writable, write_atomically};
use cml_runtime::program::message::Program;
use cml_runtime::reference::message::Graph;
use configuration::Configuration;
use diagnostics::Diagnostics;
use melior::ir::Module;
use melior::ir::operation::{OperationLike, OperationPrintingFlags};
use options::InputRange;
use source::Level;
use stages::{Compiler, Settings};
use std::io::Write;
use std::path::Path;

/// Compiles a model and writes the program, or the module at a level.
pub(crate) fn compile(arguments: &CompileArguments) -> Result<()> {
    cml_passes::set_check_semantics(arguments.check_semantics);
    let save = arguments.save_config.as_deref();
    let outputs: Vec<&Path> = std::iter::once(arguments.output.as_path()).chain(save).collect();
    expect_different(&outputs)?;
    outputs.into_iter().try_for_each(check_writable)?;
    let mut settings = settings(&arguments.options, &arguments.calibration)?;
    if let Some(goal) = search::asked(&arguments.search) {
        settings = search::search(&arguments.model, settings, &arguments.search, goal)?;
    }
    match arguments.emit {
        None => {
            let (program, configuration) = compile_program(&arguments.model, settings)?;
            // The program last: whoever waits for it finds the rest in place.
            save_text(save, &configuration.to_json())?;
            program.save(&arguments.output)?;
            cml_runtime::output::note(&summary(&program)?);
        }
        Some(level) => {
            let settings = steps::choose(&arguments.model, settings)?;
            let (text, configuration) = with_compiler(&arguments.model, settings, |mut compiler| {
                compiler.lower_to(level)?;
                Ok((printed(compiler.module())?, compiler.configuration().clone()))
            })?;
            save_text(save, &configuration.to_json())?;
            save_text(Some(&arguments.output), &text)?;
        }
    }
    Ok(())
}

/// Compiles a model to a program; gives the configuration with the quantizers found.
pub(crate) fn compile_program(model: &Path, settings: Settings) -> Result<(Program, Configuration)> {
    let settings = steps::choose(model, settings)?;
    with_compiler(model, settings, |mut compiler| {
        compiler.lower_to(Level::Tfhe)?;
        let configuration = compiler.configuration().clone();
        Ok((compiler.program()?, configuration))
    })
}

/// The float network, and the same quantized, each as a computation whose nodes have their ONNX names.
pub(crate) fn float_and_quantized(model: &Path, settings: Settings) -> Result<(Graph, Graph)> {
    with_compiler(model, settings, |compiler| compiler.float_and_quantized())
}

fn with_compiler<T>(
    model: &Path,
    settings: Settings,
    work: impl FnOnce(Compiler<'_>) -> Result<T>,
) -> Result<T> {
    let stages = progress::Stages::start();
    stages.observe_passes();
    with_announced(model, settings, &|stage| stages.announce(stage), work)
}

/// A compiler in a context of its own, that tells its stages.
fn with_announced<T>(
    model: &Path,
    settings: Settings,
    announce: &dyn Fn(&str),
    work: impl FnOnce(Compiler<'_>) -> Result<T>,
) -> Result<T> {
    cml_passes::register();
    let context = cml_dialects::context();
    let diagnostics = Diagnostics::of(&context);
    announce("reading the model");
    let source = source::load(&context, &diagnostics, model, &settings.configuration.options.dims)?;
    work(Compiler::new(&context, &diagnostics, (source, settings), announce))
}

/// The options of the command line, over those of a configuration file.
pub(crate) fn settings(arguments: &OptionArguments, calibration: &[String]) -> Result<Settings> {
    let mut configuration = match &arguments.config {
        Some(path) => Configuration::load(path)?,
        None => Configuration::default(),
    };
    let options = &mut configuration.options;
    if arguments.bits.is_some() {
        options.bits = arguments.bits;
        options.node_bits.clear();
    }
    options.granularity = arguments.granularity.or(options.granularity);
    options.effort = arguments.effort.or(options.effort);
    options.steps = arguments.steps.or(options.steps);
    options.max_accumulator_bits = arguments.max_accumulator_bits.or(options.max_accumulator_bits);
    options.keep_unfired |= arguments.keep_unfired;
    options.prune = arguments.prune.or(options.prune);
    if arguments.p_error.is_some() || arguments.p_error_per_lookup.is_some() {
        options.p_error_log2 = arguments.p_error.map(|log2| log2.0);
        options.p_error_per_lookup_log2 = arguments.p_error_per_lookup.map(|log2| log2.0);
    }
    options.one_ring |= arguments.one_ring;
    options.approximate_bits = arguments.rounding.map(|rounding| rounding.0).or(options.approximate_bits);
    if !arguments.input_range.is_empty() {
        options.input_ranges.clear();
    }
    for InputRange { name, bounds } in &arguments.input_range {
        let name = name.clone().unwrap_or_default();
        if options.input_ranges.insert(name, bounds.clone()).is_some() {
            bail!("--input-range is given twice for one input; separate the bounds of features by commas");
        }
    }
    options.dims.extend(arguments.dim.iter().cloned());
    Ok(Settings {
        configuration,
        calibration: calibration.to_vec(),
        machine: arguments.machine.clone(),
        rough: false,
    })
}

/// The module as text, with the ONNX nodes as locations.
fn printed(module: &Module<'_>) -> Result<String> {
    let flags = OperationPrintingFlags::new().enable_debug_info(true, false);
    Ok(module_op(module).to_string_with_flags(flags)? + "\n")
}

fn save_text(path: Option<&Path>, text: &str) -> Result<()> {
    if let Some(path) = path {
        write_atomically(path, false, |file| file.write_all(text.as_bytes()))?;
    }
    Ok(())
}

fn summary(program: &Program) -> Result<String> {
    let report = cml_backend::report::Report::stored_in(program)?;
    let seconds =
        report.predicted_seconds.map_or(String::new(), |seconds| format!(", predicted {seconds:.2} s"));
    Ok(format!(
        "{}: {} bootstraps of up to {} bits{seconds}",
        report.model, report.bootstraps_per_inference, report.max_accumulator_bits
    ))
}
