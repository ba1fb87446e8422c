//! Graphs of operations: types of all values, and evaluation.

use super::error::{Error, Fault};
use super::message::{Element, Graph, Node, Op, Port};
use super::shape::{MAX_ELEMENTS, TensorType, checked_shape};
use super::value::Value;

impl Graph {
    /// Appends a node and returns the number of its value. All inputs of the graph must be declared before.
    pub fn push(&mut self, name: impl Into<String>, op: Op, inputs: impl Into<Vec<u32>>) -> u32 {
        let value = self.inputs.len() + self.nodes.len();
        self.nodes.push(Node { name: name.into(), inputs: inputs.into(), op: Some(op) });
        u32::try_from(value).unwrap_or(u32::MAX)
    }

    /// The type of every value: inputs, then the result of each node.
    ///
    /// # Errors
    /// [`Error`] names the node or the input that cannot be.
    pub fn types(&self) -> Result<Vec<TensorType>, Error> {
        let mut types = Vec::with_capacity(self.inputs.len() + self.nodes.len());
        for port in &self.inputs {
            let fault = |fault| Error::Port { name: port.name.clone(), fault: Box::new(fault) };
            types.push(port.tensor_type().map_err(fault)?);
        }
        let mut elements = types.iter().fold(0, |sum: usize, t| sum.saturating_add(t.element_count()));
        for node in &self.nodes {
            let op = node.op.as_ref().ok_or_else(|| Error::UnknownOp { node: node.name.clone() })?;
            let inputs: Result<Vec<TensorType>, Error> =
                node.inputs.iter().map(|value| node.operand(*value, &types).cloned()).collect();
            let output = op.infer(&inputs?).map_err(|fault| node.fault(op, fault))?;
            elements = elements.saturating_add(output.element_count());
            if elements > MAX_ELEMENTS {
                return Err(Error::TooLarge { node: node.name.clone(), limit: MAX_ELEMENTS });
            }
            types.push(output);
        }
        Ok(types)
    }

    /// Refuses a graph that cannot be run: value numbers, operands, attributes, shapes, results.
    ///
    /// # Errors
    /// [`Error`] names the node or the input that cannot be.
    pub fn check(&self) -> Result<(), Error> {
        self.output_types().map(drop)
    }

    /// The type of every result.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn output_types(&self) -> Result<Vec<TensorType>, Error> {
        let types = self.types()?;
        if !self.output_names.is_empty() && self.output_names.len() != self.outputs.len() {
            return Err(Error::OutputNames { outputs: self.outputs.len(), names: self.output_names.len() });
        }
        let output = |(index, value): (usize, &u32)| {
            let undefined = Error::UndefinedOutput { index, value: *value, defined: types.len() };
            types.get(*value as usize).cloned().ok_or(undefined)
        };
        self.outputs.iter().enumerate().map(output).collect()
    }

    /// The results on one sample. Many samples are cheaper with an [`Evaluator`].
    ///
    /// # Errors
    /// [`Error`] names the node or the input at fault.
    pub fn run(&self, inputs: &[Value]) -> Result<Vec<Value>, Error> {
        Evaluator::new(self)?.run(inputs)
    }

    /// Every value on one sample: inputs, then the result of each node.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn run_all(&self, inputs: &[Value]) -> Result<Vec<Value>, Error> {
        Evaluator::new(self)?.run_all(inputs)
    }
}

impl Node {
    fn operand<'a, T>(&self, value: u32, defined: &'a [T]) -> Result<&'a T, Error> {
        let undefined = || Error::UndefinedValue { node: self.name.clone(), value, defined: defined.len() };
        defined.get(value as usize).ok_or_else(undefined)
    }

    fn fault(&self, op: &Op, fault: Fault) -> Error {
        Error::Node { node: self.name.clone(), op: op.name(), fault: Box::new(fault) }
    }
}

impl Port {
    /// A port from its parts.
    #[must_use]
    pub fn new(name: impl Into<String>, tensor_type: &TensorType) -> Self {
        let shape = tensor_type.shape.iter().map(|extent| *extent as u64).collect();
        Self { name: name.into(), shape, element: tensor_type.element as i32 }
    }

    /// Shape and kind of numbers.
    ///
    /// # Errors
    /// [`Fault::UnknownElement`] or [`Fault::TooLarge`].
    pub fn tensor_type(&self) -> Result<TensorType, Fault> {
        let element = Element::try_from(self.element).map_err(|_| Fault::UnknownElement(self.element))?;
        Ok(TensorType::new(checked_shape(&self.shape)?, element))
    }
}

/// A checked graph, ready to run on many samples: its constants are converted once.
#[derive(Clone, Debug)]
pub struct Evaluator<'g> {
    graph: &'g Graph,
    types: Vec<TensorType>,
    constants: Vec<Option<Value>>,
}

impl<'g> Evaluator<'g> {
    /// Checks the graph and converts its constants.
    ///
    /// # Errors
    /// As [`Graph::check`].
    pub fn new(graph: &'g Graph) -> Result<Self, Error> {
        graph.check()?;
        let constant = |node: &Node| match &node.op {
            Some(op @ Op::Constant(tensor)) => {
                Value::try_from(tensor).map(Some).map_err(|fault| node.fault(op, fault))
            }
            _ => Ok(None),
        };
        let constants = graph.nodes.iter().map(constant).collect::<Result<_, _>>()?;
        Ok(Self { graph, types: graph.types()?, constants })
    }

    /// The type of every value: inputs, then the result of each node.
    #[must_use]
    pub fn types(&self) -> &[TensorType] {
        &self.types
    }

    /// The results on one sample.
    ///
    /// # Errors
    /// [`Error`] names the node or the input at fault.
    pub fn run(&self, inputs: &[Value]) -> Result<Vec<Value>, Error> {
        let values = self.run_all(inputs)?;
        let output = |(index, value): (usize, &u32)| {
            let undefined = Error::UndefinedOutput { index, value: *value, defined: values.len() };
            values.get(*value as usize).cloned().ok_or(undefined)
        };
        self.graph.outputs.iter().enumerate().map(output).collect()
    }

    /// Every value on one sample: inputs, then the result of each node.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn run_all(&self, inputs: &[Value]) -> Result<Vec<Value>, Error> {
        self.check_inputs(inputs)?;
        let mut values = inputs.to_vec();
        for (node, constant) in self.graph.nodes.iter().zip(&self.constants) {
            let value = match (constant, &node.op) {
                (Some(constant), _) => constant.clone(),
                (None, None) => return Err(Error::UnknownOp { node: node.name.clone() }),
                (None, Some(op)) => {
                    let operands: Result<Vec<&Value>, Error> =
                        node.inputs.iter().map(|value| node.operand(*value, &values)).collect();
                    op.compute(&operands?).map_err(|fault| node.fault(op, fault))?
                }
            };
            values.push(value);
        }
        Ok(values)
    }

    fn check_inputs(&self, inputs: &[Value]) -> Result<(), Error> {
        let ports = &self.graph.inputs;
        if inputs.len() != ports.len() {
            return Err(Error::InputCount { expected: ports.len(), found: inputs.len() });
        }
        for ((port, expected), input) in ports.iter().zip(&self.types).zip(inputs) {
            let found = input.tensor_type();
            if found != *expected {
                let (expected, found) = (expected.to_string(), found.to_string());
                return Err(Error::Input { name: port.name.clone(), expected, found });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
