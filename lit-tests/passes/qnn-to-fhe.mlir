// RUN: cml-opt --cml-check-semantics --cml-qnn-to-fhe %s | FileCheck %s

// Zero points and scales end here: the input of zero point 2 lies in -2..1, and so do the ranges that follow.
// CHECK-LABEL: @server
// CHECK-SAME:  tensor<1x1x!fhe.eint<-2:1>>
// CHECK-NEXT:  %[[A:.*]] = fhe.matmul %arg0, dense<2> : tensor<1x1xi64> lows [-4] highs [2] : {{.*}} -> tensor<1x1x!fhe.eint<-4:2>>
// CHECK-NEXT:  fhe.lookup %[[A]] tables [array<i64: -1, -1, -1, 0, 1, 2, 2>] firsts [-4] of [0] : {{.*}} -> tensor<1x1x!fhe.eint<-1:2>>
func.func @client_in(%x: tensor<1x1xf32>) -> tensor<1x1x!quant.uniform<u2:f32, 1.0:2>> {
  %q = qnn.quantize %x : tensor<1x1xf32> -> tensor<1x1x!quant.uniform<u2:f32, 1.0:2>>
  return %q : tensor<1x1x!quant.uniform<u2:f32, 1.0:2>>
}
func.func @server(%q: tensor<1x1x!quant.uniform<u2:f32, 1.0:2>>) -> tensor<1x1x!quant.uniform<u2:f32, 1.0:1>> {
  %a = qnn.matmul %q, dense<2> : tensor<1x1xi64> as !quant.uniform<i3:f32, 0.5> lows [-4] highs [2] : tensor<1x1x!quant.uniform<u2:f32, 1.0:2>> -> tensor<1x1x!quant.uniform<i32:f32, 0.5>>
  %l = qnn.lookup %a tables [array<i64: 0, 0, 0, 1, 2, 3, 3>] firsts [-4] of [0] : tensor<1x1x!quant.uniform<i32:f32, 0.5>> -> tensor<1x1x!quant.uniform<u2:f32, 1.0:1>>
  return %l : tensor<1x1x!quant.uniform<u2:f32, 1.0:1>>
}
func.func @client_out(%b: tensor<1x1x!quant.uniform<u2:f32, 1.0:1>>) -> tensor<1x1xf32> {
  %f = qnn.dequantize %b : tensor<1x1x!quant.uniform<u2:f32, 1.0:1>> -> tensor<1x1xf32>
  return %f : tensor<1x1xf32>
}
