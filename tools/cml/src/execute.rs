//! The commands of client and server, on files; `cml-run` has them as well.

use crate::arguments::{DecryptArguments, EncryptArguments, ExportArguments, KeygenArguments, RunArguments};
use crate::progress::Bootstraps;
use anyhow::Result;
use cml_runtime::commands::{self, EncryptOptions};
use cml_runtime::output::{note, peak_memory, warn_of_clipping, warn_of_wrong_results};
use cml_runtime::program::load_client;

/// Writes the client's part of a program.
pub(crate) fn export_client(arguments: &ExportArguments) -> Result<()> {
    load_client(&arguments.program)?.save(&arguments.output)?;
    Ok(())
}

/// Makes both keys.
pub(crate) fn keygen(arguments: &KeygenArguments) -> Result<()> {
    let report = commands::keygen(&arguments.bundle, &arguments.client_key, &arguments.eval_key)?;
    note(&report.to_string());
    Ok(())
}

/// Encrypts arrays.
pub(crate) fn encrypt(arguments: EncryptArguments) -> Result<()> {
    let report = commands::encrypt(&EncryptOptions {
        inputs: arguments.inputs.sources(),
        bundle: arguments.bundle,
        client_key: arguments.client_key,
        output: arguments.output,
        strict: arguments.strict,
    })?;
    warn_of_clipping(report.clipped);
    note(&format!("{} samples encrypted", report.samples));
    Ok(())
}

/// Evaluates a program on ciphertexts.
pub(crate) fn run(arguments: &RunArguments) -> Result<()> {
    let bar = Bootstraps::start();
    let progress = |finished, total| bar.report(finished, total);
    let RunArguments { program, eval_key, input, output } = arguments;
    let samples = commands::run(program, eval_key, input, output, &progress)?;
    drop(bar);
    note(&format!("{samples} samples evaluated{}", peak_memory()));
    Ok(())
}

/// Decrypts results.
pub(crate) fn decrypt(arguments: &DecryptArguments) -> Result<()> {
    let DecryptArguments { bundle, client_key, input, output } = arguments;
    let report = commands::decrypt(bundle, client_key, input, output)?;
    warn_of_wrong_results(report.out_of_range);
    note(&format!("{} samples decrypted", report.samples));
    Ok(())
}
