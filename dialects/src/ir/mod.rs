//! Reading and building IR: what every pass and interpreter needs, without panics and without MLIR's traps.

mod attributes;
mod functions;

pub use attributes::{Attributes, Make};
pub use functions::{
    Function, INPUT_NAMES, OUTPUT_NAMES, Signature, build_function, functions, module_op, replace_function,
};

use crate::ffi;
use melior::Context;
use melior::ir::attribute::Attribute;
use melior::ir::block::BlockArgument;
use melior::ir::operation::{Operation, OperationBuilder, OperationLike, OperationResult};
use melior::ir::r#type::{IntegerType, RankedTensorType};
use melior::ir::{
    Block, BlockLike, BlockRef, Identifier, Location, OperationRef, ShapedTypeLike, Type, Value, ValueLike,
};

/// Why IR could not be read or built. In a pass it becomes a diagnostic at `op`.
#[derive(Debug, thiserror::Error)]
pub enum IrError {
    /// Something that the op should have is missing or of another kind.
    #[error("{op}: expected {expected}")]
    Expected {
        /// Name of the op, with the ONNX node where known.
        op: String,
        /// What was looked for.
        expected: String,
    },
    /// MLIR refused to build an op.
    #[error("{op} could not be built: {source}")]
    Build {
        /// Name of the op.
        op: String,
        /// MLIR's reason.
        source: melior::Error,
    },
    /// A function that the pass needs is not in the module.
    #[error("module has no function @{name}")]
    NoFunction {
        /// Its symbol.
        name: String,
    },
    /// The interpreter has no meaning for this op.
    #[error("{op} cannot be interpreted here: {reason}")]
    NoMeaning {
        /// Name of the op, with the ONNX node where known.
        op: String,
        /// Why.
        reason: String,
    },
}

/// `dialect.name`.
#[must_use]
pub fn op_name(op: OperationRef<'_, '_>) -> String {
    op.name().as_string_ref().as_str().unwrap_or_default().to_owned()
}

/// The ONNX node that an op comes from; empty if unknown.
#[must_use]
pub fn node_name(op: OperationRef<'_, '_>) -> String {
    ffi::location_name(op.location()).unwrap_or_default()
}

/// For messages: the op's name, and that of its ONNX node.
#[must_use]
pub fn describe(op: OperationRef<'_, '_>) -> String {
    let node = node_name(op);
    if node.is_empty() { op_name(op) } else { format!("{} ({node})", op_name(op)) }
}

/// An [`IrError::Expected`] at `op`.
#[must_use]
pub fn expected(op: OperationRef<'_, '_>, what: &str) -> IrError {
    IrError::Expected { op: describe(op), expected: what.to_owned() }
}

/// Extents of a ranked tensor with static shape.
#[must_use]
pub fn tensor_shape(ty: Type<'_>) -> Option<Vec<u64>> {
    let tensor = RankedTensorType::try_from(ty).ok()?;
    (0..tensor.rank())
        .map(|axis| match tensor.dim_size(axis).ok()? {
            melior::ir::r#type::DimSize::Static(extent) => Some(extent),
            melior::ir::r#type::DimSize::Dynamic => None,
        })
        .collect()
}

/// Element type of a ranked tensor.
#[must_use]
pub fn tensor_element(ty: Type<'_>) -> Option<Type<'_>> {
    Some(RankedTensorType::try_from(ty).ok()?.element())
}

/// A ranked tensor.
#[must_use]
pub fn tensor_of<'c>(shape: &[u64], element: Type<'c>) -> Type<'c> {
    RankedTensorType::new(shape, element, None).into()
}

/// `tensor<...xf32>`.
#[must_use]
pub fn f32_tensor<'c>(context: &'c Context, shape: &[u64]) -> Type<'c> {
    tensor_of(shape, Type::float32(context))
}

/// `tensor<...xi64>`.
#[must_use]
pub fn i64_tensor<'c>(context: &'c Context, shape: &[u64]) -> Type<'c> {
    tensor_of(shape, IntegerType::new(context, 64).into())
}

/// Shape of a value.
///
/// # Errors
/// [`IrError::Expected`] unless it is a tensor of static shape.
pub fn shape_of(op: OperationRef<'_, '_>, value: Value<'_, '_>) -> Result<Vec<u64>, IrError> {
    tensor_shape(value.r#type()).ok_or_else(|| expected(op, "a tensor of static shape"))
}

/// The identity of a value, as a map key.
#[must_use]
pub fn key(value: Value<'_, '_>) -> usize {
    value.to_raw().ptr as usize
}

/// The op that makes a value; `None` for a block argument.
#[must_use]
pub fn defining_op<'c, 'a>(value: Value<'c, 'a>) -> Option<OperationRef<'c, 'a>> {
    OperationResult::try_from(value).ok().map(|result| result.owner())
}

/// The number of a block argument; `None` for the result of an op.
#[must_use]
pub fn argument_number(value: Value<'_, '_>) -> Option<usize> {
    BlockArgument::try_from(value).ok().map(|argument| argument.argument_number())
}

/// All operands.
#[must_use]
pub fn operands<'c, 'a>(op: OperationRef<'c, 'a>) -> Vec<Value<'c, 'a>> {
    (0..op.operand_count()).filter_map(|index| op.operand(index).ok()).collect()
}

/// One operand.
///
/// # Errors
/// [`IrError::Expected`] if there are fewer.
pub fn operand<'c, 'a>(op: OperationRef<'c, 'a>, index: usize) -> Result<Value<'c, 'a>, IrError> {
    op.operand(index).map_err(|_| expected(op, &format!("an operand {index}")))
}

/// The first result.
///
/// # Errors
/// [`IrError::Expected`] if there is none.
pub fn result<'c, 'a>(op: OperationRef<'c, 'a>) -> Result<Value<'c, 'a>, IrError> {
    op.result(0).map(Value::from).map_err(|_| expected(op, "a result"))
}

/// The ops of a block, in order, with its terminator.
#[must_use]
pub fn block_ops<'c, 'a>(block: BlockRef<'c, 'a>) -> Vec<OperationRef<'c, 'a>> {
    let mut ops = Vec::new();
    let mut next = block.first_operation();
    while let Some(op) = next {
        ops.push(op);
        next = op.next_in_block();
    }
    ops
}

/// An op under construction.
pub struct NewOp<'c, 'v> {
    name: &'static str,
    location: Location<'c>,
    operands: Vec<Value<'c, 'v>>,
    attributes: Vec<(&'static str, Attribute<'c>)>,
    results: Vec<Type<'c>>,
}

impl<'c, 'v> NewOp<'c, 'v> {
    /// `name` is `dialect.op`.
    #[must_use]
    pub fn new(name: &'static str, location: Location<'c>) -> Self {
        Self { name, location, operands: Vec::new(), attributes: Vec::new(), results: Vec::new() }
    }

    /// Appends operands, in the order of the `.td`.
    #[must_use]
    pub fn operands(mut self, values: &[Value<'c, 'v>]) -> Self {
        self.operands.extend_from_slice(values);
        self
    }

    /// Sets an attribute.
    #[must_use]
    pub fn attribute(mut self, name: &'static str, value: Attribute<'c>) -> Self {
        self.attributes.push((name, value));
        self
    }

    /// Sets an attribute, or leaves it away.
    #[must_use]
    pub fn optional(self, name: &'static str, value: Option<Attribute<'c>>) -> Self {
        match value {
            Some(value) => self.attribute(name, value),
            None => self,
        }
    }

    /// Appends a result.
    #[must_use]
    pub fn result(mut self, ty: Type<'c>) -> Self {
        self.results.push(ty);
        self
    }

    /// The op, not yet in a block.
    ///
    /// # Errors
    /// [`IrError::Build`]
    pub fn build(self, context: &'c Context) -> Result<Operation<'c>, IrError> {
        let attributes: Vec<_> =
            self.attributes.iter().map(|(name, value)| (Identifier::new(context, name), *value)).collect();
        OperationBuilder::new(self.name, self.location)
            .add_operands(&self.operands)
            .add_attributes(&attributes)
            .add_results(&self.results)
            .build()
            .map_err(|source| IrError::Build { op: self.name.to_owned(), source })
    }

    /// Appends the op to a block and gives its first result.
    ///
    /// # Errors
    /// [`IrError::Build`]
    pub fn append<'b>(self, context: &'c Context, block: &'b Block<'c>) -> Result<Value<'c, 'b>, IrError> {
        let op = block.append_operation(self.build(context)?);
        result(op)
    }
}

/// Copies an op that has no regions into another block, with other operands and the same results and attributes.
///
/// # Errors
/// [`IrError::Build`]
pub fn clone_op<'c, 'b>(
    op: OperationRef<'c, '_>,
    operands: &[Value<'c, 'b>],
    block: &'b Block<'c>,
) -> Result<Value<'c, 'b>, IrError> {
    let attributes: Vec<_> =
        (0..op.attribute_count()).filter_map(|index| op.attribute_at(index).ok()).collect();
    let results: Vec<_> = op.results().map(|result| result.r#type()).collect();
    let name = op_name(op);
    let copy = OperationBuilder::new(&name, op.location())
        .add_operands(operands)
        .add_attributes(&attributes)
        .add_results(&results)
        .build()
        .map_err(|source| IrError::Build { op: name.clone(), source })?;
    result(block.append_operation(copy))
}

/// Which value of an old block became which of a new one.
#[derive(Default)]
pub struct Mapping<'c, 'b>(std::collections::BTreeMap<usize, Value<'c, 'b>>);

impl<'c, 'b> Mapping<'c, 'b> {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self(std::collections::BTreeMap::new())
    }

    /// Remembers a pair.
    pub fn insert(&mut self, old: Value<'_, '_>, new: Value<'c, 'b>) {
        self.0.insert(key(old), new);
    }

    /// The new value, if there is one.
    #[must_use]
    pub fn find(&self, old: Value<'_, '_>) -> Option<Value<'c, 'b>> {
        self.0.get(&key(old)).copied()
    }

    /// The new value.
    ///
    /// # Errors
    /// [`IrError::Expected`] if the old one has not been mapped yet.
    pub fn get(&self, op: OperationRef<'_, '_>, old: Value<'_, '_>) -> Result<Value<'c, 'b>, IrError> {
        self.find(old).ok_or_else(|| expected(op, "operands made by earlier ops"))
    }

    /// The new operands of an op.
    ///
    /// # Errors
    /// [`IrError::Expected`] if one has not been mapped yet.
    pub fn operands(&self, op: OperationRef<'_, '_>) -> Result<Vec<Value<'c, 'b>>, IrError> {
        operands(op).into_iter().map(|old| self.get(op, old)).collect()
    }
}
