//! The lookups of each node together, in the order of what to change first, and what would help.

use super::neighbours::{Bits, Neighbours};
use super::{Lookup, Reading};
use cml_runtime::program;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Nodes with less of the time are not worth a hint.
const LARGE_SHARE: f64 = 0.1;

/// Widths above this are read in several stages, or by a large bootstrap.
const NARROW: u32 = 5;

/// All lookups of one node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// The ONNX node.
    pub node: String,
    /// How many lookups an inference does there.
    pub lookups: u64,
    /// The smallest integer that one of them may read, proved. Constants that are added before count to the tables.
    pub low: i64,
    /// The largest.
    pub high: i64,
    /// Width of the widest range of one lookup, proved.
    pub width: u32,
    /// Width of the widest range of one lookup that calibration saw.
    pub measured_width: Option<u32>,
    /// The smallest and the largest integer that calibration saw one of them read.
    pub measured_range: Option<(i64, i64)>,
    /// Predicted milliseconds of all of them on one core.
    pub milliseconds: Option<f64>,
    /// Their part in the predicted time of all lookups.
    pub share_of_time: Option<f64>,
    /// Their part in the failure probability of an inference.
    pub share_of_p_error: f64,
    /// What may make them faster, where that is worth it.
    pub hints: Vec<String>,
}

impl Node {
    /// The nodes of a program, those that take most of the time first.
    pub(super) fn all(
        lookups: &[Lookup],
        readings: &BTreeMap<u32, Vec<Reading<'_>>>,
        neighbours: &BTreeMap<String, Neighbours>,
        unseen_inputs: bool,
    ) -> Vec<Self> {
        let mut nodes: Vec<Self> = Vec::new();
        for lookup in lookups {
            let (low, high) = range(readings.get(&lookup.lookup).map_or(&[], Vec::as_slice));
            let all = lookup.all_milliseconds();
            let Some(node) = nodes.iter_mut().find(|node| node.node == lookup.node) else {
                nodes.push(Self {
                    node: lookup.node.clone(),
                    lookups: u64::from(lookup.count),
                    low,
                    high,
                    width: lookup.width,
                    measured_width: lookup.measured_width,
                    measured_range: lookup.measured_range,
                    milliseconds: all,
                    share_of_time: lookup.share_of_time,
                    share_of_p_error: lookup.share_of_p_error,
                    hints: Vec::new(),
                });
                continue;
            };
            node.lookups += u64::from(lookup.count);
            (node.low, node.high) = (node.low.min(low), node.high.max(high));
            node.width = node.width.max(lookup.width);
            node.measured_width = node.measured_width.max(lookup.measured_width);
            node.measured_range = match (node.measured_range, lookup.measured_range) {
                (Some(one), Some(other)) => Some((one.0.min(other.0), one.1.max(other.1))),
                (one, other) => one.or(other),
            };
            node.milliseconds = node.milliseconds.zip(all).map(|(one, other)| one + other);
            node.share_of_time = node.share_of_time.zip(lookup.share_of_time).map(|(one, other)| one + other);
            node.share_of_p_error += lookup.share_of_p_error;
        }
        for node in &mut nodes {
            let neighbours = neighbours.get(&node.node).cloned().unwrap_or_default();
            node.hints = node.help(lookups, &neighbours, unseen_inputs);
        }
        let time = |node: &Self| node.share_of_time.unwrap_or_default();
        nodes.sort_by(|one, other| time(other).total_cmp(&time(one)));
        nodes
    }

    fn help(&self, lookups: &[Lookup], neighbours: &Neighbours, unseen_inputs: bool) -> Vec<String> {
        let mut hints = Vec::new();
        if self.share_of_time.is_none_or(|share| share < LARGE_SHARE) {
            return hints;
        }
        // Sums of many inputs are seldom as large as they may be: only inputs that were seen to be smaller are declared so.
        if unseen_inputs && self.measured_width.is_some_and(|seen| seen < self.width) {
            hints.push("the inputs may be more than calibration saw: --input-range".to_owned());
        }
        if self.width > NARROW {
            let (width, narrower) = (self.width, self.width - 1);
            let fewer = match &neighbours.before {
                Some(Bits { node, inputs, weights }) => {
                    format!("fewer bits than inputs={inputs} and weights={weights} in {node}")
                }
                None => "fewer bits before".to_owned(),
            };
            hints.push(format!("{width} bits: --max-accumulator-bits {narrower}, --prune, or {fewer}"));
        }
        let mut own = lookups.iter().filter(|lookup| lookup.node == self.node);
        if own.any(|lookup| lookup.form == "extended_bootstrap") {
            let fewer = match &neighbours.after {
                Some(Bits { node, inputs, .. }) => format!("fewer bits than inputs={inputs} in {node}"),
                None => "fewer activation bits".to_owned(),
            };
            hints.push(format!("some are read at once: {fewer} leave fewer steps"));
        }
        hints
    }
}

/// What the first stage of a lookup may read.
fn range(readings: &[Reading<'_>]) -> (i64, i64) {
    let ends: Vec<(i64, i64)> = match readings.first().map(|first| first.reading) {
        Some(program::Reading::Tables(bootstrap)) => {
            let end = |lo: i64, entries: usize| (lo, lo.saturating_add(entries as i64 - 1));
            bootstrap.tables.iter().map(|table| end(table.lo, table.values.len())).collect()
        }
        Some(program::Reading::Comparisons(compare)) => {
            compare.elements.iter().map(|element| (element.lo, element.hi)).collect()
        }
        None => Vec::new(),
    };
    let low = ends.iter().map(|(low, _)| *low).min();
    let high = ends.iter().map(|(_, high)| *high).max();
    (low.unwrap_or(0), high.unwrap_or(0))
}
