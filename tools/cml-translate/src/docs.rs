//! Pages written from the code: passes, operators, pipelines.

use anyhow::{Result, anyhow};
use clap::ValueEnum;
use cml_passes::framework::{PASSES, PassInfo, Preserves};
use cml_passes::pipelines::PIPELINES;
use std::path::Path;

/// What a page is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Topic {
    /// Every pass, with its options and a tested example
    Passes,
    /// The ONNX operators that can be imported
    Operators,
    /// The named pipelines
    Pipelines,
}

/// A page in Markdown.
pub(crate) fn page(topic: Topic) -> Result<String> {
    match topic {
        Topic::Passes => passes(),
        Topic::Operators => Ok(cml_frontend::supported_operators_markdown()),
        Topic::Pipelines => Ok(pipelines()),
    }
}

fn passes() -> Result<String> {
    let mut page = "# Passes\n\nWritten by `cargo xtask docs` from `passes/src`; the examples are tests of `lit-tests/passes`.\n\n\
        | pass | what it does |\n|---|---|\n"
        .to_owned();
    for pass in PASSES {
        page.push_str(&format!("| [`{}`](#{}) | {} |\n", pass.name, pass.name, pass.summary));
    }
    for pass in PASSES {
        page.push_str(&section(pass)?);
    }
    Ok(page)
}

fn section(pass: &PassInfo) -> Result<String> {
    let mut text = format!("\n## {}\n\n{}.\n\n{}\n\n", pass.name, pass.summary, wrapped(pass.description));
    text.push_str(&match pass.preserves {
        Preserves::Exactly => "Keeps the module's function, bit for bit.\n".to_owned(),
        Preserves::Within(tolerance) => {
            format!("Keeps the module's function up to float rounding (relative difference {tolerance:e}).\n")
        }
        Preserves::Nothing => "Changes what the module computes: it approximates.\n".to_owned(),
    });
    if !pass.options.is_empty() {
        text.push_str("\n| option | default | meaning |\n|---|---|---|\n");
        for option in pass.options {
            let default =
                if option.default.is_empty() { "none".to_owned() } else { format!("`{}`", option.default) };
            text.push_str(&format!("| `{}` | {default} | {} |\n", option.name, option.description));
        }
    }
    let stem = pass.name.trim_start_matches("cml-");
    let file = format!("lit-tests/passes/{stem}.mlir");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(&file);
    let test = std::fs::read_to_string(&path)
        .map_err(|error| anyhow!("the example of {} cannot be read: {file}: {error}", pass.name))?;
    text.push_str(&format!("\n[Tested example](../{file}):\n\n```mlir\n{}```\n", first_case(&test)));
    Ok(text)
}

/// One paragraph: source code breaks lines where the page should not.
fn wrapped(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A lit file up to the end of its first function or module, or of its first part.
fn first_case(test: &str) -> String {
    let mut case = String::new();
    for line in test.lines() {
        if line.starts_with("// -----") {
            break;
        }
        case.push_str(line);
        case.push('\n');
        if line.starts_with('}') && line.trim_end() == "}" {
            break;
        }
    }
    case.trim_end().to_owned() + "\n"
}

fn pipelines() -> String {
    let mut page = "# Pipelines\n\nWritten by `cargo xtask docs` from `passes/src/pipelines.rs`. A pipeline is a flag of `cml-opt`; `cml compile` runs \
        them in this order, with its options.\n"
        .to_owned();
    for pipeline in PIPELINES {
        page.push_str(&format!("\n## {}\n\n{}.\n\n", pipeline.name, pipeline.summary));
        for (index, pass) in pipeline.passes.iter().enumerate() {
            let name = pass.split('{').next().unwrap_or(pass);
            let known = PASSES.iter().find(|known| known.name == name);
            page.push_str(&match known {
                Some(known) => format!("{}. [`{pass}`](PASSES.md#{name}): {}\n", index + 1, known.summary),
                None => format!("{}. `{pass}` (MLIR)\n", index + 1),
            });
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_ends_with_its_first_function() {
        assert_eq!(first_case("// RUN\nfunc {\n  a\n}\nfunc {\n}\n"), "// RUN\nfunc {\n  a\n}\n");
        assert_eq!(first_case("a\n\n// -----\nb\n"), "a\n");
    }

    #[test]
    fn every_pass_and_pipeline_is_on_a_page() {
        let passes = page(Topic::Passes).unwrap();
        assert!(PASSES.iter().all(|pass| passes.contains(&format!("\n## {}\n", pass.name))));
        let pipelines = page(Topic::Pipelines).unwrap();
        assert!(PIPELINES.iter().all(|pipeline| pipelines.contains(&format!("\n## {}\n", pipeline.name))));
        assert!(page(Topic::Operators).unwrap().contains("| Gemm |"));
    }
}
