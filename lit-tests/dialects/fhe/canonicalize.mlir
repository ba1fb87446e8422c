// RUN: cml-opt %s --canonicalize --cse --split-input-file | FileCheck %s

!e = !fhe.eint<0:3>

// CHECK-LABEL: @drops_neutral_operands
// CHECK-SAME:  (%[[X:.*]]: tensor<2x!fhe.eint<0:3>>)
// CHECK-NEXT:  return %[[X]]
func.func @drops_neutral_operands(%x: tensor<2x!e>) -> tensor<2x!e> {
  %0 = fhe.add_clear %x, dense<0> : tensor<1xi64> : tensor<2x!e> -> tensor<2x!e>
  %1 = fhe.mul_clear %0, dense<[1, 1]> : tensor<2xi64> : tensor<2x!e> -> tensor<2x!e>
  %2 = fhe.sum %1 [] : tensor<2x!e> -> tensor<2x!e>
  return %2 : tensor<2x!e>
}

// -----

!e = !fhe.eint<0:3>

// CHECK-LABEL: @drops_double_negation
// CHECK-SAME:  (%[[X:.*]]: tensor<2x!fhe.eint<0:3>>)
// CHECK-NEXT:  return %[[X]]
func.func @drops_double_negation(%x: tensor<2x!e>) -> tensor<2x!e> {
  %0 = fhe.neg %x : tensor<2x!e> -> tensor<2x!fhe.eint<-3:0>>
  %1 = fhe.neg %0 : tensor<2x!fhe.eint<-3:0>> -> tensor<2x!e>
  return %1 : tensor<2x!e>
}

// -----

!e = !fhe.eint<0:3>

// Folding this addition away would leave the table behind it too short for what its type allows.
// CHECK-LABEL: @keeps_stated_ranges
// CHECK-NEXT:  fhe.add_clear {{.*}} lows [2] highs [3]
// CHECK-NEXT:  fhe.lookup
func.func @keeps_stated_ranges(%x: tensor<1x!e>) -> tensor<1x!e> {
  %0 = fhe.add_clear %x, dense<0> : tensor<1xi64> lows [2] highs [3] : tensor<1x!e> -> tensor<1x!e>
  %1 = fhe.lookup %0 tables [array<i64: 0, 1>] firsts [2] of [0] : tensor<1x!e> -> tensor<1x!e>
  return %1 : tensor<1x!e>
}

// -----

!e = !fhe.eint<0:3>

// The inner range is what the outer type relies on.
// CHECK-LABEL: @keeps_stated_ranges_of_an_operand
// CHECK-NEXT:  fhe.add_clear {{.*}} lows [2] highs [3]
// CHECK-NEXT:  fhe.add_clear {{.*}} -> tensor<1x!fhe.eint<3:4>>
func.func @keeps_stated_ranges_of_an_operand(%x: tensor<1x!e>) -> tensor<1x!fhe.eint<3:4>> {
  %0 = fhe.add_clear %x, dense<0> : tensor<1xi64> lows [2] highs [3] : tensor<1x!e> -> tensor<1x!e>
  %1 = fhe.add_clear %0, dense<1> : tensor<1xi64> : tensor<1x!e> -> tensor<1x!fhe.eint<3:4>>
  return %1 : tensor<1x!fhe.eint<3:4>>
}

// -----

!e = !fhe.eint<0:3>

// CHECK-LABEL: @joins_clear_operands
// CHECK-SAME:  (%[[X:.*]]: tensor<2x!fhe.eint<0:3>>)
// CHECK-NEXT:  %[[A:.*]] = fhe.add_clear %[[X]], dense<[11, 22]> : tensor<2xi64> : {{.*}} -> tensor<2x!fhe.eint<0:99>>
// CHECK-NEXT:  %[[M:.*]] = fhe.mul_clear %[[X]], dense<-6> : tensor<1xi64> : {{.*}} -> tensor<2x!fhe.eint<-18:0>>
// CHECK-NEXT:  return %[[A]], %[[M]]
func.func @joins_clear_operands(%x: tensor<2x!e>) -> (tensor<2x!fhe.eint<0:99>>, tensor<2x!fhe.eint<-18:0>>) {
  %0 = fhe.add_clear %x, dense<[1, 2]> : tensor<2xi64> : tensor<2x!e> -> tensor<2x!fhe.eint<1:5>>
  %1 = fhe.add_clear %0, dense<[10, 20]> : tensor<2xi64> : tensor<2x!fhe.eint<1:5>> -> tensor<2x!fhe.eint<0:99>>
  %2 = fhe.mul_clear %x, dense<2> : tensor<1xi64> : tensor<2x!e> -> tensor<2x!fhe.eint<0:6>>
  %3 = fhe.mul_clear %2, dense<-3> : tensor<1xi64> : tensor<2x!fhe.eint<0:6>> -> tensor<2x!fhe.eint<-18:0>>
  return %1, %3 : tensor<2x!fhe.eint<0:99>>, tensor<2x!fhe.eint<-18:0>>
}

// -----

// 2^40 * 2^40 does not fit 64 bits.
// CHECK-LABEL: @keeps_factors_that_overflow
// CHECK-COUNT-2: fhe.mul_clear
func.func @keeps_factors_that_overflow(%x: tensor<1x!fhe.eint<0:0>>) -> tensor<1x!fhe.eint<0:0>> {
  %0 = fhe.mul_clear %x, dense<1099511627776> : tensor<1xi64> : tensor<1x!fhe.eint<0:0>> -> tensor<1x!fhe.eint<0:0>>
  %1 = fhe.mul_clear %0, dense<1099511627776> : tensor<1xi64> : tensor<1x!fhe.eint<0:0>> -> tensor<1x!fhe.eint<0:0>>
  return %1 : tensor<1x!fhe.eint<0:0>>
}

// -----

!e = !fhe.eint<0:3>

// CHECK-LABEL: @drops_and_joins_movement
// CHECK-SAME:  (%[[X:.*]]: tensor<2x3x!fhe.eint<0:3>>)
// CHECK-NEXT:  %[[R:.*]] = fhe.reshape %[[X]] : tensor<2x3x!fhe.eint<0:3>> -> tensor<1x6x!fhe.eint<0:3>>
// CHECK-NEXT:  return %[[R]], %[[X]], %[[X]]
func.func @drops_and_joins_movement(%x: tensor<2x3x!e>) -> (tensor<1x6x!e>, tensor<2x3x!e>, tensor<2x3x!e>) {
  %0 = fhe.reshape %x : tensor<2x3x!e> -> tensor<6x!e>
  %1 = fhe.reshape %0 : tensor<6x!e> -> tensor<1x6x!e>
  %2 = fhe.transpose %x [1, 0] : tensor<2x3x!e> -> tensor<3x2x!e>
  %3 = fhe.transpose %2 [1, 0] : tensor<3x2x!e> -> tensor<2x3x!e>
  %4 = fhe.concat %x axis 1 : tensor<2x3x!e> -> tensor<2x3x!e>
  return %1, %3, %4 : tensor<1x6x!e>, tensor<2x3x!e>, tensor<2x3x!e>
}

// -----

!e = !fhe.eint<0:3>

// CHECK-LABEL: @computes_lookups_of_constants
// CHECK-NEXT:  %[[C:.*]] = fhe.constant dense<[9, -1]> : tensor<2xi64> : tensor<2x!fhe.eint<-1:9>>
// CHECK-NEXT:  return %[[C]]
func.func @computes_lookups_of_constants() -> tensor<2x!fhe.eint<-1:9>> {
  %0 = fhe.constant dense<[3, 0]> : tensor<2xi64> : tensor<2x!e>
  %1 = fhe.lookup %0 tables [array<i64: 0, 1, 4, 9>, array<i64: 8, -1, 5, 5, 5>] firsts [0, -1] of [0, 1] : tensor<2x!e> -> tensor<2x!fhe.eint<-1:9>>
  return %1 : tensor<2x!fhe.eint<-1:9>>
}

// -----

!e = !fhe.eint<0:3>

// A constant of another type is another constant.
// CHECK-LABEL: @merges_constants_and_drops_dead_ops
// CHECK-DAG:   %[[A:.*]] = fhe.constant dense<1> : tensor<2xi64> : tensor<2x!fhe.eint<0:3>>
// CHECK-DAG:   %[[B:.*]] = fhe.constant dense<1> : tensor<2xi64> : tensor<2x!fhe.eint<0:7>>
// CHECK-NEXT:  return %[[A]], %[[A]], %[[B]]
func.func @merges_constants_and_drops_dead_ops(%x: tensor<2x!e>) -> (tensor<2x!e>, tensor<2x!e>, tensor<2x!fhe.eint<0:7>>) {
  %0 = fhe.constant dense<1> : tensor<2xi64> : tensor<2x!e>
  %1 = fhe.constant dense<1> : tensor<2xi64> : tensor<2x!e>
  %2 = fhe.constant dense<1> : tensor<2xi64> : tensor<2x!fhe.eint<0:7>>
  %dead = fhe.add %x, %0 : tensor<2x!e>, tensor<2x!e> -> tensor<2x!fhe.eint<0:6>>
  return %0, %1, %2 : tensor<2x!e>, tensor<2x!e>, tensor<2x!fhe.eint<0:7>>
}

// -----

!e = !fhe.eint<0:3>

// CHECK-LABEL: @merges_equal_lookups
// CHECK-NEXT:  %[[A:.*]] = fhe.lookup
// CHECK-NEXT:  return %[[A]], %[[A]]
func.func @merges_equal_lookups(%x: tensor<1x!e>) -> (tensor<1x!e>, tensor<1x!e>) {
  %0 = fhe.lookup %x tables [array<i64: 3, 2, 1, 0>] firsts [0] of [0] : tensor<1x!e> -> tensor<1x!e>
  %1 = fhe.lookup %x tables [array<i64: 3, 2, 1, 0>] firsts [0] of [0] : tensor<1x!e> -> tensor<1x!e>
  return %0, %1 : tensor<1x!e>, tensor<1x!e>
}
