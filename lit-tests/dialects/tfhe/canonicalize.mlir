// RUN: cml-opt %s --canonicalize --cse | FileCheck %s

// CHECK-LABEL: @drops_the_unit_matrix
// CHECK-SAME:  (%[[X:.*]]: tensor<2x{{.*}}>)
// CHECK-NEXT:  return %[[X]]
func.func @drops_the_unit_matrix(%x: tensor<2x!tfhe.lwe<big, 8>>) -> tensor<2x!tfhe.lwe<big, 8>> {
  %0 = tfhe.linear %x weights dense<[[1, 0], [0, 1]]> : tensor<2x2xi64> bias [0, 0] : tensor<2x!tfhe.lwe<big, 8>> -> tensor<2x!tfhe.lwe<big, 8>>
  return %0 : tensor<2x!tfhe.lwe<big, 8>>
}

// A bias, another matrix, another spacing: each of them does something.
// CHECK-LABEL: @keeps_what_changes_the_value
// CHECK-COUNT-3: tfhe.linear
func.func @keeps_what_changes_the_value(%x: tensor<2x!tfhe.lwe<big, 8>>) -> tensor<2x!tfhe.lwe<big, 16>> {
  %0 = tfhe.linear %x weights dense<[[1, 0], [0, 1]]> : tensor<2x2xi64> bias [0, 1] : tensor<2x!tfhe.lwe<big, 8>> -> tensor<2x!tfhe.lwe<big, 8>>
  %1 = tfhe.linear %0 weights dense<[[0, 1], [1, 0]]> : tensor<2x2xi64> bias [0, 0] : tensor<2x!tfhe.lwe<big, 8>> -> tensor<2x!tfhe.lwe<big, 8>>
  %2 = tfhe.linear %1 weights dense<[[1, 0], [0, 1]]> : tensor<2x2xi64> bias [0, 0] : tensor<2x!tfhe.lwe<big, 8>> -> tensor<2x!tfhe.lwe<big, 16>>
  return %2 : tensor<2x!tfhe.lwe<big, 16>>
}

// Equal keyswitches are done once, and one that nobody reads is not done.
// CHECK-LABEL: @merges_keyswitches
// CHECK-NEXT:  %[[K:.*]] = tfhe.keyswitch
// CHECK-NEXT:  return %[[K]], %[[K]]
func.func @merges_keyswitches(%x: tensor<2x!tfhe.lwe<big, 8>>, %y: tensor<1x!tfhe.lwe<big, 8>>) -> (tensor<2x!tfhe.lwe<small 0, 8>>, tensor<2x!tfhe.lwe<small 0, 8>>) {
  %0 = tfhe.keyswitch %x : tensor<2x!tfhe.lwe<big, 8>> -> tensor<2x!tfhe.lwe<small 0, 8>>
  %1 = tfhe.keyswitch %x : tensor<2x!tfhe.lwe<big, 8>> -> tensor<2x!tfhe.lwe<small 0, 8>>
  %dead = tfhe.keyswitch %y : tensor<1x!tfhe.lwe<big, 8>> -> tensor<1x!tfhe.lwe<small 0, 8>>
  return %0, %1 : tensor<2x!tfhe.lwe<small 0, 8>>, tensor<2x!tfhe.lwe<small 0, 8>>
}
