//! Keep the largest weights of each neuron, and no others.
//!
//! Before: `%w = nn.constant dense<[[0.5, -6.0], [-1.5, 4.0]]>`, `%y = nn.matmul %x, %w`
//! After:  `%w = nn.constant dense<[[0.0, -6.0], [-1.5, 0.0]]>`, `%y = nn.matmul %x, %w`, with `keep=1`
//!                                                                           (tested: lit-tests/passes/prune.mlir)
//!
//! A sum of fewer products is narrower, and what it is looked up with cheaper. Of weights of one magnitude the first inputs'
//! stay. The network is not trained again: what it loses must be looked at.
//!
//! The mean of a window, as pooling has it, is no neuron: it stays.
//!
//! Requires: `cml-decompose-gemm` ran. Guarantees: no column of constant weights of an `nn.matmul` has more than `keep` weights
//! that are not 0, means aside; what was 0 stays 0. Weights that come out of a quantizer of the network stay as they are: it was trained
//! with them. Without `keep` nothing changes. A neuron that nothing reads any more, or that became constant, leaves the program
//! where `@server` becomes linear maps and lookups: neither has a lookup there.

use super::quantization::is_mean;
use super::rewrite::Replacement;
use crate::framework::{Message, Pass, PassError, PassInfo, PassOption, Preserves, parse, tell};
use cml_dialects::ffi::set_attribute;
use cml_dialects::ir::{Make, functions, node_name, op_name, operand, result};
use cml_dialects::nn::{PRUNED_NODES, PRUNED_WEIGHTS, constant_floats};
use melior::Context;
use melior::ir::{OperationRef, ValueLike};

/// See the module's text.
pub struct Prune {
    keep: Option<usize>,
}

/// How many weights of one product there are.
struct Pruned {
    /// The ONNX node.
    node: String,
    /// All of them.
    weights: u64,
    /// Those that were not 0 before.
    before: u64,
    /// Those that are not 0 now.
    after: u64,
}

impl Pass for Prune {
    const INFO: PassInfo = PassInfo {
        name: "cml-prune",
        summary: "Keep the largest weights of each neuron",
        description: "Sets all but the `keep` weights of largest magnitude of each column of constant weights of an \
                      `nn.matmul` to 0; of equal ones the first stay. Means of windows, and weights that come out of a quantizer of the network \
                      stay as they are. Without `keep` nothing changes.",
        options: &[PassOption {
            name: "keep",
            description: "weights of each neuron that are not 0; all by default",
            default: "",
        }],
        preserves: Preserves::Nothing,
    };

    fn new(values: &[&str]) -> Result<Self, String> {
        let [keep] = values else { return Err("one option is expected".to_owned()) };
        let keep = match keep.trim() {
            "" => None,
            text => Some(parse::<usize>("keep", text)?),
        };
        if keep == Some(0) {
            return Err("`keep=0`: expected 1 or more, or nothing for all".to_owned());
        }
        Ok(Self { keep })
    }

    fn run<'c>(self, context: &'c Context, module: OperationRef<'c, '_>) -> Result<(), PassError> {
        let Some(keep) = self.keep else { return Ok(()) };
        let mut all = Vec::new();
        for function in functions(module) {
            for op in function.ops().into_iter().filter(|op| op_name(*op) == "nn.matmul") {
                all.extend(prune(context, op, keep)?);
            }
        }
        let make = Make(context);
        let nodes: Vec<String> = all.iter().map(|pruned| pruned.node.clone()).collect();
        let counts: Vec<[i64; 3]> = all
            .iter()
            .map(|pruned| [pruned.weights, pruned.before, pruned.after].map(|count| count as i64))
            .collect();
        set_attribute(module, PRUNED_NODES, make.strings(&nodes));
        set_attribute(module, PRUNED_WEIGHTS, make.i64_arrays(&counts));
        let sum = |count: fn(&Pruned) -> u64| all.iter().map(count).sum::<u64>();
        let (before, after) = (sum(|pruned| pruned.before), sum(|pruned| pruned.after));
        tell(Message::Note(&format!(
            "pruned to {keep} weights a neuron: {} of {before} weights went, {after} are left",
            before - after
        )));
        Ok(())
    }
}

/// `None` for weights that are no constant, and for means.
fn prune<'c>(
    context: &'c Context,
    product: OperationRef<'c, '_>,
    keep: usize,
) -> Result<Option<Pruned>, PassError> {
    let Some((shape, mut weights)) = constant_floats(operand(product, 1)?) else { return Ok(None) };
    if is_mean(&shape, &weights) {
        return Ok(None);
    }
    // A vector has one column; a stack of matrices is one after the other.
    let columns = if shape.len() < 2 { 1 } else { shape[shape.len() - 1] as usize };
    let inputs = shape[shape.len().saturating_sub(2)] as usize;
    let live = |weights: &[f32]| weights.iter().filter(|weight| **weight != 0.0).count() as u64;
    let before = live(&weights);
    for matrix in weights.chunks_mut((inputs * columns).max(1)) {
        keep_largest(matrix, columns, keep);
    }
    let after = live(&weights);
    let found = Pruned { node: node_name(product), weights: weights.len() as u64, before, after };
    if before != after {
        let place = Replacement::of(context, product)?;
        let constant = place.constant(&shape, &weights)?;
        let ty = result(product)?.r#type();
        let new = place.new_op("nn.matmul").operands(&[operand(product, 0)?, constant]).result(ty);
        place.replace_by(place.insert(new)?);
    }
    Ok(Some(found))
}

/// Zeros all but the `keep` largest magnitudes of each column; of equal ones the first rows' stay.
fn keep_largest(weights: &mut [f32], columns: usize, keep: usize) {
    for column in 0..columns {
        let mut rows: Vec<usize> = (column..weights.len()).step_by(columns).collect();
        // Stable: equal magnitudes stay in the order of rows.
        rows.sort_by(|one, other| weights[*other].abs().total_cmp(&weights[*one].abs()));
        rows.into_iter().skip(keep).for_each(|at| weights[at] = 0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_stays_is_at_least_as_large_as_what_goes(
            columns in 1usize..5, keep in 1usize..6, numbers in prop::collection::vec(-3i8..4, 0..40),
        ) {
            let rows = numbers.len() / columns;
            let before: Vec<f32> = numbers[..rows * columns].iter().map(|number| f32::from(*number)).collect();
            let mut after = before.clone();
            keep_largest(&mut after, columns, keep);
            for column in 0..columns {
                let at = || (column..before.len()).step_by(columns);
                let largest_gone =
                    at().filter(|at| before[*at] != after[*at]).map(|at| before[at].abs()).fold(0.0, f32::max);
                let live: Vec<usize> = at().filter(|at| after[*at] != 0.0).collect();
                prop_assert!(live.len() <= keep);
                prop_assert!(live.iter().all(|at| after[*at] == before[*at] && after[*at].abs() >= largest_gone));
                let had = at().filter(|at| before[*at] != 0.0).count();
                prop_assert_eq!(live.len(), had.min(keep));
            }
            let mut again = after.clone();
            keep_largest(&mut again, columns, keep);
            prop_assert_eq!(again, after);
        }
    }

    #[test]
    fn of_equal_magnitudes_the_first_stay() {
        let mut weights = [1.0, -2.0, -1.0, 2.0, 1.0, 2.0];
        keep_largest(&mut weights, 2, 2);
        assert_eq!(weights, [1.0, -2.0, -1.0, 2.0, 0.0, 0.0]);
    }

    #[test]
    fn none_or_at_least_one_is_kept() {
        assert!(Prune::new(&[""]).unwrap().keep.is_none());
        assert_eq!(Prune::new(&["30"]).unwrap().keep, Some(30));
        assert!(Prune::new(&["0"]).is_err() && Prune::new(&["-1"]).is_err());
    }
}
