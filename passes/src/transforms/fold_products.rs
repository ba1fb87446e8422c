//! Write matrix products with constants, one behind the other, as one.
//!
//! Before: `%p = nn.matmul %x, %a`, `%r = nn.reshape %p`, `%y = nn.matmul %r, %b`
//! After:  `%f = nn.reshape %x`, `%y = nn.matmul %f, dense<a b>`                (tested: lit-tests/passes/fold-products.mlir)
//!
//! Between two products stands a quantizer once the network is quantized, and a lookup for each element once it is encrypted:
//! after pooling, say, that is followed by a convolution or a dense layer. One product of all elements has none. It may have more
//! weights and wider sums, which make the lookups after it dearer; what that costs at three bits decides.
//! A movement that changes the order of elements, in front of a product, becomes the order of its weights.
//!
//! Guarantees: where both are constants, the second product has one row, nothing else reads what is between, and two products
//! cost no less than one, one is left. No product of one row with constant weights reads a transposition.

use super::quantization::is_mean;
use super::quantization::price::Reading;
use super::quantization::products::values_before_products;
use super::rewrite::{Replacement, use_count};
use crate::analysis::movement::origins;
use crate::framework::{Pass, PassError, PassInfo, Preserves};
use cml_dialects::interpret::is_movement;
use cml_dialects::ir::{
    Function, defining_op, f32_tensor, functions, key, op_name, operand, operands, result, shape_of,
    tensor_shape,
};
use cml_dialects::nn::constant_floats;
use melior::Context;
use melior::ir::operation::OperationLike;
use melior::ir::{OperationRef, Value, ValueLike};

/// Most elements of a matrix, 64 MiB of floats.
const MAX_MATRIX: usize = 1 << 24;

/// Inputs and weights of three bits: the largest step, and the largest integer weight.
const LEVELS: f64 = 7.0;
const LIMIT: f64 = 3.0;

/// What a weight costs, in milliseconds: a ciphertext of some 2000 words times an integer.
const WEIGHT: f64 = 0.001;

/// See the module's text.
pub struct FoldProducts;

impl Pass for FoldProducts {
    const INFO: PassInfo = PassInfo {
        name: "cml-fold-products",
        summary: "Write products with constants in a row as one",
        description: "`nn.matmul` with constant weights, of one row, whose input is another such product's result, reshaped or \
                      transposed at most, becomes one product with the product of the weights, where that costs no more once \
                      it is encrypted: a lookup for each element in between is spared. Transpositions in front of a product \
                      go into the order of its weights.",
        options: &[],
        preserves: Preserves::Within(1e-5),
    };

    fn new(_: &[&str]) -> Result<Self, String> {
        Ok(Self)
    }

    fn run<'c>(self, context: &'c Context, module: OperationRef<'c, '_>) -> Result<(), PassError> {
        for function in functions(module) {
            for op in function.ops() {
                if op_name(op) == "nn.matmul" {
                    fold(context, function, op)?;
                }
            }
        }
        Ok(())
    }
}

/// A matrix of constants, row-major.
#[derive(Clone, Debug)]
struct Matrix {
    rows: usize,
    columns: usize,
    values: Vec<f32>,
}

impl Matrix {
    /// The right operand of a product; `None` if it is no constant matrix.
    fn of(product: OperationRef<'_, '_>) -> Result<Option<Self>, PassError> {
        let found = constant_floats(operand(product, 1)?);
        Ok(found.and_then(|(shape, values)| match shape[..] {
            [rows, columns] => Some(Self { rows: rows as usize, columns: columns as usize, values }),
            _ => None,
        }))
    }

    /// What elements become whose `k`-th is `origins[k]` of `rows` results of this matrix, flat, times `next`: of all inputs, flat.
    fn then(&self, rows: usize, origins: &[usize], next: &Self) -> Self {
        let mut sums = vec![0f64; rows * self.rows * next.columns];
        for (origin, weights) in origins.iter().zip(next.values.chunks(next.columns)) {
            let (row, column) = (origin / self.columns, origin % self.columns);
            for input in 0..self.rows {
                let factor = f64::from(self.values[input * self.columns + column]);
                if factor != 0.0 {
                    let at = (row * self.rows + input) * next.columns;
                    let sums = sums[at..at + next.columns].iter_mut().zip(weights);
                    sums.for_each(|(sum, weight)| *sum += factor * f64::from(*weight));
                }
            }
        }
        let values = sums.into_iter().map(|sum| sum as f32).collect();
        Self { rows: rows * self.rows, columns: next.columns, values }
    }

    /// Of elements in their order before they were moved: the `k`-th was the `origins[k]`-th.
    fn moved(&self, origins: &[usize]) -> Self {
        let mut values = vec![0.0; self.values.len()];
        for (origin, weights) in origins.iter().zip(self.values.chunks(self.columns)) {
            values[origin * self.columns..(origin + 1) * self.columns].copy_from_slice(weights);
        }
        Self { values, ..*self }
    }

    /// Milliseconds of the products of `rows` rows at three bits, and of the lookups that read their sums, if some do.
    fn price(&self, rows: usize, is_read: bool) -> f64 {
        let is_mean = is_mean(&[self.rows as u64, self.columns as u64], &self.values);
        let column = |column: usize| {
            let own = || {
                self.values.iter().skip(column).step_by(self.columns).map(|weight| f64::from(weight.abs()))
            };
            let largest = own().fold(0.0, f64::max);
            let unit = if is_mean { largest } else { largest / LIMIT };
            let norm: f64 =
                if largest > 0.0 { own().map(|weight| (weight / unit).round()).sum() } else { 0.0 };
            let lookup = if is_read { Reading::new(1.0 + LEVELS * norm, 0.0).milliseconds } else { 0.0 };
            lookup + WEIGHT * own().filter(|weight| *weight != 0.0).count() as f64
        };
        rows as f64 * (0..self.columns).map(column).sum::<f64>()
    }
}

fn fold<'c>(
    context: &'c Context,
    function: Function<'c, '_>,
    product: OperationRef<'c, '_>,
) -> Result<(), PassError> {
    let Some(weights) = Matrix::of(product)? else { return Ok(()) };
    let mut value = operand(product, 0)?;
    let shape = shape_of(product, value)?;
    if shape.iter().product::<u64>() as usize != weights.rows || weights.columns == 0 || weights.rows == 0 {
        return Ok(());
    }
    let place = Replacement::of(context, product)?;
    let block =
        product.block().ok_or_else(|| cml_dialects::ir::expected(product, "to be inside of a block"))?;
    let is_returned =
        |value: Value<'_, '_>| function.results().into_iter().any(|result| key(result) == key(value));
    let mut alone = true;
    let mut from: Vec<usize> = (0..weights.rows).collect();
    let first = loop {
        alone = alone && use_count(block, value) == 1 && !is_returned(value);
        match defining_op(value) {
            Some(op) if is_movement(op) && operands(op).len() == 1 => {
                let origins = origins(op)?;
                from.iter_mut().for_each(|at| *at = origins[*at]);
                value = operand(op, 0)?;
            }
            op => break op.filter(|op| alone && op_name(*op) == "nn.matmul"),
        }
    };
    let folded = match first {
        Some(first) => folded(function, (first, product), &weights, &from)?,
        None => None,
    };
    let is_moved = from.iter().enumerate().any(|(at, origin)| at != *origin);
    let (input, matrix) = match folded {
        Some((input, matrix)) => (input, matrix),
        None if is_moved => (value, weights.moved(&from)),
        None => return Ok(()),
    };
    let mut extents = shape;
    if let Some(last) = extents.last_mut() {
        *last = matrix.rows as u64;
    }
    let mut flat = input;
    if tensor_shape(input.r#type()).as_ref() != Some(&extents) {
        let ty = f32_tensor(context, &extents);
        flat = place.insert(place.new_op("nn.reshape").operands(&[input]).result(ty))?;
    }
    let constant = place.constant(&[matrix.rows as u64, matrix.columns as u64], &matrix.values)?;
    let ty = result(product)?.r#type();
    let new = place.insert(place.new_op("nn.matmul").operands(&[flat, constant]).result(ty))?;
    place.replace_by(new);
    Ok(())
}

/// Two products as one, and what goes into it; `None` where that costs more.
fn folded<'c, 'a>(
    function: Function<'c, 'a>,
    (first, product): (OperationRef<'c, 'a>, OperationRef<'c, 'a>),
    weights: &Matrix,
    from: &[usize],
) -> Result<Option<(Value<'c, 'a>, Matrix)>, PassError> {
    let Some(before) = Matrix::of(first)? else { return Ok(None) };
    let input = operand(first, 0)?;
    let elements = shape_of(first, input)?.iter().product::<u64>() as usize;
    let rows = elements.checked_div(before.rows).unwrap_or(0);
    if rows * before.columns != from.len() || elements.saturating_mul(weights.columns) > MAX_MATRIX {
        return Ok(None);
    }
    let both = before.then(rows, from, weights);
    let is_read = values_before_products(function)?.contains(&key(result(product)?));
    let is_finite = both.values.iter().all(|value| value.is_finite());
    let apart = before.price(rows, true) + weights.price(1, is_read);
    Ok((is_finite && both.price(1, is_read) <= apart).then_some((input, both)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn times(inputs: &[f32], matrix: &Matrix) -> Vec<f32> {
        let row = |row: &[f32]| -> Vec<f32> {
            let sum = |column: usize| {
                let weights = matrix.values.iter().skip(column).step_by(matrix.columns);
                row.iter().zip(weights).map(|(input, weight)| input * weight).sum()
            };
            (0..matrix.columns).map(sum).collect()
        };
        inputs.chunks(matrix.rows).flat_map(row).collect()
    }

    fn matrix(rows: usize, columns: usize, numbers: &[f32]) -> Matrix {
        Matrix { rows, columns, values: (0..rows * columns).map(|at| numbers[at % numbers.len()]).collect() }
    }

    proptest! {
        #[test]
        fn one_product_is_the_two(
            (rows, inputs, between, outputs) in (1usize..4, 1usize..5, 1usize..5, 1usize..4),
            numbers in prop::collection::vec(-2f32..2.0, 17),
            order in prop::collection::vec(any::<u32>(), 16),
        ) {
            let first = matrix(inputs, between, &numbers);
            let next = matrix(rows * between, outputs, &numbers[3..]);
            let mut origins: Vec<usize> = (0..rows * between).collect();
            origins.sort_by_key(|at| order[*at]);
            let input: Vec<f32> = (0..rows * inputs).map(|at| numbers[(at * 5 + 1) % 17]).collect();
            let sums = times(&input, &first);
            let moved: Vec<f32> = origins.iter().map(|origin| sums[*origin]).collect();
            let wanted = times(&moved, &next);
            let found = times(&input, &first.then(rows, &origins, &next));
            for (found, wanted) in found.iter().zip(&wanted) {
                prop_assert!((found - wanted).abs() < 1e-3, "{} {}", found, wanted);
            }
            let ordered = times(&sums, &next.moved(&origins));
            for (found, wanted) in ordered.iter().zip(&wanted) {
                prop_assert!((found - wanted).abs() < 1e-3, "{} {}", found, wanted);
            }
        }
    }

    #[test]
    fn a_mean_is_the_cheapest_sum() {
        let mean = matrix(4, 1, &[0.25]);
        let weights = matrix(4, 1, &[0.25, 0.5, 0.25, 0.75]);
        assert!(mean.price(1, true) < weights.price(1, true));
        assert!(mean.price(1, false) < 0.01);
    }
}
