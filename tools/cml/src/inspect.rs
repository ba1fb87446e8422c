//! `cml inspect`.

use crate::arguments::InspectArguments;
use anyhow::Result;
use cml_backend::report::Report;
use cml_runtime::output::print;
use cml_runtime::program::message::Program;

/// Prints the report of a program.
pub(crate) fn inspect(arguments: &InspectArguments) -> Result<()> {
    let report = Report::stored_in(&Program::load(&arguments.program)?)?;
    Ok(print(&if arguments.json { report.to_json() + "\n" } else { report.to_string() })?)
}
