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
//! constants into the next product and nowhere else, one row for each sample. `effort=thorough` refits weights to what rounding
//! has made of their inputs, rounds them by the error of their sums, and tries each integer weight a step up and down.
//! Where the network is no chain, and with one quantizer per tensor, layers are looked at one by one: hidden inputs and weights
//! are clipped for the least squared error, and what rounding adds to the mean of a sum, with the quantizers of the layers
//! before, is subtracted.
//! Neurons that stay on one step on every sample are named, so that they become constants (`keep-unfired` leaves them lookups).
//! Requires: `cml-decompose-gemm` ran; weights are constants.
//! Guarantees: every `nn.matmul` whose input does not come out of a quantizer of the network has the attributes of
//! [`ProductQuantizers`]; products of one value have the same steps for it. Computes what it computed before.

use super::insert_quantizers::insert;
use super::quantization::activations::Grid;
use super::quantization::chain::{Layer, steps_between};
use super::quantization::inputs::outputs;
use super::quantization::layers::Rounding;
use super::quantization::scores::{agreement, centred};
use super::quantization::search::{Bits, Wish, quantized_outputs, search};
use super::quantization::stride::Steps;
use super::quantization::weights::{bounded, least_squares_scale, max_scale};
use super::quantization::{
    ProductQuantizers, Weights, is_quantized, missing_quantizer, unfired, values_after_products,
};
use crate::analysis::observe::{Observed, numbered_graph, observe};
use crate::analysis::samples::samples;
use crate::framework::{Message, Pass, PassError, PassInfo, PassOption, Preserves, model_error, parse, tell};
use cml_dialects::interpret::graph;
use cml_dialects::ir::{Function, expected, key, module_op, node_name, op_name, operand, result, shape_of};
use cml_dialects::nn::MAIN;
use cml_runtime::reference::Value as Tensor;
use cml_runtime::reference::message::Port;
use melior::Context;
use melior::ir::{Module, Operation, OperationRef, Value};
use ndarray::Array2;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Fewer samples than this are worth a warning.
const FEW_SAMPLES: usize = 10;

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
}

/// Bits by what is quantized.
#[derive(Clone, Copy)]
struct KindBits {
    inputs: u32,
    weights: u32,
    activations: u32,
}

/// How much is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effort {
    /// Quantizers reach from the smallest to the largest value.
    Fast,
    /// A search over scales and sums.
    Normal,
    /// A search over integer weights as well.
    Thorough,
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
                      networks, and with `granularity=tensor`, layers are looked at one by one: the least squared \
                      error decides, and each sum keeps its mean. A bound on accumulators takes from the weights what is \
                      too much. Hidden inputs that stay on one step on all samples are named by `cml.unfired`.",
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
                description: "fast: from the smallest to the largest value; normal: search by the network's outputs; thorough: \
                              integer weights too",
                default: "normal",
            },
            PassOption {
                name: "nodes",
                description: "other bits for single products: NODE=inputs:4,weights:2;NODE=weights:4",
                default: "",
            },
            PassOption {
                name: "accumulator-bits",
                description: "bits of the widest sum that a lookup reads; unbounded by default",
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
            steps: choose(
                "steps",
                steps,
                &[("free", Steps::Free), ("integer", Steps::Integer), ("power-of-two", Steps::PowerOfTwo)],
            )?,
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
        check_samples(&ports, &samples)?;
        let observed = observe(main, &inputs, &samples)?;
        for product in &products {
            check_finite(product, &observed[index_of[&key(product.input)]])?;
        }
        if self.effort != Effort::Fast
            && self.per_channel
            && let Some(layers) = layers(main, &products)?
        {
            let rows = rows(&observed[index_of[&key(products[0].input)]]);
            for (product, quantizers) in products.iter().zip(self.search(&products, &layers, &rows)) {
                quantizers.write(context, product.op);
            }
            return self.mark_unfired(context, module, &products, &samples);
        }
        if self.steps != Steps::Free {
            tell(Message::Warning(
                "steps are left free: they follow in chains of products with one quantizer per channel, and not with effort=fast",
            ));
        }
        for product in &products {
            let observed = &observed[index_of[&key(product.input)]];
            let mut quantizers = self.quantizers(product, observed)?;
            if self.effort != Effort::Fast {
                let quantized = observe_quantized(context, module, &samples)?;
                let scaled = product.weights.scaled(product.op, &quantizers.scales)?;
                let floats = means(observed, |_, value| value);
                let steps =
                    means(&quantized, |input, value| quantizers.grid(input).step(value, quantizers.levels));
                quantizers.keep_means(&product.weights, &scaled, (&floats, &steps));
            }
            quantizers.write(context, product.op);
        }
        self.mark_unfired(context, module, &products, &samples)
    }
}

fn bits(name: &str, text: &str, least: u32) -> Result<u32, String> {
    let bits = parse(name, text)?;
    let range = least..=16;
    range.contains(&bits).then_some(bits).ok_or(format!("`{name}={text}`: expected {least} to 16 bits"))
}

/// `NODE=inputs:4,weights:2`, either of the two or both.
fn node_bits(text: &str) -> Result<(String, NodeBits), String> {
    let bad = || format!("`nodes={text}`: expected NODE=inputs:BITS,weights:BITS");
    let (node, list) = text.trim().rsplit_once('=').ok_or_else(bad)?;
    let mut found = NodeBits::default();
    for part in list.split(',') {
        match part.trim().split_once(':') {
            Some(("inputs", value)) => found.inputs = Some(bits("inputs", value, 1)?),
            Some(("weights", value)) => found.weights = Some(bits("weights", value, 2)?),
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

/// A product that is to be quantized.
struct Product<'c, 'a> {
    op: OperationRef<'c, 'a>,
    input: Value<'c, 'a>,
    weights: Weights,
    /// Whether no earlier product goes into the input.
    is_first: bool,
}

fn products<'c, 'a>(main: Function<'c, 'a>) -> Result<Vec<Product<'c, 'a>>, PassError> {
    let hidden = values_after_products(main)?;
    let mut products = Vec::new();
    for op in main.ops() {
        if op_name(op) == "nn.matmul" && !is_quantized(operand(op, 0)?) {
            let input = operand(op, 0)?;
            if is_quantized(operand(op, 1)?) {
                let help = "calibration finds quantizers only for a product whose weights have none either";
                return Err(model_error(op, format!("{}; {help}", missing_quantizer(op)?)));
            }
            products.push(Product {
                op,
                input,
                weights: Weights::of(op)?,
                is_first: !hidden.contains(&key(input)),
            });
        }
    }
    Ok(products)
}

/// Refuses samples that say nothing of the range of values.
fn check_samples(ports: &[Port], samples: &[Vec<Tensor>]) -> Result<(), PassError> {
    let count = samples.len();
    for (index, port) in ports.iter().enumerate() {
        let first = samples.first().map(|sample| &sample[index]);
        if samples.iter().all(|sample| Some(&sample[index]) == first) {
            let message = format!(
                "calibration data is constant: {count} sample(s), all of the same values; scales need samples as the \
                 network will see them, some hundred of them"
            );
            return Err(PassError::Model { node: port.name.clone(), message });
        }
    }
    if count < FEW_SAMPLES {
        tell(Message::Warning(&format!(
            "{count} calibration samples are few: values beyond what they have will be clipped"
        )));
    }
    Ok(())
}

fn check_finite(product: &Product<'_, '_>, observed: &Observed) -> Result<(), PassError> {
    let Some(found) = observed.not_finite else { return Ok(()) };
    let message = format!(
        "feature {} of the input is {} on calibration row {}; the network overflows there, remove the row",
        found.feature, found.value, found.row
    );
    Err(model_error(product.op, message))
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
        found.push((input, output, product.weights.columns()));
    }
    let Some(steps) = steps_between(&graph, &found) else { return Ok(None) };
    let mut layers = Vec::new();
    for (product, after) in products.iter().zip(steps) {
        layers.push(Layer { weights: Weights::of(product.op)?, after });
    }
    let is_empty = |layer: &Layer| layer.weights.shape.contains(&0);
    Ok((!layers.iter().any(is_empty)).then_some(layers))
}

/// What was observed, one row for each sample.
fn rows(observed: &Observed) -> Array2<f64> {
    let count = observed.features.first().map_or(0, Vec::len);
    Array2::from_shape_fn((count, observed.features.len()), |(row, feature)| {
        f64::from(observed.features[feature][row])
    })
}

/// The input of the first product without quantizers, in the network with those that are chosen already.
fn observe_quantized<'c>(
    context: &'c Context,
    module: OperationRef<'c, '_>,
    samples: &[Vec<Tensor>],
) -> Result<Observed, PassError> {
    let copy = Module::from_operation(Operation::clone(&module));
    let copy = copy.ok_or_else(|| expected(module, "to be a module"))?;
    insert(context, module_op(&copy), &[])?;
    let main = Function::named(module_op(&copy), MAIN)?;
    let inputs: Vec<_> = products(main)?.iter().take(1).map(|product| product.input).collect();
    let observed = observe(main, &inputs, samples)?.into_iter().next();
    Ok(observed.ok_or_else(|| expected(main.op, "a product without quantizers"))?)
}

/// The mean of a function of each feature.
fn means(observed: &Observed, of: impl Fn(usize, f64) -> f64) -> Vec<f64> {
    let mean = |(feature, values): (usize, &Vec<f32>)| {
        let sum: f64 = values.iter().map(|value| of(feature, f64::from(*value))).sum();
        sum / values.len().max(1) as f64
    };
    observed.features.iter().enumerate().map(mean).collect()
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
        context: &'c Context,
        module: OperationRef<'c, '_>,
        products: &[Product<'c, '_>],
        samples: &[Vec<Tensor>],
    ) -> Result<(), PassError> {
        let hidden: Vec<&Product<'c, '_>> = products.iter().filter(|product| !product.is_first).collect();
        if hidden.is_empty() {
            return Ok(());
        }
        for product in &hidden {
            if let Some(mut quantizers) = ProductQuantizers::read(product.op)? {
                let most = self.accumulator_bits.map(|bits| ((1i64 << bits) - 1) / quantizers.levels);
                unfired::let_fire(&mut quantizers, product.op, &product.weights, most)?;
                quantizers.write(context, product.op);
            }
        }
        if self.keep_unfired {
            return Ok(());
        }
        let steps = unfired::constant_steps(context, module, samples)?;
        for (op, steps) in unfired::products(Function::named(module, MAIN)?).into_iter().zip(steps) {
            if hidden.iter().any(|product| product.op == op)
                && let Some(quantizers) = ProductQuantizers::read(op)?
            {
                ProductQuantizers { unfired: steps, ..quantizers }.write(context, op);
            }
        }
        Ok(())
    }

    /// The search of a chain; where accumulators are bounded, once more without the bound to tell what it costs.
    fn search(
        &self,
        products: &[Product<'_, '_>],
        layers: &[Layer],
        rows: &Array2<f64>,
    ) -> Vec<ProductQuantizers> {
        let second_order = self.effort == Effort::Thorough;
        let wish = Wish {
            bits: products.iter().map(|product| self.bits_of(product)).collect(),
            rounding: if second_order { Rounding::SecondOrder } else { Rounding::Nearest },
            accumulator_bits: self.accumulator_bits,
            steps: self.steps,
        };
        let stage = |text: &str| tell(Message::Stage(text));
        let found = search(layers, rows, &wish, &stage);
        if let Some(bits) = self.accumulator_bits {
            let free = search(layers, rows, &Wish { accumulator_bits: None, ..wish }, &stage);
            let wanted = centred(&outputs(layers, rows));
            let share = |quantizers: &[ProductQuantizers]| {
                100.0 * agreement(&centred(&quantized_outputs(layers, quantizers, rows)), &wanted)
            };
            tell(Message::Note(&format!(
                "with accumulators of at most {bits} bits the largest output is that of float on {:.1} % of the \
                 calibration samples, without the bound on {:.1} %",
                share(&found),
                share(&free)
            )));
        }
        found
    }

    /// Of one product, by what goes into it.
    fn quantizers(
        &self,
        product: &Product<'_, '_>,
        observed: &Observed,
    ) -> Result<ProductQuantizers, PassError> {
        let bits = self.bits_of(product);
        let levels = bits.levels();
        // Clipping an input would throw away what the client sends; a hidden value has many neighbours that say the same.
        let grids = self.grids(observed, levels, self.effort != Effort::Fast && !product.is_first);
        let scales: Vec<f64> = grids.iter().map(|grid| grid.scale).collect();
        let weight_limit = bits.limit();
        let scaled = product.weights.scaled(product.op, &scales)?;
        let columns = product.weights.columns();
        let mut quantizers = ProductQuantizers {
            offsets: grids.iter().map(|grid| grid.offset).collect(),
            scales,
            levels,
            weight_scales: self.weight_scales(&scaled, columns, weight_limit),
            weight_limit,
            corrections: Vec::new(),
            integers: Vec::new(),
            unfired: Vec::new(),
        };
        if let Some(bits) = self.accumulator_bits {
            let most = ((1i64 << bits) - 1) / levels;
            quantizers.integers = vec![0; scaled.len()];
            for column in 0..columns {
                let weights: Vec<f32> = scaled.iter().skip(column).step_by(columns).copied().collect();
                let scale = quantizers.weight_scales[column % quantizers.weight_scales.len()];
                let integers = bounded(&weights, scale, (weight_limit, most));
                for (input, integer) in integers.into_iter().enumerate() {
                    quantizers.integers[input * columns + column] = integer;
                }
            }
        }
        Ok(quantizers)
    }

    fn grids(&self, observed: &Observed, levels: i64, clip: bool) -> Vec<Grid> {
        let choose = if clip { Grid::least_squares } else { Grid::min_max };
        if self.per_channel {
            observed.features.par_iter().map(|values| choose(values, levels)).collect()
        } else {
            vec![choose(&observed.features.concat(), levels)]
        }
    }

    fn weight_scales(&self, scaled: &[f32], columns: usize, limit: i64) -> Vec<f64> {
        let choose = if self.effort == Effort::Fast { max_scale } else { least_squares_scale };
        if !self.per_channel {
            return vec![choose(scaled, limit)];
        }
        let column =
            |column: usize| scaled.iter().skip(column).step_by(columns).copied().collect::<Vec<f32>>();
        (0..columns).into_par_iter().map(|index| choose(&column(index), limit)).collect()
    }
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
        let pass = Calibrate::new(&options(&[(6, "/fc1/Gemm=inputs:4,weights:2; a=b=weights:5")])).unwrap();
        let of = |inputs, weights| NodeBits { inputs, weights };
        assert_eq!(pass.nodes["/fc1/Gemm"], of(Some(4), Some(2)));
        assert_eq!(pass.nodes["a=b"], of(None, Some(5)));
        for bad in ["fc", "fc=4", "fc=biases:3", "fc=weights:1", "fc=inputs:17"] {
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
