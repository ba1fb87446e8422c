// RUN: cml-opt --cml-check-semantics --split-input-file --cml-fold-batch-norm --canonicalize %s | FileCheck %s

// Factors 2 and 4, shifts 1 - 2 * 2 = -3 and 0: they go into the columns of the weights, and a bias appears.
// CHECK-LABEL: @main
// CHECK-DAG:     %[[W:.*]] = nn.constant dense<{{\[}}[2.000000e+00, 8.000000e+00], [6.000000e+00, 1.600000e+01]]>
// CHECK-DAG:     %[[B:.*]] = nn.constant dense<[-3.000000e+00, 0.000000e+00]> : tensor<2xf32>
// CHECK:         %[[P:.*]] = nn.matmul %{{.*}}, %[[W]]
// CHECK-NEXT:    %[[Y:.*]] = nn.add %[[P]], %[[B]]
// CHECK-NEXT:    return %[[Y]]
func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %w = nn.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %scale = nn.constant dense<[4.0, 4.0]> : tensor<2xf32>
  %bias = nn.constant dense<[1.0, 0.0]> : tensor<2xf32>
  %mean = nn.constant dense<[2.0, 0.0]> : tensor<2xf32>
  %variance = nn.constant dense<[3.0, 0.0]> : tensor<2xf32>
  %y = nn.matmul %x, %w : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32>
  %z = nn.batch_normalization %y, %scale, %bias, %mean, %variance epsilon 1.0
    : (tensor<1x2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2xf32>
  return %z : tensor<1x2xf32>
}

// -----

// A constant bias between product and normalization takes the factors as well: 10 * 2 - 3 and 20 * 4.
// CHECK-LABEL: @main
// CHECK-DAG:     nn.constant dense<{{\[}}[2.000000e+00, 8.000000e+00], [6.000000e+00, 1.600000e+01]]>
// CHECK-DAG:     nn.constant dense<[1.700000e+01, 8.000000e+01]> : tensor<2xf32>
// CHECK:         nn.matmul
// CHECK-NEXT:    nn.add
// CHECK-NEXT:    return
func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %w = nn.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %c = nn.constant dense<[[10.0, 20.0]]> : tensor<1x2xf32>
  %scale = nn.constant dense<[4.0, 4.0]> : tensor<2xf32>
  %bias = nn.constant dense<[1.0, 0.0]> : tensor<2xf32>
  %mean = nn.constant dense<[2.0, 0.0]> : tensor<2xf32>
  %variance = nn.constant dense<[3.0, 0.0]> : tensor<2xf32>
  %y = nn.matmul %x, %w : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32>
  %s = nn.add %c, %y : tensor<1x2xf32>, tensor<1x2xf32> -> tensor<1x2xf32>
  %z = nn.batch_normalization %s, %scale, %bias, %mean, %variance epsilon 1.0
    : (tensor<1x2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2xf32>
  return %z : tensor<1x2xf32>
}

// -----

// In Gemm the columns of B are its rows where it is transposed, and beta goes into the bias: 2 * 10 * 2 - 3, 2 * 20 * 4.
// CHECK-LABEL: @main
// CHECK-DAG:     %[[B:.*]] = nn.constant dense<{{\[}}[2.000000e+00, 4.000000e+00], [1.200000e+01, 1.600000e+01]]>
// CHECK-DAG:     %[[C:.*]] = nn.constant dense<[3.700000e+01, 1.600000e+02]> : tensor<2xf32>
// CHECK:         nn.gemm %{{.*}}, %[[B]], %[[C]] alpha 5.000000e-01 beta 1.000000e+00 transpose_b
// CHECK-NEXT:    return
func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %w = nn.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %c = nn.constant dense<[10.0, 20.0]> : tensor<2xf32>
  %scale = nn.constant dense<[4.0, 4.0]> : tensor<2xf32>
  %bias = nn.constant dense<[1.0, 0.0]> : tensor<2xf32>
  %mean = nn.constant dense<[2.0, 0.0]> : tensor<2xf32>
  %variance = nn.constant dense<[3.0, 0.0]> : tensor<2xf32>
  %y = nn.gemm %x, %w, %c alpha 0.5 beta 2.0 transpose_b
    : (tensor<1x2xf32>, tensor<2x2xf32>, tensor<2xf32>) -> tensor<1x2xf32>
  %z = nn.batch_normalization %y, %scale, %bias, %mean, %variance epsilon 1.0
    : (tensor<1x2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2xf32>
  return %z : tensor<1x2xf32>
}

// -----

// A product that somebody else reads keeps its weights; normalization is a factor and a shift.
// CHECK-LABEL: @main
// CHECK-DAG:     %[[M:.*]] = nn.constant dense<[2.000000e+00, 4.000000e+00]> : tensor<2xf32>
// CHECK-DAG:     %[[B:.*]] = nn.constant dense<[-3.000000e+00, 0.000000e+00]> : tensor<2xf32>
// CHECK:         %[[P:.*]] = nn.matmul
// CHECK-NEXT:    %[[S:.*]] = nn.mul %[[P]], %[[M]]
// CHECK-NEXT:    %[[Y:.*]] = nn.add %[[S]], %[[B]]
// CHECK-NEXT:    return %[[P]], %[[Y]]
func.func @main(%x: tensor<1x2xf32>) -> (tensor<1x2xf32>, tensor<1x2xf32>) {
  %w = nn.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %scale = nn.constant dense<[4.0, 4.0]> : tensor<2xf32>
  %bias = nn.constant dense<[1.0, 0.0]> : tensor<2xf32>
  %mean = nn.constant dense<[2.0, 0.0]> : tensor<2xf32>
  %variance = nn.constant dense<[3.0, 0.0]> : tensor<2xf32>
  %y = nn.matmul %x, %w : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32>
  %z = nn.batch_normalization %y, %scale, %bias, %mean, %variance epsilon 1.0
    : (tensor<1x2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2xf32>
  return %y, %z : tensor<1x2xf32>, tensor<1x2xf32>
}

// -----

// Channels are axis 1: the columns of a product of three axes are not channels.
// CHECK-LABEL: @main
// CHECK:         %[[M:.*]] = nn.constant dense<{{\[}}[2.000000e+00], [4.000000e+00]]> : tensor<2x1xf32>
// CHECK:         %[[P:.*]] = nn.matmul
// CHECK-NEXT:    nn.mul %[[P]], %[[M]]
// CHECK-NEXT:    nn.add
func.func @main(%x: tensor<1x2x2xf32>) -> tensor<1x2x2xf32> {
  %w = nn.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %scale = nn.constant dense<[4.0, 4.0]> : tensor<2xf32>
  %bias = nn.constant dense<[1.0, 0.0]> : tensor<2xf32>
  %mean = nn.constant dense<[2.0, 0.0]> : tensor<2xf32>
  %variance = nn.constant dense<[3.0, 0.0]> : tensor<2xf32>
  %y = nn.matmul %x, %w : tensor<1x2x2xf32>, tensor<2x2xf32> -> tensor<1x2x2xf32>
  %z = nn.batch_normalization %y, %scale, %bias, %mean, %variance epsilon 1.0
    : (tensor<1x2x2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2x2xf32>
  return %z : tensor<1x2x2xf32>
}

// -----

// Statistics that are no constants stay.
// CHECK-LABEL: @main
// CHECK:         nn.batch_normalization
func.func @main(%x: tensor<1x2xf32>, %mean: tensor<2xf32>) -> tensor<1x2xf32> {
  %scale = nn.constant dense<[4.0, 4.0]> : tensor<2xf32>
  %z = nn.batch_normalization %x, %scale, %scale, %mean, %scale epsilon 1.0
    : (tensor<1x2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2xf32>
  return %z : tensor<1x2xf32>
}

// -----

// A second normalization goes into the weights that the first one left.
// CHECK-LABEL: @main
// CHECK-DAG:     nn.constant dense<{{\[}}[4.000000e+00, 3.200000e+01], [1.200000e+01, 6.400000e+01]]>
// CHECK-DAG:     nn.constant dense<[-9.000000e+00, 0.000000e+00]> : tensor<2xf32>
// CHECK:         nn.matmul
// CHECK-NEXT:    nn.add
// CHECK-NEXT:    return
func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %w = nn.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %scale = nn.constant dense<[4.0, 4.0]> : tensor<2xf32>
  %bias = nn.constant dense<[1.0, 0.0]> : tensor<2xf32>
  %mean = nn.constant dense<[2.0, 0.0]> : tensor<2xf32>
  %variance = nn.constant dense<[3.0, 0.0]> : tensor<2xf32>
  %y = nn.matmul %x, %w : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32>
  %z = nn.batch_normalization %y, %scale, %bias, %mean, %variance epsilon 1.0
    : (tensor<1x2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2xf32>
  %u = nn.batch_normalization %z, %scale, %bias, %mean, %variance epsilon 1.0
    : (tensor<1x2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2xf32>
  return %u : tensor<1x2xf32>
}
