//! Proof that a chain gives the value of its table, whatever its readings do within their tolerances.
//!
//! It knows nothing of forms. From phase to phase it follows every value that the nodes still to come may read, with the
//! result that is due; where one value is due two results, or the last one is not the result that is due, a reading within
//! its tolerance would be wrong. Values that lie in a row go together: most tables are a few straight lines.

use super::sites::Sites;
use super::{Input, Node, Role};
use cml_runtime::reference::message::Table;
use cml_runtime::units::Spacing;
use std::collections::BTreeMap;

/// A chain that is wrong for readings within their tolerances.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// It is no chain.
    #[error("node {node} reads what is not there, or spacings that do not divide its own")]
    Malformed {
        /// Its number.
        node: usize,
    },
    /// The node cannot tell apart what must be told apart.
    #[error("node {node} reads {value} where {one} is due, and where {other} is")]
    Ambiguous {
        /// Its number.
        node: usize,
        /// What it reads.
        value: i64,
        /// A result.
        one: i64,
        /// Another one.
        other: i64,
    },
    /// A value that the table of a node does not have.
    #[error("node {node} reads {value}, which is no entry of its table")]
    Outside {
        /// Its number.
        node: usize,
        /// What it reads.
        value: i64,
    },
    /// The last node gives another value.
    #[error("the result is {found} where {expected} is due")]
    Result {
        /// What it gives.
        found: i64,
        /// What the table has.
        expected: i64,
    },
}

/// Checks a chain for one table against every argument, and every reading that is off by less than its tolerance and half a
/// slot. Bootstraps of one input and one key whose tables begin alike read at one phase, so they are off by the same.
///
/// An approximate reading gives the value of an argument within its tolerance, or of an end.
///
/// Takes little longer than making the chain, so that the compiler can check each.
///
/// # Errors
/// [`Wrong`] where it may give another value than the table's.
pub fn verify(nodes: &[Node], table: &Table, input: Spacing) -> Result<(), Wrong> {
    let chain = Chain { nodes, input };
    let mut node = chain.first_phase(0)?;
    if let [Node::Bootstrap { role: Role::Approximate, tolerance, .. }] = nodes {
        return chain.phase(node)?.is_near(table, *tolerance);
    }
    let lo = table.lo;
    let arguments =
        table.values.iter().zip(lo..).map(|(due, x)| Row { fixed: vec![], lo: x, hi: x, due: *due });
    let mut live = vec![Input::Value];
    let mut rows = merged(node, arguments.collect())?;
    loop {
        let phase = chain.phase(node)?;
        let next = chain.first_phase(phase.after).unwrap_or(nodes.len());
        let wanted = chain.wanted(next);
        let mut found = Vec::new();
        for row in &rows {
            if let Some(value) = phase.sites.missing(row.lo, row.hi) {
                return Err(Wrong::Outside { node, value });
            }
            for value in row.lo..=row.hi {
                let known = Known { live: &live, fixed: &row.fixed, value };
                phase.outcomes(value, |line| {
                    chain.advance(&phase, (next, &wanted), &known, line, row.due, &mut found)
                })?;
            }
        }
        if next == nodes.len() {
            return Ok(());
        }
        rows = merged(next, found)?;
        (live, node) = (wanted, next);
    }
}

/// Values in a row of the input of the next phase, with the values of all else that is still needed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    fixed: Vec<i64>,
    lo: i64,
    hi: i64,
    due: i64,
}

/// Sorted, without doubles: each value once.
fn merged(node: usize, mut rows: Vec<Row>) -> Result<Vec<Row>, Wrong> {
    rows.sort_unstable();
    let mut merged: Vec<Row> = Vec::with_capacity(rows.len());
    for row in rows {
        match merged.last_mut().filter(|last| last.fixed == row.fixed) {
            Some(last) if last.due == row.due && row.lo <= last.hi.saturating_add(1) => {
                last.hi = last.hi.max(row.hi);
            }
            Some(last) if row.lo <= last.hi => {
                return Err(Wrong::Ambiguous { node, value: row.lo, one: last.due, other: row.due });
            }
            _ => merged.push(row),
        }
    }
    Ok(merged)
}

/// `start + slope * t`.
#[derive(Clone, Copy, Debug)]
struct Affine {
    start: i64,
    slope: i64,
}

/// What a phase may read: for `t` in `0..length`, a value of each of its tables.
struct Line {
    length: i64,
    tables: Vec<Affine>,
}

/// What is known before a phase.
struct Known<'a> {
    /// The first is the input of the phase.
    live: &'a [Input],
    fixed: &'a [i64],
    value: i64,
}

/// Bootstraps at one phase.
struct Phase {
    first: usize,
    after: usize,
    sites: Sites,
}

impl Phase {
    /// Every line of what may be read for this value.
    fn outcomes(&self, value: i64, mut found: impl FnMut(&Line) -> Result<(), Wrong>) -> Result<(), Wrong> {
        self.sites.read(value, |length, tables| {
            let tables =
                tables.iter().map(|(start, slope)| Affine { start: *start, slope: *slope }).collect();
            found(&Line { length, tables })
        })
    }
}

impl Phase {
    /// Checks that every argument reads a value that the table has at most `tolerance` slots away.
    fn is_near(&self, table: &Table, tolerance: u64) -> Result<(), Wrong> {
        let malformed = Wrong::Malformed { node: self.first };
        let tolerance = i64::try_from(tolerance).map_err(|_| malformed)?;
        let mut places: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for (value, x) in table.values.iter().zip(table.lo..) {
            places.entry(*value).or_default().push(x);
        }
        let has = |x: i64, found: i64| {
            let places = places.get(&found).map_or(&[][..], Vec::as_slice);
            let first = places.partition_point(|place| *place < x - tolerance);
            places.get(first).is_some_and(|place| *place <= x + tolerance)
        };
        for (expected, x) in table.values.iter().zip(table.lo..) {
            if let Some(value) = self.sites.missing(x, x) {
                return Err(Wrong::Outside { node: self.first, value });
            }
            self.outcomes(x, |line| {
                let Some(Affine { start, slope }) = line.tables.first() else { return Ok(()) };
                let length = if *slope == 0 { line.length.min(1) } else { line.length };
                let mut found = (0..length).map(|t| start + slope * t);
                let wrong = found.find(|found| !has(x, *found));
                wrong.map_or(Ok(()), |found| Err(Wrong::Result { found, expected: *expected }))
            })?;
        }
        Ok(())
    }
}

struct Chain<'a> {
    nodes: &'a [Node],
    input: Spacing,
}

impl Chain<'_> {
    /// The first bootstrap from a node on.
    fn first_phase(&self, from: usize) -> Result<usize, Wrong> {
        let found = self.nodes.iter().skip(from).position(|node| matches!(node, Node::Bootstrap { .. }));
        found.map(|at| from + at).ok_or(Wrong::Malformed { node: self.nodes.len() })
    }

    fn spacing(&self, input: Input) -> Option<Spacing> {
        match input {
            Input::Value => Some(self.input),
            Input::Node(number) => self.nodes.get(number).map(|node| match node {
                Node::Combine { spacing, .. } | Node::Bootstrap { spacing, .. } => *spacing,
            }),
        }
    }

    /// The bootstraps from `first` on that read at its phase.
    fn phase(&self, first: usize) -> Result<Phase, Wrong> {
        let malformed = Wrong::Malformed { node: first };
        let Some(Node::Bootstrap { input, tolerance, key, extension, table, .. }) = self.nodes.get(first)
        else {
            return Err(malformed);
        };
        let (at, shape) = ((*input, *tolerance, *key, *extension), (table.lo, table.values.len()));
        let mut tables: Vec<(&Table, i64)> = Vec::new();
        for node in &self.nodes[first..] {
            match node {
                Node::Bootstrap { input, tolerance, key, extension, table, center, .. }
                    if (*input, *tolerance, *key, *extension) == at
                        && (table.lo, table.values.len()) == shape =>
                {
                    tables.push((table, *center));
                }
                _ => break,
            }
        }
        let spacing = self.spacing(*input).filter(|spacing| spacing.0 > 0);
        let (Some(spacing), false) = (spacing, table.values.is_empty()) else { return Err(malformed) };
        let after = first + tables.len();
        Ok(Phase { first, after, sites: Sites::new(&tables, spacing, *tolerance) })
    }

    /// What the nodes from a phase on read of all before it; first the input of the phase.
    fn wanted(&self, phase: usize) -> Vec<Input> {
        let mut wanted: Vec<Input> = Vec::new();
        for node in self.nodes.iter().skip(phase) {
            let inputs: Vec<Input> = match node {
                Node::Combine { terms, .. } => terms.iter().map(|(input, _)| *input).collect(),
                Node::Bootstrap { input, .. } => vec![*input],
            };
            let before = |input: &Input| match input {
                Input::Value => true,
                Input::Node(number) => *number < phase,
            };
            for input in inputs.into_iter().filter(before) {
                if !wanted.contains(&input) {
                    wanted.push(input);
                }
            }
        }
        wanted
    }

    /// The rows that one line of readings leads to before the next phase; after the last one, whether the result is due.
    fn advance(
        &self,
        phase: &Phase,
        (next, wanted): (usize, &[Input]),
        known: &Known<'_>,
        line: &Line,
        due: i64,
        rows: &mut Vec<Row>,
    ) -> Result<(), Wrong> {
        let mut made: Vec<Affine> = line.tables.clone();
        let get = |made: &[Affine], input: Input| -> Option<Affine> {
            if let Input::Node(number) = input
                && number >= phase.first
            {
                return made.get(number - phase.first).copied();
            }
            let at = known.live.iter().position(|live| *live == input)?;
            let start = if at == 0 { known.value } else { *known.fixed.get(at - 1)? };
            Some(Affine { start, slope: 0 })
        };
        for (number, node) in self.nodes.iter().enumerate().take(next).skip(phase.after) {
            let malformed = Wrong::Malformed { node: number };
            let Node::Combine { terms, bias, spacing } = node else { return Err(malformed) };
            let mut sum = Affine { start: *bias, slope: 0 };
            for (input, weight) in terms {
                let divides =
                    self.spacing(*input).is_some_and(|own| own.0 > 0 && spacing.0.is_multiple_of(own.0));
                let Some(term) = get(&made, *input).filter(|_| divides) else { return Err(malformed) };
                sum.start = sum.start.wrapping_add(term.start.wrapping_mul(*weight));
                sum.slope = sum.slope.wrapping_add(term.slope.wrapping_mul(*weight));
            }
            made.push(sum);
        }
        if next == self.nodes.len() {
            let result = made[made.len() - 1];
            return (0..line.length)
                .map(|t| at(result, t))
                .find(|found| *found != due)
                .map_or(Ok(()), |found| Err(Wrong::Result { found, expected: due }));
        }
        let values: Option<Vec<Affine>> = wanted.iter().map(|input| get(&made, *input)).collect();
        let values = values.ok_or(Wrong::Malformed { node: next })?;
        let (moving, others) = values.split_first().ok_or(Wrong::Malformed { node: next })?;
        let in_a_row = moving.slope.abs() <= 1 && others.iter().all(|other| other.slope == 0);
        let ends =
            if in_a_row { vec![(0, line.length - 1)] } else { (0..line.length).map(|t| (t, t)).collect() };
        for (from, to) in ends {
            let (one, other) = (at(*moving, from), at(*moving, to));
            let fixed = others.iter().map(|other| at(*other, from)).collect();
            rows.push(Row { fixed, lo: one.min(other), hi: one.max(other), due });
        }
        Ok(())
    }
}

fn at(line: Affine, t: i64) -> i64 {
    line.start.wrapping_add(line.slope.wrapping_mul(t))
}
