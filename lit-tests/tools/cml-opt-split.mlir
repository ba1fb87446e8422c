// Each part is a module of its own, and an error in one leaves the others alone.
// RUN: cml-opt %s --split-input-file --verify-diagnostics --cml-fold-constants
// RUN: not cml-opt %s --split-input-file --cml-fold-constants 2>&1 | FileCheck %s

// CHECK: 'nn.softmax' op axis 2 is outside of rank 2
func.func @main() -> tensor<2xf32> {
  %a = nn.constant dense<2.0> : tensor<2xf32>
  return %a : tensor<2xf32>
}

// -----

func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  // expected-error @+1 {{axis 2 is outside of rank 2}}
  %0 = nn.softmax %x axis 2 : tensor<1x2xf32>
  return %0 : tensor<1x2xf32>
}

// -----

// CHECK: nn.constant dense<-1.000000e+00> : tensor<2xf32>
func.func @main() -> tensor<2xf32> {
  %a = nn.constant dense<1.0> : tensor<2xf32>
  %b = nn.neg %a : tensor<2xf32>
  return %b : tensor<2xf32>
}
