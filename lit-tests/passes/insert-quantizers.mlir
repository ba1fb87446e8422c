// RUN: cml-opt --split-input-file --cml-insert-quantizers %s | FileCheck %s

// Offsets and scales of the channels stand before one quantizer of scale 1; the weights take the scales, and what the
// offsets add, 1 * 0.5 - 1 * 0 and 2 * -1, is a bias.
// CHECK-LABEL: @main
// CHECK-SAME:    (%[[X:.*]]: tensor<1x2xf32>)
// CHECK:         %[[O:.*]] = nn.constant dense<[1.000000e+00, 2.000000e+00]> : tensor<2xf32>
// CHECK-NEXT:    %[[S:.*]] = nn.sub %[[X]], %[[O]]
// CHECK-NEXT:    %[[I:.*]] = nn.constant dense<[2.000000e+00, 2.500000e-01]> : tensor<2xf32>
// CHECK-NEXT:    %[[M:.*]] = nn.mul %[[S]], %[[I]]
// CHECK-NEXT:    %[[A:.*]] = nn.fake_quantize %[[M]] scales [1.000000e+00] zero_points [0] axis 0 range 0 to 7
// CHECK-NEXT:    %[[V:.*]] = nn.constant dense<{{\[}}[2.500000e-01, 0.000000e+00], [0.000000e+00, -4.000000e+00]]>
// CHECK-NEXT:    %[[W:.*]] = nn.fake_quantize %[[V]] scales [1.250000e-01, 2.000000e+00] zero_points [0, 0] axis 1 range -3 to 3
// CHECK-NEXT:    %[[P:.*]] = nn.matmul %[[A]], %[[W]] : tensor
// CHECK-NEXT:    %[[B:.*]] = nn.constant dense<[5.000000e-01, -2.000000e+00]> : tensor<2xf32>
// CHECK-NEXT:    %[[Y:.*]] = nn.add %[[P]], %[[B]]
// CHECK-NEXT:    return %[[Y]]
func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %w = nn.constant dense<[[0.5, 0.0], [0.0, -1.0]]> : tensor<2x2xf32>
  %y = nn.matmul %x, %w {cml.offsets = array<f64: 1.0, 2.0>, cml.scales = array<f64: 0.5, 4.0>, cml.levels = 7 : i64,
    cml.weight_scales = array<f64: 0.125, 2.0>, cml.weight_limit = 3 : i64}
    : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}

// -----

// One scale for all, no offset: no subtraction and no bias. A scale of 0 takes the channel out: factor and weights are 0.
// Two products that quantize a value alike share its quantizer.
// CHECK-LABEL: @main
// CHECK-SAME:    (%[[X:.*]]: tensor<1x2xf32>)
// CHECK-NOT:     nn.sub
// CHECK:         %[[I:.*]] = nn.constant dense<[2.000000e+00, 0.000000e+00]> : tensor<2xf32>
// CHECK-NEXT:    nn.mul %[[X]], %[[I]]
// CHECK-NEXT:    %[[A:.*]] = nn.fake_quantize {{.*}} range 0 to 7
// CHECK-NEXT:    %[[V:.*]] = nn.constant dense<{{\[}}[2.500000e-01, 2.500000e-01], [0.000000e+00, 0.000000e+00]]>
// CHECK-NEXT:    %[[W:.*]] = nn.fake_quantize %[[V]] scales [1.250000e-01]
// CHECK-NEXT:    nn.matmul %[[A]], %[[W]]
// CHECK-NOT:     nn.mul
// CHECK:         nn.matmul %[[A]]
// CHECK-NEXT:    return
func.func @main(%x: tensor<1x2xf32>) -> (tensor<1x2xf32>, tensor<1x2xf32>) {
  %w = nn.constant dense<[[0.5, 0.5], [-1.0, -1.0]]> : tensor<2x2xf32>
  %y = nn.matmul %x, %w {cml.offsets = array<f64: 0.0, 0.0>, cml.scales = array<f64: 0.5, 0.0>, cml.levels = 7 : i64,
    cml.weight_scales = array<f64: 0.125>, cml.weight_limit = 3 : i64}
    : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32>
  %z = nn.matmul %x, %w {cml.offsets = array<f64: 0.0, 0.0>, cml.scales = array<f64: 0.5, 0.0>, cml.levels = 7 : i64,
    cml.weight_scales = array<f64: 0.25>, cml.weight_limit = 3 : i64}
    : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32>
  return %y, %z : tensor<1x2xf32>, tensor<1x2xf32>
}

// -----

// A correction is added together with what the offsets add: 1 * 0.5 + 0.25, 2 * -1 - 1.
// CHECK-LABEL: @main
// CHECK:         %[[P:.*]] = nn.matmul
// CHECK-NEXT:    %[[B:.*]] = nn.constant dense<[7.500000e-01, -3.000000e+00]> : tensor<2xf32>
// CHECK-NEXT:    nn.add %[[P]], %[[B]]
func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %w = nn.constant dense<[[0.5, 0.0], [0.0, -1.0]]> : tensor<2x2xf32>
  %y = nn.matmul %x, %w {cml.offsets = array<f64: 1.0, 2.0>, cml.scales = array<f64: 0.5, 4.0>, cml.levels = 7 : i64,
    cml.weight_scales = array<f64: 0.125, 2.0>, cml.weight_limit = 3 : i64, cml.corrections = array<f64: 0.25, -1.0>}
    : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}

// -----

// Integer weights that are given take the place of the nearest ones: 1 and -2 steps of 0.125, 3 and 0 steps of 2.
// CHECK-LABEL: @main
// CHECK:         %[[V:.*]] = nn.constant dense<{{\[}}[1.250000e-01, 6.000000e+00], [-2.500000e-01, 0.000000e+00]]>
// CHECK-NEXT:    nn.fake_quantize %[[V]]
func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %w = nn.constant dense<[[0.5, 0.0], [0.0, -1.0]]> : tensor<2x2xf32>
  %y = nn.matmul %x, %w {cml.offsets = array<f64: 0.0, 0.0>, cml.scales = array<f64: 0.5, 4.0>, cml.levels = 7 : i64,
    cml.weight_scales = array<f64: 0.125, 2.0>, cml.weight_limit = 3 : i64, cml.weights = array<i64: 1, 3, -2, 0>}
    : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}

// -----

// Without attributes nothing happens.
// CHECK-LABEL: @main
// CHECK-NEXT:    nn.constant
// CHECK-NEXT:    nn.matmul
// CHECK-NEXT:    return
func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %w = nn.constant dense<[[0.5, 0.5], [-1.0, -1.0]]> : tensor<2x2xf32>
  %y = nn.matmul %x, %w : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}

// -----

// The second input stays on step 3: it is multiplied by 0, its weight is 0, and what it adds, 0.5 * 2 * 3, goes into the bias. Nothing
// proves that it stays there.
// CHECK-LABEL: @main
// CHECK:         nn.constant dense<[2.000000e+00, 0.000000e+00]> : tensor<2xf32>
// CHECK:         nn.fake_quantize {{.*}} range 0 to 7 {cml.observed = array<i64: 1>}
// CHECK:         nn.constant dense<{{\[}}[5.000000e-01], [0.000000e+00]]>
// CHECK:         %[[P:.*]] = nn.matmul
// CHECK-NEXT:    %[[B:.*]] = nn.constant dense<3.000000e+00> : tensor<1xf32>
// CHECK-NEXT:    nn.add %[[P]], %[[B]]
func.func @main(%x: tensor<1x2xf32>) -> tensor<1x1xf32> {
  %w = nn.constant dense<[[1.0], [1.0]]> : tensor<2x1xf32>
  %y = nn.matmul %x, %w {cml.offsets = array<f64: 0.0, 0.0>, cml.scales = array<f64: 0.5, 1.0>, cml.levels = 7 : i64,
    cml.weight_scales = array<f64: 0.5>, cml.weight_limit = 3 : i64, cml.unfired = array<i64: 1, 3>}
    : tensor<1x2xf32>, tensor<2x1xf32> -> tensor<1x1xf32>
  return %y : tensor<1x1xf32>
}
