//! Two computations of one network, node by node: what is computed in floats, and the same quantized.

use super::Layer;
use crate::predict::largest;
use anyhow::Result;
use cml_runtime::reference::message::{Element, Graph, Node, Op, Quantizer};
use cml_runtime::reference::{Evaluator, Value};
use std::collections::BTreeMap;

/// What is known of a node after some samples.
#[derive(Default)]
struct Place {
    name: String,
    /// Numbers of its value in both computations.
    values: Option<(usize, usize)>,
    /// Of each channel of the value.
    channels: Vec<Channel>,
    /// The quantizers that read it: the value that goes in.
    quantizers: Vec<(usize, Quantizer)>,
    clipped: u64,
    quantized: u64,
}

/// Sums over the values of a channel.
#[derive(Clone, Default)]
struct Channel {
    count: f64,
    float: f64,
    squares: f64,
    /// Squares of what the quantized values differ by.
    noise: f64,
}

impl Channel {
    /// Squared distances of the float values from their mean: a constant tells nothing.
    fn signal(&self) -> f64 {
        (self.squares - self.float * self.float / self.count.max(1.0)).max(0.0)
    }
}

/// Errors of all nodes.
pub(super) struct Comparison<'g> {
    float: Evaluator<'g>,
    quantized: Evaluator<'g>,
    places: Vec<Place>,
    outputs: Vec<(usize, usize)>,
    output_nodes: Vec<Option<String>>,
    decisions: Option<usize>,
}

impl<'g> Comparison<'g> {
    /// Nothing was run yet. A node's value is the last one that carries its name.
    pub(super) fn of(float: &'g Graph, quantized: &'g Graph) -> Result<Self> {
        let [own, other] = [Evaluator::new(float)?, Evaluator::new(quantized)?];
        let (mine, theirs) = (named(float, &own), named(quantized, &other));
        let is_alike = |(one, two): (usize, usize)| own.types()[one] == other.types()[two];
        let mut places: Vec<Place> =
            float.inputs.iter().map(|port| Place { name: port.name.clone(), ..Place::default() }).collect();
        let mut last: Vec<(&String, &usize)> = mine.iter().collect();
        last.sort_by_key(|(_, number)| **number);
        for (name, number) in last {
            let pair = theirs.get(name).map(|other| (*number, *other)).filter(|pair| is_alike(*pair));
            places.push(Place { name: name.clone(), values: pair, ..Place::default() });
        }
        for node in &quantized.nodes {
            if let Some(Op::Quantize(quantizer)) = &node.op
                && let Some(input) = node.inputs.first()
            {
                let name = read_by(quantized, node);
                if let Some(place) = places.iter_mut().find(|place| place.name == name) {
                    place.quantizers.push((*input as usize, quantizer.clone()));
                }
            }
        }
        places.retain(|place| place.values.is_some() || !place.quantizers.is_empty());
        let pairs = float.outputs.iter().zip(&quantized.outputs);
        let node_of = |number: &u32| {
            let node = float.nodes.get((*number as usize).checked_sub(float.inputs.len())?)?;
            Some(node.name.clone())
        };
        Ok(Self {
            outputs: pairs.map(|(one, two)| (*one as usize, *two as usize)).collect(),
            output_nodes: float.outputs.iter().map(node_of).collect(),
            decisions: Some(0),
            float: own,
            quantized: other,
            places,
        })
    }

    /// Runs one sample through both.
    pub(super) fn add(&mut self, sample: &[Value]) -> Result<()> {
        let (float, quantized) = (self.float.run_all(sample)?, self.quantized.run_all(sample)?);
        for place in &mut self.places {
            if let Some((one, other)) = place.values {
                place.add(&float[one], &quantized[other]);
            }
            for (input, quantizer) in &place.quantizers {
                let (clipped, all) = clipped(&quantized[*input], quantizer);
                place.clipped += clipped;
                place.quantized += all;
            }
        }
        let decisions =
            self.outputs.first().map(|(one, other)| (decision(&float[*one]), decision(&quantized[*other])));
        self.decisions = match (self.decisions, decisions) {
            (Some(same), Some((Some(one), Some(other)))) => Some(same + usize::from(one == other)),
            _ => None,
        };
        Ok(())
    }

    /// Samples until now whose first output has its largest element at the same place.
    pub(super) fn same_decision(&self) -> Option<usize> {
        self.decisions
    }

    /// The node that computes an output.
    pub(super) fn output_node(&self, output: usize) -> Option<String> {
        self.output_nodes.get(output).cloned().flatten()
    }

    /// What came of it.
    pub(super) fn layers(&self) -> Vec<Layer> {
        self.places.iter().map(Place::layer).collect()
    }
}

impl Place {
    fn add(&mut self, float: &Value, quantized: &Value) {
        let (Some(float), Some(quantized)) = (float.as_floats(), quantized.as_floats()) else { return };
        let channels = float.shape().last().copied().unwrap_or(1).max(1);
        self.channels.resize_with(channels, Channel::default);
        for (at, (one, other)) in float.iter().zip(quantized).enumerate() {
            let (one, channel) = (f64::from(*one), &mut self.channels[at % channels]);
            channel.count += 1.0;
            channel.float += one;
            channel.squares += one * one;
            channel.noise += (one - f64::from(*other)).powi(2);
        }
    }

    fn layer(&self) -> Layer {
        let signal: f64 = self.channels.iter().map(Channel::signal).sum();
        let noise: f64 = self.channels.iter().map(|channel| channel.noise).sum();
        let mean = signal / self.channels.len().max(1) as f64;
        let channels = self.channels.iter().enumerate();
        let worst = channels.max_by(|(_, one), (_, other)| one.noise.total_cmp(&other.noise));
        Layer {
            node: self.name.clone(),
            signal_to_noise_db: decibels(signal, noise),
            is_exact: self.values.is_some() && noise == 0.0,
            worst_channel: worst.and_then(|(at, channel)| Some((at, decibels(mean, channel.noise)?))),
            clipped: (self.quantized > 0).then(|| self.clipped as f64 / self.quantized as f64),
            ..Layer::default()
        }
    }
}

/// `None` where there is no noise; without signal the ratio is that of the least one that a float can have.
fn decibels(signal: f64, noise: f64) -> Option<f64> {
    (noise > 0.0).then(|| 10.0 * (signal.max(f64::MIN_POSITIVE) / noise).log10())
}

/// The last float value of each node that depends on an input.
fn named(graph: &Graph, evaluator: &Evaluator<'_>) -> BTreeMap<String, usize> {
    let inputs = graph.inputs.len();
    let mut depends = vec![true; inputs];
    let mut found = BTreeMap::new();
    for (at, node) in graph.nodes.iter().enumerate() {
        let is_open = node.inputs.iter().any(|value| depends[*value as usize]);
        depends.push(is_open);
        if is_open && !node.name.is_empty() && evaluator.types()[inputs + at].element == Element::F32 {
            found.insert(node.name.clone(), inputs + at);
        }
    }
    found
}

/// The node whose value a quantizer reads: behind the ops that carry the quantizer's own name.
fn read_by(graph: &Graph, quantize: &Node) -> String {
    let mut node = quantize;
    loop {
        let Some(value) = node.inputs.first().map(|value| *value as usize) else { return node.name.clone() };
        let Some(before) = value.checked_sub(graph.inputs.len()) else {
            return graph.inputs[value].name.clone();
        };
        node = &graph.nodes[before];
        if node.name != quantize.name {
            return node.name.clone();
        }
    }
}

/// How many values lie more than half a step beyond the ends of a quantizer, and how many there are.
fn clipped(value: &Value, quantizer: &Quantizer) -> (u64, u64) {
    let Some(values) = value.as_floats() else { return (0, 0) };
    let inner: usize = values.shape().iter().skip(quantizer.axis as usize + 1).product();
    let (lo, hi) = (quantizer.lo as f64 - 0.5, quantizer.hi as f64 + 0.5);
    let is_beyond = |(at, x): (usize, &f32)| {
        let channel = at / inner.max(1) % quantizer.scales.len().max(1);
        let of = |numbers: &[f64], otherwise: f64| numbers.get(channel).copied().unwrap_or(otherwise);
        let scale = of(&quantizer.divisors, of(&quantizer.scales, 1.0));
        let zero = quantizer.zero_points.get(channel).map_or(0.0, |zero| *zero as f64);
        let step = f64::from(*x) / scale + of(&quantizer.shifts, 0.0) + zero;
        step < lo || step > hi
    };
    (values.iter().enumerate().filter(|element| is_beyond(*element)).count() as u64, values.len() as u64)
}

/// The place of the largest of several elements, or the integer that the network gives.
fn decision(value: &Value) -> Option<i64> {
    if let Some(integers) = value.as_integers() {
        return (integers.len() == 1).then(|| integers.iter().copied().next()).flatten();
    }
    value.as_floats().filter(|floats| floats.len() > 1).map(largest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cml_runtime::reference::message::{Empty, Port, Tensor};

    /// `relu(x + c)`, and with a quantizer before it.
    fn graph(constant: f32, quantizer: Option<Quantizer>) -> Graph {
        let port = Port { name: "x".to_owned(), shape: vec![1, 2], element: 0 };
        let mut graph = Graph { inputs: vec![port], ..Graph::default() };
        let mut value = 0;
        if let Some(quantizer) = quantizer {
            value = graph.push("sum", Op::Quantize(quantizer.clone()), [0]);
            value = graph.push("sum", Op::Dequantize(quantizer), [value]);
        }
        let tensor = Tensor { shape: vec![], floats: vec![constant], integers: vec![] };
        let added = graph.push("sum", Op::Constant(tensor), []);
        value = graph.push("sum", Op::Add(Empty {}), [value, added]);
        value = graph.push("relu", Op::Relu(Empty {}), [value]);
        graph.outputs = vec![value];
        graph
    }

    #[test]
    fn errors_are_those_of_the_values_with_one_name() {
        let quantizer = Quantizer { scales: vec![1.0], zero_points: vec![0], hi: 3, ..Quantizer::default() };
        let (float, quantized) = (graph(1.0, None), graph(1.0, Some(quantizer)));
        let mut comparison = Comparison::of(&float, &quantized).unwrap();
        // The first sample is quantized to 2 and 3: the errors are 0.25 and 2, the latter clipped.
        for sample in [[2.25, 5.0], [0.0, 0.0]] {
            comparison.add(&[Value::floats(&[1, 2], sample.to_vec()).unwrap()]).unwrap();
        }
        let layers = comparison.layers();
        let names: Vec<&str> = layers.iter().map(|layer| layer.node.as_str()).collect();
        assert_eq!(names, ["x", "sum", "relu"]);
        assert_eq!((layers[0].clipped, layers[0].signal_to_noise_db), (Some(0.25), None));
        // Around their means the channels have 1.125 and 2.5, twice.
        let signal = 2.0 * (1.125f64.powi(2) + 2.5f64.powi(2));
        let expected = 10.0 * (signal / (0.0625 + 4.0)).log10();
        assert!((layers[1].signal_to_noise_db.unwrap() - expected).abs() < 1e-9);
        let worst = 10.0 * (signal / 2.0 / 4.0).log10();
        let (channel, db) = layers[2].worst_channel.unwrap();
        assert!(channel == 1 && (db - worst).abs() < 1e-9, "{db} {worst}");
        assert_eq!(comparison.same_decision(), Some(2));
        assert_eq!(comparison.output_node(0).as_deref(), Some("relu"));
    }

    #[test]
    fn equal_values_have_no_ratio() {
        let (one, other) = (graph(0.0, None), graph(0.0, None));
        let mut comparison = Comparison::of(&one, &other).unwrap();
        comparison.add(&[Value::floats(&[1, 2], vec![0.0, 1.0]).unwrap()]).unwrap();
        assert!(comparison.layers().iter().all(|layer| layer.is_exact && layer.signal_to_noise_db.is_none()));
    }
}
