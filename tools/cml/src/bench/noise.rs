//! `cml bench noise`.

use crate::progress::Measuring;
use crate::table::table;
use anyhow::Result;
use cml_backend::report::Parameters;
use cml_runtime::client::Randomness;
use cml_runtime::commands::{NoiseRow, measure_noise, noise_sets};
use cml_runtime::output::print;
use cml_runtime::program::message::ParameterSet;
use serde::Serialize;
use std::fmt::{Display, Formatter};

/// What was measured.
#[derive(Serialize)]
struct Noise {
    sets: Vec<OfSet>,
}

/// Under the keys of one set.
#[derive(Serialize)]
struct OfSet {
    parameters: Parameters,
    operations: Vec<Operation>,
}

/// The noise of one operation, on the torus.
#[derive(Serialize)]
struct Operation {
    operation: String,
    samples: usize,
    predicted_std_log2: f64,
    measured_std_log2: f64,
    /// By how much the measured standard deviation is above the predicted one.
    error_bits: f64,
    /// In predicted standard deviations; 0 is predicted.
    mean: f64,
}

/// Prints the noise of every operation for all sets, on so many ciphertexts each.
pub(crate) fn noise(samples: usize, json: bool) -> Result<()> {
    let bar = Measuring::start();
    let (sets, mut randomness) = (noise_sets(), Randomness::from_system()?);
    let mut measured = Vec::new();
    for (index, set) in sets.iter().enumerate() {
        let progress = |finished: usize, total: usize| {
            bar.report((index as f64 + finished as f64 / total.max(1) as f64) / sets.len() as f64);
        };
        measured.push(OfSet::new(set, measure_noise(set, samples, &mut randomness, &progress)?));
    }
    drop(bar);
    let noise = Noise { sets: measured };
    Ok(print(&if json { serde_json::to_string_pretty(&noise)? + "\n" } else { noise.to_string() })?)
}

impl OfSet {
    fn new(set: &ParameterSet, rows: Vec<NoiseRow>) -> Self {
        let operation = |row: NoiseRow| Operation {
            samples: row.samples,
            predicted_std_log2: row.predicted.log2_std_dev(),
            measured_std_log2: row.measured.log2_std_dev(),
            error_bits: row.error_bits(),
            mean: row.mean / row.predicted.std_dev(),
            operation: row.operation,
        };
        Self { parameters: Parameters::of(set), operations: rows.into_iter().map(operation).collect() }
    }
}

impl Display for Noise {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "log2 of standard deviations on the torus, errors in bits")?;
        for OfSet { parameters: set, operations } in &self.sets {
            writeln!(
                f,
                "\nn = {}, k = {}, N = {}, bootstrap {} x {} bits, keyswitch {} x {} bits\n",
                set.lwe_dimension,
                set.glwe_dimension,
                set.polynomial_size,
                set.pbs_level,
                set.pbs_base_log,
                set.ks_level,
                set.ks_base_log,
            )?;
            let titles = ["operation", "samples", "predicted", "measured", "error"];
            f.write_str(&table(titles, operations.iter().map(Operation::row)))?;
        }
        let errors = self.sets.iter().flat_map(|set| &set.operations).map(|row| row.error_bits.abs());
        writeln!(f, "\nlargest error  {:.2} bits", errors.fold(0.0, f64::max))
    }
}

impl Operation {
    fn row(&self) -> [String; 5] {
        [
            self.operation.clone(),
            self.samples.to_string(),
            format!("{:.2}", self.predicted_std_log2),
            format!("{:.2}", self.measured_std_log2),
            format!("{:+.2}", self.error_bits),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cml_runtime::units::Variance;

    fn noise() -> Noise {
        let row = |operation: &str, samples, predicted: f64, measured: f64| NoiseRow {
            operation: operation.to_owned(),
            samples,
            mean: 0.25 * predicted.exp2(),
            measured: Variance((2.0 * measured).exp2()),
            predicted: Variance((2.0 * predicted).exp2()),
        };
        let rows = || {
            vec![
                row("keyswitch", 1000, -14.5, -14.625),
                row("blind rotation, extension 1", 1000, -22.25, -22.125),
                row("mixed sum of comparisons of one rotation", 1000, -17.5, -17.53125),
            ]
        };
        Noise { sets: noise_sets()[..2].iter().map(|set| OfSet::new(set, rows())).collect() }
    }

    #[test]
    fn a_table_for_people() {
        let text = noise().to_string();
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn an_object_for_programs() {
        insta::assert_json_snapshot!(noise());
    }
}
