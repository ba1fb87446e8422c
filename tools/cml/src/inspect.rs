//! `cml inspect`.

use crate::arguments::InspectArguments;
use anyhow::Result;
use cml_backend::report::Report;
use cml_runtime::program::message::Program;

/// Prints the report of a program.
pub(crate) fn inspect(arguments: &InspectArguments) -> Result<()> {
    let report = Report::stored_in(&Program::load(&arguments.program)?)?;
    if arguments.json {
        println!("{}", report.to_json());
    } else {
        print!("{report}");
    }
    Ok(())
}
