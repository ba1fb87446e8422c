// RUN: cml-opt %s --canonicalize --cse | FileCheck %s

// CHECK-LABEL: @drops_neutral_operands
// CHECK-SAME:  (%[[X:.*]]: tensor<1x4xf32>, %[[I:.*]]: tensor<2xi64>)
// CHECK-NEXT:  return %[[X]], %[[I]]
func.func @drops_neutral_operands(%x: tensor<1x4xf32>, %i: tensor<2xi64>) -> (tensor<1x4xf32>, tensor<2xi64>) {
  %zero = nn.constant dense<0.0> : tensor<4xf32>
  %minus = nn.constant dense<-0.0> : tensor<f32>
  %one = nn.constant dense<1.0> : tensor<f32>
  %two = nn.constant dense<1> : tensor<2xi64>
  %0 = nn.add %zero, %x : tensor<4xf32>, tensor<1x4xf32> -> tensor<1x4xf32>
  %1 = nn.sub %0, %minus : tensor<1x4xf32>, tensor<f32> -> tensor<1x4xf32>
  %2 = nn.mul %one, %1 : tensor<f32>, tensor<1x4xf32> -> tensor<1x4xf32>
  %3 = nn.div %2, %one : tensor<1x4xf32>, tensor<f32> -> tensor<1x4xf32>
  %4 = nn.mul %i, %two : tensor<2xi64>, tensor<2xi64> -> tensor<2xi64>
  return %3, %4 : tensor<1x4xf32>, tensor<2xi64>
}

// 0 - x and 1 / x are no x.
// CHECK-LABEL: @keeps_what_is_not_neutral
// CHECK:       nn.sub
// CHECK-NEXT:  nn.div
func.func @keeps_what_is_not_neutral(%x: tensor<4xf32>) -> tensor<4xf32> {
  %zero = nn.constant dense<0.0> : tensor<4xf32>
  %one = nn.constant dense<1.0> : tensor<4xf32>
  %0 = nn.sub %zero, %x : tensor<4xf32>, tensor<4xf32> -> tensor<4xf32>
  %1 = nn.div %one, %0 : tensor<4xf32>, tensor<4xf32> -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// A neutral operand that broadcasts the other one does something.
// CHECK-LABEL: @keeps_broadcasts
// CHECK:       nn.add
func.func @keeps_broadcasts(%x: tensor<1x4xf32>) -> tensor<3x4xf32> {
  %zero = nn.constant dense<0.0> : tensor<3x4xf32>
  %0 = nn.add %x, %zero : tensor<1x4xf32>, tensor<3x4xf32> -> tensor<3x4xf32>
  return %0 : tensor<3x4xf32>
}

// CHECK-LABEL: @folds_repeated_functions
// CHECK-SAME:  (%[[X:.*]]: tensor<4xf32>)
// CHECK-NEXT:  %[[R:.*]] = nn.relu %[[X]]
// CHECK-NEXT:  return %[[X]], %[[R]], %[[X]]
func.func @folds_repeated_functions(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %0 = nn.neg %x : tensor<4xf32>
  %1 = nn.neg %0 : tensor<4xf32>
  %2 = nn.relu %x : tensor<4xf32>
  %3 = nn.relu %2 : tensor<4xf32>
  %4 = nn.clip %x : tensor<4xf32>
  return %1, %3, %4 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// CHECK-LABEL: @drops_movement_that_moves_nothing
// CHECK-SAME:  (%[[X:.*]]: tensor<2x3xf32>)
// CHECK-NEXT:  return %[[X]]
func.func @drops_movement_that_moves_nothing(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = nn.reshape %x : tensor<2x3xf32> -> tensor<2x3xf32>
  %1 = nn.transpose %0 [0, 1] : tensor<2x3xf32> -> tensor<2x3xf32>
  %2 = nn.concat %1 axis 0 : tensor<2x3xf32> -> tensor<2x3xf32>
  %3 = nn.reduce_sum %2 [] : tensor<2x3xf32> -> tensor<2x3xf32>
  %4 = nn.cast %3 : tensor<2x3xf32> -> tensor<2x3xf32>
  return %4 : tensor<2x3xf32>
}

// A permutation that is not the identity stays, even where it keeps the shape.
// CHECK-LABEL: @keeps_transpose_of_a_square
// CHECK:       nn.transpose %{{.*}} [1, 0]
func.func @keeps_transpose_of_a_square(%x: tensor<2x2xf32>) -> tensor<2x2xf32> {
  %0 = nn.transpose %x [1, 0] : tensor<2x2xf32> -> tensor<2x2xf32>
  return %0 : tensor<2x2xf32>
}

// CHECK-LABEL: @joins_reshapes
// CHECK-SAME:  (%[[X:.*]]: tensor<1x6xf32>)
// CHECK-NEXT:  %[[Y:.*]] = nn.reshape %[[X]] : tensor<1x6xf32> -> tensor<3x2xf32>
// CHECK-NEXT:  return %[[Y]], %[[X]]
func.func @joins_reshapes(%x: tensor<1x6xf32>) -> (tensor<3x2xf32>, tensor<1x6xf32>) {
  %0 = nn.reshape %x : tensor<1x6xf32> -> tensor<2x3xf32>
  %1 = nn.reshape %0 : tensor<2x3xf32> -> tensor<3x2xf32>
  %2 = nn.reshape %0 : tensor<2x3xf32> -> tensor<1x6xf32>
  return %1, %2 : tensor<3x2xf32>, tensor<1x6xf32>
}

// Axis i of the result is axis q[p[i]] of x.
// CHECK-LABEL: @joins_transposes
// CHECK-SAME:  (%[[X:.*]]: tensor<2x3x4xf32>)
// CHECK-NEXT:  %[[Y:.*]] = nn.transpose %[[X]] [2, 1, 0] : tensor<2x3x4xf32> -> tensor<4x3x2xf32>
// CHECK-NEXT:  return %[[Y]], %[[X]]
func.func @joins_transposes(%x: tensor<2x3x4xf32>) -> (tensor<4x3x2xf32>, tensor<2x3x4xf32>) {
  %0 = nn.transpose %x [1, 2, 0] : tensor<2x3x4xf32> -> tensor<3x4x2xf32>
  %1 = nn.transpose %0 [1, 0, 2] : tensor<3x4x2xf32> -> tensor<4x3x2xf32>
  %2 = nn.transpose %0 [2, 0, 1] : tensor<3x4x2xf32> -> tensor<2x3x4xf32>
  return %1, %2 : tensor<4x3x2xf32>, tensor<2x3x4xf32>
}

// CHECK-LABEL: @merges_equal_ops_and_drops_dead_ones
// CHECK-NEXT:  %[[C:.*]] = nn.constant dense<2.000000e+00>
// CHECK-NEXT:  %[[Y:.*]] = nn.mul %{{.*}}, %[[C]]
// CHECK-NEXT:  return %[[Y]], %[[Y]]
func.func @merges_equal_ops_and_drops_dead_ones(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %a = nn.constant dense<2.0> : tensor<4xf32>
  %b = nn.constant dense<2.0> : tensor<4xf32>
  %0 = nn.mul %x, %a : tensor<4xf32>, tensor<4xf32> -> tensor<4xf32>
  %1 = nn.mul %b, %x : tensor<4xf32>, tensor<4xf32> -> tensor<4xf32>
  %dead = nn.sigmoid %x : tensor<4xf32>
  return %0, %1 : tensor<4xf32>, tensor<4xf32>
}
