// RUN: cml-opt --cml-qnn-to-fhe --split-input-file --verify-diagnostics %s

// expected-error@below {{qnn.matmul (fc1): run `cml-infer-ranges` before `cml-qnn-to-fhe`}}
module {
  func.func @server(%q: tensor<1x1x!quant.uniform<u2:f32, 1.0>>) -> tensor<1x1x!quant.uniform<i32:f32, 0.5>> {
    %a = qnn.matmul %q, dense<2> : tensor<1x1xi64> as !quant.uniform<i3:f32, 0.5> : tensor<1x1x!quant.uniform<u2:f32, 1.0>> -> tensor<1x1x!quant.uniform<i32:f32, 0.5>> loc("fc1")
    return %a : tensor<1x1x!quant.uniform<i32:f32, 0.5>>
  }
}

// -----

// expected-error@below {{qnn.dequantize: has no encrypted form here}}
module {
  func.func @server(%q: tensor<1x1x!quant.uniform<u2:f32, 1.0>>) -> tensor<1x1xf32> {
    %f = qnn.dequantize %q : tensor<1x1x!quant.uniform<u2:f32, 1.0>> -> tensor<1x1xf32>
    return %f : tensor<1x1xf32>
  }
}

// -----

// expected-error@below {{module has no function @server}}
module {
}
