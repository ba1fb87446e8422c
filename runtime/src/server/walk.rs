//! A checked program, and the walk over its steps that all executors share.

use super::Error;
use crate::program::message::{Action, Bootstrap, Linear, ParameterSet, Server};
use crate::program::{Ciphertexts, Invalid};
use crate::units::GlweShape;

/// Most coefficients of a test polynomial.
const LARGEST_POLYNOMIAL: usize = 1 << 20;

/// Most coefficients of all test polynomials of a program: 4 GiB.
const MAX_COEFFICIENTS: u64 = 1 << 29;

/// Most bytes of the ciphertexts of one value of one sample.
const LARGEST_VALUE: u64 = 1 << 34;

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

    /// Results of steps that do not depend on each other, for an executor that mixes their work.
    ///
    /// # Errors
    /// As [`Self::bootstrap`].
    fn bootstrap_all(
        &mut self,
        steps: &[(BootstrapStep<'_>, &Self::Value)],
    ) -> Result<Vec<Self::Value>, Error> {
        steps.iter().map(|(step, input)| self.bootstrap(step, input)).collect()
    }
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
        let ciphertext = 8 * (parameters.big_dimension().0 as u64 + 1);
        if checked.values.iter().any(|value| value.count as u64 > LARGEST_VALUE / ciphertext) {
            return Err(
                Invalid::Mismatch { what: "a value has more ciphertexts than fit into memory" }.into()
            );
        }
        let mut coefficients = 0;
        for (index, step) in server.steps.iter().enumerate() {
            if let Some(Action::Bootstrap(bootstrap)) = &step.action {
                let refuse = |what| Invalid::Step { index, node: step.node.clone(), what };
                checked.check_positions(bootstrap).map_err(refuse)?;
                let size = u64::from(parameters.polynomial_size) << bootstrap.extension;
                coefficients += bootstrap.tables.len() as u64 * size;
                if coefficients > MAX_COEFFICIENTS {
                    return Err(refuse("its tables and those before do not fit into memory").into());
                }
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
    /// Steps run in waves: first the linear ones that wait for no bootstrap, then together all bootstraps that can run.
    ///
    /// # Errors
    /// What the executor says. The inputs' sizes are the caller's matter.
    pub fn walk<E: Executor>(&self, executor: &mut E, inputs: Vec<E::Value>) -> Result<Vec<E::Value>, Error> {
        let mut values = Values::new(self, inputs);
        for wave in self.waves() {
            for (index, linear) in wave.linear {
                let node = &self.server.steps[index].node;
                let inputs: Vec<_> = linear.inputs.iter().map(|value| values.get(*value)).collect();
                let result = executor.linear(&self.linear_step(node, linear), &inputs)?;
                values.set(self.server.inputs.len() + index, result);
                values.release(&linear.inputs);
            }
            let steps = wave.bootstraps.iter().map(|(index, bootstrap)| {
                let (node, input) = (&self.server.steps[*index].node, bootstrap.input);
                let input_spacing = self.values[input as usize].spacing;
                (BootstrapStep { node, bootstrap, input_spacing }, values.get(input))
            });
            let results = executor.bootstrap_all(&steps.collect::<Vec<_>>())?;
            for ((index, bootstrap), result) in wave.bootstraps.into_iter().zip(results) {
                values.set(self.server.inputs.len() + index, result);
                values.release(&[bootstrap.input]);
            }
        }
        Ok(self.server.output_values.iter().map(|value| values.get(*value).clone()).collect())
    }

    /// The steps by how many bootstraps lie on the longest way to them.
    fn waves(&self) -> Vec<Wave<'a>> {
        let mut depths = vec![0; self.server.inputs.len()];
        let mut waves: Vec<Wave<'a>> = Vec::new();
        for (index, step) in self.server.steps.iter().enumerate() {
            let (inputs, is_bootstrap) = match &step.action {
                Some(Action::Linear(linear)) => (linear.inputs.as_slice(), false),
                Some(Action::Bootstrap(bootstrap)) => (std::slice::from_ref(&bootstrap.input), true),
                None => unreachable!("the check refuses steps without action"),
            };
            let depth = inputs.iter().map(|value| depths[*value as usize]).max().unwrap_or(0);
            depths.push(depth + usize::from(is_bootstrap));
            waves.resize_with(waves.len().max(depth + 1), Wave::default);
            match &step.action {
                Some(Action::Linear(linear)) => waves[depth].linear.push((index, linear)),
                Some(Action::Bootstrap(bootstrap)) => waves[depth].bootstraps.push((index, bootstrap)),
                None => {}
            }
        }
        waves
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
}

/// Steps that can run one after the other, then steps that can run together; each with its index.
#[derive(Default)]
struct Wave<'a> {
    linear: Vec<(usize, &'a Linear)>,
    bootstraps: Vec<(usize, &'a Bootstrap)>,
}

/// The values that are still needed. Ciphertexts are large: what nothing will read is dropped at once.
struct Values<V> {
    values: Vec<Option<V>>,
    readers: Vec<usize>,
}

impl<V> Values<V> {
    fn new(server: &CheckedServer<'_>, inputs: Vec<V>) -> Self {
        let count = server.values.len();
        let mut readers = vec![0; count];
        for step in &server.server.steps {
            match &step.action {
                Some(Action::Linear(linear)) => {
                    linear.inputs.iter().for_each(|value| readers[*value as usize] += 1);
                }
                Some(Action::Bootstrap(bootstrap)) => readers[bootstrap.input as usize] += 1,
                None => {}
            }
        }
        // Outputs are read at the very end.
        server.server.output_values.iter().for_each(|value| readers[*value as usize] += 1);
        let mut values: Vec<Option<V>> = inputs.into_iter().map(Some).collect();
        values.resize_with(count, || None);
        Self { values, readers }
    }

    fn get(&self, value: u32) -> &V {
        self.values[value as usize].as_ref().expect("values live until their last reader")
    }

    fn set(&mut self, value: usize, result: V) {
        if self.readers[value] > 0 {
            self.values[value] = Some(result);
        }
    }

    fn release(&mut self, read: &[u32]) {
        for value in read {
            let readers = &mut self.readers[*value as usize];
            *readers -= 1;
            if *readers == 0 {
                self.values[*value as usize] = None;
            }
        }
    }
}
