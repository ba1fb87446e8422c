//! Choose quantizers for the inputs and weights of every matrix product, from samples.
//!
//! Before: `%y = nn.matmul %x, %w`
//! After:  `%y = nn.matmul %x, %w {cml.offsets = ..., cml.scales = ..., cml.levels = 7, cml.weight_scales = ...,
//!         cml.weight_limit = 3}`                                           (tested: lit-tests/passes/calibrate.mlir)
//!
//! The float network runs on all samples. `effort=fast`: all inputs and weights are quantized from the smallest to the largest
//! value. The weights that count are those that belong to inputs in steps, `scale_i * w_ij`.
//! `effort=normal`: where the network is a chain, quantizers are searched by the outputs that it has on the samples, and by what
//! its lookups cost ([`super::quantization::search`]). In a chain each product's result goes through elementwise ops with
//! constants and reshapes into the next product and nowhere else, one row for each sample. `effort=thorough` refits weights to
//! what rounding has made of their inputs, rounds them by the error of their sums, and tries each integer weight a step up and
//! down.
//! Where the network is no chain, and with one quantizer per tensor, products are looked at one by one
//! ([`super::quantization::separately`]): hidden inputs and weights are clipped for the least squared error, and what rounding
//! adds to the mean of a sum, with the quantizers of the layers before, is subtracted; `effort=thorough` refits and rounds as
//! above. The mean of a window, as pooling has it, is the exact sum of inputs of one scale.
//! `accumulator-bits` bounds the sums that a lookup reads, means aside: of all scales the one of least error whose sums are
//! proved to stay within the bound, with smaller weights where it takes that. What it costs is measured, and stands on the
//! module: `cml.accumulator_bound`.
//! Neurons that stay on one step on every sample are named, so that they become constants (`keep-unfired` leaves them lookups).
//! Requires: `cml-decompose-gemm` ran; weights are constants.
//! Guarantees: every `nn.matmul` whose input does not come out of a quantizer of the network has the attributes of
//! [`ProductQuantizers`]; products of one value have the same steps for it. Computes what it computed before.

use super::insert_quantizers::insert;
use super::quantization::chain::{Layer, steps_between};
use super::quantization::inputs::constant_features;
use super::quantization::layers::Rounding;
use super::quantization::products::{Product, products};
use super::quantization::scores::decisions;
use super::quantization::search::{Bits, Wish, is_small, search};
use super::quantization::separately::Separately;
use super::quantization::stride::Steps;
use super::quantization::unfired::copy_of;
use super::quantization::{Effort, ProductQuantizers, Weights, unfired};
use crate::analysis::observe::{Observed, numbered_graph, observe};
use crate::analysis::samples::{check_varied, samples};
use crate::framework::{Message, Pass, PassError, PassInfo, PassOption, Preserves, model_error, parse, tell};
use cml_dialects::ffi::set_attribute;
use cml_dialects::interpret::graph;
use cml_dialects::ir::{Function, Make, key, module_op, node_name, op_name, result, shape_of, tensor_shape};
use cml_dialects::nn::{ACCUMULATOR_BOUND, MAIN};
use cml_runtime::reference::{Error as RunError, Evaluator, Value as Tensor};
use melior::Context;
use melior::ir::{OperationRef, Value, ValueLike};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// See the module's text.
pub struct Calibrate {
    samples: String,
    bits: KindBits,
    per_channel: bool,
    effort: Effort,
    /// Bits of single products, by node.
    nodes: BTreeMap<String, NodeBits>,
    accumulator_bits: Option<u32>,
    /// Neurons that calibration never saw fire stay lookups.
    keep_unfired: bool,
    steps: Steps,
}

/// Bits of one product that differ from those of its kind.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct NodeBits {
    inputs: Option<u32>,
    weights: Option<u32>,
    /// Of its sums.
    steps: Option<Steps>,
}

/// Bits by what is quantized.
#[derive(Clone, Copy)]
struct KindBits {
    inputs: u32,
    weights: u32,
    activations: u32,
}

impl Pass for Calibrate {
    const INFO: PassInfo = PassInfo {
        name: "cml-calibrate",
        summary: "Choose quantizers from samples",
        description: "Runs the float network on samples and writes offsets, scales and levels for the input and the \
                      weights of every `nn.matmul` as attributes `cml.*`. Products whose input comes out of a quantizer \
                      of the network itself stay as they are. With `effort=normal` a chain of products with elementwise \
                      ops between them is searched as a whole: scales and corrections are chosen by how near the last \
                      product's results, read as scores of classes, come to float; no labels are needed. In other \
                      networks, and with `granularity=tensor`, products are looked at one by one: the least squared \
                      error decides, and each sum keeps its mean. With a bound on accumulators, of all scales that keep it \
                      the one of least error is taken, and the module says on how many samples the decision is that of float, \
                      with the bound and without. Hidden inputs that stay on one step on all samples are named by `cml.unfired`.",
        options: &[
            PassOption {
                name: "calibration",
                description: "samples, as file.npy or file.npz:name[0:500]; of several inputs: NAME=FILE;NAME=FILE",
                default: "",
            },
            PassOption {
                name: "inputs",
                description: "bits of the network's inputs (1 to 16)",
                default: "3",
            },
            PassOption { name: "weights", description: "bits of weights, with sign (2 to 16)", default: "3" },
            PassOption { name: "activations", description: "bits between layers (1 to 16)", default: "3" },
            PassOption {
                name: "granularity",
                description: "one quantizer per channel, or one per tensor",
                default: "channel",
            },
            PassOption {
                name: "effort",
                description: "fast: from the smallest to the largest value; normal: search over scales, by the outputs of a \
                              chain of products, else product by product; thorough: weights refitted and rounded by the error \
                              of their sums too, and in a chain searched one by one",
                default: "normal",
            },
            PassOption {
                name: "nodes",
                description: "other bits and steps for single products: NODE=inputs:4,weights:2;NODE=weights:4,steps:power-of-two",
                default: "",
            },
            PassOption {
                name: "accumulator-bits",
                description: "bits of the widest sum that a lookup reads, means of windows aside; unbounded by default",
                default: "",
            },
            PassOption {
                name: "keep-unfired",
                description: "neurons that never fire on the samples stay lookups, not constants",
                default: "false",
            },
            PassOption {
                name: "steps",
                description: "in a chain, integers of a sum for one step of the next input: free (any real number), integer, or \
                              power-of-two",
                default: "free",
            },
        ],
        preserves: Preserves::Exactly,
    };

    fn new(values: &[&str]) -> Result<Self, String> {
        let [samples, inputs, weights, activations, granularity, effort, nodes, accumulator, keep, steps] =
            values
        else {
            return Err("ten options are expected".to_owned());
        };
        Ok(Self {
            samples: (*samples).to_owned(),
            bits: KindBits {
                inputs: bits("inputs", inputs, 1)?,
                weights: bits("weights", weights, 2)?,
                activations: bits("activations", activations, 1)?,
            },
            per_channel: choose("granularity", granularity, &[("channel", true), ("tensor", false)])?,
            effort: choose(
                "effort",
                effort,
                &[("fast", Effort::Fast), ("normal", Effort::Normal), ("thorough", Effort::Thorough)],
            )?,
            nodes: nodes
                .split(';')
                .filter(|text| !text.trim().is_empty())
                .map(node_bits)
                .collect::<Result<_, _>>()?,
            accumulator_bits: match accumulator.trim() {
                "" => None,
                text => Some(bits("accumulator-bits", text, 1)?),
            },
            keep_unfired: choose("keep-unfired", keep, &[("true", true), ("false", false)])?,
            steps: choose("steps", steps, STEPS)?,
        })
    }

    fn run<'c>(self, context: &'c Context, module: OperationRef<'c, '_>) -> Result<(), PassError> {
        let main = Function::named(module, MAIN)?;
        let products = products(main)?;
        if products.is_empty() {
            return Ok(());
        }
        let mut inputs: Vec<Value<'c, '_>> = Vec::new();
        let mut index_of = BTreeMap::new();
        for product in &products {
            index_of.entry(key(product.input)).or_insert_with(|| {
                inputs.push(product.input);
                inputs.len() - 1
            });
        }
        products.iter().for_each(|product| ProductQuantizers::erase(product.op));
        self.check_nodes(&products)?;
        let ports = graph(main)?.inputs;
        let samples = samples("calibration data", &ports, &self.samples)?;
        check_varied(&ports, &samples)?;
        let observed = observe(main, &inputs, &samples)?;
        for product in &products {
            let observed = &observed[index_of[&key(product.input)]];
            check_finite(product, observed)?;
            if self.per_channel && product.is_first {
                warn_of_constants(product, observed);
            }
        }
        let observed: Vec<&Observed> =
            products.iter().map(|product| &observed[index_of[&key(product.input)]]).collect();
        let layers = if self.is_searched() { layers(main, &products)? } else { None };
        let layers = layers.filter(|layers| is_small(layers, self.rounding()));
        if layers.is_none() {
            self.warn(&products);
        }
        let network = Network {
            products: &products,
            observed: &observed,
            layers: layers.as_deref(),
            samples: &samples,
        };
        let Some(bits) = self.accumulator_bits else {
            return self.quantize((context, module), &network, None);
        };
        self.quantize((context, module), &network, None)?;
        let free = agreement_with_float(context, module, &samples)?;
        self.quantize((context, module), &network, Some(bits))?;
        for product in &products {
            check_left(product, bits)?;
        }
        let found = agreement_with_float(context, module, &samples)?;
        let share = |count: i64| 100.0 * count as f64 / samples.len() as f64;
        tell(Message::Note(&format!(
            "with accumulators of at most {bits} bits the decision is that of float on {:.1} % of the calibration \
             samples, without the bound on {:.1} %",
            share(found),
            share(free)
        )));
        let bound = [i64::from(bits), samples.len() as i64, free, found];
        set_attribute(module, ACCUMULATOR_BOUND, Make(context).i64_array(&bound));
        Ok(())
    }
}

fn bits(name: &str, text: &str, least: u32) -> Result<u32, String> {
    let bits = parse(name, text)?;
    let range = least..=16;
    range.contains(&bits).then_some(bits).ok_or(format!("`{name}={text}`: expected {least} to 16 bits"))
}

const STEPS: &[(&str, Steps)] =
    &[("free", Steps::Free), ("integer", Steps::Integer), ("power-of-two", Steps::PowerOfTwo)];

/// `NODE=inputs:4,weights:2,steps:integer`, one of the three or more.
fn node_bits(text: &str) -> Result<(String, NodeBits), String> {
    let bad = || format!("`nodes={text}`: expected NODE=inputs:BITS,weights:BITS,steps:STEPS");
    let (node, list) = text.trim().rsplit_once('=').ok_or_else(bad)?;
    let mut found = NodeBits::default();
    for part in list.split(',') {
        match part.trim().split_once(':') {
            Some(("inputs", value)) => found.inputs = Some(bits("inputs", value, 1)?),
            Some(("weights", value)) => found.weights = Some(bits("weights", value, 2)?),
            Some(("steps", value)) => found.steps = Some(choose("steps", value, STEPS)?),
            _ => return Err(bad()),
        }
    }
    Ok((node.to_owned(), found))
}

/// The value of a name.
fn choose<T: Copy>(name: &str, text: &str, values: &[(&str, T)]) -> Result<T, String> {
    let found = values.iter().find(|(value, _)| *value == text);
    let names = || values.iter().map(|(value, _)| *value).collect::<Vec<_>>().join(" or ");
    found.map(|(_, value)| *value).ok_or_else(|| format!("`{name}={text}`: expected {}", names()))
}

fn check_finite(product: &Product<'_, '_>, observed: &Observed) -> Result<(), PassError> {
    let Some(found) = observed.not_finite else { return Ok(()) };
    let message = format!(
        "feature {} of the input is {} on calibration row {}; the network overflows there, remove the row",
        found.feature, found.value, found.row
    );
    Err(model_error(product.op, message))
}

/// Warns of features that have one step, whatever is sent there.
fn warn_of_constants(product: &Product<'_, '_>, observed: &Observed) {
    if let Some(features) = constant_features(&product.weights, &observed.features) {
        tell(Message::Warning(&format!(
            "{}: calibration data is constant in feature(s) {features} of its input: what the client sends there is ignored; \
             if it should count, give samples in which it varies",
            node_name(product.op)
        )));
    }
}

/// Whether the products of `@main` are a chain: in others `effort=thorough` and `steps` find nothing else.
///
/// # Errors
/// [`PassError`] for a product that cannot be calibrated.
pub fn is_chain(main: Function<'_, '_>) -> Result<bool, PassError> {
    Ok(layers(main, &products(main)?)?.is_some())
}

/// The products as layers of a chain that gives the network's outputs; `None` where they are none.
fn layers(main: Function<'_, '_>, products: &[Product<'_, '_>]) -> Result<Option<Vec<Layer>>, PassError> {
    let mut inputs = BTreeSet::new();
    for product in products {
        let shape = shape_of(product.op, product.input)?;
        let rows: u64 = shape.iter().rev().skip(1).product();
        if rows != 1 || !inputs.insert(key(product.input)) {
            return Ok(None);
        }
    }
    // What the chain gives is compared as scores of classes, which is not what a layer with quantizers of its own reads.
    if main.ops().into_iter().filter(|op| op_name(*op) == "nn.matmul").count() != products.len() {
        return Ok(None);
    }
    let (graph, numbers) = numbered_graph(main)?;
    let mut found = Vec::new();
    for product in products {
        let number = |value| numbers.get(&key(value)).copied();
        let (Some(input), Some(output)) = (number(product.input), number(result(product.op)?)) else {
            return Ok(None);
        };
        found.push((input, output));
    }
    let mut shapes = BTreeMap::new();
    for op in main.ops() {
        let value = result(op)?;
        if let (Some(number), Some(shape)) = (numbers.get(&key(value)), tensor_shape(value.r#type())) {
            shapes.insert(*number, shape);
        }
    }
    let Some(steps) = steps_between((&graph, &shapes), &found) else { return Ok(None) };
    let mut layers = Vec::new();
    for (product, after) in products.iter().zip(steps) {
        layers.push(Layer { weights: Weights::of(product.op)?, after });
    }
    let is_empty = |layer: &Layer| layer.weights.shape.contains(&0);
    Ok((!layers.iter().any(is_empty)).then_some(layers))
}

impl Calibrate {
    fn bits_of(&self, product: &Product<'_, '_>) -> Bits {
        let node = self.nodes.get(&node_name(product.op)).copied().unwrap_or_default();
        let inputs = if product.is_first { self.bits.inputs } else { self.bits.activations };
        Bits { inputs: node.inputs.unwrap_or(inputs), weights: node.weights.unwrap_or(self.bits.weights) }
    }

    /// Refuses bits for a node that there is not, and two widths of one value.
    fn check_nodes(&self, products: &[Product<'_, '_>]) -> Result<(), PassError> {
        let names: Vec<String> = products.iter().map(|product| node_name(product.op)).collect();
        if let Some(node) = self.nodes.keys().find(|node| !names.contains(node)) {
            let message =
                format!("bits are given for a product that there is not; there is {}", names.join(", "));
            return Err(PassError::Model { node: node.clone(), message });
        }
        for (index, product) in products.iter().enumerate() {
            let same = |other: &&Product<'_, '_>| key(other.input) == key(product.input);
            if let Some(other) = products[..index].iter().find(same) {
                let [one, two] = [other, product].map(|product| self.bits_of(product).inputs);
                if one != two {
                    let message = format!(
                        "its input has {two} bits here and {one} in {}; give both products the same",
                        node_name(other.op)
                    );
                    return Err(model_error(product.op, message));
                }
            }
        }
        Ok(())
    }

    /// Names the inputs of hidden products that stay on one step, or keeps them as lookups if that is asked for.
    fn mark_unfired<'c>(
        &self,
        (context, module): (&'c Context, OperationRef<'c, '_>),
        network: &Network<'_, 'c, '_>,
        accumulator_bits: Option<u32>,
    ) -> Result<(), PassError> {
        let hidden: Vec<&Product<'c, '_>> =
            network.products.iter().filter(|product| !product.is_first).collect();
        if hidden.is_empty() {
            return Ok(());
        }
        for product in &hidden {
            if let Some(mut quantizers) = ProductQuantizers::read(product.op)? {
                let bits = accumulator_bits.filter(|_| product.is_bounded());
                let most = bits.map(|bits| ((1i64 << bits) - 1) / quantizers.levels);
                unfired::let_fire(&mut quantizers, product.op, &product.weights, most)?;
                quantizers.write(context, product.op);
            }
        }
        if self.keep_unfired {
            return Ok(());
        }
        let steps = unfired::constant_steps(context, module, network.samples)?;
        for (op, steps) in unfired::products(Function::named(module, MAIN)?).into_iter().zip(steps) {
            if hidden.iter().any(|product| product.op == op)
                && let Some(quantizers) = ProductQuantizers::read(op)?
            {
                ProductQuantizers { unfired: steps, ..quantizers }.write(context, op);
            }
        }
        Ok(())
    }

    fn steps_of(&self, product: &Product<'_, '_>) -> Steps {
        let node = self.nodes.get(&node_name(product.op)).and_then(|node| node.steps);
        node.unwrap_or(self.steps)
    }

    /// Whether a chain is searched as a whole.
    fn is_searched(&self) -> bool {
        self.effort != Effort::Fast && self.per_channel
    }

    fn rounding(&self) -> Rounding {
        if self.effort == Effort::Thorough { Rounding::SecondOrder } else { Rounding::Nearest }
    }

    /// Says what is asked for and has no effect on products that are looked at one by one.
    fn warn(&self, products: &[Product<'_, '_>]) {
        if products.iter().any(|product| self.steps_of(product) != Steps::Free) {
            tell(Message::Warning(
                "steps are left free: they follow in chains of products that are small enough to search, with one quantizer \
                 per channel, and not with effort=fast",
            ));
        }
        if self.effort == Effort::Thorough && !self.per_channel {
            tell(Message::Warning(
                "effort=thorough finds what effort=normal does: with one quantizer per tensor there is nothing else to look for",
            ));
        }
    }

    /// Writes the quantizers of all products, with a bound of accumulators or without.
    fn quantize<'c>(
        &self,
        (context, module): (&'c Context, OperationRef<'c, '_>),
        network: &Network<'_, 'c, '_>,
        accumulator_bits: Option<u32>,
    ) -> Result<(), PassError> {
        let products = network.products;
        products.iter().for_each(|product| ProductQuantizers::erase(product.op));
        if let Some(layers) = network.layers {
            let wish = Wish {
                bits: products.iter().map(|product| self.bits_of(product)).collect(),
                rounding: self.rounding(),
                accumulator_bits,
                steps: products.iter().map(|product| self.steps_of(product)).collect(),
            };
            let rows = network.observed[0].rows();
            let found = search(layers, &rows, &wish, &|text| tell(Message::Stage(text)));
            for (product, quantizers) in products.iter().zip(found) {
                quantizers.write(context, product.op);
            }
        } else {
            let separately = Separately {
                per_channel: self.per_channel,
                effort: self.effort,
                accumulator_bits,
                keep_unfired: self.keep_unfired,
            };
            let all: Vec<(&Product<'c, '_>, &Observed, Bits)> = products
                .iter()
                .zip(network.observed)
                .map(|(product, observed)| (product, *observed, self.bits_of(product)))
                .collect();
            separately.quantize((context, module), &all, network.samples)?;
        }
        self.mark_unfired((context, module), network, accumulator_bits)
    }
}

/// What a network is known by while its quantizers are looked for.
struct Network<'n, 'c, 'a> {
    products: &'n [Product<'c, 'a>],
    /// What goes into each product.
    observed: &'n [&'n Observed],
    /// The products as a chain, where they are searched as one.
    layers: Option<&'n [Layer]>,
    samples: &'n [Vec<Tensor>],
}

/// Refuses a bound that leaves nothing of a product's weights.
fn check_left(product: &Product<'_, '_>, bits: u32) -> Result<(), PassError> {
    let Some(found) = ProductQuantizers::read(product.op)? else { return Ok(()) };
    let is_lost = !found.integers.is_empty() && found.integers.iter().all(|integer| *integer == 0);
    if !is_lost || product.weights.values.iter().all(|weight| *weight == 0.0) {
        return Ok(());
    }
    let message = format!(
        "a bound of {bits} bits on accumulators leaves nothing of its weights: each of its inputs has steps from 0 to {} alone; \
         allow more bits, or give its inputs fewer",
        found.levels
    );
    Err(model_error(product.op, message))
}

/// On how many samples the network with its quantizers decides as it does without.
fn agreement_with_float<'c>(
    context: &'c Context,
    module: OperationRef<'c, '_>,
    samples: &[Vec<Tensor>],
) -> Result<i64, PassError> {
    let copy = copy_of(module)?;
    insert(context, module_op(&copy), &[])?;
    let graphs = [module, module_op(&copy)].map(|module| graph(Function::named(module, MAIN)?));
    let [float, quantized] = graphs;
    let (float, quantized) = (float?, quantized?);
    let (float, quantized) = (Evaluator::new(&float)?, Evaluator::new(&quantized)?);
    let agrees = |sample: &Vec<Tensor>| -> Result<i64, RunError> {
        Ok(i64::from(decisions(&float.run(sample)?) == decisions(&quantized.run(sample)?)))
    };
    let found: Vec<Result<i64, RunError>> = samples.par_iter().map(agrees).collect();
    Ok(found.into_iter().sum::<Result<i64, RunError>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options<'t>(changed: &[(usize, &'t str)]) -> Vec<&'t str> {
        let mut values: Vec<&str> = Calibrate::INFO.options.iter().map(|option| option.default).collect();
        changed.iter().for_each(|(index, value)| values[*index] = value);
        values
    }

    #[test]
    fn defaults_are_options() {
        let pass = Calibrate::new(&options(&[])).unwrap();
        assert!(pass.per_channel && pass.effort == Effort::Normal && pass.samples.is_empty());
        assert_eq!([pass.bits.inputs, pass.bits.weights, pass.bits.activations], [3, 3, 3]);
    }

    #[test]
    fn bits_of_nodes_are_read() {
        let pass =
            Calibrate::new(&options(&[(6, "/fc1/Gemm=inputs:4,weights:2; a=b=weights:5,steps:integer")]))
                .unwrap();
        let of = |inputs, weights, steps| NodeBits { inputs, weights, steps };
        assert_eq!(pass.nodes["/fc1/Gemm"], of(Some(4), Some(2), None));
        assert_eq!(pass.nodes["a=b"], of(None, Some(5), Some(Steps::Integer)));
        for bad in ["fc", "fc=4", "fc=steps:3", "fc=biases:3", "fc=weights:1", "fc=inputs:17"] {
            assert!(Calibrate::new(&options(&[(6, bad)])).is_err(), "{bad}");
        }
    }

    #[test]
    fn impossible_options_are_refused() {
        for (index, bad) in
            [(1, "0"), (1, "17"), (2, "1"), (3, "three"), (4, "row"), (5, "slow"), (7, "0"), (8, "2")]
        {
            let error = Calibrate::new(&options(&[(index, bad)])).map(drop).unwrap_err();
            assert!(error.contains(bad) && error.contains(Calibrate::INFO.options[index].name), "{error}");
        }
    }
}
