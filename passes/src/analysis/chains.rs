//! Chains of float ops between a `qnn.dequantize` and a `qnn.quantize`: functions of one integer for each element.
//!
//! Elementwise ops with clear constants, and ops that only move elements, may stand in a chain, in any shape that leaves each
//! result element a function of one integer: `x * sigmoid(x)` is one, `a + b` of two layers is not. Tables come from running the
//! very ops of the chain, so they equal the quantized model in every corner case.

use crate::analysis::movement;
use crate::framework::{PassError, model_error};
use cml_dialects::fhe::Ranges;
use cml_dialects::interpret::{GraphBuilder, is_movement};
use cml_dialects::ir::{key, node_name, op_name, operand, operands, result, shape_of};
use cml_dialects::{nn, qnn};
use cml_runtime::reference::message::{Element, Graph, Port, Table};
use cml_runtime::reference::{Evaluator, Value as Tensor};
use melior::ir::operation::OperationLike;
use melior::ir::{Location, OperationRef, Value};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Longest table that is computed; wider accumulators are refused before.
const MAX_TABLE: u64 = 1 << 20;

/// Elementwise ops of `nn`.
const ELEMENTWISE: &[&str] = &[
    "nn.add",
    "nn.sub",
    "nn.mul",
    "nn.div",
    "nn.neg",
    "nn.relu",
    "nn.leaky_relu",
    "nn.sigmoid",
    "nn.tanh",
    "nn.clip",
    "nn.elu",
    "nn.softplus",
    "nn.batch_normalization",
    "nn.fake_quantize",
];

/// A chain that ends in one `qnn.quantize`.
pub struct Chain<'c, 'a> {
    /// The `qnn.quantize`.
    pub end: OperationRef<'c, 'a>,
    /// All its ops in order: dequantizations, constants, float ops, the end.
    pub ops: Vec<OperationRef<'c, 'a>>,
    /// The quantized values that enter.
    pub sources: Vec<Value<'c, 'a>>,
    /// For each element of the result: which source, and which of its elements.
    pub origin: Vec<(usize, usize)>,
    graph: Graph,
}

/// Which elements of the sources a value's elements come from; `None` for a clear value.
type Origin = Option<Traced>;

/// Shape of an encrypted value, and for each element which source it comes from, and which element of that.
type Traced = (Vec<usize>, Vec<(usize, usize)>);

impl<'c, 'a> Chain<'c, 'a> {
    /// Traces the chain that ends in `end`; `all` are the ops of the function in order.
    ///
    /// # Errors
    /// [`PassError::Model`] at the op that mixes elements, or reads several integers.
    pub fn trace(end: OperationRef<'c, 'a>, all: &[OperationRef<'c, 'a>]) -> Result<Self, PassError> {
        let ops = slice(end, all)?;
        let mut sources: Vec<Value<'c, 'a>> = Vec::new();
        let mut origins: BTreeMap<usize, Origin> = BTreeMap::new();
        let mut builder = GraphBuilder::default();
        for op in ops.iter().filter(|op| op_name(**op) == "qnn.dequantize") {
            let source = operand(*op, 0)?;
            if !sources.iter().any(|known| key(*known) == key(source)) {
                let shape = shape_of(*op, source)?;
                let port = Port { name: node_name(*op), shape, element: Element::I64.into() };
                let number = builder.input(port);
                builder.bind(source, number);
                sources.push(source);
            }
        }
        for op in &ops {
            let origin = origin_of(*op, &sources, &origins)?;
            origins.insert(key(result(*op)?), origin);
            let name = op_name(*op);
            let number = match name.split_once('.') {
                Some(("qnn", mnemonic)) => qnn::interpret::translate(*op, mnemonic, &mut builder)?,
                _ => nn::interpret::translate(*op, name.trim_start_matches("nn."), &mut builder)?,
            };
            builder.bind(result(*op)?, number);
        }
        let Some(Some((_, origin))) = origins.remove(&key(result(end)?)) else {
            return Err(model_error(
                end,
                "quantizes a constant: expected a value that depends on an encrypted one",
            ));
        };
        let last = builder.number(end, result(end)?)?;
        let graph = builder.finish(vec![last], vec![String::new()]);
        Ok(Self { end, ops, sources, origin, graph })
    }

    /// The op that a user knows the table by: the last before the quantizer of the next layer, its activation.
    fn known_by(&self) -> OperationRef<'c, 'a> {
        let next = node_name(self.end);
        let own = |op: &&OperationRef<'c, 'a>| {
            let name = node_name(**op);
            !name.is_empty() && name != next && op_name(**op) != "nn.constant"
        };
        *self.ops.iter().rev().find(own).unwrap_or(&self.end)
    }

    /// Its location.
    #[must_use]
    pub fn place(&self) -> Location<'c> {
        self.known_by().location()
    }

    /// Its ONNX node.
    #[must_use]
    pub fn node(&self) -> String {
        node_name(self.known_by())
    }

    /// For each element of the result, its table over the range of the element that it comes from; inputs without zero
    /// point, results as stored.
    ///
    /// # Errors
    /// [`PassError::Model`] for a range of more than 2^20 values.
    pub fn tables(&self, ranges: &[Ranges]) -> Result<Vec<Table>, PassError> {
        let span = |(source, element): &(usize, usize)| {
            (ranges[*source].highs[*element] - ranges[*source].lows[*element]).unsigned_abs() + 1
        };
        let longest = self.origin.iter().map(span).max().unwrap_or(1);
        if longest > MAX_TABLE {
            let message = format!(
                "an accumulator takes {longest} values, tables of more than {MAX_TABLE} are not built: use fewer \
                                   bits for weights or inputs"
            );
            return Err(model_error(self.end, message));
        }
        let frames = self.frames()?;
        let evaluator = Evaluator::new(&self.graph)?;
        let columns: Vec<Vec<i64>> = (0..longest as i64)
            .into_par_iter()
            .map(|step| at(&evaluator, &frames, ranges, step))
            .collect::<Result<_, _>>()
            .map_err(|fault| model_error(self.end, fault))?;
        let table = |(index, origin): (usize, &(usize, usize))| {
            let values = columns.iter().take(span(origin) as usize).map(|column| column[index]).collect();
            Table { lo: ranges[origin.0].lows[origin.1], values }
        };
        Ok(self.origin.iter().enumerate().map(table).collect())
    }

    /// Zero point and shape of each source.
    fn frames(&self) -> Result<Vec<(i64, Vec<usize>)>, PassError> {
        let frame = |source: &Value<'c, 'a>| {
            let shape = shape_of(self.end, *source)?.iter().map(|extent| *extent as usize).collect();
            Ok((qnn::zero_point(self.end, *source)?, shape))
        };
        self.sources.iter().map(frame).collect()
    }
}

/// The result where each element of the sources is `step` above its smallest value, or at its largest.
fn at(
    evaluator: &Evaluator<'_>,
    frames: &[(i64, Vec<usize>)],
    ranges: &[Ranges],
    step: i64,
) -> Result<Vec<i64>, String> {
    let mut inputs = Vec::new();
    for ((zero, shape), ranges) in frames.iter().zip(ranges) {
        let elements =
            ranges.lows.iter().zip(&ranges.highs).map(|(lo, hi)| (lo + step).min(*hi) + zero).collect();
        inputs.push(Tensor::integers(shape, elements).map_err(|fault| fault.to_string())?);
    }
    let outputs = evaluator.run(&inputs).map_err(|error| error.to_string())?;
    let stored = outputs.first().and_then(Tensor::as_integers).ok_or("expected integers from a quantizer")?;
    Ok(stored.iter().copied().collect())
}

/// The ops that `end` needs, back to the dequantizations, in order.
fn slice<'c, 'a>(
    end: OperationRef<'c, 'a>,
    all: &[OperationRef<'c, 'a>],
) -> Result<Vec<OperationRef<'c, 'a>>, PassError> {
    let mut needed = BTreeSet::from([key(result(end)?)]);
    let mut ops = Vec::new();
    for op in all.iter().rev() {
        if needed.contains(&key(result(*op)?)) {
            if op_name(*op) != "qnn.dequantize" {
                needed.extend(operands(*op).iter().map(|value| key(*value)));
            }
            ops.push(*op);
        }
    }
    ops.reverse();
    Ok(ops)
}

fn origin_of(
    op: OperationRef<'_, '_>,
    sources: &[Value<'_, '_>],
    origins: &BTreeMap<usize, Origin>,
) -> Result<Origin, PassError> {
    let shape: Vec<usize> = shape_of(op, result(op)?)?.iter().map(|extent| *extent as usize).collect();
    let name = op_name(op);
    if name == "qnn.dequantize" {
        let source = operand(op, 0)?;
        let which = sources.iter().position(|known| key(*known) == key(source)).unwrap_or_default();
        let count = shape.iter().product();
        return Ok(Some((shape, (0..count).map(|element| (which, element)).collect())));
    }
    let inputs: Vec<&Origin> = operands(op)
        .into_iter()
        .map(|value| {
            origins
                .get(&key(value))
                .ok_or_else(|| model_error(op, "expected a `qnn.dequantize` or a constant before it"))
        })
        .collect::<Result<_, _>>()?;
    let encrypted: Vec<&Traced> = inputs.iter().filter_map(|origin| origin.as_ref()).collect();
    let Some(first) = encrypted.first() else { return Ok(None) };
    if is_movement(op) {
        if encrypted.len() != inputs.len() {
            return Err(model_error(
                op,
                "joins encrypted values with constants: not supported between two layers",
            ));
        }
        let all: Vec<(usize, usize)> = encrypted.iter().flat_map(|origin| origin.1.iter().copied()).collect();
        let moved = movement::origins(op)?.into_iter().map(|number| all[number]).collect();
        return Ok(Some((shape, moved)));
    }
    if name != "qnn.quantize" && !ELEMENTWISE.contains(&name.as_str()) {
        let message = "mixes elements between two layers: only elementwise operations and reshapes, transposes and \
                       concatenations can become tables";
        return Err(model_error(op, message));
    }
    if encrypted.iter().any(|origin| origin.0 != shape) {
        return Err(model_error(
            op,
            "repeats an encrypted value by broadcasting: not supported between two layers",
        ));
    }
    if encrypted.iter().any(|origin| origin.1 != first.1) {
        let message =
            "combines two different encrypted values: only a function of one integer can become a table";
        return Err(model_error(op, message));
    }
    Ok(Some((shape, first.1.clone())))
}
