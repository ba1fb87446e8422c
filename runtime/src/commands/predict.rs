//! Prediction in one process: client and server together, with the time that each part takes.

use super::{Error, Progress, evaluate};
use crate::client::{self, ClientKey, Randomness};
use crate::program::Invalid;
use crate::program::message::{Client, Program};
use crate::reference::{Evaluator, Value};
use crate::server::{CheckedServer, ServerKey};
use serde::Serialize;
use std::num::NonZeroUsize;
use std::time::Instant;

/// What is computed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The integer function as it was before rewriting for encryption.
    Quantized,
    /// The server's program on clear integers.
    Clear,
    /// The server's program on phases with the predicted noise; the seed decides the noise of the first sample.
    Simulated(u64),
    /// Ciphertexts, with keys made for this prediction; so many samples go through the program together.
    Encrypted(NonZeroUsize),
}

/// Wall-clock times.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Seconds {
    /// Making both keys.
    pub keygen: f64,
    /// Preparing the evaluation key on the server.
    pub load: f64,
    /// Encrypting all samples.
    pub encrypt: f64,
    /// The evaluation of each sample, or of as many as go through the program together.
    pub run: Vec<f64>,
    /// Decrypting all samples.
    pub decrypt: f64,
}

/// Results of some samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// One array for each result of the network, samples first.
    pub outputs: Vec<Value>,
    /// What the server gives: for each sample one list for each of its outputs.
    pub integers: Vec<Vec<Vec<i64>>>,
    /// What went in: for each sample one list for each encrypted input.
    pub inputs: Vec<Vec<Vec<i64>>>,
    /// Input values outside of the calibrated range, clipped to its end.
    pub clipped: u64,
    /// Integers outside of their proved range.
    pub out_of_range: u64,
    /// How long it took.
    pub seconds: Seconds,
}

/// Predicts on arrays whose first axis counts samples: one array for each input of the network.
///
/// # Errors
/// What the arrays, the program or the mode say.
pub fn predict(
    program: &Program,
    arrays: &[Value],
    mode: Mode,
    progress: Progress<'_>,
) -> Result<Prediction, Error> {
    let client = program.client.as_ref().ok_or(Invalid::Missing { what: "client" })?;
    let server = program.server.as_ref().ok_or(Invalid::Missing { what: "server" })?;
    let server = CheckedServer::new(server)?;
    let quantized = client::quantize(client, arrays, false)?;
    let mut seconds = Seconds::default();
    let integers = match mode {
        Mode::Encrypted(together) => {
            encrypted(client, &server, &quantized.samples, together, &mut seconds, progress)?
        }
        _ => clear(program, &server, &quantized.samples, mode, &mut seconds, progress)?,
    };
    let ports = &client.outputs;
    let out_of_range = integers.iter().map(|lists| client::count_out_of_range(ports, lists)).sum();
    let outputs = client::dequantize(client, &integers)?;
    let (inputs, clipped) = (quantized.samples, quantized.clipped);
    Ok(Prediction { outputs, integers, inputs, clipped, out_of_range, seconds })
}

/// Adds the time that something takes to a sum.
fn timed<T>(seconds: &mut f64, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    *seconds += start.elapsed().as_secs_f64();
    result
}

fn clear(
    program: &Program,
    server: &CheckedServer<'_>,
    samples: &[Vec<Vec<i64>>],
    mode: Mode,
    seconds: &mut Seconds,
    progress: Progress<'_>,
) -> Result<Vec<Vec<Vec<i64>>>, Error> {
    let graph = if mode == Mode::Quantized {
        program.quantized.as_ref().ok_or(Error::Stripped)?
    } else {
        &Default::default()
    };
    let evaluator = Evaluator::new(graph).map_err(client::Error::from)?;
    let types = graph.types().map_err(client::Error::from)?;
    let mut results = Vec::with_capacity(samples.len());
    for (index, sample) in samples.iter().enumerate() {
        let mut time = 0.0;
        results.push(timed(&mut time, || match mode {
            Mode::Simulated(seed) => Ok(server.run_simulated(sample, seed.wrapping_add(index as u64))?),
            Mode::Quantized => {
                let values =
                    evaluator.run_all(&client::typed(sample, &types)?).map_err(client::Error::from)?;
                Ok::<_, Error>(client::integers_of(graph, &values)?)
            }
            Mode::Clear | Mode::Encrypted(_) => Ok(server.run_clear(sample)?),
        })?);
        seconds.run.push(time);
        progress(server.rotations() * (index + 1), server.rotations() * samples.len());
    }
    Ok(results)
}

fn encrypted(
    client: &Client,
    server: &CheckedServer<'_>,
    samples: &[Vec<Vec<i64>>],
    together: NonZeroUsize,
    seconds: &mut Seconds,
    progress: Progress<'_>,
) -> Result<Vec<Vec<Vec<i64>>>, Error> {
    let mut randomness = Randomness::from_system()?;
    let (key, evaluation) = timed(&mut seconds.keygen, || {
        let key = ClientKey::generate(client, &mut randomness)?;
        let evaluation = key.evaluation_key(&mut randomness);
        Ok::<_, Error>((key, evaluation))
    })?;
    let server_key = timed(&mut seconds.load, || ServerKey::prepare(&evaluation));
    drop(evaluation);
    let inputs = timed(&mut seconds.encrypt, || client::encrypt(&key, client, samples, &mut randomness))?;
    let mut results = Vec::with_capacity(samples.len());
    let (each, total) = (server.rotations(), server.rotations() * samples.len());
    for first in (0..samples.len()).step_by(together.get()) {
        let mut time = 0.0;
        let of_all = |finished, _| progress(first * each + finished, total);
        let inputs = inputs.some(first..samples.len().min(first + together.get()));
        let outputs = timed(&mut time, || evaluate(server, &server_key, &inputs, &of_all))?;
        seconds.run.push(time);
        let decrypted = timed(&mut seconds.decrypt, || client::decrypt(&key, client, &outputs))?;
        results.extend(decrypted.samples);
    }
    Ok(results)
}
