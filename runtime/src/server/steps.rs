//! The steps of a program as executors see them.

use super::Error;
use crate::client::encoding::encode;
use crate::program::message::{Bootstrap, Combine, Linear, ParameterSet};

/// `y = W x + b` for an executor.
pub struct LinearStep<'a> {
    /// The ONNX node.
    pub node: &'a str,
    /// Weights and bias.
    pub linear: &'a Linear,
    /// For each element of the concatenated inputs the spacing of the result in units of its own.
    pub factors: Vec<u64>,
}

impl LinearStep<'_> {
    /// Weights of one result.
    pub fn row(&self, row: usize) -> &[i64] {
        let columns = self.factors.len();
        &self.linear.weights[row * columns..(row + 1) * columns]
    }

    /// The same for phases: with the ratio of the spacings, modulo 2^64.
    pub fn torus_row(&self, row: usize) -> impl Iterator<Item = u64> + '_ {
        self.row(row).iter().zip(&self.factors).map(|(weight, factor)| (*weight as u64).wrapping_mul(*factor))
    }
}

/// A sum of lists, element by element, for an executor.
pub struct CombineStep<'a> {
    /// The ONNX node.
    pub node: &'a str,
    /// Weights and bias.
    pub combine: &'a Combine,
    /// For each input its weight on phases: with the ratio of the spacings, modulo 2^64.
    pub torus_weights: Vec<u64>,
}

/// One lookup for each element, for an executor.
pub struct BootstrapStep<'a> {
    /// The ONNX node.
    pub node: &'a str,
    /// Tables and the extension.
    pub bootstrap: &'a Bootstrap,
    /// Spacing of the input.
    pub input_spacing: u64,
    /// The key set.
    pub set: &'a ParameterSet,
}

/// Bootstraps that read one phase of each element: one keyswitch and one modulus switch serve all of them.
pub struct Phase<'a> {
    steps: Vec<BootstrapStep<'a>>,
}

impl<'a> Phase<'a> {
    /// A phase and the first step that reads it.
    #[must_use]
    pub fn new(step: BootstrapStep<'a>) -> Self {
        Self { steps: vec![step] }
    }

    /// Adds a step that reads the same phase.
    pub fn add(&mut self, step: BootstrapStep<'a>) {
        self.steps.push(step);
    }

    /// All that read it; the first says where it is read.
    pub fn steps(&self) -> &[BootstrapStep<'a>] {
        &self.steps
    }

    /// The step that says where the phase is read.
    pub fn first(&self) -> &BootstrapStep<'a> {
        &self.steps[0]
    }

    /// What moves the first entry of an element's table to phase 0.
    pub fn offset(&self, element: usize) -> u64 {
        let step = self.first();
        let table = step.bootstrap.table_of[element] as usize;
        encode(step.bootstrap.tables[table].lo, step.input_spacing).wrapping_neg()
    }
}

/// How one kind of values goes through the steps of a program.
pub trait Executor {
    /// A flat list of whatever stands for an encrypted integer.
    type Value: Clone;

    /// Result of an affine map of the concatenated inputs.
    ///
    /// # Errors
    /// What the executor can notice.
    fn linear(&mut self, step: &LinearStep<'_>, inputs: &[&Self::Value]) -> Result<Self::Value, Error>;

    /// Result of a sum of lists, element by element.
    ///
    /// # Errors
    /// What the executor can notice.
    fn combine(&mut self, step: &CombineStep<'_>, inputs: &[&Self::Value]) -> Result<Self::Value, Error>;

    /// Results of bootstraps that do not depend on each other: for each phase, one for each of its steps.
    ///
    /// # Errors
    /// What the executor can notice.
    fn bootstraps(&mut self, phases: &[(Phase<'_>, &Self::Value)]) -> Result<Vec<Vec<Self::Value>>, Error>;
}
