//! Execution on phases beside execution on integers: which sums the noise made wrong, and which node reads them.

use super::simulated::Simulated;
use super::{CheckedServer, Clear, CombineStep, Error, Executor, LinearStep, Phase};
use crate::client::encoding::encode;

/// The sums of one step on one sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// The ONNX node that reads them, or the output that they are.
    pub node: String,
    /// How many.
    pub sums: u64,
    /// How many are another integer than without noise, be it that a lookup before them failed.
    pub wrong: u64,
}

impl CheckedServer<'_> {
    /// Runs one sample on phases and on integers: one entry for each linear step, in order. The seed decides the noise.
    ///
    /// # Errors
    /// As [`Self::run_clear`] and [`Self::run_simulated`].
    pub fn compare_simulated(&self, inputs: &[Vec<i64>], seed: u64) -> Result<Vec<Compared>, Error> {
        self.expect_inputs(&inputs.iter().map(Vec::len).collect::<Vec<_>>())?;
        let mut clear = Recording { executor: Clear, sums: Vec::new() };
        self.walk(&mut clear, inputs.to_vec())?;
        let mut simulated = Recording { executor: Simulated::new(seed), sums: Vec::new() };
        let phases = self.fresh_phases(&mut simulated.executor, inputs);
        self.walk(&mut simulated, phases)?;
        let compared =
            clear.sums.into_iter().zip(simulated.sums).map(|((node, spacing, exact), (.., phases))| {
                let is_wrong = |(exact, phase): &(&i64, &u64)| {
                    let noise = phase.wrapping_sub(encode(**exact, spacing)) as i64;
                    noise.unsigned_abs() > spacing / 2
                };
                let wrong = exact.iter().zip(&phases).filter(is_wrong).count() as u64;
                Compared { node, sums: exact.len() as u64, wrong }
            });
        Ok(compared.collect())
    }
}

/// An executor whose sums are kept: the node, the spacing, the result.
struct Recording<E: Executor> {
    executor: E,
    sums: Vec<(String, u64, E::Value)>,
}

impl<E: Executor> Executor for Recording<E> {
    type Value = E::Value;

    fn linear(&mut self, step: &LinearStep<'_>, inputs: &[&E::Value]) -> Result<E::Value, Error> {
        let result = self.executor.linear(step, inputs)?;
        self.sums.push((step.node.to_owned(), step.linear.spacing, result.clone()));
        Ok(result)
    }

    fn combine(&mut self, step: &CombineStep<'_>, inputs: &[&E::Value]) -> Result<E::Value, Error> {
        self.executor.combine(step, inputs)
    }

    fn bootstraps(&mut self, phases: &[(Phase<'_>, &E::Value)]) -> Result<Vec<Vec<E::Value>>, Error> {
        self.executor.bootstraps(phases)
    }
}
