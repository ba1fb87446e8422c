//! Client and server in one process, on a program that `cml compile` made: the calls that a program of one's own needs.
//!
//! ```sh
//! cargo run --release -p cml-runtime --example client_and_server -- model.cml x.npy[0:3]
//! ```

use cml_runtime::client::{self, ClientKey, Randomness};
use cml_runtime::commands::load_arrays;
use cml_runtime::output;
use cml_runtime::program::{Invalid, message::Program};
use cml_runtime::server::{CheckedServer, ServerKey};
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, array] = arguments.as_slice() else {
        output::error("usage: client_and_server model.cml x.npy");
        return ExitCode::from(2);
    };
    match predict(Path::new(model), array) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::error(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn predict(model: &Path, array: &str) -> Result<(), Box<dyn Error>> {
    // Loading checks everything: form, security, failure probability. Between two machines the client loads only its
    // own part, with `program::load_client`.
    let program = Program::load(model)?;
    let client = program.client.as_ref().ok_or(Invalid::Missing { what: "client" })?;
    let server = program.server.as_ref().ok_or(Invalid::Missing { what: "server" })?;

    // The client: keys, once for each program; then quantize and encrypt.
    let mut randomness = Randomness::from_system()?;
    let key = ClientKey::generate(client, &mut randomness)?;
    let evaluation_key = key.evaluation_key(&mut randomness);
    let arrays = load_arrays(client, &[array.parse()?])?;
    let quantized = client::quantize(client, &arrays, false)?;
    output::warn_of_clipping(quantized.clipped);
    let encrypted = client::encrypt(&key, client, &quantized.samples, &mut randomness)?;

    // The server: sees the evaluation key and ciphertexts, never a secret key.
    let checked = CheckedServer::new(server)?;
    let server_key = ServerKey::prepare(&evaluation_key);
    let results = checked.run_encrypted(&server_key, &encrypted, &|_| {})?;

    // The client again.
    let decrypted = client::decrypt(&key, client, &results)?;
    for result in client::dequantize(client, &decrypted.samples)? {
        output::print(&format!("{result:?}\n"))?;
    }
    Ok(())
}
