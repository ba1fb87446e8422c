//! Neurons that never fire: constants in the quantized function and in the program alike, counted, and kept on request.
#![allow(clippy::unwrap_used)]

mod support;

use cml_backend::report::Report;
use cml_runtime::arrays::ArraySource;
use cml_runtime::program::message::Program;
use support::{Place, data, model};

#[test]
fn neurons_that_calibration_never_saw_fire_have_no_lookup() {
    let place = Place::new();
    let (network, data) = (model("digits_mlp"), data("digits_mlp"));
    let compile = format!("compile {network} --calibration {data}:calibration --effort fast");
    place.succeed(&format!("{compile} --save-config c.json -o constant.cml"));
    place.succeed(&format!("{compile} --keep-unfired -o kept.cml"));
    let [constant, kept] = ["constant.cml", "kept.cml"]
        .map(|name| Report::stored_in(&Program::load(&place.path(name)).unwrap()).unwrap());
    let [neurons] = &constant.neurons[..] else { panic!("one hidden layer: {:?}", constant.neurons) };
    assert_eq!((neurons.node.as_str(), neurons.count, neurons.proved), ("/Relu", 32, 0));
    assert!(neurons.observed > 0);
    assert_eq!(kept.neurons[0].observed, 0);
    assert_eq!(constant.lookups_per_inference + neurons.observed, kept.lookups_per_inference);
    let text = place.succeed("inspect constant.cml");
    assert!(text.contains("4 of 32: 0 proved, 4 on calibration"), "{text}");
    // On what calibration saw, they are the same function.
    let outputs = ["constant", "kept"].map(|name| {
        let samples = format!("{data}:calibration[0:200]");
        place.succeed(&format!("predict {name}.cml {samples} --mode quantized -o {name}.npy"));
        ArraySource { path: place.path(&format!("{name}.npy")), ..name.parse().unwrap() }
            .load_floats()
            .unwrap()
    });
    for (one, other) in outputs[0].iter().zip(&outputs[1]) {
        assert!((one - other).abs() < 1e-4, "{one} {other}");
    }
    // The configuration says which they are, and encrypted equals quantized.
    place.succeed(&format!("verify constant.cml {network}"));
    assert!(String::from_utf8(place.bytes("c.json")).unwrap().contains("\"unfired\": ["));
    let found = place.succeed(&format!("predict constant.cml {data}:x_test[0:20] --mode simulate"));
    assert!(found.contains("equal to quantized  20 of 20"), "{found}");
    place.refuse_with(
        &format!("compile {network} --config c.json --keep-unfired -o x.cml"),
        &["--calibration"],
    );
}

#[test]
fn two_inputs_prove_what_never_fires() {
    let place = Place::new();
    place.compile("simple30");
    let report = Report::stored_in(&Program::load(&place.path("simple30.cml")).unwrap()).unwrap();
    let sum = |count: fn(&cml_backend::report::Neurons) -> u64| report.neurons.iter().map(count).sum::<u64>();
    assert_eq!((report.neurons.len(), sum(|found| found.count)), (2, 60));
    assert!(sum(|found| found.proved) >= 10, "{:?}", report.neurons);
    assert!(report.lookups_per_inference <= 60 - sum(|found| found.proved + found.observed));
}
