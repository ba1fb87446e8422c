//! Compute what depends on constants alone.
//!
//! Before: `%y = nn.add %c1, %c2`, both `nn.constant`
//! After:  `%y = nn.constant`                              (tested: lit-tests/passes/fold-constants.mlir)
//!
//! The kernels of the float interpreter compute the value, so it is what the network would have computed.
//! Guarantees: no op of `nn` whose operands are all constants remains, constants aside. Dead constants are left to
//! `canonicalize`.

use crate::framework::{Pass, PassError, PassInfo, Preserves};
use cml_dialects::interpret::GraphBuilder;
use cml_dialects::ir::{
    Make, NewOp, block_ops, defining_op, functions, op_name, operands, result, tensor_shape,
};
use cml_dialects::nn;
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
        description: "Float ops of `nn` on constants become constants, computed by the interpreter's own kernels.",
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
