// RUN: cml-opt --cml-nn-to-qnn --canonicalize %s | FileCheck %s

// A reshape between quantizer and product moves the integers; scales per column give a type per axis.
// CHECK-LABEL: @main
// CHECK:      %[[Q:.*]] = qnn.quantize
// CHECK:      %[[R:.*]] = qnn.reshape %[[Q]]
// CHECK:      qnn.matmul %[[R]], dense<{{\[\[}}2, -2], [1, 1]]>
// CHECK-SAME: !quant.uniform<i32:f32:1, {5.000000e-01,1.000000e+00}>
func.func @main(%x: tensor<2x1xf32>) -> tensor<1x2xf32> {
  %q = nn.fake_quantize %x scales [1.0] zero_points [0] axis 0 range 0 to 7 : tensor<2x1xf32>
  %r = nn.reshape %q : tensor<2x1xf32> -> tensor<1x2xf32>
  %w = nn.constant dense<[[1.0, -2.0], [0.5, 1.0]]> : tensor<2x2xf32>
  %wq = nn.fake_quantize %w scales [0.5, 1.0] zero_points [0, 0] axis 1 range -4 to 3 : tensor<2x2xf32>
  %a = nn.matmul %r, %wq : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32>
  return %a : tensor<1x2xf32>
}
