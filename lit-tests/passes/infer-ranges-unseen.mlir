// RUN: cml-opt --split-input-file --cml-infer-ranges="calibration=%S/Inputs/two-features.npy" %s | FileCheck %s
// RUN: cml-opt --split-input-file --cml-infer-ranges="calibration=%S/Inputs/two-features.npy input-range=x=0:15" %s \
// RUN:   | FileCheck %s --check-prefix=DECLARED
// RUN: cml-opt --split-input-file --cml-infer-ranges %s | FileCheck %s --check-prefix=DECLARED

// Samples reach 7 and 6, and the client may send 15: if it never does, the sum has 4 bits and not 5.
// CHECK:      module attributes {
// CHECK-SAME:   cml.unseen_inputs
// CHECK:      qnn.matmul {{.*}} lows [0] highs [30] measured_lows [0] measured_highs [13]
// DECLARED-NOT: cml.unseen_inputs
func.func @client_in(%x: tensor<1x2xf32>) -> tensor<1x2x!quant.uniform<u4:f32, 1.0>> attributes {cml.inputs = ["x"]} {
  %q = qnn.quantize %x : tensor<1x2xf32> -> tensor<1x2x!quant.uniform<u4:f32, 1.0>>
  return %q : tensor<1x2x!quant.uniform<u4:f32, 1.0>>
}
func.func @server(%q: tensor<1x2x!quant.uniform<u4:f32, 1.0>>) -> tensor<1x1x!quant.uniform<i32:f32, 1.0>> {
  %a = qnn.matmul %q, dense<1> : tensor<2x1xi64> as !quant.uniform<i3:f32, 1.0> : tensor<1x2x!quant.uniform<u4:f32, 1.0>> -> tensor<1x1x!quant.uniform<i32:f32, 1.0>>
  return %a : tensor<1x1x!quant.uniform<i32:f32, 1.0>>
}
func.func @client_out(%b: tensor<1x1x!quant.uniform<i32:f32, 1.0>>) -> tensor<1x1xf32> {
  %f = qnn.dequantize %b : tensor<1x1x!quant.uniform<i32:f32, 1.0>> -> tensor<1x1xf32>
  return %f : tensor<1x1xf32>
}

// -----

// Of one input calibration saw 6 and not 7: the sum has 4 bits either way.
// CHECK-NOT: cml.unseen_inputs
// CHECK:     qnn.matmul {{.*}} lows [0] highs [14] measured_lows [0] measured_highs [13]
func.func @client_in(%x: tensor<1x2xf32>) -> tensor<1x2x!quant.uniform<u3:f32, 1.0>> attributes {cml.inputs = ["x"]} {
  %q = qnn.quantize %x : tensor<1x2xf32> -> tensor<1x2x!quant.uniform<u3:f32, 1.0>>
  return %q : tensor<1x2x!quant.uniform<u3:f32, 1.0>>
}
func.func @server(%q: tensor<1x2x!quant.uniform<u3:f32, 1.0>>) -> tensor<1x1x!quant.uniform<i32:f32, 1.0>> {
  %a = qnn.matmul %q, dense<1> : tensor<2x1xi64> as !quant.uniform<i3:f32, 1.0> : tensor<1x2x!quant.uniform<u3:f32, 1.0>> -> tensor<1x1x!quant.uniform<i32:f32, 1.0>>
  return %a : tensor<1x1x!quant.uniform<i32:f32, 1.0>>
}
func.func @client_out(%b: tensor<1x1x!quant.uniform<i32:f32, 1.0>>) -> tensor<1x1xf32> {
  %f = qnn.dequantize %b : tensor<1x1x!quant.uniform<i32:f32, 1.0>> -> tensor<1x1xf32>
  return %f : tensor<1x1xf32>
}
