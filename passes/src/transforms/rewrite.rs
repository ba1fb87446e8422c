//! Building ops in front of one that they replace.

use cml_dialects::ir::{IrError, Make, NewOp, block_ops, expected, f32_tensor, key, operands, result};
use melior::ir::operation::OperationLike;
use melior::ir::{BlockLike, BlockRef, OperationRef, Value};
use melior::{Context, IrRewriter};

/// An op that is to be replaced by others; they get its location.
#[derive(Clone, Copy)]
pub(crate) struct Replacement<'c, 'a> {
    context: &'c Context,
    op: OperationRef<'c, 'a>,
    block: BlockRef<'c, 'a>,
}

impl<'c, 'a> Replacement<'c, 'a> {
    /// Nothing is built yet.
    ///
    /// # Errors
    /// [`IrError::Expected`] for an op outside of any block.
    pub(crate) fn of(context: &'c Context, op: OperationRef<'c, 'a>) -> Result<Self, IrError> {
        let block = op.block().ok_or_else(|| expected(op, "to be inside of a block"))?;
        Ok(Self { context, op, block })
    }

    /// An op at the location of the replaced one, to be given operands, attributes and a result.
    pub(crate) fn new_op(&self, name: &'static str) -> NewOp<'c, 'a> {
        NewOp::new(name, self.op.location())
    }

    /// Puts an op in front of the replaced one and gives its result.
    ///
    /// # Errors
    /// [`IrError::Build`]
    pub(crate) fn insert(&self, op: NewOp<'c, 'a>) -> Result<Value<'c, 'a>, IrError> {
        result(self.block.insert_operation_before(self.op, op.build(self.context)?))
    }

    /// Puts an `nn.constant` in front of the replaced op.
    ///
    /// # Errors
    /// [`IrError::Expected`] if the values do not fill the shape.
    pub(crate) fn constant(&self, shape: &[u64], values: &[f32]) -> Result<Value<'c, 'a>, IrError> {
        let elements = Make(self.context).f32_elements(shape, values);
        let elements =
            elements.ok_or_else(|| expected(self.op, &format!("{} values for {shape:?}", values.len())))?;
        let ty = f32_tensor(self.context, shape);
        self.insert(self.new_op("nn.constant").attribute("value", elements).result(ty))
    }

    /// Makes `value` the result of all uses of the op, and erases the op.
    pub(crate) fn replace_by(self, value: Value<'c, 'a>) {
        IrRewriter::from_op(self.op).as_rewriter_base().replace_op_with_values(self.op, &[value]);
    }
}

/// How many operands of later ops a value is, in its own block.
pub(crate) fn use_count(block: BlockRef<'_, '_>, value: Value<'_, '_>) -> usize {
    let uses = |op: &OperationRef<'_, '_>| {
        operands(*op).into_iter().filter(|operand| key(*operand) == key(value)).count()
    };
    block_ops(block).iter().map(uses).sum()
}
