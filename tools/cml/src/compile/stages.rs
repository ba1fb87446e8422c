//! The stages of a compilation: one level down each, by the named pipelines.

use super::configuration::{Configuration, products, quantized_product};
use super::diagnostics::Diagnostics;
use super::source::{Level, Source};
use anyhow::{Result, anyhow, bail};
use cml_backend::report::Report;
use cml_backend::{DECLARED_HIGHS, DECLARED_LOWS, Provenance, encrypted_graph, program_of, quantized_graph};
use cml_dialects::ffi::set_attribute;
use cml_dialects::interpret::graph;
use cml_dialects::ir::{Function, Make, module_op, node_name, operand};
use cml_dialects::nn::MAIN;
use cml_dialects::qnn::CLIENT_IN;
use cml_passes::parameters::Machine;
use cml_passes::pipelines::{self, QUANTIZE, SIMPLIFY, TO_FHE, TO_QNN, TO_TFHE};
use cml_passes::transforms::quantization::{ProductQuantizers, is_quantized, missing_quantizer};
use cml_runtime::arrays::ArraySource;
use cml_runtime::program::message::Program;
use cml_runtime::reference::message::Graph;
use melior::Context;
use melior::ir::{Module, Operation, OperationRef};
use std::path::PathBuf;

/// Part of simplification: recorded quantizers are those of the pruned network.
const PRUNE: &str = "cml-prune";
/// The pass after which the quantizers are found, and before which they are recorded.
const INSERT: &str = "cml-insert-quantizers";
/// The pass after which there is no `@main`.
const SPLIT: &str = "cml-split-client-server";

/// What a compilation needs beside the model.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// Options, and quantizers that were found before.
    pub(crate) configuration: Configuration,
    /// Calibration data as given; it comes before recorded quantizers.
    pub(crate) calibration: Vec<String>,
    /// Cost table; the shipped one where absent.
    pub(crate) machine: Option<PathBuf>,
    /// Networks are only compared: the search for parameters does not try each lookup as comparisons, and it is not proved which
    /// neurons are constant. What is decided is the same.
    pub(crate) rough: bool,
}

/// A module on its way down.
pub(crate) struct Compiler<'c> {
    context: &'c Context,
    diagnostics: &'c Diagnostics,
    source: Source<'c>,
    settings: Settings,
    simplified: bool,
    quantized: Option<Graph>,
    announce: &'c dyn Fn(&str),
}

impl<'c> Compiler<'c> {
    /// `announce` is told each stage.
    pub(crate) fn new(
        context: &'c Context,
        diagnostics: &'c Diagnostics,
        (source, settings): (Source<'c>, Settings),
        announce: &'c dyn Fn(&str),
    ) -> Self {
        Self { context, diagnostics, source, settings, simplified: false, quantized: None, announce }
    }

    /// Where the module is.
    pub(crate) fn level(&self) -> Level {
        self.source.level
    }

    /// The module as it is.
    pub(crate) fn module(&self) -> &Module<'c> {
        &self.source.module
    }

    /// The configuration, with the quantizers found on the way.
    pub(crate) fn configuration(&self) -> &Configuration {
        &self.settings.configuration
    }

    /// Goes down to a level; a module that is there already stays, and one below is refused.
    pub(crate) fn lower_to(&mut self, level: Level) -> Result<()> {
        if self.source.level > level {
            bail!("the module is at level {} already, below {}", self.source.level, level);
        }
        if self.source.level == Level::Nn && !self.source.has_integers {
            self.simplify()?;
        }
        while self.source.level < level {
            match self.source.level {
                Level::Nn => self.lower_nn()?,
                Level::Qnn => self.lower_qnn()?,
                Level::Fhe => self.lower_fhe()?,
                Level::Tfhe => {}
            }
        }
        Ok(())
    }

    /// The float network, and the same with quantizers before the client's part is split off.
    pub(crate) fn float_and_quantized(mut self) -> Result<(Graph, Graph)> {
        if self.source.level != Level::Nn || self.source.has_integers {
            bail!(
                "expected a float network, found a module that has integers already; give the network itself"
            );
        }
        let copy = Module::from_operation(Operation::clone(&module_op(&self.source.module)));
        let mut float = copy.ok_or_else(|| anyhow!("the module cannot be copied"))?;
        let result = pipelines::run(self.context, &mut float, &SIMPLIFY.text());
        result.map_err(|error| self.diagnostics.take(error))?;
        let float = graph(Function::named(module_op(&float), MAIN)?)?;
        self.simplify()?;
        self.quantize()?;
        (self.announce)("lowering to integers");
        let lower: Vec<&str> = TO_QNN.passes.iter().copied().filter(|pass| *pass != SPLIT).collect();
        self.run(&lower.join(","))?;
        Ok((float, graph(Function::named(module_op(&self.source.module), MAIN)?)?))
    }

    /// The program of a module at the lowest level.
    pub(crate) fn program(self) -> Result<Program> {
        (self.announce)("assembling");
        let provenance = Provenance {
            quantized: self.quantized,
            configuration: self.settings.configuration.to_json(),
            machine: Some(machine(&self.settings)?),
        };
        Ok(program_of(&self.source.module, provenance)?)
    }

    fn run(&mut self, text: &str) -> Result<()> {
        let result = pipelines::run(self.context, &mut self.source.module, text);
        result.map_err(|error| self.diagnostics.take(error))
    }

    /// Once: what pruning did is told by the module.
    fn simplify(&mut self) -> Result<()> {
        if self.simplified {
            return Ok(());
        }
        (self.announce)("simplifying");
        let keep = self.settings.configuration.options.prune.map(|keep| format!("keep={keep}"));
        self.run(&SIMPLIFY.text_with(&[(PRUNE, keep.unwrap_or_default())]))?;
        self.simplified = true;
        Ok(())
    }

    fn lower_nn(&mut self) -> Result<()> {
        if self.source.has_integers {
            self.run(SPLIT)?;
        } else {
            self.check_declared(MAIN)?;
            self.quantize()?;
            (self.announce)("lowering to integers");
            self.run(&TO_QNN.text())?;
        }
        self.source.level = Level::Qnn;
        Ok(())
    }

    fn quantize(&mut self) -> Result<()> {
        if products(&self.source.module)?.is_empty() {
            self.refuse_quantizing(&match quantized_product(&self.source.module) {
                Some(node) => format!(
                    "the network brings its own quantizers, as {node} has, and they stay as they were trained; \
                     bits, bounds and pruning are chosen where the network is trained"
                ),
                None => "the network has no matrix product that is quantized here".to_owned(),
            })?;
            // Scales of another network are no part of this program.
            self.settings.configuration.forget();
            return Ok(());
        }
        let needed = products(&self.source.module)?;
        let mut found = 0;
        for product in &needed {
            found += usize::from(ProductQuantizers::read(*product)?.is_some());
        }
        let count = needed.len();
        let find: Vec<&str> = QUANTIZE.passes.iter().copied().take_while(|pass| *pass != INSERT).collect();
        let insert: Vec<&str> = QUANTIZE.passes.iter().copied().skip(find.len()).collect();
        if !self.settings.calibration.is_empty() {
            (self.announce)("calibrating");
            self.check_calibration()?;
            self.check_bits(&needed)?;
            let calibration = calibration(&self.settings.calibration)?;
            let given = &self.settings.configuration.options;
            let mut options = format!("calibration={calibration} {}", given.calibrate());
            if !given.nodes().is_empty() {
                options.push_str(&format!(" nodes={}", quoted(&given.nodes())?));
            }
            let find: Vec<String> = find
                .iter()
                .map(|pass| {
                    if *pass == "cml-calibrate" { format!("{pass}{{{options}}}") } else { (*pass).to_owned() }
                })
                .collect();
            self.run(&find.join(","))?;
        } else if !self.settings.configuration.products.is_empty() {
            self.settings.configuration.apply(self.context, &self.source.module)?;
        } else if found < count {
            if let Some(product) = needed.first().filter(|_| quantized_product(&self.source.module).is_some())
            {
                // Calibration finds both quantizers of a product, or none.
                let or = if is_quantized(operand(*product, 1)?) {
                    ""
                } else {
                    "; or give --calibration x.npy (or data.npz:name) to have one found"
                };
                bail!(
                    "{}: {}, as before other layers{or}",
                    node_name(*product),
                    missing_quantizer(*product)?
                );
            }
            let names: Vec<String> = needed.iter().take(3).map(|product| node_name(*product)).collect();
            let (names, more) = (names.join(", "), if count > 3 { ", ..." } else { "" });
            bail!(
                "the network has {count} matrix products without quantizers ({names}{more}), and there is no calibration \
                 data to find some; give --calibration x.npy (or data.npz:name), or --config with the scales of an earlier \
                 compilation, or put a quantizer before the input of each in the network"
            );
        } else {
            self.refuse_quantizing(
                "the module has the scales of a calibration; give --calibration, to find others",
            )?;
        }
        self.settings.configuration.record(&self.source.module)?;
        let declared = self.settings.configuration.options.declared();
        let mut options = Vec::new();
        if !declared.is_empty() {
            options.push(format!("input-range={}", quoted(&declared)?));
        }
        if self.settings.rough {
            // Proofs only tell which constant neurons are proved to be.
            options.push("enumerate=0".to_owned());
        }
        let options = if options.is_empty() { String::new() } else { format!("{{{}}}", options.join(" ")) };
        let insert = insert
            .iter()
            .map(|pass| if *pass == INSERT { format!("{pass}{options}") } else { (*pass).to_owned() });
        self.run(&insert.collect::<Vec<_>>().join(","))
    }

    /// Refuses options of post-training quantization where there is none.
    fn refuse_quantizing(&self, why: &str) -> Result<()> {
        let given = self.settings.configuration.options.given_quantizing();
        match given[..] {
            [] => Ok(()),
            [one] => bail!("{one} changes nothing here, leave it out: {why}"),
            _ => bail!("{} change nothing here, leave them out: {why}", given.join(", ")),
        }
    }

    /// Refuses bits for all products where each has others by name.
    fn check_bits(&self, needed: &[OperationRef<'_, '_>]) -> Result<()> {
        let options = &self.settings.configuration.options;
        let is_named = |product: &OperationRef<'_, '_>| {
            let bits = options.node_bits.get(&node_name(*product));
            bits.is_some_and(|bits| bits.inputs.is_some() && bits.weights.is_some())
        };
        if options.bits.is_some() && needed.iter().all(is_named) {
            bail!(
                "the configuration has bits for every product by name (node_bits), none is left for bits; leave out either"
            );
        }
        Ok(())
    }

    /// Refuses a name that no input has; a file may have a `=` in its name.
    fn check_calibration(&self) -> Result<()> {
        let inputs = Function::named(module_op(&self.source.module), MAIN)?.input_names();
        for text in &self.settings.calibration {
            let Some((name, _)) = text.split_once('=') else { continue };
            let is_input =
                inputs.iter().any(|input| text.strip_prefix(input).is_some_and(|rest| rest.starts_with('=')));
            let is_file = text.parse::<ArraySource>().is_ok_and(|source| source.path.exists());
            if !is_input && !is_file {
                bail!(
                    "--calibration {text}: no input is called {name}; the network has {}",
                    inputs.join(", ")
                );
            }
        }
        Ok(())
    }

    fn lower_qnn(&mut self) -> Result<()> {
        self.check_declared(CLIENT_IN)?;
        self.declare()?;
        self.quantized = Some(quantized_graph(&self.source.module)?);
        (self.announce)("proving ranges");
        let mut options = Vec::new();
        if !self.settings.calibration.is_empty() {
            options.push(format!("calibration={}", calibration(&self.settings.calibration)?));
        }
        let declared = self.settings.configuration.options.declared();
        if !declared.is_empty() {
            options.push(format!("input-range={}", quoted(&declared)?));
        }
        if self.settings.configuration.options.approximate_bits.is_some() {
            // What all inputs lead to holds for exact lookups; intervals hold for all that a table has.
            options.push("enumerate=0".to_owned());
        }
        self.run(&TO_FHE.text_with(&[("cml-infer-ranges", options.join(" "))]))?;
        self.source.level = Level::Fhe;
        Ok(())
    }

    fn lower_fhe(&mut self) -> Result<()> {
        if self.quantized.is_none() {
            self.quantized = Some(encrypted_graph(&self.source.module)?);
        }
        (self.announce)("searching for parameters");
        let mut options = self.settings.configuration.options.parametrize();
        if let Some(path) = &self.settings.machine {
            options.push_str(&format!(" machine={}", quoted(&path.to_string_lossy())?));
        }
        if self.settings.rough {
            options.push_str(" comparisons=all");
        }
        self.run(&TO_TFHE.text_with(&[("cml-parametrize", options.trim().to_owned())]))?;
        self.source.level = Level::Tfhe;
        Ok(())
    }

    /// Predicted seconds of one inference; `None` where it cannot be encrypted: sums are too wide, or no parameters serve.
    pub(crate) fn predicted_seconds(mut self) -> Result<Option<f64>> {
        match self.lower_to(Level::Tfhe) {
            Ok(()) => Ok(Report::stored_in(&self.program()?)?.predicted_seconds),
            Err(_) => Ok(None),
        }
    }

    /// Refuses a declared range of an input that the network does not have.
    fn check_declared(&self, function: &str) -> Result<()> {
        let inputs = Function::named(module_op(&self.source.module), function)?.input_names();
        let ranges = &self.settings.configuration.options.input_ranges;
        match ranges.keys().find(|name| !name.is_empty() && !inputs.contains(name)) {
            Some(name) => {
                bail!("--input-range: no input is called {name}; the network has {}", inputs.join(", "))
            }
            None => Ok(()),
        }
    }

    /// Writes the declared ranges on the module, where the client's part of the program takes them from.
    fn declare(&self) -> Result<()> {
        let ranges = &self.settings.configuration.options.input_ranges;
        if ranges.is_empty() {
            return Ok(());
        }
        let root = module_op(&self.source.module);
        let inputs = Function::named(root, CLIENT_IN)?.input_names();
        let make = Make(self.context);
        for (attribute, pick) in [(DECLARED_LOWS, lower as fn(&(f32, f32)) -> f64), (DECLARED_HIGHS, upper)] {
            let bounds = |name: &String| {
                let bounds = ranges.get(name).or_else(|| ranges.get(""));
                make.f64_array(&bounds.map_or(Vec::new(), |bounds| bounds.iter().map(pick).collect()))
            };
            let arrays: Vec<_> = inputs.iter().map(bounds).collect();
            set_attribute(root, attribute, make.array(&arrays));
        }
        Ok(())
    }
}

fn lower(bounds: &(f32, f32)) -> f64 {
    f64::from(bounds.0)
}

fn upper(bounds: &(f32, f32)) -> f64 {
    f64::from(bounds.1)
}

/// The cost table of a compilation.
pub(crate) fn machine(settings: &Settings) -> Result<Machine> {
    match &settings.machine {
        Some(path) => Ok(Machine::load(path)?),
        None => Ok(Machine::default_table()),
    }
}

/// Calibration data as a pass takes it: parts separated by `;`.
fn calibration(parts: &[String]) -> Result<String> {
    if let Some(part) = parts.iter().find(|part| part.contains(';')) {
        bail!("--calibration {part}: the name must not contain `;`; rename the file");
    }
    quoted(&parts.join(";"))
}

/// A value of an option in the text of a pipeline, which knows no escapes.
fn quoted(value: &str) -> Result<String> {
    if value.contains(['"', '{', '}']) {
        return Err(anyhow!(
            "{value}: the name must not contain a quotation mark or a brace; rename the file"
        ));
    }
    Ok(format!("\"{value}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_options_are_quoted_or_refused() {
        assert_eq!(quoted("data.npz:x[0:5]").unwrap(), "\"data.npz:x[0:5]\"");
        assert!(quoted("a\"b").is_err() && quoted("a{b").is_err());
        let two = ["a=a.npy".to_owned(), "b=b.npy".to_owned()];
        assert_eq!(calibration(&two).unwrap(), "\"a=a.npy;b=b.npy\"");
        assert!(calibration(&["a;b".to_owned()]).is_err());
    }

    #[test]
    fn recording_stands_between_finding_and_inserting() {
        assert!(QUANTIZE.passes.starts_with(&["cml-calibrate", INSERT]));
        assert!(SIMPLIFY.passes.contains(&PRUNE));
        assert!(TO_QNN.passes.ends_with(&[SPLIT]));
    }
}
