// RUN: cml-opt --cml-check-semantics --cml-infer-ranges %s | FileCheck %s --check-prefixes=CHECK,ALL
// RUN: cml-opt --cml-check-semantics --cml-infer-ranges="enumerate=1" %s | FileCheck %s --check-prefixes=CHECK,INTERVALS
// RUN: cml-opt --cml-check-semantics --cml-infer-ranges="input-range=x=0:1" %s | FileCheck %s --check-prefixes=NARROW

// The two columns of the first product read the same input with opposite signs, and their tables always add up to 3: with all inputs
// tried this shows, intervals do not see it. The input's range narrows what the first layer can reach.
// CHECK-LABEL: @server
// CHECK:       qnn.matmul {{.*}} lows [0, -6] highs [6, 0]
// ALL:         qnn.matmul {{.*}} lows [3] highs [3]
// INTERVALS:   qnn.matmul {{.*}} lows [0] highs [6]
// NARROW:      qnn.matmul {{.*}} lows [0, -2] highs [2, 0]
// NARROW:      qnn.matmul {{.*}} lows [3] highs [3]
func.func @client_in(%x: tensor<1x1xf32>) -> tensor<1x1x!quant.uniform<u2:f32, 1.0>> attributes {cml.inputs = ["x"]} {
  %q = qnn.quantize %x : tensor<1x1xf32> -> tensor<1x1x!quant.uniform<u2:f32, 1.0>>
  return %q : tensor<1x1x!quant.uniform<u2:f32, 1.0>>
}
func.func @server(%q: tensor<1x1x!quant.uniform<u2:f32, 1.0>>) -> tensor<1x1x!quant.uniform<i32:f32, 1.0>> {
  %a = qnn.matmul %q, dense<[[2, -2]]> : tensor<1x2xi64> as !quant.uniform<i3:f32, 1.0> : tensor<1x1x!quant.uniform<u2:f32, 1.0>> -> tensor<1x2x!quant.uniform<i32:f32, 1.0>>
  %f = qnn.dequantize %a : tensor<1x2x!quant.uniform<i32:f32, 1.0>> -> tensor<1x2xf32>
  %c = nn.constant dense<[[0.0, 3.0]]> : tensor<1x2xf32>
  %s = nn.add %f, %c : tensor<1x2xf32>, tensor<1x2xf32> -> tensor<1x2xf32>
  %q2 = qnn.quantize %s : tensor<1x2xf32> -> tensor<1x2x!quant.uniform<u2:f32, 1.0>>
  %b = qnn.matmul %q2, dense<1> : tensor<2x1xi64> as !quant.uniform<i3:f32, 1.0> : tensor<1x2x!quant.uniform<u2:f32, 1.0>> -> tensor<1x1x!quant.uniform<i32:f32, 1.0>>
  return %b : tensor<1x1x!quant.uniform<i32:f32, 1.0>>
}
func.func @client_out(%b: tensor<1x1x!quant.uniform<i32:f32, 1.0>>) -> tensor<1x1xf32> {
  %f = qnn.dequantize %b : tensor<1x1x!quant.uniform<i32:f32, 1.0>> -> tensor<1x1xf32>
  return %f : tensor<1x1xf32>
}
