// RUN: cml-opt --cml-check-semantics --split-input-file --cml-calibrate="calibration=%S/Inputs/two-features.npy" %s \
// RUN:   | FileCheck %s --check-prefixes=CHECK,CHANNEL
// RUN: cml-opt --split-input-file --cml-calibrate="calibration=%S/Inputs/two-features.npy granularity=tensor effort=fast \
// RUN:   inputs=4 weights=2 activations=5" %s | FileCheck %s --check-prefixes=CHECK,TENSOR
// RUN: cml-opt --split-input-file --cml-calibrate="calibration=%S/Inputs/two-features.npy keep-unfired=true" %s \
// RUN:   | FileCheck %s --check-prefixes=CHECK,KEEP

// Each feature goes from its smallest to its largest value in 7 steps. Rows of weights that are multiples of one number
// become exactly these multiples. (tensor: all features from -1 to 7 in 15 steps.)
// CHECK-LABEL: @main
// CHANNEL:       nn.matmul {{.*}}cml.levels = 7 : i64, cml.offsets = array<f64: 0.000000e+00, -1.000000e+00>,
// CHANNEL-SAME:    cml.scales = array<f64: 1.000000e+00, 1.000000e+00>, cml.weight_limit = 3 : i64,
// CHANNEL-SAME:    cml.weight_scales = array<f64: 5.000000e-01, 2.000000e+00>, cml.weights = array<i64: 1, -3, -3, 2>}
// TENSOR:        cml.levels = 15 : i64, cml.offsets = array<f64: -1.000000e+00>, cml.scales = array<f64: 0.5{{3+}}
// TENSOR-SAME:     cml.weight_limit = 1 : i64, cml.weight_scales = array<f64: 3.2000{{[0-9]*}}>
func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %w = nn.constant dense<[[0.5, -6.0], [-1.5, 4.0]]> : tensor<2x2xf32>
  %y = nn.matmul %x, %w : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}

// -----

// A hidden layer has the bits of activations. The neuron that never fires on the samples is named, with its step; it has the
// widest steps of the others. That can be turned off.
// CHECK-LABEL: @main
// CHECK:         nn.matmul {{.*}}
// CHECK:         nn.relu
// CHANNEL:       nn.matmul {{.*}}cml.levels = 7 : i64, cml.offsets = array<f64: 0.000000e+00, 0.000000e+00>
// CHANNEL-SAME:    cml.scales = array<f64: [[S:[0-9.e+-]+]], [[S]]>, cml.unfired = array<i64: 1, 0>
// KEEP:          cml.scales = array<f64: [[S:[0-9.e+-]+]], [[S]]>, cml.weight_limit
// TENSOR:        nn.matmul {{.*}}cml.levels = 31 : i64, cml.offsets = array<f64: 0.000000e+00>
// TENSOR-SAME:     cml.unfired = array<i64: 1, 0>
func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %w = nn.constant dense<[[1.0, -1.0], [1.0, -1.0]]> : tensor<2x2xf32>
  %c = nn.constant dense<[0.0, -2.0]> : tensor<2xf32>
  %y = nn.matmul %x, %w : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32>
  %b = nn.add %y, %c : tensor<1x2xf32>, tensor<2xf32> -> tensor<1x2xf32>
  %h = nn.relu %b : tensor<1x2xf32>
  %z = nn.matmul %h, %w : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32>
  return %z : tensor<1x2xf32>
}

// -----

// A product whose input the network quantizes itself is left alone, also behind a reshape.
// CHECK-LABEL: @main
// CHECK:         nn.fake_quantize
// CHECK-NOT:     cml.levels
// CHECK:         return
func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %w = nn.constant dense<[[1.0, -1.0], [1.0, -1.0]]> : tensor<2x2xf32>
  %q = nn.fake_quantize %x scales [0.5] zero_points [0] axis 0 range 0 to 7 : tensor<1x2xf32>
  %r = nn.reshape %q : tensor<1x2xf32> -> tensor<1x2xf32>
  %y = nn.matmul %r, %w : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}

// -----

// Sums are nearest to float with 0.325 and 0.975 in the place of 0.3 and 1. Their steps have means 17/6 and 19/6, so a sum
// shrinks by 0.025 * (19/6 - 17/6) = 1/120 in the mean: the correction.
// CHECK-LABEL: @main
// CHECK:         nn.matmul
// CHANNEL-SAME:    cml.corrections = array<f64: 0.008333{{[0-9]*}}>, cml.levels
// TENSOR-SAME:     {cml.levels
func.func @main(%x: tensor<1x2xf32>) -> tensor<1x1xf32> {
  %w = nn.constant dense<[[0.3], [1.0]]> : tensor<2x1xf32>
  %y = nn.matmul %x, %w : tensor<1x2xf32>, tensor<2x1xf32> -> tensor<1x1xf32>
  return %y : tensor<1x1xf32>
}
