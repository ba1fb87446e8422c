//! The steps of a program as executors see them.

use super::{Error, TestPolynomial};
use crate::client::encoding::encode;
use crate::program::Reading;
use crate::program::message::{Combine, Comparisons, Linear, ParameterSet};
use rayon::prelude::*;

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

/// One bootstrap for each element, for an executor.
pub struct BootstrapStep<'a> {
    /// The ONNX node.
    pub node: &'a str,
    /// Tables or thresholds.
    pub reading: Reading<'a>,
    /// Spacing of the input.
    pub input_spacing: u64,
    /// Spacing of the results.
    pub spacing: u64,
    /// The key set.
    pub set: &'a ParameterSet,
}

/// What the rotations of a step are made of.
pub(super) struct Polynomials {
    polynomials: Vec<TestPolynomial>,
    /// For each element its polynomial, and the coefficients of component 0 that are its results.
    of: Vec<(usize, Vec<usize>)>,
}

impl Polynomials {
    /// Of one element.
    pub(super) fn of(&self, element: usize) -> (&TestPolynomial, &[usize]) {
        let (polynomial, coefficients) = &self.of[element];
        (&self.polynomials[*polynomial], coefficients)
    }

    /// How many results there are.
    pub(super) fn results(&self) -> usize {
        self.of.iter().map(|(_, coefficients)| coefficients.len()).sum()
    }
}

impl BootstrapStep<'_> {
    pub(super) fn polynomials(&self) -> Polynomials {
        let log2_positions = self.set.log2_positions(self.reading.extension());
        match self.reading {
            Reading::Tables(bootstrap) => {
                let spread = |(index, table)| {
                    let spacings = [self.input_spacing, self.spacing];
                    TestPolynomial::new(table, bootstrap.center(index as u32), spacings, log2_positions)
                };
                let polynomials = bootstrap.tables.par_iter().enumerate().map(spread).collect();
                let of = bootstrap.table_of.iter().map(|table| (*table as usize, vec![0])).collect();
                Polynomials { polynomials, of }
            }
            Reading::Comparisons(compare) => {
                let polynomials = vec![TestPolynomial::comparison(self.spacing, log2_positions)];
                let of = compare.elements.iter().map(|element| (0, self.coefficients(element))).collect();
                Polynomials { polynomials, of }
            }
        }
    }

    /// For each threshold the coefficient of component 0 whose sign tells on which side a rotation is.
    ///
    /// A rotation by `p` positions takes coefficient `c` past the end, and changes its sign, where `p` is at least `N - c`.
    /// Coefficients of component 0 are whole positions of the plain bootstrap, so that is where the thresholds are put.
    fn coefficients(&self, element: &Comparisons) -> Vec<usize> {
        let size = self.set.polynomial_size as usize;
        let coarse = 1u128 << (64 - self.set.log2_positions(0));
        // A phase is rounded to the nearest position before it is compared.
        let rounding = coarse >> (1 + self.reading.extension());
        let of = |threshold: &i64| {
            let slots = u128::from(threshold.abs_diff(element.lo));
            let border = slots * u128::from(self.input_spacing) - u128::from(self.input_spacing / 2);
            size.saturating_sub(((border + rounding + coarse / 2) / coarse) as usize)
        };
        element.thresholds.iter().map(of).collect()
    }
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

    /// What moves the first entry of an element's table, or its smallest value, to phase 0.
    pub fn offset(&self, element: usize) -> u64 {
        let step = self.first();
        encode(step.reading.first(element), step.input_spacing).wrapping_neg()
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
