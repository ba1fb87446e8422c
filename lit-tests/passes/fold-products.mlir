// RUN: cml-opt --cml-check-semantics --split-input-file --cml-fold-products --canonicalize %s | FileCheck %s

// The mean of a window of two goes into the dense layer after it: two lookups for two channels are none.
// CHECK-LABEL: @main
// CHECK-DAG:     %[[W:.*]] = nn.constant dense<{{\[}}[5.000000e-01, 1.000000e+00], [5.000000e-01, 1.000000e+00], [1.500000e+00, 2.000000e+00], [1.500000e+00, 2.000000e+00]]>
// CHECK:         %[[F:.*]] = nn.reshape %{{.*}} : tensor<1x2x2xf32> -> tensor<1x4xf32>
// CHECK-NEXT:    %[[Y:.*]] = nn.matmul %[[F]], %[[W]] : tensor<1x4xf32>, tensor<4x2xf32> -> tensor<1x2xf32>
// CHECK-NEXT:    return %[[Y]]
func.func @main(%x: tensor<1x2x2xf32>) -> tensor<1x2xf32> {
  %a = nn.constant dense<[[0.5], [0.5]]> : tensor<2x1xf32>
  %b = nn.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %p = nn.matmul %x, %a : tensor<1x2x2xf32>, tensor<2x1xf32> -> tensor<1x2x1xf32>
  %r = nn.reshape %p : tensor<1x2x1xf32> -> tensor<1x2xf32>
  %y = nn.matmul %r, %b : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}

// -----

// Three in a row are one.
// CHECK-LABEL: @main
// CHECK:         nn.constant dense<1.200000e+01>
// CHECK:         nn.matmul
// CHECK-NOT:     nn.matmul
func.func @main(%x: tensor<1x1xf32>) -> tensor<1x1xf32> {
  %a = nn.constant dense<[[2.0, 1.0]]> : tensor<1x2xf32>
  %b = nn.constant dense<[[1.0], [2.0]]> : tensor<2x1xf32>
  %c = nn.constant dense<3.0> : tensor<1x1xf32>
  %p = nn.matmul %x, %a : tensor<1x1xf32>, tensor<1x2xf32> -> tensor<1x2xf32>
  %q = nn.matmul %p, %b : tensor<1x2xf32>, tensor<2x1xf32> -> tensor<1x1xf32>
  %y = nn.matmul %q, %c : tensor<1x1xf32>, tensor<1x1xf32> -> tensor<1x1xf32>
  return %y : tensor<1x1xf32>
}

// -----

// A transposition in front of a product is the order of its weights.
// CHECK-LABEL: @main
// CHECK-DAG:     nn.constant dense<{{\[}}[1.000000e+00], [3.000000e+00], [2.000000e+00], [4.000000e+00]]>
// CHECK-NOT:     nn.transpose
// CHECK:         %[[F:.*]] = nn.reshape %{{.*}} : tensor<2x2xf32> -> tensor<1x4xf32>
// CHECK:         nn.matmul %[[F]]
func.func @main(%x: tensor<2x2xf32>) -> tensor<1x1xf32> {
  %b = nn.constant dense<[[1.0], [2.0], [3.0], [4.0]]> : tensor<4x1xf32>
  %t = nn.transpose %x [1, 0] : tensor<2x2xf32> -> tensor<2x2xf32>
  %r = nn.reshape %t : tensor<2x2xf32> -> tensor<1x4xf32>
  %y = nn.matmul %r, %b : tensor<1x4xf32>, tensor<4x1xf32> -> tensor<1x1xf32>
  return %y : tensor<1x1xf32>
}

// -----

// What something else reads stays, and so does what is not linear, or has several rows.
// CHECK-LABEL: @main
// CHECK-COUNT-5: nn.matmul
func.func @main(%x: tensor<1x2xf32>, %z: tensor<2x2xf32>) -> (tensor<1x2xf32>, tensor<1x1xf32>, tensor<2x1xf32>) {
  %a = nn.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %b = nn.constant dense<[[1.0], [2.0]]> : tensor<2x1xf32>
  %p = nn.matmul %x, %a : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32>
  %h = nn.relu %p : tensor<1x2xf32>
  %q = nn.matmul %h, %a : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32>
  %y = nn.matmul %q, %b : tensor<1x2xf32>, tensor<2x1xf32> -> tensor<1x1xf32>
  %m = nn.matmul %z, %a : tensor<2x2xf32>, tensor<2x2xf32> -> tensor<2x2xf32>
  %n = nn.matmul %m, %b : tensor<2x2xf32>, tensor<2x1xf32> -> tensor<2x1xf32>
  return %q, %y, %n : tensor<1x2xf32>, tensor<1x1xf32>, tensor<2x1xf32>
}

// -----

// Two narrow matrices stay apart where their product is none: one lookup between costs less than wide sums after it.
// CHECK-LABEL: @main
// CHECK-COUNT-3: nn.matmul
func.func @main(%x: tensor<1x8xf32>) -> tensor<1x1xf32> {
  %a = nn.constant dense<1.0> : tensor<8x1xf32>
  %b = nn.constant dense<[[1.0, -1.0, 2.0, -2.0, 3.0, -3.0, 4.0, -4.0]]> : tensor<1x8xf32>
  %c = nn.constant dense<1.0> : tensor<8x1xf32>
  %p = nn.matmul %x, %a : tensor<1x8xf32>, tensor<8x1xf32> -> tensor<1x1xf32>
  %q = nn.matmul %p, %b : tensor<1x1xf32>, tensor<1x8xf32> -> tensor<1x8xf32>
  %h = nn.relu %q : tensor<1x8xf32>
  %y = nn.matmul %h, %c : tensor<1x8xf32>, tensor<8x1xf32> -> tensor<1x1xf32>
  return %y : tensor<1x1xf32>
}
