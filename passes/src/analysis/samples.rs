//! Arrays of files as samples of a graph's inputs.

use crate::framework::{Message, PassError, tell};
use cml_runtime::arrays::ArraySource;
use cml_runtime::reference::Value;
use cml_runtime::reference::message::Port;
use ndarray::{ArrayD, Axis, Dimension};

/// Fewer samples than this are worth a warning.
const FEW_SAMPLES: usize = 10;

/// Loads samples for the inputs of a graph. `spec` is a file for the only input, or `name=FILE` for each, separated by `;`; a FILE
/// is `x.npy` or `data.npz:name`, rows as `[a:b]`. The first axis counts samples; what follows has the shape of the input without
/// its leading axis of extent 1. `what` names the data in errors: `calibration data`.
///
/// # Errors
/// [`PassError::Model`] that names the input: no data, none for this input, another shape, other counts, not finite.
pub fn samples(what: &str, ports: &[Port], spec: &str) -> Result<Vec<Vec<Value>>, PassError> {
    let mut arrays = Vec::new();
    for port in ports {
        let array = source_of(what, port, ports, spec)?.load_floats()?;
        check(what, port, &array)?;
        arrays.push(array);
    }
    let count = arrays.first().map_or(0, |array| array.len_of(Axis(0)));
    for (port, array) in ports.iter().zip(&arrays) {
        if array.len_of(Axis(0)) != count {
            let message = format!(
                "{what} has {} samples, that of {} has {count}",
                array.len_of(Axis(0)),
                ports[0].name
            );
            return Err(PassError::Model { node: port.name.clone(), message });
        }
    }
    (0..count)
        .map(|row| ports.iter().zip(&arrays).map(|(port, array)| sample(port, array, row)).collect())
        .collect()
}

/// Refuses calibration samples that say nothing of the range of values, and warns of few.
///
/// # Errors
/// [`PassError::Model`] that names an input for which all samples are the same.
pub fn check_varied(ports: &[Port], samples: &[Vec<Value>]) -> Result<(), PassError> {
    let count = samples.len();
    for (index, port) in ports.iter().enumerate() {
        let first = samples.first().map(|sample| &sample[index]);
        if samples.iter().all(|sample| Some(&sample[index]) == first) {
            let message = format!(
                "calibration data is constant: {count} sample(s), all of the same values; scales need samples as the \
                 network will see them, some hundred of them"
            );
            return Err(PassError::Model { node: port.name.clone(), message });
        }
    }
    if count < FEW_SAMPLES {
        tell(Message::Warning(&format!(
            "{count} calibration samples are few: values beyond what they have will be clipped"
        )));
    }
    Ok(())
}

fn source_of(what: &str, port: &Port, ports: &[Port], spec: &str) -> Result<ArraySource, PassError> {
    let problem = |message: String| PassError::Model { node: port.name.clone(), message };
    let parts: Vec<&str> = spec.split(';').map(str::trim).filter(|part| !part.is_empty()).collect();
    let named = parts.iter().find_map(|part| part.strip_prefix(port.name.as_str())?.strip_prefix('='));
    let text = match (named, &parts[..]) {
        (Some(text), _) => text,
        (None, [text]) if ports.len() == 1 => text,
        _ => return Err(problem(format!("no {what} for this input: expected {}=FILE", port.name))),
    };
    text.parse().map_err(|error| problem(format!("{error}")))
}

fn check(what: &str, port: &Port, array: &ArrayD<f32>) -> Result<(), PassError> {
    let problem = |message: String| Err(PassError::Model { node: port.name.clone(), message });
    let expected: Vec<usize> = port.shape.iter().skip(1).map(|extent| *extent as usize).collect();
    let found = array.shape();
    if found.is_empty() || found[1..] != expected[..] {
        return problem(format!(
            "{what} has shape {found:?}, expected [samples, ..] with {expected:?} for each sample"
        ));
    }
    if found[0] == 0 {
        return problem(format!("{what} has no samples"));
    }
    if let Some((index, value)) = array.indexed_iter().find(|(_, value)| !value.is_finite()) {
        return problem(format!("{what} is not finite: {value} at {:?}; remove the row", index.slice()));
    }
    Ok(())
}

fn sample(port: &Port, array: &ArrayD<f32>, row: usize) -> Result<Value, PassError> {
    let shape: Vec<usize> = port.shape.iter().map(|extent| *extent as usize).collect();
    let elements = array.index_axis(Axis(0), row).iter().copied().collect();
    Value::floats(&shape, elements)
        .map_err(|fault| PassError::Model { node: port.name.clone(), message: fault.to_string() })
}
