// RUN: cml-opt --cml-check-semantics --cml-fhe-to-tfhe %s | FileCheck %s

!sent = !quant.uniform<i8<-24:23>:f32, 0.25>
!got = !quant.uniform<u8<0:5>:f32, 1.0>
module attributes {tfhe.parameters = [#tfhe.parameters<n = 800, k = 1, N = 2048, pbs = 23 x 1, ks = 3 x 5, lwe_std_dev = 1.0e-06 : f64, glwe_std_dev = 1.0e-15 : f64>, #tfhe.parameters<n = 600, k = 4, N = 512, pbs = 15 x 2, ks = 3 x 4, lwe_std_dev = 1.0e-05 : f64, glwe_std_dev = 1.0e-15 : f64>]} {
func.func @client_in(%x: tensor<1x1xf32>) -> tensor<1x1x!sent> {
  %q = qnn.quantize %x : tensor<1x1xf32> -> tensor<1x1x!sent>
  return %q : tensor<1x1x!sent>
}

// CHECK-LABEL: @server
// CHECK-SAME:  (%[[X:.*]]: tensor<1x!tfhe.lwe<big, 144115188075855872>>)
func.func @server(%x: tensor<1x1x!fhe.eint<-24:23>>) -> tensor<1x2x!fhe.eint<0:5>> attributes {cml.spacings = array<i64: 144115188075855872, 288230376151711744, 288230376151711744>} {
  // Equal jumps: distance from the nearest one and number of those below it are read at one phase; the sign of the distance decides.
  // CHECK-NEXT: %[[S:.*]] = tfhe.keyswitch %[[X]] : {{.*}} -> tensor<1x!tfhe.lwe<small 1, 144115188075855872>>
  // CHECK-NEXT: %[[D:.*]] = tfhe.bootstrap %[[S]] lookup 0: nearest extension 0 tolerance 3
  // CHECK-NOT:  tfhe.keyswitch
  // CHECK-DAG:  %[[C:.*]] = tfhe.bootstrap %[[S]] lookup 0: count extension 0 tolerance 3
  // CHECK-DAG:  %[[Y:.*]] = tfhe.combine %[[X]], %[[D]] weights [1, 1]
  // CHECK:      %[[K:.*]] = tfhe.keyswitch %[[Y]] : {{.*}} -> tensor<1x!tfhe.lwe<small 0
  // CHECK:      %[[G:.*]] = tfhe.bootstrap %[[K]] lookup 0: sign extension 0 tables
  // CHECK-NEXT: %[[STEPS:.*]] = tfhe.combine %[[C]], %[[G]] weights [1, 1]
  %steps = fhe.lookup %x tables [array<i64: 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3>] firsts [-24] of [0] lows [0] highs [3]
    {cml.forms = ["64: steps(8,3)@1+0 direct(0)@0+0"], cml.spacings = array<i64: 144115188075855872>} : tensor<1x1x!fhe.eint<-24:23>> -> tensor<1x1x!fhe.eint<0:3>> loc("steps")

  // Unequal jumps: the number of the zone, out of the rotation of the nearest jump; then a table of the zones.
  // CHECK:      tfhe.bootstrap %[[P:.*]] lookup 1: nearest extension -1
  // CHECK:      tfhe.bootstrap %[[P]] lookup 1: count extension -1
  // CHECK:      tfhe.bootstrap %{{.*}} lookup 1: sign
  // CHECK:      tfhe.combine
  // CHECK:      %[[ZONES:.*]] = tfhe.bootstrap %{{.*}} lookup 1 extension 0 tables [array<i64: 0, 2, 1, 5>]
  %zones = fhe.lookup %x tables [array<i64: 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5>] firsts [-24] of [0] lows [0] highs [5]
    {cml.forms = ["64: zones(8,3,4)@1-1 direct(0)@0+0 direct(0)@0+0"], cml.spacings = array<i64: 144115188075855872>} : tensor<1x1x!fhe.eint<-24:23>> -> tensor<1x1x!fhe.eint<0:5>> loc("zones")

  // CHECK:      tfhe.linear %[[STEPS]], %[[ZONES]] weights
  %y = fhe.concat %steps, %zones axis 1 lows [0, 0] highs [3, 5] : tensor<1x1x!fhe.eint<0:3>>, tensor<1x1x!fhe.eint<0:5>> -> tensor<1x2x!fhe.eint<0:5>>
  return %y : tensor<1x2x!fhe.eint<0:5>>
}
func.func @client_out(%q: tensor<1x2x!got>) -> tensor<1x2xf32> {
  %y = qnn.dequantize %q : tensor<1x2x!got> -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}
}
