// ONNX node names are locations: they survive passes, text and bytecode, and errors show them.
// RUN: cml-opt %s --cml-simplify-nn --mlir-print-debuginfo | FileCheck %s
// RUN: cml-opt %s --emit-bytecode | cml-opt --mlir-print-debuginfo | FileCheck %s
// RUN: not cml-opt %s --cml-nn-to-qnn 2>&1 | FileCheck %s --check-prefix=ERROR

// CHECK: nn.relu %{{.*}} : tensor<1x2xf32> loc([[RELU:#loc[0-9]*]])
// CHECK: nn.matmul {{.*}} loc([[DENSE:#loc[0-9]*]])
// CHECK-DAG: [[RELU]] = loc("Relu_3")
// CHECK-DAG: [[DENSE]] = loc("Dense/MatMul")

// ERROR: nn.matmul (Dense/MatMul)
func.func @main(%x: tensor<1x2xf32>) -> tensor<1x1xf32> {
  %w = nn.constant dense<3.0> : tensor<2x1xf32> loc("Dense/Weights")
  %0 = nn.relu %x : tensor<1x2xf32> loc("Relu_3")
  %1 = nn.matmul %0, %w : tensor<1x2xf32>, tensor<2x1xf32> -> tensor<1x1xf32> loc("Dense/MatMul")
  return %1 : tensor<1x1xf32>
}
