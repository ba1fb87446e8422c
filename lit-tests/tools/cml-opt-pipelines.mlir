// Ours and MLIR's passes in one pipeline; a named pipeline as a flag, and inside of a text.
// RUN: cml-opt %s --pass-pipeline='builtin.module(cml-fold-constants,func.func(canonicalize{top-down=true}),cse)' | FileCheck %s
// RUN: cml-opt %s --cml-simplify-nn | FileCheck %s
// RUN: cml-opt %s --pass-pipeline='builtin.module(cml-simplify-nn,cse)' | FileCheck %s
// RUN: cml-opt %s --cml-check-semantics --cml-simplify-nn | FileCheck %s
// RUN: cml-opt %s -cml-check-semantics --cml-fold-constants --canonicalize | FileCheck %s
// RUN: cml-opt %s --cml-simplify-nn --dump-pass-pipeline 2>&1 | FileCheck %s --check-prefix=DUMP
// RUN: cml-opt %s --cml-simplify-nn --mlir-print-ir-after-all 2>&1 | FileCheck %s --check-prefix=PRINT
// RUN: cml-opt %s --cml-fold-constants --mlir-print-ir-after=cml-fold-constants 2>&1 | FileCheck %s --check-prefix=PRINT
// RUN: cml-opt %s --cml-fold-constants --mlir-timing --mlir-timing-display=list 2>&1 | FileCheck %s --check-prefix=TIMING

// CHECK-LABEL: @main
// CHECK-NEXT:  %[[C:.*]] = nn.constant dense<5.000000e+00> : tensor<2xf32>
// CHECK-NEXT:  nn.mul %arg0, %[[C]]
// CHECK-NEXT:  return

// DUMP:      builtin.module(
// DUMP:      cml-fold-constants,
// DUMP:      canonicalize
// DUMP:      cse

// PRINT: IR Dump After cml-fold-constants (cml-fold-constants)
// PRINT: nn.constant dense<5.000000e+00> : tensor<2xf32>

// TIMING: Execution time report
// TIMING: cml-fold-constants
func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %a = nn.constant dense<2.0> : tensor<2xf32>
  %b = nn.constant dense<3.0> : tensor<2xf32>
  %c = nn.add %a, %b : tensor<2xf32>, tensor<2xf32> -> tensor<2xf32>
  %y = nn.mul %x, %c : tensor<1x2xf32>, tensor<2xf32> -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}
