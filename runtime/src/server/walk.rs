//! A checked program, and the walk over its steps that all executors share.

use super::Error;
use crate::program::message::{Action, Bootstrap, Linear, ParameterSet, Server};
use crate::program::{Ciphertexts, Invalid};
use crate::units::GlweShape;

/// Most coefficients of a test polynomial.
const LARGEST_POLYNOMIAL: usize = 1 << 20;

/// A server's program that is safe to run: every index, length and spacing was checked.
pub struct CheckedServer<'a> {
    server: &'a Server,
    parameters: &'a ParameterSet,
    values: Vec<Ciphertexts>,
    hash: [u8; 32],
}

/// `y = W x + b` for an executor.
pub struct LinearStep<'a> {
    /// The ONNX node.
    pub node: &'a str,
    /// Weights and bias.
    pub linear: &'a Linear,
    /// Length of the concatenated inputs.
    pub columns: usize,
    /// Spacing of the result in units of that of the inputs.
    pub factor: u64,
}

impl LinearStep<'_> {
    /// Weights of one result.
    pub fn row(&self, row: usize) -> &[i64] {
        &self.linear.weights[row * self.columns..(row + 1) * self.columns]
    }
}

/// One lookup for each element, for an executor.
pub struct BootstrapStep<'a> {
    /// The ONNX node.
    pub node: &'a str,
    /// Tables and the extension.
    pub bootstrap: &'a Bootstrap,
    /// Spacing of the input.
    pub input_spacing: u64,
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

    /// Results of one lookup for each element.
    ///
    /// # Errors
    /// What the executor can notice.
    fn bootstrap(&mut self, step: &BootstrapStep<'_>, input: &Self::Value) -> Result<Self::Value, Error>;
}

impl<'a> CheckedServer<'a> {
    /// Checks a program, so that running it neither panics nor allocates beyond its size.
    ///
    /// # Errors
    /// [`Error::Program`] names what does not hold.
    pub fn new(server: &'a Server) -> Result<Self, Error> {
        server.check()?;
        let parameters = server.parameters.as_ref().ok_or(Invalid::Missing { what: "parameters" })?;
        let checked = Self { server, parameters, values: server.values()?, hash: server.hash() };
        for (index, step) in server.steps.iter().enumerate() {
            if let Some(Action::Bootstrap(bootstrap)) = &step.action {
                checked.check_positions(bootstrap).map_err(|what| Invalid::Step {
                    index,
                    node: step.node.clone(),
                    what,
                })?;
            }
        }
        Ok(checked)
    }

    fn check_positions(&self, bootstrap: &Bootstrap) -> Result<(), &'static str> {
        let GlweShape { polynomial_size, .. } = self.parameters.glwe_shape();
        let fits = bootstrap.extension <= ParameterSet::LARGEST_EXTENSION;
        if !fits || polynomial_size << bootstrap.extension > LARGEST_POLYNOMIAL {
            return Err("too many accumulators");
        }
        let position = 1u64 << (64 - self.parameters.log2_positions(bootstrap.extension));
        if self.values[bootstrap.input as usize].spacing <= position {
            return Err("its input has more slots than the bootstrap can tell apart");
        }
        Ok(())
    }

    /// The program.
    #[must_use]
    pub fn server(&self) -> &'a Server {
        self.server
    }

    /// The key set.
    #[must_use]
    pub fn parameters(&self) -> &'a ParameterSet {
        self.parameters
    }

    /// What keys and ciphertexts must carry.
    #[must_use]
    pub fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// Number and spacing of each value.
    #[must_use]
    pub fn values(&self) -> &[Ciphertexts] {
        &self.values
    }

    /// Bootstraps of one inference.
    #[must_use]
    pub fn bootstraps(&self) -> usize {
        let count = |action: &Option<Action>| match action {
            Some(Action::Bootstrap(bootstrap)) => bootstrap.table_of.len(),
            _ => 0,
        };
        self.server.steps.iter().map(|step| count(&step.action)).sum()
    }

    /// Refuses inputs of another number or size than the program's; `found` is the size of each.
    pub(crate) fn expect_inputs(&self, found: &[usize]) -> Result<(), Error> {
        let expected = self.server.inputs.len();
        if found.len() != expected {
            return Err(Error::InputCount { found: found.len(), expected });
        }
        for (port, found) in self.server.inputs.iter().zip(found) {
            if *found != port.elements() {
                let expected = port.elements();
                return Err(Error::InputSize { name: port.name.clone(), found: *found, expected });
            }
        }
        Ok(())
    }

    /// Takes one value for each input through all steps; gives one value for each output.
    ///
    /// # Errors
    /// What the executor says. The inputs' sizes are the caller's matter.
    pub fn walk<E: Executor>(&self, executor: &mut E, inputs: Vec<E::Value>) -> Result<Vec<E::Value>, Error> {
        let last_use = self.last_uses();
        let mut values: Vec<Option<E::Value>> = inputs.into_iter().map(Some).collect();
        for (index, step) in self.server.steps.iter().enumerate() {
            let result = match &step.action {
                Some(Action::Linear(linear)) => {
                    let inputs: Vec<_> = linear.inputs.iter().map(|value| get(&values, *value)).collect();
                    executor.linear(&self.linear_step(&step.node, linear), &inputs)?
                }
                Some(Action::Bootstrap(bootstrap)) => {
                    let input_spacing = self.values[bootstrap.input as usize].spacing;
                    let step = BootstrapStep { node: &step.node, bootstrap, input_spacing };
                    executor.bootstrap(&step, get(&values, bootstrap.input))?
                }
                None => unreachable!("the check refuses steps without action"),
            };
            values.push(Some(result));
            // Ciphertexts are large: what no later step reads is dropped at once.
            for (value, last) in values.iter_mut().zip(&last_use) {
                if *last == index {
                    *value = None;
                }
            }
        }
        Ok(self.server.output_values.iter().map(|value| get(&values, *value).clone()).collect())
    }

    pub(super) fn linear_step<'s>(&self, node: &'s str, linear: &'s Linear) -> LinearStep<'s> {
        let inputs: Vec<_> = linear.inputs.iter().map(|value| self.values[*value as usize]).collect();
        LinearStep {
            node,
            linear,
            columns: inputs.iter().map(|input| input.count).sum(),
            factor: inputs.first().map_or(1, |input| linear.spacing / input.spacing),
        }
    }

    /// For each value the last step that reads it; beyond the last step for outputs. Its own step if none does.
    fn last_uses(&self) -> Vec<usize> {
        let inputs = self.server.inputs.len();
        let mut last: Vec<usize> = (0..self.values.len()).map(|value| value.saturating_sub(inputs)).collect();
        for (index, step) in self.server.steps.iter().enumerate() {
            match &step.action {
                Some(Action::Linear(linear)) => {
                    linear.inputs.iter().for_each(|value| last[*value as usize] = index);
                }
                Some(Action::Bootstrap(bootstrap)) => last[bootstrap.input as usize] = index,
                None => {}
            }
        }
        self.server.output_values.iter().for_each(|value| last[*value as usize] = usize::MAX);
        last
    }
}

fn get<V>(values: &[Option<V>], index: u32) -> &V {
    values[index as usize].as_ref().expect("values live until their last use")
}
