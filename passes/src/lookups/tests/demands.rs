//! Whether what a form asks for is what its nodes do.

use crate::lookups::{Form, Input, Node, Role};
use cml_runtime::units::Spacing;
use std::collections::BTreeMap;

/// Factors on the variances of the lookup's input, and of the results of the stages.
#[derive(Clone, Default)]
struct Noise {
    input: f64,
    stages: BTreeMap<usize, f64>,
}

/// Compares the demands of a form with its nodes. A value that is read twice counts with the sum of its weights, so none is.
pub(super) fn agree(form: &Form, nodes: &[Node], input: Spacing) {
    let demands = form.stages();
    let mut values: Vec<(Noise, Spacing)> = Vec::new();
    let mut rotations = Vec::new();
    for node in nodes {
        let get = |from: Input| match from {
            Input::Value => (Noise { input: 1.0, ..Noise::default() }, input),
            Input::Node(number) => values[number].clone(),
        };
        let value = match node {
            Node::Combine { terms, spacing, .. } => {
                let mut sum = Noise::default();
                for (from, weight) in terms {
                    let (noise, own) = get(*from);
                    let factor = (*weight as f64 * (spacing.0 / own.0) as f64).powi(2);
                    sum.input += noise.input * factor;
                    for (stage, of_stage) in noise.stages {
                        *sum.stages.entry(stage).or_default() += of_stage * factor;
                    }
                }
                (sum, *spacing)
            }
            Node::Bootstrap { input: from, tolerance, spacing, role, key, extension, .. } => {
                let (noise, own) = get(*from);
                if *role == Role::Count {
                    *rotations.last_mut().unwrap() += 1;
                } else {
                    rotations.push(1);
                }
                let stage = rotations.len() - 1;
                let demand = &demands[stage];
                assert_eq!((*key, *extension), (form.stages[stage].key, form.stages[stage].extension));
                assert_eq!(demand.spacing(input), own, "stage {stage} of {form}");
                assert_eq!(demand.tolerance, *tolerance, "stage {stage} of {form}");
                assert_eq!(demand.input, noise.input, "stage {stage} of {form}");
                assert_eq!(sum(&demand.stages), noise.stages, "stage {stage} of {form}");
                (Noise { input: 0.0, stages: BTreeMap::from([(stage, 1.0)]) }, *spacing)
            }
        };
        values.push(value);
    }
    let (result, _) = values.last().unwrap();
    assert_eq!(sum(&form.result()), result.stages, "result of {form}");
    let expected: Vec<u32> = demands.iter().map(|demand| demand.tables).collect();
    assert_eq!(rotations, expected, "rotations of {form}");
}

fn sum(factors: &[(usize, f64)]) -> BTreeMap<usize, f64> {
    let mut sums = BTreeMap::new();
    for (stage, factor) in factors {
        *sums.entry(*stage).or_default() += factor;
    }
    sums
}
