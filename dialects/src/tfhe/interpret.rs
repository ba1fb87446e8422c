//! What `@server` computes at the level of ciphertexts: the steps that the runtime executes.

use crate::fhe::{INPUT_HIGHS, INPUT_LOWS};
use crate::interpret::{lookup_of, no_meaning};
use crate::ir::{
    Attributes, Function, IrError, expected, key, module_op, node_name, op_name, operand, operands, result,
};
use crate::qnn::SERVER;
use crate::tfhe::{
    INPUT_SHAPES, OUTPUT_HIGHS, OUTPUT_LOWS, OUTPUT_SHAPES, PARAMETERS, encoding, parameter_set,
};
use cml_runtime::program::message::{Action, Bootstrap, EncryptedPort, Linear, Server, Step};
use melior::ir::operation::OperationLike;
use melior::ir::{Module, OperationRef, Value};
use std::collections::BTreeMap;

/// The server's program: one step for each `tfhe.linear`, and for each `tfhe.bootstrap` with the keyswitch before it.
///
/// # Errors
/// [`IrError`] if `@server` is absent, has ops of another level, or lacks what the level's attributes say.
pub fn server(module: &Module<'_>) -> Result<Server, IrError> {
    server_of(module_op(module))
}

/// As [`server`], of the module's op.
///
/// # Errors
/// Those of [`server`].
pub fn server_of(root: OperationRef<'_, '_>) -> Result<Server, IrError> {
    let function = Function::named(root, SERVER)?;
    let set = root.attribute(PARAMETERS).ok().and_then(parameter_set);
    let set = set.ok_or_else(|| expected(root, "a module with `tfhe.parameters`: run `cml-parametrize`"))?;
    let attributes = Attributes(function.op);
    let inputs = ports(
        function,
        function.input_names(),
        &function.arguments(),
        [INPUT_SHAPES, INPUT_LOWS, INPUT_HIGHS].map(|name| attributes.i64_arrays(name)),
    )?;
    let outputs = ports(
        function,
        function.output_names(),
        &function.results(),
        [OUTPUT_SHAPES, OUTPUT_LOWS, OUTPUT_HIGHS].map(|name| attributes.i64_arrays(name)),
    )?;
    let mut numbers = BTreeMap::new();
    for argument in function.arguments() {
        numbers.insert(key(argument), numbers.len() as u32);
    }
    let (mut steps, mut lookups) = (Vec::new(), 0);
    for op in function.ops() {
        if op_name(op) == "tfhe.keyswitch" {
            // Part of the bootstrap that reads it.
            let from = number(&numbers, op, operand(op, 0)?)?;
            numbers.insert(key(result(op)?), from);
            continue;
        }
        let mut step = step(op, &numbers)?;
        if let Some(Action::Bootstrap(bootstrap)) = &mut step.action {
            bootstrap.lookup = lookups;
            lookups += 1;
        }
        steps.push(step);
        numbers.insert(key(result(op)?), (inputs.len() + steps.len()) as u32 - 1);
    }
    let output_values = function
        .results()
        .into_iter()
        .map(|value| number(&numbers, function.op, value))
        .collect::<Result<_, _>>()?;
    Ok(Server { parameters: vec![set], inputs, steps, outputs, output_values })
}

fn number(
    numbers: &BTreeMap<usize, u32>,
    op: OperationRef<'_, '_>,
    value: Value<'_, '_>,
) -> Result<u32, IrError> {
    numbers.get(&key(value)).copied().ok_or_else(|| expected(op, "operands made by earlier ops"))
}

fn ports(
    function: Function<'_, '_>,
    names: Vec<String>,
    values: &[Value<'_, '_>],
    [shapes, lows, highs]: [Result<Vec<&[i64]>, IrError>; 3],
) -> Result<Vec<EncryptedPort>, IrError> {
    let (shapes, lows, highs) = (shapes?, lows?, highs?);
    if [shapes.len(), lows.len(), highs.len()] != [values.len(); 3] {
        return Err(expected(function.op, "a shape and a range for each argument and result"));
    }
    let mut ports = Vec::new();
    for (index, (name, value)) in names.into_iter().zip(values).enumerate() {
        let (_, spacing) = encoding(function.op, *value)?;
        ports.push(EncryptedPort {
            name,
            shape: shapes[index].iter().map(|extent| *extent as u64).collect(),
            spacing: spacing.0,
            lo: lows[index].to_vec(),
            hi: highs[index].to_vec(),
            returned: None,
        });
    }
    Ok(ports)
}

fn step(op: OperationRef<'_, '_>, numbers: &BTreeMap<usize, u32>) -> Result<Step, IrError> {
    let attributes = Attributes(op);
    let (_, spacing) = encoding(op, result(op)?)?;
    let action = match op_name(op).as_str() {
        "tfhe.linear" => {
            let bias = attributes.i64_array("bias")?.to_vec();
            Action::Linear(Linear {
                inputs: operands(op)
                    .into_iter()
                    .map(|value| number(numbers, op, value))
                    .collect::<Result<_, _>>()?,
                rows: bias.len() as u32,
                weights: attributes.i64_elements("weights")?,
                bias,
                spacing: spacing.0,
            })
        }
        "tfhe.bootstrap" => {
            let lookup = lookup_of(op)?;
            Action::Bootstrap(Bootstrap {
                input: number(numbers, op, operand(op, 0)?)?,
                extension: u32::try_from(attributes.i64("extension")?)
                    .map_err(|_| expected(op, "an extension of 0 or more"))?,
                tables: lookup.tables,
                table_of: lookup.table_of,
                spacing: spacing.0,
                ..Bootstrap::default()
            })
        }
        _ => return Err(no_meaning(op)),
    };
    Ok(Step { node: node_name(op), action: Some(action) })
}
