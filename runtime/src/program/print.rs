//! A program as text: one line for each input, step and output.

use super::message::{
    Action, Bootstrap, Combine, Compare, EncryptedPort, Linear, ParameterSet, Program, Returned, Server,
    Stage,
};
use crate::program::Reading;
use crate::reference::message::Table;
use crate::units::Width;
use std::fmt::{Display, Formatter, Result};

/// The text of a program, for people and for tests of the compiler.
#[must_use]
pub fn print(program: &Program) -> String {
    let name = program.client.as_ref().map_or("(no client)", |client| client.model.as_str());
    let mut text = format!("program {name}\n");
    if let Some(server) = &program.server {
        text.push_str(&server.to_string());
    }
    for (part, graph) in [
        ("quantize", program.client.as_ref().and_then(|client| client.quantize.as_ref())),
        ("dequantize", program.client.as_ref().and_then(|client| client.dequantize.as_ref())),
        ("quantized", program.quantized.as_ref()),
    ] {
        if let Some(graph) = graph {
            let ops: Vec<&str> =
                graph.nodes.iter().map(|node| node.op.as_ref().map_or("?", |op| op.name())).collect();
            text.push_str(&format!("{part}: {}\n", ops.join(", ")));
        }
    }
    text
}

impl Display for Server {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for (index, set) in self.parameters.iter().enumerate() {
            writeln!(f, "key set {index}: {set}")?;
        }
        for (index, port) in self.inputs.iter().enumerate() {
            writeln!(f, "%{index} = input {port}")?;
        }
        for (index, step) in (self.inputs.len()..).zip(&self.steps) {
            write!(f, "%{index} = ")?;
            match &step.action {
                None => write!(f, "unknown")?,
                Some(Action::Linear(linear)) => write!(f, "{linear}")?,
                Some(Action::Combine(combine)) => write!(f, "{combine}")?,
                Some(Action::Bootstrap(bootstrap)) => write!(f, "{bootstrap}")?,
                Some(Action::Compare(compare)) => write!(f, "{compare}")?,
            }
            writeln!(f, "  // {}", step.node)?;
        }
        for (port, value) in self.outputs.iter().zip(&self.output_values) {
            writeln!(f, "output %{value} as {port}")?;
        }
        Ok(())
    }
}

impl Display for ParameterSet {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(
            f,
            "n={} k={} N={} pbs={}x{} ks={}x{} lwe_noise=2^{:.2} glwe_noise=2^{:.2}",
            self.lwe_dimension,
            self.glwe_dimension,
            self.polynomial_size,
            self.pbs_level,
            self.pbs_base_log,
            self.ks_level,
            self.ks_base_log,
            self.lwe_std_dev.log2(),
            self.glwe_std_dev.log2(),
        )
    }
}

impl Display for EncryptedPort {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let lo = self.lo.iter().min().copied().unwrap_or(0);
        let hi = self.hi.iter().max().copied().unwrap_or(0);
        write!(f, "{} {:?} in {lo}..={hi}, spacing {}", self.name, self.shape, spacing(self.spacing))?;
        match self.returned {
            None => Ok(()),
            Some(Returned { key: Some(key), log2_modulus }) => {
                write!(f, ", returned under small key {key} in {log2_modulus} bits")
            }
            Some(Returned { key: None, log2_modulus }) => write!(f, ", returned in {log2_modulus} bits"),
        }
    }
}

impl Display for Linear {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let inputs: Vec<String> = self.inputs.iter().map(|value| format!("%{value}")).collect();
        let columns = self.weights.len().checked_div(self.rows as usize).unwrap_or(0);
        let nonzero = self.weights.iter().filter(|weight| **weight != 0).count();
        let inputs = inputs.join(", ");
        write!(f, "linear {inputs}: {} x {columns}, {nonzero} nonzero weights", self.rows)?;
        write!(f, ", spacing {}", spacing(self.spacing))
    }
}

impl Display for Combine {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let terms: Vec<String> = self
            .weights
            .iter()
            .zip(&self.inputs)
            .map(|(weight, value)| format!("{weight} %{value}"))
            .collect();
        write!(f, "combine {}: {} elements, ", terms.join(" + "), self.bias.len())?;
        write!(f, "spacing {}", spacing(self.spacing))
    }
}

impl Display for Stage {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::Table => "table",
            Self::Fold => "fold",
            Self::Nearest => "nearest",
            Self::Count => "count",
            Self::Sign => "sign",
            Self::Approximate => "approximate",
        })
    }
}

impl Display for Bootstrap {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let entries =
            |table: &Table| Width::of_range(1, i64::try_from(table.values.len()).unwrap_or(i64::MAX));
        let widest = self.tables.iter().map(entries).max().unwrap_or(Width(0));
        write!(f, "bootstrap %{}: {} of lookup {}, ", self.input, self.stage(), self.lookup)?;
        write!(f, "{} elements, {} tables up to {widest}, ", self.table_of.len(), self.tables.len())?;
        write!(f, "key {}, extension {}, tolerance {}", self.key, self.extension, self.tolerance)?;
        write!(f, ", spacing {}", spacing(self.spacing))
    }
}

impl Display for Compare {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let results = Reading::Comparisons(self).results();
        write!(f, "compare %{} for lookup {}, ", self.input, self.lookup)?;
        write!(f, "{} elements, {results} comparisons, {} tables, ", self.elements.len(), self.tables)?;
        write!(f, "key {}, extension {}, spacing {}", self.key, self.extension, spacing(self.spacing))
    }
}

fn spacing(spacing: u64) -> String {
    format!("2^{:.2}", (spacing as f64).log2() - 64.0)
}

#[cfg(test)]
mod tests {
    use super::super::check::tests::small_program;
    use super::super::message::{Compare, Comparisons};

    #[test]
    fn a_comparison_says_what_it_serves() {
        let comparisons = |thresholds: &[i64]| Comparisons { lo: 0, hi: 9, thresholds: thresholds.to_vec() };
        let elements = vec![comparisons(&[1, 2, 5]), comparisons(&[7])];
        let compare = Compare { input: 3, elements, spacing: 1 << 58, tables: 20, ..Compare::default() };
        let expected = "compare %3 for lookup 0, 2 elements, 4 comparisons, 20 tables, key 0, extension 0, spacing 2^-6.00";
        assert_eq!(compare.to_string(), expected);
    }

    #[test]
    fn one_line_for_each_input_step_and_output() {
        let text = super::print(&small_program());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "program small");
        assert!(lines[1].starts_with("key set 0: n=930 k=1 N=2048 pbs=1x23 ks=4x4 lwe_noise=2^-"));
        assert_eq!(
            lines[2..],
            [
                "%0 = input x [1, 2] in 0..=3, spacing 2^-4.00",
                "%1 = linear %0: 1 x 2, 2 nonzero weights, spacing 2^-4.00  // fc",
                "%2 = bootstrap %1: table of lookup 0, 1 elements, 1 tables up to 3 bits, key 0, extension 0, tolerance 0, spacing 2^-4.00  // relu",
                "output %2 as y [1, 1] in 0..=1, spacing 2^-4.00",
                "quantize: Quantize",
                "dequantize: Dequantize",
                "quantized: Constant, MatMul, Lookup",
            ]
        );
    }
}
