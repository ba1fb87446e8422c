// RUN: cml-opt --cml-check-semantics --split-input-file --cml-rewrite-fhe %s | FileCheck %s

// Lookup, negation, clear sum and lookup are one lookup, placed where the last one stood; client and server compute what they did.
// CHECK-LABEL: @server
// CHECK-NEXT:  %[[L:.*]] = fhe.lookup %arg0 tables [array<i64: 1, 0, 2, 3>] firsts [-2] of [0] : tensor<1x1x!fhe.eint<-2:1>> -> tensor<1x1x!fhe.eint<0:3>>
// CHECK-NEXT:  return %[[L]]
func.func @client_in(%x: tensor<1x1xf32>) -> tensor<1x1x!quant.uniform<u2:f32, 1.0:2>> {
  %q = qnn.quantize %x : tensor<1x1xf32> -> tensor<1x1x!quant.uniform<u2:f32, 1.0:2>>
  return %q : tensor<1x1x!quant.uniform<u2:f32, 1.0:2>>
}
func.func @server(%x: tensor<1x1x!fhe.eint<-2:1>>) -> tensor<1x1x!fhe.eint<0:3>> {
  %a = fhe.lookup %x tables [array<i64: 2, 3, 1, 0>] firsts [-2] of [0] : tensor<1x1x!fhe.eint<-2:1>> -> tensor<1x1x!fhe.eint<0:3>>
  %b = fhe.neg %a : tensor<1x1x!fhe.eint<0:3>> -> tensor<1x1x!fhe.eint<-3:0>>
  %c = fhe.add_clear %b, dense<5> : tensor<i64> : tensor<1x1x!fhe.eint<-3:0>> -> tensor<1x1x!fhe.eint<2:5>>
  %d = fhe.lookup %c tables [array<i64: 0, 1, 2, 3>] firsts [2] of [0] : tensor<1x1x!fhe.eint<2:5>> -> tensor<1x1x!fhe.eint<0:3>>
  return %d : tensor<1x1x!fhe.eint<0:3>>
}
func.func @client_out(%b: tensor<1x1x!quant.uniform<u2:f32, 1.0>>) -> tensor<1x1xf32> {
  %f = qnn.dequantize %b : tensor<1x1x!quant.uniform<u2:f32, 1.0>> -> tensor<1x1xf32>
  return %f : tensor<1x1xf32>
}

// -----

// A factor before a lookup makes it read fewer values, one behind it goes into the entries.
// CHECK-LABEL: @server
// CHECK-NEXT:  fhe.lookup %arg0 tables [array<i64: 7, 14, 21>] firsts [0] of [0] : tensor<1x!fhe.eint<0:2>> -> tensor<1x!fhe.eint<7:21>>
// CHECK-NEXT:  return
func.func @server(%x: tensor<1x!fhe.eint<0:2>>) -> tensor<1x!fhe.eint<7:63>> {
  %a = fhe.mul_clear %x, dense<3> : tensor<i64> : tensor<1x!fhe.eint<0:2>> -> tensor<1x!fhe.eint<0:6>>
  %b = fhe.lookup %a tables [array<i64: 1, 9, 9, 2, 9, 9, 3>] firsts [0] of [0] : tensor<1x!fhe.eint<0:6>> -> tensor<1x!fhe.eint<1:9>>
  %c = fhe.mul_clear %b, dense<7> : tensor<i64> : tensor<1x!fhe.eint<1:9>> -> tensor<1x!fhe.eint<7:63>>
  return %c : tensor<1x!fhe.eint<7:63>>
}

// -----

// Two lookups of one input whose entries differ where nothing reads are one, and doubling it is in its table. The stated range of the
// matmul is what makes an entry unread.
// CHECK-LABEL: @server
// CHECK-NEXT:  %[[A:.*]] = fhe.matmul {{.*}} lows [0] highs [2]
// CHECK-NEXT:  fhe.lookup %[[A]] tables [array<i64: 2, 0, 4>] firsts [0] of [0]
// CHECK-NEXT:  return
func.func @server(%x: tensor<1x2x!fhe.eint<0:1>>) -> tensor<1x1x!fhe.eint<0:4>> {
  %a = fhe.matmul %x, dense<[[1], [2]]> : tensor<2x1xi64> lows [0] highs [2] : tensor<1x2x!fhe.eint<0:1>> -> tensor<1x1x!fhe.eint<0:2>>
  %b = fhe.lookup %a tables [array<i64: 1, 0, 2, 5>] firsts [0] of [0] : tensor<1x1x!fhe.eint<0:2>> -> tensor<1x1x!fhe.eint<0:2>>
  %c = fhe.lookup %a tables [array<i64: 1, 0, 2, 8>] firsts [0] of [0] : tensor<1x1x!fhe.eint<0:2>> -> tensor<1x1x!fhe.eint<0:2>>
  %d = fhe.add %b, %c : tensor<1x1x!fhe.eint<0:2>>, tensor<1x1x!fhe.eint<0:2>> -> tensor<1x1x!fhe.eint<0:4>>
  return %d : tensor<1x1x!fhe.eint<0:4>>
}

// -----

// The identity, where only what is read is the identity.
// CHECK-LABEL: @server
// CHECK-SAME:  %[[X:.*]]: tensor<2x!fhe.eint<0:3>>
// CHECK-NEXT:  return %[[X]]
func.func @server(%x: tensor<2x!fhe.eint<0:3>>) -> tensor<2x!fhe.eint<0:3>> {
  %a = fhe.lookup %x tables [array<i64: 9, 0, 1, 2, 3>, array<i64: 0, 1, 2, 3>] firsts [-1, 0] of [0, 1] : tensor<2x!fhe.eint<0:3>> -> tensor<2x!fhe.eint<0:3>>
  return %a : tensor<2x!fhe.eint<0:3>>
}

// -----

// Both lookups of the same lookup are composed, which leaves the inner one unused: two bootstraps of 2 bits instead of three.
// CHECK-LABEL: @server
// CHECK-DAG:   fhe.lookup %arg0 tables [array<i64: 0, 1, 2, 1>]
// CHECK-DAG:   fhe.lookup %arg0 tables [array<i64: 1, 0, 1, 0>]
// CHECK:       return
func.func @server(%x: tensor<1x!fhe.eint<0:3>>) -> (tensor<1x!fhe.eint<0:2>>, tensor<1x!fhe.eint<0:1>>) {
  %a = fhe.lookup %x tables [array<i64: 0, 3, 2, 1>] firsts [0] of [0] : tensor<1x!fhe.eint<0:3>> -> tensor<1x!fhe.eint<0:3>>
  %b = fhe.lookup %a tables [array<i64: 0, 1, 2, 1>] firsts [0] of [0] : tensor<1x!fhe.eint<0:3>> -> tensor<1x!fhe.eint<0:2>>
  %c = fhe.lookup %a tables [array<i64: 1, 0, 1, 0>] firsts [0] of [0] : tensor<1x!fhe.eint<0:3>> -> tensor<1x!fhe.eint<0:1>>
  return %b, %c : tensor<1x!fhe.eint<0:2>>, tensor<1x!fhe.eint<0:1>>
}

// -----

// Left alone: the shared lookup reads 7 bits and the others 1 bit, so composing them would read 7 bits twice.
// CHECK-LABEL: @server
// CHECK-NEXT:  %[[A:.*]] = fhe.lookup %arg0
// CHECK-NEXT:  fhe.lookup %[[A]] tables [array<i64: 0, 5, 1>] firsts [0] of [0]
// CHECK-NEXT:  fhe.lookup %[[A]] tables [array<i64: 1, 0, 2>] firsts [0] of [0]
// CHECK-NEXT:  return
func.func @server(%x: tensor<1x!fhe.eint<0:69>>) -> (tensor<1x!fhe.eint<0:5>>, tensor<1x!fhe.eint<0:2>>) {
  %a = fhe.lookup %x tables [array<i64: 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2>] firsts [0] of [0] : tensor<1x!fhe.eint<0:69>> -> tensor<1x!fhe.eint<0:2>>
  %b = fhe.lookup %a tables [array<i64: 0, 5, 1>] firsts [0] of [0] : tensor<1x!fhe.eint<0:2>> -> tensor<1x!fhe.eint<0:5>>
  %c = fhe.lookup %a tables [array<i64: 1, 0, 2>] firsts [0] of [0] : tensor<1x!fhe.eint<0:2>> -> tensor<1x!fhe.eint<0:2>>
  return %b, %c : tensor<1x!fhe.eint<0:5>>, tensor<1x!fhe.eint<0:2>>
}

// -----

// What was proved of a lookup of an argument does not narrow the argument, whose type is given: the table covers the type.
// CHECK-LABEL: @server
// CHECK-NEXT:  fhe.lookup %arg0 tables [array<i64: 5, 7, 7, 7>] firsts [0] of [0] : tensor<1x!fhe.eint<0:3>> -> tensor<1x!fhe.eint<5:7>>
// CHECK-NEXT:  return
func.func @server(%x: tensor<1x!fhe.eint<0:3>>) -> tensor<1x!fhe.eint<5:7>> {
  %a = fhe.lookup %x tables [array<i64: 0, 1, 2, 3>] firsts [0] of [0] lows [0] highs [1] : tensor<1x!fhe.eint<0:3>> -> tensor<1x!fhe.eint<0:1>>
  %b = fhe.lookup %a tables [array<i64: 5, 7>] firsts [0] of [0] : tensor<1x!fhe.eint<0:1>> -> tensor<1x!fhe.eint<5:7>>
  return %b : tensor<1x!fhe.eint<5:7>>
}

// -----

// Measured ranges stay with the value that was measured.
// CHECK-LABEL: @server
// CHECK-NEXT:  %[[M:.*]] = fhe.matmul %arg0, {{.*}} {cml.measured_highs = array<i64: 2>, cml.measured_lows = array<i64: 1>}
// CHECK-NEXT:  fhe.lookup %[[M]] tables [array<i64: 1, 0, 2, 2>] firsts [0] of [0]
// CHECK-NEXT:  return
func.func @server(%x: tensor<1x1x!fhe.eint<0:1>>) -> tensor<1x1x!fhe.eint<0:2>> {
  %a = fhe.matmul %x, dense<3> : tensor<1x1xi64> {cml.measured_lows = array<i64: 1>, cml.measured_highs = array<i64: 2>} : tensor<1x1x!fhe.eint<0:1>> -> tensor<1x1x!fhe.eint<0:3>>
  %b = fhe.add_clear %a, dense<4> : tensor<i64> : tensor<1x1x!fhe.eint<0:3>> -> tensor<1x1x!fhe.eint<4:7>>
  %c = fhe.lookup %b tables [array<i64: 1, 0, 2, 2>] firsts [4] of [0] : tensor<1x1x!fhe.eint<4:7>> -> tensor<1x1x!fhe.eint<0:2>>
  return %c : tensor<1x1x!fhe.eint<0:2>>
}

// -----

// Left alone: one value is stated to be 0 and, of an equal lookup, 1, so nothing that is stated proves anything.
// CHECK-LABEL: @server
// CHECK-COUNT-2: fhe.lookup %arg0
// CHECK:         fhe.neg
// CHECK:         fhe.neg
func.func @server(%x: tensor<1x!fhe.eint<0:1>>) -> (tensor<1x!fhe.eint<-1:0>>, tensor<1x!fhe.eint<-1:-1>>) {
  %a = fhe.lookup %x tables [array<i64: 0, 1>] firsts [0] of [0] lows [0] highs [0] : tensor<1x!fhe.eint<0:1>> -> tensor<1x!fhe.eint<0:1>>
  %b = fhe.lookup %x tables [array<i64: 0, 1>] firsts [0] of [0] lows [1] highs [1] : tensor<1x!fhe.eint<0:1>> -> tensor<1x!fhe.eint<1:1>>
  %c = fhe.neg %a : tensor<1x!fhe.eint<0:1>> -> tensor<1x!fhe.eint<-1:0>>
  %d = fhe.neg %b : tensor<1x!fhe.eint<1:1>> -> tensor<1x!fhe.eint<-1:-1>>
  return %c, %d : tensor<1x!fhe.eint<-1:0>>, tensor<1x!fhe.eint<-1:-1>>
}
