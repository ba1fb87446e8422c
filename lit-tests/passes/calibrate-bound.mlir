// RUN: cml-opt --split-input-file --cml-calibrate="calibration=%S/Inputs/two-features.npy accumulator-bits=4" %s \
// RUN:   | FileCheck %s --check-prefixes=CHECK,CHANNEL
// RUN: cml-opt --split-input-file --cml-calibrate="calibration=%S/Inputs/two-features.npy accumulator-bits=4 effort=fast" %s \
// RUN:   | FileCheck %s --check-prefixes=CHECK,FAST
// RUN: cml-opt --split-input-file --cml-calibrate="calibration=%S/Inputs/two-features.npy accumulator-bits=4 granularity=tensor" %s \
// RUN:   | FileCheck %s --check-prefixes=CHECK,TENSOR

// Each input has steps from 0 to 7: 4 bits have room for two weights of 1. The sums that are only decrypted have more. How often
// the decision is that of float stands on the module: bits, samples, without the bound, with it.
// CHECK:         cml.accumulator_bound = array<i64: 4, [[SAMPLES:[0-9]+]], {{[0-9]+}}, {{[0-9]+}}>
// CHECK-LABEL: @main
// CHANNEL:       nn.matmul {{.*}}cml.weights = array<i64: 1, -1, 1, 1>}
// FAST:          nn.matmul {{.*}}cml.weights = array<i64: 1, -1, 1, 1>}
// TENSOR:        nn.matmul {{.*}}cml.weights = array<i64: 1, -1, 1, 1>}
// CHECK:         nn.relu
// CHANNEL:       nn.matmul {{.*}}cml.weights = array<i64: {{-?[23]}}
module {
  func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
    %w = nn.constant dense<[[1.0, -1.0], [1.0, 0.75]]> : tensor<2x2xf32>
    %v = nn.constant dense<[[3.0, -1.0], [1.0, 2.0]]> : tensor<2x2xf32>
    %y = nn.matmul %x, %w : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32>
    %h = nn.relu %y : tensor<1x2xf32>
    %z = nn.matmul %h, %v : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32>
    return %z : tensor<1x2xf32>
  }
}

// -----

// The mean of a window is no sum of neurons: its weights are ones whatever the bound, its inputs have one scale.
// CHECK-LABEL: @main
// CHECK:         nn.matmul {{.*}}cml.scales = array<f64: {{[^,]*}}>, {{.*}}cml.weight_limit = 1 : i64, cml.weight_scales = array<f64: {{[^,]*}}>}
module {
  func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
    %w = nn.constant dense<[[0.5], [0.5]]> : tensor<2x1xf32>
    %v = nn.constant dense<[[3.0, -1.0]]> : tensor<1x2xf32>
    %y = nn.matmul %x, %w : tensor<1x2xf32>, tensor<2x1xf32> -> tensor<1x1xf32>
    %h = nn.relu %y : tensor<1x1xf32>
    %g = nn.add %h, %h : tensor<1x1xf32>, tensor<1x1xf32> -> tensor<1x1xf32>
    %z = nn.matmul %g, %v : tensor<1x1xf32>, tensor<1x2xf32> -> tensor<1x2xf32>
    return %z : tensor<1x2xf32>
  }
}
