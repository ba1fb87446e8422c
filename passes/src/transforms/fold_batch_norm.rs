//! Make batch normalization a part of the layer before it.
//!
//! With constant statistics it is `x * m + b` for each channel, `m = scale / sqrt(variance + epsilon)` and
//! `b = bias - mean * m`. After a matrix product with constant weights that nobody else reads, `m` and `b` move into weights
//! and bias; anywhere else a multiplication and an addition remain.
//!
//! Before: `%y = nn.matmul %x, %w`, `%z = nn.batch_normalization %y, ...`
//! After:  `%y = nn.matmul %x, %w'`, `%z = nn.add %y, %b`           (tested: lit-tests/passes/fold-batch-norm.mlir)
//!
//! Guarantees: no `nn.batch_normalization` with constant statistics remains, but for those whose factors are not finite.

use super::rewrite::{Replacement, use_count};
use crate::framework::{Pass, PassError, PassInfo, Preserves};
use cml_dialects::ir::{
    Attributes, Function, Make, defining_op, functions, op_name, operand, operands, result, shape_of,
    tensor_shape,
};
use cml_dialects::nn::constant_floats;
use melior::ir::operation::OperationLike;
use melior::ir::{OperationRef, Value, ValueLike};
use melior::{Context, IrRewriter};
use ndarray::{ArrayViewD, IxDyn};

/// See the module's text.
pub struct FoldBatchNorm;

impl Pass for FoldBatchNorm {
    const INFO: PassInfo = PassInfo {
        name: "cml-fold-batch-norm",
        summary: "Fold batch normalization into weights and bias",
        description: "Batch normalization with constant statistics after a matrix product with constant weights (and a \
                      constant bias) becomes part of both; elsewhere it becomes `nn.mul` and `nn.add`.",
        options: &[],
        preserves: Preserves::Within(1e-5),
    };

    fn new(_: &[&str]) -> Result<Self, String> {
        Ok(Self)
    }

    fn run<'c>(self, context: &'c Context, module: OperationRef<'c, '_>) -> Result<(), PassError> {
        for function in functions(module) {
            for op in function.ops() {
                if op_name(op) == "nn.batch_normalization" {
                    fold(context, function, op)?;
                }
            }
        }
        Ok(())
    }
}

/// `x * factors[c] + shifts[c]` on channel `c`.
struct Affine {
    factors: Vec<f64>,
    shifts: Vec<f64>,
}

impl Affine {
    /// `None` if a statistic is not constant, or a factor not finite.
    fn of(op: OperationRef<'_, '_>) -> Result<Option<Self>, PassError> {
        let epsilon = f64::from(Attributes(op).f64("epsilon")? as f32);
        let statistics: Option<Vec<Vec<f32>>> =
            operands(op).into_iter().skip(1).map(|value| constant_floats(value).map(|(_, v)| v)).collect();
        let Some([scale, bias, mean, variance]) = statistics.as_deref() else { return Ok(None) };
        let channels = shape_of(op, operand(op, 0)?)?.get(1).copied().unwrap_or(0) as usize;
        if [scale, bias, mean, variance].iter().any(|values| values.len() != channels) {
            return Ok(None);
        }
        let factor = |c: usize| f64::from(scale[c]) / (f64::from(variance[c]) + epsilon).sqrt();
        let factors: Vec<f64> = (0..channels).map(factor).collect();
        let shifts: Vec<f64> =
            (0..channels).map(|c| f64::from(bias[c]) - f64::from(mean[c]) * factors[c]).collect();
        let finite = factors.iter().chain(&shifts).all(|value| (*value as f32).is_finite());
        Ok(finite.then_some(Self { factors, shifts }))
    }

    /// Applies it to a bias whose last axis is the channel.
    fn of_bias(&self, bias: &[f32], beta: f64) -> Vec<f32> {
        let channel = |at: usize| at % self.factors.len();
        let shifted = bias.iter().enumerate().map(|(at, value)| {
            (beta * f64::from(*value) * self.factors[channel(at)] + self.shifts[channel(at)]) as f32
        });
        shifted.collect()
    }
}

fn fold<'c>(
    context: &'c Context,
    function: Function<'c, '_>,
    op: OperationRef<'c, '_>,
) -> Result<(), PassError> {
    let Some(affine) = Affine::of(op)? else { return Ok(()) };
    let input = operand(op, 0)?;
    let only_use = |value| use_count(function.block, value) == 1;
    // The channel is axis 1, which is the column of a product only where that has two axes.
    let layer = (shape_of(op, input)?.len() == 2 && only_use(input)).then(|| defining_op(input)).flatten();
    let place = Replacement::of(context, op)?;
    let mut dead = Vec::new();
    let folded = match layer.map(|layer| (op_name(layer), layer)) {
        Some((name, layer)) if name == "nn.gemm" => {
            dead.push(layer);
            fold_into_gemm(context, place, layer, &affine)?
        }
        Some((name, layer)) if name == "nn.matmul" => {
            dead.push(layer);
            fold_into_product(place, layer, &affine, None)?
        }
        Some((name, add)) if name == "nn.add" => match biased_product(add)? {
            Some((product, bias)) if only_use(result(product)?) => {
                dead.extend([add, product]);
                fold_into_product(place, product, &affine, Some(bias))?
            }
            _ => None,
        },
        _ => None,
    };
    match folded {
        Some(value) => {
            place.replace_by(value);
            for op in dead {
                IrRewriter::from_op(op).as_rewriter_base().erase_op(op);
            }
        }
        None => place.replace_by(multiply_and_add(place, input, &affine)?),
    }
    Ok(())
}

/// The product and the constant bias of an addition.
type Biased<'c, 'a> = (OperationRef<'c, 'a>, Value<'c, 'a>);

fn biased_product<'c, 'a>(add: OperationRef<'c, 'a>) -> Result<Option<Biased<'c, 'a>>, PassError> {
    let (left, right) = (operand(add, 0)?, operand(add, 1)?);
    let sides = [(left, right), (right, left)];
    Ok(sides.into_iter().find_map(|(side, bias)| {
        let product = defining_op(side).filter(|op| op_name(*op) == "nn.matmul")?;
        constant_floats(bias).map(|_| (product, bias))
    }))
}

/// `(x W + c) m + b = x (W m) + (c m + b)`
fn fold_into_product<'c, 'a>(
    place: Replacement<'c, 'a>,
    product: OperationRef<'c, 'a>,
    affine: &Affine,
    bias: Option<Value<'c, 'a>>,
) -> Result<Option<Value<'c, 'a>>, PassError> {
    let Some((shape, weights)) = constant_floats(operand(product, 1)?) else { return Ok(None) };
    let output = shape_of(product, result(product)?)?;
    let Some(bias) = bias_values(bias, &output) else { return Ok(None) };
    if shape.len() != 2 || output.len() != 2 {
        return Ok(None);
    }
    let columns = affine.factors.len();
    let scaled = scale(&weights, |at| affine.factors[at % columns]);
    let weights = place.constant(&shape, &scaled)?;
    let ty = result(product)?.r#type();
    let sum =
        place.insert(place.new_op("nn.matmul").operands(&[operand(product, 0)?, weights]).result(ty))?;
    let bias = place.constant(&bias_shape(&output), &affine.of_bias(&bias, 1.0))?;
    Ok(Some(place.insert(place.new_op("nn.add").operands(&[sum, bias]).result(ty))?))
}

/// `(alpha A B + beta C) m + b = alpha A (B m) + (beta C m + b)`
fn fold_into_gemm<'c, 'a>(
    context: &'c Context,
    place: Replacement<'c, 'a>,
    gemm: OperationRef<'c, 'a>,
    affine: &Affine,
) -> Result<Option<Value<'c, 'a>>, PassError> {
    let attributes = Attributes(gemm);
    let Some((shape, weights)) = constant_floats(operand(gemm, 1)?) else { return Ok(None) };
    let output = shape_of(gemm, result(gemm)?)?;
    let Some(bias) = bias_values(gemm.operand(2).ok(), &output) else { return Ok(None) };
    let (columns, inner) = (affine.factors.len(), shape.last().copied().unwrap_or(1) as usize);
    let transposed = attributes.has("transpose_b");
    let scaled = scale(&weights, |at| affine.factors[if transposed { at / inner } else { at % columns }]);
    let weights = place.constant(&shape, &scaled)?;
    let bias = place.constant(&bias_shape(&output), &affine.of_bias(&bias, attributes.f64("beta")?))?;
    let flag = |name: &str| attributes.has(name).then(|| Make(context).unit());
    let op = place
        .new_op("nn.gemm")
        .operands(&[operand(gemm, 0)?, weights, bias])
        .attribute("alpha", attributes.get("alpha")?)
        .attribute("beta", Make(context).f32(1.0))
        .optional("transpose_a", flag("transpose_a"))
        .optional("transpose_b", flag("transpose_b"))
        .result(result(gemm)?.r#type());
    Ok(Some(place.insert(op)?))
}

/// `x m + b`, where there is nothing to fold into.
fn multiply_and_add<'c, 'a>(
    place: Replacement<'c, 'a>,
    input: Value<'c, 'a>,
    affine: &Affine,
) -> Result<Value<'c, 'a>, PassError> {
    let inner = tensor_shape(input.r#type()).map_or(0, |shape| shape.len().saturating_sub(2));
    let shape = [vec![affine.factors.len() as u64], vec![1; inner]].concat();
    let floats = |values: &[f64]| values.iter().map(|value| *value as f32).collect::<Vec<_>>();
    let factors = place.constant(&shape, &floats(&affine.factors))?;
    let shifts = place.constant(&shape, &floats(&affine.shifts))?;
    let ty = input.r#type();
    let product = place.insert(place.new_op("nn.mul").operands(&[input, factors]).result(ty))?;
    Ok(place.insert(place.new_op("nn.add").operands(&[product, shifts]).result(ty))?)
}

fn scale(values: &[f32], factor: impl Fn(usize) -> f64) -> Vec<f32> {
    values.iter().enumerate().map(|(at, value)| (f64::from(*value) * factor(at)) as f32).collect()
}

/// The shape of a bias for a result of two axes: one row serves all.
fn bias_shape(output: &[u64]) -> Vec<u64> {
    if output[0] == 1 { output[1..].to_vec() } else { output.to_vec() }
}

/// The elements of a constant bias, broadcast to the result; zeros if there is none, `None` if it is not constant.
fn bias_values(bias: Option<Value<'_, '_>>, output: &[u64]) -> Option<Vec<f32>> {
    let target: Vec<usize> = output.iter().map(|extent| *extent as usize).collect();
    let Some(bias) = bias else { return Some(vec![0.0; target.iter().product()]) };
    let (shape, values) = constant_floats(bias)?;
    let shape: Vec<usize> = shape.iter().map(|extent| *extent as usize).collect();
    let view = ArrayViewD::from_shape(IxDyn(&shape), &values).ok()?;
    Some(view.broadcast(IxDyn(&target))?.iter().copied().collect())
}
