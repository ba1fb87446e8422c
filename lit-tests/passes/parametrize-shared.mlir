// RUN: cml-opt --cml-parametrize="p-error-per-lookup=2^-40" %s | FileCheck %s
// RUN: cml-opt --cml-parametrize="p-error-per-lookup=2^-40 shared-rotations=false" %s | FileCheck %s --check-prefix=APART
// RUN: cml-opt --cml-parametrize="p-error-per-lookup=2^-40" --cml-fhe-to-tfhe %s | FileCheck %s --check-prefix=CRYPTO

!sent = !quant.uniform<u16<0:399>:f32, 1.0>
!got = !quant.uniform<u8<0:7>:f32, 1.0>
module {
func.func @client_in(%x: tensor<1x32xf32>) -> tensor<1x32x!sent> {
  %q = qnn.quantize %x : tensor<1x32xf32> -> tensor<1x32x!sent>
  return %q : tensor<1x32x!sent>
}
// Equal jumps 17 slots apart: what is read of the nearest one may be off by 8, so half of the positions will do for each table.
// Of one lookup alone the two rotations would run side by side.
// CHECK: fhe.lookup {{.*}}cml.forms = ["{{[^"]*}} steps({{[0-9,]*}})@{{[0-9]}}-1 direct(0)@{{[0-9]}}+0"]
// APART: fhe.lookup {{.*}}cml.forms = [
// APART-NOT: @{{[0-9]}}-1
// CRYPTO: tfhe.bootstrap %[[P:[0-9]+]] lookup 0: nearest extension -1
// CRYPTO: tfhe.bootstrap %[[P]] lookup 0: count extension -1
// CRYPTO: tfhe.bootstrap {{.*}} lookup 0: sign extension 0
func.func @server(%x: tensor<1x32x!fhe.eint<0:399>>) -> tensor<1x32x!fhe.eint<0:7>> {
  %y = fhe.lookup %x tables [array<i64: 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7>] firsts [0] of [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] : tensor<1x32x!fhe.eint<0:399>> -> tensor<1x32x!fhe.eint<0:7>>
  return %y : tensor<1x32x!fhe.eint<0:7>>
}
func.func @client_out(%q: tensor<1x32x!got>) -> tensor<1x32xf32> {
  %y = qnn.dequantize %q : tensor<1x32x!got> -> tensor<1x32xf32>
  return %y : tensor<1x32xf32>
}
}
