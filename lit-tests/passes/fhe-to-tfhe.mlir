// RUN: cml-opt --cml-check-semantics --split-input-file --cml-fhe-to-tfhe %s | FileCheck %s

// The sum collapses into one linear map; the constant column (a table of zeros) vanishes; the two live columns have ranges of 4 and of 16
// values and are read apart, the narrow one at four times the spacing. What calibration saw of each stands with its bootstrap.
// CHECK-LABEL: @server
// CHECK-SAME:  tensor<2x!tfhe.lwe<big, 576460752303423488>>
// CHECK:       %[[N:.*]] = tfhe.linear %arg0 weights dense<1> : tensor<1x2xi64> bias [0]
// CHECK-SAME:  -> tensor<1x!tfhe.lwe<big, 2305843009213693952>>
// CHECK-NEXT:  %[[K:.*]] = tfhe.keyswitch %[[N]] {{.*}} -> tensor<1x!tfhe.lwe<small 1, 2305843009213693952>>
// CHECK-NEXT:  %[[B:.*]] = tfhe.bootstrap %[[K]] lookup 0 extension 0 tables [array<i64: 0, 1, 1, 1>] firsts [0] centers [1] of [0]
// CHECK-NEXT:  %[[W:.*]] = tfhe.linear %arg0 weights dense<{{\[\[}}8, 7]]> : tensor<1x2xi64> bias [0]
// CHECK-NEXT:  tfhe.keyswitch %[[W]] {{.*}} -> tensor<1x!tfhe.lwe<small 0, 576460752303423488>>
// CHECK-NEXT:  %[[C:.*]] = tfhe.bootstrap {{.*}} lookup 1 extension 1
// CHECK-SAME:  {cml.measured_range = array<i64: 1, 8>, cml.measured_width = 3 : i64, cml.predicted_milliseconds = 7.000000e+00 : f64}
// CHECK-NEXT:  tfhe.linear %[[B]], %[[C]] weights dense<{{\[\[}}2, 1]]> : tensor<1x2xi64> bias [5]
module attributes {tfhe.parameters = [#tfhe.parameters<n = 800, k = 1, N = 2048, pbs = 23 x 1, ks = 3 x 5, lwe_std_dev = 1.0e-06 : f64, glwe_std_dev = 1.0e-15 : f64>, #tfhe.parameters<n = 600, k = 4, N = 512, pbs = 15 x 2, ks = 3 x 4, lwe_std_dev = 1.0e-05 : f64, glwe_std_dev = 1.0e-15 : f64>]} {
func.func @server(%x: tensor<1x2x!fhe.eint<0:1>>) -> tensor<1x1x!fhe.eint<5:8>> attributes {cml.spacings = array<i64: 576460752303423488, 576460752303423488, 576460752303423488>} {
  %a = fhe.matmul %x, dense<[[1, 8, 1], [1, 7, 1]]> : tensor<2x3xi64> lows [0, 0, 0] highs [3, 15, 2] {cml.measured_lows = array<i64: 0, 1, 0>, cml.measured_highs = array<i64: 2, 8, 2>} : tensor<1x2x!fhe.eint<0:1>> -> tensor<1x3x!fhe.eint<0:15>>
  %l = fhe.lookup %a tables [array<i64: 0, 1, 1, 1>, array<i64: 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1>, array<i64: 5, 5, 5>] firsts [0, 0, 0] of [0, 1, 2] lows [0, 0, 5] highs [1, 1, 5]
    {cml.forms = ["4: direct(0)@1+0", "16: direct(0)@0+1"], cml.spacings = array<i64: 2305843009213693952, 576460752303423488>, cml.stage_milliseconds = [array<f64: 1.0, 2.0>, array<f64: 3.0, 4.0>]}
    : tensor<1x3x!fhe.eint<0:15>> -> tensor<1x3x!fhe.eint<0:5>>
  %y = fhe.matmul %l, dense<[[2], [1], [1]]> : tensor<3x1xi64> : tensor<1x3x!fhe.eint<0:5>> -> tensor<1x1x!fhe.eint<5:8>>
  return %y : tensor<1x1x!fhe.eint<5:8>>
}
}

// -----

// A fold: what is read coarsely under one key takes the value into a window of three times the spacing, which is read under another. Both
// lookups share each op; their tables differ.
// CHECK-LABEL: @server
// CHECK:       %[[C:.*]] = tfhe.keyswitch %arg0 {{.*}} -> tensor<2x!tfhe.lwe<small 1, 384307168202282325>>
// CHECK-NEXT:  %[[A:.*]] = tfhe.bootstrap %[[C]] lookup 0: fold extension 0 tolerance 2 tables [array<i64: {{.*}}>, array<i64: {{.*}}>] firsts [-12, -12] centers [{{.*}}] of [0, 1]
// CHECK-SAME:  cml.predicted_milliseconds = 3.000000e+00
// CHECK-SAME:  -> tensor<2x!tfhe.lwe<big, 1152921504606846975>>
// CHECK-NEXT:  %[[W:.*]] = tfhe.combine %arg0, %[[A]] weights [1, 1] bias [0, 0] : {{.*}} -> tensor<2x!tfhe.lwe<big, 1152921504606846975>>
// CHECK-NEXT:  %[[S:.*]] = tfhe.keyswitch %[[W]] {{.*}} -> tensor<2x!tfhe.lwe<small 0, 1152921504606846975>>
// CHECK-NEXT:  tfhe.bootstrap %[[S]] lookup 0 extension 1 tables {{.*}} of [0, 1]
// CHECK-SAME:  cml.predicted_milliseconds = 7.000000e+00
// CHECK-SAME:  -> tensor<2x!tfhe.lwe<big, 2305843009213693952>>
!sent = !quant.uniform<i8<-12:11>:f32, 0.25>
!got = !quant.uniform<u8<0:3>:f32, 1.0>
module attributes {tfhe.parameters = [#tfhe.parameters<n = 800, k = 1, N = 2048, pbs = 23 x 1, ks = 3 x 5, lwe_std_dev = 1.0e-06 : f64, glwe_std_dev = 1.0e-15 : f64>, #tfhe.parameters<n = 600, k = 4, N = 512, pbs = 15 x 2, ks = 3 x 4, lwe_std_dev = 1.0e-05 : f64, glwe_std_dev = 1.0e-15 : f64>]} {
func.func @client_in(%x: tensor<1x2xf32>) -> tensor<1x2x!sent> {
  %q = qnn.quantize %x : tensor<1x2xf32> -> tensor<1x2x!sent>
  return %q : tensor<1x2x!sent>
}
func.func @server(%x: tensor<1x2x!fhe.eint<-12:11>>) -> tensor<1x2x!fhe.eint<0:3>> attributes {cml.spacings = array<i64: 384307168202282325, 2305843009213693952>} {
  %y = fhe.lookup %x tables [array<i64: 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3>, array<i64: 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1>] firsts [-12, -12] of [0, 1]
    {cml.forms = ["24: fold(3,2)@1+0 direct(0)@0+1"], cml.spacings = array<i64: 384307168202282325>, cml.stage_milliseconds = [array<f64: 1.0, 2.0, 3.0, 4.0>]}
    : tensor<1x2x!fhe.eint<-12:11>> -> tensor<1x2x!fhe.eint<0:3>>
  return %y : tensor<1x2x!fhe.eint<0:3>>
}
func.func @client_out(%q: tensor<1x2x!got>) -> tensor<1x2xf32> {
  %y = qnn.dequantize %q : tensor<1x2x!got> -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}
}
