//! A program as one Rust module: weights, tables and parameters as constants and functions.

use super::clear::graph_body;
use super::code::{Layout, comment, double, float, identifier, integers, option, text};
use cml_runtime::program::message::{
    Action, Bootstrap, Client, Combine, DeclaredRange, EncryptedPort, Event, Linear, ParameterSet, Returned,
    Server, Step,
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
    let sets = format!("    {}\n", Layout::at(4).vec_of(&server.parameters, parameter_set));
    code.push_str(&function("The key sets.", "parameters() -> Vec<program::ParameterSet>", &sets));
    for (name, ports) in [("inputs", &server.inputs), ("outputs", &server.outputs)] {
        let body = format!("    {}\n", Layout::at(4).vec_of(ports, port));
        let summary = format!("Encrypted {name}: shapes, spacings, and the range of each integer.");
        code.push_str(&function(&summary, &format!("{name}() -> Vec<program::EncryptedPort>"), &body));
    }
    let events = format!("    {}\n", Layout::at(4).vec_of(&client.events, event));
    code.push_str(&function("What can fail in one inference.", "events() -> Vec<program::Event>", &events));
    for (name, summary, graph) in [
        ("quantize", "From floats to the integers that are encrypted.", &client.quantize),
        ("dequantize", "From the integers that are decrypted to the results.", &client.dequantize),
    ] {
        let body = graph.as_ref().map_or_else(|| graph_body(&Graph::default()), graph_body);
        code.push_str(&function(summary, &format!("{name}() -> clear::Graph"), &body));
    }
    for (index, step) in server.steps.iter().enumerate() {
        code.push_str(&step_code(server.inputs.len() + index, index, step));
    }
    code.push_str(&builders(server));
    code
}

/// How a linear step is made; written once, below the program.
const LINEAR: &str = "\
/// `y = W x + b`, where x is the concatenation of the inputs.
fn linear(
    node: &str,
    inputs: &[u32],
    weights: &[&[i64]],
    bias: &[i64],
    spacing: u64,
) -> program::Step {
    let linear = program::Linear {
        inputs: inputs.to_vec(),
        rows: bias.len() as u32,
        weights: weights.concat(),
        bias: bias.to_vec(),
        spacing,
    };
    program::Step {
        node: node.to_owned(),
        action: Some(program::Action::Linear(linear)),
    }
}
";

/// How a combination is made.
const COMBINE: &str = "\
/// A weighted sum of lists, element by element.
fn combine(
    node: &str,
    inputs: &[u32],
    weights: &[i64],
    bias: &[i64],
    spacing: u64,
) -> program::Step {
    let combine = program::Combine {
        inputs: inputs.to_vec(),
        weights: weights.to_vec(),
        bias: bias.to_vec(),
        spacing,
    };
    program::Step {
        node: node.to_owned(),
        action: Some(program::Action::Combine(combine)),
    }
}
";

/// How a bootstrap is made.
const BOOTSTRAP: &str = "\
/// One bootstrap for each element: `table_of` names its table, a first input and one value for each input from there.
fn bootstrap(
    node: &str,
    how: program::Bootstrap,
    tables: &[(i64, &[i64])],
    centers: &[i64],
    table_of: &[u32],
) -> program::Step {
    let table = |(lo, values): &(i64, &[i64])| clear::Table {
        lo: *lo,
        values: values.to_vec(),
    };
    let bootstrap = program::Bootstrap {
        tables: tables.iter().map(table).collect(),
        centers: centers.to_vec(),
        table_of: table_of.to_vec(),
        ..how
    };
    program::Step {
        node: node.to_owned(),
        action: Some(program::Action::Bootstrap(bootstrap)),
    }
}
";

/// The functions that the steps call.
fn builders(server: &Server) -> String {
    let uses =
        |kind: fn(&Action) -> bool| server.steps.iter().filter_map(|step| step.action.as_ref()).any(kind);
    let builders = [
        (LINEAR, uses(|action| matches!(action, Action::Linear(_)))),
        (COMBINE, uses(|action| matches!(action, Action::Combine(_)))),
        (BOOTSTRAP, uses(|action| matches!(action, Action::Bootstrap(_)))),
    ];
    let used: Vec<&str> = builders.iter().filter(|(_, used)| *used).map(|(code, _)| *code).collect();
    used.join("\n")
}

fn function(summary: &str, signature: &str, body: &str) -> String {
    format!("/// {summary}\npub fn {signature} {{\n{body}}}\n\n")
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
    function(summary, "server() -> program::Server", &body)
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
    function(summary, "client(server: &program::Server) -> program::Client", &format!("    {code}\n"))
}

fn parameter_set(layout: &Layout, set: &ParameterSet) -> String {
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
            ("extension", &|_| option(event.extension, |value| value.to_string())),
            ("spacing", &|_| spacing(event.spacing)),
            ("width", &|_| event.width.to_string()),
            ("measured_width", &|_| option(event.measured_width, |value| value.to_string())),
            ("norm2_squared_bootstraps", &|inner| {
                inner.vec(event.norm2_squared_bootstraps.iter().copied().map(double).collect())
            }),
            ("key", &|_| event.key.to_string()),
            ("tolerance", &|_| event.tolerance.to_string()),
            ("lookups", &|inner| inner.vec(integers(&event.lookups))),
            ("rotations", &|_| event.rotations.to_string()),
            ("returned", &|inner| option(event.returned, |form| returned(inner, form))),
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
    let node = comment(&step.node);
    match &step.action {
        None => String::new(),
        Some(Action::Linear(linear)) => {
            let summary = format!("Value {value} ({node}): {linear}.");
            linear_code(&summary, &name, &step.node, linear)
        }
        Some(Action::Combine(combine)) => {
            let summary = format!("Value {value} ({node}): {combine}.");
            combine_code(&summary, &name, &step.node, combine)
        }
        Some(Action::Bootstrap(bootstrap)) => {
            let summary = format!("Value {value} ({node}): {bootstrap}.");
            bootstrap_code(&summary, &name, &step.node, bootstrap)
        }
    }
}

fn linear_code(summary: &str, name: &str, node: &str, linear: &Linear) -> String {
    let constant = name.to_ascii_uppercase();
    let columns = linear.weights.len().checked_div(linear.rows as usize).unwrap_or(0);
    let rows: Vec<&[i64]> = linear.weights.chunks(columns.max(1)).collect();
    let weights = Layout::at(0).slice_of(&rows, |inner, row| inner.slice(integers(row)));
    let bias = Layout::at(0).slice(integers(&linear.bias));
    let inputs = integers(&linear.inputs).join(", ");
    let arguments = [
        format!("{node:?}"),
        format!("&[{inputs}]"),
        format!("{constant}_WEIGHTS"),
        format!("{constant}_BIAS"),
        spacing(linear.spacing),
    ];
    let mut code = declare(&format!("{constant}_WEIGHTS"), "&[&[i64]]", &weights);
    code.push_str(&declare(&format!("{constant}_BIAS"), "&[i64]", &bias));
    code + &step_function(summary, name, "linear", &arguments)
}

fn combine_code(summary: &str, name: &str, node: &str, combine: &Combine) -> String {
    let constant = name.to_ascii_uppercase();
    let arguments = [
        format!("{node:?}"),
        format!("&[{}]", integers(&combine.inputs).join(", ")),
        format!("&[{}]", integers(&combine.weights).join(", ")),
        format!("{constant}_BIAS"),
        spacing(combine.spacing),
    ];
    let bias = Layout::at(0).slice(integers(&combine.bias));
    declare(&format!("{constant}_BIAS"), "&[i64]", &bias)
        + &step_function(summary, name, "combine", &arguments)
}

fn bootstrap_code(summary: &str, name: &str, node: &str, bootstrap: &Bootstrap) -> String {
    let constant = name.to_ascii_uppercase();
    let table = |inner: &Layout, table: &cml_runtime::reference::message::Table| {
        format!("({}, {})", table.lo, inner.slice(integers(&table.values)))
    };
    let tables = Layout::at(0).slice_of(&bootstrap.tables, table);
    let table_of = Layout::at(0).slice(integers(&bootstrap.table_of));
    let arguments = [
        format!("{node:?}"),
        how(bootstrap),
        format!("{constant}_TABLES"),
        format!("&[{}]", integers(&bootstrap.centers).join(", ")),
        format!("{constant}_TABLE_OF"),
    ];
    let mut code = declare(&format!("{constant}_TABLES"), "&[(i64, &[i64])]", &tables);
    code.push_str(&declare(&format!("{constant}_TABLE_OF"), "&[u32]", &table_of));
    code + &step_function(summary, name, "bootstrap", &arguments)
}

/// All of a bootstrap but its tables.
fn how(bootstrap: &Bootstrap) -> String {
    let numbers = [
        ("input", bootstrap.input.to_string()),
        ("extension", bootstrap.extension.to_string()),
        ("spacing", spacing(bootstrap.spacing)),
        ("key", bootstrap.key.to_string()),
        ("tolerance", bootstrap.tolerance.to_string()),
        ("stage", format!("program::Stage::{:?} as i32", bootstrap.stage())),
        ("lookup", bootstrap.lookup.to_string()),
    ];
    let fields: String =
        numbers.iter().map(|(name, value)| format!("            {name}: {value},\n")).collect();
    format!("program::Bootstrap {{\n{fields}            ..program::Bootstrap::default()\n        }}")
}

/// Numbers keep the form of a matrix, however short its rows are.
fn declare(name: &str, kind: &str, value: &str) -> String {
    format!("#[rustfmt::skip]\nconst {name}: {kind} = {value};\n\n")
}

fn step_function(summary: &str, name: &str, callee: &str, arguments: &[String; 5]) -> String {
    let lines: String = arguments.iter().map(|argument| format!("        {argument},\n")).collect();
    format!("/// {summary}\nfn {name}() -> program::Step {{\n    {callee}(\n{lines}    )\n}}\n\n")
}

fn spacing(spacing: u64) -> String {
    format!("{spacing:#x}")
}
