//! The steps of a program as executors see them.

use super::{Error, TestPolynomial};
use crate::client::encoding::encode;
use crate::program::Reading;
use crate::program::message::{Combine, Comparisons, Linear, ParameterSet};
use crate::units::tables_of_rotation;
use rayon::prelude::*;
use std::collections::BTreeMap;

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

/// One rotation for each element, and what is read in it: results of one step, or of two that share it.
pub(super) struct Rotations {
    polynomials: Vec<TestPolynomial>,
    /// For each element its polynomial, and its results: of one step after the other.
    of: Vec<(usize, Vec<Read>)>,
}

/// A result of a rotation.
#[derive(Clone, Copy)]
pub(super) struct Read {
    /// Which step of the phase it is of.
    pub(super) step: usize,
    /// Coefficient of component 0.
    pub(super) coefficient: usize,
    /// What is added to it.
    pub(super) added: u64,
}

impl Rotations {
    /// Of one element.
    pub(super) fn of(&self, element: usize) -> (&TestPolynomial, &[Read]) {
        let (polynomial, reads) = &self.of[element];
        (&self.polynomials[*polynomial], reads)
    }

    /// Of the step of this number, alone.
    fn of_step(number: usize, step: &BootstrapStep<'_>) -> Self {
        let polynomials = step.polynomials();
        let read = |polynomial: usize, coefficient| Read {
            step: number,
            coefficient,
            added: polynomials[polynomial].half_center(),
        };
        let of = match step.reading {
            Reading::Tables(bootstrap) => {
                let of = |table: &u32| (*table as usize, vec![read(*table as usize, 0)]);
                bootstrap.table_of.iter().map(of).collect()
            }
            Reading::Comparisons(compare) => {
                let reads = |element| step.coefficients(element).into_iter().map(|place| read(0, place));
                compare.elements.iter().map(|element| (0, reads(element).collect())).collect()
            }
        };
        Self { polynomials, of }
    }

    /// Of tables that share a rotation: those of one step, and of the next where there is one.
    fn shared(first: usize, steps: &[BootstrapStep<'_>]) -> Self {
        let tables: Vec<Vec<TestPolynomial>> = steps.iter().map(BootstrapStep::polynomials).collect();
        let (mut polynomials, mut of, mut known) = (Vec::new(), Vec::new(), BTreeMap::new());
        for element in 0..steps[0].reading.elements() {
            let table = |step: &BootstrapStep<'_>| step.reading.table_of(element);
            let pair: Vec<usize> = steps.iter().map(table).collect();
            let read = |(place, (step, table)): (usize, (&Vec<TestPolynomial>, &usize))| {
                let added = step[*table].half_center();
                Read { step: first + place, coefficient: place, added }
            };
            let reads = tables.iter().zip(&pair).enumerate().map(read).collect();
            let polynomial = *known.entry(pair.clone()).or_insert_with(|| {
                let of = |place: usize| &tables[place][pair[place]];
                polynomials.push(TestPolynomial::interleaved(of(0), of(pair.len() - 1)));
                polynomials.len() - 1
            });
            of.push((polynomial, reads));
        }
        Self { polynomials, of }
    }
}

impl BootstrapStep<'_> {
    /// One for each table; or the one that comparisons are taken from.
    fn polynomials(&self) -> Vec<TestPolynomial> {
        let log2_positions = self.set.log2_positions(self.reading.extension());
        match self.reading {
            Reading::Tables(bootstrap) => {
                let spread = |(index, table)| {
                    let spacings = [self.input_spacing, self.spacing];
                    TestPolynomial::new(table, bootstrap.center(index as u32), spacings, log2_positions)
                };
                bootstrap.tables.par_iter().enumerate().map(spread).collect()
            }
            Reading::Comparisons(_) => vec![TestPolynomial::comparison(self.spacing, log2_positions)],
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
        let rounding = coarse >> (1 + self.reading.extension().max(0));
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

    /// How many rotations each element takes.
    pub fn rotations_of_element(&self) -> usize {
        self.first().reading.rotations_of(self.steps.len())
    }

    /// The rotations, in the order of the steps that they serve.
    pub(super) fn rotations(&self) -> Vec<Rotations> {
        let together = tables_of_rotation(self.first().reading.extension());
        if together == 1 {
            let steps = self.steps.par_iter().enumerate();
            return steps.map(|(number, step)| Rotations::of_step(number, step)).collect();
        }
        let steps = self.steps.par_chunks(together).enumerate();
        steps.map(|(place, steps)| Rotations::shared(place * together, steps)).collect()
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
