//! What must hold of a program before anything runs it: every number that an executor indexes or allocates by.

use super::Reading;
use super::error::Invalid;
use super::message::{
    Action, Bootstrap, Client, Combine, Compare, Comparisons, EncryptedPort, Event, Linear, ParameterSet,
    Program, Server, Stage, Step,
};
use crate::parameters::{events::events, key_sets, ledger, outputs};
use crate::reference::TensorType;
use crate::reference::message::{Element, Graph, Table};

/// Most ciphertexts of all values of a server together: at some 16 KiB each, more than any machine holds.
const MAX_CIPHERTEXTS: usize = 1 << 24;

/// How far sums of squares may differ that were made by another build.
const ROUNDING: f64 = 1e-9;

/// A flat list of ciphertexts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ciphertexts {
    /// How many.
    pub count: usize,
    /// Torus distance of neighbouring integers, in 2^-64.
    pub spacing: u64,
}

impl EncryptedPort {
    /// Number of ciphertexts, from a shape that fits its ranges.
    ///
    /// # Errors
    /// [`Invalid::Port`].
    pub fn check(&self) -> Result<Ciphertexts, Invalid> {
        let refuse = |what| Err(Invalid::Port { name: self.name.clone(), what });
        let mut extents = self.shape.iter().map(|extent| usize::try_from(*extent).ok());
        let count = extents.try_fold(1usize, |product, extent| product.checked_mul(extent?));
        if count != Some(self.lo.len()) || self.hi.len() != self.lo.len() {
            return refuse("the shape and the ranges have different numbers of elements");
        }
        if self.lo.iter().zip(&self.hi).any(|(lo, hi)| lo > hi) {
            return refuse("a range is empty");
        }
        let slots = |lo: i64, hi: i64| (i128::from(hi) - i128::from(lo) + 1) as u128;
        let wraps = |(lo, hi): (&i64, &i64)| slots(*lo, *hi) * u128::from(self.spacing) > 1 << 64;
        if self.spacing == 0 || self.lo.iter().zip(&self.hi).any(wraps) {
            return refuse("a range does not fit the torus at its spacing");
        }
        Ok(Ciphertexts { count: self.lo.len(), spacing: self.spacing })
    }
}

impl Server {
    /// Every value in order: inputs, then the result of each step.
    ///
    /// # Errors
    /// [`Invalid`] names the port or the step that does not hold.
    pub fn values(&self) -> Result<Vec<Ciphertexts>, Invalid> {
        let mut values = self.inputs.iter().map(EncryptedPort::check).collect::<Result<Vec<_>, _>>()?;
        let mut total = values.iter().fold(0, |sum: usize, value| sum.saturating_add(value.count));
        if total > MAX_CIPHERTEXTS {
            return Err(Invalid::Mismatch { what: "the inputs of the program have too many elements" });
        }
        for (index, step) in self.steps.iter().enumerate() {
            let result = step.result(&values, self.parameters.len());
            let result = result.map_err(|what| Invalid::Step { index, node: step.node.clone(), what })?;
            total = total.saturating_add(result.count);
            if total > MAX_CIPHERTEXTS {
                let what = "the values of the program have too many elements";
                return Err(Invalid::Step { index, node: step.node.clone(), what });
            }
            values.push(result);
        }
        Ok(values)
    }

    /// Refuses a server that an executor could not run.
    ///
    /// # Errors
    /// [`Invalid`] names what does not hold.
    pub fn check(&self) -> Result<(), Invalid> {
        key_sets::check(&self.parameters)?;
        let values = self.values()?;
        if self.output_values.len() != self.outputs.len() {
            return Err(Invalid::Mismatch {
                what: "the server does not return as many values as it has outputs",
            });
        }
        check_returned(&self.inputs, &self.outputs, self.parameters.len())?;
        for (port, value) in self.outputs.iter().zip(&self.output_values) {
            let expected = port.check()?;
            let refuse = |what| Err(Invalid::Port { name: port.name.clone(), what });
            match values.get(*value as usize) {
                None => return refuse("the server makes no such value"),
                Some(found) if *found != expected => {
                    return refuse("the server's value has another size or spacing");
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}

/// Only outputs are returned, and only under keys that exist.
pub(crate) fn check_returned(
    inputs: &[EncryptedPort],
    outputs: &[EncryptedPort],
    key_sets: usize,
) -> Result<(), Invalid> {
    let refuse = |port: &EncryptedPort, what| Err(Invalid::Port { name: port.name.clone(), what });
    if let Some(port) = inputs.iter().find(|port| port.returned.is_some()) {
        return refuse(port, "an input is not returned");
    }
    for port in outputs {
        if let Some(Err(what)) = port.returned.map(|returned| outputs::check(&returned, key_sets)) {
            return refuse(port, what);
        }
    }
    Ok(())
}

impl Step {
    /// The values that it reads.
    #[must_use]
    pub fn inputs(&self) -> &[u32] {
        match &self.action {
            None => &[],
            Some(Action::Linear(linear)) => &linear.inputs,
            Some(Action::Combine(combine)) => &combine.inputs,
            Some(Action::Bootstrap(bootstrap)) => std::slice::from_ref(&bootstrap.input),
            Some(Action::Compare(compare)) => std::slice::from_ref(&compare.input),
        }
    }

    /// The values that it reads, to number them anew.
    pub fn inputs_mut(&mut self) -> &mut [u32] {
        match &mut self.action {
            None => &mut [],
            Some(Action::Linear(linear)) => &mut linear.inputs,
            Some(Action::Combine(combine)) => &mut combine.inputs,
            Some(Action::Bootstrap(bootstrap)) => std::slice::from_mut(&mut bootstrap.input),
            Some(Action::Compare(compare)) => std::slice::from_mut(&mut compare.input),
        }
    }

    fn result(&self, values: &[Ciphertexts], key_sets: usize) -> Result<Ciphertexts, &'static str> {
        match &self.action {
            None => Err("an action that only a newer version knows"),
            Some(Action::Linear(linear)) => linear.result(values),
            Some(Action::Combine(combine)) => combine.result(values),
            Some(Action::Bootstrap(bootstrap)) => Reading::Tables(bootstrap).result(values, key_sets),
            Some(Action::Compare(compare)) => Reading::Comparisons(compare).result(values, key_sets),
        }
    }
}

const UNDEFINED: &str = "it reads a value that no earlier step makes";

impl Linear {
    fn result(&self, values: &[Ciphertexts]) -> Result<Ciphertexts, &'static str> {
        let inputs = of_spacings_within(&self.inputs, values, self.spacing)?;
        let rows = self.rows as usize;
        let columns = inputs.iter().fold(0, |sum: usize, input| sum.saturating_add(input.count));
        if rows.checked_mul(columns) != Some(self.weights.len()) || self.bias.len() != rows {
            return Err("weights and bias do not fit the numbers of inputs and results");
        }
        Ok(Ciphertexts { count: rows, spacing: self.spacing })
    }
}

impl Combine {
    fn result(&self, values: &[Ciphertexts]) -> Result<Ciphertexts, &'static str> {
        let inputs = of_spacings_within(&self.inputs, values, self.spacing)?;
        let count = inputs.first().ok_or("it has no inputs")?.count;
        if inputs.iter().any(|input| input.count != count) || self.bias.len() != count {
            return Err("inputs and bias have different numbers of elements");
        }
        if self.weights.len() != inputs.len() {
            return Err("there is not one weight for each input");
        }
        Ok(Ciphertexts { count, spacing: self.spacing })
    }
}

/// The inputs of a step whose result has this spacing.
fn of_spacings_within(
    inputs: &[u32],
    values: &[Ciphertexts],
    spacing: u64,
) -> Result<Vec<Ciphertexts>, &'static str> {
    let inputs: Option<Vec<Ciphertexts>> =
        inputs.iter().map(|value| values.get(*value as usize).copied()).collect();
    let inputs = inputs.ok_or(UNDEFINED)?;
    if spacing == 0 {
        return Err("the spacing is 0");
    }
    if inputs.iter().any(|input| !spacing.is_multiple_of(input.spacing)) {
        return Err("the spacing is no multiple of that of the inputs");
    }
    Ok(inputs)
}

impl Reading<'_> {
    fn result(self, values: &[Ciphertexts], key_sets: usize) -> Result<Ciphertexts, &'static str> {
        let input = values.get(self.input() as usize).ok_or(UNDEFINED)?;
        if self.key() as usize >= key_sets {
            return Err("it uses a key set that does not exist");
        }
        // Comparisons share a rotation as it is.
        let least = if self.compares() { 0 } else { ParameterSet::SHARED };
        if !(least..=ParameterSet::LARGEST_EXTENSION).contains(&self.extension()) {
            return Err("too many accumulators, or too few");
        }
        if self.spacing() == 0 {
            return Err("the spacing is 0");
        }
        match self {
            Self::Tables(bootstrap) => bootstrap.check(input)?,
            Self::Comparisons(compare) => compare.check(input)?,
        }
        Ok(Ciphertexts { count: self.results(), spacing: self.spacing() })
    }
}

impl Bootstrap {
    fn check(&self, input: &Ciphertexts) -> Result<(), &'static str> {
        if self.table_of.len() != input.count {
            return Err("there is not one table for each element");
        }
        if self.table_of.iter().any(|index| *index as usize >= self.tables.len()) {
            return Err("an element reads a table that does not exist");
        }
        if self.tables.iter().any(|table| table.last_input().is_none()) {
            return Err("a table is empty or reaches beyond the 64-bit range");
        }
        if !self.centers.is_empty() && self.centers.len() != self.tables.len() {
            return Err("there is not one center for each table");
        }
        if Stage::try_from(self.stage).is_err() {
            return Err("a stage that only a newer version knows");
        }
        let turn = 1u128 << 64;
        if (2 * u128::from(self.tolerance) + 1) * u128::from(input.spacing) > turn {
            return Err("the tolerance is more than the torus");
        }
        for (table, index) in self.tables.iter().zip(0..) {
            if table.values.len() as u128 * u128::from(input.spacing) > turn {
                return Err("a table does not fit the torus at the spacing of its input");
            }
            if !is_negacyclic(table, self.center(index), input.spacing) {
                return Err("a table of more than half the torus is not negacyclic up to its center");
            }
        }
        Ok(())
    }
}

impl Compare {
    fn check(&self, input: &Ciphertexts) -> Result<(), &'static str> {
        if self.elements.len() != input.count {
            return Err("there are not as many elements as its input has");
        }
        self.elements.iter().try_for_each(|element| element.check(input.spacing))
    }
}

impl Comparisons {
    fn check(&self, spacing: u64) -> Result<(), &'static str> {
        let Self { lo, hi, thresholds } = self;
        let (Some(first), Some(last)) = (thresholds.first(), thresholds.last()) else {
            return Err("an element without thresholds");
        };
        if first <= lo || last > hi || thresholds.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err("its thresholds do not increase, or an element is never on both sides of them");
        }
        // A threshold is told from what lies less than half a turn above it, and at most half a turn below.
        let half = |slots: u64| u128::from(slots) * u128::from(spacing) <= 1 << 63;
        if !half(last.abs_diff(*lo)) || !half(hi.abs_diff(*first).saturating_add(1)) {
            return Err("an element lies further than half the torus from a threshold");
        }
        Ok(())
    }
}

/// Whether the test polynomial can hold a table that fits the torus: entries half a turn apart add up to the center.
fn is_negacyclic(table: &Table, center: i64, spacing: u64) -> bool {
    // Two entries contradict each other only where both have phases that are half a slot or less away. Where the torus is
    // no whole number of slots, what is left over is less than 2^-32 of a slot for up to 2^15 slots in half the torus.
    // Noise of that size more or less changes no probability of the ledger beyond its own slack.
    let close = u128::from(spacing - (spacing >> 32));
    let (step, turn) = (u128::from(spacing), 1u128 << 64);
    let sum_to_center = |one: i64, other: i64| i128::from(one) + i128::from(other) == i128::from(center);
    table.values.iter().zip(0u128..).all(|(value, slot)| {
        let opposite = (slot * step + (1 << 63)) % turn;
        let below = opposite / step;
        // Seen from one of the two, no such pair wraps around the turn.
        let neighbours = [(below, opposite - below * step), (below + 1, (below + 1) * step - opposite)];
        neighbours.iter().filter(|(_, distance)| *distance < close).all(|(other, _)| {
            let other = usize::try_from(*other).ok().and_then(|other| table.values.get(other));
            other.is_none_or(|other| sum_to_center(*value, *other))
        })
    })
}

impl Client {
    /// Refuses a client's part that cannot be run, or that promises what does not hold: form, security, failures.
    ///
    /// # Errors
    /// [`Invalid`] names what does not hold.
    pub fn check(&self) -> Result<(), Invalid> {
        if self.program_hash.len() != blake3::OUT_LEN {
            return Err(Invalid::Missing { what: "hash of the server's part" });
        }
        let (inputs, outputs) = (ports(&self.inputs)?, ports(&self.outputs)?);
        check_returned(&self.inputs, &self.outputs, self.parameters.len())?;
        let quantize = present(self.quantize.as_ref(), "quantize function")?;
        let results = integer_sizes(quantize.output_types(), "quantize")?;
        if results != inputs {
            return Err(Invalid::Mismatch {
                what: "the quantize function does not give the encrypted inputs",
            });
        }
        let dequantize = present(self.dequantize.as_ref(), "dequantize function")?;
        dequantize.check().map_err(|source| Invalid::Graph { part: "dequantize", source })?;
        if integer_sizes(input_types(dequantize), "dequantize")? != outputs {
            return Err(Invalid::Mismatch {
                what: "the dequantize function does not take the encrypted outputs",
            });
        }
        self.check_declared(quantize)?;
        ledger::check(self)?;
        Ok(())
    }

    fn check_declared(&self, quantize: &Graph) -> Result<(), Invalid> {
        if !self.declared.is_empty() && self.declared.len() != quantize.inputs.len() {
            return Err(Invalid::Mismatch { what: "there is not one declared range for each float input" });
        }
        for (range, port) in self.declared.iter().zip(&quantize.inputs) {
            let count = port.tensor_type().map(|found| found.element_count()).unwrap_or(0);
            let fits = |bounds: &[f32]| bounds.len() <= 1 || bounds.len() == count;
            if !fits(&range.lo) || range.lo.len() != range.hi.len() {
                let what = "the declared range has neither one bound nor one for each feature";
                return Err(Invalid::Port { name: port.name.clone(), what });
            }
            let empty = range.lo.iter().zip(&range.hi).any(|(lo, hi)| lo.is_nan() || hi.is_nan() || lo > hi);
            if empty {
                return Err(Invalid::Port { name: port.name.clone(), what: "the declared range is empty" });
            }
        }
        Ok(())
    }
}

impl Program {
    /// Refuses a program whose parts cannot be run or do not fit together. The failure events are computed anew from the
    /// server's steps: what the client's part states about them, and so `p_error`, is what holds.
    ///
    /// # Errors
    /// [`Invalid`] names what does not hold.
    pub fn check(&self) -> Result<(), Invalid> {
        let server = present(self.server.as_ref(), "server")?;
        let client = present(self.client.as_ref(), "client")?;
        server.check()?;
        client.check()?;
        let mismatch = |what| Err(Invalid::Mismatch { what });
        if client.program_hash != server.hash() {
            return mismatch("the client's part belongs to another server's part");
        }
        if client.parameters != server.parameters {
            return mismatch("client and server have different parameters");
        }
        if client.inputs != server.inputs || client.outputs != server.outputs {
            return mismatch("client and server have different inputs or outputs");
        }
        if !same_events(&client.events, &events(server)?) {
            return mismatch("the client's failure events are not those of the server's steps");
        }
        let Some(quantized) = &self.quantized else { return Ok(()) };
        let results = integer_sizes(quantized.output_types(), "quantized")?;
        if integer_sizes(input_types(quantized), "quantized")? != ports(&server.inputs)?
            || results != ports(&server.outputs)?
        {
            return mismatch("the quantized function has other inputs or outputs than the server");
        }
        Ok(())
    }
}

/// Whether a client states what its server's steps give; what calibration measured is for information only.
fn same_events(stated: &[Event], found: &[Event]) -> bool {
    let close = |a: f64, b: f64| (a - b).abs() <= ROUNDING * b.abs();
    let same = |(stated, found): (&Event, &Event)| {
        // All but the norms, and what is for information only.
        let facts = |event: &Event| Event {
            norm2_squared_inputs: 0.0,
            norm2_squared_bootstraps: Vec::new(),
            measured_width: None,
            ..event.clone()
        };
        let (norms, expected) = (&stated.norm2_squared_bootstraps, &found.norm2_squared_bootstraps);
        facts(stated) == facts(found)
            && close(stated.norm2_squared_inputs, found.norm2_squared_inputs)
            && norms.len() == expected.len()
            && norms.iter().zip(expected).all(|(stated, found)| close(*stated, *found))
    };
    stated.len() == found.len() && stated.iter().zip(found).all(same)
}

fn present<'a, T>(part: Option<&'a T>, what: &'static str) -> Result<&'a T, Invalid> {
    part.ok_or(Invalid::Missing { what })
}

fn ports(ports: &[EncryptedPort]) -> Result<Vec<usize>, Invalid> {
    ports.iter().map(|port| port.check().map(|found| found.count)).collect()
}

fn input_types(graph: &Graph) -> Result<Vec<TensorType>, crate::reference::Error> {
    let mut types = graph.types()?;
    types.truncate(graph.inputs.len());
    Ok(types)
}

/// Sizes of tensors at the border between clear and encrypted, which hold integers.
fn integer_sizes(
    types: Result<Vec<TensorType>, crate::reference::Error>,
    part: &'static str,
) -> Result<Vec<usize>, Invalid> {
    let types = types.map_err(|source| Invalid::Graph { part, source })?;
    if types.iter().any(|found| found.element != Element::I64) {
        return Err(Invalid::Mismatch { what: "what is encrypted or decrypted is not integer" });
    }
    Ok(types.iter().map(TensorType::element_count).collect())
}

#[cfg(test)]
pub(super) mod tests;
