//! The quantizers of a matrix product: how they are chosen, and how they are written down between `cml-calibrate` and
//! `cml-insert-quantizers`.

pub mod activations;
pub mod chain;
pub mod cholesky;
pub mod descend;
pub mod inputs;
pub mod layers;
pub mod moments;
pub mod network;
pub mod price;
pub mod products;
pub mod reach;
pub mod rounding;
pub mod scores;
pub mod search;
pub mod separately;
pub mod stride;
pub mod target;
pub mod unfired;
pub mod weights;

use self::activations::Grid;
use crate::framework::{PassError, model_error};
use cml_dialects::ffi::{remove_attribute, set_attribute};
use cml_dialects::interpret::is_movement;
use cml_dialects::ir::{
    Attributes, Function, IrError, Make, argument_number, defining_op, describe, expected, key, op_name,
    operand, operands, result, shape_of, tensor_shape,
};
use cml_dialects::nn::constant_floats;
use melior::Context;
use melior::ir::{OperationRef, Value, ValueLike};
use std::collections::BTreeSet;

/// Attribute of `nn.matmul`: the real numbers that become 0, one for each index of the input's last axis, or one for all.
pub const OFFSETS: &str = "cml.offsets";
/// Attribute of `nn.matmul`: distance of two steps, as many as offsets; 0 makes the input constant at its offset.
pub const SCALES: &str = "cml.scales";
/// Attribute of `nn.matmul`: the largest step; the smallest is 0.
pub const LEVELS: &str = "cml.levels";
/// Attribute of `nn.matmul`: distance of two weights, where inputs count in steps; one for each column, or one for all.
pub const WEIGHT_SCALES: &str = "cml.weight_scales";
/// Attribute of `nn.matmul`: integer weights lie between this and its negative.
pub const WEIGHT_LIMIT: &str = "cml.weight_limit";

/// Attribute of `nn.matmul`, may be absent: what is added to each column to make up for the mean error of rounding.
pub const CORRECTIONS: &str = "cml.corrections";

/// Attribute of `nn.matmul`, may be absent: the integer weights, row by row; without it they are the nearest ones.
pub const WEIGHTS: &str = "cml.weights";

/// Attribute of `nn.matmul`, may be absent: inputs that become constants, and the step of each: input, step, input, step.
pub const UNFIRED: &str = "cml.unfired";

/// All of them.
const ATTRIBUTES: [&str; 8] =
    [OFFSETS, SCALES, LEVELS, WEIGHT_SCALES, WEIGHT_LIMIT, CORRECTIONS, WEIGHTS, UNFIRED];

/// The quantizers of one `nn.matmul`: input `i` is `offsets[i] + scales[i] * a` with an integer `a` in `0..=levels`, and in its
/// place in column `j` stands `weight_scales[j] * q` with an integer `q` in `-limit..=limit`: the one given, or the one that is
/// nearest to `scales[i] * w`, `w` the float weight.
#[derive(Clone, Debug, PartialEq)]
pub struct ProductQuantizers {
    /// One, or one for each input.
    pub offsets: Vec<f64>,
    /// As many as offsets.
    pub scales: Vec<f64>,
    /// At least 1.
    pub levels: i64,
    /// One, or one for each column.
    pub weight_scales: Vec<f64>,
    /// At least 1.
    pub weight_limit: i64,
    /// One for each column, or none at all.
    pub corrections: Vec<f64>,
    /// Integer weights as in [`Weights::values`], or none at all.
    pub integers: Vec<i64>,
    /// Inputs that stay on one step, and which; ascending.
    pub unfired: Vec<(usize, i64)>,
}

/// How much is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// Quantizers reach from the smallest to the largest value.
    Fast,
    /// A search over scales and sums.
    Normal,
    /// Weights are refitted and rounded by the error of their sums; in a chain integer weights are searched as well.
    Thorough,
}

/// The constant weights of a product.
pub struct Weights {
    /// As in the IR: `[inputs, columns]`, or `[inputs]`.
    pub shape: Vec<u64>,
    /// Row-major.
    pub values: Vec<f32>,
}

impl Weights {
    /// The right operand of `nn.matmul`.
    ///
    /// # Errors
    /// [`PassError::Model`] if it is not a constant matrix or vector.
    pub fn of(product: OperationRef<'_, '_>) -> Result<Self, PassError> {
        let weights = operand(product, 1)?;
        let Some((shape, values)) = constant_floats(weights) else {
            let source = defining_op(weights)
                .map_or("an input of the network".to_owned(), |op| format!("the result of {}", op_name(op)));
            let message = format!(
                "expected constant weights as right operand, found {source}; a product of two \
                 encrypted tensors, or of a constant on the left, is not supported"
            );
            return Err(model_error(product, message));
        };
        if !matches!(shape.len(), 1 | 2) {
            let message = format!("expected weights that are a matrix or a vector, found shape {shape:?}");
            return Err(model_error(product, message));
        }
        Ok(Self { shape, values })
    }

    /// How many inputs are multiplied.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.shape[0] as usize
    }

    /// How many sums are made of them.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.shape.get(1).map_or(1, |extent| *extent as usize)
    }

    /// See [`is_mean`].
    #[must_use]
    pub fn is_mean(&self) -> bool {
        is_mean(&self.shape, &self.values)
    }

    /// `scales[i] * w` for each weight, the scales being one for all inputs, or one for each.
    ///
    /// # Errors
    /// [`PassError::Model`] where a product leaves f32.
    pub fn scaled(&self, product: OperationRef<'_, '_>, scales: &[f64]) -> Result<Vec<f32>, PassError> {
        let columns = self.columns();
        let scale = |at: usize| scales[if scales.len() == 1 { 0 } else { at / columns }];
        let scaled: Vec<f32> = self
            .values
            .iter()
            .enumerate()
            .map(|(at, weight)| (f64::from(*weight) * scale(at) + 0.0) as f32)
            .collect();
        match scaled.iter().position(|value| !value.is_finite()) {
            None => Ok(scaled),
            Some(at) => {
                let (weight, scale) = (self.values[at], scale(at));
                let message =
                    format!("weight {weight} times the scale {scale} of its input is no finite f32");
                Err(model_error(product, message))
            }
        }
    }
}

/// Whether weights of this shape make each sum the mean of some inputs, as pooling has it: `1/k` times each of at most `k`, and of
/// two at least in one sum. That is no neuron: there is nothing to prune, and integers of one bit beside the sign say it exactly.
#[must_use]
pub fn is_mean(shape: &[u64], weights: &[f32]) -> bool {
    let columns = if shape.len() < 2 { 1 } else { shape[shape.len() - 1] as usize };
    let own = |column: usize| weights.iter().skip(column).step_by(columns).filter(|weight| **weight != 0.0);
    let mean = |column: usize| {
        let of = own(column).next().map_or(0.0, |weight| weight.recip().round());
        of >= 2.0 && own(column).count() as f32 <= of && own(column).all(|weight| *weight == 1.0 / of)
    };
    shape.len() <= 2
        && columns > 0
        && (0..columns).all(mean)
        && (0..columns).any(|column| own(column).count() > 1)
}

impl ProductQuantizers {
    /// Writes them as attributes.
    pub fn write<'c>(&self, context: &'c Context, product: OperationRef<'c, '_>) {
        let make = Make(context);
        set_attribute(product, OFFSETS, make.f64_array(&self.offsets));
        set_attribute(product, SCALES, make.f64_array(&self.scales));
        set_attribute(product, LEVELS, make.i64(self.levels));
        set_attribute(product, WEIGHT_SCALES, make.f64_array(&self.weight_scales));
        set_attribute(product, WEIGHT_LIMIT, make.i64(self.weight_limit));
        if self.corrections.is_empty() {
            remove_attribute(product, CORRECTIONS);
        } else {
            set_attribute(product, CORRECTIONS, make.f64_array(&self.corrections));
        }
        if self.integers.is_empty() {
            remove_attribute(product, WEIGHTS);
        } else {
            set_attribute(product, WEIGHTS, make.i64_array(&self.integers));
        }
        if self.unfired.is_empty() {
            remove_attribute(product, UNFIRED);
        } else {
            let pairs = self.unfired.iter().flat_map(|(input, step)| [*input as i64, *step]);
            set_attribute(product, UNFIRED, make.i64_array(&pairs.collect::<Vec<_>>()));
        }
    }

    /// Reads what [`Self::write`] wrote, or a person; `None` if there is nothing.
    ///
    /// # Errors
    /// [`PassError`] where attributes are missing, or do not fit each other or the product.
    pub fn read(product: OperationRef<'_, '_>) -> Result<Option<Self>, PassError> {
        let attributes = Attributes(product);
        if !ATTRIBUTES.iter().any(|name| attributes.has(name)) {
            return Ok(None);
        }
        let quantizers = Self {
            offsets: attributes.f64_array(OFFSETS)?.to_vec(),
            scales: attributes.f64_array(SCALES)?.to_vec(),
            levels: attributes.i64(LEVELS)?,
            weight_scales: attributes.f64_array(WEIGHT_SCALES)?.to_vec(),
            weight_limit: attributes.i64(WEIGHT_LIMIT)?,
            corrections: match attributes.has(CORRECTIONS) {
                true => attributes.f64_array(CORRECTIONS)?.to_vec(),
                false => Vec::new(),
            },
            integers: match attributes.has(WEIGHTS) {
                true => attributes.i64_array(WEIGHTS)?.to_vec(),
                false => Vec::new(),
            },
            unfired: match attributes.has(UNFIRED) {
                true => unfired::pairs(attributes.i64_array(UNFIRED)?)
                    .ok_or_else(|| expected(product, &format!("`{UNFIRED}` of inputs and steps")))?,
                false => Vec::new(),
            },
        };
        let inputs = shape_of(product, operand(product, 0)?)?.last().map_or(1, |extent| *extent as usize);
        let weights = tensor_shape(operand(product, 1)?.r#type()).unwrap_or_default();
        quantizers.check(product, inputs, &weights)?;
        Ok(Some(quantizers))
    }

    fn check(&self, product: OperationRef<'_, '_>, inputs: usize, shape: &[u64]) -> Result<(), PassError> {
        let columns = shape.get(1).map_or(1, |extent| *extent as usize);
        let weights = shape.iter().product::<u64>() as usize;
        let one_or = |found: usize, count: usize| found == 1 || found == count;
        let divides = |scale: f64| (scale as f32) > 0.0 && (1.0 / scale as f32).is_finite();
        let faults = [
            (!one_or(self.offsets.len(), inputs), format!("`{OFFSETS}` with 1 or {inputs} elements")),
            (
                self.scales.len() != self.offsets.len(),
                format!("`{SCALES}` with as many elements as `{OFFSETS}`"),
            ),
            (!self.offsets.iter().all(|offset| (*offset as f32).is_finite()), format!("finite `{OFFSETS}`")),
            (
                !self.scales.iter().all(|scale| *scale == 0.0 || (divides(*scale) && scale.is_finite())),
                format!("`{SCALES}` that are 0 or can be inverted in f32"),
            ),
            (!(1..=MAX_STEP).contains(&self.levels), format!("`{LEVELS}` between 1 and {MAX_STEP}")),
            (
                !one_or(self.weight_scales.len(), columns),
                format!("`{WEIGHT_SCALES}` with 1 or {columns} elements"),
            ),
            (
                !self.weight_scales.iter().all(|scale| divides(*scale) && scale.is_finite()),
                format!("positive finite `{WEIGHT_SCALES}`"),
            ),
            (
                !(1..=MAX_STEP).contains(&self.weight_limit),
                format!("`{WEIGHT_LIMIT}` between 1 and {MAX_STEP}"),
            ),
            (
                !self.corrections.is_empty() && self.corrections.len() != columns,
                format!("`{CORRECTIONS}` with {columns} elements"),
            ),
            (
                !self.corrections.iter().all(|correction| (*correction as f32).is_finite()),
                format!("finite `{CORRECTIONS}`"),
            ),
            (
                !self.integers.is_empty() && self.integers.len() != weights,
                format!("`{WEIGHTS}` with {weights} elements"),
            ),
            (
                self.integers.iter().any(|integer| integer.unsigned_abs() > self.weight_limit.unsigned_abs()),
                format!("`{WEIGHTS}` of at most {} and at least its negative", self.weight_limit),
            ),
            (
                !self.unfired.iter().all(|(input, step)| *input < inputs && (0..=self.levels).contains(step)),
                format!("`{UNFIRED}` of inputs below {inputs} on steps up to {}", self.levels),
            ),
            (
                !self.unfired.is_sorted_by(|one, next| one.0 < next.0),
                format!("`{UNFIRED}` with ascending inputs"),
            ),
        ];
        match faults.into_iter().find(|(at_fault, _)| *at_fault) {
            Some((_, what)) => Err(expected(product, &what).into()),
            None => Ok(()),
        }
    }

    /// Removes them from a product.
    pub fn erase(product: OperationRef<'_, '_>) {
        for name in ATTRIBUTES {
            remove_attribute(product, name);
        }
    }

    /// Where the steps of an input lie.
    #[must_use]
    pub fn grid(&self, input: usize) -> Grid {
        let at = if self.offsets.len() == 1 { 0 } else { input };
        // The quantizer subtracts in f32.
        Grid { offset: f64::from(self.offsets[at] as f32), scale: self.scales[at] }
    }

    /// What is added to each column: what its inputs' offsets amount to, and the correction.
    #[must_use]
    pub fn constants(&self, weights: &Weights) -> Vec<f32> {
        let columns = weights.columns();
        let constant = |column: usize| {
            let term =
                |input: usize| self.grid(input).offset * f64::from(weights.values[input * columns + column]);
            let offsets: f64 = (0..weights.inputs()).map(term).sum();
            (offsets + self.corrections.get(column).copied().unwrap_or(0.0)) as f32
        };
        (0..columns).map(constant).collect()
    }

    /// Weights for inputs in steps, which become the integer weights when they are rounded to multiples of the scales.
    ///
    /// # Errors
    /// [`PassError::Model`] where one leaves f32.
    pub fn rounded_from(
        &self,
        product: OperationRef<'_, '_>,
        weights: &Weights,
    ) -> Result<Vec<f32>, PassError> {
        if self.integers.is_empty() {
            return weights.scaled(product, &self.scales);
        }
        let columns = weights.columns();
        let scale =
            |at: usize| self.weight_scales[if self.weight_scales.len() == 1 { 0 } else { at % columns }];
        Ok(self
            .integers
            .iter()
            .enumerate()
            .map(|(at, integer)| (*integer as f64 * scale(at)) as f32)
            .collect())
    }

    /// Sets the corrections so that each column keeps its mean. `means` are those of the float network's inputs, `steps` of
    /// the quantized network's steps, `scaled` the weights for inputs in steps.
    pub fn keep_means(&mut self, weights: &Weights, scaled: &[f32], (means, steps): (&[f64], &[f64])) {
        let columns = weights.columns();
        let correction = |column: usize| {
            let scale = self.weight_scales[if self.weight_scales.len() == 1 { 0 } else { column }];
            let term = |input: usize| {
                let at = input * columns + column;
                let float = (means[input] - self.grid(input).offset) * f64::from(weights.values[at]);
                let integer = match self.integers.get(at) {
                    Some(integer) => *integer as f64,
                    None => weights::step(f64::from(scaled[at]), scale, self.weight_limit),
                };
                float - steps[input] * scale * integer
            };
            (0..weights.inputs()).map(term).sum()
        };
        self.corrections = (0..columns).map(correction).collect();
    }
}

/// Steps and integer weights have at most 16 bits.
const MAX_STEP: i64 = (1 << 16) - 1;

/// Whether a value comes out of a quantizer, moved at most: the network brought it.
#[must_use]
pub fn is_quantized(value: Value<'_, '_>) -> bool {
    defining_op(value).is_some_and(|op| {
        op_name(op) == "nn.fake_quantize"
            || (is_movement(op) && !operands(op).is_empty() && operands(op).into_iter().all(is_quantized))
    })
}

/// The values, by [`key`], that a matrix product has gone into.
///
/// # Errors
/// [`IrError`] for an op without a result.
pub fn values_after_products(main: Function<'_, '_>) -> Result<BTreeSet<usize>, IrError> {
    let mut found = BTreeSet::new();
    for op in main.ops() {
        let depends = operands(op).into_iter().any(|value| found.contains(&key(value)));
        if depends || matches!(op_name(op).as_str(), "nn.matmul" | "nn.gemm") {
            found.insert(key(result(op)?));
        }
    }
    Ok(found)
}

/// Where the quantizer of a product's input is missing.
///
/// # Errors
/// [`PassError::Ir`] for an op without operands.
pub fn missing_quantizer(product: OperationRef<'_, '_>) -> Result<String, PassError> {
    let input = operand(product, 0)?;
    let source = match (defining_op(input), argument_number(input)) {
        (Some(op), _) => format!("what {} gives", describe(op)),
        (None, number) => format!("input {} of the network", number.unwrap_or_default()),
    };
    Ok(format!(
        "its input is not quantized: put a quantizer (QuantizeLinear and DequantizeLinear, or Quant) between it and {source}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantizers() -> ProductQuantizers {
        ProductQuantizers {
            offsets: vec![1.0, 0.5],
            scales: vec![0.5, 0.25],
            levels: 7,
            weight_scales: vec![0.5],
            weight_limit: 3,
            corrections: vec![],
            integers: vec![],
            unfired: vec![],
        }
    }

    #[test]
    fn means_are_told_from_neurons() {
        let is_mean = |shape: [u64; 2], values: &[f32]| {
            Weights { shape: shape.to_vec(), values: values.to_vec() }.is_mean()
        };
        assert!(is_mean([4, 2], &[0.5, 0.0, 0.5, 0.0, 0.0, 0.5, 0.0, 0.5]));
        // At a border zeros may count, or not.
        assert!(is_mean([3, 2], &[1.0 / 3.0, 0.0, 1.0 / 3.0, 0.5, 0.0, 0.5]));
        assert!(!is_mean([2, 2], &[0.5, 0.5, 0.5, -0.5]));
        assert!(!is_mean([2, 2], &[1.0, 0.0, 0.0, 1.0]));
        assert!(!is_mean([3, 1], &[0.5, 0.5, 0.5]));
        assert!(!is_mean([2, 2], &[0.5, 0.0, 0.5, 0.0]));
        assert!(!is_mean([2, 1], &[0.5, 0.25]));
        // One weight alone is a factor.
        assert!(!is_mean([2, 2], &[0.5, 0.0, 0.0, 0.5]));
    }

    #[test]
    fn offsets_are_summed_for_each_column() {
        let weights = Weights { shape: vec![2, 3], values: vec![1.0, 2.0, 3.0, 10.0, 20.0, 30.0] };
        assert_eq!(quantizers().constants(&weights), [6.0, 12.0, 18.0]);
        let one = ProductQuantizers { offsets: vec![1.0], scales: vec![1.0], ..quantizers() };
        assert_eq!(one.constants(&weights), [11.0, 22.0, 33.0]);
    }

    #[test]
    fn corrected_columns_keep_their_mean() {
        let weights = Weights { shape: vec![2], values: vec![1.1, -3.0] };
        let scaled = [0.55, -0.75];
        let (means, steps) = ([3.2, 0.9], [4.0, 2.0]);
        let mut quantizers = quantizers();
        quantizers.keep_means(&weights, &scaled, (&means, &steps));
        let quantized = 4.0 * 0.5 - 2.0 * 1.0 + f64::from(quantizers.constants(&weights)[0]);
        assert!((quantized - (3.2 * f64::from(1.1f32) - 0.9 * 3.0)).abs() < 1e-6, "{quantized}");
    }
}
