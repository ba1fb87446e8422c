//! Prove the range of every accumulator, element by element.
//!
//! Before: `%a = qnn.matmul %x, dense<...>`
//! After:  `%a = qnn.matmul %x, dense<...> lows [...] highs [...]`
//!
//! Requires: `cml-split-client-server`. Guarantees: every `qnn.matmul` of `@server` carries the range of each element of its result,
//! proved by trying all inputs (where there are at most `enumerate` of them) or by interval arithmetic; and, with calibration
//! data, the range that was measured. The module says how many neurons never fire, and whether a range declared for the inputs
//! could make sums narrower: where none is, and calibration saw less of them than the client may send.

use super::quantization::unfired::OBSERVED;
use crate::analysis::chains::Chain;
use crate::analysis::ranges::{DeclaredRange, ServerRanges, input_ranges, observe, server_ranges};
use crate::framework::{Pass, PassError, PassInfo, PassOption, Preserves, parse};
use cml_dialects::ffi::{remove_attribute, set_attribute};
use cml_dialects::fhe::{INPUT_HIGHS, INPUT_LOWS, Ranges, UNSEEN_INPUTS};
use cml_dialects::interpret::{graph, is_movement};
use cml_dialects::ir::{Attributes, Function, Make, key, node_name, op_name, operands, result, shape_of};
use cml_dialects::nn::{NEURON_COUNTS, NEURON_NODES};
use cml_dialects::qnn::{CLIENT_IN, SERVER};
use cml_runtime::units::Width;
use melior::Context;
use melior::ir::OperationRef;
use std::collections::{BTreeMap, BTreeSet};

/// See the module's text.
pub struct InferRanges {
    enumerate: u64,
    calibration: String,
    declared: BTreeMap<String, DeclaredRange>,
}

impl Pass for InferRanges {
    const INFO: PassInfo = PassInfo {
        name: "cml-infer-ranges",
        summary: "Prove the range of every accumulator",
        description: "Ranges are proved for each element: by trying every input where there are few, else by interval arithmetic on \
            the actual weights and tables. Calibration data adds the measured range, which is shown and never used alone. \
            Neurons that are constant are counted. Where no input range is declared, and sums would be narrower if the client sent no \
            more than calibration saw, the module says so.",
        options: &[
            PassOption { name: "enumerate", description: "Most inputs that are all tried", default: "65536" },
            PassOption {
                name: "calibration",
                description: "Arrays for the measured range: name=FILE, separated by ;",
                default: "",
            },
            PassOption {
                name: "input-range",
                description: "What the client may send: name=LO:HI, separated by ;",
                default: "",
            },
        ],
        preserves: Preserves::Exactly,
    };

    fn new(values: &[&str]) -> Result<Self, String> {
        Ok(Self {
            enumerate: parse("enumerate", values[0])?,
            calibration: values[1].to_owned(),
            declared: declared_ranges(values[2])?,
        })
    }

    fn run<'c>(self, context: &'c Context, module: OperationRef<'c, '_>) -> Result<(), PassError> {
        let server = Function::named(module, SERVER)?;
        let inputs = input_ranges(module, &self.declared)?;
        let proved = server_ranges(module, &inputs, self.enumerate)?;
        let measured = self.measure(module)?;
        let make = Make(context);
        for op in server.ops() {
            if op_name(op) != "qnn.matmul" {
                continue;
            }
            let ranges = proved.of(op, result(op)?)?;
            set_attribute(op, "lows", make.i64_array(&ranges.lows));
            set_attribute(op, "highs", make.i64_array(&ranges.highs));
            if let Some(ranges) = measured.get(&key(result(op)?)) {
                set_attribute(op, "measured_lows", make.i64_array(&ranges.lows));
                set_attribute(op, "measured_highs", make.i64_array(&ranges.highs));
            }
        }
        write_neurons(context, module, &proved)?;
        remove_attribute(module, UNSEEN_INPUTS);
        if self.declared.is_empty() && self.would_narrow(module, &inputs, (&proved, &measured))? {
            set_attribute(module, UNSEEN_INPUTS, make.unit());
        }
        let ends = |pick: fn(&Ranges) -> &Vec<i64>| {
            inputs.iter().map(|ranges| pick(ranges).clone()).collect::<Vec<_>>()
        };
        set_attribute(server.op, INPUT_LOWS, make.i64_arrays(&ends(|ranges| &ranges.lows)));
        set_attribute(server.op, INPUT_HIGHS, make.i64_arrays(&ends(|ranges| &ranges.highs)));
        Ok(())
    }
}

/// Counts the neurons of each activation that goes into a product, and those that are constant.
fn write_neurons<'c>(
    context: &'c Context,
    module: OperationRef<'c, '_>,
    proved: &ServerRanges,
) -> Result<(), PassError> {
    let ops = Function::named(module, SERVER)?.ops();
    let mut read = BTreeSet::new();
    for op in ops.iter().rev() {
        if op_name(*op) == "qnn.matmul" || (is_movement(*op) && read.contains(&key(result(*op)?))) {
            read.extend(operands(*op).into_iter().map(key));
        }
    }
    let (mut nodes, mut counts) = (Vec::new(), Vec::new());
    for op in ops.iter().filter(|op| op_name(**op) == "qnn.quantize") {
        let value = result(*op)?;
        if !read.contains(&key(value)) {
            continue;
        }
        let ranges = proved.of(*op, value)?;
        let channels = shape_of(*op, value)?.last().map_or(1, |last| *last as usize);
        let observed = Attributes(*op).i64_array(OBSERVED).unwrap_or_default();
        let mut count = [ranges.lows.len() as i64, 0, 0];
        for (element, (low, high)) in ranges.lows.iter().zip(&ranges.highs).enumerate() {
            if low == high {
                count[if observed.contains(&((element % channels) as i64)) { 2 } else { 1 }] += 1;
            }
        }
        // What is no chain is refused, with the reason, where it is to become tables.
        nodes.push(Chain::trace(*op, &ops).map_or_else(|_| node_name(*op), |chain| chain.node()));
        counts.push(count);
    }
    let make = Make(context);
    set_attribute(module, NEURON_NODES, make.strings(&nodes));
    set_attribute(module, NEURON_COUNTS, make.i64_arrays(&counts));
    Ok(())
}

impl InferRanges {
    /// Whether the widest sum of some product would be narrower if the inputs were never more than what was measured.
    fn would_narrow(
        &self,
        module: OperationRef<'_, '_>,
        inputs: &[Ranges],
        (proved, measured): (&ServerRanges, &BTreeMap<usize, Ranges>),
    ) -> Result<bool, PassError> {
        let server = Function::named(module, SERVER)?;
        let seen = server.arguments().into_iter().map(|value| measured.get(&key(value)).cloned());
        let Some(seen) = seen.collect::<Option<Vec<_>>>().filter(|seen| seen != inputs) else {
            return Ok(false);
        };
        let narrow = server_ranges(module, &seen, self.enumerate)?;
        let widest = |ranges: &Ranges| {
            ranges.lows.iter().zip(&ranges.highs).map(|(low, high)| Width::of_range(*low, *high)).max()
        };
        for op in server.ops().into_iter().filter(|op| op_name(*op) == "qnn.matmul") {
            if widest(narrow.of(op, result(op)?)?) < widest(proved.of(op, result(op)?)?) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn measure(&self, module: OperationRef<'_, '_>) -> Result<BTreeMap<usize, Ranges>, PassError> {
        if self.calibration.is_empty() {
            return Ok(BTreeMap::new());
        }
        let client = graph(Function::named(module, CLIENT_IN)?)?;
        let samples =
            crate::analysis::samples::samples("calibration data", &client.inputs, &self.calibration)?;
        let server = Function::named(module, SERVER)?;
        observe(server, samples.len() as u64, |index| Ok(client.run(&samples[index as usize])?))
    }
}

/// [`declared_range`], separated by `;`.
pub(super) fn declared_ranges(text: &str) -> Result<BTreeMap<String, DeclaredRange>, String> {
    text.split(';').filter(|text| !text.trim().is_empty()).map(declared_range).collect()
}

/// `name=LO:HI`, or `LO:HI` for every input (kept under the empty name); several bounds, one for each feature, are separated by
/// spaces or commas.
fn declared_range(text: &str) -> Result<(String, DeclaredRange), String> {
    let (name, range) = text.rsplit_once('=').unwrap_or(("", text));
    let bad = || format!("`{text}` is no input range: expected name=LO:HI");
    let (mut lows, mut highs) = (Vec::new(), Vec::new());
    for bounds in range.split([' ', ',']).filter(|bounds| !bounds.is_empty()) {
        let (lo, hi) = bounds.split_once(':').ok_or_else(bad)?;
        let (lo, hi): (f32, f32) = (lo.parse().map_err(|_| bad())?, hi.parse().map_err(|_| bad())?);
        if !(lo.is_finite() && hi.is_finite() && lo <= hi) {
            return Err(format!("`{text}`: expected finite bounds, the lower one first"));
        }
        lows.push(lo);
        highs.push(hi);
    }
    if lows.is_empty() {
        return Err(bad());
    }
    Ok((name.trim().to_owned(), DeclaredRange { lows, highs }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_ranges_are_read_for_all_features_or_for_each() {
        let (name, range) = declared_range("x=-1:1").unwrap();
        assert_eq!((name.as_str(), range.lows, range.highs), ("x", vec![-1.0], vec![1.0]));
        let (_, range) = declared_range("x=0:1,2:3.5").unwrap();
        assert_eq!((range.lows, range.highs), (vec![0.0, 2.0], vec![1.0, 3.5]));
    }

    #[test]
    fn bad_input_ranges_are_refused() {
        for text in ["x=", "x=1", "x=2:1", "x=0:inf", "x=a:b"] {
            assert!(declared_range(text).is_err(), "{text}");
        }
    }
}
