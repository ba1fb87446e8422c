// RUN: cml-opt --cml-check-semantics --cml-split-client-server %s | FileCheck %s

// What comes before the first quantizer and after the last integer op is the client's.
// CHECK-LABEL: @client_in
// CHECK-SAME:  cml.inputs = ["x"]
// CHECK:       nn.relu
// CHECK:       qnn.quantize
// CHECK-LABEL: @server
// CHECK:       qnn.matmul
// CHECK:       qnn.dequantize
// CHECK:       nn.tanh
// CHECK:       qnn.quantize
// CHECK:       qnn.matmul
// CHECK-NEXT:  return
// CHECK-LABEL: @client_out
// CHECK:       qnn.dequantize
// CHECK:       nn.softmax
func.func @main(%x: tensor<1x1xf32>) -> tensor<1x1xf32> attributes {cml.inputs = ["x"], cml.outputs = ["y"]} {
  %p = nn.relu %x : tensor<1x1xf32>
  %q = qnn.quantize %p : tensor<1x1xf32> -> tensor<1x1x!quant.uniform<u2:f32, 1.0>>
  %a = qnn.matmul %q, dense<2> : tensor<1x1xi64> as !quant.uniform<i3:f32, 1.0> : tensor<1x1x!quant.uniform<u2:f32, 1.0>> -> tensor<1x1x!quant.uniform<i32:f32, 1.0>>
  %f = qnn.dequantize %a : tensor<1x1x!quant.uniform<i32:f32, 1.0>> -> tensor<1x1xf32>
  %t = nn.tanh %f : tensor<1x1xf32>
  %q2 = qnn.quantize %t : tensor<1x1xf32> -> tensor<1x1x!quant.uniform<u2:f32, 0.5>>
  %b = qnn.matmul %q2, dense<-1> : tensor<1x1xi64> as !quant.uniform<i3:f32, 1.0> : tensor<1x1x!quant.uniform<u2:f32, 0.5>> -> tensor<1x1x!quant.uniform<i32:f32, 0.5>>
  %g = qnn.dequantize %b : tensor<1x1x!quant.uniform<i32:f32, 0.5>> -> tensor<1x1xf32>
  %s = nn.softmax %g axis 1 : tensor<1x1xf32>
  return %s : tensor<1x1xf32>
}
