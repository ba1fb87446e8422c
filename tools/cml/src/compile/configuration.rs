//! The configuration of a compilation as JSON: recorded in the program, read by `--config` and by `cml verify`.

use super::options::Options;
use anyhow::{Result, anyhow, bail};
use cml_dialects::ir::{Function, module_op, node_name, op_name, operand};
use cml_dialects::nn::MAIN;
use cml_passes::transforms::quantization::{ProductQuantizers, is_quantized};
use cml_runtime::program::message::Program;
use melior::Context;
use melior::ir::{Module, OperationRef};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Of the configuration's form.
const VERSION: u32 = 1;

/// No configuration is larger.
const MAX_BYTES: u64 = 1 << 28;

/// Options, and the scales that calibration found; never the samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Configuration {
    /// Of this form.
    pub(crate) version: u32,
    /// As given, in this file and on the command line.
    #[serde(default)]
    pub(crate) options: Options,
    /// Quantizers of matrix products, in the order of the network; empty where the network brings its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) products: Vec<Product>,
}

impl Default for Configuration {
    fn default() -> Self {
        Self { version: VERSION, options: Options::default(), products: Vec::new() }
    }
}

/// Quantizers of one matrix product: input `i` is `offsets[i] + scales[i] * a` with an integer `a` in `0..=levels`; weights
/// are integers in `-weight_limit..=weight_limit` times `weight_scales`, row by row `weights` where those are not the nearest
/// ones; `corrections` are added to the columns. An input among `unfired` is a constant: the step that stands beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Product {
    /// The ONNX node.
    node: String,
    offsets: Vec<f64>,
    scales: Vec<f64>,
    levels: i64,
    weight_scales: Vec<f64>,
    weight_limit: i64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    corrections: Vec<f64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    weights: Vec<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unfired: Vec<(usize, i64)>,
}

impl Configuration {
    /// Reads a configuration file.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let place = path.display();
        let size = std::fs::metadata(path).map_err(|error| anyhow!("cannot read {place}: {error}"))?.len();
        if size > MAX_BYTES {
            bail!("{place} has {size} bytes, more than the {MAX_BYTES} that a configuration may have");
        }
        let text = std::fs::read_to_string(path).map_err(|error| anyhow!("cannot read {place}: {error}"))?;
        Self::parse(&text).map_err(|error| anyhow!("{place}: {error}"))
    }

    /// What a program, read from this file, records.
    pub(crate) fn of(program: &Program, path: &Path) -> Result<Self> {
        Self::parse(&program.configuration).map_err(|error| {
            anyhow!("{} records no configuration that this version reads: {error}", path.display())
        })
    }

    /// Reads the text of a configuration.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let found: Self =
            serde_json::from_str(text).map_err(|error| anyhow!("no configuration of cml: {error}"))?;
        if found.version != VERSION {
            bail!("configuration of version {}, this program reads {VERSION}", found.version);
        }
        found.options.check().map_err(|error| anyhow!(error))?;
        Ok(found)
    }

    /// The text; the same configuration gives the same text.
    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a configuration has nothing that JSON cannot say")
    }

    /// Records what calibration wrote on the products of `@main`.
    pub(crate) fn record(&mut self, module: &Module<'_>) -> Result<()> {
        self.products.clear();
        for product in products(module)? {
            if let Some(found) = ProductQuantizers::read(product)? {
                self.products.push(Product {
                    node: node_name(product),
                    offsets: found.offsets,
                    scales: found.scales,
                    levels: found.levels,
                    weight_scales: found.weight_scales,
                    weight_limit: found.weight_limit,
                    corrections: found.corrections,
                    weights: found.integers,
                    unfired: found.unfired,
                });
            }
        }
        Ok(())
    }

    /// Writes what was recorded on the products of `@main`.
    pub(crate) fn apply(&self, context: &Context, module: &Module<'_>) -> Result<()> {
        let products = products(module)?;
        let names: Vec<String> = products.iter().map(|product| node_name(*product)).collect();
        if !names.iter().eq(self.products.iter().map(|product| &product.node)) {
            let recorded: Vec<&str> = self.products.iter().map(|product| product.node.as_str()).collect();
            bail!(
                "the configuration is of another network: it has quantizers for {}, this network needs them for {}",
                listed(&recorded),
                listed(&names),
            );
        }
        for (product, recorded) in products.into_iter().zip(&self.products) {
            recorded.quantizers().write(context, product);
            // Reading them checks them.
            ProductQuantizers::read(product)?;
        }
        Ok(())
    }
}

impl Product {
    fn quantizers(&self) -> ProductQuantizers {
        ProductQuantizers {
            offsets: self.offsets.clone(),
            scales: self.scales.clone(),
            levels: self.levels,
            weight_scales: self.weight_scales.clone(),
            weight_limit: self.weight_limit,
            corrections: self.corrections.clone(),
            integers: self.weights.clone(),
            unfired: self.unfired.clone(),
        }
    }
}

fn listed<T: AsRef<str>>(names: &[T]) -> String {
    if names.is_empty() {
        return "no product".to_owned();
    }
    names.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ")
}

/// The matrix products of `@main` that need quantizers: those whose input does not come out of one already.
pub(crate) fn products<'c, 'a>(module: &'a Module<'c>) -> Result<Vec<OperationRef<'c, 'a>>> {
    let main = Function::named(module_op(module), MAIN)?;
    let mut products = Vec::new();
    for op in main.ops() {
        if op_name(op) == "nn.matmul" && !is_quantized(operand(op, 0)?) {
            products.push(op);
        }
    }
    Ok(products)
}

/// Whether a matrix product of `@main` reads what a quantizer of the network gives.
pub(crate) fn brings_quantizers(module: &Module<'_>) -> bool {
    let Ok(main) = Function::named(module_op(module), MAIN) else { return false };
    let is_product = |op: &OperationRef<'_, '_>| op_name(*op) == "nn.matmul";
    main.ops().into_iter().filter(is_product).any(|op| operand(op, 0).is_ok_and(is_quantized))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_of_a_scale_comes_back() {
        let scales = vec![0.1, 1.0 / 3.0, 5e-324, 1.7976931348623157e308, 0.30000000000000004];
        let product = Product {
            node: "fc".to_owned(),
            offsets: vec![-0.0],
            scales: scales.clone(),
            levels: 7,
            weight_scales: vec![2.225_073_858_507_201e-308],
            weight_limit: 3,
            corrections: vec![1e-7],
            weights: vec![-3, 0, 3],
            unfired: vec![(2, 0), (5, 7)],
        };
        let configuration = Configuration { products: vec![product], ..Configuration::default() };
        let found = Configuration::parse(&configuration.to_json()).unwrap();
        assert_eq!(found.products[0].scales, scales);
        assert_eq!(found, configuration);
    }

    #[test]
    fn what_is_no_configuration_is_refused() {
        for text in [
            "",
            "{}",
            "{\"version\": 2}",
            "{\"version\": 1, \"option\": {}}",
            "{\"version\": 1, \"options\": {\"p_error_log2\": 1}}",
            "{\"version\": 1, \"options\": {\"input_ranges\": {\"x\": []}}}",
            "{\"version\": 1, \"options\": {\"input_ranges\": {\"x\": [[1, 0]]}}}",
            "{\"version\": 1, \"options\": {\"bits\": {\"inputs\": 3, \"weights\": 3, \"activations\": 17}}}",
            "{\"version\": 1, \"options\": {\"node_bits\": {\"/fc/MatMul\": {\"weights\": 1}}}}",
            "{\"version\": 1, \"options\": {\"max_accumulator_bits\": 0}}",
            "{\"version\": 1, \"options\": {\"approximate_bits\": 17}}",
            "{\"version\": 1, \"options\": {\"prune\": 0}}",
        ] {
            assert!(Configuration::parse(text).is_err(), "{text}");
        }
        assert_eq!(Configuration::parse("{\"version\": 1}").unwrap(), Configuration::default());
    }
}
