//! From a function of `nn`, `qnn` or `fhe` ops to the clear computation that it stands for.
//!
//! Each level says what its ops mean in its own `interpret.rs`; this file walks the function. The product is a
//! [`Graph`] of the runtime: run here to check passes, stored in the program for the client.

use crate::ir::{
    Function, IrError, describe, expected, key, node_name, op_name, result, shape_of, tensor_element,
};
use crate::{fhe, nn, qnn};
use cml_runtime::reference::message::{Element, Empty, Graph, Lookup, Node, Op, Port, Table, Tensor};
use melior::ir::r#type::IntegerType;
use melior::ir::{OperationRef, Type, Value, ValueLike};
use std::collections::BTreeMap;

/// A graph under construction, with the number of each IR value.
#[derive(Default)]
pub struct GraphBuilder {
    graph: Graph,
    numbers: BTreeMap<usize, u32>,
}

impl GraphBuilder {
    /// Adds an input.
    pub fn input(&mut self, port: Port) -> u32 {
        self.graph.inputs.push(port);
        self.graph.inputs.len() as u32 - 1
    }

    /// Adds a node and gives the number of its result.
    pub fn push(&mut self, name: &str, op: Op, inputs: Vec<u32>) -> u32 {
        self.graph.nodes.push(Node { name: name.to_owned(), inputs, op: Some(op) });
        (self.graph.inputs.len() + self.graph.nodes.len()) as u32 - 1
    }

    /// Adds a constant tensor of integers.
    pub fn integers(&mut self, name: &str, shape: &[u64], integers: Vec<i64>) -> u32 {
        let tensor = Tensor { shape: shape.to_vec(), floats: Vec::new(), integers };
        self.push(name, Op::Constant(tensor), Vec::new())
    }

    /// Subtracts an integer unless it is 0.
    pub fn subtract(&mut self, name: &str, value: u32, amount: i64) -> u32 {
        if amount == 0 {
            return value;
        }
        let amount = self.integers(name, &[], vec![amount]);
        self.push(name, Op::Sub(Empty {}), vec![value, amount])
    }

    /// Says which number an IR value has.
    pub fn bind(&mut self, value: Value<'_, '_>, number: u32) {
        self.numbers.insert(key(value), number);
    }

    /// The number of an operand.
    ///
    /// # Errors
    /// [`IrError::Expected`] if nothing earlier makes it.
    pub fn number(&self, op: OperationRef<'_, '_>, value: Value<'_, '_>) -> Result<u32, IrError> {
        self.numbers.get(&key(value)).copied().ok_or_else(|| expected(op, "operands made by earlier ops"))
    }

    /// The finished graph.
    #[must_use]
    pub fn finish(mut self, outputs: Vec<u32>, names: Vec<String>) -> Graph {
        self.graph.outputs = outputs;
        self.graph.output_names = names;
        self.graph
    }
}

/// What a function computes. Quantized and encrypted tensors become tensors of integers: stored integers in `qnn`, the
/// integers themselves in `fhe`.
///
/// # Errors
/// [`IrError::NoMeaning`] for an op of another level; [`IrError::Expected`] for an op that would not verify.
pub fn graph(function: Function<'_, '_>) -> Result<Graph, IrError> {
    let mut values = Vec::new();
    graph_with_values(function, &mut values)
}

/// As [`graph`], and the number of each op's result, in the order of the function's ops.
///
/// # Errors
/// Those of [`graph`].
pub fn graph_with_values(function: Function<'_, '_>, values: &mut Vec<u32>) -> Result<Graph, IrError> {
    let mut builder = GraphBuilder::default();
    for (argument, name) in function.arguments().into_iter().zip(function.input_names()) {
        let shape = shape_of(function.op, argument)?;
        let element = element_of(function.op, argument.r#type())?.into();
        let number = builder.input(Port { name, shape, element });
        builder.bind(argument, number);
    }
    for op in function.ops() {
        let number = translate(op, &mut builder)?;
        builder.bind(result(op)?, number);
        values.push(number);
    }
    let outputs = function.results().into_iter().map(|value| builder.number(function.op, value));
    let outputs = outputs.collect::<Result<_, _>>()?;
    Ok(builder.finish(outputs, function.output_names()))
}

fn translate(op: OperationRef<'_, '_>, builder: &mut GraphBuilder) -> Result<u32, IrError> {
    let name = op_name(op);
    match name.split_once('.') {
        Some(("nn", mnemonic)) => nn::interpret::translate(op, mnemonic, builder),
        Some(("qnn", mnemonic)) => qnn::interpret::translate(op, mnemonic, builder),
        Some(("fhe", mnemonic)) => fhe::interpret::translate(op, mnemonic, builder),
        _ => Err(no_meaning(op)),
    }
}

/// An [`IrError::NoMeaning`] at `op`.
#[must_use]
pub fn no_meaning(op: OperationRef<'_, '_>) -> IrError {
    IrError::NoMeaning { op: describe(op), reason: "the clear interpreter does not know this op".to_owned() }
}

fn element_of(op: OperationRef<'_, '_>, ty: Type<'_>) -> Result<Element, IrError> {
    let element = tensor_element(ty).ok_or_else(|| expected(op, "tensors"))?;
    let integers = IntegerType::try_from(element).is_ok()
        || crate::ffi::quant_parts(element).is_some()
        || crate::ffi::eint_range(element).is_some();
    Ok(if integers { Element::I64 } else { Element::F32 })
}

/// The numbers of all operands.
///
/// # Errors
/// [`IrError::Expected`]
pub fn inputs(op: OperationRef<'_, '_>, builder: &GraphBuilder) -> Result<Vec<u32>, IrError> {
    crate::ir::operands(op).into_iter().map(|value| builder.number(op, value)).collect()
}

/// A lookup of the attributes `tables`, `firsts` and `table_of`, which `qnn`, `fhe` and `tfhe` share.
///
/// # Errors
/// [`IrError::Expected`]
pub fn lookup_of(op: OperationRef<'_, '_>) -> Result<Lookup, IrError> {
    let attributes = crate::ir::Attributes(op);
    let tables = attributes.i64_arrays("tables")?;
    let firsts = attributes.i64_array("firsts")?;
    let tables =
        tables.into_iter().zip(firsts).map(|(values, lo)| Table { lo: *lo, values: values.to_vec() });
    let table_of =
        attributes.i64_array("table_of")?.iter().map(|index| u32::try_from(*index).unwrap_or(u32::MAX));
    Ok(Lookup { tables: tables.collect(), table_of: table_of.collect() })
}

/// The operations that mean the same at every level: movement of elements.
///
/// # Errors
/// [`IrError::Expected`]
pub fn movement(
    op: OperationRef<'_, '_>,
    mnemonic: &str,
    builder: &mut GraphBuilder,
) -> Result<Option<u32>, IrError> {
    use cml_runtime::reference::message::{Axis, Dims};
    let attributes = crate::ir::Attributes(op);
    let unsigned = |values: &[i64]| values.iter().map(|value| *value as u64).collect();
    let kind = match mnemonic {
        "reshape" => Op::Reshape(Dims { dims: shape_of(op, result(op)?)? }),
        "transpose" => Op::Transpose(Dims { dims: unsigned(attributes.i64_array("permutation")?) }),
        "concat" => Op::Concat(Axis { axis: attributes.i64("axis")? as u32 }),
        _ => return Ok(None),
    };
    Ok(Some(builder.push(&node_name(op), kind, inputs(op, builder)?)))
}

/// Whether an op only moves elements.
#[must_use]
pub fn is_movement(op: OperationRef<'_, '_>) -> bool {
    matches!(op_name(op).split_once('.'), Some((_, "reshape" | "transpose" | "concat")))
}
