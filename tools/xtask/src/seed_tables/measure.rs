//! One network under one setting: compiled, inspected, and its predictions counted, all by `cml`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};
use serde::Serialize;
use serde_json::Value;

use super::plan::{Family, Setting};
use crate::process::{capture, command, shown};

/// What was found of one network; accuracies between 0 and 1.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Measured {
    pub(super) network: String,
    pub(super) float: f64,
    pub(super) quantized: f64,
    pub(super) simulated: f64,
    /// Bits of the widest integer that a lookup reads or that is decrypted, as proved.
    pub(super) accumulator: u64,
    pub(super) lookups: u64,
    /// Of one inference.
    pub(super) predicted_seconds: f64,
}

/// A network that `cml compile` does not take, for example since nothing looks up its integers exactly enough.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Refused {
    pub(super) network: String,
    /// What `cml compile` says.
    pub(super) reason: String,
}

/// A network under a setting.
pub(super) struct Job<'a> {
    pub(super) family: &'a Family,
    pub(super) setting: &'a Setting,
    pub(super) network: &'a Path,
    /// Where `calibration`, `x_test` and `y_test` are.
    pub(super) data: &'a Path,
    /// Where the program goes.
    pub(super) program: PathBuf,
}

/// Which of the network's predictions are asked for.
#[derive(Clone, Copy)]
pub(super) enum Mode {
    Float,
    Quantized,
    Simulate,
}

impl Job<'_> {
    /// Compiles the network and counts what it predicts right.
    ///
    /// # Errors
    /// If a command fails otherwise than by refusing the network, or prints what is not expected.
    pub(super) fn measure(&self, cml: &Path) -> Result<Result<Measured, Refused>> {
        let network = self.network.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if let Err(reason) = self.compile(cml)? {
            return Ok(Err(Refused { network, reason }));
        }
        let report = json(command(cml).arg("inspect").arg(&self.program).arg("--json"))?;
        let number =
            |name: &str| report[name].as_u64().ok_or_else(|| anyhow!("cml inspect prints no number {name}"));
        let seconds = report["predicted_seconds"].as_f64();
        Ok(Ok(Measured {
            network,
            float: self.accuracy(cml, Mode::Float)?,
            quantized: self.accuracy(cml, Mode::Quantized)?,
            simulated: self.accuracy(cml, Mode::Simulate)?,
            accumulator: number("max_accumulator_bits")?.max(number("max_output_bits")?),
            lookups: number("lookups_per_inference")?,
            predicted_seconds: seconds.ok_or_else(|| anyhow!("cml inspect predicts no time"))?,
        }))
    }

    /// The program, or why there is none.
    fn compile(&self, cml: &Path) -> Result<Result<(), String>> {
        let mut compile = command(cml);
        compile.arg("compile").arg(self.network).arg("-o").arg(&self.program);
        if !self.family.quantized {
            compile.arg("--calibration").arg(array(self.data, "calibration"));
        }
        compile.args(self.setting.options.split_whitespace()).args(&self.family.options);
        let output = compile.output().with_context(|| format!("cannot start {}", shown(&compile)))?;
        let text = String::from_utf8_lossy(&output.stderr);
        let reason = text.lines().find_map(|line| line.strip_prefix("error: "));
        match (output.status.code(), reason) {
            (Some(0), _) => Ok(Ok(())),
            (Some(1), Some(reason)) => Ok(Err(reason.to_owned())),
            _ => bail!("{} failed ({}):\n{text}", shown(&compile), output.status),
        }
    }

    fn accuracy(&self, cml: &Path, mode: Mode) -> Result<f64> {
        let mut predict = self.predict(cml, &array(self.data, "x_test"), mode);
        let found = json(predict.arg("--labels").arg(array(self.data, "y_test")))?;
        found["accuracy"].as_f64().ok_or_else(|| anyhow!("{} prints no accuracy", shown(&predict)))
    }

    /// The class of each sample of `samples`, by the program that [`Self::measure`] left.
    ///
    /// # Errors
    /// If the command fails, or the network does not tell classes.
    pub(super) fn classes(&self, cml: &Path, samples: &str, mode: Mode) -> Result<Vec<i64>> {
        let mut predict = self.predict(cml, samples, mode);
        let found = json(&mut predict)?;
        let classes: Option<Vec<i64>> =
            found["predictions"].as_array().and_then(|classes| classes.iter().map(Value::as_i64).collect());
        classes.ok_or_else(|| anyhow!("{} prints no predictions", shown(&predict)))
    }

    fn predict(&self, cml: &Path, samples: &str, mode: Mode) -> Command {
        let mut predict = command(cml);
        predict.arg("predict").arg(&self.program).args([samples, "--json", "--mode"]);
        match mode {
            Mode::Float => predict.arg("float").arg("--model").arg(self.network),
            Mode::Quantized => predict.arg("quantized"),
            Mode::Simulate => predict.arg("simulate"),
        };
        predict
    }
}

/// An array of `file` as `cml` takes it.
pub(super) fn array(file: &Path, name: &str) -> String {
    format!("{}:{name}", file.display())
}

fn json(command: &mut Command) -> Result<Value> {
    let text = capture(command)?;
    serde_json::from_str(&text).with_context(|| format!("cannot read what {} prints", shown(command)))
}
