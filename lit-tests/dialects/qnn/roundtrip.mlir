// RUN: cml-opt %s | cml-opt | FileCheck %s
// RUN: cml-opt %s --emit-bytecode | cml-opt | FileCheck %s
// RUN: cml-opt %s --mlir-print-op-generic | cml-opt | FileCheck %s

!u3 = !quant.uniform<u3:f32, 0.5:2>
!w3 = !quant.uniform<i3<-3:3>:f32, 0.25>
!acc = !quant.uniform<i32:f32, 0.125>

// CHECK-LABEL: @client_in
func.func @client_in(%x: tensor<1x2xf32>) -> (tensor<1x2x!u3>, tensor<1x2x!quant.uniform<i8:f32:1, {0.5:-3, 0.33333333333333331}>>) {
  // CHECK: qnn.quantize %{{.*}} : tensor<1x2xf32> -> tensor<1x2x!quant.uniform<u3:f32, 5.000000e-01:2>>
  %0 = qnn.quantize %x : tensor<1x2xf32> -> tensor<1x2x!u3>
  // CHECK: qnn.quantize %{{.*}} -> tensor<1x2x!quant.uniform<i8:f32:1, {5.000000e-01:-3,0.33333333333333331}>>
  %1 = qnn.quantize %x : tensor<1x2xf32> -> tensor<1x2x!quant.uniform<i8:f32:1, {0.5:-3, 0.33333333333333331}>>
  return %0, %1 : tensor<1x2x!u3>, tensor<1x2x!quant.uniform<i8:f32:1, {0.5:-3, 0.33333333333333331}>>
}

// What a type cannot say stands on the op.
// CHECK-LABEL: @halves
func.func @halves(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  // CHECK: qnn.quantize %{{.*}} divisors [2.500000e-01] shifts [5.000000e-01] rounding "half_up" : tensor<1x2xf32> ->
  %0 = qnn.quantize %x divisors [0.25] shifts [0.5] rounding "half_up" : tensor<1x2xf32> -> tensor<1x2x!u3>
  // CHECK: qnn.dequantize %{{.*}} offsets [5.000000e-01] : tensor<1x2x!quant
  %1 = qnn.dequantize %0 offsets [0.5] : tensor<1x2x!u3> -> tensor<1x2xf32>
  return %1 : tensor<1x2xf32>
}

// CHECK-LABEL: @client_out
func.func @client_out(%a: tensor<1x2x!acc>) -> tensor<1x2xf32> {
  // CHECK: qnn.dequantize %{{.*}} : tensor<1x2x!quant.uniform<i32:f32, 1.250000e-01>> -> tensor<1x2xf32>
  %0 = qnn.dequantize %a : tensor<1x2x!acc> -> tensor<1x2xf32>
  return %0 : tensor<1x2xf32>
}

// CHECK-LABEL: @products
func.func @products(%x: tensor<1x2x!u3>) {
  // CHECK: qnn.matmul %{{.*}}, dense<{{\[}}[1, -3], [0, 3]]> : tensor<2x2xi64> as !quant.uniform<i3<-3:3>:f32, 2.500000e-01> : tensor<1x2x!quant.uniform<u3:f32, 5.000000e-01:2>> -> tensor<1x2x!quant.uniform<i32:f32, 1.250000e-01>>
  %0 = qnn.matmul %x, dense<[[1, -3], [0, 3]]> : tensor<2x2xi64> as !w3 : tensor<1x2x!u3> -> tensor<1x2x!acc>
  // CHECK: qnn.matmul %{{.*}} lows [-2, -21] highs [5, 21] :
  %1 = qnn.matmul %x, dense<[[1, -3], [0, 3]]> : tensor<2x2xi64> as !w3 lows [-2, -21] highs [5, 21] : tensor<1x2x!u3> -> tensor<1x2x!acc>
  // CHECK: qnn.matmul %{{.*}} lows [-2, -21] highs [5, 21] measured_lows [0, 0] measured_highs [1, 2] :
  %2 = qnn.matmul %x, dense<[[1, -3], [0, 3]]> : tensor<2x2xi64> as !w3 lows [-2, -21] highs [5, 21] measured_lows [0, 0] measured_highs [1, 2] : tensor<1x2x!u3> -> tensor<1x2x!acc>
  // CHECK: qnn.matmul %{{.*}} as !quant.uniform<i3<-3:3>:f32:1, {2.500000e-01,5.000000e-01}> measured_lows [0, 0] measured_highs [1, 2] : {{.*}} -> tensor<1x2x!quant.uniform<i32:f32:1, {1.250000e-01,2.500000e-01}>>
  %3 = qnn.matmul %x, dense<1> : tensor<2x2xi64> as !quant.uniform<i3<-3:3>:f32:1, {0.25, 0.5}> measured_lows [0, 0] measured_highs [1, 2] : tensor<1x2x!u3> -> tensor<1x2x!quant.uniform<i32:f32:1, {0.125, 0.25}>>
  return
}

// CHECK-LABEL: @lookup
func.func @lookup(%a: tensor<1x2x!acc>) -> tensor<1x2x!u3> {
  // CHECK: qnn.lookup %{{.*}} tables [array<i64: 0, 1, 2>, array<i64: 7>] firsts [-1, 5] of [0, 1] : tensor<1x2x!quant.uniform<i32:f32, 1.250000e-01>> -> tensor<1x2x!quant.uniform<u3:f32, 5.000000e-01:2>>
  %0 = qnn.lookup %a tables [array<i64: 0, 1, 2>, array<i64: 7>] firsts [-1, 5] of [0, 1] : tensor<1x2x!acc> -> tensor<1x2x!u3>
  return %0 : tensor<1x2x!u3>
}

// CHECK-LABEL: @movement
func.func @movement(%x: tensor<1x2x!u3>) {
  // CHECK: qnn.reshape %{{.*}} : tensor<1x2x!quant.uniform<u3:f32, 5.000000e-01:2>> -> tensor<2x!quant.uniform<u3:f32, 5.000000e-01:2>>
  %0 = qnn.reshape %x : tensor<1x2x!u3> -> tensor<2x!u3>
  // CHECK: qnn.transpose %{{.*}} [1, 0] : tensor<1x2x!quant.uniform<u3:f32, 5.000000e-01:2>> -> tensor<2x1x!quant.uniform<u3:f32, 5.000000e-01:2>>
  %1 = qnn.transpose %x [1, 0] : tensor<1x2x!u3> -> tensor<2x1x!u3>
  // CHECK: qnn.concat %{{.*}}, %{{.*}} axis 0 : tensor<1x2x!quant.uniform<u3:f32, 5.000000e-01:2>>, tensor<1x2x!quant.uniform<u3:f32, 5.000000e-01:2>> -> tensor<2x2x!quant.uniform<u3:f32, 5.000000e-01:2>>
  %2 = qnn.concat %x, %x axis 0 : tensor<1x2x!u3>, tensor<1x2x!u3> -> tensor<2x2x!u3>
  return
}

// Where scales go along an axis, each element takes its own with it.
// CHECK-LABEL: @movement_of_channels
func.func @movement_of_channels(%x: tensor<1x2x!quant.uniform<i8:f32:1, {0.5:1, 0.25:-1}>>) {
  // CHECK: qnn.reshape {{.*}} -> tensor<2x1x!quant.uniform<i8:f32:0, {5.000000e-01:1,2.500000e-01:-1}>>
  %0 = qnn.reshape %x : tensor<1x2x!quant.uniform<i8:f32:1, {0.5:1, 0.25:-1}>> -> tensor<2x1x!quant.uniform<i8:f32:0, {0.5:1, 0.25:-1}>>
  // CHECK: qnn.transpose {{.*}} -> tensor<2x1x!quant.uniform<i8:f32:0, {5.000000e-01:1,2.500000e-01:-1}>>
  %1 = qnn.transpose %x [1, 0] : tensor<1x2x!quant.uniform<i8:f32:1, {0.5:1, 0.25:-1}>> -> tensor<2x1x!quant.uniform<i8:f32:0, {0.5:1, 0.25:-1}>>
  // CHECK: qnn.concat {{.*}} -> tensor<1x4x!quant.uniform<i8:f32:1, {5.000000e-01:1,2.500000e-01:-1,5.000000e-01:1,2.500000e-01:-1}>>
  %2 = qnn.concat %x, %x axis 1 : tensor<1x2x!quant.uniform<i8:f32:1, {0.5:1, 0.25:-1}>>, tensor<1x2x!quant.uniform<i8:f32:1, {0.5:1, 0.25:-1}>> -> tensor<1x4x!quant.uniform<i8:f32:1, {0.5:1, 0.25:-1, 0.5:1, 0.25:-1}>>
  return
}
