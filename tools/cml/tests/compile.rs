//! Compilation: the same bytes each time, entry at every level, configurations, and `cml verify`.
#![allow(clippy::unwrap_used)]

mod support;

use cml_backend::report::Report;
use cml_dialects::ffi::{parse_module, write_bytecode};
use cml_passes::pipelines::QUANTIZE;
use cml_runtime::program::message::Program;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use support::{Place, data, model};

#[test]
fn compiling_twice_gives_the_same_bytes() {
    let (first, second) = (Place::new(), Place::new());
    for network in ["simple10", "simple30"] {
        first.compile(network);
        second.compile(network);
        let file = format!("{network}.cml");
        assert!(first.bytes(&file) == second.bytes(&file), "{network}");
    }
}

#[test]
fn every_level_is_an_entry() {
    let place = Place::new();
    place.compile("simple10");
    let whole = Program::load(&place.path("simple10.cml")).unwrap();
    let calibration = format!("--calibration {}:calibration --bits 3", data("simple10"));
    for level in ["nn", "qnn", "fhe", "tfhe"] {
        place.succeed(&format!("compile {} {calibration} --emit {level} -o {level}.mlir", model("simple10")));
        place.succeed(&format!("compile {level}.mlir {calibration} -o {level}.cml"));
        let program = Program::load(&place.path(&format!("{level}.cml"))).unwrap();
        assert_eq!(program.server, whole.server, "{level}");
        assert_eq!(program.client, whole.client, "{level}");
        // Below `qnn` the function before rewriting is gone.
        assert_eq!(program.quantized == whole.quantized, matches!(level, "nn" | "qnn"), "{level}");
        assert_eq!(program.quantized.is_none(), level == "tfhe", "{level}");
        // Bytecode of the same module is the same module, whatever its file is called.
        let context = cml_dialects::context();
        let module = parse_module(&context, &place.bytes(&format!("{level}.mlir")), level).unwrap();
        place.write("bytecode", write_bytecode(&module));
        place.succeed(&format!("compile bytecode {calibration} -o again.cml"));
        assert!(place.bytes("again.cml") == place.bytes(&format!("{level}.cml")), "{level}");
    }
    place.refuse_with("compile fhe.mlir --emit qnn -o x.mlir", &["at level fhe already, below qnn"]);
}

#[test]
fn a_saved_configuration_compiles_to_the_same_program() {
    let place = Place::new();
    let network = model("simple10");
    let options =
        "--bits inputs=4,weights=3,activations=2 --granularity tensor --effort fast --p-error 2^-50";
    let calibration = format!("--calibration {}:calibration", data("simple10"));
    place.succeed(&format!("compile {network} {calibration} {options} --save-config c.json -o first.cml"));
    place.succeed(&format!("compile {network} --config c.json -o second.cml"));
    let [first, mut second] =
        ["first.cml", "second.cml"].map(|name| Program::load(&place.path(name)).unwrap());
    // What calibration saw is not in a configuration.
    let first_client = first.client.unwrap();
    for (event, seen) in second.client.as_mut().unwrap().events.iter_mut().zip(&first_client.events) {
        event.measured_width = seen.measured_width;
    }
    assert_eq!(second.client, Some(first_client));
    assert_eq!((second.server, second.configuration), (first.server, first.configuration));
    // What is given wins over what was saved.
    place.succeed(&format!("compile {network} --config c.json --p-error-per-lookup 0.001 -o third.cml"));
    let third = Program::load(&place.path("third.cml")).unwrap().client.unwrap();
    assert_eq!((third.p_error_log2, third.p_error_per_lookup_log2), (None, Some(0.001f64.log2())));
    place.refuse_with(&format!("compile {network} --config c.json --bits 4 -o x.cml"), &["--calibration"]);
    let other = model("digits_mlp");
    place.refuse_with(&format!("compile {other} --config c.json -o x.cml"), &["of another network"]);
}

/// Scales of a file belong to the options that they were found with: others take a calibration.
#[test]
fn scales_are_not_taken_for_those_of_other_options() {
    let place = Place::new();
    let (network, calibration) =
        (model("simple10"), format!("--calibration {}:calibration", data("simple10")));
    place
        .succeed(&format!("compile {network} {calibration} --effort fast --save-config c.json -o first.cml"));
    let saved: Value = serde_json::from_slice(&place.bytes("c.json")).unwrap();
    let three = serde_json::json!({"inputs": 3, "weights": 3});
    assert_eq!(saved["options"]["node_bits"]["/fc1/Gemm"], three, "{saved}");
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut configuration = saved.clone();
        change(&mut configuration);
        place.write("changed.json", configuration.to_string());
    };
    let compile = format!("compile {network} --config changed.json -o x.cml");
    let bits = serde_json::json!({"inputs": 5, "weights": 5, "activations": 5});
    for (option, value, name) in [
        ("bits", bits.clone(), "--bits"),
        ("node_bits", serde_json::json!({"/fc1/Gemm": {"inputs": 3, "weights": 2}}), "node_bits"),
        ("prune", 2.into(), "--prune"),
        ("effort", "thorough".into(), "--effort"),
        ("steps", "integer".into(), "--steps"),
        ("granularity", "tensor".into(), "--granularity"),
        ("max_accumulator_bits", 5.into(), "--max-accumulator-bits"),
        ("keep_unfired", true.into(), "--keep-unfired"),
    ] {
        changed(&|configuration| configuration["options"][option] = value.clone());
        place.refuse_with(&compile, &["earlier calibration", name, "give --calibration"]);
    }
    changed(&|configuration| drop(configuration.as_object_mut().unwrap().remove("calibrated_with")));
    place.refuse_with(&compile, &["calibrated_with", "give --calibration"]);
    // Bits for all, where each product has its own.
    changed(&|configuration| configuration["options"]["bits"] = bits.clone());
    place.refuse_with(&format!("{compile} {calibration}"), &["node_bits", "leave out either"]);
    // What scales do not depend on may change, and a calibration finds those of other bits.
    changed(&|configuration| configuration["options"]["p_error_log2"] = (-50).into());
    place.succeed(&compile);
    changed(&|configuration| configuration["options"]["node_bits"]["/fc2/Gemm"]["weights"] = 4.into());
    place.succeed(&format!("{compile} {calibration} --save-config again.json"));
    let again: Value = serde_json::from_slice(&place.bytes("again.json")).unwrap();
    assert_eq!(
        (&again["products"][0]["weight_limit"], &again["products"][1]["weight_limit"]),
        (&3.into(), &7.into())
    );
    // Bits of the command line come before those of single nodes.
    place.succeed(&format!("{compile} {calibration} --bits 2 --save-config two.json"));
    let two: Value = serde_json::from_slice(&place.bytes("two.json")).unwrap();
    assert_eq!(two["options"]["node_bits"]["/fc2/Gemm"], serde_json::json!({"inputs": 2, "weights": 2}));
}

/// Integer weights that are not the nearest ones are part of the configuration, and so are bits of single nodes.
#[test]
fn a_search_over_weights_can_be_verified() {
    let place = Place::new();
    let network = model("simple10");
    let nodes = r#"{"version": 1, "options": {"node_bits": {"/fc2/Gemm": {"weights": 4}}, "max_accumulator_bits": 6}}"#;
    place.write("nodes.json", nodes);
    let calibration = format!("--calibration {}:calibration --effort thorough", data("simple10"));
    place.succeed(&format!(
        "compile {network} {calibration} --config nodes.json --save-config found.json -o searched.cml"
    ));
    place.succeed(&format!("verify searched.cml {network}"));
    let found = std::fs::read_to_string(place.path("found.json")).unwrap();
    assert!(found.contains("\"weights\": [") && found.contains("\"weight_limit\": 7"), "{found}");
    let program = Program::load(&place.path("searched.cml")).unwrap();
    assert!(!program.client.as_ref().unwrap().events.is_empty());
    let report = Report::stored_in(&program).unwrap();
    let bound = report.accumulator_bound.unwrap();
    assert!(report.max_accumulator_bits <= 6 && bound.bits == 6, "{bound:?}");
    assert!(
        bound.samples > 0 && bound.agree > bound.samples / 2 && bound.agree <= bound.samples,
        "{bound:?}"
    );
    let text = place.succeed("inspect searched.cml");
    assert!(text.contains("bound on accumulators"), "{text}");
    let json = place.succeed("inspect searched.cml --json");
    assert!(json.contains(&format!("\"agree\": {}", bound.agree)), "{json}");
    let unknown = nodes.replace("fc2", "fc9");
    place.write("unknown.json", unknown.into_bytes());
    let compile = format!("compile {network} {calibration} --config unknown.json -o x.cml");
    place.refuse_with(&compile, &["/fc9/Gemm", "/fc2/Gemm"]);
}

/// Layer by layer, and never at the price of a decision: what is taken is part of the configuration.
#[test]
fn the_cheapest_steps_cost_no_more_than_free_ones() {
    let place = Place::new();
    let network = model("digits_cnn");
    let compile = format!("compile {network} --calibration {}:calibration", data("digits_cnn"));
    place.succeed(&format!("{compile} -o free.cml"));
    place.succeed(&format!("{compile} --steps cheapest --save-config c.json -o cheapest.cml"));
    let [free, cheapest] = ["free.cml", "cheapest.cml"].map(|name| {
        let program = Program::load(&place.path(name)).unwrap();
        Report::stored_in(&program).unwrap().predicted_seconds.unwrap()
    });
    assert!(cheapest < free, "{cheapest} {free}");
    let found = std::fs::read_to_string(place.path("c.json")).unwrap();
    assert!(found.contains("\"steps\": \"power-of-two\""), "{found}");
    place.succeed(&format!("verify cheapest.cml {network}"));
    place.succeed(&format!("compile {network} --config c.json -o again.cml"));
    let [one, other] = ["cheapest.cml", "again.cml"].map(|name| Program::load(&place.path(name)).unwrap());
    assert_eq!(one.server, other.server);
    let fast = place.cml(&format!("{compile} --steps cheapest --effort fast -o fast.cml"));
    assert!(fast.status == Some(0) && fast.stderr.contains("steps are left free"), "{}", fast.stderr);
}

#[test]
fn a_network_that_brings_its_quantizers_needs_no_calibration() {
    let place = Place::new();
    let calibration = format!("--calibration {}:calibration --bits 3", data("simple10"));
    place.succeed(&format!("compile {} {calibration} --emit nn -o nn.mlir", model("simple10")));
    cml_passes::register();
    let context = cml_dialects::context();
    let mut module = parse_module(&context, &place.bytes("nn.mlir"), "nn.mlir").unwrap();
    let options = format!("calibration=\"{}:calibration\"", data("simple10"));
    cml_passes::pipelines::run(&context, &mut module, &QUANTIZE.text_with(&[("cml-calibrate", options)]))
        .unwrap();
    place.write("own.mlirbc", write_bytecode(&module));
    place.succeed("compile own.mlirbc -o own.cml");
    place.refuse_with(
        "compile own.mlirbc --bits 4 -o x.cml",
        &["--bits", "leave it out", "its own quantizers"],
    );
    // Scales without quantizers yet.
    let mut module = parse_module(&context, &place.bytes("nn.mlir"), "nn.mlir").unwrap();
    let calibrate = format!("cml-calibrate{{calibration=\"{}:calibration\"}}", data("simple10"));
    cml_passes::pipelines::run(&context, &mut module, &calibrate).unwrap();
    place.write("scales.mlirbc", write_bytecode(&module));
    place.succeed("compile scales.mlirbc -o scales.cml");
    place.refuse_with(
        "compile scales.mlirbc --effort fast -o x.cml",
        &["--effort", "leave it out", "the scales of a calibration"],
    );
    place.compile("simple10");
    let [own, whole] = ["own.cml", "simple10.cml"].map(|name| Program::load(&place.path(name)).unwrap());
    assert_eq!(own.server, whole.server);
}

#[test]
fn a_program_is_verified_against_its_network() {
    let place = Place::new();
    place.compile("simple10");
    let same = place.succeed(&format!("verify simple10.cml {}", model("simple10")));
    assert!(same.contains("is what"), "{same}");
    place.changed_model(|model| {
        let weights = &mut model.graph.as_mut().unwrap().initializer[0];
        // The sign of the last weight.
        *weights.raw_data.as_mut().unwrap().last_mut().unwrap() ^= 0x80;
    });
    let different = place.refuse("verify simple10.cml changed.onnx");
    assert!(different.contains("is not what changed.onnx compiles to"), "{different}");
    assert!(
        different.contains("step ") && different.contains("/fc1/Gemm") || different.contains("differ"),
        "{different}"
    );
    place.refuse_with(&format!("verify simple10.cml {}", model("digits_mlp")), &["another network"]);
}

#[test]
fn declared_ranges_narrow_and_are_enforced() {
    let place = Place::new();
    let compile = format!("compile {} --calibration {}:calibration", model("simple10"), data("simple10"));
    place.succeed(&format!("{compile} --input-range 0:1,0:0.25 -o narrow.cml"));
    place.succeed(&format!("{compile} -o wide.cml"));
    let [narrow, wide] = ["narrow.cml", "wide.cml"].map(|name| Program::load(&place.path(name)).unwrap());
    let highest = |program: &Program| program.server.as_ref().unwrap().inputs[0].hi.clone();
    assert!(highest(&narrow)[1] < highest(&wide)[1]);
    place.floats("inside.npy", &[1, 2], &[0.5, 0.25]);
    place.floats("outside.npy", &[1, 2], &[0.5, 0.3]);
    place.succeed("predict narrow.cml inside.npy --mode quantized");
    place.refuse_with("predict narrow.cml outside.npy --mode quantized", &["sample 0", "0.3", "0 to 0.25"]);
    place.refuse_with(&format!("{compile} --input-range y=0:1 -o x.cml"), &["no input is called y"]);
    place.refuse_with(&format!("{compile} --input-range 0:1,0:1,0:1 -o x.cml"), &["3 bounds"]);
}

fn report(place: &Place, program: &str) -> Value {
    serde_json::from_str(&place.succeed(&format!("inspect {program} --json"))).unwrap()
}

/// All keys in one ring where that is asked for, in two where it is not; exact all the same.
#[test]
fn one_ring_is_kept_for_all_keys() {
    let place = Place::new();
    place.compile("simple100");
    let (network, data) = (model("simple100"), data("simple100"));
    place.succeed(&format!(
        "compile {network} --calibration {data}:calibration --bits 3 --one-ring --save-config c.json -o ring.cml"
    ));
    let rings = |program: &str| {
        let sets = report(&place, program)["parameter_sets"].as_array().unwrap().clone();
        let ring = |set: &Value| (set["glwe_dimension"].as_u64(), set["polynomial_size"].as_u64());
        sets.iter().map(ring).collect::<BTreeSet<_>>().len()
    };
    assert_eq!((rings("simple100.cml"), rings("ring.cml")), (2, 1));
    let found = place.succeed(&format!("predict ring.cml {data}:x_test[0:2] --json"));
    let found: Value = serde_json::from_str(&found).unwrap();
    assert_eq!(found["equal_to_quantized"], 2, "{found}");
    // A configuration keeps it.
    place.succeed(&format!("compile {network} --config c.json -o again.cml"));
    assert_eq!(rings("again.cml"), 1);
}

/// Predictions are those of the machine whose table is given; the shipped one gives what no table gives.
#[test]
fn a_cost_table_of_another_machine_is_used() {
    let place = Place::new();
    place.compile("simple10");
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../runtime/machines/default.json");
    let shipped = std::fs::read_to_string(shipped).unwrap();
    let mut other: Value = serde_json::from_str(&shipped).unwrap();
    assert!(other["threads"].as_u64().unwrap() > 1);
    (other["name"], other["threads"]) = ("one-thread".into(), 1.into());
    other["crowded"] = Value::Array(vec![]);
    place.write("shipped.json", shipped);
    place.write("other.json", other.to_string());
    let compile =
        format!("compile {} --calibration {}:calibration --bits 3", model("simple10"), data("simple10"));
    place.succeed(&format!("{compile} --machine shipped.json -o shipped.cml"));
    assert!(place.bytes("shipped.cml") == place.bytes("simple10.cml"));
    place.succeed(&format!("{compile} --machine other.json -o other.cml"));
    let seconds = |program: &str| report(&place, program)["predicted_seconds"].as_f64().unwrap();
    assert!(seconds("other.cml") > 1.5 * seconds("simple10.cml"));
    let verify = format!("verify other.cml {}", model("simple10"));
    assert!(place.succeed(&format!("{verify} --machine other.json")).contains("is what"));
    // The program names the table that it was made with.
    place.refuse(&verify);
}
