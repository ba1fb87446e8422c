//! Every form, over random tables, with every misreading that its tolerances allow: the value is the table's, always.

mod demands;
mod generator;
mod model;
mod proofs;

use super::{Candidates, Form, Kind, Profile, Spread, Stage, Unfit, Window, verify};
use cml_runtime::reference::message::Table;
use cml_runtime::units::Spacing;
use generator::{staircase, staircases};
use model::Model;
use proptest::prelude::*;

const OUTPUT: Spacing = Spacing(1 << 50);

/// How many of the arguments' values are wrong. Looks up every argument of the table, or those near jumps and ends and
/// some others, with many misreadings, each of which is up to `beyond` slots worse than it may be.
fn wrong(form: &Form, table: &Table, input: Spacing, (seed, beyond): (u64, u64)) -> usize {
    let nodes = form.nodes(table, input, OUTPUT).unwrap();
    demands::agree(form, &nodes, input);
    assert_eq!(verify(&nodes, table, input), Ok(()), "{form} on {} slots: {table:?}", input.slots());
    let mut model = Model::new(&nodes, input, seed, beyond);
    let arguments = generator::arguments(table, seed);
    let is_wrong = |x: &i64| {
        let expected = table.values[(x - table.lo) as usize];
        (0..12).any(|trial| model.look_up(*x, trial) != expected)
    };
    arguments.into_iter().filter(is_wrong).count()
}

fn profile_of(tables: &[Table]) -> Profile {
    let profiles = tables.iter().map(|table| Profile::of(table).unwrap());
    profiles.reduce(|one, other| one.merge(&other)).unwrap()
}

/// Some of the forms, all kinds among them.
fn some(forms: Vec<Form>, seed: u64) -> Vec<Form> {
    let step = (forms.len() / 8).max(1);
    forms.into_iter().skip(seed as usize % step).step_by(step).collect()
}

fn check(tables: &[Table], more: u64, seed: u64) {
    let merged = profile_of(tables);
    let available = merged.range * 2 + seed % 100;
    for form in some(Candidates::new(&merged).within(available), seed) {
        let input = Spacing::of_slots(form.slots + more * more);
        for table in tables {
            assert_eq!(
                wrong(&form, table, input, (seed, 0)),
                0,
                "{form} on {} slots: {table:?}",
                input.slots()
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_form_gives_the_value_of_its_table(tables in staircases(1..2000), more in 0u64..50, seed: u64) {
        check(&tables, more, seed);
    }

    #[test]
    fn every_form_gives_the_value_of_a_short_table(tables in staircases(1..40), more in 0u64..9, seed: u64) {
        check(&tables, more, seed);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn every_form_gives_the_value_of_a_long_table(tables in staircases(10_000..65_537), more in 0u64..90, seed: u64) {
        check(&tables, more, seed);
    }
}

/// Equal jumps, `gap` apart, the first at `first`.
fn steps(entries: usize, first: usize, gap: usize, count: usize) -> Table {
    let thresholds: Vec<usize> = (0..count).map(|number| first + number * gap).collect();
    staircase(entries, -7, &thresholds, |_| 2)
}

/// The plan of a form, one letter a stage.
fn plan(form: &Form) -> String {
    let letter = |stage: &Stage| match stage.kind {
        Kind::Direct { .. } => 'D',
        Kind::Fold(_) => 'F',
        Kind::Steps(_) => 'S',
        Kind::Zones { .. } => 'Z',
        Kind::Nearest { .. } => 'N',
        Kind::Approximate { .. } => 'A',
        Kind::Compare => 'C',
    };
    form.stages.iter().map(letter).collect()
}

/// The forms of one plan.
fn planned(table: &Table, letters: &str) -> Vec<Form> {
    let profile = Profile::of(table).unwrap();
    let forms = Candidates::new(&profile).within(profile.range * 3 / 2);
    forms.into_iter().filter(|form| plan(form) == letters).collect()
}

#[test]
fn tolerances_are_used_up() {
    let unequal = staircase(1024, -7, &[300, 340, 377, 420], |at| at as i64 % 5 + 1);
    let narrow = steps(300, 140, 3, 4);
    let sharp = steps(1024, 500, 3, 4);
    let even = steps(1024, 100, 40, 20);
    let uneven = steps(1024, 300, 19, 7);
    for (table, letters) in [
        (&narrow, "D"),
        (&narrow, "FD"),
        (&sharp, "FFD"),
        (&uneven, "SD"),
        (&uneven, "FSD"),
        (&uneven, "FSFD"),
        (&unequal, "ZDD"),
        (&unequal, "FZFDD"),
        (&even, "NDD"),
        (&even, "NFDD"),
        (&uneven, "NDD"),
        (&unequal, "FNDD"),
    ] {
        let forms = planned(table, letters);
        assert!(!forms.is_empty(), "no candidates of {letters}");
        for form in some(forms, 1) {
            let input = Spacing::of_slots(form.slots);
            assert_eq!(wrong(&form, table, input, (5, 0)), 0, "{form}");
            assert_ne!(wrong(&form, table, input, (5, 2)), 0, "{form} allows for more than it says");
        }
    }
}

/// Equal jumps from one end to the other, up to as many as an activation of 8 bits has.
#[test]
fn every_uniform_staircase_has_chains() {
    for (bits, count) in [(12, 15), (12, 63), (12, 255), (16, 15), (16, 63), (16, 255)] {
        let gap = (1 << bits) / (count + 1);
        let table = steps(1 << bits, gap, gap, count);
        for letters in ["SD", "NDD"] {
            let forms: Vec<Form> = ["", "F"]
                .iter()
                .flat_map(|fold| planned(&table, &letters.replacen('D', &format!("{fold}D"), 1)))
                .collect();
            assert!(!forms.is_empty(), "{count} steps of {bits} bits: no candidates of {letters}");
            for form in some(forms, 3).into_iter().take(2) {
                let input = Spacing::of_slots(form.slots);
                assert_eq!(wrong(&form, &table, input, (7, 0)), 0, "{form}");
            }
        }
    }
}

#[test]
fn tables_without_a_form_have_no_candidate_of_it() {
    let close = steps(200, 90, 1, 12);
    let forms = Candidates::new(&Profile::of(&close).unwrap()).within(400);
    assert!(forms.iter().all(|form| ["D", "FD", "FFD"].contains(&plan(form).as_str())));
    let unequal = staircase(200, 0, &[50, 90, 131], |at| at as i64);
    let forms = Candidates::new(&Profile::of(&unequal).unwrap()).within(400);
    assert!(forms.iter().any(|form| plan(form).contains('Z')));
    assert!(forms.iter().all(|form| !plan(form).contains('S')));
}

#[test]
fn a_form_of_another_table_is_refused() {
    let table = steps(200, 50, 10, 4);
    let window = |ratio, tolerance| Window { ratio, tolerance };
    let direct = Kind::Direct { tolerance: 0 };
    let form = |kinds: &[Kind]| Form { slots: 0, stages: kinds.iter().copied().map(Stage::new).collect() };
    let nodes = |kinds: &[Kind], table: &Table| form(kinds).nodes(table, Spacing::of_slots(200), OUTPUT);
    assert!(nodes(&[Kind::Steps(window(18, 5)), direct], &table).is_ok());
    let gap = nodes(&[Kind::Steps(window(10, 6)), direct], &table);
    assert_eq!(gap, Err(Unfit::Gap { stage: 0, expected: 12, found: 10 }));
    let room = nodes(&[Kind::Steps(window(19, 5)), direct], &table);
    assert_eq!(room, Err(Unfit::Slots { stage: 1, expected: 11, found: 10 }));
    let unequal = staircase(200, 0, &[50, 90], |at| at as i64);
    assert_eq!(nodes(&[Kind::Steps(window(18, 5)), direct], &unequal), Err(Unfit::Jumps { stage: 0 }));
    for (least, most) in [(11, 22), (8, 9), (4, 20)] {
        let spread = Spread { least, most };
        let nearest = Kind::Nearest { window: window(10, 4), spread };
        let nodes = nodes(&[nearest, direct, Kind::Direct { tolerance: 3 }], &table);
        assert_eq!(nodes, Err(Unfit::Borders { stage: 0 }), "{spread:?}");
    }
    assert_eq!(nodes(&[Kind::Fold(window(2, 5))], &table), Err(Unfit::Stages));
    assert_eq!(nodes(&[direct, direct], &table), Err(Unfit::Stages));
    let huge = Kind::Fold(window(1 << 62, 1));
    assert_eq!(nodes(&[huge, direct], &table), Err(Unfit::Overflow { stage: 0 }));
    assert_eq!(nodes(&[direct], &Table { lo: 0, values: vec![] }), Err(Unfit::Empty));
}

#[test]
fn forms_are_read_as_they_are_written() {
    let window = Window { ratio: 8, tolerance: 11 };
    let mut form = Form {
        slots: 256,
        stages: [
            Kind::Fold(window),
            Kind::Steps(window),
            Kind::Zones { window, zones: 7 },
            Kind::Nearest { window, spread: Spread { least: 24, most: 47 } },
            Kind::Direct { tolerance: 3 },
        ]
        .map(Stage::new)
        .to_vec(),
    };
    form.stages[0].key = 2;
    form.stages[1].extension = 1;
    form.stages[2].extension = -1;
    let text = "256: fold(8,11)@2+0 steps(8,11)@0+1 zones(8,11,7)@0-1 nearest(8,11,24,47)@0+0 direct(3)@0+0";
    assert_eq!(form.to_string(), text);
    assert_eq!(text.parse(), Ok(form));
    for bad in [
        "fold(8,11)@0+0",
        "x: direct(0)@0+0",
        "3: direct(1,2)@0+0",
        "3: direct(0)",
        "3: direct(0)@0",
        "3: other(0,1)@0+0",
    ] {
        assert!(bad.parse::<Form>().is_err(), "{bad}");
    }
}
