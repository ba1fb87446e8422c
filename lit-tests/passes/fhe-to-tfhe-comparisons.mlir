// RUN: cml-opt --cml-check-semantics --cml-fhe-to-tfhe %s | FileCheck %s

// Three lookups read two sums. All jumps of the two tables of the first sum come out of one rotation, and the one jump of the other table out of
// another; the tables themselves vanish into the linear map that follows: with their jumps as weights, and their first entries in the bias.
module attributes {tfhe.parameters = [#tfhe.parameters<n = 800, k = 1, N = 2048, pbs = 23 x 1, ks = 3 x 5, lwe_std_dev = 1.0e-06 : f64, glwe_std_dev = 1.0e-15 : f64>, #tfhe.parameters<n = 600, k = 4, N = 512, pbs = 15 x 2, ks = 3 x 4, lwe_std_dev = 1.0e-05 : f64, glwe_std_dev = 1.0e-15 : f64>]} {
// CHECK-LABEL: @server
// CHECK:       %[[L:.*]] = tfhe.linear %arg0 weights dense<{{\[\[}}1, 1], [1, -1]]> : tensor<2x2xi64> bias [0, 0]
// CHECK-NEXT:  %[[K:.*]] = tfhe.keyswitch %[[L]] {{.*}} -> tensor<2x!tfhe.lwe<small 1, 1152921504606846976>>
// CHECK-NEXT:  %[[C:.*]] = tfhe.compare %[[K]] lookup 0 tables 3 extension 1 thresholds [array<i64: 1, 2, 6>, array<i64: 2>] lows [0, -3] highs [6, 3]
// CHECK-SAME:  {cml.predicted_milliseconds = 3.000000e+00 : f64}
// CHECK-SAME:  -> tensor<4x!tfhe.lwe<big, 288230376151711744>>
// CHECK-NEXT:  tfhe.linear %[[C]] weights dense<{{\[\[}}1, 2, 1, -1]]> : tensor<1x4xi64> bias [3]
func.func @server(%x: tensor<1x2x!fhe.eint<0:3>>) -> tensor<1x1x!fhe.eint<0:10>> attributes {cml.spacings = array<i64: 1152921504606846976, 288230376151711744>} {
  %a = fhe.matmul %x, dense<[[1, 1, 1], [1, 1, -1]]> : tensor<2x3xi64> lows [0, 0, -3] highs [6, 6, 3] : tensor<1x2x!fhe.eint<0:3>> -> tensor<1x3x!fhe.eint<-3:6>>
  %l = fhe.lookup %a tables [array<i64: 0, 0, 1, 1, 1, 1, 3>, array<i64: 2, 1, 1, 1, 1, 1, 4>, array<i64: 5, 5, 5, 5, 5, 4, 4>] firsts [0, 0, -3] of [0, 1, 2] lows [0, 1, 4] highs [3, 4, 5]
    {cml.forms = ["6: compare()@1+1"], cml.spacings = array<i64: 1152921504606846976>, cml.stage_milliseconds = [array<f64: 1.0, 2.0>]}
    : tensor<1x3x!fhe.eint<-3:6>> -> tensor<1x3x!fhe.eint<0:5>>
  %y = fhe.matmul %l, dense<[[2], [-1], [1]]> : tensor<3x1xi64> : tensor<1x3x!fhe.eint<0:5>> -> tensor<1x1x!fhe.eint<0:10>>
  return %y : tensor<1x1x!fhe.eint<0:10>>
}
}
