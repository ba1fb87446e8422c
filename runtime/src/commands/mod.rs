//! The commands of client and server: keygen, encrypt, run, decrypt on files, and prediction in one process.
//!
//! What `cml-run` and `cml` share. Nothing here prints: progress goes to a callback, results and warnings are returned.
//! Outputs appear complete or not at all.

mod error;
mod noise;
mod predict;

pub use error::Error;
pub use noise::{NoiseRow, measure_noise, noise_sets};
pub use predict::{Mode, Prediction, Seconds, predict};

use crate::arrays::{self, ArraySource};
use crate::client::{self, ClientKey, EncryptedInputs, EncryptedOutputs, EvaluationKey, Randomness};
use crate::parameters::{Summary, key_sets, ledger};
use crate::program::message::{Client, Program};
use crate::program::{Invalid, load_client};
use crate::reference::Value;
use crate::reference::message::{Element, Graph, Port};
use crate::server::{CheckedServer, ServerKey};
use std::fmt::{Display, Formatter};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Told how many of how many bootstraps are finished, from any thread.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// What `keygen` made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KeygenReport {
    /// Security and failure probability that the client checked before.
    pub checked: Summary,
    /// Size of the evaluation key's content.
    pub eval_key_bytes: u64,
}

impl Display for KeygenReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let Summary { security_bits, total, .. } = self.checked;
        let megabytes = self.eval_key_bytes.div_ceil(1_000_000);
        write!(
            f,
            "{security_bits:.0} bits of security, one inference fails with probability 2^{:.1}, ",
            total.0
        )?;
        write!(f, "evaluation key {megabytes} MB")
    }
}

/// Makes keys for a program, after checking its security and failure probability.
///
/// `bundle` is a `client.cml` or a `model.cml`.
///
/// # Errors
/// What the files or the parameters say. No key is left behind.
pub fn keygen(bundle: &Path, client_key: &Path, eval_key: &Path) -> Result<KeygenReport, Error> {
    expect_different(&[client_key, eval_key])?;
    let client = load_client(bundle)?;
    let checked = ledger::check(&client).map_err(Invalid::from)?;
    let mut randomness = Randomness::from_system()?;
    let key = ClientKey::generate(&client, &mut randomness)?;
    key.evaluation_key(&mut randomness).save(eval_key)?;
    if let Err(error) = key.save(client_key) {
        // An evaluation key whose secret key is lost is of no use. That it cannot be removed would be the lesser error.
        let _ = std::fs::remove_file(eval_key);
        return Err(error.into());
    }
    Ok(KeygenReport { checked, eval_key_bytes: key_sets::eval_key_bytes(key.parameters()) })
}

/// An array for a program's input, or a file for its output.
#[derive(Clone, Debug, PartialEq)]
pub struct Named<T> {
    /// As the ONNX file names the input or output; absent where there is only one.
    pub name: Option<String>,
    /// The array or file.
    pub place: T,
}

impl<T: FromStr> FromStr for Named<T> {
    type Err = T::Err;

    /// `name=place`; without a `=` the name is absent.
    fn from_str(text: &str) -> Result<Self, T::Err> {
        let (name, place) = match text.split_once('=') {
            Some((name, place)) => (Some(name.to_owned()), place),
            None => (None, text),
        };
        Ok(Self { name, place: place.parse()? })
    }
}

/// What `encrypt` takes.
#[derive(Clone, Debug, PartialEq)]
pub struct EncryptOptions {
    /// `client.cml` or `model.cml`.
    pub bundle: PathBuf,
    /// The secret keys.
    pub client_key: PathBuf,
    /// One array for each input of the network; the first axis counts samples.
    pub inputs: Vec<Named<ArraySource>>,
    /// Where the ciphertexts go.
    pub output: PathBuf,
    /// Refuse values outside of the calibrated range.
    pub strict: bool,
}

/// What `encrypt` did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncryptReport {
    /// Samples encrypted.
    pub samples: usize,
    /// Input values outside of the calibrated range, clipped to its end.
    pub clipped: u64,
}

/// Quantizes and encrypts arrays.
///
/// # Errors
/// What the files or the arrays say. No output is left behind.
pub fn encrypt(options: &EncryptOptions) -> Result<EncryptReport, Error> {
    let client = load_client(&options.bundle)?;
    let key = ClientKey::load(&options.client_key, &client)?;
    let arrays = load_arrays(&client, &options.inputs)?;
    let quantized = client::quantize(&client, &arrays, options.strict)?;
    let mut randomness = Randomness::from_system()?;
    let encrypted = client::encrypt(&key, &client, &quantized.samples, &mut randomness)?;
    encrypted.save(&options.output)?;
    Ok(EncryptReport { samples: encrypted.sample_count(), clipped: quantized.clipped })
}

/// Computes on ciphertexts: the server's step. Returns the number of samples.
///
/// # Errors
/// What the files say. No output is left behind.
pub fn run(
    model: &Path,
    eval_key: &Path,
    input: &Path,
    output: &Path,
    progress: Progress<'_>,
) -> Result<usize, Error> {
    let program = Program::load(model)?;
    let server = program
        .server
        .as_ref()
        .ok_or(Invalid::Missing { what: "server" })
        .map_err(crate::server::Error::from)?;
    let server = CheckedServer::new(server)?;
    let inputs = EncryptedInputs::load(input, server.hash(), &server.server().inputs)?;
    let key = ServerKey::prepare(&EvaluationKey::load(eval_key, server.hash(), server.parameters())?);
    let outputs = evaluate(&server, &key, &inputs, progress)?;
    outputs.save(output)?;
    Ok(outputs.sample_count())
}

/// Runs all samples together, with progress counted over all of them.
fn evaluate(
    server: &CheckedServer<'_>,
    key: &ServerKey,
    inputs: &EncryptedInputs,
    progress: Progress<'_>,
) -> Result<EncryptedOutputs, Error> {
    let (finished, total) = (AtomicUsize::new(0), server.rotations() * inputs.sample_count());
    let count = |count| progress(finished.fetch_add(count, Ordering::Relaxed) + count, total);
    Ok(server.run_encrypted(key, inputs, &count)?)
}

/// What `decrypt` did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecryptReport {
    /// Samples decrypted.
    pub samples: usize,
    /// Integers outside of their proved range: not 0 only if something went wrong on the way.
    pub out_of_range: u64,
}

/// Decrypts results and writes one `.npy` file for each output of the network; the first axis counts samples.
///
/// # Errors
/// What the files say. No output is left behind.
pub fn decrypt(
    bundle: &Path,
    client_key: &Path,
    input: &Path,
    outputs: &[Named<PathBuf>],
) -> Result<DecryptReport, Error> {
    let client = load_client(bundle)?;
    let key = ClientKey::load(client_key, &client)?;
    let places = output_places(&client, outputs)?;
    let encrypted = EncryptedOutputs::load(input, &client)?;
    let decrypted = client::decrypt(&key, &client, &encrypted)?;
    save_arrays(&places, &client::dequantize(&client, &decrypted.samples)?)?;
    Ok(DecryptReport { samples: encrypted.sample_count(), out_of_range: decrypted.out_of_range })
}

/// The file of each result of the network, in their order.
///
/// # Errors
/// For a result without a file, a name that is no output's, or one file for two of them.
pub fn output_places<'a>(client: &Client, outputs: &'a [Named<PathBuf>]) -> Result<Vec<&'a Path>, Error> {
    let graph = client.dequantize.as_ref().ok_or(Invalid::Missing { what: "dequantize function" });
    let names = &graph.map_err(client::Error::from)?.output_names;
    let places: Vec<&Path> = assign(names, outputs, "output")?.into_iter().map(PathBuf::as_path).collect();
    expect_different(&places)?;
    Ok(places)
}

/// Writes results as `.npy`, all of them or none.
///
/// # Errors
/// [`Error::Arrays`].
pub fn save_arrays(places: &[&Path], arrays: &[Value]) -> Result<(), Error> {
    for (index, (place, array)) in places.iter().zip(arrays).enumerate() {
        let saved = match array {
            Value::F32(array) => arrays::save_floats(place, &array.to_owned().into_owned()),
            Value::I64(array) => arrays::save_integers(place, &array.to_owned().into_owned()),
        };
        if let Err(error) = saved {
            // That one of those before cannot be removed would be the lesser error.
            places[..index].iter().for_each(|place| drop(std::fs::remove_file(place)));
            return Err(error.into());
        }
    }
    Ok(())
}

/// Reads the arrays of a network's inputs, in their order.
///
/// # Errors
/// For an input without an array, a name that is no input's, or what the files say.
pub fn load_arrays(client: &Client, inputs: &[Named<ArraySource>]) -> Result<Vec<Value>, Error> {
    let graph = client.quantize.as_ref().ok_or(Invalid::Missing { what: "quantize function" });
    let graph: &Graph = graph.map_err(client::Error::from)?;
    let names: Vec<String> = graph.inputs.iter().map(|port| port.name.clone()).collect();
    let sources = assign(&names, inputs, "input")?;
    let load = |(port, source): (&Port, &ArraySource)| -> Result<Value, Error> {
        if port.element == Element::I64 as i32 {
            return Ok(source.load_integers()?.into());
        }
        Ok(source.load_floats()?.into())
    };
    graph.inputs.iter().zip(sources).map(load).collect()
}

/// Refuses outputs that would overwrite each other.
///
/// # Errors
/// [`Error::SameFile`].
pub fn expect_different(paths: &[&Path]) -> Result<(), Error> {
    match paths.iter().enumerate().find(|(index, path)| paths[..*index].contains(path)) {
        Some((_, path)) => Err(Error::SameFile { path: path.to_path_buf() }),
        None => Ok(()),
    }
}

/// One place for each name, in the order of the names.
fn assign<'a, T>(names: &[String], given: &'a [Named<T>], what: &'static str) -> Result<Vec<&'a T>, Error> {
    let mismatch = || Error::Names {
        what,
        given: given.iter().map(|one| one.name.as_deref().unwrap_or("(without name)").to_owned()).collect(),
        expected: names.to_vec(),
    };
    if given.len() != names.len() {
        return Err(mismatch());
    }
    if let ([_], [Named { name: None, place }]) = (names, given) {
        return Ok(vec![place]);
    }
    let find = |name: &String| given.iter().find(|one| one.name.as_ref() == Some(name));
    names.iter().map(|name| find(name).map(|one| &one.place).ok_or_else(mismatch)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_do_not_overwrite_each_other() {
        let key = Path::new("a.key");
        let refused = keygen(Path::new("none.cml"), key, key).unwrap_err().to_string();
        assert_eq!(refused, "a.key is given for two outputs; name another file for one of them");
        assert!(expect_different(&[key, Path::new("b.key")]).is_ok());
    }

    #[test]
    fn places_are_found_by_name() {
        let given = |text: &str| text.parse::<Named<String>>().unwrap();
        let names = ["a".to_owned(), "b".to_owned()];
        assert_eq!(assign(&names, &[given("b=2"), given("a=1")], "input").unwrap(), ["1", "2"]);
        assert_eq!(assign(&names[..1], &[given("1")], "input").unwrap(), ["1"]);
        let message = assign(&names, &[given("b=2"), given("1")], "input").unwrap_err().to_string();
        assert_eq!(
            message,
            "an input was given for b, (without name), the program has a, b; name each: a=FILE"
        );
        assert!(assign(&names, &[given("a=2")], "input").is_err());
        assert!(assign(&names, &[given("a=2"), given("a=3")], "input").is_err());
    }

    #[test]
    fn results_are_written_all_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("a.npy"), folder.path().join("absent").join("b.npy"));
        let results = [Value::floats(&[1], vec![0.5]).unwrap(), Value::integers(&[1], vec![3]).unwrap()];
        let message = save_arrays(&[&first, &second], &results).unwrap_err().to_string();
        assert!(message.contains("b.npy") && !first.exists(), "{message}");
        save_arrays(&[&first], &results[..1]).unwrap();
        assert!(first.exists());
    }
}
