//! Every form, over random tables, with every misreading that its tolerances allow: the value is the table's, always.

mod generator;
mod model;

use super::{Form, Kind, Profile, Window, candidates};
use cml_runtime::reference::message::Table;
use cml_runtime::units::Spacing;
use generator::staircases;
use model::Model;
use proptest::prelude::*;

/// Looks up every argument of the table, or those near jumps and ends and some others, with many misreadings.
fn check(form: &Form, table: &Table, input: Spacing, seed: u64) {
    let nodes = form.nodes(table, input, Spacing::of_slots(1000)).unwrap();
    let mut model = Model::new(&nodes, input, seed);
    for x in generator::arguments(table, seed) {
        let expected = table.values[(x - table.lo) as usize];
        for trial in 0..12 {
            let found = model.look_up(x, trial);
            assert_eq!(found, expected, "at {x} of {}..: {form} on {} slots", table.lo, input.slots());
        }
    }
}

/// Some forms of the profile, all kinds among them.
fn some(profile: &Profile, available: u64, seed: u64) -> Vec<Form> {
    let forms = candidates(profile, available);
    let step = (forms.len() / 8).max(1);
    forms.into_iter().skip(seed as usize % step).step_by(step).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn every_form_gives_the_value_of_its_table(tables in staircases(2..2000), more in 0u64..50, seed: u64) {
        let profiles: Vec<Profile> = tables.iter().map(|table| Profile::of(table).unwrap()).collect();
        let merged = profiles[1..].iter().fold(profiles[0].clone(), |one, other| one.merge(other));
        let available = merged.range * 2 + seed % 100;
        for form in some(&merged, available, seed) {
            for table in &tables {
                check(&form, table, Spacing::of_slots(form.slots + more * more), seed);
            }
        }
    }
}

#[test]
fn forms_are_read_as_they_are_written() {
    let mut form = Form {
        slots: 256,
        stages: vec![
            super::Stage::new(Kind::Fold(Window { ratio: 8, tolerance: 11 })),
            super::Stage::new(Kind::Direct { tolerance: 0 }),
        ],
    };
    form.stages[0].key = 2;
    form.stages[1].extension = 1;
    assert_eq!(form.to_string(), "256: fold(8,11)@2+0 direct(0)@0+1");
    assert_eq!(form.to_string().parse(), Ok(form));
    for bad in ["fold(8,11)@0+0", "x: direct(0)@0+0", "3: direct(1,2)@0+0", "3: direct(0)", "3: other(0)@0+0"]
    {
        assert!(bad.parse::<Form>().is_err(), "{bad}");
    }
}
