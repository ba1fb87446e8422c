//! Options of a compilation: as they are written on the command line, and in a configuration file.

use clap::ValueEnum;
use cml_passes::transforms::parametrize::{probability, rounding};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// Bits of each kind of quantizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bits {
    /// Of the network's inputs.
    pub(crate) inputs: u32,
    /// Of weights, with sign.
    pub(crate) weights: u32,
    /// Between layers.
    pub(crate) activations: u32,
}

impl Bits {
    /// What holds where nothing is said.
    const DEFAULT: Self = Self { inputs: 3, weights: 3, activations: 3 };
}

impl FromStr for Bits {
    type Err = String;

    /// `3`, or `inputs=3,weights=4,activations=3`; a kind that is left out has 3.
    fn from_str(text: &str) -> Result<Self, String> {
        let number = |kind: &str, text: &str| {
            let bits = text.trim().parse::<u32>().ok().filter(|bits| bits_of(kind).contains(bits));
            bits.ok_or_else(|| expected_bits(kind, text.trim()))
        };
        let mut bits = Self::DEFAULT;
        for part in text.split(',') {
            match part.split_once('=').map(|(kind, value)| (kind.trim(), value)) {
                None if !text.contains(',') => {
                    let all = number("weights", part)?;
                    bits = Self { inputs: all, weights: all, activations: all };
                }
                Some(("inputs", value)) => bits.inputs = number("inputs", value)?,
                Some(("weights", value)) => bits.weights = number("weights", value)?,
                Some(("activations", value)) => bits.activations = number("activations", value)?,
                _ => return Err("expected one number, or inputs=3,weights=4,activations=3".to_owned()),
            }
        }
        Ok(bits)
    }
}

/// How many bits values of a kind may have.
fn bits_of(kind: &str) -> RangeInclusive<u32> {
    let least = if kind == "weights" { 2 } else { 1 };
    least..=16
}

fn expected_bits(kind: &str, found: &str) -> String {
    let bits = bits_of(kind);
    format!("{kind} have {} to {} bits, found `{found}`", bits.start(), bits.end())
}

/// Bits of one matrix product that differ from those of its kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NodeBits {
    /// Of its inputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) inputs: Option<u32>,
    /// Of its weights, with sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) weights: Option<u32>,
    /// How many integers of its sums make one step of the next layer's input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) steps: Option<Steps>,
}

/// What has a scale of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Granularity {
    /// Each channel
    Channel,
    /// Each tensor
    Tensor,
}

/// How much calibration looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Effort {
    /// From the smallest to the largest value
    Fast,
    /// Search over scales: by the outputs of a chain of layers, else layer by layer
    Normal,
    /// Weights refitted and rounded by the error of their sums as well, and in a chain of layers searched one by one
    Thorough,
}

impl Effort {
    /// As it is written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Normal => "normal",
            Self::Thorough => "thorough",
        }
    }
}

/// How many integers of a sum a step of the next input may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Steps {
    /// Any real number
    Free,
    /// A whole number: the jumps of each table are equally far apart
    Integer,
    /// A power of two
    PowerOfTwo,
    /// A power of two after each layer where that makes the program faster and no decision on the calibration samples worse
    Cheapest,
}

impl Steps {
    /// As it is written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Integer => "integer",
            Self::PowerOfTwo => "power-of-two",
            Self::Cheapest => "cheapest",
        }
    }
}

/// log2 of a probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Probability(pub(crate) f64);

impl FromStr for Probability {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || "expected 2^-40, or a number between 0 and 1".to_owned();
        probability(text)?.map(|log2| Self(log2.0)).ok_or_else(expected)
    }
}

/// Bits that lookups may be rounded to, approximately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rounding(pub(crate) u32);

impl FromStr for Rounding {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        rounding(text)?.map(Self).ok_or_else(|| "expected approximate:6".to_owned())
    }
}

/// A share of all samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Share(pub(crate) f64);

impl FromStr for Share {
    type Err = String;

    /// `2%`, or `0.02`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) = text.trim().strip_suffix('%').map_or((text, 1.0), |number| (number, 100.0));
        let share = number.trim().parse::<f64>().ok().map(|number| number / unit);
        let share = share.filter(|share| (0.0..=1.0).contains(share));
        share.map(Self).ok_or_else(|| "expected 2%, or a number between 0 and 1".to_owned())
    }
}

/// What the client may send as one input.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct InputRange {
    /// Of the input; absent for every input.
    pub(crate) name: Option<String>,
    /// Lower and upper bound of all features, or of each.
    pub(crate) bounds: Vec<(f32, f32)>,
}

impl FromStr for InputRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, bounds) = match text.rsplit_once('=') {
            Some((name, bounds)) => (Some(name.to_owned()), bounds),
            None => (None, text),
        };
        let bound = |text: &str| {
            let (lo, hi) = text.split_once(':')?;
            let bounds = (lo.trim().parse().ok()?, hi.trim().parse().ok()?);
            is_range(&bounds).then_some(bounds)
        };
        let bounds: Option<Vec<_>> = bounds.split(',').map(bound).collect();
        let expected = || {
            "expected LO:HI with finite bounds, the lower one first; for each feature LO:HI,LO:HI".to_owned()
        };
        Ok(Self { name, bounds: bounds.ok_or_else(expected)? })
    }
}

/// Whether bounds are finite and in order.
pub(crate) fn is_range((lo, hi): &(f32, f32)) -> bool {
    lo.is_finite() && hi.is_finite() && lo <= hi
}

/// All options that decide what program comes out; what is absent has its default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Options {
    /// Of post-training quantization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) bits: Option<Bits>,
    /// Of post-training quantization, by ONNX node.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) node_bits: BTreeMap<String, NodeBits>,
    /// Of the widest sum that a lookup reads, in post-training quantization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max_accumulator_bits: Option<u32>,
    /// Of post-training quantization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) granularity: Option<Granularity>,
    /// Of post-training quantization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) effort: Option<Effort>,
    /// Of post-training quantization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) steps: Option<Steps>,
    /// Weights of each neuron that are not 0, before post-training quantization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) prune: Option<u32>,
    /// Neurons that never fire on the calibration samples stay lookups.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) keep_unfired: bool,
    /// Failure budget of one inference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) p_error_log2: Option<f64>,
    /// Failure budget of one lookup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) p_error_per_lookup_log2: Option<f64>,
    /// All key sets read the big key as polynomials of one size.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) one_ring: bool,
    /// Bits that wider lookups are rounded to, approximately.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) approximate_bits: Option<u32>,
    /// What the client may send, by input; the empty name stands for every input.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) input_ranges: BTreeMap<String, Vec<(f32, f32)>>,
    /// Values of symbolic extents.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) dims: BTreeMap<String, u64>,
}

impl Options {
    /// Refuses what the command line would not have taken either.
    ///
    /// # Errors
    /// A sentence that names the option, what is expected and what was found.
    pub(crate) fn check(&self) -> Result<(), String> {
        let below_one = |log2: &Option<f64>| log2.is_none_or(|log2| log2 < 0.0);
        if !below_one(&self.p_error_log2) || !below_one(&self.p_error_per_lookup_log2) {
            return Err(
                "the failure budgets are logarithms of probabilities: expected numbers below 0".to_owned()
            );
        }
        let is_bad = |bounds: &Vec<(f32, f32)>| bounds.is_empty() || !bounds.iter().all(is_range);
        if let Some((name, _)) = self.input_ranges.iter().find(|(_, bounds)| is_bad(bounds)) {
            return Err(format!(
                "input_ranges of `{name}`: expected pairs of finite bounds, the lower one first"
            ));
        }
        let check = |place: &str, kind: &str, bits: Option<u32>| match bits {
            Some(bits) if !bits_of(kind).contains(&bits) => {
                Err(format!("{place}: {}", expected_bits(kind, &bits.to_string())))
            }
            _ => Ok(()),
        };
        if let Some(Bits { inputs, weights, activations }) = self.bits {
            for (kind, bits) in [("inputs", inputs), ("weights", weights), ("activations", activations)] {
                check("bits", kind, Some(bits))?;
            }
        }
        for (name, bits) in &self.node_bits {
            let place = format!("node_bits of `{name}`");
            check(&place, "inputs", bits.inputs)?;
            check(&place, "weights", bits.weights)?;
            if bits.steps == Some(Steps::Cheapest) {
                return Err(format!("{place}: expected steps that are free, integer or power-of-two"));
            }
        }
        check("max_accumulator_bits", "sums", self.max_accumulator_bits)?;
        check("approximate_bits", "rounded lookups", self.approximate_bits)?;
        if self.prune == Some(0) {
            return Err("prune: expected at least one weight of each neuron, found 0".to_owned());
        }
        Ok(())
    }

    /// Those that decide which scales are found, and no others.
    pub(crate) fn quantizing(&self) -> Self {
        Self {
            bits: self.bits,
            node_bits: self.node_bits.clone(),
            max_accumulator_bits: self.max_accumulator_bits,
            granularity: self.granularity,
            effort: self.effort,
            steps: self.steps,
            prune: self.prune,
            keep_unfired: self.keep_unfired,
            ..Self::default()
        }
    }

    /// Which of those are given.
    pub(crate) fn given_quantizing(&self) -> Vec<&'static str> {
        unequal(self, &Self::default())
    }

    /// Which of those mean something else in other options.
    pub(crate) fn changed_quantizing(&self, other: &Self) -> Vec<&'static str> {
        let stated = |options: &Self| Self {
            bits: options.bits.or(Some(Bits::DEFAULT)),
            granularity: options.granularity.or(Some(Granularity::Channel)),
            effort: options.effort.or(Some(Effort::Normal)),
            steps: options.steps.or(Some(Steps::Free)),
            ..options.quantizing()
        };
        unequal(&stated(self), &stated(other))
    }

    /// Options of `cml-calibrate`, without its data.
    pub(crate) fn calibrate(&self) -> String {
        let Bits { inputs, weights, activations } = self.bits.unwrap_or(Bits::DEFAULT);
        let mut text = format!("inputs={inputs} weights={weights} activations={activations}");
        if let Some(granularity) = self.granularity {
            let name = if granularity == Granularity::Channel { "channel" } else { "tensor" };
            text.push_str(&format!(" granularity={name}"));
        }
        if let Some(effort) = self.effort {
            text.push_str(&format!(" effort={}", effort.name()));
        }
        // The cheapest ones are those of single nodes, once they are found.
        if let Some(steps) = self.steps.filter(|steps| *steps != Steps::Cheapest) {
            text.push_str(&format!(" steps={}", steps.name()));
        }
        if let Some(bits) = self.max_accumulator_bits {
            text.push_str(&format!(" accumulator-bits={bits}"));
        }
        if self.keep_unfired {
            text.push_str(" keep-unfired=true");
        }
        text
    }

    /// Bits and steps of single products as `cml-calibrate` takes them; empty for none.
    pub(crate) fn nodes(&self) -> String {
        let node = |(name, bits): (&String, &NodeBits)| {
            let parts = [
                bits.inputs.map(|bits| format!("inputs:{bits}")),
                bits.weights.map(|bits| format!("weights:{bits}")),
                bits.steps.map(|steps| format!("steps:{}", steps.name())),
            ];
            let parts: Vec<String> = parts.into_iter().flatten().collect();
            (!parts.is_empty()).then(|| format!("{name}={}", parts.join(",")))
        };
        self.node_bits.iter().filter_map(node).collect::<Vec<_>>().join(";")
    }

    /// The declared ranges as `cml-infer-ranges` takes them; empty for none.
    pub(crate) fn declared(&self) -> String {
        let range = |(name, bounds): (&String, &Vec<(f32, f32)>)| {
            let bounds: Vec<String> = bounds.iter().map(|(lo, hi)| format!("{lo}:{hi}")).collect();
            let name = if name.is_empty() { String::new() } else { format!("{name}=") };
            format!("{name}{}", bounds.join(","))
        };
        self.input_ranges.iter().map(range).collect::<Vec<_>>().join(";")
    }

    /// Options of `cml-parametrize`, without the cost table.
    pub(crate) fn parametrize(&self) -> String {
        let budget = |name: &str, log2: Option<f64>| log2.map(|log2| format!("{name}=2^{log2}"));
        let given = [
            budget("p-error", self.p_error_log2),
            budget("p-error-per-lookup", self.p_error_per_lookup_log2),
            self.one_ring.then(|| "one-ring=true".to_owned()),
            self.approximate_bits.map(|bits| format!("rounding=approximate:{bits}")),
        ];
        given.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

/// The names of options that decide which scales are found, and that are not the same; `node_bits` is in files alone.
fn unequal(one: &Options, other: &Options) -> Vec<&'static str> {
    let options = [
        ("--bits", one.bits != other.bits),
        ("node_bits", one.node_bits != other.node_bits),
        ("--max-accumulator-bits", one.max_accumulator_bits != other.max_accumulator_bits),
        ("--granularity", one.granularity != other.granularity),
        ("--effort", one.effort != other.effort),
        ("--steps", one.steps != other.steps),
        ("--prune", one.prune != other.prune),
        ("--keep-unfired", one.keep_unfired != other.keep_unfired),
    ];
    options.into_iter().filter(|(_, is_unequal)| *is_unequal).map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_decides_scales_is_told_apart() {
        let all = Options {
            bits: Some(Bits::DEFAULT),
            node_bits: BTreeMap::from([("fc".to_owned(), NodeBits::default())]),
            max_accumulator_bits: Some(6),
            granularity: Some(Granularity::Channel),
            effort: Some(Effort::Normal),
            steps: Some(Steps::Free),
            prune: Some(3),
            keep_unfired: true,
            p_error_log2: Some(-50.0),
            one_ring: true,
            ..Options::default()
        };
        assert_eq!(all.given_quantizing().len(), 8);
        // What is said is the default of some.
        assert_eq!(
            all.changed_quantizing(&Options::default()),
            ["node_bits", "--max-accumulator-bits", "--prune", "--keep-unfired"]
        );
        assert!(all.changed_quantizing(&all.quantizing()).is_empty());
        assert!(all.quantizing().p_error_log2.is_none() && !all.quantizing().one_ring);
    }

    #[test]
    fn bits_of_all_kinds_or_of_each() {
        let parse = |text: &str| text.parse::<Bits>();
        assert_eq!(parse("4"), Ok(Bits { inputs: 4, weights: 4, activations: 4 }));
        assert_eq!(parse("weights=2, inputs=8"), Ok(Bits { inputs: 8, weights: 2, activations: 3 }));
        for text in ["", "1", "17", "weights=1", "3,4", "biases=3", "inputs=x"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn shares_are_read_in_percent_or_not() {
        let parse = |text: &str| text.parse::<Share>().map(|share| share.0);
        assert_eq!(
            [parse("2%"), parse("0.87"), parse("100 %"), parse("0")].map(Result::ok),
            [Some(0.02), Some(0.87), Some(1.0), Some(0.0)]
        );
        for text in ["", "%", "2", "-1%", "nan", "101%"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn ranges_of_all_features_or_of_each() {
        let parse = |text: &str| text.parse::<InputRange>();
        assert_eq!(parse("-1:1"), Ok(InputRange { name: None, bounds: vec![(-1.0, 1.0)] }));
        let each = InputRange { name: Some("x".to_owned()), bounds: vec![(0.0, 1.0), (-2.5, 3.0)] };
        assert_eq!(parse("x=0:1,-2.5:3"), Ok(each));
        for text in ["", "1", "2:1", "0:inf", "x=", "x=0:1,"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn options_become_those_of_passes() {
        let options = Options {
            bits: Some(Bits { inputs: 4, weights: 3, activations: 2 }),
            node_bits: BTreeMap::from([
                ("a".to_owned(), NodeBits { inputs: Some(4), weights: Some(2), steps: None }),
                (
                    "b".to_owned(),
                    NodeBits { weights: Some(5), steps: Some(Steps::Integer), ..NodeBits::default() },
                ),
                ("c".to_owned(), NodeBits::default()),
            ]),
            max_accumulator_bits: Some(7),
            granularity: Some(Granularity::Tensor),
            effort: Some(Effort::Fast),
            steps: Some(Steps::PowerOfTwo),
            p_error_log2: Some(-39.5),
            input_ranges: BTreeMap::from([
                (String::new(), vec![(0.0, 1.0)]),
                ("x".to_owned(), vec![(-0.1, 2.0), (3.0, 4.0)]),
            ]),
            ..Options::default()
        };
        let calibrate = "inputs=4 weights=3 activations=2 granularity=tensor effort=fast steps=power-of-two \
                         accumulator-bits=7";
        assert_eq!(options.calibrate(), calibrate);
        let cheapest = Options { steps: Some(Steps::Cheapest), ..options.clone() };
        assert_eq!(cheapest.calibrate(), calibrate.replace(" steps=power-of-two", ""));
        assert_eq!(options.nodes(), "a=inputs:4,weights:2;b=weights:5,steps:integer");
        assert_eq!(options.declared(), "0:1;x=-0.1:2,3:4");
        assert_eq!(options.parametrize(), "p-error=2^-39.5");
        assert_eq!(Options::default().parametrize(), "");
    }
}
