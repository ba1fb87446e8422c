//! Every bad input that this path can meet: an error that names it, status 1, no output.
#![allow(clippy::unwrap_used)]

mod support;

use cml_frontend::onnx::proto::{Dimension, Extent};
use cml_runtime::arrays::ArraySource;
use ndarray::Axis;
use support::{Place, data, model};

fn compile(model: &str, rest: &str) -> String {
    format!("compile {model} {rest} -o out.cml")
}

fn calibrated() -> String {
    format!("--calibration {}:calibration", data("simple10"))
}

#[test]
fn operators_and_attributes_that_are_not_supported() {
    let place = Place::new();
    let arguments = compile("changed.onnx", &calibrated());
    place.changed_model(|model| {
        let nodes = &mut model.graph.as_mut().unwrap().node;
        let relu = nodes.iter_mut().find(|node| node.op_type == "Relu").unwrap();
        (relu.op_type, relu.name) = ("Selu".to_owned(), "act7".to_owned());
    });
    place.refuse_with(&arguments, &["act7", "Selu", "nearest supported"]);
    place.changed_model(|model| {
        let nodes = &mut model.graph.as_mut().unwrap().node;
        let gemm = nodes.iter_mut().find(|node| node.op_type == "Gemm").unwrap();
        gemm.attribute[0].name = "gamma".to_owned();
    });
    place.refuse_with(&arguments, &["/fc1/Gemm", "gamma"]);
    place.changed_model(|model| model.opset_import[0].version = 99);
    place.refuse_with(&arguments, &["changed.onnx", "opset 99"]);
}

#[test]
fn extents_without_a_value() {
    let place = Place::new();
    place.changed_model(|model| {
        let input = &mut model.graph.as_mut().unwrap().input[0];
        let shape = input.r#type.as_mut().unwrap().tensor_type.as_mut().unwrap().shape.as_mut().unwrap();
        shape.dim[1] = Dimension { value: Some(Extent::Symbol("features".to_owned())) };
    });
    place.refuse_with(&compile("changed.onnx", &calibrated()), &["input", "features=VALUE"]);
    place.succeed(&compile("changed.onnx", &format!("{} --dim features=2", calibrated())));
    std::fs::remove_file(place.path("out.cml")).unwrap();
    place.refuse_with(&compile("changed.onnx", &format!("{} --dim feature=2", calibrated())), &["features"]);
}

#[test]
fn calibration_data() {
    let place = Place::new();
    let simple10 = model("simple10");
    let refuse = |calibration: &str, parts: &[&str]| {
        place.refuse_with(&compile(&simple10, &format!("--calibration {calibration}")), parts);
    };
    place.refuse_with(&compile(&simple10, "--bits 3"), &["no calibration data", "--calibration"]);
    place.floats("wide.npy", &[4, 3], &[0.0; 12]);
    refuse("wide.npy", &["input", "[4, 3]", "[2]"]);
    place.floats("empty.npy", &[0, 2], &[]);
    refuse("empty.npy", &["input", "no samples"]);
    place.floats("nan.npy", &[2, 2], &[0.0, 1.0, f32::NAN, 1.0]);
    refuse("nan.npy", &["input", "NaN", "[1, 0]"]);
    place.floats("single.npy", &[1, 2], &[0.5, 1.0]);
    refuse("single.npy", &["input", "1 sample", "constant"]);
    place.floats("constant.npy", &[3, 2], &[0.5, 1.0, 0.5, 1.0, 0.5, 1.0]);
    refuse("constant.npy", &["input", "3 sample", "constant"]);
    place.floats("few.npy", &[3, 2], &[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]);
    let few = place.cml(&compile(&simple10, "--calibration few.npy --effort fast"));
    assert_eq!(few.status, Some(0), "{}", few.stderr);
    assert!(few.stderr.starts_with("warning: 3 calibration samples are few"), "{}", few.stderr);
    let rows: Vec<f32> = (0..12).flat_map(|row| [row as f32 / 8.0, 0.5]).collect();
    place.floats("flat.npy", &[12, 2], &rows);
    let flat = place.cml(&compile(&simple10, "--calibration flat.npy"));
    assert_eq!(flat.status, Some(0), "{}", flat.stderr);
    let said = "warning: /fc1/Gemm: calibration data is constant in feature(s) 1 of its input";
    assert!(flat.stderr.starts_with(said), "{}", flat.stderr);
    // As the warning says: the second feature does not count.
    place.floats("two.npy", &[2, 2], &[0.75, 0.5, 0.75, -2.0]);
    place.succeed("predict out.cml two.npy --mode quantized -o y.npy");
    let results = "y.npy".parse::<ArraySource>().unwrap();
    let results = ArraySource { path: place.path("y.npy"), ..results }.load_floats().unwrap();
    assert_eq!(results.index_axis(Axis(0), 0), results.index_axis(Axis(0), 1));
    // One scale for all features holds for that one too.
    let tensor = place.cml(&compile(&simple10, "--calibration flat.npy --granularity tensor"));
    assert_eq!((tensor.status, tensor.stderr.as_str()), (Some(0), ""));
    std::fs::remove_file(place.path("out.cml")).unwrap();
    refuse("absent.npy", &["absent.npy"]);
    refuse(&format!("{}:samples", data("simple10")), &["no array samples", "calibration"]);
    refuse(&format!("{}:calibration[0:9999]", data("simple10")), &["0:9999"]);
    refuse("other=wide.npy", &["input"]);
    let mut text =
        b"\x93NUMPY\x01\x00\x76\x00{'descr': '|S4', 'fortran_order': False, 'shape': (1, 2), }".to_vec();
    text.resize(127, b' ');
    text.push(b'\n');
    text.resize(128 + 8, 0);
    place.write("text.npy", text);
    refuse("text.npy", &["text.npy", "S4", "float32"]);
    place.write("damaged.npy", b"\x93NUMPY\x01\x00\xff\xff");
    refuse("damaged.npy", &["damaged.npy"]);
}

#[test]
fn networks_that_no_parameters_serve() {
    let place = Place::new();
    let refuse = |rest: &str, parts: &[&str]| {
        place.refuse_with(&compile(&model("simple10"), &format!("{} {rest}", calibrated())), parts);
    };
    refuse("--bits 16", &["/fc1/Gemm", "bits"]);
    refuse("--bits 9", &["Relu", "no parameters", "bits", "2^-40"]);
    refuse("--p-error 2^-100000000", &["no parameters", "2^-100000000", "a larger --p-error"]);
    refuse("--machine absent.json", &["absent.json"]);
    place.write("machine.json", "{}");
    refuse("--machine machine.json", &["machine.json"]);
    place.write("config.json", "{\"version\": 1, \"bit\": 3}");
    refuse("--config config.json", &["config.json", "bit"]);
    refuse("--save-config out.cml", &["out.cml is given for two outputs"]);
    // Before the model is read.
    place.refuse_with("compile absent.onnx -o absent/out.cml", &["cannot write absent/out.cml"]);
    place.refuse_with("compile absent.onnx --save-config . -o out.cml", &["cannot write .: "]);
}

#[test]
fn files_that_are_no_models() {
    let place = Place::new();
    place.refuse_with(&compile("absent.onnx", ""), &["absent.onnx"]);
    place.write("text.onnx", "not a model");
    place.refuse_with(&compile("text.onnx", ""), &["text.onnx is not an ONNX model"]);
    let bytes = std::fs::read(model("simple10")).unwrap();
    place.write("cut.onnx", &bytes[..bytes.len() / 2]);
    place.refuse_with(&compile("cut.onnx", &calibrated()), &["cut"]);
    place.write("text.mlir", "func.func @main(");
    place.refuse_with(&compile("text.mlir", ""), &["text.mlir:1"]);
    place.write("other.mlir", "module { func.func @f() { return } }");
    place.refuse_with(&compile("other.mlir", ""), &["other.mlir", "@main", "@f"]);
}

#[test]
fn wrong_command_lines_have_status_2() {
    let place = Place::new();
    for arguments in [
        "compile",
        "compile x.onnx",
        "compile x.onnx -o y --bits 99",
        "compile x.onnx -o y --p-error 3",
        "compile x.onnx -o y --input-range 2:1",
        "predict m.cml x.npy --mode float",
        "predict m.cml x.npy --mode guess",
        "encrypt c.cml --client-key k -o x.ct",
        "compare x.onnx x.npy --program m.cml --prune 3",
        "compare x.onnx x.npy --program m.cml --input-range 0:1",
        "nonsense",
    ] {
        let ended = place.cml(arguments);
        assert_eq!(ended.status, Some(2), "cml {arguments}\n{}", ended.stderr);
    }
    for command in [
        "compile",
        "inspect",
        "export-client",
        "keygen",
        "encrypt",
        "run",
        "decrypt",
        "predict",
        "compare",
        "verify",
    ] {
        let help = place.succeed(&format!("{command} --help"));
        assert!(help.contains(&format!("  cml {command} ")), "{help}");
    }
}

#[test]
fn inputs_that_do_not_fit() {
    let place = Place::new();
    place.compile("simple10");
    place.succeed("keygen simple10.cml --client-key client.key --eval-key eval.key");
    place.floats("wide.npy", &[2, 3], &[0.0; 6]);
    place.floats("infinite.npy", &[2, 2], &[0.0, 0.0, 0.5, f32::INFINITY]);
    place.floats("far.npy", &[2, 2], &[0.0, 0.0, 0.5, 90.0]);
    for command in [
        "predict simple10.cml {} --mode quantized -o y.npy",
        "encrypt simple10.cml --client-key client.key {} -o x.ct",
    ] {
        let refuse = |array: &str, parts: &[&str]| place.refuse_with(&command.replace("{}", array), parts);
        refuse("wide.npy", &["input", "[2, 3]", "[2, 2]"]);
        refuse("infinite.npy", &["input", "sample 1", "inf"]);
        refuse("far.npy --strict", &["1 input values", "sample 1", "--strict"]);
        refuse("absent.npy", &["absent.npy"]);
    }
    place.refuse_with("predict simple10.cml --input y=far.npy --mode quantized", &["input"]);
    place.refuse_with("predict simple10.cml far.npy --labels far.npy --mode quantized", &["far.npy"]);
    place.refuse_with(
        "predict simple10.cml far.npy --mode quantized -o x=x.npy",
        &["an output", "output=FILE"],
    );
    let clipped = place.cml("encrypt simple10.cml --client-key client.key far.npy -o x.ct");
    assert_eq!(clipped.status, Some(0));
    assert!(clipped.stderr.contains("warning: 1 input values"), "{}", clipped.stderr);
}

#[test]
fn keys_and_ciphertexts_of_another_program_and_damaged_files() {
    let place = Place::new();
    place.compile("simple10");
    place.succeed(&format!("compile {} {} --bits 2 -o other.cml", model("simple10"), calibrated()));
    for program in ["simple10", "other"] {
        place.succeed(&format!("keygen {program}.cml --client-key {program}.key --eval-key {program}.eval"));
        let x = format!("{}:x_test[0:1]", data("simple10"));
        place.succeed(&format!("encrypt {program}.cml --client-key {program}.key {x} -o {program}.ct"));
    }
    let another = "made for another program";
    let x = format!("{}:x_test[0:1]", data("simple10"));
    place.refuse_with(
        &format!("encrypt simple10.cml --client-key other.key {x} -o x.ct"),
        &["other.key", another],
    );
    place.refuse_with("run simple10.cml --eval-key other.eval simple10.ct -o y.ct", &["other.eval", another]);
    place.refuse_with("run simple10.cml --eval-key simple10.eval other.ct -o y.ct", &["other.ct", another]);
    place.refuse_with("run simple10.cml --eval-key simple10.key simple10.ct -o y.ct", &["is a client key"]);
    place.refuse_with(
        "decrypt simple10.cml --client-key simple10.key simple10.ct -o y.npy",
        &["encrypted inputs"],
    );

    for (file, command) in [
        ("simple10.cml", "inspect damaged"),
        ("simple10.cml", "keygen damaged --client-key k --eval-key e"),
        ("simple10.key", "encrypt simple10.cml --client-key damaged {x} -o x.ct"),
        ("simple10.eval", "run simple10.cml --eval-key damaged simple10.ct -o y.ct"),
        ("simple10.ct", "run simple10.cml --eval-key simple10.eval damaged -o y.ct"),
    ] {
        let command = command.replace("{x}", &x);
        let bytes = place.bytes(file);
        let mut flipped = bytes.clone();
        flipped[bytes.len() / 2] ^= 1;
        let mut newer = bytes.clone();
        newer[12] = 77;
        for (damaged, part) in [
            (&flipped[..], "altered"),
            (&bytes[..bytes.len() - 9], "truncated"),
            (&newer[..], "version 77"),
            (b"", "not a cml file"),
        ] {
            place.write("damaged", damaged);
            place.refuse_with(&command, &["damaged", part]);
        }
    }
}
