// RUN: cml-opt --split-input-file --cml-rewrite-fhe %s | FileCheck %s

// Negations end in pairs and in subtractions, clear sums and factors gather.
// CHECK-LABEL: @server
// CHECK-NEXT:  %[[S:.*]] = fhe.sub %arg1, %arg0
// CHECK-NEXT:  %[[M:.*]] = fhe.mul_clear %[[S]], dense<6>
// CHECK-NEXT:  %[[A:.*]] = fhe.add_clear %[[M]], dense<18>
// CHECK-NEXT:  return %[[A]]
func.func @server(%x: tensor<2x!fhe.eint<0:3>>, %y: tensor<2x!fhe.eint<0:3>>) -> tensor<2x!fhe.eint<0:36>> {
  %a = fhe.neg %x : tensor<2x!fhe.eint<0:3>> -> tensor<2x!fhe.eint<-3:0>>
  %b = fhe.add %a, %y : tensor<2x!fhe.eint<-3:0>>, tensor<2x!fhe.eint<0:3>> -> tensor<2x!fhe.eint<-3:3>>
  %c = fhe.mul_clear %b, dense<2> : tensor<i64> : tensor<2x!fhe.eint<-3:3>> -> tensor<2x!fhe.eint<-6:6>>
  %d = fhe.add_clear %c, dense<6> : tensor<i64> : tensor<2x!fhe.eint<-6:6>> -> tensor<2x!fhe.eint<0:12>>
  %e = fhe.mul_clear %d, dense<3> : tensor<i64> : tensor<2x!fhe.eint<0:12>> -> tensor<2x!fhe.eint<0:36>>
  return %e : tensor<2x!fhe.eint<0:36>>
}

// -----

// Products of one input are one product, and a factor for each column is in the weights. The ranges are those of
// the one product: opposite weights of one input cancel.
// CHECK-LABEL: @server
// CHECK-NEXT:  %[[M:.*]] = fhe.matmul %arg0, dense<{{\[\[}}0, 6], [2, 3]]> : tensor<2x2xi64> lows [0, 0] highs [2, 9] : tensor<1x2x!fhe.eint<0:1>> -> tensor<1x2x!fhe.eint<0:9>>
// CHECK-NEXT:  return %[[M]]
func.func @server(%x: tensor<1x2x!fhe.eint<0:1>>) -> tensor<1x2x!fhe.eint<-4:12>> {
  %a = fhe.matmul %x, dense<[[1, 1], [1, 0]]> : tensor<2x2xi64> : tensor<1x2x!fhe.eint<0:1>> -> tensor<1x2x!fhe.eint<0:2>>
  %b = fhe.matmul %x, dense<[[-1, 1], [0, 1]]> : tensor<2x2xi64> : tensor<1x2x!fhe.eint<0:1>> -> tensor<1x2x!fhe.eint<-1:2>>
  %c = fhe.add %a, %b : tensor<1x2x!fhe.eint<0:2>>, tensor<1x2x!fhe.eint<-1:2>> -> tensor<1x2x!fhe.eint<-1:4>>
  %d = fhe.mul_clear %c, dense<[[2, 3]]> : tensor<1x2xi64> : tensor<1x2x!fhe.eint<-1:4>> -> tensor<1x2x!fhe.eint<-4:12>>
  return %d : tensor<1x2x!fhe.eint<-4:12>>
}

// -----

// A clear sum passes a product to reach the lookup behind it; what was proved of the product with it holds without it, shifted.
// CHECK-LABEL: @server
// CHECK-NEXT:  %[[M:.*]] = fhe.matmul %arg0, {{.*}} lows [0] highs [2] : {{.*}} -> tensor<1x1x!fhe.eint<0:2>>
// CHECK-NEXT:  fhe.lookup %[[M]] tables [array<i64: 4, 6, 5>] firsts [0] of [0]
// CHECK-NEXT:  return
func.func @server(%x: tensor<1x2x!fhe.eint<0:1>>) -> tensor<1x1x!fhe.eint<4:6>> {
  %a = fhe.add_clear %x, dense<[[1, 3]]> : tensor<1x2xi64> : tensor<1x2x!fhe.eint<0:1>> -> tensor<1x2x!fhe.eint<1:4>>
  %b = fhe.matmul %a, dense<[[2], [1]]> : tensor<2x1xi64> lows [5] highs [7] : tensor<1x2x!fhe.eint<1:4>> -> tensor<1x1x!fhe.eint<5:7>>
  %c = fhe.lookup %b tables [array<i64: 4, 6, 5>] firsts [5] of [0] : tensor<1x1x!fhe.eint<5:7>> -> tensor<1x1x!fhe.eint<4:6>>
  return %c : tensor<1x1x!fhe.eint<4:6>>
}

// -----

// Left alone: a factor for each row is not one for each column.
// CHECK-LABEL: @server
// CHECK-NEXT:  %[[M:.*]] = fhe.matmul %arg0
// CHECK-NEXT:  fhe.mul_clear %[[M]]
// CHECK-NEXT:  return
func.func @server(%x: tensor<2x1x!fhe.eint<0:1>>) -> tensor<2x1x!fhe.eint<0:3>> {
  %a = fhe.matmul %x, dense<1> : tensor<1x1xi64> : tensor<2x1x!fhe.eint<0:1>> -> tensor<2x1x!fhe.eint<0:1>>
  %b = fhe.mul_clear %a, dense<[[2], [3]]> : tensor<2x1xi64> : tensor<2x1x!fhe.eint<0:1>> -> tensor<2x1x!fhe.eint<0:3>>
  return %b : tensor<2x1x!fhe.eint<0:3>>
}
