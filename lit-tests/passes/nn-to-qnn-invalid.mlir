// RUN: cml-opt --cml-nn-to-qnn --split-input-file --verify-diagnostics %s

// expected-error@below {{nn.matmul (fc1): its input is not quantized: put a quantizer (QuantizeLinear and DequantizeLinear, or Quant) between it and input 0 of the network}}
module {
  func.func @main(%x: tensor<1x1xf32>) -> tensor<1x1xf32> {
    %w = nn.constant dense<1.0> : tensor<1x1xf32>
    %wq = nn.fake_quantize %w scales [0.5] zero_points [0] axis 0 range -4 to 3 : tensor<1x1xf32>
    %a = nn.matmul %x, %wq : tensor<1x1xf32>, tensor<1x1xf32> -> tensor<1x1xf32> loc("fc1")
    return %a : tensor<1x1xf32>
  }
}

// -----

// expected-error@below {{nn.matmul (fc1): its weights are not quantized constants}}
module {
  func.func @main(%x: tensor<1x1xf32>) -> tensor<1x1xf32> {
    %q = nn.fake_quantize %x scales [0.25] zero_points [3] axis 0 range 0 to 7 : tensor<1x1xf32>
    %w = nn.constant dense<1.0> : tensor<1x1xf32>
    %a = nn.matmul %q, %w : tensor<1x1xf32>, tensor<1x1xf32> -> tensor<1x1xf32> loc("fc1")
    return %a : tensor<1x1xf32>
  }
}

// -----

// expected-error@below {{its input has a scale per channel, which does not factor out of a sum}}
module {
  func.func @main(%x: tensor<1x2xf32>) -> tensor<1x1xf32> {
    %q = nn.fake_quantize %x scales [0.25, 0.5] zero_points [3, 3] axis 1 range 0 to 7 : tensor<1x2xf32>
    %w = nn.constant dense<1.0> : tensor<2x1xf32>
    %wq = nn.fake_quantize %w scales [0.5] zero_points [0] axis 0 range -4 to 3 : tensor<2x1xf32>
    %a = nn.matmul %q, %wq : tensor<1x2xf32>, tensor<2x1xf32> -> tensor<1x1xf32>
    return %a : tensor<1x1xf32>
  }
}

// -----

// expected-error@below {{nn.matmul (fc2): its input is not quantized: put a quantizer (QuantizeLinear and DequantizeLinear, or Quant) between it and what nn.relu (act1) gives}}
module {
  func.func @main(%x: tensor<1x1xf32>) -> tensor<1x1xf32> {
    %q = nn.fake_quantize %x scales [0.25] zero_points [3] axis 0 range 0 to 7 : tensor<1x1xf32>
    %w = nn.constant dense<1.0> : tensor<1x1xf32>
    %wq = nn.fake_quantize %w scales [0.5] zero_points [0] axis 0 range -4 to 3 : tensor<1x1xf32>
    %a = nn.matmul %q, %wq : tensor<1x1xf32>, tensor<1x1xf32> -> tensor<1x1xf32> loc("fc1")
    %r = nn.relu %a : tensor<1x1xf32> loc("act1")
    %b = nn.matmul %r, %wq : tensor<1x1xf32>, tensor<1x1xf32> -> tensor<1x1xf32> loc("fc2")
    return %b : tensor<1x1xf32>
  }
}

// -----

// expected-error@below {{weights have the zero point 0.1, which is no multiple of 2^-8}}
module {
  func.func @main(%x: tensor<1x1xf32>) -> tensor<1x1xf32> {
    %q = nn.fake_quantize %x scales [0.25] zero_points [3] axis 0 range 0 to 7 : tensor<1x1xf32>
    %w = nn.constant dense<1.0> : tensor<1x1xf32>
    %wq = nn.fake_quantize %w scales [0.5] zero_points [1] axis 0 range -4 to 3 offsets [0.1] : tensor<1x1xf32>
    %a = nn.matmul %q, %wq : tensor<1x1xf32>, tensor<1x1xf32> -> tensor<1x1xf32>
    return %a : tensor<1x1xf32>
  }
}

// -----

// expected-error@below {{more than 32 bits hold: use fewer bits}}
module {
  func.func @main(%x: tensor<1x1xf32>) -> tensor<1x1xf32> {
    %q = nn.fake_quantize %x scales [0.25] zero_points [0] axis 0 range 0 to 1048575 : tensor<1x1xf32>
    %w = nn.constant dense<4096.0> : tensor<1x1xf32>
    %wq = nn.fake_quantize %w scales [1.0] zero_points [0] axis 0 range -8192 to 8191 : tensor<1x1xf32>
    %a = nn.matmul %q, %wq : tensor<1x1xf32>, tensor<1x1xf32> -> tensor<1x1xf32>
    return %a : tensor<1x1xf32>
  }
}
