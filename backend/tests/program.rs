//! From a module to a program: what it computes, what it promises, and that it is the same each time.

mod support;

use cml_backend::report::Report;
use cml_backend::{Error, Provenance, program_of, quantized_graph};
use cml_dialects::ffi::{parse_module, remove_attribute};
use cml_dialects::ir::module_op;
use cml_dialects::tfhe::P_ERROR;
use cml_runtime::client;
use cml_runtime::machine::Machine;
use cml_runtime::reference::Value;
use cml_runtime::server::CheckedServer;

/// What the module of the tests means, from its text.
fn expected(x: [f32; 2]) -> f32 {
    let q = x.map(|x| ((x / 0.5).round_ties_even() as i64 + 1).clamp(0, 3) - 1);
    let a = [0, 0, 0, 1, 1, 2, 2][(1 + q[0] - q[1] + 2) as usize];
    let b = [0, 0, 0, 0, 0, 1, 1, 1, 2, 2][(2 * q[0] + q[1] + 3) as usize];
    (if a + b - 3 < 0 { -3 } else { 1 }) as f32 * 0.25
}

#[test]
fn the_program_computes_what_the_module_says() {
    let program = support::program();
    let (client, server) = (program.client.as_ref().unwrap(), program.server.as_ref().unwrap());
    let server = CheckedServer::new(server).unwrap();
    let xs: Vec<[f32; 2]> =
        (-4..5).flat_map(|a| (-4..5).map(move |b| [a as f32 * 0.5, b as f32 * 0.5])).collect();
    let array = Value::floats(&[xs.len(), 2], xs.iter().flatten().copied().collect()).unwrap();
    let samples = client::quantize(client, &[array], false).unwrap().samples;
    let integers: Vec<_> = samples.iter().map(|sample| server.run_clear(sample).unwrap()).collect();
    let results = client::dequantize(client, &integers).unwrap();
    let found: Vec<f32> = results[0].as_floats().unwrap().iter().copied().collect();
    assert_eq!(found, xs.into_iter().map(expected).collect::<Vec<_>>());
}

#[test]
fn the_steps_and_the_client_as_text() {
    let program = support::program();
    insta::assert_snapshot!(cml_runtime::program::print(&program));
    let client = program.client.as_ref().unwrap();
    assert_eq!(client.events.len(), 4);
    assert_eq!(client.events[0].measured_width, Some(3));
    assert_eq!(client.declared[0].of(1), Some((-4.0, 4.0)));
    let machine = Machine::default_table();
    assert_eq!(program.machine_hash, machine.hash());
    let report = Report::stored_in(&program).unwrap();
    assert_eq!((report.max_accumulator_bits, report.max_output_bits), (4, 3));
    let server = program.server.as_ref().unwrap();
    assert_eq!(report.predicted_seconds, machine.seconds(&CheckedServer::new(server).unwrap()));
    assert!(report.predicted_seconds.is_some());
    let milliseconds: Vec<Option<f64>> = report.lookups.iter().map(|lookup| lookup.milliseconds).collect();
    assert_eq!(milliseconds, [Some(40.0 / 3.0), Some(9.0)]);
    assert_eq!(report.to_json(), program.report);
    let seen: Vec<Option<(i64, i64)>> = report.nodes.iter().map(|node| node.measured_range).collect();
    assert_eq!(seen, [Some((-1, 5)), None]);
}

#[test]
fn the_same_module_gives_the_same_program() {
    assert_eq!(support::program(), support::program());
}

#[test]
fn a_module_of_another_level_is_refused() {
    let context = cml_dialects::context();
    let module = parse_module(&context, b"module {}", "empty").unwrap();
    let refused = program_of(&module, Provenance::default()).unwrap_err();
    assert_eq!(refused.to_string(), "module has no function @server");
    let module = support::module(&context);
    remove_attribute(module_op(&module), P_ERROR);
    let refused = program_of(&module, Provenance::default()).unwrap_err();
    assert!(
        matches!(refused, Error::Invalid(_)) && refused.to_string().contains("failure budget"),
        "{refused}"
    );
    assert!(quantized_graph(&module).is_err());
}

#[test]
fn quantized_functions_take_and_give_integers_without_zero_points() {
    let context = cml_dialects::context();
    let text = r"
!sent = !quant.uniform<u8<0:3>:f32, 5.0e-01:1>
!got = !quant.uniform<u8<0:9>:f32, 2.5e-01:4>
module {
  func.func @server(%x: tensor<1x2x!sent>) -> tensor<1x2x!got> {
    %f = qnn.dequantize %x : tensor<1x2x!sent> -> tensor<1x2xf32>
    %r = nn.relu %f : tensor<1x2xf32>
    %q = qnn.quantize %r : tensor<1x2xf32> -> tensor<1x2x!got>
    return %q : tensor<1x2x!got>
  }
}";
    let module = parse_module(&context, text.as_bytes(), "server").unwrap();
    let graph = quantized_graph(&module).unwrap();
    let results = graph.run(&[Value::integers(&[1, 2], vec![-1, 2]).unwrap()]).unwrap();
    assert_eq!(results, [Value::integers(&[1, 2], vec![0, 4]).unwrap()]);
}
