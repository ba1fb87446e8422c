//! Whether a proof proves anything: chains with a fault.

use super::model::{self, Model};
use super::{Candidates, OUTPUT, demands, generator, profile_of, some, staircases, steps};
use crate::lookups::{Form, Input, Kind, Node, Wrong, verify};
use cml_runtime::reference::message::Table;
use cml_runtime::server::TestPolynomial;
use cml_runtime::units::Spacing;
use proptest::prelude::*;

/// One number of one node becomes another.
fn break_one(nodes: &mut [Node], seed: u64) {
    let pick = seed as usize;
    let number = pick % nodes.len();
    match &mut nodes[number] {
        Node::Combine { bias, .. } => *bias += [-1, 1][pick / 7 % 2],
        Node::Bootstrap { table, center, tolerance, .. } => match pick / 7 % 4 {
            0 => *tolerance += 1,
            1 => *center += 1,
            2 => table.lo += 1,
            _ => {
                let entry = (seed / 64) as usize % table.values.len();
                table.values[entry] += 1;
            }
        },
    }
}

fn is_wrong(nodes: &[Node], table: &Table, input: Spacing, seed: u64) -> bool {
    let mut model = Model::new(nodes, input, seed, 0);
    let arguments = generator::arguments(table, seed);
    arguments
        .into_iter()
        .any(|x| (0..30).any(|trial| model.look_up(x, trial) != table.values[(x - table.lo) as usize]))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn an_approximate_reading_is_of_an_argument_within_its_tolerance(
        tables in staircases(2..300), tolerance in 1u64..12, seed: u64,
    ) {
        let (table, lo, e) = (&tables[0], tables[0].lo, tolerance as i64);
        let form = Form::new(&profile_of(&tables[..1]), &[Kind::Approximate { tolerance }]).unwrap();
        let input = Spacing::of_slots(form.slots);
        let nodes = form.nodes(table, input, OUTPUT).unwrap();
        demands::agree(&form, &nodes, input);
        prop_assert_eq!(verify(&nodes, table, input), Ok(()));
        let mut model = Model::new(&nodes, input, seed, 0);
        let hi = lo + table.values.len() as i64 - 1;
        for x in generator::arguments(table, seed) {
            let near = &table.values[((x - e).max(lo) - lo) as usize..=((x + e).min(hi) - lo) as usize];
            prop_assert!((0..12).all(|trial| near.contains(&model.look_up(x, trial))), "{table:?} at {x}");
        }
        // Nor is it that of another table.
        let other = Table { values: table.values.iter().map(|value| value + 1000).collect(), ..table.clone() };
        prop_assert!(verify(&nodes, &other, input).is_err());
    }

    #[test]
    fn what_goes_wrong_has_no_proof(tables in staircases(2..300), seed: u64) {
        let table = &tables[0];
        let profile = profile_of(&tables[..1]);
        for form in some(Candidates::new(&profile).within(profile.range * 3 / 2), seed) {
            let input = Spacing::of_slots(form.slots);
            let mut nodes = form.nodes(table, input, OUTPUT).unwrap();
            break_one(&mut nodes, seed);
            if is_wrong(&nodes, table, input, seed) {
                prop_assert!(verify(&nodes, table, input).is_err(), "{form}: {nodes:?}");
            }
        }
    }
}

#[test]
fn faults_are_named() {
    let table = steps(200, 90, 1, 12);
    let form = "200: fold(6,10)@0+0 direct(0)@0+0".parse::<crate::lookups::Form>().unwrap();
    let input = Spacing::of_slots(200);
    let nodes = form.nodes(&table, input, OUTPUT).unwrap();
    assert_eq!(verify(&nodes, &table, input), Ok(()));
    let broken = |change: &dyn Fn(&mut Vec<Node>)| {
        let mut nodes = nodes.clone();
        change(&mut nodes);
        verify(&nodes, &table, input)
    };
    let less = broken(&|nodes| nodes.truncate(2));
    assert_eq!(less, Err(Wrong::Result { found: 63, expected: -2 }));
    let more = broken(&|nodes| {
        if let Node::Bootstrap { tolerance, .. } = &mut nodes[0] {
            *tolerance += 2;
        }
    });
    assert!(matches!(more, Err(Wrong::Ambiguous { .. } | Wrong::Outside { node: 2, .. })), "{more:?}");
    let coarse = broken(&|nodes| {
        if let Node::Bootstrap { spacing, .. } = &mut nodes[0] {
            spacing.0 += 1;
        }
    });
    assert_eq!(coarse, Err(Wrong::Malformed { node: 1 }));
    assert_eq!(verify(&[], &table, input), Err(Wrong::Malformed { node: 0 }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_test_polynomial_reads_as_proofs_have_it(tables in staircases(2..300), seed: u64) {
        let profile = profile_of(&tables[..1]);
        for form in some(Candidates::new(&profile).within(profile.range * 3 / 2), seed) {
            let input = Spacing::of_slots(form.slots);
            for (table, center, spacing) in readings(&form.nodes(&tables[0], input, OUTPUT).unwrap(), input) {
                let polynomial = TestPolynomial::new(table, center, [spacing.0, 1 << 30], 11);
                for position in 0u64..1 << 11 {
                    let found = polynomial.read(position as usize);
                    // Where two entries are equally near, either may be read.
                    let is_read = |phase: u64| {
                        let expected = (model::read(table, center, spacing, phase) as u64) << 30;
                        found.wrapping_sub(expected).wrapping_add(1) <= 2
                    };
                    let phase = position << 53;
                    let near = [phase, phase.wrapping_sub(1), phase + 1];
                    prop_assert!(near.into_iter().any(is_read), "{form} at {position}");
                }
            }
        }
    }
}

/// Tables with their centers and the spacings at which they are read.
fn readings(nodes: &[Node], value: Spacing) -> Vec<(&Table, i64, Spacing)> {
    let spacing = |input: Input| match input {
        Input::Value => value,
        Input::Node(number) => match &nodes[number] {
            Node::Combine { spacing, .. } | Node::Bootstrap { spacing, .. } => *spacing,
        },
    };
    let reading = |node| match node {
        &Node::Bootstrap { input, ref table, center, .. } => Some((table, center, spacing(input))),
        Node::Combine { .. } => None,
    };
    nodes.iter().filter_map(reading).collect()
}
