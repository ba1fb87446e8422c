//! Reading and building IR: what every pass and interpreter needs, without panics and without MLIR's traps.

use crate::ffi;
use melior::Context;
use melior::ir::attribute::{
    ArrayAttribute, Attribute, DenseI64ArrayAttribute, FloatAttribute, IntegerAttribute, StringAttribute,
    TypeAttribute,
};
use melior::ir::block::BlockArgument;
use melior::ir::operation::{Operation, OperationBuilder, OperationLike, OperationResult};
use melior::ir::r#type::{FunctionType, IntegerType, RankedTensorType};
use melior::ir::{
    Block, BlockLike, BlockRef, Identifier, Location, Module, OperationRef, Region, RegionLike,
    ShapedTypeLike, Type, Value, ValueLike,
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
            melior::ir::r#type::DimSize::Static(extent) => u64::try_from(extent).ok(),
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

/// Reads attributes of one op.
#[derive(Clone, Copy)]
pub struct Attributes<'c, 'a>(pub OperationRef<'c, 'a>);

impl<'c> Attributes<'c, '_> {
    /// Any attribute.
    ///
    /// # Errors
    /// [`IrError::Expected`] if it is absent.
    pub fn get(self, name: &str) -> Result<Attribute<'c>, IrError> {
        self.0.attribute(name).map_err(|_| expected(self.0, &format!("an attribute `{name}`")))
    }

    fn read<T>(self, name: &str, kind: &str, value: Option<T>) -> Result<T, IrError> {
        value.ok_or_else(|| expected(self.0, &format!("an attribute `{name}` of kind {kind}")))
    }

    /// An integer.
    ///
    /// # Errors
    /// [`IrError::Expected`]
    pub fn i64(self, name: &str) -> Result<i64, IrError> {
        let value = IntegerAttribute::try_from(self.get(name)?).ok().map(|integer| integer.value());
        self.read(name, "integer", value)
    }

    /// A float of any width.
    ///
    /// # Errors
    /// [`IrError::Expected`]
    pub fn f64(self, name: &str) -> Result<f64, IrError> {
        let value = FloatAttribute::try_from(self.get(name)?).ok().map(|float| float.value());
        self.read(name, "float", value)
    }

    /// A string.
    ///
    /// # Errors
    /// [`IrError::Expected`]
    pub fn string(self, name: &str) -> Result<String, IrError> {
        self.read(name, "string", ffi::string(self.get(name)?))
    }

    /// Whether a unit attribute, or any other of this name, is there.
    #[must_use]
    pub fn has(self, name: &str) -> bool {
        self.0.has_attribute(name)
    }

    /// `array<i64: ...>`.
    ///
    /// # Errors
    /// [`IrError::Expected`]
    pub fn i64_array(self, name: &str) -> Result<&'c [i64], IrError> {
        self.read(name, "array<i64>", ffi::dense_i64_array(self.get(name)?))
    }

    /// `array<f64: ...>`.
    ///
    /// # Errors
    /// [`IrError::Expected`]
    pub fn f64_array(self, name: &str) -> Result<&'c [f64], IrError> {
        self.read(name, "array<f64>", ffi::dense_f64_array(self.get(name)?))
    }

    /// `[1.5 : f64, ...]`.
    ///
    /// # Errors
    /// [`IrError::Expected`]
    pub fn f64_list(self, name: &str) -> Result<Vec<f64>, IrError> {
        let float = |value| FloatAttribute::try_from(value).ok().map(|float| float.value());
        let floats = self.array(name)?.into_iter().map(float).collect();
        self.read(name, "array of f64", floats)
    }

    /// Values of `dense<...>` of i64, row-major.
    ///
    /// # Errors
    /// [`IrError::Expected`]
    pub fn i64_elements(self, name: &str) -> Result<Vec<i64>, IrError> {
        self.read(name, "dense i64", ffi::dense_i64(self.get(name)?))
    }

    /// Values of `dense<...>` of f32, row-major.
    ///
    /// # Errors
    /// [`IrError::Expected`]
    pub fn f32_elements(self, name: &str) -> Result<Vec<f32>, IrError> {
        self.read(name, "dense f32", ffi::dense_f32(self.get(name)?))
    }

    /// The elements of an array attribute.
    ///
    /// # Errors
    /// [`IrError::Expected`]
    pub fn array(self, name: &str) -> Result<Vec<Attribute<'c>>, IrError> {
        let array = ArrayAttribute::try_from(self.get(name)?).ok();
        let array = self.read(name, "array", array)?;
        Ok((0..array.len()).filter_map(|index| array.element(index).ok()).collect())
    }

    /// An array of strings.
    ///
    /// # Errors
    /// [`IrError::Expected`]
    pub fn strings(self, name: &str) -> Result<Vec<String>, IrError> {
        let strings = self.array(name)?.into_iter().map(ffi::string).collect();
        self.read(name, "array of strings", strings)
    }

    /// An array of `array<i64: ...>`.
    ///
    /// # Errors
    /// [`IrError::Expected`]
    pub fn i64_arrays(self, name: &str) -> Result<Vec<&'c [i64]>, IrError> {
        let arrays = self.array(name)?.into_iter().map(ffi::dense_i64_array).collect();
        self.read(name, "array of array<i64>", arrays)
    }
}

/// Makes attributes.
#[derive(Clone, Copy)]
pub struct Make<'c>(pub &'c Context);

impl<'c> Make<'c> {
    /// An i64.
    #[must_use]
    pub fn i64(self, value: i64) -> Attribute<'c> {
        IntegerAttribute::new(IntegerType::new(self.0, 64).into(), value).into()
    }

    /// An f32.
    #[must_use]
    pub fn f32(self, value: f32) -> Attribute<'c> {
        FloatAttribute::new(self.0, Type::float32(self.0), f64::from(value)).into()
    }

    /// An f64.
    #[must_use]
    pub fn f64(self, value: f64) -> Attribute<'c> {
        FloatAttribute::new(self.0, Type::float64(self.0), value).into()
    }

    /// A string.
    #[must_use]
    pub fn string(self, value: &str) -> Attribute<'c> {
        StringAttribute::new(self.0, value).into()
    }

    /// `unit`.
    #[must_use]
    pub fn unit(self) -> Attribute<'c> {
        Attribute::unit(self.0)
    }

    /// `array<i64: ...>`.
    #[must_use]
    pub fn i64_array(self, values: &[i64]) -> Attribute<'c> {
        DenseI64ArrayAttribute::new(self.0, values).into()
    }

    /// `[1.5 : f64, ...]`, for numbers that must survive as text.
    #[must_use]
    pub fn f64_list(self, values: &[f64]) -> Attribute<'c> {
        self.array(&values.iter().map(|value| self.f64(*value)).collect::<Vec<_>>())
    }

    /// `array<f64: ...>`. As text outside of an op's own syntax MLIR rounds it to seven digits.
    #[must_use]
    pub fn f64_array(self, values: &[f64]) -> Attribute<'c> {
        ffi::f64_array(self.0, values)
    }

    /// `[...]`.
    #[must_use]
    pub fn array(self, values: &[Attribute<'c>]) -> Attribute<'c> {
        ArrayAttribute::new(self.0, values).into()
    }

    /// An array of strings.
    #[must_use]
    pub fn strings(self, values: &[String]) -> Attribute<'c> {
        self.array(&values.iter().map(|value| self.string(value)).collect::<Vec<_>>())
    }

    /// An array of `array<i64: ...>`.
    #[must_use]
    pub fn i64_arrays<T: AsRef<[i64]>>(self, values: &[T]) -> Attribute<'c> {
        self.array(&values.iter().map(|value| self.i64_array(value.as_ref())).collect::<Vec<_>>())
    }

    /// A type as an attribute.
    #[must_use]
    pub fn r#type(self, ty: Type<'c>) -> Attribute<'c> {
        TypeAttribute::new(ty).into()
    }

    /// `dense<...> : tensor<...xi64>`; an empty tensor if the number of values does not fit the shape.
    #[must_use]
    pub fn i64_elements(self, shape: &[u64], values: &[i64]) -> Option<Attribute<'c>> {
        ffi::i64_elements(i64_tensor(self.0, shape), values)
    }

    /// `dense<...> : tensor<...xf32>`.
    #[must_use]
    pub fn f32_elements(self, shape: &[u64], values: &[f32]) -> Option<Attribute<'c>> {
        ffi::f32_elements(f32_tensor(self.0, shape), values)
    }
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

/// A `func.func` with one block.
#[derive(Clone, Copy)]
pub struct Function<'c, 'a> {
    /// The op itself.
    pub op: OperationRef<'c, 'a>,
    /// Its body.
    pub block: BlockRef<'c, 'a>,
}

impl<'c, 'a> Function<'c, 'a> {
    /// Looks at an op.
    ///
    /// # Errors
    /// [`IrError::Expected`] unless it is a `func.func` with a body of one block.
    pub fn of(op: OperationRef<'c, 'a>) -> Result<Self, IrError> {
        if op_name(op) != "func.func" {
            return Err(expected(op, "a func.func"));
        }
        let block = op.region(0).ok().and_then(|region| region.first_block());
        let block = block.ok_or_else(|| expected(op, "a function with a body"))?;
        if block.next_in_region().is_some() {
            return Err(expected(op, "a function of one block"));
        }
        Ok(Self { op, block })
    }

    /// The function `@name` of a module.
    ///
    /// # Errors
    /// [`IrError::NoFunction`]
    pub fn named(module: OperationRef<'c, 'a>, name: &str) -> Result<Self, IrError> {
        let found = functions(module).into_iter().find(|function| function.name() == name);
        found.ok_or_else(|| IrError::NoFunction { name: name.to_owned() })
    }

    /// Its symbol.
    #[must_use]
    pub fn name(self) -> String {
        Attributes(self.op).string("sym_name").unwrap_or_default()
    }

    /// The block's arguments.
    #[must_use]
    pub fn arguments(self) -> Vec<Value<'c, 'a>> {
        (0..self.block.argument_count())
            .filter_map(|index| self.block.argument(index).ok().map(Value::from))
            .collect()
    }

    /// The ops before the terminator.
    #[must_use]
    pub fn ops(self) -> Vec<OperationRef<'c, 'a>> {
        let mut ops = block_ops(self.block);
        ops.pop();
        ops
    }

    /// What it returns.
    #[must_use]
    pub fn results(self) -> Vec<Value<'c, 'a>> {
        block_ops(self.block).last().map(|op| operands(*op)).unwrap_or_default()
    }

    /// Names of the arguments, as the ONNX file has them; `arg0`, ... where unknown.
    #[must_use]
    pub fn input_names(self) -> Vec<String> {
        names(self.op, INPUT_NAMES, self.block.argument_count(), "arg")
    }

    /// Names of the results; `result0`, ... where unknown.
    #[must_use]
    pub fn output_names(self) -> Vec<String> {
        names(self.op, OUTPUT_NAMES, self.results().len(), "result")
    }

    /// Replaces the function's type by that of its block's arguments and of what it returns.
    pub fn update_type(self, context: &'c Context) {
        let of = |values: Vec<Value<'c, 'a>>| values.iter().map(|value| value.r#type()).collect::<Vec<_>>();
        let ty = FunctionType::new(context, &of(self.arguments()), &of(self.results()));
        ffi::set_attribute(self.op, "function_type", TypeAttribute::new(ty.into()).into());
    }
}

/// Attribute of a function: the names of its arguments.
pub const INPUT_NAMES: &str = "cml.inputs";
/// Attribute of a function: the names of its results.
pub const OUTPUT_NAMES: &str = "cml.outputs";

fn names(op: OperationRef<'_, '_>, attribute: &str, count: usize, stem: &str) -> Vec<String> {
    let named = Attributes(op).strings(attribute).ok().filter(|names| names.len() == count);
    named.unwrap_or_else(|| (0..count).map(|index| format!("{stem}{index}")).collect())
}

/// The functions of a module that have a body, in order.
#[must_use]
pub fn functions<'c, 'a>(module: OperationRef<'c, 'a>) -> Vec<Function<'c, 'a>> {
    let block = module.region(0).ok().and_then(|region| region.first_block());
    block.map(block_ops).unwrap_or_default().into_iter().filter_map(|op| Function::of(op).ok()).collect()
}

/// The op of a module.
#[must_use]
pub fn module_op<'c, 'a>(module: &'a Module<'c>) -> OperationRef<'c, 'a> {
    module.as_operation()
}

/// What a new function is called, takes and says of itself.
pub struct Signature<'c> {
    /// Its symbol.
    pub name: String,
    /// Types of the arguments.
    pub inputs: Vec<Type<'c>>,
    /// Names of the arguments.
    pub input_names: Vec<String>,
    /// Names of the results.
    pub output_names: Vec<String>,
    /// Where it comes from.
    pub location: Location<'c>,
    /// What else is said of it.
    pub attributes: Vec<(&'static str, Attribute<'c>)>,
}

/// Builds a function; `body` fills its block, and says what to return.
///
/// # Errors
/// Those of `body`, and [`IrError::Build`].
pub fn build_function<'c, F, E>(
    context: &'c Context,
    signature: &Signature<'c>,
    body: F,
) -> Result<Operation<'c>, E>
where
    F: for<'b> FnOnce(&'b Block<'c>, &[Value<'c, 'b>]) -> Result<Vec<Value<'c, 'b>>, E>,
    E: From<IrError>,
{
    let place = signature.location;
    let arguments: Vec<_> = signature.inputs.iter().map(|ty| (*ty, place)).collect();
    let block = Block::new(&arguments);
    let outputs = {
        let values: Vec<Value<'c, '_>> = (0..block.argument_count())
            .filter_map(|index| block.argument(index).ok().map(Value::from))
            .collect();
        let results = body(&block, &values)?;
        let types: Vec<_> = results.iter().map(|value| value.r#type()).collect();
        block.append_operation(melior::dialect::func::r#return(&results, place));
        types
    };
    let region = Region::new();
    region.append_block(block);
    let make = Make(context);
    let ty = TypeAttribute::new(FunctionType::new(context, &signature.inputs, &outputs).into());
    let mut attributes = vec![
        (Identifier::new(context, INPUT_NAMES), make.strings(&signature.input_names)),
        (Identifier::new(context, OUTPUT_NAMES), make.strings(&signature.output_names)),
    ];
    attributes
        .extend(signature.attributes.iter().map(|(name, value)| (Identifier::new(context, name), *value)));
    let name = StringAttribute::new(context, &signature.name);
    Ok(melior::dialect::func::func(context, name, ty, region, &attributes, place))
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

/// Puts new functions in the place of an old one.
pub fn replace_function<'c>(old: Function<'c, '_>, new: Vec<Operation<'c>>) {
    let rewriter = melior::IrRewriter::from_op(old.op);
    let base = rewriter.as_rewriter_base();
    for function in new {
        base.insert(function);
    }
    base.erase_op(old.op);
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
