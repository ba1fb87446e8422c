// Every wrong command line says what is wrong, and fails.
// RUN: not cml-opt %s --pass-pipeline='builtin.module(cml-no-such-pass)' 2>&1 | FileCheck %s --check-prefix=PASS
// RUN: not cml-opt %s --pass-pipeline='builtin.module(cml-calibrate{colour=red})' 2>&1 | FileCheck %s --check-prefix=OPTION
// RUN: not cml-opt %s --pass-pipeline='builtin.module(cml-calibrate{weights=many})' 2>&1 | FileCheck %s --check-prefix=VALUE
// RUN: not cml-opt %s --pass-pipeline='builtin.module(func.func(cml-fold-constants))' 2>&1 | FileCheck %s --check-prefix=ANCHOR
// RUN: not cml-opt %s --cml-check-semantics=maybe 2>&1 | FileCheck %s --check-prefix=FLAG
// RUN: not cml-opt %s.missing 2>&1 | FileCheck %s --check-prefix=FILE

// PASS:   'cml-no-such-pass' does not refer to a registered pass or pass pipeline
// OPTION: no such option colour
// VALUE:  `weights=many` is not a u32
// ANCHOR: restricted to 'builtin.module' on a PassManager intended to run on 'func.func'
// FLAG:   does not allow a value
// FILE:   No such file or directory
func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  return %x : tensor<1x2xf32>
}
