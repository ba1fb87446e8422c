//! What a module computes, on samples: run before and after a pass, it shows whether the pass kept its promise.

use super::Preserves;
use cml_dialects::interpret::graph;
use cml_dialects::ir::{Function, IrError, functions, op_name, tensor_element};
use cml_dialects::qnn::{CLIENT_IN, CLIENT_OUT, SERVER};
use cml_dialects::{ffi, nn, tfhe};
use cml_runtime::program::message::{EncryptedPort, Server};
use cml_runtime::reference::message::{Element, Graph, Port};
use cml_runtime::reference::{Error, Evaluator, Value};
use cml_runtime::server::CheckedServer;
use melior::ir::{OperationRef, ValueLike};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How many samples are run.
const SAMPLES: usize = 24;

/// What the server computes, at whatever level it is.
enum ServerPart {
    /// On stored integers (`qnn`) or on the integers themselves (`fhe`).
    Graph(Graph),
    /// Steps on integers.
    Steps(Server),
}

/// The function of a module: `@main`, or client, server and client in a row.
pub struct Meaning {
    first: Graph,
    rest: Option<(ServerPart, Graph)>,
    /// Subtracted from what the client sends, where the server computes on integers without zero point.
    input_zeros: Vec<i64>,
    /// Added to what the server returns, likewise.
    output_zeros: Vec<i64>,
}

/// A module has no function that could be run.
#[derive(Debug, thiserror::Error)]
pub enum MeaningError {
    /// The IR has no meaning.
    #[error(transparent)]
    Ir(#[from] IrError),
    /// Running it failed.
    #[error(transparent)]
    Run(#[from] Error),
    /// Running the server's steps failed.
    #[error(transparent)]
    Steps(#[from] cml_runtime::server::Error),
    /// A result does not have the shape that its port says.
    #[error("{0}")]
    Shape(String),
}

fn zeros(function: Function<'_, '_>, values: &[melior::ir::Value<'_, '_>]) -> Result<Vec<i64>, IrError> {
    values.iter().map(|value| cml_dialects::qnn::zero_point(function.op, *value)).collect()
}

impl Meaning {
    /// The function of a module.
    ///
    /// # Errors
    /// [`MeaningError::Ir`] if it has neither `@main` nor the three functions of client and server.
    pub fn of(module: OperationRef<'_, '_>) -> Result<Self, MeaningError> {
        if let Ok(main) = Function::named(module, nn::MAIN) {
            let none = (Vec::new(), Vec::new());
            return Ok(Self { first: graph(main)?, rest: None, input_zeros: none.0, output_zeros: none.1 });
        }
        let client_in = Function::named(module, CLIENT_IN)?;
        let server = Function::named(module, SERVER)?;
        let client_out = Function::named(module, CLIENT_OUT)?;
        let stored = server
            .arguments()
            .first()
            .is_some_and(|value| tensor_element(value.r#type()).and_then(ffi::quant_parts).is_some());
        let is_tfhe = server.ops().iter().any(|op| op_name(*op).starts_with("tfhe."));
        let part = if is_tfhe {
            ServerPart::Steps(tfhe::interpret::server_of(module)?)
        } else {
            ServerPart::Graph(graph(server)?)
        };
        let (input_zeros, output_zeros) = if stored {
            (vec![0; server.arguments().len()], vec![0; server.results().len()])
        } else {
            (zeros(client_in, &client_in.results())?, zeros(client_out, &client_out.arguments())?)
        };
        let rest = Some((part, graph(client_out)?));
        Ok(Self { first: graph(client_in)?, rest, input_zeros, output_zeros })
    }

    /// What goes in.
    #[must_use]
    pub fn inputs(&self) -> &[Port] {
        &self.first.inputs
    }

    /// The results on each sample.
    ///
    /// # Errors
    /// [`MeaningError`]
    pub fn run<'s>(
        &self,
        samples: impl IntoIterator<Item = &'s Vec<Value>>,
    ) -> Result<Vec<Vec<Value>>, MeaningError> {
        let first = Evaluator::new(&self.first)?;
        let samples = samples.into_iter();
        let Some((server, last)) = &self.rest else {
            return samples.map(|inputs| Ok(first.run(inputs)?)).collect();
        };
        let graph = match server {
            ServerPart::Graph(graph) => graph,
            ServerPart::Steps(_) => &Graph::default(),
        };
        let (graph, last) = (Evaluator::new(graph)?, Evaluator::new(last)?);
        let one = |inputs: &Vec<Value>| {
            let sent = moved(&first.run(inputs)?, self.input_zeros.iter().map(|zero| -zero));
            let returned = match server {
                ServerPart::Graph(_) => graph.run(&sent)?,
                ServerPart::Steps(server) => run_steps(server, &sent)?,
            };
            Ok(last.run(&moved(&returned, self.output_zeros.iter().copied()))?)
        };
        samples.map(one).collect()
    }
}

/// Runs the steps on integers; the ports say the shapes of what comes out.
fn run_steps(server: &Server, inputs: &[Value]) -> Result<Vec<Value>, MeaningError> {
    let flat: Vec<Vec<i64>> = inputs
        .iter()
        .map(|value| value.as_integers().map(|array| array.iter().copied().collect()).unwrap_or_default())
        .collect();
    let outputs = CheckedServer::new(server)?.run_clear(&flat)?;
    let shaped = |(port, elements): (&EncryptedPort, Vec<i64>)| {
        let shape: Vec<usize> = port.shape.iter().map(|extent| *extent as usize).collect();
        Value::integers(&shape, elements).map_err(|fault| MeaningError::Shape(fault.to_string()))
    };
    server.outputs.iter().zip(outputs).map(shaped).collect()
}

fn moved(values: &[Value], by: impl Iterator<Item = i64>) -> Vec<Value> {
    values.iter().zip(by).map(|(value, by)| shifted(value, by)).collect()
}

fn shifted(value: &Value, by: i64) -> Value {
    match value {
        Value::I64(array) if by != 0 => Value::I64(array.mapv(|element| element.wrapping_add(by)).into()),
        other => other.clone(),
    }
}

/// Inputs, and what the module made of them.
pub struct Samples(Vec<(Vec<Value>, Vec<Value>)>);

impl Samples {
    /// Runs a module on samples; `None` if it has no function yet that could be run.
    #[must_use]
    pub fn take(module: OperationRef<'_, '_>) -> Option<Self> {
        if functions(module).is_empty() {
            return None;
        }
        let meaning = Meaning::of(module).ok()?;
        let mut random = ChaCha8Rng::seed_from_u64(0);
        let mut sample = |index: usize| -> Option<Vec<Value>> {
            // Narrow inputs and wide ones, so that both the inside and the ends of every clip are met.
            let reach = [1.0, 4.0, 64.0][index % 3];
            meaning.inputs().iter().map(|port| random_value(port, reach, &mut random)).collect()
        };
        let inputs: Vec<Vec<Value>> = (0..SAMPLES).map(&mut sample).collect::<Option<_>>()?;
        let outputs = meaning.run(&inputs).ok()?;
        Some(Self(inputs.into_iter().zip(outputs).collect()))
    }

    /// Runs the same samples on the module as it is now.
    ///
    /// # Errors
    /// What differs, or why the module cannot be run.
    pub fn compare(&self, module: OperationRef<'_, '_>, preserves: Preserves) -> Result<(), String> {
        let meaning = Meaning::of(module).map_err(|error| error.to_string())?;
        let tolerance = match preserves {
            Preserves::Within(tolerance) => tolerance,
            Preserves::Exactly | Preserves::Nothing => 0.0,
        };
        let found =
            meaning.run(self.0.iter().map(|(inputs, _)| inputs)).map_err(|error| error.to_string())?;
        for (index, ((_, expected), found)) in self.0.iter().zip(&found).enumerate() {
            let same = found.len() == expected.len()
                && expected.iter().zip(found).all(|(left, right)| close(left, right, tolerance));
            if !same {
                return Err(format!("sample {index}: was {expected:?}, is {found:?}"));
            }
        }
        Ok(())
    }
}

fn random_value(port: &Port, reach: f32, random: &mut ChaCha8Rng) -> Option<Value> {
    let shape: Vec<usize> = port.shape.iter().map(|extent| *extent as usize).collect();
    let count = shape.iter().product();
    match port.element() {
        Element::F32 => {
            Value::floats(&shape, (0..count).map(|_| random.random_range(-reach..reach)).collect()).ok()
        }
        Element::I64 => {
            Value::integers(&shape, (0..count).map(|_| random.random_range(-8..8)).collect()).ok()
        }
    }
}

fn close(left: &Value, right: &Value, tolerance: f64) -> bool {
    match (left, right) {
        (Value::F32(left), Value::F32(right)) => {
            left.shape() == right.shape()
                && left.iter().zip(right).all(|(x, y)| {
                    let (x, y) = (f64::from(*x), f64::from(*y));
                    x == y || (x.is_nan() && y.is_nan()) || (x - y).abs() <= tolerance * x.abs().max(1.0)
                })
        }
        (Value::I64(left), Value::I64(right)) => left == right,
        _ => false,
    }
}
