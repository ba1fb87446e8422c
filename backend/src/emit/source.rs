//! A program as one Rust module: weights, tables and parameters as constants and functions.

use super::clear::graph_body;
use super::code::{Layout, comment, double, float, identifier, integers, option, text};
use cml_runtime::program::message::{
    Action, Bootstrap, Client, Combine, Compare, Comparisons, DeclaredRange, EncryptedPort, Event, Linear,
    ParameterSet, Returned, Server, Step,
};
use cml_runtime::reference::message::Graph;

/// The text of `src/program.rs`.
pub(crate) fn program(client: &Client, server: &Server) -> String {
    let mut code = format!(
        "//! The program of {}: what the server computes, and the client's part of it.\n\n",
        comment(&client.model)
    );
    code.push_str(
        "use cml_runtime::program::message as program;\nuse cml_runtime::reference::message as clear;\n\n",
    );
    code.push_str(&server_function(server));
    code.push_str(&client_function(client));
    let sets = format!("    {}\n", Layout::at(4).vec_of(&server.parameters, parameters));
    code.push_str(&function("The key sets.", "pub fn parameters() -> Vec<program::ParameterSet>", &sets));
    for (name, ports) in [("inputs", &server.inputs), ("outputs", &server.outputs)] {
        let body = format!("    {}\n", Layout::at(4).vec_of(ports, port));
        let summary = format!("Encrypted {name}: shapes, spacings, and the range of each integer.");
        code.push_str(&function(&summary, &format!("pub fn {name}() -> Vec<program::EncryptedPort>"), &body));
    }
    let events = format!("    {}\n", Layout::at(4).vec_of(&client.events, event));
    code.push_str(&function(
        "What can fail in one inference.",
        "pub fn events() -> Vec<program::Event>",
        &events,
    ));
    for (name, summary, graph) in [
        ("quantize", "From floats to the integers that are encrypted.", &client.quantize),
        ("dequantize", "From the integers that are decrypted to the results.", &client.dequantize),
    ] {
        let body = graph.as_ref().map_or_else(|| graph_body(&Graph::default()), graph_body);
        code.push_str(&function(summary, &format!("pub fn {name}() -> clear::Graph"), &body));
    }
    for (index, step) in server.steps.iter().enumerate() {
        code.push_str(&step_code(server.inputs.len() + index, index, step));
    }
    code.push_str(BUILDERS);
    if server.steps.iter().any(|step| matches!(step.action, Some(Action::Compare(_)))) {
        code.push_str(COMPARISONS);
    }
    code
}

/// How steps are made; written once, below the program.
const BUILDERS: &str = "\
/// A first input, and one value for each input from there.
fn tables(tables: &[(i64, &[i64])]) -> Vec<clear::Table> {
    let table = |(lo, values): &(i64, &[i64])| clear::Table {
        lo: *lo,
        values: values.to_vec(),
    };
    tables.iter().map(table).collect()
}

fn step(node: &str, action: program::Action) -> program::Step {
    program::Step {
        node: node.to_owned(),
        action: Some(action),
    }
}
";

/// The same for comparisons, where there are any.
const COMPARISONS: &str = "
/// Smallest and largest value of each element, and its thresholds.
fn comparisons(elements: &[(i64, i64, &[i64])]) -> Vec<program::Comparisons> {
    let element = |(lo, hi, thresholds): &(i64, i64, &[i64])| program::Comparisons {
        lo: *lo,
        hi: *hi,
        thresholds: thresholds.to_vec(),
    };
    elements.iter().map(element).collect()
}
";

fn function(summary: &str, signature: &str, body: &str) -> String {
    format!("/// {summary}\n{signature} {{\n{body}}}\n\n")
}

fn step_name(index: usize, step: &Step) -> String {
    let name = identifier(&step.node);
    if name.is_empty() { format!("step_{index}") } else { format!("step_{index}_{name}") }
}

fn server_function(server: &Server) -> String {
    let layout = Layout::at(8);
    let mut body =
        "    program::Server {\n        parameters: parameters(),\n        inputs: inputs(),\n".to_owned();
    let calls: Vec<String> = server
        .steps
        .iter()
        .enumerate()
        .map(|(index, step)| format!("{}()", step_name(index, step)))
        .collect();
    body.push_str(&format!("        steps: {},\n        outputs: outputs(),\n", layout.vec(calls)));
    body.push_str(&format!(
        "        output_values: {},\n    }}\n",
        layout.vec(integers(&server.output_values))
    ));
    let summary = "What the server computes: values are numbered, inputs first, then one for each step.";
    function(summary, "pub fn server() -> program::Server", &body)
}

fn client_function(client: &Client) -> String {
    let code = Layout::at(4).literal(
        "program::Client",
        &[
            ("model", &|_| text(&client.model)),
            ("program_hash", &|_| "server.hash().to_vec()".to_owned()),
            ("parameters", &|_| "server.parameters.clone()".to_owned()),
            ("quantize", &|_| "Some(quantize())".to_owned()),
            ("dequantize", &|_| "Some(dequantize())".to_owned()),
            ("inputs", &|_| "server.inputs.clone()".to_owned()),
            ("outputs", &|_| "server.outputs.clone()".to_owned()),
            ("events", &|_| "events()".to_owned()),
            ("p_error_log2", &|_| option(client.p_error_log2, double)),
            ("p_error_per_lookup_log2", &|_| option(client.p_error_per_lookup_log2, double)),
            ("declared", &|inner| inner.vec_of(&client.declared, declared)),
        ],
    );
    let summary =
        "What the client needs: keys, ciphertexts and this function's result carry the hash of the server.";
    function(summary, "pub fn client(server: &program::Server) -> program::Client", &format!("    {code}\n"))
}

fn parameters(layout: &Layout, set: &ParameterSet) -> String {
    let number = |value: u32| move |_: &Layout| value.to_string();
    let noise = |value: f64| move |_: &Layout| double(value);
    layout.literal(
        "program::ParameterSet",
        &[
            ("lwe_dimension", &number(set.lwe_dimension)),
            ("glwe_dimension", &number(set.glwe_dimension)),
            ("polynomial_size", &number(set.polynomial_size)),
            ("pbs_base_log", &number(set.pbs_base_log)),
            ("pbs_level", &number(set.pbs_level)),
            ("ks_base_log", &number(set.ks_base_log)),
            ("ks_level", &number(set.ks_level)),
            ("lwe_std_dev", &noise(set.lwe_std_dev)),
            ("glwe_std_dev", &noise(set.glwe_std_dev)),
        ],
    )
}

fn port(layout: &Layout, port: &EncryptedPort) -> String {
    layout.literal(
        "program::EncryptedPort",
        &[
            ("name", &|_| text(&port.name)),
            ("shape", &|inner| inner.vec(integers(&port.shape))),
            ("spacing", &|_| spacing(port.spacing)),
            ("lo", &|inner| inner.vec(integers(&port.lo))),
            ("hi", &|inner| inner.vec(integers(&port.hi))),
            ("returned", &|inner| option(port.returned, |form| returned(inner, form))),
        ],
    )
}

fn returned(layout: &Layout, returned: Returned) -> String {
    layout.literal(
        "program::Returned",
        &[
            ("key", &|_| option(returned.key, |key| key.to_string())),
            ("log2_modulus", &|_| returned.log2_modulus.to_string()),
        ],
    )
}

fn event(layout: &Layout, event: &Event) -> String {
    layout.literal(
        "program::Event",
        &[
            ("node", &|_| text(&event.node)),
            ("count", &|_| event.count.to_string()),
            ("norm2_squared_inputs", &|_| double(event.norm2_squared_inputs)),
            ("norm2_squared_bootstraps", &|inner| {
                inner.vec(event.norm2_squared_bootstraps.iter().map(|norm| double(*norm)).collect())
            }),
            ("extension", &|_| option(event.extension, |value| value.to_string())),
            ("spacing", &|_| spacing(event.spacing)),
            ("width", &|_| event.width.to_string()),
            ("measured_width", &|_| option(event.measured_width, |value| value.to_string())),
            ("key", &|_| event.key.to_string()),
            ("tolerance", &|_| event.tolerance.to_string()),
            ("lookups", &|inner| inner.vec(integers(&event.lookups))),
            ("rotations", &|_| event.rotations.to_string()),
            ("returned", &|inner| option(event.returned, |form| returned(inner, form))),
            ("compares", &|_| event.compares.to_string()),
        ],
    )
}

fn declared(layout: &Layout, range: &DeclaredRange) -> String {
    let floats = |values: &[f32]| values.iter().map(|value| float(*value)).collect();
    layout.literal(
        "program::DeclaredRange",
        &[("lo", &|inner| inner.vec(floats(&range.lo))), ("hi", &|inner| inner.vec(floats(&range.hi)))],
    )
}

fn step_code(value: usize, index: usize, step: &Step) -> String {
    let name = step_name(index, step);
    let constant = name.to_ascii_uppercase();
    let (kind, shown, declarations, literal) = match &step.action {
        None => return String::new(),
        Some(Action::Linear(linear)) => (
            "Linear",
            linear.to_string(),
            linear_numbers(&constant, linear),
            linear_literal(&constant, linear),
        ),
        Some(Action::Combine(combine)) => {
            let bias = Layout::at(0).slice(integers(&combine.bias));
            let declarations = declare(&format!("{constant}_BIAS"), "&[i64]", &bias);
            ("Combine", combine.to_string(), declarations, combine_literal(&constant, combine))
        }
        Some(Action::Bootstrap(bootstrap)) => {
            let declarations = bootstrap_numbers(&constant, bootstrap);
            ("Bootstrap", bootstrap.to_string(), declarations, bootstrap_literal(&constant, bootstrap))
        }
        Some(Action::Compare(compare)) => {
            let element = |inner: &Layout, Comparisons { lo, hi, thresholds }: &Comparisons| {
                format!("({lo}, {hi}, {})", inner.slice(integers(thresholds)))
            };
            let elements = Layout::at(0).slice_of(&compare.elements, element);
            let declarations = declare(&format!("{constant}_ELEMENTS"), "&[(i64, i64, &[i64])]", &elements);
            ("Compare", compare.to_string(), declarations, compare_literal(&constant, compare))
        }
    };
    let variable = kind.to_ascii_lowercase();
    let summary = format!("Value {value} ({}): {shown}.", comment(&step.node));
    let action = format!("program::Action::{kind}({variable})");
    let call = Layout::at(4).call("step", vec![format!("{:?}", step.node), action]);
    let body = format!("    let {variable} = {literal};\n    {call}\n");
    declarations + &function(&summary, &format!("fn {name}() -> program::Step"), &body)
}

fn linear_numbers(constant: &str, linear: &Linear) -> String {
    let columns = linear.weights.len().checked_div(linear.rows as usize).unwrap_or(0);
    let rows: Vec<&[i64]> = linear.weights.chunks(columns.max(1)).collect();
    let weights = Layout::at(0).slice_of(&rows, |inner, row| inner.slice(integers(row)));
    let bias = Layout::at(0).slice(integers(&linear.bias));
    declare(&format!("{constant}_WEIGHTS"), "&[&[i64]]", &weights)
        + &declare(&format!("{constant}_BIAS"), "&[i64]", &bias)
}

fn linear_literal(constant: &str, linear: &Linear) -> String {
    Layout::at(4).literal(
        "program::Linear",
        &[
            ("inputs", &|inner| inner.vec(integers(&linear.inputs))),
            ("rows", &|_| linear.rows.to_string()),
            ("weights", &|_| format!("{constant}_WEIGHTS.concat()")),
            ("bias", &|_| format!("{constant}_BIAS.to_vec()")),
            ("spacing", &|_| spacing(linear.spacing)),
        ],
    )
}

fn combine_literal(constant: &str, combine: &Combine) -> String {
    Layout::at(4).literal(
        "program::Combine",
        &[
            ("inputs", &|inner| inner.vec(integers(&combine.inputs))),
            ("weights", &|inner| inner.vec(integers(&combine.weights))),
            ("bias", &|_| format!("{constant}_BIAS.to_vec()")),
            ("spacing", &|_| spacing(combine.spacing)),
        ],
    )
}

fn compare_literal(constant: &str, compare: &Compare) -> String {
    Layout::at(4).literal(
        "program::Compare",
        &[
            ("input", &|_| compare.input.to_string()),
            ("extension", &|_| compare.extension.to_string()),
            ("elements", &|_| format!("comparisons({constant}_ELEMENTS)")),
            ("spacing", &|_| spacing(compare.spacing)),
            ("key", &|_| compare.key.to_string()),
            ("lookup", &|_| compare.lookup.to_string()),
            ("tables", &|_| compare.tables.to_string()),
        ],
    )
}

fn bootstrap_numbers(constant: &str, bootstrap: &Bootstrap) -> String {
    let table = |inner: &Layout, table: &cml_runtime::reference::message::Table| {
        format!("({}, {})", table.lo, inner.slice(integers(&table.values)))
    };
    let tables = Layout::at(0).slice_of(&bootstrap.tables, table);
    let table_of = Layout::at(0).slice(integers(&bootstrap.table_of));
    declare(&format!("{constant}_TABLES"), "&[(i64, &[i64])]", &tables)
        + &declare(&format!("{constant}_TABLE_OF"), "&[u32]", &table_of)
}

fn bootstrap_literal(constant: &str, bootstrap: &Bootstrap) -> String {
    Layout::at(4).literal(
        "program::Bootstrap",
        &[
            ("input", &|_| bootstrap.input.to_string()),
            ("extension", &|_| bootstrap.extension.to_string()),
            ("tables", &|_| format!("tables({constant}_TABLES)")),
            ("table_of", &|_| format!("{constant}_TABLE_OF.to_vec()")),
            ("spacing", &|_| spacing(bootstrap.spacing)),
            ("key", &|_| bootstrap.key.to_string()),
            ("tolerance", &|_| bootstrap.tolerance.to_string()),
            ("centers", &|inner| inner.vec(integers(&bootstrap.centers))),
            ("stage", &|_| format!("program::Stage::{:?}.into()", bootstrap.stage())),
            ("lookup", &|_| bootstrap.lookup.to_string()),
        ],
    )
}

/// Numbers keep the form of a matrix, however short its rows are.
fn declare(name: &str, kind: &str, value: &str) -> String {
    format!("#[rustfmt::skip]\nconst {name}: {kind} = {value};\n\n")
}

fn spacing(spacing: u64) -> String {
    format!("{spacing:#x}")
}
