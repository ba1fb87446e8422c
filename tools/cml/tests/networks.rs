//! The bundled networks at 2^-40 a lookup: exact on real samples, encrypted, with keys, results and memory within bounds.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::Value;
use support::{Place, data, model};

/// A compiled network.
struct Compiled {
    place: Place,
    network: &'static str,
    report: Value,
}

impl Compiled {
    /// Compiles a model of a network to `NETWORK.cml`.
    fn with(network: &'static str, model: &str, options: &str) -> Self {
        let place = Place::new();
        place.succeed(&format!("compile {model} {options} -o {network}.cml"));
        let report = serde_json::from_str(&place.succeed(&format!("inspect {network}.cml --json"))).unwrap();
        Self { place, network, report }
    }

    /// With samples, bits and a budget.
    fn calibrated(network: &'static str, options: &str) -> Self {
        let calibration = format!("--calibration {}:calibration", data(network));
        Self::with(network, &model(network), &format!("{calibration} {options}"))
    }

    /// What `cml predict` says of the first samples; all of them equal the quantized function.
    fn predicts(&self, mode: &str, samples: usize) -> Value {
        let (network, data, rows) = (self.network, data(self.network), format!("[0:{samples}]"));
        let arrays = format!("{network}.cml {data}:x_test{rows} --labels {data}:y_test{rows}");
        let ended = self.place.cml(&format!("predict {arrays} --mode {mode} --json"));
        assert_eq!(ended.status, Some(0), "{network}: {}", ended.stderr);
        let found: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(found["equal_to_quantized"], samples, "{network}, {mode}: {found}");
        found
    }

    /// Two samples.
    fn is_exact_encrypted(&self) {
        let found = self.predicts("fhe", 2);
        assert_eq!(found["out_of_range"], 0, "{}", self.network);
        // Client and server together, where the system tells.
        let peak = found["peak_rss_bytes"].as_u64().unwrap_or(0);
        assert!(peak < 1_500_000_000, "{}: {peak} bytes", self.network);
        println!("{}: {found}", self.network);
    }

    fn number(&self, field: &str) -> f64 {
        self.report[field].as_f64().unwrap_or_else(|| panic!("{field} of {}", self.network))
    }

    /// Security, failures and sizes; the evaluation key has at most so many bytes.
    fn keeps_its_bounds(&self, key_bytes: f64) {
        let network = self.network;
        assert!(self.number("security_bits") >= 128.0, "{network}");
        assert_eq!(self.number("p_error_per_lookup_budget_log2"), -40.0, "{network}");
        assert!(self.number("p_error_per_lookup_log2") <= -40.0, "{network}");
        for lookup in self.report["lookups"].as_array().unwrap() {
            // `null` is the probability 0.
            assert!(lookup["p_error_log2"].as_f64().is_none_or(|log2| log2 <= -40.0), "{network}: {lookup}");
        }
        assert!(self.number("eval_key_bytes") <= key_bytes, "{network}: {}", self.number("eval_key_bytes"));
        assert!(self.number("server_bytes") < 1.4e9, "{network}: {}", self.number("server_bytes"));
        // Enough to fill the batches of all threads.
        assert!(self.number("samples_together") >= 32.0, "{network}: {}", self.number("samples_together"));
    }

    /// The same for a network with two results.
    fn keeps_its_bounds_with_two_results(&self, key_bytes: f64) {
        self.keeps_its_bounds(key_bytes);
        assert!(self.number("output_bytes") < 5000.0, "{}: {}", self.network, self.number("output_bytes"));
    }
}

const THREE_BITS: &str = "--bits 3 --p-error-per-lookup 2^-40";

/// A network that brings its own quantizers.
fn quantized(network: &'static str, export: &str) -> Compiled {
    let model = data(network).replace("data.npz", &format!("model_{export}.onnx"));
    Compiled::with(network, &model, "--p-error-per-lookup 2^-40")
}

/// Evaluation keys are held against those of Concrete ML 1.9.0 for the same network, at 2^-40 a lookup and 128 bits: 156 MB.
#[test]
fn simple10() {
    let compiled = Compiled::calibrated("simple10", THREE_BITS);
    compiled.keeps_its_bounds_with_two_results(156e6 / 2.0);
    compiled.is_exact_encrypted();
}

/// 235 MB.
#[test]
fn simple30() {
    let compiled = Compiled::calibrated("simple30", THREE_BITS);
    compiled.keeps_its_bounds_with_two_results(235e6 / 2.0);
    compiled.is_exact_encrypted();
}

/// 1235 MB.
#[test]
fn simple100() {
    let compiled = Compiled::calibrated("simple100", THREE_BITS);
    compiled.keeps_its_bounds_with_two_results(1235e6 / 5.0);
    compiled.is_exact_encrypted();
}

/// 183 MB.
#[test]
fn pruned100_10() {
    let compiled = Compiled::calibrated("pruned100_10", THREE_BITS);
    compiled.keeps_its_bounds_with_two_results(183e6 / 2.0);
    compiled.is_exact_encrypted();
}

/// 235 MB.
#[test]
fn pruned100_30() {
    let compiled = Compiled::calibrated("pruned100_30", THREE_BITS);
    compiled.keeps_its_bounds_with_two_results(235e6 / 2.0);
    compiled.is_exact_encrypted();
}

/// 728 MB.
#[test]
fn qat100_30() {
    let compiled = quantized("qat100_30", "qonnx");
    compiled.keeps_its_bounds_with_two_results(728e6 / 5.0);
    compiled.is_exact_encrypted();
}

/// 1107 MB.
#[test]
fn digits_mlp_qat() {
    let compiled = quantized("digits_mlp_qat", "qonnx");
    compiled.keeps_its_bounds(1107e6 / 5.0);
    compiled.is_exact_encrypted();
}

/// 2292 MB. Accumulators of 10 bits.
#[test]
fn digits_mlp() {
    let compiled = Compiled::calibrated("digits_mlp", THREE_BITS);
    compiled.keeps_its_bounds(2292e6 / 5.0);
    for (mode, samples) in [("quantized", 360), ("simulate", 40)] {
        assert!(compiled.predicts(mode, samples)["accuracy"].as_f64().unwrap() > 0.9, "{mode}");
    }
    compiled.is_exact_encrypted();
}

/// Weights of 8 bits: accumulators of 15 bits.
#[test]
fn digits_mlp_with_wide_weights() {
    let bits = "--bits inputs=3,weights=8,activations=3";
    let compiled = Compiled::calibrated("digits_mlp", &format!("{bits} --p-error-per-lookup 2^-40"));
    assert_eq!(compiled.report["max_accumulator_bits"], 15, "{}", compiled.report);
    compiled.keeps_its_bounds(2292e6 / 5.0);
    compiled.predicts("simulate", 40);
    compiled.is_exact_encrypted();
}

/// What a server may need that learns results: failures are as rare as guesses of a key.
#[test]
fn digits_mlp_at_two_to_the_minus_128() {
    let compiled = Compiled::calibrated("digits_mlp", "--bits 3 --p-error 2^-128");
    assert_eq!(compiled.number("p_error_budget_log2"), -128.0);
    assert!(compiled.number("p_error_log2") <= -128.0 && compiled.number("security_bits") >= 128.0);
    compiled.predicts("simulate", 40);
    compiled.is_exact_encrypted();
}
