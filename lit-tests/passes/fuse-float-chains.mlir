// RUN: cml-opt --cml-check-semantics --cml-fuse-float-chains %s | FileCheck %s

// relu(x + 1), rounded half to even and clipped to 0..3, over the proved range; a chain may use its integer twice, and the reshape moves
// behind the lookup.
// CHECK-LABEL: @server
// CHECK-NEXT:  %[[A:.*]] = qnn.matmul
// CHECK-NEXT:  %[[L:.*]] = qnn.lookup %[[A]] tables [array<i64: 0, 0, 1, 2, 2, 2, 3>] firsts [-4] of [0]
// CHECK-NEXT:  %[[R:.*]] = qnn.reshape %[[L]]
// CHECK-NEXT:  return %[[R]]
func.func @client_in(%x: tensor<1x1xf32>) -> tensor<1x1x!quant.uniform<u2:f32, 1.0:2>> {
  %q = qnn.quantize %x : tensor<1x1xf32> -> tensor<1x1x!quant.uniform<u2:f32, 1.0:2>>
  return %q : tensor<1x1x!quant.uniform<u2:f32, 1.0:2>>
}
func.func @server(%q: tensor<1x1x!quant.uniform<u2:f32, 1.0:2>>) -> tensor<1x!quant.uniform<u2:f32, 1.0>> {
  %a = qnn.matmul %q, dense<2> : tensor<1x1xi64> as !quant.uniform<i3:f32, 0.5> lows [-4] highs [2] : tensor<1x1x!quant.uniform<u2:f32, 1.0:2>> -> tensor<1x1x!quant.uniform<i32:f32, 0.5>>
  %f = qnn.dequantize %a : tensor<1x1x!quant.uniform<i32:f32, 0.5>> -> tensor<1x1xf32>
  %c = nn.constant dense<2.0> : tensor<1x1xf32>
  %s = nn.add %f, %c : tensor<1x1xf32>, tensor<1x1xf32> -> tensor<1x1xf32>
  %r = nn.reshape %s : tensor<1x1xf32> -> tensor<1xf32>
  %t = nn.relu %r : tensor<1xf32>
  %q2 = qnn.quantize %t : tensor<1xf32> -> tensor<1x!quant.uniform<u2:f32, 1.0>>
  return %q2 : tensor<1x!quant.uniform<u2:f32, 1.0>>
}
func.func @client_out(%b: tensor<1x!quant.uniform<u2:f32, 1.0>>) -> tensor<1xf32> {
  %f = qnn.dequantize %b : tensor<1x!quant.uniform<u2:f32, 1.0>> -> tensor<1xf32>
  return %f : tensor<1xf32>
}
