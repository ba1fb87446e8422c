//! `cml predict`.

use crate::arguments::{Mode, PredictArguments};
use crate::compile::configuration::Configuration;
use crate::progress::Bootstraps;
use anyhow::{Result, anyhow, bail};
use cml_frontend::ImportOptions;
use cml_runtime::arrays::ArraySource;
use cml_runtime::client;
use cml_runtime::commands::{self, Error, Seconds, load_arrays, output_places, save_arrays};
use cml_runtime::memory::peak_rss_bytes;
use cml_runtime::output::{print, warn_of_clipping, warn_of_wrong_results};
use cml_runtime::program::Invalid;
use cml_runtime::program::message::Program;
use cml_runtime::reference::message::{Graph, Port};
use cml_runtime::reference::{Evaluator, TensorType, Value};
use ndarray::{ArcArray, Axis, IxDyn, Slice};
use serde::Serialize;
use std::fmt::{Display, Formatter};
use std::path::Path;
use std::time::Instant;

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Outcome {
    mode: &'static str,
    samples: usize,
    /// The class of each sample, where the first output is a row of scores, or one integer.
    #[serde(skip_serializing_if = "Option::is_none")]
    predictions: Option<Vec<i64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correct: Option<usize>,
    /// Not rounded.
    #[serde(skip_serializing_if = "Option::is_none")]
    accuracy: Option<f64>,
    /// Samples whose integers equal those of the quantized function; absent in floats, or without that function.
    #[serde(skip_serializing_if = "Option::is_none")]
    equal_to_quantized: Option<usize>,
    /// Input values outside of the calibrated range.
    clipped: u64,
    /// Integers outside of their proved range.
    out_of_range: u64,
    seconds: Seconds,
    /// Largest memory of the process, client and server together; absent where the system does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    peak_rss_bytes: Option<u64>,
}

/// Most predictions that are shown to a person.
const SHOWN: usize = 20;

/// Predicts, and prints what came of it.
pub(crate) fn predict(arguments: &PredictArguments) -> Result<()> {
    let program = Program::load(&arguments.program)?;
    let client = program.client.as_ref().ok_or(Invalid::Missing { what: "client" })?;
    let places = match arguments.output.as_slice() {
        [] => Vec::new(),
        outputs => output_places(client, outputs)?,
    };
    let arrays = load_arrays(client, &arguments.inputs.sources())?;
    let arrays: Vec<Value> = arrays.iter().map(|array| first_rows(array, arguments.limit)).collect();
    let labels = arguments.labels.as_ref().map(|source| labels(source, arguments.limit)).transpose()?;
    let samples = arrays.first().and_then(|array| array.shape().first()).copied().unwrap_or(0);
    if let Some(labels) = &labels
        && labels.len() != samples
    {
        bail!("there are {} labels for {samples} samples", labels.len());
    }
    if arguments.strict {
        client::quantize(client, &arrays, true)?;
    }
    let (outputs, mut outcome) = match (arguments.mode, &arguments.model) {
        (Mode::Float, Some(model)) => in_floats(&program, model, &arrays)?,
        (Mode::Float, None) => bail!("--mode float needs --model model.onnx"),
        _ => in_integers(&program, &arrays, arguments)?,
    };
    outcome.samples = samples;
    outcome.predictions = outputs.first().and_then(|output| classes(output).ok());
    if let Some(labels) = labels {
        let classes = classes(outputs.first().ok_or_else(|| anyhow!("the network has no output"))?)?;
        let correct = classes.iter().zip(&labels).filter(|(class, label)| class == label).count();
        outcome.correct = Some(correct);
        outcome.accuracy = Some(correct as f64 / samples.max(1) as f64);
    }
    save_arrays(&places, &outputs)?;
    warn_of_clipping(outcome.clipped);
    warn_of_wrong_results(outcome.out_of_range);
    Ok(print(&if arguments.json {
        serde_json::to_string_pretty(&outcome)? + "\n"
    } else {
        outcome.to_string()
    })?)
}

fn in_integers(
    program: &Program,
    arrays: &[Value],
    arguments: &PredictArguments,
) -> Result<(Vec<Value>, Outcome)> {
    let mode = match arguments.mode {
        Mode::Float | Mode::Quantized => commands::Mode::Quantized,
        Mode::Simulate => commands::Mode::Simulated(arguments.seed),
        Mode::Fhe => commands::Mode::Encrypted(arguments.together),
    };
    let bar = Bootstraps::start();
    let prediction =
        commands::predict(program, arrays, mode, &|finished, total| bar.report(finished, total))?;
    drop(bar);
    let peak_rss_bytes = peak_rss_bytes();
    let equal_to_quantized = if mode == commands::Mode::Quantized {
        Some(prediction.integers.len())
    } else {
        match commands::predict(program, arrays, commands::Mode::Quantized, &|_, _| ()) {
            Ok(reference) => {
                let pairs = prediction.integers.iter().zip(&reference.integers);
                Some(pairs.filter(|(found, expected)| found == expected).count())
            }
            Err(Error::Stripped) => None,
            Err(error) => return Err(error.into()),
        }
    };
    let outcome = Outcome {
        mode: arguments.mode.name(),
        samples: 0,
        predictions: None,
        correct: None,
        accuracy: None,
        equal_to_quantized,
        clipped: prediction.clipped,
        out_of_range: prediction.out_of_range,
        seconds: prediction.seconds,
        peak_rss_bytes,
    };
    Ok((prediction.outputs, outcome))
}

/// The network itself, sample by sample, on the inputs of the program.
fn in_floats(program: &Program, model: &Path, arrays: &[Value]) -> Result<(Vec<Value>, Outcome)> {
    let dims =
        Configuration::parse(&program.configuration).map(|found| found.options.dims).unwrap_or_default();
    let graph = cml_frontend::import(model, &ImportOptions { dims })?.graph;
    let client = program.client.as_ref();
    let inputs = client.and_then(|client| client.quantize.as_ref()).map(|graph| &graph.inputs);
    let outputs = client.and_then(|client| client.dequantize.as_ref()).map(|graph| graph.outputs.len());
    if inputs != Some(&graph.inputs) || outputs != Some(graph.outputs.len()) {
        bail!(
            "{} has other inputs or outputs than the program; give the network that it was compiled from",
            model.display()
        );
    }
    let evaluator = Evaluator::new(&graph)?;
    let mut results: Vec<Vec<Value>> = vec![Vec::new(); graph.outputs.len()];
    let mut seconds = Seconds::default();
    for inputs in samples(&graph, arrays)? {
        let start = Instant::now();
        let outputs = evaluator.run(&inputs)?;
        seconds.run.push(start.elapsed().as_secs_f64());
        results.iter_mut().zip(outputs).for_each(|(result, output)| result.push(output));
    }
    let outputs = results.iter().map(|values| joined(values)).collect::<Result<_>>()?;
    let outcome = Outcome {
        mode: Mode::Float.name(),
        samples: 0,
        predictions: None,
        correct: None,
        accuracy: None,
        equal_to_quantized: None,
        clipped: 0,
        out_of_range: 0,
        seconds,
        peak_rss_bytes: peak_rss_bytes(),
    };
    Ok((outputs, outcome))
}

/// One list of inputs for each sample.
pub(crate) fn samples(graph: &Graph, arrays: &[Value]) -> Result<Vec<Vec<Value>>> {
    let types = graph.types()?;
    let count = arrays.first().and_then(|array| array.shape().first()).copied().unwrap_or(0);
    let sample = |index: usize| -> Result<Vec<Value>> {
        let inputs = arrays.iter().zip(graph.inputs.iter().zip(&types));
        let input = |(array, (port, expected)): (&Value, (&Port, &TensorType))| {
            row(array, index, &expected.shape).ok_or_else(|| {
                let (name, found, wanted) = (&port.name, array.shape(), &expected.shape);
                anyhow!("input {name}: a sample of an array of shape {found:?} does not fill {wanted:?}")
            })
        };
        inputs.map(input).collect()
    };
    (0..count).map(sample).collect()
}

/// One sample, in the shape of the network's input; `None` if it has another number of elements.
fn row(array: &Value, index: usize, shape: &[usize]) -> Option<Value> {
    fn elements<T: Copy>(array: &ArcArray<T, IxDyn>, index: usize) -> Option<Vec<T>> {
        let exists = array.ndim() > 0 && index < array.len_of(Axis(0));
        exists.then(|| array.index_axis(Axis(0), index).iter().copied().collect())
    }
    match array {
        Value::F32(array) => Value::floats(shape, elements(array, index)?).ok(),
        Value::I64(array) => Value::integers(shape, elements(array, index)?).ok(),
    }
}

/// Samples along a first axis, instead of the extent 1 that each has.
fn joined(values: &[Value]) -> Result<Value> {
    fn stack<T: Clone>(values: &[ArcArray<T, IxDyn>]) -> Result<ArcArray<T, IxDyn>> {
        let views: Vec<_> = values.iter().map(|value| value.view()).collect();
        let has_batch = views.iter().all(|view| view.shape().first() == Some(&1));
        let all =
            if has_batch { ndarray::concatenate(Axis(0), &views) } else { ndarray::stack(Axis(0), &views) };
        Ok(all?.into_shared())
    }
    let floats: Option<Vec<_>> = values.iter().map(|value| value.as_floats().cloned()).collect();
    let integers: Option<Vec<_>> = values.iter().map(|value| value.as_integers().cloned()).collect();
    match (floats, integers) {
        (Some(floats), _) if !floats.is_empty() => Ok(Value::F32(stack(&floats)?)),
        (_, Some(integers)) if !integers.is_empty() => Ok(Value::I64(stack(&integers)?)),
        _ => bail!("there are no samples"),
    }
}

fn first_rows(array: &Value, limit: Option<usize>) -> Value {
    fn cut<T: Clone>(array: &ArcArray<T, IxDyn>, limit: usize) -> ArcArray<T, IxDyn> {
        let rows = limit.min(array.len_of(Axis(0)));
        array.slice_axis(Axis(0), Slice::from(..rows)).to_owned().into_shared()
    }
    match (array, limit) {
        (Value::F32(array), Some(limit)) if array.ndim() > 0 => Value::F32(cut(array, limit)),
        (Value::I64(array), Some(limit)) if array.ndim() > 0 => Value::I64(cut(array, limit)),
        (array, _) => array.clone(),
    }
}

pub(crate) fn labels(source: &ArraySource, limit: Option<usize>) -> Result<Vec<i64>> {
    let labels = source.load_integers()?;
    if labels.ndim() == 0 || labels.len() != labels.len_of(Axis(0)) {
        bail!("{source} has shape {:?}, expected one label for each sample", labels.shape());
    }
    Ok(labels.iter().copied().take(limit.unwrap_or(usize::MAX)).collect())
}

/// The index of the largest score, the first of equal ones.
pub(crate) fn largest<'a>(scores: impl IntoIterator<Item = &'a f32>) -> i64 {
    let larger = |best: (i64, f32), (index, score): (i64, &f32)| {
        if *score > best.1 { (index, *score) } else { best }
    };
    (0..).zip(scores).fold((0, f32::NEG_INFINITY), larger).0
}

/// The class of each sample: the integer that the network gives, or the index of its largest float.
pub(crate) fn classes(output: &Value) -> Result<Vec<i64>> {
    let several = "labels are compared with the index of the largest result, or with an integer";
    match output {
        Value::I64(classes) if classes.ndim() > 0 && classes.len() == classes.len_of(Axis(0)) => {
            Ok(classes.iter().copied().collect())
        }
        Value::F32(scores) if scores.ndim() > 1 && scores.len() > scores.len_of(Axis(0)) => {
            Ok(scores.axis_iter(Axis(0)).map(largest).collect())
        }
        Value::F32(scores) if scores.is_empty() => Ok(Vec::new()),
        _ => bail!("{several}; this network's first output has shape {:?}", output.shape()),
    }
}

impl Display for Outcome {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let Self { mode, samples, seconds, .. } = self;
        writeln!(f, "{samples} samples, {mode}")?;
        if let Some(predictions) = &self.predictions {
            let shown: Vec<String> = predictions.iter().take(SHOWN).map(i64::to_string).collect();
            let more = if predictions.len() > SHOWN { " ..." } else { "" };
            writeln!(f, "predictions         {}{more}", shown.join(" "))?;
        }
        if let (Some(correct), Some(accuracy)) = (self.correct, self.accuracy) {
            writeln!(f, "accuracy            {:.1} % ({correct} of {samples})", 100.0 * accuracy)?;
        }
        if let Some(equal) = self.equal_to_quantized {
            writeln!(f, "equal to quantized  {equal} of {samples}")?;
        }
        if seconds.keygen > 0.0 {
            writeln!(f, "keys                {:.2} s, loaded in {:.2} s", seconds.keygen, seconds.load)?;
        }
        let total: f64 = seconds.run.iter().sum();
        writeln!(f, "one inference       {:.4} s", total / self.samples.max(1) as f64)?;
        if let Some(bytes) = self.peak_rss_bytes {
            writeln!(f, "peak memory         {} MB", bytes.div_ceil(1_000_000))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_is_the_integer_or_the_largest_float() {
        let scores = Value::floats(&[2, 3], vec![0.0, 2.0, 2.0, -1.0, -3.0, -2.0]).unwrap();
        assert_eq!(classes(&scores).unwrap(), [1, 0]);
        let integers = Value::integers(&[2, 1], vec![4, 7]).unwrap();
        assert_eq!(classes(&integers).unwrap(), [4, 7]);
        let single = Value::floats(&[2, 1], vec![0.0, 2.0]).unwrap();
        assert!(classes(&single).unwrap_err().to_string().contains("shape [2, 1]"));
    }

    #[test]
    fn samples_are_limited_and_joined() {
        let array = Value::floats(&[3, 2], vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        let limited = first_rows(&array, Some(2));
        assert_eq!(limited.shape(), [2, 2]);
        let rows: Vec<Value> = (0..2).map(|index| row(&limited, index, &[1, 2]).unwrap()).collect();
        assert_eq!(joined(&rows).unwrap(), limited);
        assert_eq!(first_rows(&array, Some(9)), array);
        assert!(row(&array, 0, &[1, 3]).is_none() && row(&array, 3, &[1, 2]).is_none());
        let integers = Value::integers(&[2, 2], vec![1, 2, 3, 4]).unwrap();
        assert_eq!(row(&integers, 1, &[1, 2]), Value::integers(&[1, 2], vec![3, 4]).ok());
    }
}
