// RUN: cml-opt --cml-calibrate="calibration=%S/Inputs/two-features.npy effort=fast" --cml-insert-quantizers \
// RUN:   --cml-lower-to-qnn --cml-infer-ranges %s | FileCheck %s
// RUN: cml-opt --cml-calibrate="calibration=%S/Inputs/two-features.npy effort=fast keep-unfired=true" --cml-insert-quantizers \
// RUN:   --cml-lower-to-qnn --cml-infer-ranges %s | FileCheck %s --check-prefix=KEPT
// RUN: cml-opt --cml-calibrate="calibration=%S/Inputs/two-features.npy effort=fast" \
// RUN:   --cml-insert-quantizers="input-range=0:1,-1:1" --cml-lower-to-qnn --cml-infer-ranges="input-range=0:1,-1:1" %s \
// RUN:   | FileCheck %s --check-prefix=NARROW

// Features go from 0 to 7 and from -1 to 6, one with the other. Of three neurons the first fires; the second never does,
// whatever the client sends; the third would where the first feature is large and the other small, which no sample has. What
// the client says that it sends may prove that, too.
// CHECK:       module attributes {{.*}}cml.neuron_counts = [array<i64: 3, 1, 1>], cml.neuron_nodes = ["relu"]
// CHECK:       qnn.quantize {{.*}}cml.observed = array<i64: 2>
// KEPT:        module attributes {{.*}}cml.neuron_counts = [array<i64: 3, 1, 0>]
// KEPT-NOT:    cml.observed
// NARROW:      module attributes {{.*}}cml.neuron_counts = [array<i64: 3, 2, 0>]
// NARROW-NOT:  cml.observed
func.func @main(%x: tensor<1x2xf32>) -> tensor<1x1xf32> {
  %w = nn.constant dense<[[1.0, -1.0, 1.0], [1.0, -1.0, -1.0]]> : tensor<2x3xf32>
  %c = nn.constant dense<[1.0, -3.0, -3.0]> : tensor<3xf32>
  %v = nn.constant dense<1.0> : tensor<3x1xf32>
  %y = nn.matmul %x, %w : tensor<1x2xf32>, tensor<2x3xf32> -> tensor<1x3xf32> loc("first")
  %b = nn.add %y, %c : tensor<1x3xf32>, tensor<3xf32> -> tensor<1x3xf32> loc("first")
  %h = nn.relu %b : tensor<1x3xf32> loc("relu")
  %z = nn.matmul %h, %v : tensor<1x3xf32>, tensor<3x1xf32> -> tensor<1x1xf32> loc("second")
  return %z : tensor<1x1xf32>
}
