//! What `@server` computes at the level of ciphertexts: the steps that the runtime executes.

use crate::fhe::{INPUT_HIGHS, INPUT_LOWS};
use crate::interpret::{lookup_of, no_meaning};
use crate::ir::{
    Attributes, Function, IrError, expected, key, module_op, node_name, op_name, operand, operands, result,
};
use crate::qnn::SERVER;
use crate::tfhe::{INPUT_SHAPES, Key, OUTPUT_HIGHS, OUTPUT_LOWS, OUTPUT_SHAPES, encoding, parameter_sets};
use cml_runtime::program::message::{
    Action, Bootstrap, Combine, Compare, Comparisons, EncryptedPort, Linear, Server, Step,
};
use cml_runtime::units::Spacing;
use melior::ir::{Module, OperationRef, Value};
use std::collections::BTreeMap;

/// The server's program: one step for each `tfhe.linear`, each `tfhe.combine`, and each `tfhe.bootstrap` or `tfhe.compare`
/// with the keyswitch before it.
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
    let parameters = parameter_sets(root)?;
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
    let mut steps = Vec::new();
    for op in function.ops() {
        if op_name(op) == "tfhe.keyswitch" {
            // Part of the bootstrap that reads it.
            let from = number(&numbers, op, operand(op, 0)?)?;
            numbers.insert(key(result(op)?), from);
            continue;
        }
        steps.push(step(op, &numbers)?);
        numbers.insert(key(result(op)?), (inputs.len() + steps.len()) as u32 - 1);
    }
    let output_values = function
        .results()
        .into_iter()
        .map(|value| number(&numbers, function.op, value))
        .collect::<Result<_, _>>()?;
    Ok(Server { parameters, inputs, steps, outputs, output_values })
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
        let (Key::Big, spacing) = encoding(function.op, *value)? else {
            return Err(expected(function.op, "arguments and results under the big key"));
        };
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
    let inputs =
        || operands(op).into_iter().map(|value| number(numbers, op, value)).collect::<Result<_, _>>();
    let action = match op_name(op).as_str() {
        "tfhe.linear" => {
            let bias = attributes.i64_array("bias")?.to_vec();
            Action::Linear(Linear {
                inputs: inputs()?,
                rows: bias.len() as u32,
                weights: attributes.i64_elements("weights")?,
                bias,
                spacing: spacing.0,
            })
        }
        "tfhe.combine" => Action::Combine(Combine {
            inputs: inputs()?,
            weights: attributes.i64_array("weights")?.to_vec(),
            bias: attributes.i64_array("bias")?.to_vec(),
            spacing: spacing.0,
        }),
        "tfhe.bootstrap" => Action::Bootstrap(bootstrap(op, numbers, spacing)?),
        "tfhe.compare" => Action::Compare(compare(op, numbers, spacing)?),
        _ => return Err(no_meaning(op)),
    };
    Ok(Step { node: node_name(op), action: Some(action) })
}

/// The value that is read, and the key set.
fn reading(op: OperationRef<'_, '_>, numbers: &BTreeMap<usize, u32>) -> Result<(u32, u32), IrError> {
    let input = operand(op, 0)?;
    let (Key::Small(key), _) = encoding(op, input)? else {
        return Err(expected(op, "an input under a small key"));
    };
    Ok((number(numbers, op, input)?, key))
}

fn unsigned(op: OperationRef<'_, '_>, name: &str) -> Result<u32, IrError> {
    let found = u32::try_from(Attributes(op).i64(name)?);
    found.map_err(|_| expected(op, &format!("an attribute `{name}` of 0 or more")))
}

fn extension(op: OperationRef<'_, '_>) -> Result<i32, IrError> {
    let found = i32::try_from(Attributes(op).i64("extension")?);
    found.map_err(|_| expected(op, "an attribute `extension` of 32 bits"))
}

fn compare(
    op: OperationRef<'_, '_>,
    numbers: &BTreeMap<usize, u32>,
    spacing: Spacing,
) -> Result<Compare, IrError> {
    let attributes = Attributes(op);
    let (input, key) = reading(op, numbers)?;
    let ranges = attributes.i64_array("lows")?.iter().zip(attributes.i64_array("highs")?);
    let elements = attributes.i64_arrays("thresholds")?.into_iter().zip(ranges);
    let element = |(thresholds, (lo, hi)): (&[i64], (&i64, &i64))| Comparisons {
        lo: *lo,
        hi: *hi,
        thresholds: thresholds.to_vec(),
    };
    Ok(Compare {
        input,
        extension: extension(op)?,
        elements: elements.map(element).collect(),
        spacing: spacing.0,
        key,
        lookup: unsigned(op, "lookup")?,
        tables: unsigned(op, "tables")?,
    })
}

fn bootstrap(
    op: OperationRef<'_, '_>,
    numbers: &BTreeMap<usize, u32>,
    spacing: Spacing,
) -> Result<Bootstrap, IrError> {
    let attributes = Attributes(op);
    let (input, key) = reading(op, numbers)?;
    let optional = |name: &str| if attributes.has(name) { unsigned(op, name) } else { Ok(0) };
    let lookup = lookup_of(op)?;
    Ok(Bootstrap {
        input,
        extension: extension(op)?,
        tables: lookup.tables,
        table_of: lookup.table_of,
        spacing: spacing.0,
        key,
        tolerance: optional("tolerance")?,
        centers: if attributes.has("centers") {
            attributes.i64_array("centers")?.to_vec()
        } else {
            Vec::new()
        },
        // The dialect numbers the stages as the program does.
        stage: optional("stage")? as i32,
        lookup: unsigned(op, "lookup")?,
    })
}
