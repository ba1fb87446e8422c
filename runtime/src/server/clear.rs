//! Execution on clear integers: exact, and the reference for the other executors.

use super::{BootstrapStep, CheckedServer, Error, Executor, LinearStep};

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
            let products = step.row(element).iter().zip(&input);
            let sum = products
                .map(|(weight, value)| i128::from(*weight) * i128::from(*value))
                .try_fold(i128::from(*bias), i128::checked_add);
            let integer = sum.and_then(|sum| i64::try_from(sum).ok());
            integer.ok_or_else(|| Error::Overflow { node: step.node.to_owned(), element })
        };
        step.linear.bias.iter().enumerate().map(row).collect()
    }

    fn bootstrap(&mut self, step: &BootstrapStep<'_>, input: &Vec<i64>) -> Result<Vec<i64>, Error> {
        let read = |(element, (value, table)): (usize, (&i64, &u32))| {
            let table = &step.bootstrap.tables[*table as usize];
            let slot = usize::try_from(i128::from(*value) - i128::from(table.lo)).ok();
            slot.and_then(|slot| table.values.get(slot)).copied().ok_or_else(|| Error::OutsideTable {
                node: step.node.to_owned(),
                element,
                value: *value,
                lo: table.lo,
                hi: table.lo.saturating_add(table.values.len() as i64 - 1),
            })
        };
        input.iter().zip(&step.bootstrap.table_of).enumerate().map(read).collect()
    }
}
