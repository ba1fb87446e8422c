//! Execution on clear integers: exact, and the reference for the other executors.

use super::{BootstrapStep, CheckedServer, CombineStep, Error, Executor, LinearStep, Phase};
use crate::program::Reading;
use crate::program::message::{Bootstrap, Compare};

/// Integers of one sample.
pub struct Clear;

impl CheckedServer<'_> {
    /// Runs one sample: one list of integers for each input, and for each output.
    ///
    /// # Errors
    /// [`Error`] for inputs of another size, a sum beyond 64 bits, or a value outside of a table.
    pub fn run_clear(&self, inputs: &[Vec<i64>]) -> Result<Vec<Vec<i64>>, Error> {
        self.expect_inputs(&inputs.iter().map(Vec::len).collect::<Vec<_>>())?;
        self.walk(&mut Clear, inputs.to_vec())
    }
}

impl Executor for Clear {
    type Value = Vec<i64>;

    fn linear(&mut self, step: &LinearStep<'_>, inputs: &[&Vec<i64>]) -> Result<Vec<i64>, Error> {
        let input: Vec<i64> = inputs.iter().flat_map(|input| input.iter().copied()).collect();
        let row = |(element, bias): (usize, &i64)| {
            sum(*bias, step.row(element).iter().copied().zip(input.iter().copied()))
                .ok_or_else(|| Error::Overflow { node: step.node.to_owned(), element })
        };
        step.linear.bias.iter().enumerate().map(row).collect()
    }

    fn combine(&mut self, step: &CombineStep<'_>, inputs: &[&Vec<i64>]) -> Result<Vec<i64>, Error> {
        let element = |(element, bias): (usize, &i64)| {
            let values = inputs.iter().map(|input| input[element]);
            sum(*bias, step.combine.weights.iter().copied().zip(values))
                .ok_or_else(|| Error::Overflow { node: step.node.to_owned(), element })
        };
        step.combine.bias.iter().enumerate().map(element).collect()
    }

    fn bootstraps(&mut self, phases: &[(Phase<'_>, &Vec<i64>)]) -> Result<Vec<Vec<Vec<i64>>>, Error> {
        let of_phase = |(phase, input): &(Phase<'_>, &Vec<i64>)| {
            phase.steps().iter().map(|step| read(step, input)).collect::<Result<Vec<_>, _>>()
        };
        phases.iter().map(of_phase).collect()
    }
}

/// `bias + sum of weight * value`; `None` beyond 64 bits.
fn sum(bias: i64, terms: impl Iterator<Item = (i64, i64)>) -> Option<i64> {
    let mut products = terms.map(|(weight, value)| i128::from(weight) * i128::from(value));
    let sum = products.try_fold(i128::from(bias), i128::checked_add);
    sum.and_then(|sum| i64::try_from(sum).ok())
}

fn read(step: &BootstrapStep<'_>, input: &[i64]) -> Result<Vec<i64>, Error> {
    match step.reading {
        Reading::Tables(bootstrap) => read_tables(step.node, bootstrap, input),
        Reading::Comparisons(compare) => read_comparisons(step.node, compare, input),
    }
}

fn read_tables(node: &str, bootstrap: &Bootstrap, input: &[i64]) -> Result<Vec<i64>, Error> {
    let read = |(element, (value, table)): (usize, (&i64, &u32))| {
        let table = &bootstrap.tables[*table as usize];
        let slot = usize::try_from(i128::from(*value) - i128::from(table.lo)).ok();
        slot.and_then(|slot| table.values.get(slot)).copied().ok_or_else(|| Error::OutsideTable {
            node: node.to_owned(),
            element,
            value: *value,
            lo: table.lo,
            hi: table.lo.saturating_add(table.values.len() as i64 - 1),
        })
    };
    input.iter().zip(&bootstrap.table_of).enumerate().map(read).collect()
}

fn read_comparisons(node: &str, compare: &Compare, input: &[i64]) -> Result<Vec<i64>, Error> {
    let mut results = Vec::new();
    for (element, (value, comparisons)) in input.iter().zip(&compare.elements).enumerate() {
        let (lo, hi) = (comparisons.lo, comparisons.hi);
        if !(lo..=hi).contains(value) {
            return Err(Error::OutsideTable { node: node.to_owned(), element, value: *value, lo, hi });
        }
        results.extend(comparisons.thresholds.iter().map(|threshold| i64::from(value >= threshold)));
    }
    Ok(results)
}
