// RUN: cml-opt --cml-parametrize="one-ring=true" %s | FileCheck %s
// RUN: cml-opt --cml-parametrize %s | FileCheck %s --check-prefix=FREE

// Sixteen narrow lookups, and a wide one of what they give: two key sets, in rings of their own, or both in one.
// CHECK:       tfhe.parameters = [#tfhe.parameters<n = {{[0-9]+}}, [[RING:k = [0-9]+, N = [0-9]+]], {{[^#]*}}#tfhe.parameters<n = {{[0-9]+}}, [[RING]], {{[^#]*}}]
// CHECK:       cml.forms = ["7: direct(0)@{{[01]}}+0"]
// CHECK:       cml.forms = ["{{[0-9]+}}: fold({{[0-9]+,[0-9]+}})@{{[01]}}+{{[0-9]}} direct(0)@{{[01]}}+{{[0-9]}}"]
// FREE:        tfhe.parameters = [#tfhe.parameters<n = {{[0-9]+}}, k = [[K:[0-9]+]], {{[^#]*}}#tfhe.parameters<n = {{[0-9]+}}, k =
module {
func.func @server(%x: tensor<1x16x!fhe.eint<0:7>>) -> tensor<1x1x!fhe.eint<0:3>> {
  %a = fhe.lookup %x tables [array<i64: 3, 0, 5, 2, 7, 4, 1, 6>] firsts [0] of [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] : tensor<1x16x!fhe.eint<0:7>> -> tensor<1x16x!fhe.eint<0:7>>
  %b = fhe.matmul %a, dense<1> : tensor<16x1xi64> lows [0] highs [112] : tensor<1x16x!fhe.eint<0:7>> -> tensor<1x1x!fhe.eint<0:112>>
  %y = fhe.lookup %b tables [array<i64: 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3>] firsts [0] of [0] : tensor<1x1x!fhe.eint<0:112>> -> tensor<1x1x!fhe.eint<0:3>>
  return %y : tensor<1x1x!fhe.eint<0:3>>
}
}
