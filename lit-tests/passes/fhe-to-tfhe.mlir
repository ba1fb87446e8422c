// RUN: cml-opt --cml-fhe-to-tfhe %s | FileCheck %s

// The sum collapses into one linear map; the constant column (a table of zeros) vanishes; the two live columns have ranges of 4 and of 16
// values and are read apart, the narrow one at four times the spacing.
// CHECK-LABEL: @server
// CHECK-SAME:  tensor<2x!tfhe.lwe<"big", 576460752303423488>>
// CHECK:       %[[N:.*]] = tfhe.linear %arg0 weights dense<1> : tensor<1x2xi64> bias [0]
// CHECK-SAME:  -> tensor<1x!tfhe.lwe<"big", 2305843009213693952>>
// CHECK-NEXT:  %[[K:.*]] = tfhe.keyswitch %[[N]]
// CHECK-NEXT:  %[[B:.*]] = tfhe.bootstrap %[[K]] extension 0 tables [array<i64: 0, 1, 1, 1>] firsts [0] of [0]
// CHECK-NEXT:  %[[W:.*]] = tfhe.linear %arg0 weights dense<{{\[\[}}8, 7]]> : tensor<1x2xi64> bias [0]
// CHECK-NEXT:  tfhe.keyswitch %[[W]]
// CHECK-NEXT:  %[[C:.*]] = tfhe.bootstrap {{.*}} extension 1
// CHECK-NEXT:  tfhe.linear %[[B]], %[[C]] weights dense<{{\[\[}}2, 1]]> : tensor<1x2xi64> bias [5]
module attributes {tfhe.parameters = #tfhe.parameters<n = 800, k = 1, N = 2048, pbs = 23 x 1, ks = 3 x 5, lwe_std_dev = 1.0e-06 : f64, glwe_std_dev = 1.0e-15 : f64>} {
func.func @server(%x: tensor<1x2x!fhe.eint<0:1>>) -> tensor<1x1x!fhe.eint<5:8>> {
  %a = fhe.matmul %x, dense<[[1, 8, 1], [1, 7, 1]]> : tensor<2x3xi64> lows [0, 0, 0] highs [3, 15, 2] : tensor<1x2x!fhe.eint<0:1>> -> tensor<1x3x!fhe.eint<0:15>>
  %l = fhe.lookup %a tables [array<i64: 0, 1, 1, 1>, array<i64: 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1>, array<i64: 5, 5, 5>] firsts [0, 0, 0] of [0, 1, 2] lows [0, 0, 5] highs [1, 1, 5] {cml.extensions = array<i64: 0, 1>}
    : tensor<1x3x!fhe.eint<0:15>> -> tensor<1x3x!fhe.eint<0:5>>
  %y = fhe.matmul %l, dense<[[2], [1], [1]]> : tensor<3x1xi64> : tensor<1x3x!fhe.eint<0:5>> -> tensor<1x1x!fhe.eint<5:8>>
  return %y : tensor<1x1x!fhe.eint<5:8>>
}
}
