//! The matrix products that are to be quantized.

use super::{Weights, is_quantized, missing_quantizer, values_after_products};
use crate::framework::{PassError, model_error};
use cml_dialects::ir::{Function, key, op_name, operand, operands, result};
use melior::ir::{OperationRef, Value};
use std::collections::BTreeSet;

/// A product that is to be quantized.
pub struct Product<'c, 'a> {
    /// The `nn.matmul`.
    pub op: OperationRef<'c, 'a>,
    /// Its left operand.
    pub input: Value<'c, 'a>,
    /// Its right operand.
    pub weights: Weights,
    /// Whether no earlier product goes into the input.
    pub is_first: bool,
    /// Whether a later product reads what becomes of the sums: then there is a lookup in between. Other sums are decrypted.
    pub is_read: bool,
}

impl Product<'_, '_> {
    /// Whether a bound of accumulators is for its sums. Those of equal weights are as narrow as they can be.
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        self.is_read && !self.weights.is_mean()
    }
}

/// The products of a float network whose input does not come out of a quantizer of its own, in order.
///
/// # Errors
/// [`PassError`] for a product that cannot be calibrated.
pub fn products<'c, 'a>(main: Function<'c, 'a>) -> Result<Vec<Product<'c, 'a>>, PassError> {
    let hidden = values_after_products(main)?;
    let read = values_before_products(main)?;
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
                is_read: read.contains(&key(result(op)?)),
            });
        }
    }
    Ok(products)
}

/// The values, by [`key`], that go into a matrix product sooner or later.
///
/// # Errors
/// [`PassError`] for an op without a result.
pub fn values_before_products(main: Function<'_, '_>) -> Result<BTreeSet<usize>, PassError> {
    let mut found = BTreeSet::new();
    for op in main.ops().into_iter().rev() {
        if op_name(op) == "nn.matmul" || found.contains(&key(result(op)?)) {
            found.extend(operands(op).into_iter().map(key));
        }
    }
    Ok(found)
}
