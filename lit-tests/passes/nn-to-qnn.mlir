// RUN: cml-opt --cml-nn-to-qnn %s | FileCheck %s

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
