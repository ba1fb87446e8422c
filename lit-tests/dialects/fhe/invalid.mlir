// RUN: cml-opt %s --split-input-file --verify-diagnostics

// expected-error @+1 {{range 3:2 is empty or wider than 2^41}}
func.func private @empty(tensor<1x!fhe.eint<3:2>>)

// -----

// expected-error @+1 {{is empty or wider than 2^41}}
func.func private @too_wide(tensor<1x!fhe.eint<0:1099511627777>>)

// -----

// expected-error @+1 {{is empty or wider than 2^41}}
func.func private @smallest_integer(tensor<1x!fhe.eint<-9223372036854775808:0>>)

// -----

func.func @floats(%x: tensor<1xf32>) {
  // expected-error @+1 {{operand #0 must be tensor of !fhe.eint with static shape and at most 2^22 elements, but got 'tensor<1xf32>'}}
  %0 = fhe.neg %x : tensor<1xf32> -> tensor<1x!fhe.eint<0:1>>
  return
}

// -----

func.func @dynamic(%x: tensor<?x!fhe.eint<0:1>>) {
  // expected-error @+1 {{operand #0 must be tensor of !fhe.eint with static shape}}
  %0 = fhe.neg %x : tensor<?x!fhe.eint<0:1>> -> tensor<1x!fhe.eint<-1:0>>
  return
}

// -----

// More ciphertexts than memory; in 64 bits the number of elements is 0.
func.func @too_large(%x: tensor<4294967296x4294967296x!fhe.eint<0:1>>) {
  // expected-error @+1 {{operand #0 must be tensor of !fhe.eint with static shape and at most 2^22 elements}}
  %0 = fhe.neg %x : tensor<4294967296x4294967296x!fhe.eint<0:1>> -> tensor<4294967296x4294967296x!fhe.eint<-1:0>>
  return
}

// -----

func.func @constant_range() {
  // expected-error @+1 {{result range 0:3 does not cover 4:4 of element 1}}
  %0 = fhe.constant dense<[0, 4]> : tensor<2xi64> : tensor<2x!fhe.eint<0:3>>
  return
}

// -----

func.func @constant_shape() {
  // expected-error @+1 {{result has shape [1, 2], expected [2]}}
  %0 = fhe.constant dense<[0, 3]> : tensor<2xi64> : tensor<1x2x!fhe.eint<0:3>>
  return
}

// -----

func.func @constant_of_floats() {
  // expected-error @+1 {{attribute 'value' failed to satisfy constraint: 64-bit signless integer elements attribute}}
  %0 = "fhe.constant"() {value = dense<1.0> : tensor<1xf64>} : () -> tensor<1x!fhe.eint<0:3>>
  return
}

// -----

func.func @add_overflows(%x: tensor<2x!fhe.eint<0:3>>) {
  // expected-error @+1 {{result range 0:5 does not cover 0:6 of element 0}}
  %0 = fhe.add %x, %x : tensor<2x!fhe.eint<0:3>>, tensor<2x!fhe.eint<0:3>> -> tensor<2x!fhe.eint<0:5>>
  return
}

// -----

func.func @add_without_common_shape(%x: tensor<2x!fhe.eint<0:3>>, %y: tensor<3x!fhe.eint<0:3>>) {
  // expected-error @+1 {{operands don't have broadcast-compatible shapes}}
  %0 = fhe.add %x, %y : tensor<2x!fhe.eint<0:3>>, tensor<3x!fhe.eint<0:3>> -> tensor<3x!fhe.eint<0:6>>
  return
}

// -----

func.func @sub_underflows(%x: tensor<2x!fhe.eint<0:3>>) {
  // expected-error @+1 {{result range 0:3 does not cover -3:3 of element 0}}
  %0 = fhe.sub %x, %x : tensor<2x!fhe.eint<0:3>>, tensor<2x!fhe.eint<0:3>> -> tensor<2x!fhe.eint<0:3>>
  return
}

// -----

func.func @add_clear_overflows(%x: tensor<2x!fhe.eint<0:3>>) {
  // expected-error @+1 {{result range 0:3 does not cover 1:4 of element 1}}
  %0 = fhe.add_clear %x, dense<[0, 1]> : tensor<2xi64> : tensor<2x!fhe.eint<0:3>> -> tensor<2x!fhe.eint<0:3>>
  return
}

// -----

func.func @add_clear_far_beyond(%x: tensor<1x!fhe.eint<0:3>>) {
  // expected-error @+1 {{result range 0:3 does not cover 9223372036854775807:9223372036854775807 of element 0}}
  %0 = fhe.add_clear %x, dense<9223372036854775807> : tensor<1xi64> : tensor<1x!fhe.eint<0:3>> -> tensor<1x!fhe.eint<0:3>>
  return
}

// -----

func.func @add_clear_count(%x: tensor<2x!fhe.eint<0:3>>) {
  // expected-error @+1 {{needs 1 clear value or one for each of 2 elements, found 'tensor<3xi64>'}}
  %0 = fhe.add_clear %x, dense<0> : tensor<3xi64> : tensor<2x!fhe.eint<0:3>> -> tensor<2x!fhe.eint<0:3>>
  return
}

// -----

func.func @add_clear_shape(%x: tensor<2x!fhe.eint<0:3>>) {
  // expected-error @+1 {{result has shape [1, 2], expected [2]}}
  %0 = fhe.add_clear %x, dense<0> : tensor<1xi64> : tensor<2x!fhe.eint<0:3>> -> tensor<1x2x!fhe.eint<0:3>>
  return
}

// -----

func.func @mul_clear_underflows(%x: tensor<2x!fhe.eint<0:3>>) {
  // expected-error @+1 {{result range 0:6 does not cover -6:0 of element 1}}
  %0 = fhe.mul_clear %x, dense<[2, -2]> : tensor<2xi64> : tensor<2x!fhe.eint<0:3>> -> tensor<2x!fhe.eint<0:6>>
  return
}

// -----

func.func @neg_underflows(%x: tensor<2x!fhe.eint<0:3>>) {
  // expected-error @+1 {{result range 0:3 does not cover -3:0 of element 0}}
  %0 = fhe.neg %x : tensor<2x!fhe.eint<0:3>> -> tensor<2x!fhe.eint<0:3>>
  return
}

// -----

func.func @neg_shape(%x: tensor<2x!fhe.eint<0:3>>) {
  // expected-error @+1 {{result has shape [3], expected [2]}}
  %0 = fhe.neg %x : tensor<2x!fhe.eint<0:3>> -> tensor<3x!fhe.eint<-3:0>>
  return
}

// -----

func.func @matmul_overflows(%x: tensor<1x2x!fhe.eint<0:3>>) {
  // expected-error @+1 {{result range 0:9 does not cover -6:9 of element 1}}
  %0 = fhe.matmul %x, dense<[[1, 3], [2, -2]]> : tensor<2x2xi64> : tensor<1x2x!fhe.eint<0:3>> -> tensor<1x2x!fhe.eint<0:9>>
  return
}

// -----

func.func @matmul_inner_extents(%x: tensor<1x2x!fhe.eint<0:3>>) {
  // expected-error @+1 {{shapes do not fit}}
  %0 = fhe.matmul %x, dense<1> : tensor<3x1xi64> : tensor<1x2x!fhe.eint<0:3>> -> tensor<1x1x!fhe.eint<0:9>>
  return
}

// -----

func.func @matmul_result_without_axes(%x: tensor<2x!fhe.eint<0:3>>) {
  // expected-error @+1 {{shapes do not fit}}
  %0 = fhe.matmul %x, dense<1> : tensor<2x1xi64> : tensor<2x!fhe.eint<0:3>> -> tensor<!fhe.eint<0:9>>
  return
}

// -----

// A splat is small as text, but not in memory.
func.func @matmul_of_too_many_weights(%x: tensor<1x2097152x!fhe.eint<0:0>>) {
  // expected-error @+1 {{shapes do not fit}}
  %0 = fhe.matmul %x, dense<1> : tensor<2097152x2097152xi64> : tensor<1x2097152x!fhe.eint<0:0>> -> tensor<1x2097152x!fhe.eint<0:0>>
  return
}

// -----

func.func @sum_overflows(%x: tensor<1x2x!fhe.eint<0:3>>) {
  // expected-error @+1 {{result range 0:3 does not cover 0:6 of element 0}}
  %0 = fhe.sum %x [1] : tensor<1x2x!fhe.eint<0:3>> -> tensor<1x1x!fhe.eint<0:3>>
  return
}

// -----

func.func @sum_axis(%x: tensor<1x2x!fhe.eint<0:3>>) {
  // expected-error @+1 {{needs ascending axes of rank 2, found -1}}
  %0 = fhe.sum %x [-1] : tensor<1x2x!fhe.eint<0:3>> -> tensor<1x1x!fhe.eint<0:6>>
  return
}

// -----

func.func @sum_drops_the_axis(%x: tensor<1x2x!fhe.eint<0:3>>) {
  // expected-error @+1 {{result has shape [1], expected [1, 1]}}
  %0 = fhe.sum %x [1] : tensor<1x2x!fhe.eint<0:3>> -> tensor<1x!fhe.eint<0:6>>
  return
}

// -----

func.func @reshape_count(%x: tensor<1x2x!fhe.eint<0:3>>) {
  // expected-error @+1 {{changes the number of elements}}
  %0 = fhe.reshape %x : tensor<1x2x!fhe.eint<0:3>> -> tensor<3x!fhe.eint<0:3>>
  return
}

// -----

func.func @reshape_range(%x: tensor<1x2x!fhe.eint<0:3>>) {
  // expected-error @+1 {{result range 0:2 does not cover 0:3 of element 0}}
  %0 = fhe.reshape %x : tensor<1x2x!fhe.eint<0:3>> -> tensor<2x!fhe.eint<0:2>>
  return
}

// -----

func.func @transpose_axes(%x: tensor<1x2x!fhe.eint<0:3>>) {
  // expected-error @+1 {{needs a permutation of 2 axes}}
  %0 = fhe.transpose %x [1, 1] : tensor<1x2x!fhe.eint<0:3>> -> tensor<2x2x!fhe.eint<0:3>>
  return
}

// -----

func.func @transpose_shape(%x: tensor<1x2x!fhe.eint<0:3>>) {
  // expected-error @+1 {{result has shape [1, 2], expected [2, 1]}}
  %0 = fhe.transpose %x [1, 0] : tensor<1x2x!fhe.eint<0:3>> -> tensor<1x2x!fhe.eint<0:3>>
  return
}

// -----

// The element that was stated to reach 7 stands second after the transposition.
func.func @transpose_moves_ranges(%x: tensor<2x2x!fhe.eint<0:7>>) {
  %0 = fhe.add_clear %x, dense<0> : tensor<1xi64> lows [0, 0, 0, 0] highs [0, 1, 7, 3] : tensor<2x2x!fhe.eint<0:7>> -> tensor<2x2x!fhe.eint<0:7>>
  // expected-error @+1 {{result range 0:3 does not cover 0:7 of element 1}}
  %1 = fhe.transpose %0 [1, 0] : tensor<2x2x!fhe.eint<0:7>> -> tensor<2x2x!fhe.eint<0:3>>
  return
}

// -----

func.func @concat_of_nothing() {
  // expected-error @+1 {{needs an input}}
  %0 = "fhe.concat"() {axis = 0 : i64} : () -> tensor<2x!fhe.eint<0:3>>
  return
}

// -----

func.func @concat_axis(%x: tensor<1x2x!fhe.eint<0:3>>) {
  // expected-error @+1 {{axis -1 is outside of rank 2}}
  %0 = fhe.concat %x, %x axis -1 : tensor<1x2x!fhe.eint<0:3>>, tensor<1x2x!fhe.eint<0:3>> -> tensor<1x4x!fhe.eint<0:3>>
  return
}

// -----

func.func @concat_other_extents(%x: tensor<1x2x!fhe.eint<0:3>>, %y: tensor<2x2x!fhe.eint<0:3>>) {
  // expected-error @+1 {{inputs differ in an axis other than 1}}
  %0 = fhe.concat %x, %y axis 1 : tensor<1x2x!fhe.eint<0:3>>, tensor<2x2x!fhe.eint<0:3>> -> tensor<1x4x!fhe.eint<0:3>>
  return
}

// -----

func.func @concat_range(%x: tensor<1x!fhe.eint<0:3>>, %y: tensor<1x!fhe.eint<-1:0>>) {
  // expected-error @+1 {{result range 0:3 does not cover -1:0 of element 1}}
  %0 = fhe.concat %x, %y axis 0 : tensor<1x!fhe.eint<0:3>>, tensor<1x!fhe.eint<-1:0>> -> tensor<2x!fhe.eint<0:3>>
  return
}

// -----

func.func @table_too_short(%x: tensor<2x!fhe.eint<0:7>>) {
  // expected-error @+1 {{table 0 covers 0:3, element 0 has range 0:7}}
  %0 = fhe.lookup %x tables [array<i64: 0, 1, 2, 3>] firsts [0] of [0, 0] : tensor<2x!fhe.eint<0:7>> -> tensor<2x!fhe.eint<0:3>>
  return
}

// -----

func.func @table_starts_late(%x: tensor<1x!fhe.eint<-1:0>>) {
  // expected-error @+1 {{table 0 covers 0:1, element 0 has range -1:0}}
  %0 = fhe.lookup %x tables [array<i64: 0, 1>] firsts [0] of [0] : tensor<1x!fhe.eint<-1:0>> -> tensor<1x!fhe.eint<0:1>>
  return
}

// -----

func.func @table_beyond_64_bits(%x: tensor<1x!fhe.eint<0:1>>) {
  // expected-error @+1 {{table 0 covers 9223372036854775807:9223372036854775807, element 0 has range 0:1}}
  %0 = fhe.lookup %x tables [array<i64: 0, 1>] firsts [9223372036854775807] of [0] : tensor<1x!fhe.eint<0:1>> -> tensor<1x!fhe.eint<0:1>>
  return
}

// -----

// Element 0 may be 3, whatever its neighbour states.
func.func @table_of_a_neighbour(%x: tensor<2x!fhe.eint<0:3>>) {
  %0 = fhe.add_clear %x, dense<0> : tensor<1xi64> lows [0, 0] highs [3, 1] : tensor<2x!fhe.eint<0:3>> -> tensor<2x!fhe.eint<0:3>>
  // expected-error @+1 {{table 0 covers 0:1, element 0 has range 0:3}}
  %1 = fhe.lookup %0 tables [array<i64: 0, 1>] firsts [0] of [0, 0] : tensor<2x!fhe.eint<0:3>> -> tensor<2x!fhe.eint<0:1>>
  return
}

// -----

// What an op of another dialect says of its ranges was checked by nobody. Its lows lie above its highs, too.
func.func @ranges_of_a_call(%x: tensor<1x!fhe.eint<0:3>>) {
  %0 = func.call @callee(%x) {lows = array<i64: 2>, highs = array<i64: -9>} : (tensor<1x!fhe.eint<0:3>>) -> tensor<1x!fhe.eint<0:3>>
  // expected-error @+1 {{table 0 covers 2:3, element 0 has range 0:3}}
  %1 = fhe.lookup %0 tables [array<i64: 0, 1>] firsts [2] of [0] : tensor<1x!fhe.eint<0:3>> -> tensor<1x!fhe.eint<0:1>>
  return
}
func.func private @callee(tensor<1x!fhe.eint<0:3>>) -> tensor<1x!fhe.eint<0:3>>

// -----

func.func @lookup_result_range(%x: tensor<1x!fhe.eint<0:1>>) {
  // expected-error @+1 {{result range 0:1 does not cover 0:2 of element 0}}
  %0 = fhe.lookup %x tables [array<i64: 0, 2>] firsts [0] of [0] : tensor<1x!fhe.eint<0:1>> -> tensor<1x!fhe.eint<0:1>>
  return
}

// -----

func.func @lookup_shape(%x: tensor<1x!fhe.eint<0:1>>) {
  // expected-error @+1 {{result has shape [1, 1], expected [1]}}
  %0 = fhe.lookup %x tables [array<i64: 0, 1>] firsts [0] of [0] : tensor<1x!fhe.eint<0:1>> -> tensor<1x1x!fhe.eint<0:1>>
  return
}

// -----

func.func @lookup_firsts(%x: tensor<1x!fhe.eint<0:1>>) {
  // expected-error @+1 {{needs a first value for each table and a table for each of 1 elements}}
  %0 = fhe.lookup %x tables [array<i64: 0, 1>] firsts [] of [0] : tensor<1x!fhe.eint<0:1>> -> tensor<1x!fhe.eint<0:1>>
  return
}

// -----

func.func @lookup_elements(%x: tensor<1x!fhe.eint<0:1>>) {
  // expected-error @+1 {{needs a first value for each table and a table for each of 1 elements}}
  %0 = fhe.lookup %x tables [array<i64: 0, 1>] firsts [0] of [] : tensor<1x!fhe.eint<0:1>> -> tensor<1x!fhe.eint<0:1>>
  return
}

// -----

func.func @lookup_table_number(%x: tensor<1x!fhe.eint<0:1>>) {
  // expected-error @+1 {{table 2 does not exist}}
  %0 = fhe.lookup %x tables [array<i64: 0, 1>] firsts [0] of [2] : tensor<1x!fhe.eint<0:1>> -> tensor<1x!fhe.eint<0:1>>
  return
}

// -----

func.func @lows_without_highs(%x: tensor<1x!fhe.eint<0:1>>) {
  // expected-error @+1 {{needs one low and one high for each of 1 elements}}
  %0 = fhe.neg %x lows [0] : tensor<1x!fhe.eint<0:1>> -> tensor<1x!fhe.eint<-1:0>>
  return
}

// -----

func.func @too_few_ranges(%x: tensor<2x!fhe.eint<0:1>>) {
  // expected-error @+1 {{needs one low and one high for each of 2 elements}}
  %0 = fhe.neg %x lows [0] highs [0] : tensor<2x!fhe.eint<0:1>> -> tensor<2x!fhe.eint<-1:0>>
  return
}

// -----

func.func @stated_range_elsewhere(%x: tensor<1x!fhe.eint<0:1>>) {
  // expected-error @+1 {{element 0 has range -1:0, which the stated 1:5 contradicts}}
  %0 = fhe.neg %x lows [1] highs [5] : tensor<1x!fhe.eint<0:1>> -> tensor<1x!fhe.eint<-1:5>>
  return
}

// -----

func.func @stated_range_is_empty(%x: tensor<1x!fhe.eint<0:1>>) {
  // expected-error @+1 {{element 0 has range -1:0, which the stated 0:-1 contradicts}}
  %0 = fhe.neg %x lows [0] highs [-1] : tensor<1x!fhe.eint<0:1>> -> tensor<1x!fhe.eint<-1:0>>
  return
}

// -----

func.func @stated_range_outside_of_the_type(%x: tensor<1x!fhe.eint<0:3>>) {
  // expected-error @+1 {{result range -1:0 does not cover -2:0 of element 0}}
  %0 = fhe.neg %x lows [-2] highs [0] : tensor<1x!fhe.eint<0:3>> -> tensor<1x!fhe.eint<-1:0>>
  return
}
