// RUN: cml-opt --split-input-file --cml-prune="keep=1" --canonicalize %s | FileCheck %s
// RUN: cml-opt --split-input-file --cml-prune %s | FileCheck %s --check-prefix=NOTHING
// RUN: cml-opt --split-input-file --cml-prune="keep=1" --cml-calibrate="calibration=%S/Inputs/two-features.npy" \
// RUN:   --cml-insert-quantizers --cml-lower-to-qnn --cml-lower-to-fhe --cml-parametrize --cml-fhe-to-tfhe %s \
// RUN:   | FileCheck %s --check-prefix=PROGRAM

// The largest weight of each column stays; of -2 and 2 the first does. How many went stands on the module.
// CHECK-LABEL: module attributes {cml.pruned_nodes = ["first", "second"],
// CHECK-SAME:    cml.pruned_weights = [array<i64: 8, 7, 4>, array<i64: 8, 8, 2>]}
// CHECK-DAG:     dense<{{\[}}[5.000000e-01, 0.000000e+00, -2.000000e+00, 1.000000e+00], [0.000000e+00, 1.000000e+00, 0.000000e+00, 0.000000e+00]]>
// CHECK-DAG:     dense<{{\[}}[0.000000e+00, 0.000000e+00], [0.000000e+00, 1.000000e+00], [3.000000e+00, 0.000000e+00], [0.000000e+00, 0.000000e+00]]>

// NOTHING-NOT:   cml.pruned
// NOTHING:       [2.500000e-01, 1.000000e+00, 2.000000e+00, 0.000000e+00]

// Of four neurons the outputs read two: the others have no lookup, no row in the first map and no column in the second.
// PROGRAM-LABEL: @server
// PROGRAM:         tfhe.linear {{.*}} : tensor<2x2xi64>
// PROGRAM:         tfhe.bootstrap {{.*}} -> tensor<2x!tfhe.lwe
// PROGRAM-NOT:     tfhe.bootstrap
// PROGRAM:         tfhe.linear {{.*}} : tensor<2x2xi64>
// PROGRAM:         return
module {
  func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
    %w = nn.constant dense<[[0.5, 0.5, -2.0, 1.0], [0.25, 1.0, 2.0, 0.0]]> : tensor<2x4xf32>
    %v = nn.constant dense<[[1.0, 0.5], [2.0, 1.0], [3.0, -1.0], [-1.0, 0.5]]> : tensor<4x2xf32>
    %c = nn.constant dense<[1.0, 1.0, 3.0, 1.0]> : tensor<4xf32>
    %y = nn.matmul %x, %w : tensor<1x2xf32>, tensor<2x4xf32> -> tensor<1x4xf32> loc("first")
    %b = nn.add %y, %c : tensor<1x4xf32>, tensor<4xf32> -> tensor<1x4xf32>
    %h = nn.relu %b : tensor<1x4xf32>
    %z = nn.matmul %h, %v : tensor<1x4xf32>, tensor<4x2xf32> -> tensor<1x2xf32> loc("second")
    return %z : tensor<1x2xf32>
  }
}

// -----

// The mean of a window, as pooling has it, is no neuron.
// CHECK-LABEL: module attributes {cml.pruned_nodes = ["dense"], cml.pruned_weights = [array<i64: 2, 2, 2>]}
// CHECK:         dense<5.000000e-01> : tensor<2x1xf32>
module {
  func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
    %w = nn.constant dense<0.5> : tensor<2x1xf32>
    %v = nn.constant dense<[[1.0, 2.0]]> : tensor<1x2xf32>
    %y = nn.matmul %x, %w : tensor<1x2xf32>, tensor<2x1xf32> -> tensor<1x1xf32>
    %h = nn.relu %y : tensor<1x1xf32>
    %z = nn.matmul %h, %v : tensor<1x1xf32>, tensor<1x2xf32> -> tensor<1x2xf32> loc("dense")
    return %z : tensor<1x2xf32>
  }
}

// -----

// Weights that the network quantizes itself stay as they are.
// CHECK-LABEL: module attributes {cml.pruned_nodes = [], cml.pruned_weights = []}
// CHECK:         dense<{{\[}}[5.000000e-01, -5.000000e-01], [1.000000e+00, 5.000000e-01]]>
module {
  func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
    %w = nn.constant dense<[[0.5, -0.5], [1.0, 0.5]]> : tensor<2x2xf32>
    %q = nn.fake_quantize %w scales [0.5] zero_points [0] axis 1 range -3 to 3 : tensor<2x2xf32>
    %a = nn.fake_quantize %x scales [0.5] zero_points [0] axis 1 range 0 to 7 : tensor<1x2xf32>
    %y = nn.matmul %a, %q : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32>
    return %y : tensor<1x2xf32>
  }
}
