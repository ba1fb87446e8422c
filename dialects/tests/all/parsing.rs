//! Files from elsewhere: whatever they hold, they are a module or an error.

use crate::context_with_errors;
use cml_dialects::ffi::{parse_module, write_bytecode};
use cml_dialects::interpret;
use cml_dialects::ir::{functions, module_op};
use cml_dialects::tfhe::interpret::server;
use proptest::prelude::*;

/// Every level in one module.
const TEXT: &str = r#"
module attributes {cml.model = "all", tfhe.parameters = [#tfhe.parameters<n = 800, k = 1, N = 2048, pbs = 23 x 1, ks = 3 x 5, lwe_std_dev = 1.0e-06 : f64, glwe_std_dev = 1.0e-15 : f64>]} {
  func.func @main(%x: tensor<1x2xf32>) -> tensor<1xi64> attributes {cml.inputs = ["x"], cml.outputs = ["y"]} {
    %w = nn.constant dense<[[1.5, -0.25], [2.0, 0.333333343]]> : tensor<2x2xf32>
    %0 = nn.matmul %x, %w : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32> loc("Dense_1")
    %1 = nn.fake_quantize %0 scales [0.1, 0.3] zero_points [0, 1] axis 1 range -4 to 3 : tensor<1x2xf32>
    %2 = nn.transpose %1 [1, 0] : tensor<1x2xf32> -> tensor<2x1xf32>
    %3 = nn.argmax %2 axis 0 : tensor<2x1xf32> -> tensor<1xi64>
    return %3 : tensor<1xi64>
  }
  func.func @quantized(%q: tensor<1x2x!quant.uniform<u3:f32, 0.5:2>>) -> tensor<1x2xf32> {
    %0 = qnn.matmul %q, dense<[[1, -3], [0, 3]]> : tensor<2x2xi64> as !quant.uniform<i3<-3:3>:f32:1, {0.25, 0.5}> lows [-2, -21] highs [5, 21] : tensor<1x2x!quant.uniform<u3:f32, 0.5:2>> -> tensor<1x2x!quant.uniform<i32:f32:1, {0.125, 0.25}>>
    %1 = qnn.dequantize %0 : tensor<1x2x!quant.uniform<i32:f32:1, {0.125, 0.25}>> -> tensor<1x2xf32>
    return %1 : tensor<1x2xf32>
  }
  func.func @encrypted(%x: tensor<1x2x!fhe.eint<0:3>>) -> tensor<1x2x!fhe.eint<-1:9>> {
    %0 = fhe.matmul %x, dense<[[1, 0], [0, 1]]> : tensor<2x2xi64> lows [0, 0] highs [3, 2] : tensor<1x2x!fhe.eint<0:3>> -> tensor<1x2x!fhe.eint<0:3>>
    %1 = fhe.lookup %0 tables [array<i64: 0, 1, 4, 9>, array<i64: 8, -1, 2>] firsts [0, 0] of [0, 1] : tensor<1x2x!fhe.eint<0:3>> -> tensor<1x2x!fhe.eint<-1:9>>
    return %1 : tensor<1x2x!fhe.eint<-1:9>>
  }
  func.func @server(%x: tensor<2x!tfhe.lwe<big, 1024>>) -> tensor<2x!tfhe.lwe<big, 4096>> attributes {cml.inputs = ["x"], cml.input_shapes = [array<i64: 1, 2>], cml.input_lows = [array<i64: 0, 0>], cml.input_highs = [array<i64: 3, 3>], cml.outputs = ["y"], cml.output_shapes = [array<i64: 1, 2>], cml.output_lows = [array<i64: 0, 0>], cml.output_highs = [array<i64: 1, 1>]} {
    %0 = tfhe.linear %x weights dense<[[1, -2], [0, 1]]> : tensor<2x2xi64> bias [0, -7] : tensor<2x!tfhe.lwe<big, 1024>> -> tensor<2x!tfhe.lwe<big, 2048>>
    %1 = tfhe.keyswitch %0 : tensor<2x!tfhe.lwe<big, 2048>> -> tensor<2x!tfhe.lwe<small 0, 2048>>
    %2 = tfhe.bootstrap %1 lookup 0: fold extension 2 tolerance 1 tables [array<i64: 0, 1>, array<i64: -5>] firsts [-1, 3] centers [0, 1] of [0, 1] : tensor<2x!tfhe.lwe<small 0, 2048>> -> tensor<2x!tfhe.lwe<big, 4096>>
    %3 = tfhe.combine %2, %0 weights [1, -1] bias [0, 3] : tensor<2x!tfhe.lwe<big, 4096>>, tensor<2x!tfhe.lwe<big, 2048>> -> tensor<2x!tfhe.lwe<big, 4096>>
    return %3 : tensor<2x!tfhe.lwe<big, 4096>>
  }
}
"#;

fn bytecode() -> Vec<u8> {
    let (context, errors) = context_with_errors();
    let module = parse_module(&context, TEXT.as_bytes(), "all.mlir");
    write_bytecode(&module.unwrap_or_else(|| panic!("{:?}", errors.borrow())))
}

/// Parses, and interprets what parsed; true if it was a module.
fn survives(source: &[u8]) -> bool {
    let (context, errors) = context_with_errors();
    let Some(module) = parse_module(&context, source, "mutated") else {
        assert!(!errors.borrow().is_empty(), "refused without a word");
        return false;
    };
    for function in functions(module_op(&module)) {
        // A function may have become one without meaning, which is an error like any other.
        if let Ok(graph) = interpret::graph(function) {
            let _ = graph.check();
        }
    }
    let _ = server(&module);
    true
}

#[test]
fn every_level_can_be_read() {
    assert!(survives(TEXT.as_bytes()));
    assert!(survives(&bytecode()));
}

#[test]
fn truncated_files_are_refused() {
    let bytecode = bytecode();
    for length in (0..bytecode.len()).step_by(7) {
        // Nothing at all is an empty module.
        assert!(length == 0 || !survives(&bytecode[..length]), "{length} bytes of bytecode were accepted");
    }
    let end = TEXT.rfind('}').unwrap();
    for length in (0..end).step_by(53) {
        assert!(
            TEXT[..length].trim().is_empty() || !survives(&TEXT.as_bytes()[..length]),
            "{length} bytes of text"
        );
    }
}

#[test]
fn garbage_is_refused() {
    assert!(!survives(b"\0"));
    assert!(!survives(b"ML\xefR"));
    assert!(!survives(&[0xff; 300]));
    assert!(!survives("modül {".as_bytes()));
    assert!(!survives(b"module { nn.\xff\xfe }"));
    // The escape makes bytes that are no UTF-8, and the error quotes them.
    assert!(!survives(br#"func.func private @f(!quant."\FF\FE"<i8>)"#));
    assert!(!survives(br#"func.func private @f(tensor<1x!tfhe.lwe<\FF, 8>>)"#));
    assert!(!survives(b"func.func @f() { return }\0 func.func @g() { return }"));
}

#[test]
fn an_op_that_is_no_module_is_refused_or_wrapped() {
    let (context, errors) = context_with_errors();
    // MLIR wraps a list of ops in a module, but not the one op that asks for another parent.
    assert!(
        parse_module(&context, b"func.func private @f()", "f.mlir")
            .is_none_or(|module| { functions(module_op(&module)).is_empty() })
    );
    assert!(parse_module(&context, b"func.return", "r.mlir").is_none());
    assert!(!errors.borrow().is_empty());
}

#[test]
fn errors_name_the_file() {
    let context = cml_dialects::context();
    let place = std::rc::Rc::new(std::cell::RefCell::new(String::new()));
    let sink = std::rc::Rc::clone(&place);
    context.attach_diagnostic_handler(move |diagnostic| {
        *sink.borrow_mut() = diagnostic.location().to_string();
        true
    });
    assert!(parse_module(&context, b"module {\n  nn.bad\n}", "net.mlir").is_none());
    assert_eq!(*place.borrow(), "loc(\"net.mlir\":2:3)");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// A flipped bit may still be a module (in a name, in a weight); it never ends the process. Nothing like it holds of
    /// bytecode, which MLIR's reader trusts (dialects/README.md).
    #[test]
    fn flipped_bits_of_text_do_no_harm(flips in prop::collection::vec((any::<prop::sample::Index>(), 0u8..8), 1..4)) {
        let mut text = TEXT.as_bytes().to_vec();
        for (at, bit) in flips {
            let at = at.index(text.len());
            text[at] ^= 1 << bit;
        }
        survives(&text);
    }
}
