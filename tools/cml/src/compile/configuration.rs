//! The configuration of a compilation as JSON: recorded in the program, read by `--config` and by `cml verify`.

use super::options::{NodeBits, Options};
use anyhow::{Result, anyhow, bail};
use cml_dialects::ir::{Function, module_op, node_name, op_name, operand};
use cml_dialects::nn::MAIN;
use cml_passes::transforms::quantization::{ProductQuantizers, is_quantized};
use cml_runtime::program::message::Program;
use cml_runtime::units::Width;
use melior::Context;
use melior::ir::{Module, OperationRef};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
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
    /// As given, in this file and on the command line; the bits of each product by name.
    #[serde(default)]
    pub(crate) options: Options,
    /// The options that `products` were found with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) calibrated_with: Option<Options>,
    /// Quantizers of matrix products, in the order of the network; empty where the network brings its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) products: Vec<Product>,
}

impl Default for Configuration {
    fn default() -> Self {
        Self { version: VERSION, options: Options::default(), calibrated_with: None, products: Vec::new() }
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

    /// Forgets scales, as those of another network.
    pub(crate) fn forget(&mut self) {
        self.products.clear();
        self.calibrated_with = None;
    }

    /// Records what calibration wrote on the products of `@main`, and the bits of each by name.
    pub(crate) fn record(&mut self, module: &Module<'_>) -> Result<()> {
        self.forget();
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
        self.name_bits();
        self.calibrated_with = (!self.products.is_empty()).then(|| self.options.quantizing());
        Ok(())
    }

    /// States the bits of each product by name, where no two of one name differ.
    fn name_bits(&mut self) {
        let mut named = BTreeMap::new();
        for product in &self.products {
            let steps = self.options.node_bits.get(&product.node).and_then(|node| node.steps);
            let bits = NodeBits { steps, ..product.bits() };
            if *named.entry(product.node.clone()).or_insert(bits) != bits {
                return;
            }
        }
        let options = Options { bits: None, node_bits: named, ..self.options.clone() };
        // A module may bring scales of more levels than options have bits for.
        if !self.products.is_empty() && options.check().is_ok() {
            self.options = options;
        }
    }

    /// Writes what was recorded on the products of `@main`; options that belong to other scales are refused.
    pub(crate) fn apply(&self, context: &Context, module: &Module<'_>) -> Result<()> {
        let changed = match &self.calibrated_with {
            Some(options) => self.options.changed_quantizing(options),
            None => bail!(
                "the configuration holds scales, and not the options that they were found with (`calibrated_with`); \
                 give --calibration, to find them anew"
            ),
        };
        if !changed.is_empty() {
            bail!(
                "the configuration holds the scales of an earlier calibration, with another choice of {}; give \
                 --calibration, to find others, or leave it as it was",
                listed(&changed)
            );
        }
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
    fn bits(&self) -> NodeBits {
        let width = |low, high| Some(Width::of_range(low, high).0);
        NodeBits {
            inputs: width(0, self.levels),
            weights: width(-self.weight_limit, self.weight_limit),
            steps: None,
        }
    }

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

/// The first matrix product of `@main` that reads what a quantizer of the network gives.
pub(crate) fn quantized_product(module: &Module<'_>) -> Option<String> {
    let main = Function::named(module_op(module), MAIN).ok()?;
    let is_product = |op: &OperationRef<'_, '_>| op_name(*op) == "nn.matmul";
    let found = main.ops().into_iter().filter(is_product).find(|op| operand(*op, 0).is_ok_and(is_quantized));
    found.map(node_name)
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
    fn bits_are_named_where_names_tell_products_apart() {
        let product = |node: &str, levels: i64| {
            let text = format!(
                r#"{{"node": "{node}", "offsets": [0], "scales": [1], "levels": {levels}, "weight_scales": [1],
                "weight_limit": 7}}"#
            );
            serde_json::from_str::<Product>(&text).unwrap()
        };
        let bits = Some("5".parse().unwrap());
        let named = |products: Vec<Product>| {
            let options = Options { bits, ..Options::default() };
            let mut configuration = Configuration { options, products, ..Configuration::default() };
            configuration.name_bits();
            configuration.options
        };
        let options = named(vec![product("one", 3), product("two", 31)]);
        let of = |inputs| NodeBits { inputs: Some(inputs), weights: Some(4), steps: None };
        assert_eq!(options.bits, None);
        assert_eq!(options.node_bits, BTreeMap::from([("one".to_owned(), of(2)), ("two".to_owned(), of(5))]));
        for products in [vec![], vec![product("one", 3), product("one", 7)], vec![product("one", 1 << 20)]] {
            let options = named(products);
            assert!(options.bits == bits && options.node_bits.is_empty());
        }
    }

    #[test]
    fn the_page_shows_a_configuration() {
        let page = include_str!("../../CONFIGURATION.md");
        let example = page.split("```json").nth(1).unwrap().split("```").next().unwrap();
        let found = Configuration::parse(example).unwrap();
        assert!(found.options.node_bits.len() == 2 && found.products.len() == 2);
        assert!(found.options.changed_quantizing(&found.calibrated_with.unwrap()).is_empty());
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
