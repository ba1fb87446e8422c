//! Compute what depends on constants alone.
//!
//! Before: `%y = nn.add %c1, %c2`, both `nn.constant`
//! After:  `%y = nn.constant`                              (tested: lit-tests/passes/fold-constants.mlir)
//!
//! The kernels of the float interpreter compute the value, so it is what the network would have computed. A quantizer of a
//! constant stays, since it marks where the network becomes integer; a reshape or transpose behind it goes before it:
//!
//! Before: `%w = nn.transpose (nn.fake_quantize %c)`
//! After:  `%w = nn.fake_quantize (nn.constant)`, the constant transposed, the quantizer's axis with it
//!
//! Guarantees: no op of `nn` whose operands are all constants remains, constants and quantizers aside. Dead constants are left
//! to `canonicalize`.

use super::rewrite::Replacement;
use crate::analysis::movement::origins;
use crate::framework::{Pass, PassError, PassInfo, Preserves};
use cml_dialects::interpret::{GraphBuilder, is_movement};
use cml_dialects::ir::{
    Make, NewOp, block_ops, defining_op, functions, op_name, operand, operands, result, tensor_shape,
};
use cml_dialects::nn::{self, constant_floats, fake_quantize, interpret::quantizer};
use cml_runtime::reference::Value;
use melior::ir::operation::OperationLike;
use melior::ir::{OperationRef, ValueLike};
use melior::{Context, IrRewriter};

/// See the module's text.
pub struct FoldConstants;

impl Pass for FoldConstants {
    const INFO: PassInfo = PassInfo {
        name: "cml-fold-constants",
        summary: "Compute ops whose operands are all constants",
        description: "Float ops of `nn` on constants become constants, computed by the interpreter's own kernels; reshapes \
                      and transposes of quantized constants go before the quantizer.",
        options: &[],
        preserves: Preserves::Exactly,
    };

    fn new(_: &[&str]) -> Result<Self, String> {
        Ok(Self)
    }

    fn run<'c>(self, context: &'c Context, module: OperationRef<'c, '_>) -> Result<(), PassError> {
        for function in functions(module) {
            for op in block_ops(function.block) {
                if is_foldable(op) {
                    fold(context, op)?;
                } else if is_movement(op) && operands(op).len() == 1 {
                    move_before_quantizer(context, op)?;
                }
            }
        }
        Ok(())
    }
}

fn is_constant(op: OperationRef<'_, '_>) -> bool {
    op_name(op) == "nn.constant"
}

/// A quantizer stays: it marks where the network becomes integer.
fn is_foldable(op: OperationRef<'_, '_>) -> bool {
    let inputs = operands(op);
    op_name(op).starts_with("nn.")
        && !is_constant(op)
        && op_name(op) != "nn.fake_quantize"
        && !inputs.is_empty()
        && inputs.iter().all(|value| defining_op(*value).is_some_and(is_constant))
}

/// `move(quantize(c)) = quantize(move(c))`, where the scales still go along one axis.
fn move_before_quantizer<'c>(context: &'c Context, op: OperationRef<'c, '_>) -> Result<(), PassError> {
    let quantize = defining_op(operand(op, 0)?).filter(|producer| op_name(*producer) == "nn.fake_quantize");
    let Some(quantize) = quantize else { return Ok(()) };
    let Some((shape, values)) = constant_floats(operand(quantize, 0)?) else { return Ok(()) };
    let moved = tensor_shape(result(op)?.r#type()).unwrap_or_default();
    let origins = origins(op)?;
    let mut quantizer = quantizer(quantize)?;
    if quantizer.scales.len() > 1 {
        let channels = channels(&shape, quantizer.axis);
        let channels: Vec<u64> = origins.iter().map(|origin| channels[*origin]).collect();
        let Some(axis) = (0..moved.len() as u32).find(|axis| self::channels(&moved, *axis) == channels)
        else {
            return Ok(());
        };
        quantizer.axis = axis;
    }
    let place = Replacement::of(context, op)?;
    let values: Vec<f32> = origins.iter().map(|origin| values[*origin]).collect();
    let constant = place.constant(&moved, &values)?;
    let new = place.new_op("nn.fake_quantize").operands(&[constant]).result(constant.r#type());
    place.replace_by(place.insert(fake_quantize(Make(context), new, &quantizer))?);
    Ok(())
}

/// The index along an axis of each element, row-major.
fn channels(shape: &[u64], axis: u32) -> Vec<u64> {
    let count: u64 = shape.iter().product();
    let inner: u64 = shape.iter().skip(axis as usize + 1).product();
    let extent = shape.get(axis as usize).copied().unwrap_or(1);
    (0..count).map(|at| at / inner.max(1) % extent).collect()
}

fn fold<'c>(context: &'c Context, op: OperationRef<'c, '_>) -> Result<(), PassError> {
    let mut builder = GraphBuilder::default();
    for input in operands(op) {
        let Some(constant) = defining_op(input) else { return Ok(()) };
        let number = nn::interpret::translate(constant, "constant", &mut builder)?;
        builder.bind(input, number);
    }
    let name = op_name(op);
    let number = nn::interpret::translate(op, name.trim_start_matches("nn."), &mut builder)?;
    let values = builder.finish(vec![number], vec![String::new()]).run(&[])?;
    let ty = result(op)?.r#type();
    let shape = tensor_shape(ty).unwrap_or_default();
    let make = Make(context);
    let value = match values.first() {
        Some(Value::F32(array)) => make.f32_elements(&shape, &array.iter().copied().collect::<Vec<_>>()),
        Some(Value::I64(array)) => make.i64_elements(&shape, &array.iter().copied().collect::<Vec<_>>()),
        None => None,
    };
    let Some(value) = value else { return Ok(()) };
    let constant =
        NewOp::new("nn.constant", op.location()).attribute("value", value).result(ty).build(context)?;
    let rewriter = IrRewriter::from_op(op);
    let base = rewriter.as_rewriter_base();
    base.replace_op_with_operation(op, base.insert(constant));
    Ok(())
}
