// RUN: cml-opt %s | cml-opt | FileCheck %s
// RUN: cml-opt %s --emit-bytecode | cml-opt | FileCheck %s
// RUN: cml-opt %s --mlir-print-op-generic | cml-opt | FileCheck %s

// CHECK: module attributes {tfhe.parameters = #tfhe.parameters<n = 800, k = 1, N = 2048, pbs = 23 x 1, ks = 3 x 5, lwe_std_dev = 1.2345678901234567E-6 : f64, glwe_std_dev = 0.000000e+00 : f64>}
module attributes {tfhe.parameters = #tfhe.parameters<n = 800, k = 1, N = 2048, pbs = 23 x 1, ks = 3 x 5, lwe_std_dev = 1.2345678901234567e-06 : f64, glwe_std_dev = 0.0 : f64>} {
  // CHECK-LABEL: @server
  func.func @server(%x: tensor<2x!tfhe.lwe<"big", 1024>>, %y: tensor<1x!tfhe.lwe<"big", 1024>>) -> tensor<2x!tfhe.lwe<"big", 4611686018427387904>> {
    // CHECK: tfhe.linear %{{.*}}, %{{.*}} weights dense<{{\[}}[1, -2, 3], [0, 0, 1]]> : tensor<2x3xi64> bias [0, -7] : tensor<2x!tfhe.lwe<"big", 1024>>, tensor<1x!tfhe.lwe<"big", 1024>> -> tensor<2x!tfhe.lwe<"big", 2048>>
    %0 = tfhe.linear %x, %y weights dense<[[1, -2, 3], [0, 0, 1]]> : tensor<2x3xi64> bias [0, -7] : tensor<2x!tfhe.lwe<"big", 1024>>, tensor<1x!tfhe.lwe<"big", 1024>> -> tensor<2x!tfhe.lwe<"big", 2048>>
    // CHECK: tfhe.keyswitch %{{.*}} : tensor<2x!tfhe.lwe<"big", 2048>> -> tensor<2x!tfhe.lwe<"small", 2048>>
    %1 = tfhe.keyswitch %0 : tensor<2x!tfhe.lwe<"big", 2048>> -> tensor<2x!tfhe.lwe<"small", 2048>>
    // CHECK: tfhe.bootstrap %{{.*}} extension 2 tables [array<i64: 0, 1>, array<i64: -5>] firsts [-1, 3] of [0, 1] : tensor<2x!tfhe.lwe<"small", 2048>> -> tensor<2x!tfhe.lwe<"big", 4611686018427387904>>
    %2 = tfhe.bootstrap %1 extension 2 tables [array<i64: 0, 1>, array<i64: -5>] firsts [-1, 3] of [0, 1] : tensor<2x!tfhe.lwe<"small", 2048>> -> tensor<2x!tfhe.lwe<"big", 4611686018427387904>>
    return %2 : tensor<2x!tfhe.lwe<"big", 4611686018427387904>>
  }
}
