//! The table's checks, and predictions on a table of round numbers.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::program::message::{self, Action, Bootstrap, EncryptedPort, Server, Step};
use crate::reference::message::Table;
use crate::server::CheckedServer;

/// Two threads; plain bootstraps of 800 elements and one digit take 80 microseconds, and 1.6 a batch for the key.
fn round() -> Machine {
    Machine {
        version: VERSION,
        name: "round".to_owned(),
        cpu: "none".to_owned(),
        threads: 2,
        together: 1.25,
        keyswitch: Keyswitch { multiply_add: 0.5, digit: 0.0, key_word: 0.0 },
        linear: Linear { multiply_add: 1.0, input_word: 0.0, output_word: 0.0, combined_word: 1.0 },
        crowded: vec![1.5],
        bootstraps: vec![Bootstraps {
            glwe_dimension: 1,
            polynomial_size: 2048,
            key: 2.0,
            digit: 60.0,
            accumulator: 40.0,
        }],
    }
}

fn set() -> ParameterSet {
    ParameterSet {
        lwe_dimension: 800,
        glwe_dimension: 1,
        polynomial_size: 2048,
        pbs_base_log: 23,
        pbs_level: 1,
        ks_base_log: 4,
        ks_level: 1,
        lwe_std_dev: 1e-9,
        glwe_std_dev: 1e-15,
    }
}

/// `rows` sums of two inputs, then as many lookups.
fn server(rows: usize, extension: i32) -> Server {
    let spacing = 1 << 60;
    let port = |name: &str, count: usize| EncryptedPort {
        name: name.to_owned(),
        shape: vec![count as u64],
        spacing,
        lo: vec![0; count],
        hi: vec![1; count],
        returned: None,
    };
    let linear = message::Linear {
        inputs: vec![0],
        rows: rows as u32,
        weights: vec![1; 2 * rows],
        bias: vec![0; rows],
        spacing,
    };
    let bootstrap = Bootstrap {
        input: 1,
        extension,
        tables: vec![Table { lo: 0, values: vec![0, 1, 1] }],
        table_of: vec![0; rows],
        spacing,
        ..Bootstrap::default()
    };
    let step = |action| Step { node: "n".to_owned(), action: Some(action) };
    Server {
        parameters: vec![set()],
        inputs: vec![port("x", 2)],
        steps: vec![step(Action::Linear(linear)), step(Action::Bootstrap(bootstrap))],
        outputs: vec![port("y", rows)],
        output_values: vec![2],
    }
}

fn milliseconds(machine: &Machine, rows: usize, extension: i32) -> f64 {
    machine.seconds(&CheckedServer::new(&server(rows, extension)).unwrap()).unwrap() * 1e3
}

#[test]
fn sorting_saves_what_was_counted() {
    for (extension, expected) in [(0, 1.0), (1, 1.5), (2, 2.75), (3, 5.375), (4, 10.6875)] {
        assert_eq!(sorted_components(extension), expected);
    }
    // The sum that the closed form stands for.
    for v in 0..9 {
        let terms: f64 = (0..v).map(|t| f64::from(v - t).exp2() / f64::from(t + 1).exp2()).sum::<f64>();
        assert!((sorted_components(v) - terms - f64::from(-v).exp2()).abs() < 1e-9);
    }
}

/// The walk of a program adds up to what one gets by hand.
#[test]
fn a_program_takes_what_its_batches_take() {
    let machine = round();
    // Lines of the layer and of the keyswitch, filled up to a multiple of six; batches and bootstraps on the busier thread.
    for (rows, slow, lines, [batches, rotated]) in
        [(1, 1.0, 6.0, [1.0, 1.0]), (12, 1.25, 12.0, [1.0, 6.0]), (28, 1.25, 30.0, [2.0, 14.0])]
    {
        // Of 65 tiles of ciphertexts, and of 26 of the key.
        let layer = 33.0 * 32.0 * 2.0 * lines * 1.25;
        let keyswitches = 13.0 * 32.0 * 2048.0 * lines * 0.5 * 1.25;
        let bootstraps = 800.0 * (2.0 * batches + 100.0 * rotated) * slow;
        let expected = (layer + keyswitches + bootstraps) * 1e-6;
        let found = milliseconds(&machine, rows, 0);
        assert!((found / expected - 1.0).abs() < 1e-9, "{rows} rows: {found} ms, expected {expected} ms");
    }
    // Half of the elements are odd, and update both accumulators.
    let extended = milliseconds(&machine, 2, 1) - milliseconds(&machine, 2, 0);
    let expected = 800.0 * 100.0 * 0.5 * 1.25 * 1e-6;
    assert!((extended - expected).abs() < 1e-9, "{extended} ms, expected {expected} ms");
}

#[test]
fn passes_are_one_for_each_number_of_zeros_that_occurs() {
    for (extension, count, expected) in
        [(0, 9, 1.0), (3, 1, 1.0), (1, 2, 1.5), (1, 100, 2.0), (2, 2, 1.0 + 0.625)]
    {
        let found = passes(extension, count);
        assert!((found - expected).abs() < 1e-9, "{extension}, {count}: {found}");
    }
}

#[test]
fn accumulators_beyond_the_cache_are_slower() {
    let machine = round();
    let shape = set().glwe_shape();
    let product = |extension| {
        let element = machine.mask_element(shape, 1, extension).unwrap();
        let batch = largest_pass(shape, extension);
        (element - 2.0 * passes(extension, batch) / batch as f64) / sorted_components(extension)
    };
    // 2^3 accumulators of 32 KiB fill the quarter MiB of a batch; what is beyond the table's end is as slow as its end.
    for (extension, expected) in [(0, 100.0), (3, 100.0), (4, 150.0), (5, 150.0)] {
        assert!((product(extension) - expected).abs() < 1e-9, "{extension}: {}", product(extension));
    }
}

#[test]
fn samples_together_fill_batches() {
    let server = server(3, 0);
    let server = CheckedServer::new(&server).unwrap();
    let machine = round();
    let one = machine.seconds(&server).unwrap();
    let together = machine.seconds_of_samples(&server, 16).unwrap();
    // The keyswitch is most of it: 48 lines instead of six, of which three were in use.
    assert!((8.0..9.0).contains(&(together / one)), "{together} s, one {one} s");
}

#[test]
fn what_was_not_measured_is_not_predicted() {
    let machine = round();
    let mut other = server(1, 0);
    other.parameters[0] = ParameterSet { glwe_dimension: 2, polynomial_size: 1024, ..set() };
    assert_eq!(machine.seconds(&CheckedServer::new(&other).unwrap()), None);
    assert_eq!(machine.bootstrap(&other.parameters[0], 0), None);
    assert_eq!(machine.bootstrap(&set(), 0), Some(800.0 * (100.0 + 2.0 / 8.0)));
    assert_eq!(
        machine.bootstrap(&ParameterSet { pbs_level: 2, ..set() }, 0),
        Some(800.0 * (160.0 + 4.0 / 8.0))
    );
}

#[test]
fn more_polynomials_take_longer_on_the_shipped_machine() {
    let machine = Machine::default_table();
    assert!(machine.crowded.is_sorted());
    for pair in
        machine.bootstraps.windows(2).filter(|pair| pair[0].polynomial_size == pair[1].polynomial_size)
    {
        assert!(pair[0].product(1.0) < pair[1].product(1.0), "{pair:?}");
    }
}

#[test]
fn the_hash_is_of_the_content() {
    let machine = Machine::default_table();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("machine.json");
    for text in [machine.to_json(), serde_json::to_string(&machine).unwrap()] {
        std::fs::write(&path, text).unwrap();
        assert_eq!(Machine::load(&path).unwrap().hash(), machine.hash());
    }
    let other = Machine { together: 1.5, ..machine.clone() };
    assert_ne!(other.hash(), machine.hash());
}

#[test]
fn bad_tables_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("machine.json");
    let good = serde_json::to_string(&round()).unwrap();
    let load = |text: &str| {
        std::fs::write(&path, text).unwrap();
        Machine::load(&path).map(|_| ())
    };
    assert_eq!(load(&good), Ok(()));
    let entry = serde_json::to_string(&round().bootstraps[0]).unwrap();
    let twice = format!("[{entry},{entry}]");
    for (from, to, what) in [
        ("\"version\":2", "\"version\":1", "version 1"),
        ("\"threads\":2", "\"threads\":0", "no threads"),
        ("\"multiply_add\":0.5", "\"multiply_add\":-1", "keyswitch.multiply_add is -1"),
        ("\"multiply_add\"", "\"multiply\"", "unknown field"),
        ("\"polynomial_size\":2048", "\"polynomial_size\":2047", "no shape"),
        ("\"glwe_dimension\":1", "\"glwe_dimension\":0", "no shape"),
        ("\"digit\":60.0", "\"digit\":0.0", "no time"),
        ("\"together\":1.25", "\"together\":0.5", "a slowdown is 0.5"),
        ("[1.5]", "[0]", "a slowdown is 0"),
        (&format!("[{entry}]"), &twice, "do not increase"),
        ("\"digit\":60.0", "\"digit\":", "line"),
    ] {
        assert!(good.contains(from), "{from}");
        let error = load(&good.replace(from, to)).unwrap_err().to_string();
        assert!(error.contains(what) && error.contains("machine.json"), "{error}");
    }
    assert!(load(&format!("{good}{}", " ".repeat(1 << 20))).is_err());
    assert!(Machine::load(&folder.path().join("absent.json")).is_err());
}
