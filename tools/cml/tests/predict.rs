//! Prediction: accuracy, exactness in every mode, and inputs beyond everything that calibration saw.
#![allow(clippy::unwrap_used)]

mod support;

use cml_runtime::arrays::ArraySource;
use serde_json::Value;
use support::{Place, data, model};

fn json(place: &Place, arguments: &str) -> Value {
    serde_json::from_str(&place.succeed(arguments)).unwrap()
}

#[test]
fn an_encrypted_sample_is_exact() {
    let place = Place::new();
    place.compile("simple10");
    let data = data("simple10");
    let arguments = format!("predict simple10.cml {data}:x_test[0:2] --labels {data}:y_test[0:2]");
    let found = json(&place, &format!("{arguments} --mode fhe --json -o fhe.npy"));
    assert_eq!(
        (&found["mode"], &found["samples"], &found["equal_to_quantized"]),
        (&"fhe".into(), &2.into(), &2.into())
    );
    assert_eq!(found["out_of_range"], 0);
    assert_eq!(found["seconds"]["run"].as_array().unwrap().len(), 2);
    for time in ["keygen", "load", "encrypt", "decrypt"] {
        assert!(found["seconds"][time].as_f64().unwrap() > 0.0, "{time}");
    }
    #[cfg(target_os = "linux")]
    assert!(
        found["peak_rss_bytes"].as_u64().unwrap()
            > json(&place, "inspect simple10.cml --json")["eval_key_bytes"].as_u64().unwrap()
    );
    place.succeed(&format!("{arguments} --mode quantized -o quantized.npy"));
    assert_eq!(place.bytes("fhe.npy"), place.bytes("quantized.npy"));
}

/// With a failure probability of 2^-128 results may become known to the server.
#[test]
fn an_encrypted_sample_of_the_strictest_budget_is_exact() {
    let place = Place::new();
    let (model, data) = (model("simple10"), data("simple10"));
    place.succeed(&format!(
        "compile {model} --calibration {data}:calibration --bits 3 --p-error 2^-128 -o strict.cml"
    ));
    let report = json(&place, "inspect strict.cml --json");
    assert!(report["p_error_log2"].as_f64().unwrap() <= -128.0, "{report}");
    let found = json(&place, &format!("predict strict.cml {data}:x_test[0:1] --mode fhe --json"));
    assert_eq!(found["equal_to_quantized"], 1, "{found}");
}

#[test]
fn every_clear_mode_gives_the_same_and_counts() {
    let place = Place::new();
    place.compile("simple10");
    let (model, data) = (model("simple10"), data("simple10"));
    let arguments = format!("predict simple10.cml {data}:x_test --labels {data}:y_test --json");
    let quantized = json(&place, &format!("{arguments} --mode quantized"));
    let simulated = json(&place, &format!("{arguments} --mode simulate --seed 5"));
    let float = json(&place, &format!("{arguments} --mode float --model {model} -o float.npy"));
    assert_eq!(simulated["equal_to_quantized"], 500);
    assert_eq!(simulated["correct"], quantized["correct"]);
    let accuracy = |found: &Value| found["accuracy"].as_f64().unwrap();
    assert_eq!(accuracy(&quantized), quantized["correct"].as_f64().unwrap() / 500.0);
    // The training script's own figure.
    assert_eq!(float["correct"], 347);
    assert!(accuracy(&quantized) > 0.55, "{quantized}");
    assert!(float.get("equal_to_quantized").is_none());
    let load = |text: String| text.parse::<ArraySource>().unwrap().load_floats().unwrap();
    let (found, expected) =
        (load(place.path("float.npy").display().to_string()), load(format!("{data}:logits")));
    let close = |(x, y): (&f32, &f32)| (x - y).abs() <= 1e-5 * y.abs().max(1.0);
    assert!(found.shape() == expected.shape() && found.iter().zip(&expected).all(close));
    let limited = json(&place, &format!("{arguments} --mode quantized --limit 7"));
    assert_eq!(limited["samples"], 7);
}

/// The corners of the quantizer's box reach sums that no calibration sample reached; the ranges are proved, so nothing wraps.
#[test]
fn inputs_beyond_calibration_do_not_overflow() {
    let place = Place::new();
    let model = model("simple10");
    let narrow: Vec<f32> = (0..40).map(|index| 0.45 + 0.0025 * index as f32).collect();
    place.floats("calibration.npy", &[20, 2], &narrow);
    place.succeed(&format!("compile {model} --calibration calibration.npy -o narrow.cml"));
    let corners = [-1e6, -1e6, -1e6, 1e6, 1e6, -1e6, 1e6, 1e6, 0.45, 1e6];
    place.floats("corners.npy", &[5, 2], &corners);
    let ended = place.cml("predict narrow.cml corners.npy --mode fhe --json");
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("outside of the calibrated range"), "{}", ended.stderr);
    let found: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&found["equal_to_quantized"], &found["out_of_range"]), (&5.into(), &0.into()));
    assert!(found["clipped"].as_u64().unwrap() >= 9);
    place.refuse_with(
        "predict narrow.cml corners.npy --strict -o y.npy",
        &["outside of the calibrated range", "--strict"],
    );
}

#[test]
fn the_report_has_every_field() {
    let place = Place::new();
    place.compile("simple10");
    let report = json(&place, "inspect simple10.cml --json");
    for field in [
        "format_version",
        "model",
        "security_bits",
        "p_error_log2",
        "p_error_per_lookup_log2",
        "bootstraps_per_inference",
        "max_accumulator_bits",
        "max_output_bits",
        "lookups",
        "outputs_p_error_log2",
        "parameter_sets",
        "eval_key_bytes",
        "input_bytes",
        "output_bytes",
        "samples_together",
        "server_bytes",
        "predicted_seconds",
    ] {
        assert!(!report[field].is_null(), "{field}");
    }
    for field in ["node", "count", "width", "measured_width", "norm2", "form", "p_error_log2", "stages"] {
        assert!(!report["lookups"][0][field].is_null(), "{field}");
    }
    for field in ["role", "extension", "parameter_set", "tolerance_log2", "noise_std_log2", "p_error_log2"] {
        assert!(!report["lookups"][0]["stages"][0][field].is_null(), "{field}");
    }
    for field in [
        "lwe_dimension",
        "glwe_dimension",
        "polynomial_size",
        "pbs_base_log",
        "pbs_level",
        "ks_base_log",
        "ks_level",
    ] {
        assert!(!report["parameter_sets"][0][field].is_null(), "{field}");
    }
    assert!(report["security_bits"].as_f64().unwrap() >= 128.0);
    assert!(report["p_error_log2"].as_f64().unwrap() <= -40.0);
    let text = place.succeed("inspect simple10.cml");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

/// Someone who reads only the first line, or nothing at all, is no reason to panic.
#[test]
fn a_reader_that_goes_away_is_no_error() {
    let place = Place::new();
    place.compile("simple10");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_cml"));
    command.arg("inspect").arg(place.path("simple10.cml"));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command.stdout(writer).stderr(std::process::Stdio::piped()).output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}
