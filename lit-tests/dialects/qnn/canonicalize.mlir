// RUN: cml-opt %s --canonicalize --cse | FileCheck %s

!q = !quant.uniform<u3:f32, 0.5:2>

// CHECK-LABEL: @drops_movement_that_moves_nothing
// CHECK-SAME:  (%[[X:.*]]: tensor<2x3x{{.*}}>)
// CHECK-NEXT:  return %[[X]]
func.func @drops_movement_that_moves_nothing(%x: tensor<2x3x!q>) -> tensor<2x3x!q> {
  %0 = qnn.reshape %x : tensor<2x3x!q> -> tensor<2x3x!q>
  %1 = qnn.transpose %0 [0, 1] : tensor<2x3x!q> -> tensor<2x3x!q>
  %2 = qnn.concat %1 axis 0 : tensor<2x3x!q> -> tensor<2x3x!q>
  return %2 : tensor<2x3x!q>
}

// CHECK-LABEL: @joins_movement
// CHECK-SAME:  (%[[X:.*]]: tensor<2x3x{{.*}}>)
// CHECK-NEXT:  %[[R:.*]] = qnn.reshape %[[X]] : {{.*}} -> tensor<1x6x
// CHECK-NEXT:  return %[[R]], %[[X]]
func.func @joins_movement(%x: tensor<2x3x!q>) -> (tensor<1x6x!q>, tensor<2x3x!q>) {
  %0 = qnn.reshape %x : tensor<2x3x!q> -> tensor<6x!q>
  %1 = qnn.reshape %0 : tensor<6x!q> -> tensor<1x6x!q>
  %2 = qnn.transpose %x [1, 0] : tensor<2x3x!q> -> tensor<3x2x!q>
  %3 = qnn.transpose %2 [1, 0] : tensor<3x2x!q> -> tensor<2x3x!q>
  return %1, %3 : tensor<1x6x!q>, tensor<2x3x!q>
}

// CHECK-LABEL: @merges_equal_ops_and_drops_dead_ones
// CHECK-NEXT:  %[[A:.*]] = qnn.quantize
// CHECK-NEXT:  return %[[A]], %[[A]]
func.func @merges_equal_ops_and_drops_dead_ones(%x: tensor<2xf32>) -> (tensor<2x!q>, tensor<2x!q>) {
  %0 = qnn.quantize %x : tensor<2xf32> -> tensor<2x!q>
  %1 = qnn.quantize %x : tensor<2xf32> -> tensor<2x!q>
  %dead = qnn.dequantize %0 : tensor<2x!q> -> tensor<2xf32>
  return %0, %1 : tensor<2x!q>, tensor<2x!q>
}

// Ops that state other ranges are other ops.
// CHECK-LABEL: @keeps_ranges_apart
// CHECK:       qnn.matmul {{.*}} lows [0] highs [7]
// CHECK-NEXT:  qnn.matmul {{.*}} lows [-2] highs [5]
func.func @keeps_ranges_apart(%x: tensor<1x1x!q>) -> (tensor<1x1x!quant.uniform<i32:f32, 0.5>>, tensor<1x1x!quant.uniform<i32:f32, 0.5>>) {
  %0 = qnn.matmul %x, dense<1> : tensor<1x1xi64> as !quant.uniform<i3:f32, 1.0> lows [0] highs [7] : tensor<1x1x!q> -> tensor<1x1x!quant.uniform<i32:f32, 0.5>>
  %1 = qnn.matmul %x, dense<1> : tensor<1x1xi64> as !quant.uniform<i3:f32, 1.0> lows [-2] highs [5] : tensor<1x1x!q> -> tensor<1x1x!quant.uniform<i32:f32, 0.5>>
  return %0, %1 : tensor<1x1x!quant.uniform<i32:f32, 0.5>>, tensor<1x1x!quant.uniform<i32:f32, 0.5>>
}
