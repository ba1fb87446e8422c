//! Single tables of every width: what runs, exactly, and what is refused.
#![allow(clippy::unwrap_used)]

mod support;

use cml_runtime::arrays::{ArraySource, save_floats};
use ndarray::{ArrayD, IxDyn};
use serde_json::Value;
use support::Place;
use support::tables::{Lookup, network, staircase};

/// A table without any order.
fn random(bits: u32) -> Vec<i64> {
    (0..1u64 << bits).map(|x| (x.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - bits)) as i64).collect()
}

/// Seven jumps that no lattice of some width has, in 16 bits.
const JUMPS: [usize; 7] = [9_001, 17_202, 26_103, 33_501, 44_444, 52_345, 60_000];

struct Looked {
    place: Place,
    report: Value,
}

impl Looked {
    /// Compiles a table.
    fn up(values: &[i64], options: &str) -> Self {
        let place = Place::new();
        place.write("table.mlir", network(&[Lookup::new(1, vec![values.to_vec()])]));
        place.succeed(&format!("compile table.mlir {options} -o table.cml"));
        let report = serde_json::from_str(&place.succeed("inspect table.cml --json")).unwrap();
        Self { place, report }
    }

    fn form(&self) -> &str {
        self.report["lookups"][0]["form"].as_str().unwrap()
    }

    /// What these arguments give.
    fn at(&self, arguments: &[usize], mode: &str) -> (Vec<i64>, Value) {
        let samples: Vec<f32> = arguments.iter().map(|x| *x as f32).collect();
        let array = ArrayD::from_shape_vec(IxDyn(&[samples.len(), 1]), samples).unwrap();
        save_floats(&self.place.path("x.npy"), &array).unwrap();
        let found = self.place.succeed(&format!("predict table.cml x.npy --mode {mode} --json -o y.npy"));
        let results: ArraySource = self.place.path("y.npy").display().to_string().parse().unwrap();
        let results = results.load_floats().unwrap().iter().map(|y| y.round() as i64).collect();
        (results, serde_json::from_str(&found).unwrap())
    }

    /// Encrypted, these arguments give what the table has.
    fn is_exact(&self, values: &[i64], arguments: &[usize]) {
        let (results, found) = self.at(arguments, "fhe");
        let expected: Vec<i64> = arguments.iter().map(|x| values[*x]).collect();
        assert_eq!(results, expected, "{}", self.report["lookups"]);
        assert_eq!(found["equal_to_quantized"], arguments.len());
    }
}

#[test]
fn any_table_of_ten_bits_is_exact() {
    let values = random(10);
    let looked = Looked::up(&values, "");
    assert_eq!(looked.form(), "extended_bootstrap");
    looked.is_exact(&values, &[0, 511, 1023]);
}

#[test]
fn a_staircase_of_sixteen_bits_is_exact() {
    let values = staircase(1 << 16, &JUMPS);
    let looked = Looked::up(&values, "");
    let chains = ["steps", "nearest"];
    assert!(chains.iter().any(|chain| looked.form().contains(chain)), "{}", looked.form());
    let beside = JUMPS.iter().flat_map(|jump| [jump - 1, *jump]);
    looked.is_exact(&values, &beside.chain([0, 65_535]).collect::<Vec<_>>());
}

/// Two hundred and fifty-five jumps: an activation of 8 bits.
#[test]
fn a_hundred_jumps_and_more_of_sixteen_bits_are_exact() {
    let values: Vec<i64> = (0..1i64 << 16).map(|x| x >> 8).collect();
    let looked = Looked::up(&values, "");
    assert!(looked.form() != "extended_bootstrap", "{}", looked.form());
    looked.is_exact(&values, &[0, 255, 256, 32_767, 32_768, 65_279, 65_280, 65_535]);
}

#[test]
fn unequal_jumps_of_fourteen_bits_are_exact() {
    let zones = [5, 0, 9, 2, 11, 3, 8, 1];
    let jumps = JUMPS.map(|jump| jump / 4);
    let values: Vec<i64> = staircase(1 << 14, &jumps).into_iter().map(|zone| zones[zone as usize]).collect();
    let looked = Looked::up(&values, "");
    let beside = jumps.iter().flat_map(|jump| [jump - 1, *jump]);
    looked.is_exact(&values, &beside.collect::<Vec<_>>());
}

#[test]
fn what_does_not_fit_is_refused_with_what_would_help() {
    let place = Place::new();
    place.write("table.mlir", network(&[Lookup::new(1, vec![random(12)])]));
    place.refuse_with(
        "compile table.mlir -o table.cml",
        &[
            "no parameters look up 0:4095 (4096 values, 12 bits)",
            "--max-accumulator-bits",
            "--bits",
            "a larger --p-error,",
            "--rounding approximate:6",
        ],
    );
}

#[test]
fn what_is_rounded_is_off_by_half_a_step_at_most_and_counted() {
    let jumps = JUMPS.map(|jump| jump / 64);
    let values = staircase(1 << 10, &jumps);
    let exact = Looked::up(&values, "");
    let looked = Looked::up(&values, "--rounding approximate:4 --save-config c.json");
    assert_eq!(looked.form(), "approximate");
    assert!(looked.place.succeed("inspect table.cml").contains("results may differ"));
    let seconds = |looked: &Looked| looked.report["predicted_seconds"].as_f64().unwrap();
    assert!(seconds(&looked) < seconds(&exact));

    let arguments: Vec<usize> = (0..1024).collect();
    let (results, found) = looked.at(&arguments, "simulate");
    assert!(found["equal_to_quantized"].as_u64().unwrap() < 1024, "{found}");
    for (x, result) in arguments.iter().zip(&results) {
        let near = x.saturating_sub(32)..=(x + 32).min(1023);
        assert!(values[near].contains(result), "{x}: {result}");
    }
    let far: Vec<usize> =
        arguments.into_iter().filter(|x| jumps.iter().all(|jump| x.abs_diff(*jump) > 33)).collect();
    looked.is_exact(&values, &far[..3]);

    // A configuration keeps it.
    looked.place.succeed("compile table.mlir --config c.json -o again.cml");
    assert!(looked.place.bytes("again.cml") == looked.place.bytes("table.cml"));
    looked.place.succeed("compile table.mlir -o exact.cml");
    assert!(looked.place.bytes("exact.cml") != looked.place.bytes("table.cml"));
}
