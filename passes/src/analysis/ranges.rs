//! Proved ranges of every integer in `@server`, element by element.
//!
//! Where the inputs can take few values together they are all tried, which is exact; else interval arithmetic on the actual
//! weights, and the actual tables, gives bounds. Values count without their zero point.

use crate::analysis::chains::Chain;
use crate::analysis::movement::origins;
use crate::framework::{PassError, model_error};
use cml_dialects::fhe::Ranges;
use cml_dialects::interpret::{graph, graph_with_values, is_movement};
use cml_dialects::ir::{
    Attributes, Function, describe, key, op_name, operand, operands, result, shape_of, tensor_shape,
};
use cml_dialects::qnn::{CLIENT_IN, SERVER, quantizer_of, zero_point};
use cml_runtime::reference::{Error, Evaluator, Value as Tensor};
use melior::ir::{AttributeLike, OperationRef, Value};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// How a range was proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// All inputs were tried: each end of each range is reached.
    Enumeration,
    /// Interval arithmetic: the ends may not be reached.
    Intervals,
}

/// The ranges of quantized values, by key of the value.
pub struct ServerRanges {
    /// How they were found.
    pub proof: Proof,
    ranges: BTreeMap<usize, Ranges>,
}

impl ServerRanges {
    /// The ranges of one value.
    ///
    /// # Errors
    /// [`PassError::Ir`] if it is no quantized value of the function.
    pub fn of(&self, op: OperationRef<'_, '_>, value: Value<'_, '_>) -> Result<&Ranges, PassError> {
        let found = self.ranges.get(&key(value));
        found.ok_or_else(|| cml_dialects::ir::expected(op, "a quantized operand").into())
    }
}

/// Float bounds of one input: one for all features, or one for each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeclaredRange {
    /// Smallest.
    pub lows: Vec<f32>,
    /// Largest.
    pub highs: Vec<f32>,
}

/// Ranges of the server's inputs: what the quantizers can store, narrowed by what is declared of the client's inputs.
///
/// # Errors
/// [`PassError`] if a declared range does not fit an input, or the client's part is not monotone so that bounds of its input
/// say nothing of its output.
pub fn input_ranges(
    module: OperationRef<'_, '_>,
    declared: &BTreeMap<String, DeclaredRange>,
) -> Result<Vec<Ranges>, PassError> {
    let server = Function::named(module, SERVER)?;
    let mut stored = Vec::new();
    for value in server.arguments() {
        let quantizer = quantizer_of(server.op, value)?;
        let zero = zero_point(server.op, value)?;
        let count = shape_of(server.op, value)?.iter().product::<u64>() as usize;
        stored
            .push(Ranges { lows: vec![quantizer.lo - zero; count], highs: vec![quantizer.hi - zero; count] });
    }
    if declared.is_empty() {
        return Ok(stored);
    }
    let client = Function::named(module, CLIENT_IN)?;
    narrow(client, declared, &mut stored)?;
    Ok(stored)
}

fn narrow(
    client: Function<'_, '_>,
    declared: &BTreeMap<String, DeclaredRange>,
    stored: &mut [Ranges],
) -> Result<(), PassError> {
    const MONOTONE: &[&str] = &[
        "nn.add",
        "nn.sub",
        "nn.mul",
        "nn.div",
        "nn.neg",
        "nn.relu",
        "nn.clip",
        "nn.constant",
        "qnn.quantize",
    ];
    for op in client.ops() {
        let name = op_name(op);
        if !MONOTONE.contains(&name.as_str()) && !is_movement(op) {
            return Err(model_error(
                op,
                "an input range cannot be carried through this operation of the client",
            ));
        }
    }
    let function = graph(client)?;
    let (mut low, mut high) = (Vec::new(), Vec::new());
    for (port, name) in function.inputs.iter().zip(client.input_names()) {
        let shape: Vec<usize> = port.shape.iter().map(|extent| *extent as usize).collect();
        let count = shape.iter().product();
        let Some(range) = declared.get(&name).or_else(|| declared.get("")) else {
            let message = format!("no input range for {name}: declare one for each input, or none");
            return Err(PassError::Model { node: describe(client.op), message });
        };
        for (bounds, tensors) in [(&range.lows, &mut low), (&range.highs, &mut high)] {
            if bounds.len() != 1 && bounds.len() != count {
                let message =
                    format!("input range of {name} has {} bounds: expected 1 or {count}", bounds.len());
                return Err(PassError::Model { node: describe(client.op), message });
            }
            let values = (0..count).map(|index| bounds[index % bounds.len()]).collect();
            let tensor = Tensor::floats(&shape, values);
            tensors.push(tensor.map_err(|fault| model_error(client.op, fault.to_string()))?);
        }
    }
    let (low, high) = (function.run(&low)?, function.run(&high)?);
    for (index, (low, high)) in low.iter().zip(&high).enumerate() {
        let (Some(low), Some(high)) = (low.as_integers(), high.as_integers()) else { continue };
        let zero = zero_point(client.op, client.results()[index])?;
        stored[index].lows = low.iter().zip(high).map(|(x, y)| x.min(y) - zero).collect();
        stored[index].highs = low.iter().zip(high).map(|(x, y)| x.max(y) - zero).collect();
    }
    Ok(())
}

/// Proves the ranges of all quantized values of `@server`; every input is tried where there are at most `limit` of them.
///
/// # Errors
/// [`PassError`]
pub fn server_ranges(
    module: OperationRef<'_, '_>,
    inputs: &[Ranges],
    limit: u64,
) -> Result<ServerRanges, PassError> {
    let server = Function::named(module, SERVER)?;
    match combinations(inputs).filter(|count| *count <= limit) {
        Some(count) => enumerate(server, inputs, count),
        None => intervals(server, inputs),
    }
}

/// How many inputs there are; `None` for more than can be counted.
fn combinations(inputs: &[Ranges]) -> Option<u64> {
    inputs
        .iter()
        .flat_map(|ranges| ranges.lows.iter().zip(&ranges.highs))
        .try_fold(1u64, |product, (lo, hi)| product.checked_mul((hi - lo).unsigned_abs() + 1))
}

/// The server's inputs, as stored: how to make each combination of values.
struct Combinations<'r> {
    /// Shape, zero point and ranges of each.
    inputs: Vec<(Vec<usize>, i64, &'r Ranges)>,
}

impl<'r> Combinations<'r> {
    fn of(server: Function<'_, '_>, inputs: &'r [Ranges]) -> Result<Self, PassError> {
        let input = |(value, ranges): (Value<'_, '_>, &'r Ranges)| {
            let shape = shape_of(server.op, value)?.iter().map(|extent| *extent as usize).collect();
            Ok((shape, zero_point(server.op, value)?, ranges))
        };
        let inputs = server.arguments().into_iter().zip(inputs).map(input);
        Ok(Self { inputs: inputs.collect::<Result<_, PassError>>()? })
    }

    /// The `index`-th of them.
    fn get(&self, op: OperationRef<'_, '_>, mut index: u64) -> Result<Vec<Tensor>, PassError> {
        let mut tensors = Vec::new();
        for (shape, zero, ranges) in &self.inputs {
            let mut elements = Vec::new();
            for (lo, hi) in ranges.lows.iter().zip(&ranges.highs) {
                let span = (hi - lo).unsigned_abs() + 1;
                elements.push(lo + (index % span) as i64 + zero);
                index /= span;
            }
            let tensor = Tensor::integers(shape, elements);
            tensors.push(tensor.map_err(|fault| model_error(op, fault.to_string()))?);
        }
        Ok(tensors)
    }
}

/// Smallest and largest stored value of each element over many runs, of some of the values of a graph.
struct Extremes(Vec<Option<(Vec<i64>, Vec<i64>)>>);

impl Extremes {
    fn of(values: &[Tensor], numbers: &[usize]) -> Self {
        let pair = |number: &usize| {
            let elements: Vec<i64> = values.get(*number)?.as_integers()?.iter().copied().collect();
            Some((elements.clone(), elements))
        };
        Self(numbers.iter().map(pair).collect())
    }

    /// With the values of one more run.
    fn include(&mut self, values: &[Tensor], numbers: &[usize]) {
        for (seen, number) in self.0.iter_mut().zip(numbers) {
            let array = values.get(*number).and_then(|value| value.as_integers());
            let (Some((lows, highs)), Some(array)) = (seen, array) else { continue };
            let ends = lows.iter_mut().zip(highs);
            let extend = |((low, high), value): ((&mut i64, &mut i64), &i64)| {
                (*low, *high) = ((*low).min(*value), (*high).max(*value));
            };
            match array.as_slice() {
                Some(values) => ends.zip(values).for_each(extend),
                None => ends.zip(array.iter()).for_each(extend),
            }
        }
    }

    fn merge(mut self, other: Self) -> Self {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            if let (Some((lows, highs)), Some((other_lows, other_highs))) = (mine, theirs) {
                lows.iter_mut().zip(other_lows).for_each(|(low, other)| *low = (*low).min(other));
                highs.iter_mut().zip(other_highs).for_each(|(high, other)| *high = (*high).max(other));
            }
        }
        self
    }
}

/// Runs `@server` on `count` inputs and gives what each of its quantized values took, without zero points.
///
/// # Errors
/// [`PassError`]
pub fn observe<F>(
    server: Function<'_, '_>,
    count: u64,
    input: F,
) -> Result<BTreeMap<usize, Ranges>, PassError>
where
    F: Fn(u64) -> Result<Vec<Tensor>, PassError>,
{
    // IR handles may not leave this thread: inputs are made here, only the graph runs in parallel.
    let mut numbers = Vec::new();
    let graph = graph_with_values(server, &mut numbers)?;
    let arguments = server.arguments().into_iter().enumerate().map(|(index, value)| (index as u32, value));
    let results =
        server.ops().into_iter().zip(numbers).filter_map(|(op, number)| Some((number, result(op).ok()?)));
    // Weights are values as well, and the same in every run.
    let (mut numbers, mut wanted) = (Vec::new(), Vec::new());
    for (number, value) in arguments.chain(results) {
        if let Ok(zero) = zero_point(server.op, value) {
            numbers.push(number as usize);
            wanted.push((key(value), zero));
        }
    }
    let evaluator = Evaluator::new(&graph)?;
    let run = |seen: Option<Extremes>, inputs: &Vec<Tensor>| -> Result<Option<Extremes>, Error> {
        let values = evaluator.run_all(inputs)?;
        let Some(mut seen) = seen else { return Ok(Some(Extremes::of(&values, &numbers))) };
        seen.include(&values, &numbers);
        Ok(Some(seen))
    };
    let both = |one: Option<Extremes>, other: Option<Extremes>| match (one, other) {
        (Some(one), Some(other)) => Some(one.merge(other)),
        (one, other) => one.or(other),
    };
    let mut total = None;
    const BLOCK: u64 = 4096;
    for start in (0..count).step_by(BLOCK as usize) {
        let inputs = (start..count.min(start + BLOCK)).map(&input).collect::<Result<Vec<_>, _>>()?;
        let block: Result<Option<Extremes>, Error> =
            inputs.par_iter().try_fold(|| None, run).try_reduce(|| None, |one, other| Ok(both(one, other)));
        total = both(total, block?);
    }
    let Some(total) = total else { return Ok(BTreeMap::new()) };
    let mut ranges = BTreeMap::new();
    for ((value, zero), seen) in wanted.into_iter().zip(total.0) {
        if let Some((lows, highs)) = seen {
            let without = |values: Vec<i64>| values.iter().map(|value| value - zero).collect();
            ranges.insert(value, Ranges { lows: without(lows), highs: without(highs) });
        }
    }
    Ok(ranges)
}

fn enumerate(server: Function<'_, '_>, inputs: &[Ranges], count: u64) -> Result<ServerRanges, PassError> {
    let combinations = Combinations::of(server, inputs)?;
    let ranges = observe(server, count, |index| combinations.get(server.op, index))?;
    Ok(ServerRanges { proof: Proof::Enumeration, ranges })
}

/// The different rows (along the last axis, without zero point) that a quantized value of `@server` has when every input is tried;
/// `None` where there are more than `limit` inputs.
///
/// # Errors
/// [`PassError`]
pub fn rows_of_all_inputs(
    server: Function<'_, '_>,
    inputs: &[Ranges],
    (op, value): (OperationRef<'_, '_>, Value<'_, '_>),
    limit: u64,
) -> Result<Option<Vec<Vec<i64>>>, PassError> {
    let Some(count) = combinations(inputs).filter(|count| *count <= limit) else { return Ok(None) };
    let mut numbers = Vec::new();
    let graph = graph_with_values(server, &mut numbers)?;
    let arguments = server.arguments().into_iter().map(key);
    let results = server.ops().into_iter().zip(numbers);
    let number =
        arguments.zip(0u32..).find(|(argument, _)| *argument == key(value)).map(|(_, number)| number);
    let number = number.or_else(|| {
        results
            .filter_map(|(op, number)| Some((key(result(op).ok()?), number)))
            .find(|(found, _)| *found == key(value))
            .map(|(_, number)| number)
    });
    let number = number.ok_or_else(|| cml_dialects::ir::expected(op, "a quantized operand"))? as usize;
    let zero = zero_point(op, value)?;
    let width = shape_of(op, value)?.last().map_or(1, |last| *last as usize).max(1);
    let combinations = Combinations::of(server, inputs)?;
    let all = (0..count).map(|index| combinations.get(server.op, index)).collect::<Result<Vec<_>, _>>()?;
    let evaluator = Evaluator::new(&graph)?;
    let rows = all
        .par_iter()
        .map(|inputs| {
            let values = evaluator.run_all(inputs)?;
            let values = values.get(number).and_then(Tensor::as_integers);
            let values: Vec<i64> = values.into_iter().flatten().map(|value| value - zero).collect();
            Ok(values.chunks(width).map(<[i64]>::to_vec).collect())
        })
        .collect::<Result<Vec<Vec<Vec<i64>>>, cml_runtime::reference::Error>>()?;
    let rows: BTreeSet<Vec<i64>> = rows.into_iter().flatten().collect();
    Ok(Some(rows.into_iter().collect()))
}

fn intervals(server: Function<'_, '_>, inputs: &[Ranges]) -> Result<ServerRanges, PassError> {
    let mut ranges = BTreeMap::new();
    for (value, range) in server.arguments().into_iter().zip(inputs) {
        ranges.insert(key(value), range.clone());
    }
    let ops = server.ops();
    for op in &ops {
        let known = |index: usize| -> Result<&Ranges, PassError> {
            let found = ranges.get(&key(operand(*op, index)?));
            found.ok_or_else(|| cml_dialects::ir::expected(*op, "a quantized operand").into())
        };
        let range = match op_name(*op).as_str() {
            "qnn.matmul" => product(*op, known(0)?)?,
            "qnn.quantize" => {
                let chain = Chain::trace(*op, &ops)?;
                let sources: Vec<Ranges> =
                    chain.sources.iter().filter_map(|source| ranges.get(&key(*source)).cloned()).collect();
                let zero = zero_point(*op, result(*op)?)?;
                let tables = chain.tables(&sources)?;
                let end = |pick: fn(&[i64]) -> Option<&i64>| {
                    tables
                        .iter()
                        .map(|table| pick(&table.values).copied().unwrap_or_default() - zero)
                        .collect()
                };
                Ranges { lows: end(|values| values.iter().min()), highs: end(|values| values.iter().max()) }
            }
            "qnn.lookup" => {
                return Err(model_error(*op, "run `cml-infer-ranges` before `cml-fuse-float-chains`"));
            }
            name if name.starts_with("qnn.") && is_movement(*op) => {
                let inputs: Vec<Ranges> =
                    (0..operands(*op).len()).map(|index| known(index).cloned()).collect::<Result<_, _>>()?;
                moved(*op, &inputs)?
            }
            _ => continue,
        };
        ranges.insert(key(result(*op)?), range);
    }
    Ok(ServerRanges { proof: Proof::Intervals, ranges })
}

/// Interval arithmetic on a matrix product.
fn product(op: OperationRef<'_, '_>, input: &Ranges) -> Result<Ranges, PassError> {
    let attributes = Attributes(op);
    let weights = attributes.i64_elements("weights")?;
    let shape = tensor_shape(attributes.get("weights")?.r#type()).unwrap_or_default();
    let (inner, columns) = match shape[..] {
        [inner, columns] => (inner as usize, columns as usize),
        _ => return Err(model_error(op, "expected weights of rank 2")),
    };
    let rows = input.lows.len().checked_div(inner).unwrap_or(0);
    let mut sums = Ranges { lows: vec![0; rows * columns], highs: vec![0; rows * columns] };
    for row in 0..rows {
        for i in 0..inner {
            let (lo, hi) = (input.lows[row * inner + i], input.highs[row * inner + i]);
            for (j, weight) in weights[i * columns..(i + 1) * columns].iter().enumerate() {
                let (x, y) = (lo.saturating_mul(*weight), hi.saturating_mul(*weight));
                let at = row * columns + j;
                sums.lows[at] = sums.lows[at].saturating_add(x.min(y));
                sums.highs[at] = sums.highs[at].saturating_add(x.max(y));
            }
        }
    }
    Ok(sums)
}

fn moved(op: OperationRef<'_, '_>, inputs: &[Ranges]) -> Result<Ranges, PassError> {
    let origins = origins(op)?;
    let all = |pick: fn(&Ranges) -> &Vec<i64>| {
        let ends: Vec<i64> = inputs.iter().flat_map(|ranges| pick(ranges).iter().copied()).collect();
        origins.iter().map(|number| ends[*number]).collect()
    };
    Ok(Ranges { lows: all(|ranges| &ranges.lows), highs: all(|ranges| &ranges.highs) })
}
