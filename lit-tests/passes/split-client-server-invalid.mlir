// RUN: cml-opt --cml-split-client-server --split-input-file --verify-diagnostics %s

// expected-error@below {{no layer to encrypt}}
module {
  func.func @main(%x: tensor<1x1xf32>) -> tensor<1x1xf32> {
    %p = nn.relu %x : tensor<1x1xf32>
    return %p : tensor<1x1xf32>
  }
}

// -----

// expected-error@below {{nn.add (skip): combines a result of the server with a value that the server does not see}}
module {
  func.func @main(%x: tensor<1x1xf32>) -> tensor<1x1xf32> {
    %q = qnn.quantize %x : tensor<1x1xf32> -> tensor<1x1x!quant.uniform<u2:f32, 1.0>>
    %a = qnn.matmul %q, dense<2> : tensor<1x1xi64> as !quant.uniform<i3:f32, 1.0> : tensor<1x1x!quant.uniform<u2:f32, 1.0>> -> tensor<1x1x!quant.uniform<i32:f32, 1.0>>
    %f = qnn.dequantize %a : tensor<1x1x!quant.uniform<i32:f32, 1.0>> -> tensor<1x1xf32>
    %s = nn.add %f, %x : tensor<1x1xf32>, tensor<1x1xf32> -> tensor<1x1xf32> loc("skip")
    return %s : tensor<1x1xf32>
  }
}
