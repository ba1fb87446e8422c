// RUN: cml-opt --cml-rewrite-fhe --split-input-file --verify-diagnostics %s

// expected-error@below {{module has no function @server}}
module {
}

// -----

// expected-error@below {{nn.constant (Bias_1): expected an op of `fhe`: run `cml-qnn-to-fhe` before `cml-rewrite-fhe`}}
module {
  func.func @server(%x: tensor<1x!fhe.eint<0:1>>) -> tensor<1x!fhe.eint<0:1>> {
    %c = nn.constant dense<1.0> : tensor<1xf32> loc("Bias_1")
    return %x : tensor<1x!fhe.eint<0:1>>
  }
}

// -----

// expected-error@below {{func.func: expected a tensor of !fhe.eint}}
module {
  func.func @server(%q: tensor<1x!quant.uniform<u2:f32, 1.0>>) -> tensor<1x!quant.uniform<u2:f32, 1.0>> {
    return %q : tensor<1x!quant.uniform<u2:f32, 1.0>>
  }
}
