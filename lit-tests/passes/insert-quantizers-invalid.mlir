// RUN: cml-opt --split-input-file --verify-diagnostics --cml-insert-quantizers %s

// Weights must be constants.
// expected-error @+1 {{nn.matmul (Mul_7): expected constant weights as right operand, found an input of the network}}
module {
  func.func @main(%x: tensor<1x2xf32>, %w: tensor<2x2xf32>) -> tensor<1x2xf32> {
    %y = nn.matmul %x, %w {cml.offsets = array<f64: 0.0>, cml.scales = array<f64: 0.5>, cml.levels = 7 : i64,
      cml.weight_scales = array<f64: 0.125>, cml.weight_limit = 3 : i64}
      : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32> loc("Mul_7")
    return %y : tensor<1x2xf32>
  }
}

// -----

// All five attributes, or none.
// expected-error @+1 {{expected an attribute `cml.weight_scales`}}
module {
  func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
    %w = nn.constant dense<1.0> : tensor<2x2xf32>
    %y = nn.matmul %x, %w {cml.offsets = array<f64: 0.0>, cml.scales = array<f64: 0.5>, cml.levels = 7 : i64}
      : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32>
    return %y : tensor<1x2xf32>
  }
}

// -----

// expected-error @+1 {{expected `cml.offsets` with 1 or 2 elements}}
module {
  func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
    %w = nn.constant dense<1.0> : tensor<2x2xf32>
    %y = nn.matmul %x, %w {cml.offsets = array<f64: 0.0, 0.0, 0.0>, cml.scales = array<f64: 0.5, 0.5, 0.5>,
      cml.levels = 7 : i64, cml.weight_scales = array<f64: 0.125>, cml.weight_limit = 3 : i64}
      : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32>
    return %y : tensor<1x2xf32>
  }
}

// -----

// expected-error @+1 {{expected `cml.scales` that are 0 or can be inverted in f32}}
module {
  func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
    %w = nn.constant dense<1.0> : tensor<2x2xf32>
    %y = nn.matmul %x, %w {cml.offsets = array<f64: 0.0>, cml.scales = array<f64: -1.0>, cml.levels = 7 : i64,
      cml.weight_scales = array<f64: 0.125>, cml.weight_limit = 3 : i64}
      : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32>
    return %y : tensor<1x2xf32>
  }
}

// -----

// expected-error @+1 {{expected `cml.weights` of at most 3 and at least its negative}}
module {
  func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
    %w = nn.constant dense<1.0> : tensor<2x2xf32>
    %y = nn.matmul %x, %w {cml.offsets = array<f64: 0.0>, cml.scales = array<f64: 0.5>, cml.levels = 7 : i64,
      cml.weight_scales = array<f64: 0.125>, cml.weight_limit = 3 : i64, cml.weights = array<i64: 1, 4, 0, 0>}
      : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32>
    return %y : tensor<1x2xf32>
  }
}

// -----

// A constant input has a step.
// expected-error @+1 {{`cml.unfired` of inputs below 2 on steps up to 7}}
module {
  func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
    %w = nn.constant dense<1.0> : tensor<2x2xf32>
    %y = nn.matmul %x, %w {cml.offsets = array<f64: 0.0>, cml.scales = array<f64: 0.5>, cml.levels = 7 : i64,
      cml.weight_scales = array<f64: 0.125>, cml.weight_limit = 3 : i64, cml.unfired = array<i64: 1, 8>}
      : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32>
    return %y : tensor<1x2xf32>
  }
}
