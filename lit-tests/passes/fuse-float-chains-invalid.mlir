// RUN: cml-opt --cml-fuse-float-chains --split-input-file --verify-diagnostics %s

// expected-error@below {{nn.softmax (mix): mixes elements between two layers}}
module {
  func.func @server(%a: tensor<1x2x!quant.uniform<u2:f32, 1.0>>) -> tensor<1x2x!quant.uniform<u2:f32, 1.0>> {
    %f = qnn.dequantize %a : tensor<1x2x!quant.uniform<u2:f32, 1.0>> -> tensor<1x2xf32>
    %s = nn.softmax %f axis 1 : tensor<1x2xf32> loc("mix")
    %q = qnn.quantize %s : tensor<1x2xf32> -> tensor<1x2x!quant.uniform<u2:f32, 1.0>>
    return %q : tensor<1x2x!quant.uniform<u2:f32, 1.0>>
  }
}

// -----

// expected-error@below {{nn.add (residual): combines two different encrypted values}}
module {
  func.func @server(%a: tensor<1x1x!quant.uniform<u2:f32, 1.0>>, %b: tensor<1x1x!quant.uniform<u2:f32, 1.0>>) -> tensor<1x1x!quant.uniform<u2:f32, 1.0>> {
    %f = qnn.dequantize %a : tensor<1x1x!quant.uniform<u2:f32, 1.0>> -> tensor<1x1xf32>
    %g = qnn.dequantize %b : tensor<1x1x!quant.uniform<u2:f32, 1.0>> -> tensor<1x1xf32>
    %s = nn.add %f, %g : tensor<1x1xf32>, tensor<1x1xf32> -> tensor<1x1xf32> loc("residual")
    %q = qnn.quantize %s : tensor<1x1xf32> -> tensor<1x1x!quant.uniform<u2:f32, 1.0>>
    return %q : tensor<1x1x!quant.uniform<u2:f32, 1.0>>
  }
}

// -----

// expected-error@below {{qnn.quantize (q): its input has no range: run `cml-infer-ranges` before}}
module {
  func.func @server(%a: tensor<1x1x!quant.uniform<u2:f32, 1.0>>) -> tensor<1x1x!quant.uniform<u2:f32, 1.0>> {
    %f = qnn.dequantize %a : tensor<1x1x!quant.uniform<u2:f32, 1.0>> -> tensor<1x1xf32>
    %q = qnn.quantize %f : tensor<1x1xf32> -> tensor<1x1x!quant.uniform<u2:f32, 1.0>> loc("q")
    return %q : tensor<1x1x!quant.uniform<u2:f32, 1.0>>
  }
}
