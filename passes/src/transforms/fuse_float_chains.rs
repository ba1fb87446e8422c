//! Turn chains of float ops between two integer layers into table lookups.
//!
//! Before: `%f = qnn.dequantize %a`, `%r = nn.relu %f`, `%q = qnn.quantize %r`
//! After:  `%q = qnn.lookup %a tables [...]`                 (tested: lit-tests/passes/fuse-float-chains.mlir)
//!
//! Each table is computed by running the very chain on each integer of the element's range, so the result equals the quantized
//! model exactly, rounding and clipping included. Ops that only move elements move behind the lookup. Requires:
//! `cml-infer-ranges`. Guarantees: `@server` has no floats.

use crate::analysis::chains::Chain;
use crate::analysis::movement::on_level;
use crate::framework::{Pass, PassError, PassInfo, Preserves, model_error};
use cml_dialects::fhe::{INPUT_HIGHS, INPUT_LOWS, Ranges};
use cml_dialects::interpret::is_movement;
use cml_dialects::ir::{
    Attributes, Function, Make, Mapping, NewOp, Signature, argument_number, build_function, clone_op,
    defining_op, expected, key, op_name, operand, operands, replace_function, result, shape_of,
    tensor_element, tensor_of,
};
use cml_dialects::qnn::{SERVER, zero_point};
use cml_runtime::reference::message::Table;
use melior::Context;
use melior::ir::operation::OperationLike;
use melior::ir::{Block, Location, OperationRef, Value, ValueLike};
use std::collections::BTreeMap;

/// See the module's text.
pub struct FuseFloatChains;

impl Pass for FuseFloatChains {
    const INFO: PassInfo = PassInfo {
        name: "cml-fuse-float-chains",
        summary: "Turn float ops between integer layers into tables",
        description: "A chain of float ops whose only encrypted input is one integer becomes one table for each element. What mixes \
            elements, or reads two encrypted values, is an error that names the node.",
        options: &[],
        preserves: Preserves::Exactly,
    };

    fn new(_: &[&str]) -> Result<Self, String> {
        Ok(Self)
    }

    fn run<'c>(self, context: &'c Context, module: OperationRef<'c, '_>) -> Result<(), PassError> {
        let server = Function::named(module, SERVER)?;
        let signature = Signature {
            name: SERVER.to_owned(),
            inputs: server.arguments().iter().map(|value| value.r#type()).collect(),
            input_names: server.input_names(),
            output_names: server.output_names(),
            location: server.op.location(),
            attributes: [INPUT_LOWS, INPUT_HIGHS]
                .into_iter()
                .filter_map(|name| Some((name, server.op.attribute(name).ok()?)))
                .collect(),
        };
        let new = build_function(context, &signature, |block, arguments| {
            let mut fuser = Fuser { context, block, integers: Mapping::new(), ranges: BTreeMap::new() };
            for (old, new) in server.arguments().into_iter().zip(arguments) {
                fuser.integers.insert(old, *new);
            }
            fuser.function(server)
        })?;
        replace_function(server, vec![new]);
        Ok(())
    }
}

struct Fuser<'c, 'b> {
    context: &'c Context,
    block: &'b Block<'c>,
    integers: Mapping<'c, 'b>,
    /// By key of the old value.
    ranges: BTreeMap<usize, Ranges>,
}

impl<'c, 'b> Fuser<'c, 'b> {
    fn function(&mut self, server: Function<'c, '_>) -> Result<Vec<Value<'c, 'b>>, PassError> {
        let ops = server.ops();
        for op in &ops {
            match op_name(*op).as_str() {
                "qnn.quantize" => self.chain(server, *op, &ops)?,
                name if name.starts_with("qnn.") && name != "qnn.dequantize" => {
                    let new = clone_op(*op, &self.integers.operands(*op)?, self.block)?;
                    self.integers.insert(result(*op)?, new);
                }
                // Part of a chain: built when its end is met.
                _ => {}
            }
        }
        let results = server.results();
        results.into_iter().map(|old| Ok(self.integers.get(server.op, old)?)).collect()
    }

    fn chain(
        &mut self,
        server: Function<'c, '_>,
        end: OperationRef<'c, '_>,
        ops: &[OperationRef<'c, '_>],
    ) -> Result<(), PassError> {
        let chain = Chain::trace(end, ops)?;
        let ranges: Vec<Ranges> =
            chain.sources.iter().map(|source| self.range(server, end, *source)).collect::<Result<_, _>>()?;
        let tables = chain.tables(&ranges)?;
        let zero = zero_point(end, result(end)?)?;
        let ends = |pick: fn(&[i64]) -> Option<&i64>| {
            tables.iter().map(|table| pick(&table.values).copied().unwrap_or_default() - zero).collect()
        };
        let found =
            Ranges { lows: ends(|values| values.iter().min()), highs: ends(|values| values.iter().max()) };
        self.ranges.insert(key(result(end)?), found);

        let element =
            tensor_element(result(end)?.r#type()).ok_or_else(|| expected(end, "a quantized result"))?;
        let mut moved: BTreeMap<usize, Value<'c, 'b>> = BTreeMap::new();
        for (which, source) in chain.sources.iter().enumerate() {
            let count = ranges[which].lows.len();
            let mut own: Vec<Option<Table>> = vec![None; count];
            for (index, (from, at)) in chain.origin.iter().enumerate() {
                if *from == which {
                    if own[*at].as_ref().is_some_and(|known| *known != tables[index]) {
                        return Err(model_error(
                            end,
                            "uses an encrypted value twice with different constants: not supported",
                        ));
                    }
                    own[*at] = Some(tables[index].clone());
                }
            }
            // An element that nothing reads still needs a table.
            let own = own.into_iter().enumerate().map(|(at, table)| {
                let (lo, hi) = (ranges[which].lows[at], ranges[which].highs[at]);
                table.unwrap_or_else(|| Table { lo, values: vec![zero; (hi - lo) as usize + 1] })
            });
            let lookup = self.lookup((end, chain.place()), *source, own.collect(), element)?;
            moved.insert(key(*source), lookup);
        }
        let last = self.replay(&chain, &moved, element)?;
        self.integers.insert(result(end)?, last);
        Ok(())
    }

    /// The range of a quantized value: from the op that makes it.
    fn range(
        &self,
        server: Function<'c, '_>,
        end: OperationRef<'c, '_>,
        source: Value<'c, '_>,
    ) -> Result<Ranges, PassError> {
        if let Some(known) = self.ranges.get(&key(source)) {
            return Ok(known.clone());
        }
        let missing = || {
            model_error(end, "its input has no range: run `cml-infer-ranges` before `cml-fuse-float-chains`")
        };
        let (lows, highs) = match (defining_op(source), argument_number(source)) {
            (Some(op), _) => {
                let attributes = Attributes(op);
                let (lows, highs) = (attributes.i64_array("lows"), attributes.i64_array("highs"));
                (lows.map_err(|_| missing())?.to_vec(), highs.map_err(|_| missing())?.to_vec())
            }
            (None, Some(number)) => {
                let attributes = Attributes(server.op);
                let of = |name: &str| {
                    let all = attributes.i64_arrays(name).map_err(|_| missing())?;
                    all.get(number).map(|values| values.to_vec()).ok_or_else(missing)
                };
                (of(INPUT_LOWS)?, of(INPUT_HIGHS)?)
            }
            (None, None) => return Err(missing()),
        };
        Ok(Ranges { lows, highs })
    }

    fn lookup(
        &self,
        (end, place): (OperationRef<'c, '_>, Location<'c>),
        source: Value<'c, '_>,
        of_elements: Vec<Table>,
        element: melior::ir::Type<'c>,
    ) -> Result<Value<'c, 'b>, PassError> {
        let mut tables: Vec<Table> = Vec::new();
        let mut numbers: BTreeMap<(i64, Vec<i64>), i64> = BTreeMap::new();
        let mut table_of = Vec::new();
        for table in of_elements {
            let number = *numbers.entry((table.lo, table.values.clone())).or_insert_with(|| {
                tables.push(table);
                tables.len() as i64 - 1
            });
            table_of.push(number);
        }
        let make = Make(self.context);
        let input = self.integers.get(end, source)?;
        let ty = tensor_of(&shape_of(end, input)?, element);
        let firsts: Vec<i64> = tables.iter().map(|table| table.lo).collect();
        let values: Vec<&[i64]> = tables.iter().map(|table| table.values.as_slice()).collect();
        let new = NewOp::new("qnn.lookup", place)
            .operands(&[input])
            .attribute("tables", make.i64_arrays(&values))
            .attribute("firsts", make.i64_array(&firsts))
            .attribute("table_of", make.i64_array(&table_of))
            .result(ty);
        Ok(new.append(self.context, self.block)?)
    }

    /// Repeats the movements of a chain on the looked-up integers.
    fn replay(
        &self,
        chain: &Chain<'c, '_>,
        lookups: &BTreeMap<usize, Value<'c, 'b>>,
        element: melior::ir::Type<'c>,
    ) -> Result<Value<'c, 'b>, PassError> {
        let mut values: BTreeMap<usize, Value<'c, 'b>> = BTreeMap::new();
        for op in &chain.ops {
            let name = op_name(*op);
            let inputs: Vec<_> =
                operands(*op).iter().filter_map(|value| values.get(&key(*value)).copied()).collect();
            let new = if name == "qnn.dequantize" {
                lookups.get(&key(operand(*op, 0)?)).copied()
            } else if is_movement(*op) && !inputs.is_empty() {
                let ty = tensor_of(&shape_of(*op, result(*op)?)?, element);
                let new = on_level(*op, "qnn", &inputs, ty)?;
                Some(new.append(self.context, self.block)?)
            } else {
                inputs.first().copied()
            };
            if let Some(new) = new {
                values.insert(key(result(*op)?), new);
            }
        }
        let last = values.get(&key(result(chain.end)?)).copied();
        last.ok_or_else(|| model_error(chain.end, "expected a value that depends on an encrypted one"))
    }
}
