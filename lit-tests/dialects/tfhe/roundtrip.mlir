// RUN: cml-opt %s | cml-opt | FileCheck %s
// RUN: cml-opt %s --emit-bytecode | cml-opt | FileCheck %s
// RUN: cml-opt %s --mlir-print-op-generic | cml-opt | FileCheck %s

// CHECK:      module attributes {tfhe.parameters = [#tfhe.parameters<n = 800, k = 1, N = 2048, pbs = 23 x 1, ks = 3 x 5, lwe_std_dev = 1.2345678901234567E-6 : f64, glwe_std_dev = 0.000000e+00 : f64>,
// CHECK-SAME: #tfhe.parameters<n = 600, k = 4, N = 512, pbs = 15 x 2, ks = 3 x 4, lwe_std_dev = 1.000000e-05 : f64, glwe_std_dev = 0.000000e+00 : f64>]}
module attributes {tfhe.parameters = [
  #tfhe.parameters<n = 800, k = 1, N = 2048, pbs = 23 x 1, ks = 3 x 5, lwe_std_dev = 1.2345678901234567e-06 : f64, glwe_std_dev = 0.0 : f64>,
  #tfhe.parameters<n = 600, k = 4, N = 512, pbs = 15 x 2, ks = 3 x 4, lwe_std_dev = 1.0e-05 : f64, glwe_std_dev = 0.0 : f64>
]} {
  // CHECK-LABEL: @server
  func.func @server(%x: tensor<2x!tfhe.lwe<big, 1024>>, %y: tensor<1x!tfhe.lwe<big, 512>>) -> tensor<2x!tfhe.lwe<big, 4611686018427387904>> {
    // CHECK: tfhe.linear %{{.*}}, %{{.*}} weights dense<{{\[}}[1, -2, 3], [0, 0, 1]]> : tensor<2x3xi64> bias [0, -7] : tensor<2x!tfhe.lwe<big, 1024>>, tensor<1x!tfhe.lwe<big, 512>> -> tensor<2x!tfhe.lwe<big, 2048>>
    %0 = tfhe.linear %x, %y weights dense<[[1, -2, 3], [0, 0, 1]]> : tensor<2x3xi64> bias [0, -7] : tensor<2x!tfhe.lwe<big, 1024>>, tensor<1x!tfhe.lwe<big, 512>> -> tensor<2x!tfhe.lwe<big, 2048>>
    // CHECK: tfhe.keyswitch %{{.*}} : tensor<2x!tfhe.lwe<big, 2048>> -> tensor<2x!tfhe.lwe<small 1, 2048>>
    %1 = tfhe.keyswitch %0 : tensor<2x!tfhe.lwe<big, 2048>> -> tensor<2x!tfhe.lwe<small 1, 2048>>
    // CHECK: tfhe.bootstrap %{{.*}} lookup 3: fold extension 2 tolerance 5 tables [array<i64: 0, 1>, array<i64: -5>] firsts [-1, 3] centers [1, -10] of [0, 1] : tensor<2x!tfhe.lwe<small 1, 2048>> -> tensor<2x!tfhe.lwe<big, 4096>>
    %2 = tfhe.bootstrap %1 lookup 3: fold extension 2 tolerance 5 tables [array<i64: 0, 1>, array<i64: -5>] firsts [-1, 3] centers [1, -10] of [0, 1] : tensor<2x!tfhe.lwe<small 1, 2048>> -> tensor<2x!tfhe.lwe<big, 4096>>
    // CHECK: tfhe.combine %{{.*}}, %{{.*}} weights [-1, 2] bias [0, 7] : tensor<2x!tfhe.lwe<big, 2048>>, tensor<2x!tfhe.lwe<big, 4096>> -> tensor<2x!tfhe.lwe<big, 4096>>
    %3 = tfhe.combine %0, %2 weights [-1, 2] bias [0, 7] : tensor<2x!tfhe.lwe<big, 2048>>, tensor<2x!tfhe.lwe<big, 4096>> -> tensor<2x!tfhe.lwe<big, 4096>>
    %4 = tfhe.keyswitch %3 : tensor<2x!tfhe.lwe<big, 4096>> -> tensor<2x!tfhe.lwe<small 0, 4096>>
    // CHECK: tfhe.bootstrap %{{.*}} lookup 3 extension -1 tables [array<i64: 0, 1>] firsts [-1] of [0, 0] : tensor<2x!tfhe.lwe<small 0, 4096>> -> tensor<2x!tfhe.lwe<big, 4611686018427387904>>
    %5 = tfhe.bootstrap %4 lookup 3: table extension -1 tolerance 0 tables [array<i64: 0, 1>] firsts [-1] of [0, 0] : tensor<2x!tfhe.lwe<small 0, 4096>> -> tensor<2x!tfhe.lwe<big, 4611686018427387904>>
    // CHECK: tfhe.compare %{{.*}} lookup 4 tables 9 extension 1 thresholds [array<i64: 0, 3>, array<i64: 7>] lows [-2, 0] highs [5, 8] : tensor<2x!tfhe.lwe<small 0, 4096>> -> tensor<3x!tfhe.lwe<big, 8192>>
    %6 = tfhe.compare %4 lookup 4 tables 9 extension 1 thresholds [array<i64: 0, 3>, array<i64: 7>] lows [-2, 0] highs [5, 8] : tensor<2x!tfhe.lwe<small 0, 4096>> -> tensor<3x!tfhe.lwe<big, 8192>>
    return %5 : tensor<2x!tfhe.lwe<big, 4611686018427387904>>
  }
}
