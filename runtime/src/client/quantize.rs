//! From the user's arrays to the integers that are encrypted, and from decrypted integers to results.

use super::Error;
use crate::program::Invalid;
use crate::program::message::{Client, DeclaredRange};
use crate::reference::kernels::quantize::{Direction, run as run_quantizer};
use crate::reference::message::{Element, Graph, Op, Port, Quantizer, Rounding};
use crate::reference::{Evaluator, TensorType, Value};
use ndarray::{ArcArray, Axis, IxDyn};

/// Integers of some samples, ready to encrypt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quantized {
    /// For each sample one list for each encrypted input, elements row-major.
    pub samples: Vec<Vec<Vec<i64>>>,
    /// How many input values are outside of the calibrated range, and were clipped to its end.
    pub clipped: u64,
}

/// Runs the client's quantizers on arrays whose first axis counts samples: one array for each input of the network.
///
/// With `strict`, values outside of the calibrated range are refused instead of clipped.
///
/// # Errors
/// If arrays and inputs do not fit, an element is not finite or outside of the declared range, or as `strict` says.
pub fn quantize(client: &Client, arrays: &[Value], strict: bool) -> Result<Quantized, Error> {
    let graph = client.quantize.as_ref().ok_or(Invalid::Missing { what: "quantize function" })?;
    let samples = split(graph, arrays)?;
    let evaluator = Evaluator::new(graph)?;
    let mut quantized = Quantized { samples: Vec::with_capacity(samples.len()), clipped: 0 };
    for (index, sample) in samples.iter().enumerate() {
        for (number, (port, value)) in graph.inputs.iter().zip(sample).enumerate() {
            check_elements(port, index, value, client.declared.get(number))?;
        }
        let values = evaluator.run_all(sample)?;
        let clipped = count_clipped(graph, &values);
        if strict && clipped > 0 {
            return Err(Error::Clipped { count: clipped, sample: index });
        }
        quantized.clipped += clipped;
        quantized.samples.push(integers_of(graph, &values)?);
    }
    Ok(quantized)
}

/// Runs the client's last part on decrypted integers: one array for each result of the network, samples first.
///
/// # Errors
/// If the integers are not those of the program's outputs.
pub fn dequantize(client: &Client, samples: &[Vec<Vec<i64>>]) -> Result<Vec<Value>, Error> {
    let graph = client.dequantize.as_ref().ok_or(Invalid::Missing { what: "dequantize function" })?;
    let evaluator = Evaluator::new(graph)?;
    let types = graph.types()?;
    let mut results: Vec<Vec<Value>> = vec![Vec::new(); graph.outputs.len()];
    for lists in samples {
        for (result, value) in results.iter_mut().zip(evaluator.run(&typed(lists, &types)?)?) {
            result.push(value);
        }
    }
    let output_types = graph.output_types()?;
    Ok(output_types.iter().zip(results).map(|(output, values)| join(output, &values)).collect())
}

/// Flat lists in the shapes of the first values of a graph.
pub(crate) fn typed(lists: &[Vec<i64>], types: &[TensorType]) -> Result<Vec<Value>, Error> {
    let pairs = lists.iter().zip(types).enumerate();
    let value = |(index, (list, expected)): (usize, (&Vec<i64>, &TensorType))| {
        Value::integers(&expected.shape, list.clone()).map_err(|_| Error::InputShape {
            name: index.to_string(),
            found: format!("{} elements", list.len()),
            expected: format!("{:?}", expected.shape),
        })
    };
    pairs.map(value).collect()
}

/// The integers among some values of a graph that are its results.
pub(crate) fn integers_of(graph: &Graph, values: &[Value]) -> Result<Vec<Vec<i64>>, Error> {
    let list = |index: &u32| {
        let integers = values.get(*index as usize).and_then(Value::as_integers);
        let integers = integers.map(|array| array.iter().copied().collect());
        integers.ok_or(Invalid::Mismatch { what: "what is encrypted or decrypted is not integer" }.into())
    };
    graph.outputs.iter().map(list).collect()
}

/// Shape of one sample without the batch axis.
fn sample_shape(shape: &[usize]) -> &[usize] {
    shape.strip_prefix(&[1]).unwrap_or(shape)
}

/// Takes arrays apart into samples, each in the shape that the graph declares.
fn split(graph: &Graph, arrays: &[Value]) -> Result<Vec<Vec<Value>>, Error> {
    if arrays.len() != graph.inputs.len() {
        let names: Vec<_> = graph.inputs.iter().map(|port| port.name.as_str()).collect();
        let (found, expected) = (arrays.len(), graph.inputs.len());
        return Err(Error::InputCount { found, expected, names: names.join(", ") });
    }
    let types = graph.types()?;
    let count = arrays.first().and_then(|array| array.shape().first()).copied().unwrap_or(0);
    for ((port, array), expected) in graph.inputs.iter().zip(arrays).zip(&types) {
        if array.element() != expected.element {
            let (found, expected) = (element_text(array.element()), element_text(expected.element));
            return Err(Error::InputElement { name: port.name.clone(), found, expected });
        }
        let shape = array.shape();
        if shape.first() != Some(&count) || shape[1..] != *sample_shape(&expected.shape) {
            let rest: String =
                sample_shape(&expected.shape).iter().map(|extent| format!(", {extent}")).collect();
            let (found, expected) = (format!("{shape:?}"), format!("[{count}{rest}]"));
            return Err(Error::InputShape { name: port.name.clone(), found, expected });
        }
    }
    // An array without elements may have any number of rows: only now is it known how many are meant.
    let sample = |index| {
        arrays.iter().zip(&types).map(|(array, expected)| row(array, index, &expected.shape)).collect()
    };
    Ok((0..count).map(sample).collect())
}

fn element_text(element: Element) -> &'static str {
    match element {
        Element::F32 => "float",
        Element::I64 => "integer",
    }
}

/// One sample of an array, in a shape of as many elements.
fn row(array: &Value, index: usize, shape: &[usize]) -> Value {
    fn pick<T: Clone>(array: &ArcArray<T, IxDyn>, index: usize, shape: &[usize]) -> ArcArray<T, IxDyn> {
        let elements = array.index_axis(Axis(0), index).iter().cloned().collect();
        ArcArray::from_shape_vec(IxDyn(shape), elements).expect("a row has the elements of a sample")
    }
    match array {
        Value::F32(array) => Value::F32(pick(array, index, shape)),
        Value::I64(array) => Value::I64(pick(array, index, shape)),
    }
}

/// Puts samples together again, along a first axis.
fn join(output: &TensorType, values: &[Value]) -> Value {
    let mut shape = vec![values.len()];
    shape.extend(sample_shape(&output.shape));
    let joined = match output.element {
        Element::F32 => {
            let elements = values.iter().filter_map(Value::as_floats).flat_map(|array| array.iter().copied());
            Value::floats(&shape, elements.collect())
        }
        Element::I64 => {
            let elements =
                values.iter().filter_map(Value::as_integers).flat_map(|array| array.iter().copied());
            Value::integers(&shape, elements.collect())
        }
    };
    joined.expect("each result has the type that the graph infers")
}

fn check_elements(
    port: &Port,
    sample: usize,
    value: &Value,
    declared: Option<&DeclaredRange>,
) -> Result<(), Error> {
    let Some(array) = value.as_floats() else { return Ok(()) };
    for (element, value) in array.iter().enumerate() {
        let name = || port.name.clone();
        if !value.is_finite() {
            return Err(Error::NotFinite { name: name(), sample, element, value: f64::from(*value) });
        }
        let Some((lo, hi)) = declared.and_then(|range| range.of(element)) else { continue };
        if *value < lo || *value > hi {
            return Err(Error::OutOfDeclaredRange { name: name(), sample, element, value: *value, lo, hi });
        }
    }
    Ok(())
}

impl DeclaredRange {
    /// The bounds of one element, row-major; `None` where nothing was declared.
    #[must_use]
    pub fn of(&self, element: usize) -> Option<(f32, f32)> {
        let index = if self.lo.len() == 1 { 0 } else { element };
        Some((*self.lo.get(index)?, *self.hi.get(index)?))
    }
}

/// How many elements a quantizer of the graph brings back into its range.
fn count_clipped(graph: &Graph, values: &[Value]) -> u64 {
    let of_node = |node: &crate::reference::message::Node| {
        let Some(Op::Quantize(quantizer)) = &node.op else { return 0 };
        if quantizer.rounding() == Rounding::Sign {
            return 0;
        }
        let wide = Quantizer { lo: i64::MIN / 2, hi: i64::MAX / 2, ..quantizer.clone() };
        let operand = node.inputs.first().and_then(|value| values.get(*value as usize));
        let stored = operand.and_then(|value| run_quantizer(&wide, Direction::Quantize, value).ok());
        let Some(Value::I64(stored)) = stored else { return 0 };
        stored.iter().filter(|stored| !(quantizer.lo..=quantizer.hi).contains(stored)).count() as u64
    };
    graph.nodes.iter().map(of_node).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One input of two features with 3 bits and step 0.5, centred by subtraction.
    fn client() -> Client {
        let (scales, zero_points) = (vec![0.5], vec![4]);
        let quantizer = Quantizer { scales, zero_points, lo: 0, hi: 7, ..Quantizer::default() };
        let port = |element| Port { name: "x".to_owned(), shape: vec![1, 2], element: element as i32 };
        let mut quantize = Graph { inputs: vec![port(Element::F32)], ..Graph::default() };
        quantize.outputs = vec![quantize.push("in", Op::Quantize(quantizer.clone()), [0])];
        let mut dequantize = Graph { inputs: vec![port(Element::I64)], ..Graph::default() };
        dequantize.outputs = vec![dequantize.push("out", Op::Dequantize(quantizer), [0])];
        let declared = vec![DeclaredRange { lo: vec![-9.0, -1.0], hi: vec![9.0, 1.0] }];
        Client { quantize: Some(quantize), dequantize: Some(dequantize), declared, ..Client::default() }
    }

    fn floats(shape: &[usize], elements: &[f32]) -> Value {
        Value::floats(shape, elements.to_vec()).unwrap()
    }

    #[test]
    fn samples_are_quantized_one_by_one_and_come_back_together() {
        let quantized = quantize(&client(), &[floats(&[2, 2], &[0.0, 0.5, -1.0, 0.9])], true).unwrap();
        assert_eq!(quantized, Quantized { samples: vec![vec![vec![4, 5]], vec![vec![2, 6]]], clipped: 0 });
        let results = dequantize(&client(), &quantized.samples).unwrap();
        assert_eq!(results, [floats(&[2, 2], &[0.0, 0.5, -1.0, 1.0])]);
    }

    #[test]
    fn values_beyond_the_calibrated_range_are_counted_or_refused() {
        let arrays = [floats(&[2, 2], &[1.6, 0.0, 5.0, 0.0])];
        let quantized = quantize(&client(), &arrays, false).unwrap();
        assert_eq!((quantized.samples[1][0][0], quantized.clipped), (7, 1));
        let refused = quantize(&client(), &arrays, true).unwrap_err().to_string();
        assert!(refused.starts_with("1 input values are outside"), "{refused}");
    }

    #[test]
    fn inputs_that_do_not_fit_are_named() {
        let refused = |arrays: &[Value]| quantize(&client(), arrays, false).unwrap_err().to_string();
        assert_eq!(
            refused(&[floats(&[2, 3], &[0.0; 6])]),
            "input x: shape [2, 3], expected [2, 2] (the first axis counts samples)"
        );
        // As many rows as no memory holds, and not one element.
        let rows = refused(&[floats(&[1 << 50, 0], &[])]);
        assert!(rows.starts_with("input x: shape [1125899906842624, 0], expected"), "{rows}");
        assert_eq!(refused(&[]), "0 arrays were given, the program has 1 inputs: x");
        let integers = Value::integers(&[1, 2], vec![0, 0]).unwrap();
        assert_eq!(refused(&[integers]), "input x: integer elements, expected float");
        assert_eq!(
            refused(&[floats(&[2, 2], &[0.0, 0.0, f32::NAN, 0.0])]),
            "input x, sample 1: element 0 is NaN, which is not finite"
        );
        assert_eq!(
            refused(&[floats(&[1, 2], &[-5.0, 1.5])]),
            "input x, sample 0: element 1 is 1.5, the program was compiled for -1 to 1 (--input-range)"
        );
    }
}
