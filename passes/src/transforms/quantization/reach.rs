//! What the inputs of a product can be, proved: how wide its sums can become.

use super::unfired::server_copy;
use crate::analysis::ranges::{input_ranges, rows_of_all_inputs, server_ranges};
use crate::framework::PassError;
use cml_dialects::ir::{Function, expected, module_op, op_name, operand, shape_of};
use cml_dialects::qnn::SERVER;
use melior::Context;
use melior::ir::OperationRef;
use ndarray::Array2;
use std::collections::BTreeMap;

/// All inputs of the network are tried where there are at most this many of them: each is a row for each candidate.
const MOST_ROWS: u64 = 4096;

/// Most inputs that are tried for the range of each value.
const MOST_INPUTS: u64 = 65536;

/// Steps that the inputs of a product can have.
#[derive(Clone, Debug)]
pub enum Reach {
    /// Largest minus smallest step of each input.
    Widths(Vec<f64>),
    /// All that inputs can have together, a row each.
    Rows(Array2<f64>),
}

impl Reach {
    /// Of the `number`-th product of `@main`, in the network with the quantizers that stand on its products. Of a network that
    /// cannot be lowered nothing is known (it is refused where it is): each of `inputs` can be all of `levels`.
    #[must_use]
    pub fn of<'c>(
        (context, module): (&'c Context, OperationRef<'c, '_>),
        number: usize,
        (inputs, levels): (usize, i64),
    ) -> Self {
        prove(context, module, number).unwrap_or_else(|_| Self::Widths(vec![levels as f64; inputs]))
    }

    /// The same where some inputs are constants.
    #[must_use]
    pub fn without(mut self, constants: &[usize]) -> Self {
        for input in constants {
            match &mut self {
                Self::Widths(widths) => widths[*input] = 0.0,
                Self::Rows(rows) => rows.column_mut(*input).fill(0.0),
            }
        }
        self
    }

    /// How many integers a sum of these inputs with these weights can be, from the smallest to the largest.
    #[must_use]
    pub fn range(&self, inputs: &[usize], integers: &[f64]) -> f64 {
        let live = || inputs.iter().zip(integers).filter(|(_, integer)| **integer != 0.0);
        match self {
            Self::Widths(widths) => {
                1.0 + live().map(|(input, integer)| widths[*input] * integer.abs()).sum::<f64>()
            }
            Self::Rows(rows) => {
                let (mut lo, mut hi) = (f64::INFINITY, f64::NEG_INFINITY);
                for row in rows.rows() {
                    let sum: f64 = live().map(|(input, integer)| row[*input] * integer).sum();
                    (lo, hi) = (lo.min(sum), hi.max(sum));
                }
                (hi - lo).max(0.0) + 1.0
            }
        }
    }
}

fn prove<'c>(context: &'c Context, module: OperationRef<'c, '_>, number: usize) -> Result<Reach, PassError> {
    let copy = server_copy(context, module)?;
    let root = module_op(&copy);
    let server = Function::named(root, SERVER)?;
    let product = server.ops().into_iter().filter(|op| op_name(*op) == "qnn.matmul").nth(number);
    let product = product.ok_or_else(|| expected(server.op, "as many products as the float network"))?;
    let value = operand(product, 0)?;
    let ranges = input_ranges(root, &BTreeMap::new())?;
    if let Some(rows) = rows_of_all_inputs(server, &ranges, (product, value), MOST_ROWS)? {
        let inputs = rows.first().map_or(0, Vec::len);
        let rows = Array2::from_shape_fn((rows.len(), inputs), |(row, input)| rows[row][input] as f64);
        return Ok(Reach::Rows(rows));
    }
    let inputs = shape_of(product, value)?.last().map_or(1, |last| *last as usize);
    let proved = server_ranges(root, &ranges, MOST_INPUTS)?;
    let ranges = proved.of(product, value)?;
    let mut widths = vec![0.0; inputs];
    for (input, width) in widths.iter_mut().enumerate() {
        let own = || ranges.lows.iter().zip(&ranges.highs).skip(input).step_by(inputs);
        let low = own().map(|(low, _)| *low).min().unwrap_or_default();
        let high = own().map(|(_, high)| *high).max().unwrap_or_default();
        *width = (high - low) as f64;
    }
    Ok(Reach::Widths(widths))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn sums_reach_as_far_as_their_inputs() {
        let widths = Reach::Widths(vec![7.0, 3.0, 5.0]);
        assert_eq!(widths.range(&[0, 2], &[2.0, -1.0]), 20.0);
        assert_eq!(widths.without(&[0]).range(&[0, 2], &[2.0, -1.0]), 6.0);
        // Inputs that rise together: their difference hardly moves.
        let rows = Reach::Rows(array![[0.0, 0.0], [3.0, 2.0], [7.0, 7.0]]);
        assert_eq!(rows.range(&[0, 1], &[1.0, -1.0]), 2.0);
        assert_eq!(rows.range(&[0, 1], &[1.0, 1.0]), 15.0);
        assert_eq!(rows.range(&[0, 1], &[0.0, 0.0]), 1.0);
    }
}
