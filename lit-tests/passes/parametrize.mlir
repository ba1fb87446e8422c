// RUN: cml-opt --cml-parametrize %s | FileCheck %s
// RUN: cml-opt --cml-parametrize="p-error=2^-128" %s | FileCheck %s --check-prefix=STRICT
// RUN: not cml-opt --cml-parametrize="p-error=3" %s 2>&1 | FileCheck %s --check-prefix=OPTION
// RUN: cml-opt --help | FileCheck %s --check-prefix=HELP

// CHECK:       module attributes {
// CHECK-SAME:  cml.p_error_log2 = -4.000000e+01
// CHECK-SAME:  tfhe.parameters = #tfhe.parameters<n = {{[0-9]+}}, k = {{[0-9]+}}, N = {{[0-9]+}}, pbs = {{[0-9]+}} x {{[0-9]+}}
// CHECK:       fhe.lookup {{.*}} {cml.extensions = array<i64: 0>}
// STRICT:      cml.p_error_log2 = -1.280000e+02
// OPTION:      `3` is no probability: expected 2^-40, or a number between 0 and 1
// HELP:        --cml-parametrize
// HELP-NEXT:   --machine=<string>
func.func @server(%x: tensor<1x1x!fhe.eint<0:3>>) -> tensor<1x1x!fhe.eint<0:3>> {
  %y = fhe.lookup %x tables [array<i64: 3, 1, 2, 0>] firsts [0] of [0] : tensor<1x1x!fhe.eint<0:3>> -> tensor<1x1x!fhe.eint<0:3>>
  return %y : tensor<1x1x!fhe.eint<0:3>>
}
