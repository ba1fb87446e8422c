//! `cml verify`: is a program what a network compiles to?

use crate::arguments::VerifyArguments;
use crate::compile::compile_program;
use crate::compile::configuration::Configuration;
use crate::compile::stages::{Settings, machine};
use anyhow::{Result, bail};
use cml_runtime::output::print;
use cml_runtime::program::message::{Action, Bootstrap, Client, Program, Server, Step};

/// Compiles again and compares; fails with what differs.
pub(crate) fn verify(arguments: &VerifyArguments) -> Result<()> {
    let program = Program::load(&arguments.program)?;
    let place = arguments.program.display();
    let configuration = Configuration::of(&program, &arguments.program)?;
    let settings = Settings { configuration, machine: arguments.machine.clone(), ..Settings::default() };
    let mut differences = Vec::new();
    if machine(&settings)?.hash().as_slice() != program.machine_hash {
        differences
            .push("the cost table is another one (give the one of the compilation as --machine)".to_owned());
    }
    let (mut again, _) = compile_program(&arguments.model, settings)?;
    // Its name is that of the file, which may have been renamed.
    if let (Some(found), Some(client)) = (&program.client, &mut again.client) {
        client.model.clone_from(&found.model);
    }
    differences.extend(compare(&program, &again));
    if differences.is_empty() {
        return Ok(print(&format!("{place} is what {} compiles to\n", arguments.model.display()))?);
    }
    let differences = differences.join("\n  ");
    bail!("{place} is not what {} compiles to\n  {differences}", arguments.model.display())
}

/// One line for each difference that matters to client or server.
fn compare(found: &Program, expected: &Program) -> Vec<String> {
    let mut differences = Vec::new();
    match (&found.server, &expected.server) {
        (Some(found), Some(expected)) => compare_servers(found, expected, &mut differences),
        _ => differences.push("the server's part is missing".to_owned()),
    }
    match (&found.client, &expected.client) {
        (Some(found), Some(expected)) => compare_clients(found, expected, &mut differences),
        _ => differences.push("the client's part is missing".to_owned()),
    }
    if found.quantized.is_some() && found.quantized != expected.quantized {
        differences.push("the quantized function differs".to_owned());
    }
    differences
}

fn compare_servers(found: &Server, expected: &Server, differences: &mut Vec<String>) {
    let mut check = |same: bool, what: String| {
        if !same {
            differences.push(what);
        }
    };
    check(found.parameters == expected.parameters, "the parameters differ".to_owned());
    check(found.inputs == expected.inputs, "the encrypted inputs differ".to_owned());
    check(found.outputs == expected.outputs, "the encrypted outputs differ".to_owned());
    let (count, expected_count) = (found.steps.len(), expected.steps.len());
    check(count == expected_count, format!("it has {count} steps, the network compiles to {expected_count}"));
    for (index, (found, expected)) in found.steps.iter().zip(&expected.steps).enumerate() {
        check(
            found == expected,
            format!("step {index} ({}): {}", expected.node, difference(found, expected)),
        );
    }
    check(found.output_values == expected.output_values, "other values are returned".to_owned());
}

/// What differs in a step.
fn difference(found: &Step, expected: &Step) -> &'static str {
    match (&found.action, &expected.action) {
        (Some(Action::Linear(found)), Some(Action::Linear(expected))) => {
            if found.weights != expected.weights {
                "its weights differ"
            } else if found.bias != expected.bias {
                "its bias differs"
            } else {
                "its inputs or its spacing differ"
            }
        }
        (Some(Action::Bootstrap(found)), Some(Action::Bootstrap(expected))) => {
            let tables =
                |step: &Bootstrap| (step.tables.clone(), step.centers.clone(), step.table_of.clone());
            if tables(found) != tables(expected) {
                "its tables differ"
            } else {
                "its input, key set, extension, tolerance or spacing differ"
            }
        }
        (Some(Action::Compare(found)), Some(Action::Compare(expected))) => {
            if found.elements == expected.elements {
                "its input, key set, extension, spacing or number of tables differ"
            } else {
                "its thresholds or ranges differ"
            }
        }
        (Some(Action::Combine(_)), Some(Action::Combine(_))) => "its inputs, weights, bias or spacing differ",
        _ if found.node != expected.node => "it belongs to another node",
        _ => "it does something else",
    }
}

fn compare_clients(found: &Client, expected: &Client, differences: &mut Vec<String>) {
    // What calibration saw is shown and decides nothing; the samples are not recorded, so it cannot be seen again.
    let unmeasured = |client: &Client| {
        let mut client = client.clone();
        client.events.iter_mut().for_each(|event| event.measured_width = None);
        client
    };
    let (found, expected) = (unmeasured(found), unmeasured(expected));
    let parts = [
        (found.quantize == expected.quantize, "the client's quantizers differ"),
        (found.dequantize == expected.dequantize, "the client's last function differs"),
        (found.events == expected.events, "the failure events differ"),
        (found.declared == expected.declared, "the declared input ranges differ"),
        (
            (found.p_error_log2, found.p_error_per_lookup_log2)
                == (expected.p_error_log2, expected.p_error_per_lookup_log2),
            "the failure budgets differ",
        ),
    ];
    let before = differences.len();
    differences.extend(parts.iter().filter(|(same, _)| !same).map(|(_, what)| (*what).to_owned()));
    if differences.is_empty() && before == 0 && found != expected {
        differences.push("the client's part differs".to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cml_runtime::program::message::{Event, Linear};

    fn program(weight: i64, measured: Option<u32>) -> Program {
        let linear = Linear { weights: vec![weight], ..Linear::default() };
        let step = Step { node: "fc".to_owned(), action: Some(Action::Linear(linear)) };
        let server = Server { steps: vec![step], ..Server::default() };
        let event = Event { measured_width: measured, ..Event::default() };
        let client =
            Client { program_hash: server.hash().to_vec(), events: vec![event], ..Client::default() };
        Program { client: Some(client), server: Some(server), ..Program::default() }
    }

    #[test]
    fn what_differs_is_named() {
        assert!(compare(&program(1, None), &program(1, Some(4))).is_empty());
        assert_eq!(compare(&program(1, None), &program(2, None)), ["step 0 (fc): its weights differ"]);
        let mut other = program(1, None);
        if let Some(client) = &mut other.client {
            client.p_error_log2 = Some(-3.0);
        }
        assert_eq!(compare(&other, &program(1, None)), ["the failure budgets differ"]);
        assert_eq!(compare(&Program::default(), &program(1, None)).len(), 2);
    }
}
