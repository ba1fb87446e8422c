// RUN: cml-opt %s | cml-opt | FileCheck %s
// RUN: cml-opt %s --emit-bytecode | cml-opt | FileCheck %s
// RUN: cml-opt %s --mlir-print-op-generic | cml-opt | FileCheck %s

// CHECK-LABEL: @constants
func.func @constants() -> (tensor<2x2xf32>, tensor<3xi64>, tensor<2xf32>, tensor<f32>, tensor<0xf32>) {
  // CHECK: nn.constant dense<{{\[}}[1.000000e+00, -2.500000e+00], [0.000000e+00, 0x7F800000]]> : tensor<2x2xf32>
  %a = nn.constant dense<[[1.0, -2.5], [0.0, 0x7F800000]]> : tensor<2x2xf32>
  // CHECK: nn.constant dense<[1, -9223372036854775808, 3]> : tensor<3xi64>
  %b = nn.constant dense<[1, -9223372036854775808, 3]> : tensor<3xi64>
  // CHECK: nn.constant dense<5.000000e-01> : tensor<2xf32>
  %c = nn.constant dense<0.5> : tensor<2xf32>
  // CHECK: nn.constant {cml.note = "kept"} dense<1.000000e+00> : tensor<f32>
  %d = nn.constant {cml.note = "kept"} dense<1.0> : tensor<f32>
  // CHECK: nn.constant dense<> : tensor<0xf32>
  %e = nn.constant dense<> : tensor<0xf32>
  return %a, %b, %c, %d, %e : tensor<2x2xf32>, tensor<3xi64>, tensor<2xf32>, tensor<f32>, tensor<0xf32>
}

// CHECK-LABEL: @arithmetic
func.func @arithmetic(%x: tensor<1x4xf32>, %row: tensor<4xf32>, %i: tensor<1x3xi64>) {
  // CHECK: nn.add %{{.*}}, %{{.*}} : tensor<1x4xf32>, tensor<4xf32> -> tensor<1x4xf32>
  %0 = nn.add %x, %row : tensor<1x4xf32>, tensor<4xf32> -> tensor<1x4xf32>
  // CHECK: nn.sub %{{.*}}, %{{.*}} : tensor<4xf32>, tensor<1x4xf32> -> tensor<1x4xf32>
  %1 = nn.sub %row, %x : tensor<4xf32>, tensor<1x4xf32> -> tensor<1x4xf32>
  // CHECK: nn.mul %{{.*}}, %{{.*}} : tensor<1x3xi64>, tensor<1x3xi64> -> tensor<1x3xi64>
  %2 = nn.mul %i, %i : tensor<1x3xi64>, tensor<1x3xi64> -> tensor<1x3xi64>
  // CHECK: nn.div %{{.*}}, %{{.*}} : tensor<1x4xf32>, tensor<4xf32> -> tensor<1x4xf32>
  %3 = nn.div %x, %row : tensor<1x4xf32>, tensor<4xf32> -> tensor<1x4xf32>
  // CHECK: nn.neg %{{.*}} : tensor<1x4xf32>
  %4 = nn.neg %x : tensor<1x4xf32>
  return
}

// CHECK-LABEL: @activations
func.func @activations(%x: tensor<1x4xf32>) {
  // CHECK: nn.relu %{{.*}} : tensor<1x4xf32>
  %0 = nn.relu %x : tensor<1x4xf32>
  // CHECK: nn.sigmoid %{{.*}} : tensor<1x4xf32>
  %1 = nn.sigmoid %x : tensor<1x4xf32>
  // CHECK: nn.tanh %{{.*}} : tensor<1x4xf32>
  %2 = nn.tanh %x : tensor<1x4xf32>
  // CHECK: nn.softplus %{{.*}} : tensor<1x4xf32>
  %3 = nn.softplus %x : tensor<1x4xf32>
  // CHECK: nn.leaky_relu %{{.*}} alpha 0.00999999977 : tensor<1x4xf32>
  %4 = nn.leaky_relu %x alpha 0.01 : tensor<1x4xf32>
  // CHECK: nn.elu %{{.*}} alpha 1.000000e+00 : tensor<1x4xf32>
  %5 = nn.elu %x alpha 1.0 : tensor<1x4xf32>
  // CHECK: nn.softmax %{{.*}} axis 1 : tensor<1x4xf32>
  %6 = nn.softmax %x axis 1 : tensor<1x4xf32>
  return
}

// Either bound may be absent.
// CHECK-LABEL: @clips
func.func @clips(%x: tensor<1x4xf32>) {
  // CHECK: nn.clip %{{.*}} min -1.000000e+00 max 6.000000e+00 : tensor<1x4xf32>
  %0 = nn.clip %x min -1.0 max 6.0 : tensor<1x4xf32>
  // CHECK: nn.clip %{{.*}} min 0.000000e+00 : tensor<1x4xf32>
  %1 = nn.clip %x min 0.0 : tensor<1x4xf32>
  // CHECK: nn.clip %{{.*}} max 6.000000e+00 : tensor<1x4xf32>
  %2 = nn.clip %x max 6.0 : tensor<1x4xf32>
  // CHECK: nn.clip %{{.*}} : tensor<1x4xf32>
  %3 = nn.clip %x : tensor<1x4xf32>
  return
}

// CHECK-LABEL: @products
func.func @products(%x: tensor<1x4xf32>, %w: tensor<4x3xf32>, %v: tensor<4xf32>, %t: tensor<3x4xf32>, %b: tensor<3xf32>,
                    %s: tensor<2x1x4xf32>) {
  // CHECK: nn.matmul %{{.*}}, %{{.*}} : tensor<1x4xf32>, tensor<4x3xf32> -> tensor<1x3xf32>
  %0 = nn.matmul %x, %w : tensor<1x4xf32>, tensor<4x3xf32> -> tensor<1x3xf32>
  // A vector on either side loses its axis.
  // CHECK: nn.matmul %{{.*}}, %{{.*}} : tensor<1x4xf32>, tensor<4xf32> -> tensor<1xf32>
  %1 = nn.matmul %x, %v : tensor<1x4xf32>, tensor<4xf32> -> tensor<1xf32>
  // CHECK: nn.matmul %{{.*}}, %{{.*}} : tensor<4xf32>, tensor<4xf32> -> tensor<f32>
  %2 = nn.matmul %v, %v : tensor<4xf32>, tensor<4xf32> -> tensor<f32>
  // CHECK: nn.matmul %{{.*}}, %{{.*}} : tensor<2x1x4xf32>, tensor<4x3xf32> -> tensor<2x1x3xf32>
  %3 = nn.matmul %s, %w : tensor<2x1x4xf32>, tensor<4x3xf32> -> tensor<2x1x3xf32>
  // CHECK: nn.gemm %{{.*}}, %{{.*}} alpha 1.000000e+00 beta 1.000000e+00 : (tensor<1x4xf32>, tensor<4x3xf32>) -> tensor<1x3xf32>
  %4 = nn.gemm %x, %w alpha 1.0 beta 1.0 : (tensor<1x4xf32>, tensor<4x3xf32>) -> tensor<1x3xf32>
  // CHECK: nn.gemm %{{.*}}, %{{.*}}, %{{.*}} alpha 2.000000e+00 beta 5.000000e-01 transpose_b : (tensor<1x4xf32>, tensor<3x4xf32>, tensor<3xf32>) -> tensor<1x3xf32>
  %5 = nn.gemm %x, %t, %b alpha 2.0 beta 0.5 transpose_b : (tensor<1x4xf32>, tensor<3x4xf32>, tensor<3xf32>) -> tensor<1x3xf32>
  // CHECK: nn.gemm %{{.*}}, %{{.*}} alpha 1.000000e+00 beta 1.000000e+00 transpose_a : (tensor<4x3xf32>, tensor<4x3xf32>) -> tensor<3x3xf32>
  %6 = nn.gemm %w, %w alpha 1.0 beta 1.0 transpose_a : (tensor<4x3xf32>, tensor<4x3xf32>) -> tensor<3x3xf32>
  // CHECK: nn.gemm %{{.*}}, %{{.*}} alpha 1.000000e+00 beta 1.000000e+00 transpose_a transpose_b : (tensor<4x3xf32>, tensor<3x4xf32>) -> tensor<3x3xf32>
  %7 = nn.gemm %w, %t alpha 1.0 beta 1.0 transpose_a transpose_b : (tensor<4x3xf32>, tensor<3x4xf32>) -> tensor<3x3xf32>
  return
}

// CHECK-LABEL: @batch_normalization
func.func @batch_normalization(%x: tensor<1x4x2xf32>, %s: tensor<4xf32>) -> tensor<1x4x2xf32> {
  // CHECK: nn.batch_normalization %arg0, %arg1, %arg1, %arg1, %arg1 epsilon 9.99999974E-6 : (tensor<1x4x2xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x4x2xf32>
  %0 = nn.batch_normalization %x, %s, %s, %s, %s epsilon 1.0e-05 : (tensor<1x4x2xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x4x2xf32>
  return %0 : tensor<1x4x2xf32>
}

// CHECK-LABEL: @movement
func.func @movement(%x: tensor<1x4xf32>, %i: tensor<1x2xi64>) {
  // CHECK: nn.reshape %{{.*}} : tensor<1x4xf32> -> tensor<2x2xf32>
  %0 = nn.reshape %x : tensor<1x4xf32> -> tensor<2x2xf32>
  // CHECK: nn.transpose %{{.*}} [1, 0] : tensor<1x4xf32> -> tensor<4x1xf32>
  %1 = nn.transpose %x [1, 0] : tensor<1x4xf32> -> tensor<4x1xf32>
  // CHECK: nn.concat %{{.*}}, %{{.*}} axis 1 : tensor<1x2xi64>, tensor<1x2xi64> -> tensor<1x4xi64>
  %2 = nn.concat %i, %i axis 1 : tensor<1x2xi64>, tensor<1x2xi64> -> tensor<1x4xi64>
  return
}

// CHECK-LABEL: @reductions
func.func @reductions(%x: tensor<1x4x3xf32>) {
  // CHECK: nn.reduce_sum %{{.*}} [1, 2] : tensor<1x4x3xf32> -> tensor<1x1x1xf32>
  %0 = nn.reduce_sum %x [1, 2] : tensor<1x4x3xf32> -> tensor<1x1x1xf32>
  // CHECK: nn.argmax %{{.*}} axis 1 : tensor<1x4x3xf32> -> tensor<1x3xi64>
  %1 = nn.argmax %x axis 1 : tensor<1x4x3xf32> -> tensor<1x3xi64>
  // CHECK: nn.argmax %{{.*}} axis 2 keep_dims select_last_index : tensor<1x4x3xf32> -> tensor<1x4x1xi64>
  %2 = nn.argmax %x axis 2 keep_dims select_last_index : tensor<1x4x3xf32> -> tensor<1x4x1xi64>
  return
}

// CHECK-LABEL: @casts
func.func @casts(%x: tensor<1x4xf32>) -> tensor<1x4xf32> {
  // CHECK: nn.cast %{{.*}} : tensor<1x4xf32> -> tensor<1x4xi64>
  %0 = nn.cast %x : tensor<1x4xf32> -> tensor<1x4xi64>
  // CHECK: nn.cast %{{.*}} : tensor<1x4xi64> -> tensor<1x4xf32>
  %1 = nn.cast %0 : tensor<1x4xi64> -> tensor<1x4xf32>
  return %1 : tensor<1x4xf32>
}

// Scales are f64 and survive exactly.
// CHECK-LABEL: @quantizers
func.func @quantizers(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  // CHECK: nn.fake_quantize %{{.*}} scales [0.33333333333333331] zero_points [1] axis 0 range -4 to 3 : tensor<1x2xf32>
  %0 = nn.fake_quantize %x scales [0.3333333333333333] zero_points [1] axis 0 range -4 to 3 : tensor<1x2xf32>
  // CHECK: nn.fake_quantize %{{.*}} scales [5.000000e-01, 2.500000e-01] zero_points [0, 2] axis 1 range 0 to 7 : tensor<1x2xf32>
  %1 = nn.fake_quantize %0 scales [0.5, 0.25] zero_points [0, 2] axis 1 range 0 to 7 : tensor<1x2xf32>
  return %1 : tensor<1x2xf32>
}

// Another way there, and another way back.
// CHECK-LABEL: @roundings
func.func @roundings(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  // CHECK: range 0 to 7 divisors [1.000000e-01] shifts [5.000000e-01] offsets [5.000000e-01] rounding "floor" : tensor<1x2xf32>
  %0 = nn.fake_quantize %x scales [0.5] zero_points [0] axis 0 range 0 to 7 divisors [0.1] shifts [0.5] offsets [0.5] rounding "floor" : tensor<1x2xf32>
  // CHECK: range 0 to 7 offsets [-5.000000e-01] : tensor<1x2xf32>
  %1 = nn.fake_quantize %0 scales [0.5] zero_points [0] axis 0 range 0 to 7 offsets [-0.5] : tensor<1x2xf32>
  return %1 : tensor<1x2xf32>
}
