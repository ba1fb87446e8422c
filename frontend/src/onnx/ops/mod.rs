//! The operators of ONNX that are supported: one file and one line each.

use super::context::{NodeContext, Operand};
use super::proto::Node;
use crate::error::Fault;
use cml_runtime::reference::message::{Empty, Op};
use std::fmt::Write;
use std::ops::RangeInclusive;

/// Declares the module of each operator and lists what they export.
macro_rules! operators {
    ($(#[$text:meta])* $list:ident: $($module:ident),* $(,)?) => {
        $(mod $module;)*

        $(#[$text])*
        static $list: &[&Operator] = &[$(&$module::OPERATOR),*];
    };
}

operators! {
    /// Every supported operator of ONNX, by name.
    OPERATORS:
    add,
    argmax,
    average_pool,
    batch_normalization,
    cast,
    clip,
    concat,
    constant,
    conv,
    conv_integer,
    dequantize_linear,
    div,
    dropout,
    elu,
    flatten,
    gemm,
    global_average_pool,
    identity,
    leaky_relu,
    matmul,
    matmul_integer,
    mul,
    neg,
    qlinear_conv,
    qlinear_matmul,
    quantize_linear,
    relu,
    reshape,
    sigmoid,
    softmax,
    softplus,
    squeeze,
    sub,
    tanh,
    transpose,
    unsqueeze,
}

operators! {
    /// Operators of the domains of QONNX: quantizers as brevitas exports them.
    QONNX:
    bipolar_quant,
    int_quant,
    quant,
    trunc,
}

/// Domains under which the operators of QONNX are found.
const QONNX_DOMAINS: [&str; 2] = ["onnx.brevitas", "qonnx.custom_op.general"];

/// First opset that is read.
pub(crate) const OLDEST_OPSET: i64 = 7;

/// Last opset that is read.
pub(crate) const NEWEST_OPSET: i64 = 28;

/// An attribute of an operator and the versions that have it.
pub(crate) type AttributeRange = (&'static str, RangeInclusive<i64>);

/// All versions.
pub(crate) const ALWAYS: RangeInclusive<i64> = 1..=i64::MAX;

/// What ONNX says about an operator, and how it is translated.
#[derive(Debug)]
pub(crate) struct Operator {
    /// As ONNX spells it.
    pub(crate) name: &'static str,
    /// Opsets in which it changed, from the one that is valid at opset 7.
    pub(crate) versions: &'static [i64],
    /// How many inputs it takes, from which version on.
    pub(crate) inputs: &'static [(i64, RangeInclusive<usize>)],
    /// What attributes it has.
    pub(crate) attributes: &'static [AttributeRange],
    /// What is not supported, for the documentation; empty for nothing.
    pub(crate) limits: &'static str,
    /// Makes the results, in order.
    pub(crate) import: fn(&mut NodeContext<'_>) -> Result<Vec<Operand>, Fault>,
}

impl Operator {
    /// The opset in which the operator last changed, as of `opset`; `None` before it existed.
    pub(crate) fn version(&self, opset: i64) -> Option<i64> {
        self.versions.iter().copied().filter(|version| *version <= opset).max()
    }

    /// Refuses a node with inputs or attributes that the operator does not have.
    pub(crate) fn check(&self, node: &Node, opset: i64) -> Result<(), Fault> {
        let version = self.version(opset).unwrap_or(opset);
        let (least, most) = self.input_count(version);
        // Trailing optional inputs may be left out by an empty name as well as by a shorter list.
        let given = node.input.iter().rposition(|input| !input.is_empty()).map_or(0, |last| last + 1);
        if !(least..=most).contains(&given) {
            let expected = match (least, most) {
                _ if least == most => least.to_string(),
                (_, usize::MAX) => format!("at least {least}"),
                _ => format!("{least} to {most}"),
            };
            return Err(Fault::InputCount { expected, found: given });
        }
        let known =
            |name: &str| self.attributes.iter().any(|(known, at)| *known == name && at.contains(&version));
        match node.attribute.iter().find(|attribute| !known(&attribute.name)) {
            None => Ok(()),
            Some(attribute) => Err(Fault::UnknownAttribute { name: attribute.name.clone() }),
        }
    }

    fn input_count(&self, version: i64) -> (usize, usize) {
        let range = self.inputs.iter().rev().find(|(from, _)| *from <= version).map(|(_, range)| range);
        range.map_or((0, 0), |range| (*range.start(), *range.end()))
    }
}

/// The operator of a name.
pub(crate) fn find(name: &str) -> Option<&'static Operator> {
    OPERATORS.iter().copied().find(|operator| operator.name == name)
}

/// The operator of a name in a domain other than ONNX' own.
pub(crate) fn find_in(domain: &str, name: &str) -> Option<&'static Operator> {
    let known = QONNX.iter().copied().filter(|_| QONNX_DOMAINS.contains(&domain));
    known.into_iter().find(|operator| operator.name == name)
}

/// What to tell somebody whose operator is not supported: those with a similar name, or else all.
pub(crate) fn hint(name: &str) -> String {
    if name == "DynamicQuantizeLinear" {
        let reason = "its scale depends on the encrypted input; quantize statically, with QuantizeLinear";
        return reason.to_owned();
    }
    let name: String = name.chars().take(64).collect::<String>().to_lowercase();
    let mut names: Vec<(usize, &str)> = OPERATORS
        .iter()
        .map(|operator| (distance(&name, &operator.name.to_lowercase()), operator.name))
        .filter(|(distance, _)| *distance <= name.len() / 3)
        .collect();
    names.sort_unstable();
    let near: Vec<&str> = names.into_iter().take(3).map(|(_, name)| name).collect();
    if near.is_empty() {
        let all: Vec<&str> = OPERATORS.iter().map(|operator| operator.name).collect();
        format!("supported: {}", all.join(", "))
    } else {
        format!("nearest supported: {}", near.join(", "))
    }
}

/// Number of characters to insert, delete or replace.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (done, have) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = done + 1;
        for (at, want) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(have != *want);
            diagonal = row[at + 1];
            row[at + 1] = replaced.min(row[at] + 1).min(row[at + 1] + 1);
        }
    }
    row[to.len()]
}

/// The table of supported operators, as Markdown.
#[must_use]
pub fn supported_operators_markdown() -> String {
    let mut page = format!(
        "# Supported ONNX operators\n\nOpsets {OLDEST_OPSET} to {NEWEST_OPSET} of the default domain. \
         Written by `cargo xtask docs` from `frontend/src/onnx/ops`.\n\n\
         | operator | changed in opset | attributes | limits |\n|---|---|---|---|\n"
    );
    for operator in OPERATORS {
        let versions: Vec<String> = operator.versions.iter().map(ToString::to_string).collect();
        let attributes: Vec<String> = operator.attributes.iter().map(attribute_text).collect();
        let (name, versions, attributes) = (operator.name, versions.join(", "), attributes.join(", "));
        // Writing to a String cannot fail.
        let _ = writeln!(page, "| {name} | {versions} | {attributes} | {} |", operator.limits);
    }
    let _ = writeln!(page, "\nQuantizers of the domains `{}`:\n", QONNX_DOMAINS.join("` and `"));
    for operator in QONNX {
        let attributes = operator.attributes.iter().map(attribute_text);
        let parts: Vec<String> = attributes.chain([operator.limits.to_owned()]).collect();
        let _ = writeln!(page, "- {}: {}", operator.name, parts.join(", "));
    }
    page
}

fn attribute_text((name, versions): &AttributeRange) -> String {
    match (*versions.start(), *versions.end()) {
        (1, i64::MAX) => format!("`{name}`"),
        (from, i64::MAX) => format!("`{name}` (from {from})"),
        (1, to) => format!("`{name}` (to {to})"),
        (from, to) => format!("`{name}` ({from} to {to})"),
    }
}

/// A binary operation on two tensors that broadcast.
fn binary(context: &mut NodeContext<'_>, op: fn(Empty) -> Op) -> Result<Vec<Operand>, Fault> {
    let operands = [context.input(0, "A")?, context.input(1, "B")?];
    Ok(vec![context.emit(op(Empty {}), &operands)?])
}

/// A function of one tensor without parameters.
fn unary(context: &mut NodeContext<'_>, op: fn(Empty) -> Op) -> Result<Vec<Operand>, Fault> {
    let input = context.input(0, "X")?;
    Ok(vec![context.emit(op(Empty {}), &[input])?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_unique() {
        for list in [OPERATORS, QONNX] {
            let names: Vec<&str> = list.iter().map(|operator| operator.name).collect();
            let mut sorted = names.clone();
            sorted.sort_by_key(|name| name.to_lowercase());
            sorted.dedup();
            assert_eq!(names, sorted);
        }
    }

    #[test]
    fn versions_ascend_and_reach_back_to_the_oldest_opset() {
        for operator in OPERATORS {
            assert!(operator.versions.windows(2).all(|pair| pair[0] < pair[1]), "{}", operator.name);
            // Integers came with opset 10.
            let later = [
                "ConvInteger",
                "DequantizeLinear",
                "MatMulInteger",
                "QLinearConv",
                "QLinearMatMul",
                "QuantizeLinear",
            ];
            let is_later = later.contains(&operator.name);
            assert_eq!(operator.version(OLDEST_OPSET).is_some(), !is_later, "{}", operator.name);
            assert!(operator.versions.iter().all(|version| *version <= NEWEST_OPSET), "{}", operator.name);
        }
    }

    #[test]
    fn misspelled_names_find_their_neighbours() {
        assert_eq!(hint("Gem"), "nearest supported: Gemm");
        assert_eq!(hint("LeakyReLu6"), "nearest supported: LeakyRelu");
        assert!(hint("Quantum").starts_with("supported: Add, ArgMax, "));
        assert!(hint("").starts_with("supported: "));
        assert_eq!((distance("kitten", "sitting"), distance("", "abc")), (3, 3));
    }

    #[test]
    fn the_table_has_a_line_for_each_operator() {
        let table = supported_operators_markdown();
        assert!(table.contains("| Clip | 6, 11, 12, 13 | `min` (to 10), `max` (to 10) |"), "{table}");
        assert_eq!(table.lines().filter(|line| line.starts_with("| ")).count(), OPERATORS.len() + 1);
    }
}
