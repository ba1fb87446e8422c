// A bytecode file is an entry at every level, the same as text; equal modules are equal bytes.
// RUN: split-file %s %t
// RUN: cml-opt %t/nn.mlir --emit-bytecode -o %t/nn.bc
// RUN: cml-opt %t/nn.bc --cml-fold-constants --canonicalize | FileCheck %s --check-prefix=NN
// RUN: cml-opt %t/qnn.mlir --emit-bytecode -o %t/qnn.bc
// RUN: cml-opt %t/qnn.bc --cml-infer-ranges | FileCheck %s --check-prefix=QNN
// RUN: cml-opt %t/fhe.mlir --emit-bytecode -o %t/fhe.bc
// RUN: cml-opt %t/fhe.bc --canonicalize | FileCheck %s --check-prefix=FHE
// RUN: cml-opt %t/tfhe.mlir --emit-bytecode -o %t/tfhe.bc
// RUN: cml-opt %t/tfhe.bc --cse | FileCheck %s --check-prefix=TFHE
// RUN: cml-opt %t/qnn.bc --emit-bytecode -o %t/again.bc
// RUN: cmp %t/qnn.bc %t/again.bc

//--- nn.mlir
// NN: nn.constant dense<-1.000000e+00> : tensor<2xf32>
func.func @main() -> tensor<2xf32> {
  %a = nn.constant dense<1.0> : tensor<2xf32>
  %b = nn.neg %a : tensor<2xf32>
  return %b : tensor<2xf32>
}

//--- qnn.mlir
// QNN: qnn.matmul {{.*}} lows [-4] highs [2] :
func.func @client_in(%x: tensor<1x1xf32>) -> tensor<1x1x!quant.uniform<u2:f32, 1.0:1>> {
  %q = qnn.quantize %x : tensor<1x1xf32> -> tensor<1x1x!quant.uniform<u2:f32, 1.0:1>>
  return %q : tensor<1x1x!quant.uniform<u2:f32, 1.0:1>>
}
func.func @server(%q: tensor<1x1x!quant.uniform<u2:f32, 1.0:1>>) -> tensor<1x1x!quant.uniform<i32:f32, 0.5>> {
  %a = qnn.matmul %q, dense<[[-2]]> : tensor<1x1xi64> as !quant.uniform<i3:f32, 0.5> : tensor<1x1x!quant.uniform<u2:f32, 1.0:1>> -> tensor<1x1x!quant.uniform<i32:f32, 0.5>>
  return %a : tensor<1x1x!quant.uniform<i32:f32, 0.5>>
}
func.func @client_out(%a: tensor<1x1x!quant.uniform<i32:f32, 0.5>>) -> tensor<1x1xf32> {
  %f = qnn.dequantize %a : tensor<1x1x!quant.uniform<i32:f32, 0.5>> -> tensor<1x1xf32>
  return %f : tensor<1x1xf32>
}

//--- fhe.mlir
// FHE: fhe.add_clear %{{.*}}, dense<5> : tensor<1xi64> : tensor<2x!fhe.eint<0:3>> -> tensor<2x!fhe.eint<5:8>>
func.func @server(%x: tensor<2x!fhe.eint<0:3>>) -> tensor<2x!fhe.eint<5:8>> {
  %0 = fhe.add_clear %x, dense<2> : tensor<1xi64> : tensor<2x!fhe.eint<0:3>> -> tensor<2x!fhe.eint<2:5>>
  %1 = fhe.add_clear %0, dense<3> : tensor<1xi64> : tensor<2x!fhe.eint<2:5>> -> tensor<2x!fhe.eint<5:8>>
  return %1 : tensor<2x!fhe.eint<5:8>>
}

//--- tfhe.mlir
// TFHE: module attributes {tfhe.parameters = [#tfhe.parameters<n = 800
// TFHE: tfhe.keyswitch
// TFHE-NOT: tfhe.keyswitch
// TFHE: return %0, %0
module attributes {tfhe.parameters = [#tfhe.parameters<n = 800, k = 1, N = 2048, pbs = 23 x 1, ks = 3 x 5, lwe_std_dev = 1.0e-06 : f64, glwe_std_dev = 1.0e-15 : f64>]} {
  func.func @server(%x: tensor<1x!tfhe.lwe<big, 8>>) -> (tensor<1x!tfhe.lwe<small 0, 8>>, tensor<1x!tfhe.lwe<small 0, 8>>) {
    %0 = tfhe.keyswitch %x : tensor<1x!tfhe.lwe<big, 8>> -> tensor<1x!tfhe.lwe<small 0, 8>>
    %1 = tfhe.keyswitch %x : tensor<1x!tfhe.lwe<big, 8>> -> tensor<1x!tfhe.lwe<small 0, 8>>
    return %0, %1 : tensor<1x!tfhe.lwe<small 0, 8>>, tensor<1x!tfhe.lwe<small 0, 8>>
  }
}
