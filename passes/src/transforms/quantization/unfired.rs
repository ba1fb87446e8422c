//! Neurons that never fire: inputs of a hidden product that stay on one step.
//!
//! Observed ones do so on every calibration sample, proved ones on every input that the client may send. Both become constants
//! and have no lookup. For a proved one that changes nothing; an observed one may have fired on inputs beyond calibration.

use super::super::insert_quantizers::insert;
use super::super::split_client_server::SplitClientServer;
use super::{ProductQuantizers, Weights, weights};
use crate::analysis::observe::{Observed, observe};
use crate::analysis::ranges::{DeclaredRange, input_ranges, server_ranges};
use crate::conversions::nn_to_qnn::NnToQnn;
use crate::framework::{Pass, PassError};
use cml_dialects::ir::{Function, expected, module_op, op_name, operand};
use cml_dialects::nn::MAIN;
use cml_dialects::qnn::SERVER;
use cml_runtime::reference::Value as Tensor;
use melior::Context;
use melior::ir::{Module, Operation, OperationRef};
use std::collections::BTreeMap;

/// Attribute of an `nn.fake_quantize` and a `qnn.quantize`: channels that are constants because calibration saw them on one step
/// only.
pub const OBSERVED: &str = "cml.observed";

/// What [`super::UNFIRED`] says; `None` where it is no list of pairs.
#[must_use]
pub fn pairs(numbers: &[i64]) -> Option<Vec<(usize, i64)>> {
    let pairs = numbers.chunks(2).map(|pair| match pair {
        [input, step] => Some((usize::try_from(*input).ok()?, *step)),
        _ => None,
    });
    pairs.collect()
}

/// Gives the inputs of scale 0 the widest steps of the others, so that they may fire. Integer weights that are given are extended
/// to them, column by column as far as their magnitudes sum to `most` at most.
///
/// # Errors
/// [`PassError::Model`] where a scaled weight leaves f32.
pub fn let_fire(
    quantizers: &mut ProductQuantizers,
    product: OperationRef<'_, '_>,
    float: &Weights,
    most: Option<i64>,
) -> Result<(), PassError> {
    let widest = quantizers.scales.iter().copied().fold(0.0, f64::max);
    let fixed: Vec<usize> = (0..quantizers.scales.len()).filter(|at| quantizers.scales[*at] == 0.0).collect();
    if widest == 0.0 || fixed.is_empty() {
        return Ok(());
    }
    fixed.iter().for_each(|input| quantizers.scales[*input] = widest);
    if quantizers.integers.is_empty() {
        return Ok(());
    }
    let columns = float.columns();
    let scaled = float.scaled(product, &quantizers.scales)?;
    for column in 0..columns {
        let scale = quantizers.weight_scales[column % quantizers.weight_scales.len()];
        let own = quantizers.integers.iter().skip(column).step_by(columns);
        let mut sum: i64 = own.map(|integer| integer.abs()).sum();
        for input in &fixed {
            let at = input * columns + column;
            let integer = weights::step(f64::from(scaled[at]), scale, quantizers.weight_limit) as i64;
            if most.is_none_or(|most| sum + integer.abs() <= most) {
                quantizers.integers[at] = integer;
                sum += integer.abs();
            }
        }
    }
    Ok(())
}

/// For each product of `@main` the inputs that are on one step on all samples, in the network with its quantizers.
///
/// # Errors
/// [`PassError`]
pub fn constant_steps<'c>(
    context: &'c Context,
    module: OperationRef<'c, '_>,
    samples: &[Vec<Tensor>],
) -> Result<Vec<Vec<(usize, i64)>>, PassError> {
    let copy = copy_of(module)?;
    insert(context, module_op(&copy), &[])?;
    let main = Function::named(module_op(&copy), MAIN)?;
    let inputs =
        products(main).into_iter().map(|product| operand(product, 0)).collect::<Result<Vec<_>, _>>()?;
    Ok(observe(main, &inputs, samples)?.iter().map(of_features).collect())
}

/// Features that are on one step, and which.
#[must_use]
pub fn of_features(observed: &Observed) -> Vec<(usize, i64)> {
    let constant = |(feature, values): (usize, &Vec<f32>)| {
        let first = *values.first()?;
        values.iter().all(|value| *value == first).then_some((feature, first as i64))
    };
    observed.features.iter().enumerate().filter_map(constant).collect()
}

/// For each product of `@main` the inputs that are on one step whatever the client sends, if no observed one is made a constant;
/// nothing for a network that cannot be lowered: it is refused where it is.
pub fn proved<'c>(
    context: &'c Context,
    module: OperationRef<'c, '_>,
    declared: &BTreeMap<String, DeclaredRange>,
    limit: u64,
) -> Vec<Vec<usize>> {
    prove(context, module, declared, limit).unwrap_or_default()
}

fn prove<'c>(
    context: &'c Context,
    module: OperationRef<'c, '_>,
    declared: &BTreeMap<String, DeclaredRange>,
    limit: u64,
) -> Result<Vec<Vec<usize>>, PassError> {
    let copy = server_copy(context, module)?;
    let root = module_op(&copy);
    let ranges = server_ranges(root, &input_ranges(root, declared)?, limit)?;
    let server = Function::named(root, SERVER)?;
    let mut found = Vec::new();
    for op in server.ops().into_iter().filter(|op| op_name(*op) == "qnn.matmul") {
        let ranges = ranges.of(op, operand(op, 0)?)?;
        let inputs = cml_dialects::ir::shape_of(op, operand(op, 0)?)?.last().map_or(1, |last| *last as usize);
        let varies = |input: &usize| {
            let own = ranges.lows.iter().zip(&ranges.highs).skip(*input).step_by(inputs);
            own.into_iter().any(|(low, high)| low != high || *low != ranges.lows[*input])
        };
        found.push((0..inputs).filter(|input| !varies(input)).collect());
    }
    Ok(found)
}

/// The module as integers, client and server apart, with no input made constant because it was observed to be.
///
/// # Errors
/// [`PassError`] for a network that cannot be lowered.
pub fn server_copy<'c>(context: &'c Context, module: OperationRef<'c, '_>) -> Result<Module<'c>, PassError> {
    let copy = copy_of(module)?;
    let root = module_op(&copy);
    for product in products(Function::named(root, MAIN)?) {
        if let Some(quantizers) = ProductQuantizers::read(product)? {
            ProductQuantizers { unfired: Vec::new(), ..quantizers }.write(context, product);
        }
    }
    insert(context, root, &[])?;
    NnToQnn::new(&[]).map_err(|_| expected(root, "a pass without options"))?.run(context, root)?;
    SplitClientServer::new(&[]).map_err(|_| expected(root, "a pass without options"))?.run(context, root)?;
    Ok(copy)
}

/// The steps of the inputs of the `number`-th product of `@main` on all samples, in the network with its quantizers.
///
/// # Errors
/// [`PassError`]
pub fn steps_on<'c>(
    context: &'c Context,
    module: OperationRef<'c, '_>,
    number: usize,
    samples: &[Vec<Tensor>],
) -> Result<Observed, PassError> {
    let copy = copy_of(module)?;
    insert(context, module_op(&copy), &[])?;
    let main = Function::named(module_op(&copy), MAIN)?;
    let product = products(main).into_iter().nth(number);
    let product = product.ok_or_else(|| expected(main.op, "as many products as before"))?;
    let observed = observe(main, &[operand(product, 0)?], samples)?.into_iter().next();
    Ok(observed.ok_or_else(|| expected(main.op, "values of the product's input"))?)
}

/// The matrix products of a function: inserting quantizers and lowering keep their number and their order.
pub fn products<'c, 'a>(main: Function<'c, 'a>) -> Vec<OperationRef<'c, 'a>> {
    main.ops().into_iter().filter(|op| op_name(*op) == "nn.matmul").collect()
}

/// A copy of the module.
///
/// # Errors
/// [`PassError`] for what is no module.
pub fn copy_of<'c>(module: OperationRef<'c, '_>) -> Result<Module<'c>, PassError> {
    let copy = Module::from_operation(Operation::clone(&module));
    Ok(copy.ok_or_else(|| expected(module, "to be a module"))?)
}

impl ProductQuantizers {
    /// The same with constants in the place of what never fires: scale 0, and what its step adds to each column in the
    /// correction.
    ///
    /// # Errors
    /// [`PassError::Model`] where a scaled weight leaves f32.
    pub fn without_unfired(&self, product: OperationRef<'_, '_>, float: &Weights) -> Result<Self, PassError> {
        if self.unfired.is_empty() {
            return Ok(self.clone());
        }
        let (inputs, columns) = (float.inputs(), float.columns());
        let scaled = float.scaled(product, &self.scales)?;
        let each =
            |numbers: &[f64]| (0..inputs).map(|input| numbers[input % numbers.len()]).collect::<Vec<_>>();
        let mut found = Self {
            offsets: each(&self.offsets),
            scales: each(&self.scales),
            corrections: if self.corrections.is_empty() {
                vec![0.0; columns]
            } else {
                self.corrections.clone()
            },
            unfired: Vec::new(),
            ..self.clone()
        };
        for (input, step) in &self.unfired {
            found.scales[*input] = 0.0;
            for column in 0..columns {
                let at = input * columns + column;
                let scale = self.weight_scales[column % self.weight_scales.len()];
                let integer = match found.integers.get_mut(at) {
                    Some(integer) => std::mem::take(integer) as f64,
                    None => weights::step(f64::from(scaled[at]), scale, self.weight_limit),
                };
                found.corrections[column] += scale * integer * *step as f64;
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_pairs() {
        assert_eq!(pairs(&[0, 3, 5, 0]), Some(vec![(0, 3), (5, 0)]));
        assert_eq!(pairs(&[]), Some(vec![]));
        assert_eq!(pairs(&[1]), None);
        assert_eq!(pairs(&[-1, 0]), None);
    }

    #[test]
    fn a_feature_on_one_step_is_unfired() {
        let features = vec![vec![0.0; 3], vec![0.0, 1.0, 0.0], vec![7.0; 3], vec![]];
        assert_eq!(of_features(&Observed { features, not_finite: None }), [(0, 0), (2, 7)]);
    }
}
