//! What values a network has on given samples: the ground on which calibration decides, and measured ranges.

use crate::framework::PassError;
use cml_dialects::interpret::graph_with_values;
use cml_dialects::ir::{Function, IrError, expected, key, result, shape_of};
use cml_runtime::reference::message::Graph;
use cml_runtime::reference::{Error as RunError, Evaluator, Value};
use melior::ir::Value as IrValue;
use ndarray::Array2;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Where a value that a network computed is not finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NotFinite {
    /// Number of the sample.
    pub row: usize,
    /// Index of the last axis.
    pub feature: usize,
    /// What was computed.
    pub value: f32,
}

/// The values of one tensor on all samples, for each index of its last axis (a scalar has one).
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// All values of each feature, sample after sample.
    pub features: Vec<Vec<f32>>,
    /// The first value that is not finite.
    pub not_finite: Option<NotFinite>,
}

impl Observed {
    fn new(features: usize, rows: &[&Value]) -> Self {
        let mut observed = Self { features: vec![Vec::new(); features], not_finite: None };
        for (row, value) in rows.iter().enumerate() {
            for (at, value) in value.as_floats().into_iter().flatten().enumerate() {
                let feature = at % features;
                if !value.is_finite() && observed.not_finite.is_none() {
                    observed.not_finite = Some(NotFinite { row, feature, value: *value });
                }
                observed.features[feature].push(*value);
            }
        }
        observed
    }
}

impl Observed {
    /// Row by row, in the order of samples.
    #[must_use]
    pub fn rows(&self) -> Array2<f64> {
        let count = self.features.first().map_or(0, Vec::len);
        Array2::from_shape_fn((count, self.features.len()), |(row, feature)| {
            f64::from(self.features[feature][row])
        })
    }
}

/// Runs a function of float ops on every sample, on all cores, and keeps what the given values (arguments, or results of
/// its ops) have been.
///
/// # Errors
/// [`PassError`]; of several samples that fail, the first is told.
pub fn observe<'c>(
    function: Function<'c, '_>,
    wanted: &[IrValue<'c, '_>],
    samples: &[Vec<Value>],
) -> Result<Vec<Observed>, PassError> {
    let (graph, numbers) = numbered_graph(function)?;
    let mut chosen = Vec::new();
    for value in wanted {
        let number = numbers.get(&key(*value)).copied();
        let number = number.ok_or_else(|| expected(function.op, "a value of the function"))?;
        let features = shape_of(function.op, *value)?.last().copied().unwrap_or(1) as usize;
        chosen.push((number, features));
    }
    let evaluator = Evaluator::new(&graph)?;
    let run = |inputs: &Vec<Value>| -> Result<Vec<Value>, RunError> {
        let values = evaluator.run_all(inputs)?;
        Ok(chosen.iter().filter_map(|(number, _)| values.get(*number as usize).cloned()).collect())
    };
    // Collected before it is searched for errors, so that the first error is the same in every run.
    let rows: Vec<Result<Vec<Value>, RunError>> = samples.par_iter().map(run).collect();
    let rows: Vec<Vec<Value>> = rows.into_iter().collect::<Result<_, _>>()?;
    let observed = |(index, (_, features)): (usize, &(u32, usize))| {
        let rows: Vec<&Value> = rows.iter().filter_map(|row| row.get(index)).collect();
        Observed::new(*features, &rows)
    };
    Ok(chosen.iter().enumerate().map(observed).collect())
}

/// The computation of a function, and the number of each of its IR values in it.
///
/// # Errors
/// [`IrError`] for an op without meaning.
pub fn numbered_graph(function: Function<'_, '_>) -> Result<(Graph, BTreeMap<usize, u32>), IrError> {
    let mut results = Vec::new();
    let graph = graph_with_values(function, &mut results)?;
    let arguments = function.arguments().into_iter().zip(0u32..);
    let mut numbers: BTreeMap<usize, u32> = arguments.map(|(value, number)| (key(value), number)).collect();
    for (op, number) in function.ops().into_iter().zip(results) {
        numbers.insert(key(result(op)?), number);
    }
    Ok((graph, numbers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_the_last_axis() {
        let rows = [
            Value::floats(&[1, 2, 2], vec![1.0, 2.0, 3.0, 4.0]).unwrap(),
            Value::floats(&[1, 2, 2], vec![5.0, f32::INFINITY, 7.0, 8.0]).unwrap(),
        ];
        let observed = Observed::new(2, &rows.each_ref());
        assert_eq!(observed.features[0], [1.0, 3.0, 5.0, 7.0]);
        let expected = NotFinite { row: 1, feature: 1, value: f32::INFINITY };
        assert_eq!(observed.not_finite, Some(expected));
    }
}
