//! Accuracy is not bought with dearer lookups: what programs are predicted to take, by the cost table that is shipped.
#![allow(clippy::unwrap_used)]

mod support;

use cml_backend::report::Report;
use cml_runtime::program::message::Program;
use support::{Place, data, model};

#[test]
fn the_default_effort_costs_little_more_than_plain_minima_and_maxima() {
    let place = Place::new();
    for network in ["simple10", "simple30"] {
        let seconds = |options: &str| {
            let (model, data) = (model(network), data(network));
            place.succeed(&format!("compile {model} --calibration {data}:calibration {options} -o p.cml"));
            Report::stored_in(&Program::load(&place.path("p.cml")).unwrap())
                .unwrap()
                .predicted_seconds
                .unwrap()
        };
        let (found, plain) = (seconds("--bits 3"), seconds("--bits 3 --effort fast"));
        println!("{network}: {found:.3} s, plain {plain:.3} s");
        assert!(found <= 1.2 * plain, "{network}: {found} s, {plain} s");
    }
}
