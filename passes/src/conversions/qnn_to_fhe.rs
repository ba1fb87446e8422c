//! Quantized integers to encrypted integers.
//!
//! Before: `qnn.matmul` on `!quant.uniform` storage          After: `fhe.matmul` on `!fhe.eint<lo:hi>`
//!
//! A value becomes the integer that it stands for, stored integer minus zero point: scales and zero points end here, only ranges
//! remain. Requires: `cml-infer-ranges` and `cml-fuse-float-chains`. Guarantees: `@server` has only `fhe` ops, each with a proved
//! range; `@client_in` and `@client_out` stay as they are.

use crate::analysis::movement::on_level;
use crate::framework::{Pass, PassError, PassInfo, Preserves, model_error};
use cml_dialects::fhe::{
    INPUT_HIGHS, INPUT_LOWS, MEASURED_HIGHS, MEASURED_LOWS, Ranges, hull, ranges, tensor,
};
use cml_dialects::interpret::{is_movement, lookup_of};
use cml_dialects::ir::{
    Attributes, Function, Make, Mapping, NewOp, Signature, build_function, expected, op_name,
    replace_function, result, shape_of,
};
use cml_dialects::qnn::{SERVER, quantizer_of, zero_point};
use melior::Context;
use melior::ir::operation::OperationLike;
use melior::ir::{Block, OperationRef, Value};

/// See the module's text.
pub struct QnnToFhe;

impl Pass for QnnToFhe {
    const INFO: PassInfo = PassInfo {
        name: "cml-qnn-to-fhe",
        summary: "Lower @server to encrypted integers",
        description: "Stored integers lose their zero points and scales; what remains is integers with proved ranges, linear algebra and \
            explicit lookups.",
        options: &[],
        preserves: Preserves::Exactly,
    };

    fn new(_: &[&str]) -> Result<Self, String> {
        Ok(Self)
    }

    fn run<'c>(self, context: &'c Context, module: OperationRef<'c, '_>) -> Result<(), PassError> {
        let server = Function::named(module, SERVER)?;
        let arguments = argument_ranges(server)?;
        let mut inputs = Vec::new();
        for (value, ranges) in server.arguments().into_iter().zip(&arguments) {
            inputs.push(tensor(server.op.location(), &shape_of(server.op, value)?, ranges.hull())?);
        }
        let make = Make(context);
        let lows: Vec<_> = arguments.iter().map(|ranges| ranges.lows.clone()).collect();
        let highs: Vec<_> = arguments.iter().map(|ranges| ranges.highs.clone()).collect();
        let signature = Signature {
            name: SERVER.to_owned(),
            inputs,
            input_names: server.input_names(),
            output_names: server.output_names(),
            location: server.op.location(),
            attributes: vec![(INPUT_LOWS, make.i64_arrays(&lows)), (INPUT_HIGHS, make.i64_arrays(&highs))],
        };
        let new = build_function(context, &signature, |block, arguments| {
            let mut mapping = Mapping::new();
            for (old, new) in server.arguments().into_iter().zip(arguments) {
                mapping.insert(old, *new);
            }
            for op in server.ops() {
                let new = convert(context, block, op, &mapping.operands(op)?)?;
                mapping.insert(result(op)?, new);
            }
            server.results().into_iter().map(|old| Ok::<_, PassError>(mapping.get(server.op, old)?)).collect()
        })?;
        replace_function(server, vec![new]);
        Ok(())
    }
}

/// What `cml-infer-ranges` said of the arguments, else all that their quantizers can store.
fn argument_ranges(server: Function<'_, '_>) -> Result<Vec<Ranges>, PassError> {
    let attributes = Attributes(server.op);
    let (lows, highs) = (attributes.i64_arrays(INPUT_LOWS), attributes.i64_arrays(INPUT_HIGHS));
    let mut all = Vec::new();
    for (index, value) in server.arguments().into_iter().enumerate() {
        let quantizer = quantizer_of(server.op, value)?;
        let zero = zero_point(server.op, value)?;
        let count = shape_of(server.op, value)?.iter().product::<u64>() as usize;
        let stated = match (&lows, &highs) {
            (Ok(lows), Ok(highs)) => lows.get(index).zip(highs.get(index)),
            _ => None,
        };
        let stated = stated.filter(|(lows, highs)| lows.len() == count && highs.len() == count);
        all.push(match stated {
            Some((lows, highs)) => Ranges { lows: lows.to_vec(), highs: highs.to_vec() },
            None => {
                Ranges { lows: vec![quantizer.lo - zero; count], highs: vec![quantizer.hi - zero; count] }
            }
        });
    }
    Ok(all)
}

fn convert<'c, 'b>(
    context: &'c Context,
    block: &'b Block<'c>,
    op: OperationRef<'c, '_>,
    inputs: &[Value<'c, 'b>],
) -> Result<Value<'c, 'b>, PassError> {
    let make = Make(context);
    let attributes = Attributes(op);
    let place = op.location();
    let shape = shape_of(op, result(op)?)?;
    let new = match op_name(op).as_str() {
        "qnn.matmul" => {
            let stated = "run `cml-infer-ranges` before `cml-qnn-to-fhe`";
            let lows = attributes.i64_array("lows").map_err(|_| model_error(op, stated))?.to_vec();
            let highs = attributes.i64_array("highs").map_err(|_| model_error(op, stated))?.to_vec();
            let ranges = Ranges { lows, highs };
            let measured = ["measured_lows", "measured_highs"].map(|name| op.attribute(name).ok());
            NewOp::new("fhe.matmul", place)
                .operands(inputs)
                .attribute("weights", attributes.get("weights")?)
                .attribute("lows", make.i64_array(&ranges.lows))
                .attribute("highs", make.i64_array(&ranges.highs))
                .optional(MEASURED_LOWS, measured[0])
                .optional(MEASURED_HIGHS, measured[1])
                .result(tensor(place, &shape, ranges.hull())?)
        }
        "qnn.lookup" => {
            let zero = zero_point(op, result(op)?)?;
            let lookup = lookup_of(op)?;
            let from = ranges(op, inputs[0])?;
            let mut to = Ranges::default();
            for (element, number) in lookup.table_of.iter().enumerate() {
                let table = &lookup.tables[*number as usize];
                let first = usize::try_from(from.lows[element] - table.lo).ok();
                let last = usize::try_from(from.highs[element] - table.lo).ok();
                let read = first.zip(last).and_then(|(first, last)| table.values.get(first..=last));
                let read =
                    read.ok_or_else(|| expected(op, "tables that cover the ranges of their elements"))?;
                to.lows.push(read.iter().min().copied().unwrap_or_default() - zero);
                to.highs.push(read.iter().max().copied().unwrap_or_default() - zero);
            }
            let tables: Vec<Vec<i64>> = lookup
                .tables
                .iter()
                .map(|table| table.values.iter().map(|value| value - zero).collect())
                .collect();
            let proved = (!to.is_uniform()).then(|| (make.i64_array(&to.lows), make.i64_array(&to.highs)));
            NewOp::new("fhe.lookup", place)
                .operands(inputs)
                .attribute("tables", make.i64_arrays(&tables))
                .attribute("firsts", attributes.get("firsts")?)
                .attribute("table_of", attributes.get("table_of")?)
                .optional("lows", proved.map(|(lows, _)| lows))
                .optional("highs", proved.map(|(_, highs)| highs))
                .result(tensor(place, &shape, to.hull())?)
        }
        name if name.starts_with("qnn.") && is_movement(op) => {
            let hulls = inputs.iter().map(|value| hull(op, *value)).collect::<Result<Vec<_>, _>>()?;
            let lo = hulls.iter().map(|hull| hull.0).min().unwrap_or_default();
            let hi = hulls.iter().map(|hull| hull.1).max().unwrap_or_default();
            on_level(op, "fhe", inputs, tensor(place, &shape, (lo, hi))?)?
        }
        _ => {
            let message = "has no encrypted form here: run `cml-fuse-float-chains` before `cml-qnn-to-fhe`";
            return Err(model_error(op, message));
        }
    };
    Ok(new.append(context, block)?)
}
