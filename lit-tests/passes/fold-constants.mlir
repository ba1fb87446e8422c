// RUN: cml-opt --cml-check-semantics --split-input-file --cml-fold-constants --canonicalize %s | FileCheck %s

// A chain of constants is one constant.
// CHECK-LABEL: @main
// CHECK:         %[[C:.*]] = nn.constant dense<[-4.000000e+00, 3.000000e+00]>
// CHECK-NEXT:    %[[Y:.*]] = nn.add %{{.*}}, %[[C]]
// CHECK-NEXT:    return %[[Y]]
func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %a = nn.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %b = nn.constant dense<[-5.0, 1.0]> : tensor<2xf32>
  %c = nn.add %a, %b : tensor<2xf32>, tensor<2xf32> -> tensor<2xf32>
  %y = nn.add %x, %c : tensor<1x2xf32>, tensor<2xf32> -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}

// -----

// Movement and conversion are computed as well.
// CHECK-LABEL: @main
// CHECK:         nn.constant dense<{{\[}}[1, 3], [2, 4]]> : tensor<2x2xi64>
// CHECK-NEXT:    return
func.func @main() -> tensor<2x2xi64> {
  %a = nn.constant dense<[1.5, 2.5, 3.5, 4.5]> : tensor<4xf32>
  %b = nn.reshape %a : tensor<4xf32> -> tensor<2x2xf32>
  %c = nn.transpose %b [1, 0] : tensor<2x2xf32> -> tensor<2x2xf32>
  %d = nn.cast %c : tensor<2x2xf32> -> tensor<2x2xi64>
  return %d : tensor<2x2xi64>
}

// -----

// The quantizer of weights stays: it says that they are integers.
// CHECK-LABEL: @main
// CHECK:         nn.fake_quantize
func.func @main() -> tensor<2xf32> {
  %a = nn.constant dense<[0.4, 1.6]> : tensor<2xf32>
  %b = nn.fake_quantize %a scales [1.0] zero_points [0] axis 0 range -3 to 3 : tensor<2xf32>
  return %b : tensor<2xf32>
}

// -----

// What moves quantized weights goes before their quantizer, whose axis moves along.
// CHECK-LABEL: @main
// CHECK:         %[[C:.*]] = nn.constant dense<{{\[\[}}4.000000e-01, 2.500000e+00], [1.600000e+00, 3.000000e-01]]>
// CHECK-NEXT:    nn.fake_quantize %[[C]] scales [1.000000e+00, 5.000000e-01] zero_points [0, 0] axis 1
// CHECK-NEXT:    return
func.func @main() -> tensor<2x2xf32> {
  %a = nn.constant dense<[[[0.4, 1.6]], [[2.5, 0.3]]]> : tensor<2x1x2xf32>
  %b = nn.fake_quantize %a scales [1.0, 0.5] zero_points [0, 0] axis 0 range -3 to 3 : tensor<2x1x2xf32>
  %c = nn.reshape %b : tensor<2x1x2xf32> -> tensor<2x2xf32>
  %d = nn.transpose %c [1, 0] : tensor<2x2xf32> -> tensor<2x2xf32>
  return %d : tensor<2x2xf32>
}

// -----

// Scales that would go along no axis stay where they are.
// CHECK-LABEL: @main
// CHECK:         nn.fake_quantize
// CHECK-NEXT:    nn.reshape
func.func @main() -> tensor<4xf32> {
  %a = nn.constant dense<[[0.4, 1.6], [2.5, 0.3]]> : tensor<2x2xf32>
  %b = nn.fake_quantize %a scales [1.0, 0.5] zero_points [0, 0] axis 0 range -3 to 3 : tensor<2x2xf32>
  %c = nn.reshape %b : tensor<2x2xf32> -> tensor<4xf32>
  return %c : tensor<4xf32>
}
