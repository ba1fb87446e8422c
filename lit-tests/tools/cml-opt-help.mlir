// RUN: cml-opt --help | FileCheck %s
// RUN: cml-opt --show-dialects | FileCheck %s --check-prefix=DIALECTS

// LLVM's code generators are linked, but have no say here.
// CHECK-NOT:  amdgpu
// CHECK:      --cml-check-semantics
// CHECK:      Compiler passes to run
// CHECK:      --canonicalize
// CHECK:      --cml-calibrate
// CHECK:      --activations=
// CHECK:      --calibration=
// CHECK:      --cml-fold-constants {{.*}} Compute ops whose operands are all constants
// CHECK:      --cml-nn-to-qnn
// CHECK:      --cse
// CHECK:      Pass Pipelines:
// CHECK:      --cml-lower-to-fhe
// CHECK:      --cml-simplify-nn {{.*}} Simplify a float network
// CHECK:      --mlir-print-ir-after-all
// CHECK:      --mlir-timing
// CHECK-NOT:  x86-
// CHECK:      --split-input-file
// CHECK:      --verify-diagnostics

// DIALECTS: builtin,fhe,func,nn,qnn,quant,tfhe
