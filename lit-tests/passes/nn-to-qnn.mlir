// RUN: cml-opt --split-input-file --cml-nn-to-qnn %s | FileCheck %s

// A product of a quantized value and quantized weights becomes exact: stored weights, the scale of the accumulator is the product of scales.
// CHECK-LABEL: @main
// CHECK:      %[[Q:.*]] = qnn.quantize %arg0 : {{.*}} -> tensor<1x2x!quant.uniform<u3:f32, 2.500000e-01:3>>
// CHECK:      %[[A:.*]] = qnn.matmul %[[Q]], dense<{{\[\[}}2, -4, 1], [1, 2, -3]]> : tensor<2x3xi64> as !quant.uniform<i3:f32, 5.000000e-01>
// CHECK-SAME: -> tensor<1x3x!quant.uniform<i32:f32, 1.250000e-01>>
// CHECK-NEXT: qnn.dequantize %[[A]]
// CHECK-NOT:  nn.matmul
func.func @main(%x: tensor<1x2xf32>) -> tensor<1x3xf32> {
  %q = nn.fake_quantize %x scales [0.25] zero_points [3] axis 0 range 0 to 7 : tensor<1x2xf32>
  %w = nn.constant dense<[[1.0, -2.0, 0.5], [0.5, 1.0, -1.5]]> : tensor<2x3xf32>
  %wq = nn.fake_quantize %w scales [0.5] zero_points [0] axis 0 range -4 to 3 : tensor<2x3xf32>
  %a = nn.matmul %q, %wq : tensor<1x2xf32>, tensor<2x3xf32> -> tensor<1x3xf32>
  return %a : tensor<1x3xf32>
}

// -----

// Weights about another zero than 0 are integers of a finer grid about 0: here (q - 1.5) / 2 in steps of 0.25.
// CHECK-LABEL: @main
// CHECK: qnn.matmul %{{.*}}, dense<{{\[\[}}1, -5], [5, -3]]> : tensor<2x2xi64> as !quant.uniform<i5<-11:5>:f32, 2.500000e-01>
// CHECK-SAME: -> tensor<1x2x!quant.uniform<i32:f32, 6.250000e-02>>
func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %q = nn.fake_quantize %x scales [0.25] zero_points [0] axis 0 range 0 to 7 : tensor<1x2xf32>
  %w = nn.constant dense<[[0.25, -1.25], [1.25, -0.75]]> : tensor<2x2xf32>
  %wq = nn.fake_quantize %w scales [0.5] zero_points [1] axis 0 range -4 to 4 shifts [0.5] offsets [0.5] : tensor<2x2xf32>
  %a = nn.matmul %q, %wq : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32>
  return %a : tensor<1x2xf32>
}

// -----

// An offset of the input is one of each sum: its multiple of the column's weights.
// CHECK-LABEL: @main
// CHECK:      %[[Q:.*]] = qnn.quantize %arg0 shifts [5.000000e-01] rounding "floor"
// CHECK-NEXT: qnn.dequantize %[[Q]] offsets [5.000000e-01]
// CHECK:      %[[A:.*]] = qnn.matmul %[[Q]]
// CHECK-SAME: -> tensor<1x2x!quant.uniform<i32:f32:1, {1.250000e-01,1.250000e-01}>>
// CHECK-NEXT: qnn.dequantize %[[A]] offsets [1.500000e+00, -1.000000e+00]
func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %q = nn.fake_quantize %x scales [0.25] zero_points [0] axis 0 range 0 to 7 shifts [0.5] offsets [0.5] rounding "floor" : tensor<1x2xf32>
  %w = nn.constant dense<[[1.0, -2.0], [0.5, 1.0]]> : tensor<2x2xf32>
  %wq = nn.fake_quantize %w scales [0.5] zero_points [0] axis 0 range -4 to 3 : tensor<2x2xf32>
  %a = nn.matmul %q, %wq : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32>
  return %a : tensor<1x2xf32>
}
