//! Lookup: one table for each element.

use super::super::error::Fault;
use super::super::message::{Element, Lookup, Table};
use super::super::shape::TensorType;
use super::super::value::Value;
use super::need;

/// Integers of the operand's shape; each element names a table, and no table is empty.
pub(crate) fn infer(lookup: &Lookup, inputs: &[TensorType]) -> Result<TensorType, Fault> {
    let input = need(inputs, 0, Element::I64)?;
    let count = input.element_count();
    if lookup.table_of.len() != count {
        let found = lookup.table_of.len().to_string();
        return Err(Fault::Attribute {
            attribute: "table_of",
            expected: "one index for each element",
            found,
        });
    }
    if let Some(index) = lookup.table_of.iter().find(|index| **index as usize >= lookup.tables.len()) {
        let found = format!("{index} of {} tables", lookup.tables.len());
        return Err(Fault::Attribute { attribute: "table_of", expected: "an index of a table", found });
    }
    if lookup.tables.iter().any(|table| table.last_input().is_none()) {
        let found = "an empty one, or one beyond the 64-bit range".to_owned();
        return Err(Fault::Attribute { attribute: "tables", expected: "tables with entries", found });
    }
    Ok(input.clone())
}

/// The entry of each element's table.
pub(crate) fn run(lookup: &Lookup, input: &Value) -> Result<Value, Fault> {
    let input = input.need_integers(0)?;
    let entries: Result<Vec<i64>, Fault> = input
        .iter()
        .zip(&lookup.table_of)
        .enumerate()
        .map(|(index, (value, table))| {
            let table = lookup.tables.get(*table as usize).ok_or(Fault::Attribute {
                attribute: "table_of",
                expected: "an index of a table",
                found: table.to_string(),
            })?;
            table.get(*value).ok_or_else(|| Fault::OutsideTable {
                index,
                value: *value,
                lo: table.lo,
                hi: table.last_input().unwrap_or(table.lo),
            })
        })
        .collect();
    Value::integers(input.shape(), entries?)
}

impl Table {
    /// The largest input that has an entry; `None` for a table that is empty or reaches beyond i64.
    #[must_use]
    pub fn last_input(&self) -> Option<i64> {
        let steps = i64::try_from(self.values.len()).ok()?.checked_sub(1).filter(|steps| *steps >= 0)?;
        self.lo.checked_add(steps)
    }

    /// The entry of an input, where it has one.
    #[must_use]
    pub fn get(&self, input: i64) -> Option<i64> {
        let index = usize::try_from(i128::from(input) - i128::from(self.lo)).ok()?;
        self.values.get(index).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_element_reads_its_table() {
        let tables = vec![Table { lo: -1, values: vec![10, 20] }, Table { lo: 5, values: vec![7] }];
        let lookup = Lookup { tables, table_of: vec![0, 1, 0] };
        let input = Value::integers(&[3], vec![0, 5, -1]).unwrap();
        infer(&lookup, &[input.tensor_type()]).unwrap();
        assert_eq!(run(&lookup, &input).unwrap(), Value::integers(&[3], vec![20, 7, 10]).unwrap());
        let outside = Value::integers(&[3], vec![0, 5, 1]).unwrap();
        let fault = Fault::OutsideTable { index: 2, value: 1, lo: -1, hi: 0 };
        assert_eq!(run(&lookup, &outside), Err(fault));
        let far = Value::integers(&[3], vec![i64::MIN, i64::MAX, 0]).unwrap();
        assert!(run(&lookup, &far).is_err());
    }

    #[test]
    fn malformed_tables_are_refused() {
        let input = [TensorType::new([1], Element::I64)];
        for (tables, table_of) in [
            (vec![Table { lo: 0, values: vec![] }], vec![0]),
            (vec![Table { lo: i64::MAX, values: vec![1, 2] }], vec![0]),
            (vec![Table { lo: 0, values: vec![1] }], vec![1]),
            (vec![Table { lo: 0, values: vec![1] }], vec![]),
        ] {
            assert!(infer(&Lookup { tables, table_of }, &input).is_err());
        }
    }
}
