//! Functions: found, read, built and replaced.

use super::{Attributes, IrError, Make, block_ops, expected, op_name, operands};
use melior::Context;
use melior::ir::attribute::{Attribute, StringAttribute, TypeAttribute};
use melior::ir::operation::{Operation, OperationLike};
use melior::ir::r#type::FunctionType;
use melior::ir::{
    Block, BlockLike, BlockRef, Identifier, Location, Module, OperationRef, Region, RegionLike, Type, Value,
    ValueLike,
};

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

/// Puts new functions in the place of an old one.
pub fn replace_function<'c>(old: Function<'c, '_>, new: Vec<Operation<'c>>) {
    let rewriter = melior::IrRewriter::from_op(old.op);
    let base = rewriter.as_rewriter_base();
    for function in new {
        base.insert(function);
    }
    base.erase_op(old.op);
}
