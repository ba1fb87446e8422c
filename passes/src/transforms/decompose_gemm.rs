//! Write Gemm with constant weights as matrix product and bias.
//!
//! Before: `%y = nn.gemm %a, %b, %c alpha 2.0 beta 0.5 transpose_b`, `%b` and `%c` constant
//! After:  `%p = nn.matmul %a, %w`, `%y = nn.add %p, %d`, `w = 2 b^T`, `d = c / 2`
//!                                                                  (tested: lit-tests/passes/decompose-gemm.mlir)
//!
//! A B that is a quantizer of a constant stays one: the constant is transposed, and `alpha` multiplies the product.
//! Guarantees: no `nn.gemm` with a constant B remains, and the weights that come of one are a constant of shape [K, N].

use super::rewrite::Replacement;
use crate::framework::{Pass, PassError, PassInfo, Preserves};
use cml_dialects::ir::{
    Attributes, Make, defining_op, f32_tensor, functions, op_name, operand, result, tensor_shape,
};
use cml_dialects::nn::{constant_floats, fake_quantize, interpret::quantizer};
use melior::Context;
use melior::ir::operation::OperationLike;
use melior::ir::{OperationRef, Value, ValueLike};

/// See the module's text.
pub struct DecomposeGemm;

impl Pass for DecomposeGemm {
    const INFO: PassInfo = PassInfo {
        name: "cml-decompose-gemm",
        summary: "Write Gemm as matrix product and addition",
        description: "`nn.gemm` with a constant B becomes `nn.matmul` with constant weights of shape [K, N], into which \
                      `alpha` and the transpose went, and `nn.add` of `beta * C`.",
        options: &[],
        preserves: Preserves::Within(1e-5),
    };

    fn new(_: &[&str]) -> Result<Self, String> {
        Ok(Self)
    }

    fn run<'c>(self, context: &'c Context, module: OperationRef<'c, '_>) -> Result<(), PassError> {
        for function in functions(module) {
            for op in function.ops() {
                if op_name(op) == "nn.gemm" {
                    decompose(context, op)?;
                }
            }
        }
        Ok(())
    }
}

fn decompose<'c>(context: &'c Context, op: OperationRef<'c, '_>) -> Result<(), PassError> {
    let attributes = Attributes(op);
    let b = operand(op, 1)?;
    let quantize = defining_op(b).filter(|producer| op_name(*producer) == "nn.fake_quantize");
    let stored = quantize.map_or(Ok(b), |quantize| operand(quantize, 0))?;
    let Some((shape, values)) = constant_floats(stored) else { return Ok(()) };
    let [rows, columns] = shape[..] else { return Ok(()) };
    let place = Replacement::of(context, op)?;
    let alpha = attributes.f64("alpha")?;
    let (weights, shape) = if attributes.has("transpose_b") {
        (transposed(&values, rows as usize, columns as usize), [columns, rows])
    } else {
        (values, [rows, columns])
    };
    let weights = match quantize {
        None => place.constant(&shape, &scaled(&weights, alpha))?,
        Some(op) => requantized(context, place, op, (&shape, &weights), attributes.has("transpose_b"))?,
    };
    let input = if attributes.has("transpose_a") {
        transpose(context, place, operand(op, 0)?)?
    } else {
        operand(op, 0)?
    };
    let ty = result(op)?.r#type();
    let mut product = place.insert(place.new_op("nn.matmul").operands(&[input, weights]).result(ty))?;
    if quantize.is_some() {
        // Inside of the weights it would change which of them are integers.
        product = times(place, product, alpha)?;
    }
    let value = match op.operand(2) {
        Err(_) => product,
        Ok(bias) => {
            let bias = times(place, bias, attributes.f64("beta")?)?;
            place.insert(place.new_op("nn.add").operands(&[product, bias]).result(ty))?
        }
    };
    place.replace_by(value);
    Ok(())
}

/// The quantizer of a B on a constant that is transposed or not.
fn requantized<'c, 'a>(
    context: &'c Context,
    place: Replacement<'c, 'a>,
    quantize: OperationRef<'c, 'a>,
    (shape, weights): (&[u64], &[f32]),
    is_transposed: bool,
) -> Result<Value<'c, 'a>, PassError> {
    let mut quantizer = quantizer(quantize)?;
    if is_transposed && quantizer.scales.len() > 1 {
        quantizer.axis = 1 - quantizer.axis.min(1);
    }
    let weights = place.constant(shape, weights)?;
    let new = place.new_op("nn.fake_quantize").operands(&[weights]).result(weights.r#type());
    Ok(place.insert(fake_quantize(Make(context), new, &quantizer))?)
}

fn scaled(values: &[f32], factor: f64) -> Vec<f32> {
    values.iter().map(|value| (f64::from(*value) * factor) as f32).collect()
}

fn transposed(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..rows * columns).map(|at| values[at % rows * columns + at / rows]).collect()
}

fn transpose<'c, 'a>(
    context: &'c Context,
    place: Replacement<'c, 'a>,
    matrix: Value<'c, 'a>,
) -> Result<Value<'c, 'a>, PassError> {
    let mut shape = tensor_shape(matrix.r#type()).unwrap_or_default();
    shape.reverse();
    let op = place
        .new_op("nn.transpose")
        .operands(&[matrix])
        .attribute("permutation", Make(context).i64_array(&[1, 0]))
        .result(f32_tensor(context, &shape));
    Ok(place.insert(op)?)
}

/// `factor * value`, computed here if the value is constant.
fn times<'c, 'a>(
    place: Replacement<'c, 'a>,
    value: Value<'c, 'a>,
    factor: f64,
) -> Result<Value<'c, 'a>, PassError> {
    if factor == 1.0 {
        return Ok(value);
    }
    if let Some((shape, values)) = constant_floats(value) {
        return Ok(place.constant(&shape, &scaled(&values, factor))?);
    }
    let factor = place.constant(&[], &[factor as f32])?;
    let ty = value.r#type();
    Ok(place.insert(place.new_op("nn.mul").operands(&[value, factor]).result(ty))?)
}

#[cfg(test)]
mod tests {
    use super::transposed;

    #[test]
    fn a_transposed_matrix_has_its_rows_as_columns() {
        assert_eq!(transposed(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2, 3), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    }
}
