// RUN: cml-opt --cml-check-semantics --split-input-file --cml-parametrize %s | FileCheck %s
// RUN: cml-opt --split-input-file --cml-parametrize="chains=false key-sets=1" %s | FileCheck %s --check-prefix=ONE
// RUN: cml-opt --split-input-file --cml-parametrize="comparisons=none" %s | FileCheck %s --check-prefix=APART
// RUN: cml-opt --split-input-file --cml-parametrize="one-ring=true" %s | FileCheck %s --check-prefix=RING
// RUN: cml-opt --split-input-file --cml-parametrize="p-error=2^-128" %s | FileCheck %s --check-prefix=STRICT
// RUN: cml-opt --split-input-file --cml-parametrize="rounding=approximate:4" %s | FileCheck %s --check-prefix=ROUNDED
// RUN: not cml-opt --cml-parametrize="rounding=4" %s 2>&1 | FileCheck %s --check-prefix=ROUNDING
// RUN: not cml-opt --cml-parametrize="p-error=3" %s 2>&1 | FileCheck %s --check-prefix=OPTION
// RUN: not cml-opt --cml-parametrize="one-ring=yes" %s 2>&1 | FileCheck %s --check-prefix=SWITCH
// RUN: not cml-opt --cml-parametrize="key-sets=5" %s 2>&1 | FileCheck %s --check-prefix=SETS
// RUN: not cml-opt --cml-parametrize="comparisons=some" %s 2>&1 | FileCheck %s --check-prefix=COMPARISONS
// RUN: cml-opt --help | FileCheck %s --check-prefix=HELP

// OPTION:      `3` is no probability: expected 2^-40, or a number between 0 and 1
// ROUNDING:    `4` is no rounding: expected approximate:6, of 1 to 16 bits
// SWITCH:      one-ring is true or false, found `yes`
// SETS:        key-sets is 1 to 4, found `5`
// COMPARISONS: comparisons is none, all or each, found `some`
// HELP:        --cml-parametrize
// HELP-NEXT:   --chains=<string>
// HELP-NEXT:   --comparisons=<string>
// HELP-NEXT:   --key-sets=<string>
// HELP-NEXT:   --machine=<string>
// HELP-NEXT:   --one-ring=<string>

// A narrow table is read at once; that it is negacyclic saves a slot.
// CHECK:       module attributes {
// CHECK-SAME:  cml.p_error_log2 = -4.000000e+01
// CHECK-SAME:  tfhe.parameters = [#tfhe.parameters<n = {{[0-9]+}}, k = {{[0-9]+}}, N = {{[0-9]+}}, pbs = {{[0-9]+}} x {{[0-9]+}}
// CHECK:       attributes {cml.spacings = array<i64: 3074457345618258602, {{[0-9]+}}>}
// CHECK:       fhe.lookup {{.*}} {cml.forms = ["3: direct(0)@0+0"], cml.spacings = array<i64: 3074457345618258602>, cml.stage_milliseconds = [array<f64: {{.*}}>]}
// ROUNDED:     fhe.lookup {{.*}} {cml.forms = ["3: direct(0)@{{[0-9]+\+[0-9]+}}"]
// STRICT:      cml.p_error_log2 = -1.280000e+02
module {
func.func @server(%x: tensor<1x1x!fhe.eint<0:3>>) -> tensor<1x1x!fhe.eint<0:3>> {
  %y = fhe.lookup %x tables [array<i64: 3, 1, 2, 0>] firsts [0] of [0] : tensor<1x1x!fhe.eint<0:3>> -> tensor<1x1x!fhe.eint<0:3>>
  return %y : tensor<1x1x!fhe.eint<0:3>>
}
}

// -----

// A wide staircase is folded; without chains it is read at once, with more slots.
// CHECK:       fhe.lookup {{.*}} {cml.forms = ["{{[0-9]+}}: fold({{[0-9]+,[0-9]+}})@{{[0-9]+\+[0-9]+}} direct(0)@{{[0-9]+\+[0-9]+}}"]
// ONE:         tfhe.parameters = [#tfhe.parameters<{{[^#]*}}>]}
// ONE:         fhe.lookup {{.*}} {cml.forms = ["{{[0-9]+}}: direct(0)@0+{{[0-9]+}}"]
// RING:        fhe.lookup {{.*}} {cml.forms = ["{{[0-9]+}}: fold(
// ROUNDED:     fhe.lookup {{.*}} {cml.forms = ["{{[0-9]+}}: approximate(3)@{{[0-9]+\+[0-9]+}}"]
module {
func.func @server(%x: tensor<1x1x!fhe.eint<0:99>>) -> tensor<1x1x!fhe.eint<0:2>> {
  %y = fhe.lookup %x tables [array<i64: 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2>] firsts [0] of [0] : tensor<1x1x!fhe.eint<0:99>> -> tensor<1x1x!fhe.eint<0:2>>
  return %y : tensor<1x1x!fhe.eint<0:2>>
}
}

// -----

// Six tables of one sum come out of one rotation.
// CHECK:       fhe.lookup {{.*}} {cml.forms = ["{{[0-9]+}}: compare()@{{[0-9]+\+[0-9]+}}"]
// APART:       fhe.lookup {{.*}} {cml.forms = ["{{[0-9]+}}: direct(0)@{{[0-9]+\+[0-9]+}}"]
module {
func.func @server(%x: tensor<1x1x!fhe.eint<0:7>>) -> tensor<1x1x!fhe.eint<0:18>> {
  %a = fhe.matmul %x, dense<1> : tensor<1x6xi64> : tensor<1x1x!fhe.eint<0:7>> -> tensor<1x6x!fhe.eint<0:7>>
  %l = fhe.lookup %a tables [array<i64: 0, 0, 0, 1, 1, 2, 2, 3>, array<i64: 0, 1, 1, 1, 2, 2, 3, 3>, array<i64: 3, 2, 2, 1, 1, 0, 0, 0>, array<i64: 0, 0, 1, 1, 1, 1, 1, 2>, array<i64: 1, 1, 0, 0, 0, 0, 2, 2>, array<i64: 0, 0, 0, 0, 3, 3, 3, 3>] firsts [0, 0, 0, 0, 0, 0] of [0, 1, 2, 3, 4, 5] : tensor<1x6x!fhe.eint<0:7>> -> tensor<1x6x!fhe.eint<0:3>>
  %y = fhe.matmul %l, dense<1> : tensor<6x1xi64> : tensor<1x6x!fhe.eint<0:3>> -> tensor<1x1x!fhe.eint<0:18>>
  return %y : tensor<1x1x!fhe.eint<0:18>>
}
}
