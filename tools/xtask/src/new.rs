//! `cargo xtask new`: the files that a new op, pass or operator begins with, and the lines that make it known.

pub(crate) mod operator;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};

use crate::process::{capitalized, write_whole};

/// What the skeleton of an op needs to know of its level: the constraint on values, and a type that meets it.
struct Level {
    name: &'static str,
    constraint: &'static str,
    example: &'static str,
    /// The same with another shape, which the skeleton's verifier refuses as result.
    other_shape: &'static str,
}

const LEVELS: &[Level] = &[
    Level { name: "nn", constraint: "Nn_Tensor", example: "tensor<1x4xf32>", other_shape: "tensor<1x5xf32>" },
    Level {
        name: "qnn",
        constraint: "Qnn_Tensor",
        example: "tensor<1x4x!quant.uniform<i8:f32, 5.000000e-01>>",
        other_shape: "tensor<1x5x!quant.uniform<i8:f32, 5.000000e-01>>",
    },
    Level {
        name: "fhe",
        constraint: "Fhe_Tensor",
        example: "tensor<1x4x!fhe.eint<-4:3>>",
        other_shape: "tensor<1x5x!fhe.eint<-4:3>>",
    },
    Level {
        name: "tfhe",
        constraint: "Tfhe_List",
        example: "tensor<4x!tfhe.lwe<\"big\", 1152921504606846976>>",
        other_shape: "tensor<5x!tfhe.lwe<\"big\", 1152921504606846976>>",
    },
];

/// Where the list of all passes is.
const PASS_REGISTRY: &str = "passes/src/framework/mod.rs";

/// Writes the definition, the verifier and the lit files of a new op with one operand and one result.
///
/// # Errors
/// If the level or the name will not do, or if the op exists already; nothing is written then.
pub(crate) fn op(root: &Path, level: &str, name: &str) -> Result<()> {
    let level = LEVELS.iter().find(|known| known.name == level).ok_or_else(|| {
        let names: Vec<&str> = LEVELS.iter().map(|level| level.name).collect();
        anyhow!("`{level}` is no level; the levels are {}", names.join(", "))
    })?;
    check_name(name)?;
    let stem = capitalized(level.name);
    let folder = Path::new("dialects/src").join(level.name);
    let definition = folder.join(format!("{stem}.td"));
    let code = folder.join(format!("{stem}.cpp"));
    let tests = Path::new("lit-tests/dialects").join(level.name);
    let hyphenated = name.replace('_', "-");

    let definitions = read(&root.join(&definition))?;
    if definitions.contains(&format!("<\"{name}\"")) {
        bail!("{} already defines `{}.{name}`", definition.display(), level.name);
    }
    let verifiers = read(&root.join(&code))?;
    let (before, after) = verifiers
        .rfind("\nextern \"C\" {")
        .map(|position| verifiers.split_at(position + 1))
        .ok_or_else(|| anyhow!("{} has no `extern \"C\" {{` to write the verifier before", code.display()))?;
    let files = [
        (definition.clone(), format!("{}\n\n{}", definitions.trim_end(), definition_of(level, name))),
        (code, format!("{before}{}\n{after}", verifier_of(level, name))),
        (tests.join(format!("{hyphenated}.mlir")), round_trip_of(level, name)),
        (tests.join(format!("{hyphenated}-invalid.mlir")), refusal_of(level, name)),
    ];
    write_new(root, &files, 2)?;
    println!(
        "\nnext, for `{level}.{name}` in {folder}:\n\
         1. {stem}.td: say in summary and description what it computes; its operands, attributes and traits\n\
         2. {stem}.cpp: what its verifier refuses\n\
         3. interpret.rs: what it computes, as nodes of the reference graph\n\
         4. the lit files; then `cargo xtask docs` and `cargo xtask test`",
        level = level.name,
        folder = folder.display(),
    );
    Ok(())
}

/// Writes a pass that changes nothing yet, its lit file, which fails until it does, and its registration.
///
/// A name of the form `a_to_b` makes a conversion, any other a pass that stays on its level.
///
/// # Errors
/// If the name will not do, or if the pass exists already; nothing is written then.
pub(crate) fn pass(root: &Path, name: &str) -> Result<()> {
    check_name(name)?;
    let kind = if name.contains("_to_") { "conversions" } else { "transforms" };
    let folder = Path::new("passes/src").join(kind);
    let (modules, registry) = (folder.join("mod.rs"), PathBuf::from(PASS_REGISTRY));
    let declared = with_module(&read(&root.join(&modules))?, name)
        .ok_or_else(|| anyhow!("{} declares `{name}` already", modules.display()))?;
    let listed = with_pass(&read(&root.join(&registry))?, &format!("crate::{kind}::{name}::{}", camel(name)))
        .ok_or_else(|| anyhow!("{} has no list `passes! {{`", registry.display()))?;
    let code = folder.join(format!("{name}.rs"));
    let test = Path::new("lit-tests/passes").join(format!("{}.mlir", name.replace('_', "-")));
    let files = [
        (modules, declared),
        (registry, listed),
        (code.clone(), pass_of(name)),
        (test.clone(), pass_test_of(name)),
    ];
    write_new(root, &files, 2)?;
    println!(
        "\nnext, for `cml-{}`:\n\
         1. {test}: what goes in, and what has to come out\n\
         2. {code}: the text at its top, what it preserves, and the rewriting\n\
         3. passes/src/pipelines.rs: the pipelines it belongs to\n\
         4. `cargo xtask docs` and `cargo xtask test`",
        name.replace('_', "-"),
        test = test.display(),
        code = code.display(),
    );
    Ok(())
}

/// `text` with the line `pub mod name;` among its like, in alphabetical order; `None` if it is there.
fn with_module(text: &str, name: &str) -> Option<String> {
    let line = format!("pub mod {name};");
    let lines: Vec<&str> = text.lines().collect();
    if lines.contains(&line.as_str()) {
        return None;
    }
    let is_module = |line: &&str| line.starts_with("pub mod ");
    let following = lines.iter().position(|other| is_module(other) && *other > line.as_str());
    let last = lines.iter().rposition(is_module);
    let mut lines: Vec<String> = lines.into_iter().map(str::to_owned).collect();
    match (following, last) {
        (Some(position), _) => lines.insert(position, line),
        (None, Some(position)) => lines.insert(position + 1, line),
        (None, None) => lines.extend([String::new(), line]),
    }
    Some(lines.join("\n") + "\n")
}

/// `text` with `path` at the end of the list `passes! { ... }`; `None` if there is no list.
fn with_pass(text: &str, path: &str) -> Option<String> {
    let list = text.find("\npasses! {\n")?;
    let end = list + 1 + text[list + 1..].find("\n}")?;
    Some(format!("{}\n    {path},{}", &text[..end], &text[end..]))
}

fn check_name(name: &str) -> Result<()> {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let begins_well = name.starts_with(|c: char| c.is_ascii_lowercase());
    if !begins_well || !name.chars().all(letters) || name.ends_with('_') || name.contains("__") {
        bail!("`{name}` will not do as a name; write it in lower case with underscores, such as `add_clear`");
    }
    Ok(())
}

/// `add_clear` as `AddClear`.
fn camel(name: &str) -> String {
    name.split('_').map(capitalized).collect()
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Writes the files; the first `edited` of them exist, and the others must not.
fn write_new(root: &Path, files: &[(PathBuf, String)], edited: usize) -> Result<()> {
    if let Some((path, _)) = files.iter().skip(edited).find(|(path, _)| root.join(path).exists()) {
        bail!("{} exists already", path.display());
    }
    for (index, (path, text)) in files.iter().enumerate() {
        write_whole(&root.join(path), text)?;
        println!("{} {}", if index < edited { "extended" } else { "written " }, path.display());
    }
    Ok(())
}

fn definition_of(level: &Level, name: &str) -> String {
    format!(
        r#"def {prefix}_{op}Op : {prefix}_Op<"{name}"> {{
  let summary = "y = {name}(x)";
  let description = [{{
    The equation, for each element of the result. What it requires of its operand, and why it belongs to this level.
  }}];
  let arguments = (ins {constraint}:$input);
  let results = (outs {constraint}:$result);
  let assemblyFormat = "$input attr-dict `:` qualified(type($input)) `->` qualified(type($result))";
  let hasVerifier = 1;
}}
"#,
        prefix = capitalized(level.name),
        op = camel(name),
        constraint = level.constraint,
    )
}

fn verifier_of(level: &Level, name: &str) -> String {
    format!(
        r#"LogicalResult {level}::{op}Op::verify() {{
  auto input = cast<RankedTensorType>(getInput().getType()), result = cast<RankedTensorType>(getResult().getType());
  if (input.getShape() != result.getShape())
    return emitOpError() << "needs a result of the input's shape, found " << result;
  return success();
}}
"#,
        level = level.name,
        op = camel(name),
    )
}

fn round_trip_of(level: &Level, name: &str) -> String {
    let Level { name: dialect, example, .. } = level;
    format!(
        "// `{dialect}.{name}` parses, verifies and prints as it was written.\n\
         // RUN: cml-opt %s | cml-opt | FileCheck %s\n\n\
         // CHECK-LABEL: func.func @{name}\n\
         // CHECK: {dialect}.{name} %{{{{.*}}}} : {example} -> {example}\n\
         func.func @{name}(%x: {example}) -> {example} {{\n  \
         %y = {dialect}.{name} %x : {example} -> {example}\n  \
         return %y : {example}\n}}\n"
    )
}

fn refusal_of(level: &Level, name: &str) -> String {
    let Level { name: dialect, example, other_shape, .. } = level;
    format!(
        "// What the verifier of `{dialect}.{name}` refuses.\n\
         // RUN: cml-opt %s --split-input-file --verify-diagnostics\n\n\
         func.func @shape(%x: {example}) -> {other_shape} {{\n  \
         // expected-error @+1 {{{{needs a result of the input's shape}}}}\n  \
         %y = {dialect}.{name} %x : {example} -> {other_shape}\n  \
         return %y : {other_shape}\n}}\n"
    )
}

fn pass_of(name: &str) -> String {
    format!(
        r#"//! What the pass does, in one sentence.
//!
//! Why it is worth doing, and what it must never change.
//!
//! Before: `%y = nn.relu %x`
//! After:  what the pass makes of it                       (tested: lit-tests/passes/{hyphenated}.mlir)
//!
//! Requires: what holds before. Guarantees: what holds after.

use crate::framework::{{Pass, PassError, PassInfo, Preserves}};
use cml_dialects::ir::{{block_ops, functions}};
use melior::Context;
use melior::ir::OperationRef;

/// See the module's text.
pub struct {pass};

impl Pass for {pass} {{
    const INFO: PassInfo = PassInfo {{
        name: "cml-{hyphenated}",
        summary: "What it does, in at most 60 characters",
        description: "What it requires and guarantees.",
        options: &[],
        preserves: Preserves::Exactly,
    }};

    fn new(_: &[&str]) -> Result<Self, String> {{
        Ok(Self)
    }}

    fn run<'c>(self, _context: &'c Context, module: OperationRef<'c, '_>) -> Result<(), PassError> {{
        for function in functions(module) {{
            for op in block_ops(function.block) {{
                rewrite(op)?;
            }}
        }}
        Ok(())
    }}
}}

/// The equation that one rewriting rests on.
fn rewrite(_op: OperationRef<'_, '_>) -> Result<(), PassError> {{
    Ok(())
}}
"#,
        hyphenated = name.replace('_', "-"),
        pass = camel(name),
    )
}

fn pass_test_of(name: &str) -> String {
    let hyphenated = name.replace('_', "-");
    format!(
        "// What this file shows, in one sentence.\n\
         // RUN: cml-opt %s --cml-check-semantics --cml-{hyphenated} | FileCheck %s\n\n\
         // CHECK-LABEL: func.func @main\n\
         // CHECK-NEXT: what the pass makes of the next line\n\
         func.func @main(%x: tensor<1x4xf32>) -> tensor<1x4xf32> {{\n  \
         %y = nn.relu %x : tensor<1x4xf32>\n  \
         return %y : tensor<1x4xf32>\n}}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A workspace with the files of one level, in a folder of this test's own.
    fn workspace_with_fhe(test: &str) -> PathBuf {
        let root = std::env::temp_dir().join(format!("xtask-new-{}-{test}", std::process::id()));
        let level = root.join("dialects/src/fhe");
        fs::create_dir_all(&level).unwrap();
        fs::write(level.join("Fhe.td"), "def Fhe_NegOp : Fhe_Op<\"neg\"> {}\n").unwrap();
        fs::write(level.join("Fhe.cpp"), "using namespace mlir;\n\nextern \"C\" {\n}\n").unwrap();
        root
    }

    #[test]
    fn an_op_comes_with_definition_verifier_and_tests() {
        let root = workspace_with_fhe("op");
        op(&root, "fhe", "round_up").unwrap();
        let text = |path: &str| fs::read_to_string(root.join(path)).unwrap();
        assert!(text("dialects/src/fhe/Fhe.td").contains("def Fhe_RoundUpOp : Fhe_Op<\"round_up\">"));
        let code = text("dialects/src/fhe/Fhe.cpp");
        assert!(code.find("RoundUpOp::verify").unwrap() < code.find("extern").unwrap(), "{code}");
        assert!(text("lit-tests/dialects/fhe/round-up.mlir").contains("FileCheck"));
        assert!(text("lit-tests/dialects/fhe/round-up-invalid.mlir").contains("expected-error"));
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn what_is_refused_changes_nothing() {
        let root = workspace_with_fhe("refused");
        let before = fs::read_to_string(root.join("dialects/src/fhe/Fhe.td")).unwrap();
        for (level, name, reason) in [
            ("fhe", "neg", "already defines"),
            ("lwe", "neg", "the levels are nn, qnn, fhe, tfhe"),
            ("fhe", "RoundUp", "lower case"),
            ("fhe", "../up", "lower case"),
            ("fhe", "", "lower case"),
        ] {
            let message = op(&root, level, name).unwrap_err().to_string();
            assert!(message.contains(reason), "{message}");
        }
        assert_eq!(fs::read_to_string(root.join("dialects/src/fhe/Fhe.td")).unwrap(), before);
        assert!(!root.join("lit-tests").exists());
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_pass_comes_with_its_test_and_its_registration() {
        let root = workspace_with_fhe("pass");
        let file = |path: &str, text: &str| write_whole(&root.join(path), text).unwrap();
        file("passes/src/transforms/mod.rs", "//! Passes.\n\npub mod a;\npub mod z;\n");
        file("passes/src/conversions/mod.rs", "//! Arrows.\n");
        file(PASS_REGISTRY, "x\npasses! {\n    crate::transforms::a::A,\n}\n\nfn y() {\n}\n");
        pass(&root, "fuse_lookups").unwrap();
        pass(&root, "qnn_to_fhe").unwrap();
        assert!(pass(&root, "fuse_lookups").unwrap_err().to_string().contains("already"));
        let text = |path: &str| fs::read_to_string(root.join(path)).unwrap();
        let modules = "//! Passes.\n\npub mod a;\npub mod fuse_lookups;\npub mod z;\n";
        assert_eq!(text("passes/src/transforms/mod.rs"), modules);
        assert_eq!(text("passes/src/conversions/mod.rs"), "//! Arrows.\n\npub mod qnn_to_fhe;\n");
        let list = "    crate::transforms::a::A,\n    crate::transforms::fuse_lookups::FuseLookups,\n    \
                    crate::conversions::qnn_to_fhe::QnnToFhe,\n}";
        assert!(text(PASS_REGISTRY).contains(list), "{}", text(PASS_REGISTRY));
        assert!(text("passes/src/transforms/fuse_lookups.rs").contains("\"cml-fuse-lookups\""));
        assert!(text("lit-tests/passes/fuse-lookups.mlir").contains("--cml-fuse-lookups"));
        fs::remove_dir_all(root).unwrap();
    }
}
