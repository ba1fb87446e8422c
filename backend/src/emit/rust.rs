//! A program as a Rust crate: its source is the program, on the public API of `cml-runtime`.

use super::code::{comment, identifier};
use super::source;
use crate::Error;
use cml_runtime::program::message::{Client, Program};
use cml_runtime::program::{self, Invalid};
use std::path::{Path, PathBuf};

/// Where the emitted crate finds `cml-runtime`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuntimeSource {
    /// In this folder.
    Path(PathBuf),
    /// In a registry, by the version of this crate.
    Version,
}

/// One file of an emitted crate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Relative to the crate.
    pub path: &'static str,
    /// Its text.
    pub text: String,
}

/// The files of the crate. The same program gives the same text.
///
/// # Errors
/// [`Error::Invalid`] for a program without client or server.
pub fn files(program: &Program, runtime: &RuntimeSource) -> Result<Vec<SourceFile>, Error> {
    let client = program.client.as_ref().ok_or(Invalid::Missing { what: "client" })?;
    let server = program.server.as_ref().ok_or(Invalid::Missing { what: "server" })?;
    Ok(vec![
        SourceFile { path: "Cargo.toml", text: manifest(client, runtime) },
        SourceFile { path: ".cargo/config.toml", text: CARGO_CONFIG.to_owned() },
        SourceFile { path: "src/main.rs", text: main_text(client) },
        SourceFile { path: "src/program.rs", text: source::program(client, server) },
    ])
}

/// Writes the crate into a new or empty folder; it appears complete or not at all.
///
/// # Errors
/// [`Error`] if the folder holds something, cannot be made, or the program is incomplete.
pub fn write(program: &Program, folder: &Path, runtime: &RuntimeSource) -> Result<(), Error> {
    let files = files(program, runtime)?;
    let occupied = || Error::Occupied { path: folder.to_owned() };
    if folder.exists() && std::fs::read_dir(folder).map_err(|_| occupied())?.next().is_some() {
        return Err(occupied());
    }
    let failed = |source| Error::Folder { path: folder.to_owned(), source };
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let temporary = tempfile::Builder::new().prefix(".cml-emit-").tempdir_in(parent).map_err(failed)?;
    let inside = temporary.path().join("crate");
    for file in &files {
        let path = inside.join(file.path);
        std::fs::create_dir_all(path.parent().unwrap_or(&inside)).map_err(failed)?;
        let text = file.text.as_bytes();
        program::file::write_atomically(&path, false, |writer| std::io::Write::write_all(writer, text))?;
    }
    // A rename replaces an empty folder, and nothing else.
    std::fs::rename(&inside, folder).map_err(failed)
}

fn manifest(client: &Client, runtime: &RuntimeSource) -> String {
    let dependency = match runtime {
        // JSON and TOML quote strings alike.
        RuntimeSource::Path(path) => format!("path = {}", serde_json::Value::from(path.to_string_lossy())),
        RuntimeSource::Version => format!("version = \"{}\"", env!("CARGO_PKG_VERSION")),
    };
    format!(
        "[package]\nname = \"{}\"\nversion = \"0.1.0\"\nedition = \"2024\"\npublish = false\n\n\
         [dependencies]\ncml-runtime = {{ {dependency} }}\n\n\
         # No member of a workspace that it may lie in.\n[workspace]\n",
        package_name(client)
    )
}

/// The suffix keeps the name from being a word of the language, the prefix from beginning with a digit.
fn package_name(client: &Client) -> String {
    let name = identifier(&client.model);
    let prefix = if name.starts_with(|letter: char| letter.is_ascii_alphabetic()) { "" } else { "model" };
    format!("{prefix}{name}_encrypted")
}

/// As in the workspace of `cml-runtime`: without vector instructions, bootstraps are several times slower.
const CARGO_CONFIG: &str = "\
# AVX2 and FMA; `-C target-cpu=native` is faster still on machines with AVX-512.
[target.x86_64-unknown-linux-gnu]
rustflags = [\"-C\", \"target-cpu=x86-64-v3\"]
";

fn main_text(client: &Client) -> String {
    let model = comment(&client.model);
    format!("//! Runs {model} on arrays: in the clear, or encrypted with keys made for the occasion.\n{MAIN}",)
}

const MAIN: &str = r#"
mod program;

use cml_runtime::client::{self, ClientKey, Randomness};
use cml_runtime::commands::{load_arrays, save_arrays};
use cml_runtime::server::{CheckedServer, ServerKey};
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

const USAGE: &str =
    "expected: clear|encrypted, [NAME=]x.npy for each input, then y.npy for each output";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match perform(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn perform(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let server = program::server();
    let client = program::client(&server);
    client.check()?;
    let (mode, files) = arguments.split_first().ok_or(USAGE)?;
    let inputs = program::quantize().inputs.len();
    let outputs = program::dequantize().outputs.len();
    if files.len() != inputs + outputs {
        return Err(USAGE.into());
    }
    let (inputs, outputs) = files.split_at(inputs);
    let sources = inputs.iter().map(|text| text.parse());
    let arrays = load_arrays(&client, &sources.collect::<Result<Vec<_>, _>>()?)?;
    let samples = client::quantize(&client, &arrays, false)?.samples;
    let server = CheckedServer::new(&server)?;
    let integers = match mode.as_str() {
        "clear" => {
            let results = samples.iter().map(|sample| server.run_clear(sample));
            results.collect::<Result<_, _>>()?
        }
        "encrypted" => {
            let mut randomness = Randomness::from_system()?;
            let key = ClientKey::generate(&client, &mut randomness)?;
            let server_key = ServerKey::prepare(&key.evaluation_key(&mut randomness));
            let encrypted = client::encrypt(&key, &client, &samples, &mut randomness)?;
            let results = server.run_encrypted(&server_key, &encrypted, &|_| ())?;
            client::decrypt(&key, &client, &results)?.samples
        }
        _ => return Err(USAGE.into()),
    };
    let results = client::dequantize(&client, &integers)?;
    let files: Vec<&Path> = outputs.iter().map(Path::new).collect();
    save_arrays(&files, &results)?;
    Ok(())
}
"#;
