// RUN: cml-opt --cml-check-semantics --split-input-file --cml-decompose-gemm --canonicalize %s | FileCheck %s

// alpha and the transpose go into the weights, beta into the bias; the node's name stays.
// CHECK-LABEL: @main
// CHECK-DAG:     %[[W:.*]] = nn.constant dense<{{\[}}[2.000000e+00, 8.000000e+00], [4.000000e+00, 1.000000e+01], [6.000000e+00, 1.200000e+01]]> : tensor<3x2xf32>
// CHECK-DAG:     %[[D:.*]] = nn.constant dense<[5.000000e+00, 1.000000e+01]>
// CHECK:         %[[P:.*]] = nn.matmul %{{.*}}, %[[W]] : tensor<1x3xf32>, tensor<3x2xf32>
// CHECK-NEXT:    %[[Y:.*]] = nn.add %[[P]], %[[D]]
// CHECK-NEXT:    return %[[Y]]
func.func @main(%x: tensor<1x3xf32>) -> tensor<1x2xf32> {
  %b = nn.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>
  %c = nn.constant dense<[10.0, 20.0]> : tensor<2xf32>
  %y = nn.gemm %x, %b, %c alpha 2.0 beta 0.5 transpose_b
    : (tensor<1x3xf32>, tensor<2x3xf32>, tensor<2xf32>) -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}

// -----

// Without C there is no addition; A is transposed by an op.
// CHECK-LABEL: @main
// CHECK:         %[[T:.*]] = nn.transpose %{{.*}} [1, 0] : tensor<2x1xf32> -> tensor<1x2xf32>
// CHECK-NEXT:    %[[Y:.*]] = nn.matmul %[[T]]
// CHECK-NEXT:    return %[[Y]]
func.func @main(%x: tensor<2x1xf32>) -> tensor<1x3xf32> {
  %b = nn.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>
  %y = nn.gemm %x, %b alpha 1.0 beta 1.0 transpose_a : (tensor<2x1xf32>, tensor<2x3xf32>) -> tensor<1x3xf32>
  return %y : tensor<1x3xf32>
}

// -----

// A bias that is no constant is multiplied by beta.
// CHECK-LABEL: @main
// CHECK-SAME:    %[[X:.*]]: tensor<1x2xf32>, %[[C:.*]]: tensor<2xf32>
// CHECK-DAG:     %[[BETA:.*]] = nn.constant dense<3.000000e+00> : tensor<f32>
// CHECK-DAG:     %[[P:.*]] = nn.matmul %[[X]]
// CHECK-DAG:     %[[D:.*]] = nn.mul %[[C]], %[[BETA]]
// CHECK:         nn.add %[[P]], %[[D]]
func.func @main(%x: tensor<1x2xf32>, %c: tensor<2xf32>) -> tensor<1x2xf32> {
  %b = nn.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %y = nn.gemm %x, %b, %c alpha 1.0 beta 3.0 : (tensor<1x2xf32>, tensor<2x2xf32>, tensor<2xf32>) -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}

// -----

// Weights that are no constant stay where they are.
// CHECK-LABEL: @main
// CHECK-NEXT:    nn.gemm
// CHECK-NEXT:    return
func.func @main(%x: tensor<1x2xf32>, %b: tensor<2x2xf32>) -> tensor<1x2xf32> {
  %y = nn.gemm %x, %b alpha 2.0 beta 1.0 : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}

// -----

// Weights that a quantizer makes: the constant below it is transposed, its axis follows, and alpha stays outside.
// CHECK-LABEL: @main
// CHECK-DAG:     %[[B:.*]] = nn.constant dense<{{\[}}[1.000000e+00, 4.000000e+00], [2.000000e+00, 5.000000e+00], [3.000000e+00, 6.000000e+00]]> : tensor<3x2xf32>
// CHECK-DAG:     %[[ALPHA:.*]] = nn.constant dense<2.000000e+00> : tensor<f32>
// CHECK:         %[[W:.*]] = nn.fake_quantize %[[B]] scales [1.000000e+00, 5.000000e-01] zero_points [0, 0] axis 1 range -7 to 15
// CHECK:         %[[P:.*]] = nn.matmul %{{.*}}, %[[W]]
// CHECK-NEXT:    %[[Y:.*]] = nn.mul %[[P]], %[[ALPHA]]
// CHECK-NEXT:    return %[[Y]]
func.func @main(%x: tensor<1x3xf32>) -> tensor<1x2xf32> {
  %b = nn.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>
  %w = nn.fake_quantize %b scales [1.0, 0.5] zero_points [0, 0] axis 0 range -7 to 15 : tensor<2x3xf32>
  %y = nn.gemm %x, %w alpha 2.0 beta 1.0 transpose_b : (tensor<1x3xf32>, tensor<2x3xf32>) -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}
