//! Tables of figures, for people and for programs.

use std::fmt::{Display, Formatter};

use serde_json::{Map, Value, json};

/// A title, named columns, and rows of names and numbers.
pub(crate) struct Table {
    title: &'static str,
    columns: Vec<&'static str>,
    rows: Vec<Vec<Value>>,
}

impl Table {
    pub(crate) fn new(title: &'static str, columns: &[&'static str]) -> Self {
        Self { title, columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row; a cell that is `null` has no figure.
    pub(crate) fn add(&mut self, row: impl IntoIterator<Item = Value>) {
        self.rows.push(row.into_iter().collect());
    }

    /// One object for each row.
    pub(crate) fn to_json(&self) -> Value {
        let object = |row: &Vec<Value>| {
            let fields = self.columns.iter().zip(row).map(|(name, cell)| ((*name).to_owned(), cell.clone()));
            Value::Object(fields.collect::<Map<_, _>>())
        };
        json!({"title": self.title, "rows": self.rows.iter().map(object).collect::<Vec<_>>()})
    }
}

/// Whole numbers and names as they are, others with three digits or so.
fn shown(cell: &Value) -> String {
    match cell {
        Value::Null => "-".to_owned(),
        Value::String(name) => name.clone(),
        Value::Number(number) if number.is_f64() => {
            let number = number.as_f64().unwrap_or(f64::NAN);
            let decimals = if number.abs() < 10.0 { 2 } else { usize::from(number.abs() < 100.0) };
            format!("{number:.decimals$}")
        }
        other => other.to_string(),
    }
}

/// As Markdown, with aligned columns.
impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let cells: Vec<Vec<String>> = self.rows.iter().map(|row| row.iter().map(shown).collect()).collect();
        let widest = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let header = self.columns.iter().enumerate();
        let widths: Vec<usize> = header.map(|(column, name)| widest(column).max(name.len())).collect();
        writeln!(f, "{}\n", self.title)?;
        let mut line = |cells: &[String]| {
            let padded = cells.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
                if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
            });
            writeln!(f, "| {} |", padded.collect::<Vec<_>>().join(" | "))
        };
        let names: Vec<String> = self.columns.iter().map(|name| (*name).to_owned()).collect();
        let rules: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
        line(&names)?;
        line(&rules)?;
        cells.iter().try_for_each(|row| line(row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new("times", &["name", "ms", "ratio"]);
        table.add([json!("one"), json!(7.123), json!(1)]);
        table.add([json!("another"), json!(123.4), Value::Null]);
        table
    }

    #[test]
    fn figures_are_aligned_and_rounded() {
        let expected = "times\n\n| name    |   ms | ratio |\n| ------- | ---- | ----- |\n| one     | 7.12 |     1 |\n| another |  123 |     - |\n";
        assert_eq!(table().to_string(), expected);
    }

    #[test]
    fn programs_get_all_digits_by_name() {
        let object = table().to_json();
        assert_eq!(object["rows"][0]["ms"], 7.123);
        assert_eq!(object["rows"][1]["ratio"], Value::Null);
    }
}
