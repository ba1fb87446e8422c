// RUN: not cml-opt --cml-calibrate %s 2>&1 | FileCheck %s --check-prefix=MISSING
// RUN: not cml-opt --cml-calibrate="calibration=%t.none.npy" %s 2>&1 | FileCheck %s --check-prefix=FILE
// RUN: not cml-opt --cml-calibrate="calibration=%S/Inputs/two-features.npy[6:6]" %s 2>&1 | FileCheck %s --check-prefix=EMPTY
// RUN: not cml-opt --cml-calibrate="calibration=%S/Inputs/two-features.npy[6:7]" %s 2>&1 | FileCheck %s --check-prefix=ROWS
// RUN: not cml-opt --cml-calibrate="calibration=points=%S/Inputs/not-finite.npy" %s 2>&1 | FileCheck %s --check-prefix=NAN
// RUN: not cml-opt --cml-calibrate="calibration=%S/Inputs/two-features.npy[2:3]" %s 2>&1 | FileCheck %s --check-prefix=SINGLE
// RUN: not cml-opt --cml-calibrate="calibration=%S/Inputs/two-features.npy nodes=fc=weights:4" %s 2>&1 \
// RUN:   | FileCheck %s --check-prefix=NODE
// RUN: not cml-opt --cml-calibrate="calibration=%S/Inputs/two-features.npy weights=1" %s 2>&1 | FileCheck %s --check-prefix=BITS
// RUN: not cml-opt --cml-calibrate="calibration=%S/Inputs/two-features.npy" %S/Inputs/three-features.mlir 2>&1 \
// RUN:   | FileCheck %s --check-prefix=SHAPE
// RUN: not cml-opt --cml-calibrate="calibration=points=%S/Inputs/two-features.npy;more=%S/Inputs/two-features.npy" \
// RUN:   %S/Inputs/encrypted-product.mlir 2>&1 | FileCheck %s --check-prefix=PRODUCT
// RUN: not cml-opt --cml-calibrate="calibration=%S/Inputs/two-features.npy accumulator-bits=2" %S/Inputs/two-products.mlir 2>&1 \
// RUN:   | FileCheck %s --check-prefix=BOUND

// MISSING: points: no calibration data
// FILE: none.npy
// EMPTY: points: calibration data has no samples
// ROWS: rows 6:7 of {{.*}}two-features.npy do not exist
// NAN: points: calibration data is not finite: NaN at [1, 1]
// SINGLE: points: calibration data is constant: 1 sample(s)
// NODE: fc: bits are given for a product that there is not
// BITS: `weights=1`: expected 2 to 16 bits
// SHAPE: points: calibration data has shape [6, 2], expected {{.*}}3
// BOUND: hidden{{.*}}: a bound of 2 bits on accumulators leaves nothing of its weights
// PRODUCT: nn.matmul (Mul_7): expected constant weights as right operand, found the result of nn.transpose

func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> attributes {cml.inputs = ["points"]} {
  %w = nn.constant dense<[[0.5, -6.0], [-1.5, 4.0]]> : tensor<2x2xf32>
  %y = nn.matmul %x, %w : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}
