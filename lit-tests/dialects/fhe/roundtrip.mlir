// RUN: cml-opt %s | cml-opt | FileCheck %s
// RUN: cml-opt %s --emit-bytecode | cml-opt | FileCheck %s
// RUN: cml-opt %s --mlir-print-op-generic | cml-opt | FileCheck %s

!u2 = !fhe.eint<0:3>
!wide = !fhe.eint<-100:100>

// The widest bounds that a type may have.
// CHECK: func.func private @widest(tensor<1x!fhe.eint<-1099511627776:1099511627776>>)
func.func private @widest(tensor<1x!fhe.eint<-1099511627776:1099511627776>>)

// CHECK-LABEL: @constant
func.func @constant() -> tensor<1x2x!wide> {
  // CHECK: fhe.constant dense<{{\[}}[-100, 5]]> : tensor<1x2xi64> : tensor<1x2x!fhe.eint<-100:100>>
  %0 = fhe.constant dense<[[-100, 5]]> : tensor<1x2xi64> : tensor<1x2x!wide>
  return %0 : tensor<1x2x!wide>
}

// CHECK-LABEL: @linear
func.func @linear(%x: tensor<1x2x!u2>, %row: tensor<2x!u2>) {
  // CHECK: fhe.matmul %{{.*}}, dense<{{\[}}[1, -2], [3, 4]]> : tensor<2x2xi64> : tensor<1x2x!fhe.eint<0:3>> -> tensor<1x2x!fhe.eint<-100:100>>
  %0 = fhe.matmul %x, dense<[[1, -2], [3, 4]]> : tensor<2x2xi64> : tensor<1x2x!u2> -> tensor<1x2x!wide>
  // CHECK: fhe.add %{{.*}}, %{{.*}} : tensor<1x2x!fhe.eint<0:3>>, tensor<2x!fhe.eint<0:3>> -> tensor<1x2x!fhe.eint<0:6>>
  %1 = fhe.add %x, %row : tensor<1x2x!u2>, tensor<2x!u2> -> tensor<1x2x!fhe.eint<0:6>>
  // CHECK: fhe.sub %{{.*}}, %{{.*}} : tensor<1x2x!fhe.eint<0:3>>, tensor<1x2x!fhe.eint<0:3>> -> tensor<1x2x!fhe.eint<-3:3>>
  %2 = fhe.sub %x, %x : tensor<1x2x!u2>, tensor<1x2x!u2> -> tensor<1x2x!fhe.eint<-3:3>>
  // CHECK: fhe.add_clear %{{.*}}, dense<-1> : tensor<1xi64> : tensor<1x2x!fhe.eint<0:3>> -> tensor<1x2x!fhe.eint<-1:2>>
  %3 = fhe.add_clear %x, dense<-1> : tensor<1xi64> : tensor<1x2x!u2> -> tensor<1x2x!fhe.eint<-1:2>>
  // CHECK: fhe.mul_clear %{{.*}}, dense<{{\[}}[2, -1]]> : tensor<1x2xi64> : tensor<1x2x!fhe.eint<0:3>> -> tensor<1x2x!fhe.eint<-3:6>>
  %4 = fhe.mul_clear %x, dense<[[2, -1]]> : tensor<1x2xi64> : tensor<1x2x!u2> -> tensor<1x2x!fhe.eint<-3:6>>
  // CHECK: fhe.neg %{{.*}} : tensor<1x2x!fhe.eint<0:3>> -> tensor<1x2x!fhe.eint<-3:0>>
  %5 = fhe.neg %x : tensor<1x2x!u2> -> tensor<1x2x!fhe.eint<-3:0>>
  // CHECK: fhe.sum %{{.*}} [1] : tensor<1x2x!fhe.eint<0:3>> -> tensor<1x1x!fhe.eint<0:6>>
  %6 = fhe.sum %x [1] : tensor<1x2x!u2> -> tensor<1x1x!fhe.eint<0:6>>
  return
}

// CHECK-LABEL: @movement
func.func @movement(%x: tensor<1x2x!u2>, %y: tensor<1x1x!fhe.eint<-1:0>>) {
  // CHECK: fhe.reshape %{{.*}} : tensor<1x2x!fhe.eint<0:3>> -> tensor<2x!fhe.eint<0:3>>
  %0 = fhe.reshape %x : tensor<1x2x!u2> -> tensor<2x!u2>
  // CHECK: fhe.transpose %{{.*}} [1, 0] : tensor<1x2x!fhe.eint<0:3>> -> tensor<2x1x!fhe.eint<0:7>>
  %1 = fhe.transpose %x [1, 0] : tensor<1x2x!u2> -> tensor<2x1x!fhe.eint<0:7>>
  // CHECK: fhe.concat %{{.*}}, %{{.*}} axis 1 : tensor<1x2x!fhe.eint<0:3>>, tensor<1x1x!fhe.eint<-1:0>> -> tensor<1x3x!fhe.eint<-1:3>>
  %2 = fhe.concat %x, %y axis 1 : tensor<1x2x!u2>, tensor<1x1x!fhe.eint<-1:0>> -> tensor<1x3x!fhe.eint<-1:3>>
  return
}

// CHECK-LABEL: @lookup
func.func @lookup(%x: tensor<1x2x!u2>) -> tensor<1x2x!fhe.eint<-1:9>> {
  // CHECK: fhe.lookup %{{.*}} tables [array<i64: 0, 1, 4, 9>, array<i64: 8, -1, -1, -1, -1>] firsts [0, -1] of [0, 1] : tensor<1x2x!fhe.eint<0:3>> -> tensor<1x2x!fhe.eint<-1:9>>
  %0 = fhe.lookup %x tables [array<i64: 0, 1, 4, 9>, array<i64: 8, -1, -1, -1, -1>] firsts [0, -1] of [0, 1] : tensor<1x2x!u2> -> tensor<1x2x!fhe.eint<-1:9>>
  return %0 : tensor<1x2x!fhe.eint<-1:9>>
}

// Every op but a constant may state the range of each element.
// CHECK-LABEL: @stated_ranges
func.func @stated_ranges(%x: tensor<1x2x!u2>) {
  // CHECK: fhe.matmul {{.*}} lows [0, 1] highs [5, 6] :
  %0 = fhe.matmul %x, dense<1> : tensor<2x2xi64> lows [0, 1] highs [5, 6] : tensor<1x2x!u2> -> tensor<1x2x!fhe.eint<0:6>>
  // CHECK: fhe.add {{.*}} lows [0, 1] highs [5, 6] :
  %1 = fhe.add %x, %x lows [0, 1] highs [5, 6] : tensor<1x2x!u2>, tensor<1x2x!u2> -> tensor<1x2x!fhe.eint<0:6>>
  // CHECK: fhe.sub {{.*}} lows [-1, 0] highs [0, 3] :
  %2 = fhe.sub %x, %x lows [-1, 0] highs [0, 3] : tensor<1x2x!u2>, tensor<1x2x!u2> -> tensor<1x2x!fhe.eint<-1:3>>
  // CHECK: fhe.add_clear {{.*}} lows [1, 2] highs [1, 3] :
  %3 = fhe.add_clear %x, dense<1> : tensor<1xi64> lows [1, 2] highs [1, 3] : tensor<1x2x!u2> -> tensor<1x2x!fhe.eint<1:3>>
  // CHECK: fhe.mul_clear {{.*}} lows [0, 2] highs [2, 4] :
  %4 = fhe.mul_clear %x, dense<2> : tensor<1xi64> lows [0, 2] highs [2, 4] : tensor<1x2x!u2> -> tensor<1x2x!fhe.eint<0:4>>
  // CHECK: fhe.neg {{.*}} lows [-3, -1] highs [0, 0] :
  %5 = fhe.neg %x lows [-3, -1] highs [0, 0] : tensor<1x2x!u2> -> tensor<1x2x!fhe.eint<-3:0>>
  // CHECK: fhe.sum {{.*}} [1] lows [1] highs [6] :
  %6 = fhe.sum %x [1] lows [1] highs [6] : tensor<1x2x!u2> -> tensor<1x1x!fhe.eint<1:6>>
  // CHECK: fhe.reshape {{.*}} lows [0, 1] highs [2, 3] :
  %7 = fhe.reshape %x lows [0, 1] highs [2, 3] : tensor<1x2x!u2> -> tensor<2x!u2>
  // CHECK: fhe.transpose {{.*}} [1, 0] lows [0, 1] highs [2, 3] :
  %8 = fhe.transpose %x [1, 0] lows [0, 1] highs [2, 3] : tensor<1x2x!u2> -> tensor<2x1x!u2>
  // CHECK: fhe.concat {{.*}} axis 0 lows [0, 1, 0, 1] highs [2, 3, 2, 3] :
  %9 = fhe.concat %x, %x axis 0 lows [0, 1, 0, 1] highs [2, 3, 2, 3] : tensor<1x2x!u2>, tensor<1x2x!u2> -> tensor<2x2x!u2>
  // CHECK: fhe.lookup {{.*}} of [0, 0] lows [1, 0] highs [1, 1] :
  %10 = fhe.lookup %x tables [array<i64: 0, 0, 1, 1>] firsts [0] of [0, 0] lows [1, 0] highs [1, 1] : tensor<1x2x!u2> -> tensor<1x2x!fhe.eint<0:1>>
  return
}

// A table may be as short as the range that the producer stated.
// CHECK-LABEL: @table_for_a_stated_range
func.func @table_for_a_stated_range(%x: tensor<1x2x!u2>) -> tensor<1x2x!fhe.eint<7:8>> {
  // CHECK: fhe.add_clear
  %0 = fhe.add_clear %x, dense<0> : tensor<1xi64> lows [2, 0] highs [3, 0] : tensor<1x2x!u2> -> tensor<1x2x!u2>
  // CHECK-NEXT: fhe.lookup {{.*}} tables [array<i64: 7, 8>, array<i64: 7>] firsts [2, 0] of [0, 1]
  %1 = fhe.lookup %0 tables [array<i64: 7, 8>, array<i64: 7>] firsts [2, 0] of [0, 1] : tensor<1x2x!u2> -> tensor<1x2x!fhe.eint<7:8>>
  return %1 : tensor<1x2x!fhe.eint<7:8>>
}

// Tensors without elements, and without axes.
// CHECK-LABEL: @degenerate_shapes
func.func @degenerate_shapes(%x: tensor<0x2x!u2>, %y: tensor<!u2>) {
  // CHECK: fhe.matmul {{.*}} : tensor<0x2x!fhe.eint<0:3>> -> tensor<0x1x!fhe.eint<0:0>>
  %0 = fhe.matmul %x, dense<1> : tensor<2x1xi64> : tensor<0x2x!u2> -> tensor<0x1x!fhe.eint<0:0>>
  // CHECK: fhe.sum {{.*}} [0] : tensor<0x2x!fhe.eint<0:3>> -> tensor<1x2x!fhe.eint<0:0>>
  %1 = fhe.sum %x [0] : tensor<0x2x!u2> -> tensor<1x2x!fhe.eint<0:0>>
  // CHECK: fhe.neg {{.*}} : tensor<!fhe.eint<0:3>> -> tensor<!fhe.eint<-3:0>>
  %2 = fhe.neg %y : tensor<!u2> -> tensor<!fhe.eint<-3:0>>
  return
}
