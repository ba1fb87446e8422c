// RUN: cml-opt --split-input-file --cml-rewrite-fhe --mlir-print-debuginfo --mlir-print-local-scope %s | FileCheck %s

// Two lookups meet past a transpose; each element keeps its table and its range. What replaces an op has its place.
// CHECK-LABEL: @server
// CHECK-NEXT:  %[[L:.*]] = fhe.lookup %arg0 tables [array<i64: 1, 0>, array<i64: 1, 3>] firsts [0, 0] of [0, 1] lows [0, 1] highs [1, 3] : tensor<1x2x!fhe.eint<0:1>> -> tensor<1x2x!fhe.eint<0:3>> loc("Relu_2")
// CHECK-NEXT:  fhe.transpose %[[L]] {{.*}} -> tensor<2x1x!fhe.eint<0:3>> loc("Relu_2")
// CHECK-NEXT:  return
func.func @server(%x: tensor<1x2x!fhe.eint<0:1>>) -> tensor<2x1x!fhe.eint<0:3>> {
  %a = fhe.lookup %x tables [array<i64: 1, 0>, array<i64: 0, 2>] firsts [0, 0] of [0, 1] : tensor<1x2x!fhe.eint<0:1>> -> tensor<1x2x!fhe.eint<0:2>> loc("Relu_1")
  %b = fhe.transpose %a [1, 0] : tensor<1x2x!fhe.eint<0:2>> -> tensor<2x1x!fhe.eint<0:2>> loc("Transpose_1")
  %c = fhe.lookup %b tables [array<i64: 0, 1, 2>, array<i64: 1, 2, 3>] firsts [0, 0] of [0, 1] : tensor<2x1x!fhe.eint<0:2>> -> tensor<2x1x!fhe.eint<0:3>> loc("Relu_2")
  return %c : tensor<2x1x!fhe.eint<0:3>>
}

// -----

// A lookup of joined tensors is a lookup of each, which meets the lookup that made it.
// CHECK-LABEL: @server
// CHECK-DAG:   %[[X:.*]] = fhe.lookup %arg0 tables [array<i64: 5, 4>]
// CHECK-DAG:   %[[Y:.*]] = fhe.lookup %arg1 tables [array<i64: 4, 6>]
// CHECK:       fhe.concat %[[X]], %[[Y]] axis 0
// CHECK-NEXT:  return
func.func @server(%x: tensor<1x!fhe.eint<0:1>>, %y: tensor<1x!fhe.eint<0:1>>) -> tensor<2x!fhe.eint<4:6>> {
  %a = fhe.lookup %x tables [array<i64: 1, 0>] firsts [0] of [0] : tensor<1x!fhe.eint<0:1>> -> tensor<1x!fhe.eint<0:1>>
  %b = fhe.lookup %y tables [array<i64: 0, 2>] firsts [0] of [0] : tensor<1x!fhe.eint<0:1>> -> tensor<1x!fhe.eint<0:2>>
  %c = fhe.concat %a, %b axis 0 : tensor<1x!fhe.eint<0:1>>, tensor<1x!fhe.eint<0:2>> -> tensor<2x!fhe.eint<0:2>>
  %d = fhe.lookup %c tables [array<i64: 4, 5, 6>] firsts [0] of [0, 0] : tensor<2x!fhe.eint<0:2>> -> tensor<2x!fhe.eint<4:6>>
  return %d : tensor<2x!fhe.eint<4:6>>
}

// -----

// Left alone: moving the reshape would save nothing.
// CHECK-LABEL: @server
// CHECK-NEXT:  %[[R:.*]] = fhe.reshape %arg0
// CHECK-NEXT:  fhe.lookup %[[R]]
// CHECK-NEXT:  return
func.func @server(%x: tensor<1x2x!fhe.eint<0:1>>) -> tensor<2x!fhe.eint<0:1>> {
  %a = fhe.reshape %x : tensor<1x2x!fhe.eint<0:1>> -> tensor<2x!fhe.eint<0:1>>
  %b = fhe.lookup %a tables [array<i64: 1, 0>] firsts [0] of [0, 0] : tensor<2x!fhe.eint<0:1>> -> tensor<2x!fhe.eint<0:1>>
  return %b : tensor<2x!fhe.eint<0:1>>
}
