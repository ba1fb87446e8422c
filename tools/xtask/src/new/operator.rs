//! `cargo xtask new operator`: the file that an ONNX operator begins with, and the line that registers it.

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};

use super::{read, write_new};

/// Where the lists of all operators are.
const REGISTRY: &str = "frontend/src/onnx/ops/mod.rs";

/// Writes the file of an operator of ONNX, which hands its input on until it is written, and registers it.
///
/// The referee's test fails until it has a model with the operator.
///
/// # Errors
/// If the name will not do, or if the operator exists already; nothing is written then.
pub(crate) fn operator(root: &Path, name: &str) -> Result<()> {
    let is_name = name.starts_with(|c: char| c.is_ascii_uppercase());
    if !is_name || !name.chars().all(|c| c.is_ascii_alphanumeric()) {
        bail!("`{name}` will not do as an operator; write it as ONNX does, such as `GlobalAveragePool`");
    }
    let module = snake(name);
    let registry = PathBuf::from(REGISTRY);
    let listed = with_operator(&read(&root.join(&registry))?, &module)?;
    let code = Path::new("frontend/src/onnx/ops").join(format!("{module}.rs"));
    write_new(root, &[(registry, listed), (code.clone(), code_of(name))], 1)?;
    println!(
        "\nnext, for {name}:\n\
         1. {code}: its versions from opset 7 on, inputs and attributes, as ONNX' operator documentation has them; what it computes\n\
         2. frontend/tests/operators.rs: each form that an opset gives it, and each refusal\n\
         3. lit-tests/referee/onnxruntime_check.py: random models of it\n\
         4. `cargo xtask docs` and `cargo xtask test`",
        code = code.display(),
    );
    Ok(())
}

/// `GlobalAveragePool` as `global_average_pool`; a run of capitals is one word.
fn snake(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut text = String::new();
    for (at, letter) in letters.iter().enumerate() {
        let after_small = at > 0 && !letters[at - 1].is_ascii_uppercase();
        let before_small = letters.get(at + 1).is_some_and(char::is_ascii_lowercase);
        if letter.is_ascii_uppercase() && at > 0 && (after_small || before_small) {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

/// `text` with the module in the list `OPERATORS`, which is in the alphabetical order of ONNX' names.
fn with_operator(text: &str, module: &str) -> Result<String> {
    let no_list = || anyhow!("{REGISTRY} has no list `OPERATORS:`");
    let start = text.find("    OPERATORS:\n").ok_or_else(no_list)? + "    OPERATORS:\n".len();
    let end = start + text[start..].find("}\n").ok_or_else(no_list)?;
    let plain = |module: &str| module.replace('_', "");
    let mut modules: Vec<&str> =
        text[start..end].lines().map(|line| line.trim().trim_end_matches(',')).collect();
    if modules.iter().any(|known| plain(known) == plain(module)) {
        bail!("{REGISTRY} lists `{module}` already");
    }
    let at = modules.iter().position(|known| plain(known) > plain(module)).unwrap_or(modules.len());
    modules.insert(at, module);
    let lines: String = modules.iter().map(|module| format!("    {module},\n")).collect();
    Ok(format!("{}{lines}{}", &text[..start], &text[end..]))
}

fn code_of(name: &str) -> String {
    format!(
        r#"//! {name}: what it computes, in one sentence.
//!
//! 7: what the version that is valid at opset 7 does, and what each later one changed.

use super::Operator;
use crate::error::Fault;
use crate::onnx::context::{{NodeContext, Operand}};

pub(super) const OPERATOR: Operator = Operator {{
    name: "{name}",
    versions: &[1],
    inputs: &[(1, 1..=1)],
    attributes: &[],
    limits: "",
    import,
}};

fn import(context: &mut NodeContext<'_>) -> Result<Vec<Operand>, Fault> {{
    let input = context.input(0, "X")?;
    Ok(vec![input])
}}
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn names_become_files() {
        for (name, file) in [
            ("Relu", "relu"),
            ("GlobalAveragePool", "global_average_pool"),
            ("QLinearConv", "q_linear_conv"),
            ("LRN", "lrn"),
            ("Conv2", "conv2"),
        ] {
            assert_eq!(snake(name), file);
        }
    }

    #[test]
    fn an_operator_comes_with_its_registration() {
        let root = std::env::temp_dir().join(format!("xtask-new-{}-operator", std::process::id()));
        fs::create_dir_all(root.join("frontend/src/onnx/ops")).unwrap();
        let list =
            "operators! {\n    /// All.\n    OPERATORS:\n    add,\n    leaky_relu,\n    relu,\n}\n\nend\n";
        fs::write(root.join(REGISTRY), list).unwrap();
        operator(&root, "MaxPool").unwrap();
        operator(&root, "Tanh").unwrap();
        let text = |path: &str| fs::read_to_string(root.join(path)).unwrap();
        let listed =
            "    OPERATORS:\n    add,\n    leaky_relu,\n    max_pool,\n    relu,\n    tanh,\n}\n\nend\n";
        assert!(text(REGISTRY).ends_with(listed), "{}", text(REGISTRY));
        assert!(text("frontend/src/onnx/ops/max_pool.rs").contains("name: \"MaxPool\""));
        for (name, reason) in [("LeakyRelu", "lists"), ("relu", "as ONNX does"), ("../Up", "as ONNX does")] {
            let message = operator(&root, name).unwrap_err().to_string();
            assert!(message.contains(reason), "{message}");
        }
        fs::remove_dir_all(root).unwrap();
    }
}
