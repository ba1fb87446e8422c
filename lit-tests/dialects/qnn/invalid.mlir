// RUN: cml-opt %s --split-input-file --verify-diagnostics

func.func @not_quantized(%x: tensor<2xf32>) {
  // expected-error @+1 {{result #0 must be tensor of quant.uniform with static shape and at most 2^22 elements, but got 'tensor<2xf32>'}}
  %0 = qnn.quantize %x : tensor<2xf32> -> tensor<2xf32>
  return
}

// -----

func.func @dynamic(%x: tensor<?x!quant.uniform<i8:f32, 1.0>>) {
  // expected-error @+1 {{operand #0 must be tensor of quant.uniform with static shape}}
  %0 = qnn.dequantize %x : tensor<?x!quant.uniform<i8:f32, 1.0>> -> tensor<2xf32>
  return
}

// -----

func.func @quantize_shape(%x: tensor<2xf32>) {
  // expected-error @+1 {{requires the same shape for all operands and results}}
  %0 = qnn.quantize %x : tensor<2xf32> -> tensor<1x2x!quant.uniform<i8:f32, 1.0>>
  return
}

// -----

func.func @dequantize_shape(%x: tensor<2x!quant.uniform<i8:f32, 1.0>>) {
  // expected-error @+1 {{requires the same shape for all operands and results}}
  %0 = qnn.dequantize %x : tensor<2x!quant.uniform<i8:f32, 1.0>> -> tensor<1x2xf32>
  return
}

// -----

// MLIR's quant accepts this zero point.
func.func @zero_point(%x: tensor<2xf32>) {
  // expected-error @+1 {{zero point 9 is outside of 0 to 7}}
  %0 = qnn.quantize %x : tensor<2xf32> -> tensor<2x!quant.uniform<u3:f32, 1.0:9>>
  return
}

// -----

func.func @zero_point_of_a_channel(%x: tensor<1x2x!quant.uniform<u3:f32:1, {1.0, 1.0:-1}>>) {
  // expected-error @+1 {{zero point -1 is outside of 0 to 7}}
  %0 = qnn.dequantize %x : tensor<1x2x!quant.uniform<u3:f32:1, {1.0, 1.0:-1}>> -> tensor<1x2xf32>
  return
}

// -----

// And a scale that is not a number.
func.func @scale(%x: tensor<2xf32>) {
  // expected-error @+1 {{needs positive scales, found nan}}
  %0 = qnn.quantize %x : tensor<2xf32> -> tensor<2x!quant.uniform<u3:f32, 0x7FF8000000000000>>
  return
}

// -----

// MLIR's quant accepts any number of scales.
func.func @channels(%x: tensor<1x3xf32>) {
  // expected-error @+1 {{has 2 scales, which axis 1 does not have}}
  %0 = qnn.quantize %x : tensor<1x3xf32> -> tensor<1x3x!quant.uniform<u3:f32:1, {1.0, 2.0}>>
  return
}

// -----

func.func @channel_axis(%x: tensor<2xf32>) {
  // expected-error @+1 {{has 2 scales, which axis 1 does not have}}
  %0 = qnn.quantize %x : tensor<2xf32> -> tensor<2x!quant.uniform<u3:f32:1, {1.0, 2.0}>>
  return
}

// -----

func.func @matmul_input_channels(%x: tensor<1x2x!quant.uniform<u3:f32:1, {1.0, 2.0}>>) {
  // expected-error @+1 {{needs one scale for the whole input: a scale per channel does not factor out of a sum}}
  %0 = qnn.matmul %x, dense<1> : tensor<2x1xi64> as !quant.uniform<i3:f32, 1.0> : tensor<1x2x!quant.uniform<u3:f32:1, {1.0, 2.0}>> -> tensor<1x1x!quant.uniform<i32:f32, 1.0>>
  return
}

// -----

func.func @matmul_inner_extents(%x: tensor<1x2x!quant.uniform<u3:f32, 1.0>>) {
  // expected-error @+1 {{shapes do not fit}}
  %0 = qnn.matmul %x, dense<1> : tensor<3x1xi64> as !quant.uniform<i3:f32, 1.0> : tensor<1x2x!quant.uniform<u3:f32, 1.0>> -> tensor<1x1x!quant.uniform<i32:f32, 1.0>>
  return
}

// -----

func.func @matmul_result_without_axes(%x: tensor<2x!quant.uniform<u3:f32, 1.0>>) {
  // expected-error @+1 {{shapes do not fit}}
  %0 = qnn.matmul %x, dense<1> : tensor<2x1xi64> as !quant.uniform<i3:f32, 1.0> : tensor<2x!quant.uniform<u3:f32, 1.0>> -> tensor<!quant.uniform<i32:f32, 1.0>>
  return
}

// -----

func.func @matmul_leading_extents(%x: tensor<1x2x!quant.uniform<u3:f32, 1.0>>) {
  // expected-error @+1 {{shapes do not fit}}
  %0 = qnn.matmul %x, dense<1> : tensor<2x1xi64> as !quant.uniform<i3:f32, 1.0> : tensor<1x2x!quant.uniform<u3:f32, 1.0>> -> tensor<5x1x!quant.uniform<i32:f32, 1.0>>
  return
}

// -----

func.func @matmul_weight_type(%x: tensor<1x2x!quant.uniform<u3:f32, 1.0>>) {
  // expected-error @+1 {{needs a quant.uniform weight type, found 'i8'}}
  %0 = qnn.matmul %x, dense<1> : tensor<2x1xi64> as i8 : tensor<1x2x!quant.uniform<u3:f32, 1.0>> -> tensor<1x1x!quant.uniform<i32:f32, 1.0>>
  return
}

// -----

func.func @matmul_weight(%x: tensor<1x2x!quant.uniform<u3:f32, 1.0>>) {
  // expected-error @+1 {{weight 4 is outside of -3 to 3}}
  %0 = qnn.matmul %x, dense<[[1], [4]]> : tensor<2x1xi64> as !quant.uniform<i3<-3:3>:f32, 1.0> : tensor<1x2x!quant.uniform<u3:f32, 1.0>> -> tensor<1x1x!quant.uniform<i32:f32, 1.0>>
  return
}

// -----

func.func @matmul_weight_elements(%x: tensor<1x2x!quant.uniform<u3:f32, 1.0>>) {
  // expected-error @+1 {{attribute 'weights' failed to satisfy constraint: 64-bit signless integer elements attribute}}
  %0 = qnn.matmul %x, dense<1> : tensor<2x1xi32> as !quant.uniform<i3:f32, 1.0> : tensor<1x2x!quant.uniform<u3:f32, 1.0>> -> tensor<1x1x!quant.uniform<i32:f32, 1.0>>
  return
}

// -----

func.func @matmul_weight_axis(%x: tensor<1x2x!quant.uniform<u3:f32, 1.0>>) {
  // expected-error @+1 {{needs weight scales along axis 1, found axis 0}}
  %0 = qnn.matmul %x, dense<1> : tensor<2x2xi64> as !quant.uniform<i3:f32:0, {1.0, 2.0}> : tensor<1x2x!quant.uniform<u3:f32, 1.0>> -> tensor<1x2x!quant.uniform<i32:f32, 1.0>>
  return
}

// -----

func.func @matmul_weight_scales(%x: tensor<1x2x!quant.uniform<u3:f32, 1.0>>) {
  // expected-error @+1 {{has 3 scales, which axis 1 does not have}}
  %0 = qnn.matmul %x, dense<1> : tensor<2x2xi64> as !quant.uniform<i3:f32:1, {1.0, 2.0, 3.0}> : tensor<1x2x!quant.uniform<u3:f32, 1.0>> -> tensor<1x2x!quant.uniform<i32:f32, 1.0>>
  return
}

// -----

func.func @matmul_weight_zero_point(%x: tensor<1x2x!quant.uniform<u3:f32, 1.0>>) {
  // expected-error @+1 {{needs weights and an accumulator of zero point 0}}
  %0 = qnn.matmul %x, dense<1> : tensor<2x2xi64> as !quant.uniform<i3:f32, 1.0:1> : tensor<1x2x!quant.uniform<u3:f32, 1.0>> -> tensor<1x2x!quant.uniform<i32:f32, 1.0>>
  return
}

// -----

func.func @matmul_accumulator_axis(%x: tensor<2x2x!quant.uniform<u3:f32, 1.0>>) {
  // expected-error @+1 {{needs accumulator scales along the last axis, found axis 0}}
  %0 = qnn.matmul %x, dense<1> : tensor<2x2xi64> as !quant.uniform<i3:f32:1, {1.0, 2.0}> : tensor<2x2x!quant.uniform<u3:f32, 1.0>> -> tensor<2x2x!quant.uniform<i32:f32:0, {1.0, 2.0}>>
  return
}

// -----

func.func @matmul_accumulator_scale(%x: tensor<1x2x!quant.uniform<u3:f32, 0.5>>) {
  // expected-error @+1 {{accumulator scale of column 1 is 1}}
  %0 = qnn.matmul %x, dense<1> : tensor<2x2xi64> as !quant.uniform<i3:f32:1, {2.0, 3.0}> : tensor<1x2x!quant.uniform<u3:f32, 0.5>> -> tensor<1x2x!quant.uniform<i32:f32, 1.0>>
  return
}

// -----

func.func @matmul_ranges(%x: tensor<1x2x!quant.uniform<u3:f32, 1.0>>) {
  // expected-error @+1 {{needs one low and one high for each of 2 elements}}
  %0 = qnn.matmul %x, dense<1> : tensor<2x2xi64> as !quant.uniform<i3:f32, 1.0> lows [0] highs [14] : tensor<1x2x!quant.uniform<u3:f32, 1.0>> -> tensor<1x2x!quant.uniform<i32:f32, 1.0>>
  return
}

// -----

func.func @matmul_measured_ranges(%x: tensor<1x2x!quant.uniform<u3:f32, 1.0>>) {
  // expected-error @+1 {{needs one low and one high for each of 2 elements}}
  %0 = qnn.matmul %x, dense<1> : tensor<2x2xi64> as !quant.uniform<i3:f32, 1.0> measured_lows [0, 0] : tensor<1x2x!quant.uniform<u3:f32, 1.0>> -> tensor<1x2x!quant.uniform<i32:f32, 1.0>>
  return
}

// -----

func.func @lookup_shape(%a: tensor<2x!quant.uniform<i8:f32, 1.0>>) {
  // expected-error @+1 {{requires the same shape for all operands and results}}
  %0 = qnn.lookup %a tables [array<i64: 0>] firsts [0] of [0, 0] : tensor<2x!quant.uniform<i8:f32, 1.0>> -> tensor<1x2x!quant.uniform<i8:f32, 1.0>>
  return
}

// -----

func.func @lookup_firsts(%a: tensor<2x!quant.uniform<i8:f32, 1.0>>) {
  // expected-error @+1 {{needs a first value for each table and a table for each of 2 elements}}
  %0 = qnn.lookup %a tables [array<i64: 0>] firsts [] of [0, 0] : tensor<2x!quant.uniform<i8:f32, 1.0>> -> tensor<2x!quant.uniform<i8:f32, 1.0>>
  return
}

// -----

func.func @lookup_elements(%a: tensor<2x!quant.uniform<i8:f32, 1.0>>) {
  // expected-error @+1 {{needs a first value for each table and a table for each of 2 elements}}
  %0 = qnn.lookup %a tables [array<i64: 0>] firsts [0] of [0] : tensor<2x!quant.uniform<i8:f32, 1.0>> -> tensor<2x!quant.uniform<i8:f32, 1.0>>
  return
}

// -----

func.func @lookup_table_number(%a: tensor<2x!quant.uniform<i8:f32, 1.0>>) {
  // expected-error @+1 {{table -1 does not exist}}
  %0 = qnn.lookup %a tables [array<i64: 0>] firsts [0] of [0, -1] : tensor<2x!quant.uniform<i8:f32, 1.0>> -> tensor<2x!quant.uniform<i8:f32, 1.0>>
  return
}

// -----

func.func @lookup_of_nothing(%a: tensor<1x!quant.uniform<i8:f32, 1.0>>) {
  // expected-error @+1 {{table 0 is empty, or covers more than 64-bit integers}}
  %0 = qnn.lookup %a tables [array<i64>] firsts [0] of [0] : tensor<1x!quant.uniform<i8:f32, 1.0>> -> tensor<1x!quant.uniform<i8:f32, 1.0>>
  return
}

// -----

func.func @lookup_beyond_64_bits(%a: tensor<1x!quant.uniform<i8:f32, 1.0>>) {
  // expected-error @+1 {{table 0 is empty, or covers more than 64-bit integers}}
  %0 = qnn.lookup %a tables [array<i64: 0, 1>] firsts [9223372036854775807] of [0] : tensor<1x!quant.uniform<i8:f32, 1.0>> -> tensor<1x!quant.uniform<i8:f32, 1.0>>
  return
}

// -----

func.func @lookup_entry(%a: tensor<1x!quant.uniform<i8:f32, 1.0>>) {
  // expected-error @+1 {{table 0 has an entry 8, which the result does not store}}
  %0 = qnn.lookup %a tables [array<i64: 0, 8>] firsts [0] of [0] : tensor<1x!quant.uniform<i8:f32, 1.0>> -> tensor<1x!quant.uniform<u3:f32, 1.0>>
  return
}

// -----

func.func @lookup_table_kind(%a: tensor<1x!quant.uniform<i8:f32, 1.0>>) {
  // expected-error @+1 {{attribute 'tables' failed to satisfy constraint: array of i64 arrays, one for each table}}
  %0 = qnn.lookup %a tables [1] firsts [0] of [0] : tensor<1x!quant.uniform<i8:f32, 1.0>> -> tensor<1x!quant.uniform<u3:f32, 1.0>>
  return
}

// -----

func.func @reshape_count(%a: tensor<2x!quant.uniform<i8:f32, 1.0>>) {
  // expected-error @+1 {{changes the number of elements}}
  %0 = qnn.reshape %a : tensor<2x!quant.uniform<i8:f32, 1.0>> -> tensor<3x!quant.uniform<i8:f32, 1.0>>
  return
}

// -----

func.func @reshape_scale(%a: tensor<2x!quant.uniform<i8:f32, 1.0>>) {
  // expected-error @+1 {{changes scale or zero point of element 0}}
  %0 = qnn.reshape %a : tensor<2x!quant.uniform<i8:f32, 1.0>> -> tensor<1x2x!quant.uniform<i8:f32, 2.0>>
  return
}

// -----

func.func @reshape_stored_range(%a: tensor<2x!quant.uniform<i8:f32, 1.0>>) {
  // expected-error @+1 {{changes the stored range}}
  %0 = qnn.reshape %a : tensor<2x!quant.uniform<i8:f32, 1.0>> -> tensor<1x2x!quant.uniform<i4:f32, 1.0>>
  return
}

// -----

func.func @transpose_shape(%a: tensor<1x2x!quant.uniform<i8:f32, 1.0>>) {
  // expected-error @+1 {{result has shape [1, 2], expected [2, 1]}}
  %0 = qnn.transpose %a [1, 0] : tensor<1x2x!quant.uniform<i8:f32, 1.0>> -> tensor<1x2x!quant.uniform<i8:f32, 1.0>>
  return
}

// -----

func.func @transpose_axes(%a: tensor<1x2x!quant.uniform<i8:f32, 1.0>>) {
  // expected-error @+1 {{needs a permutation of 2 axes}}
  %0 = qnn.transpose %a [0, 2] : tensor<1x2x!quant.uniform<i8:f32, 1.0>> -> tensor<1x2x!quant.uniform<i8:f32, 1.0>>
  return
}

// -----

// The scales go along axis 1, and axis 1 becomes axis 0.
func.func @transpose_leaves_its_scales(%a: tensor<2x2x!quant.uniform<i8:f32:1, {1.0, 2.0}>>) {
  // expected-error @+1 {{changes scale or zero point of element 1}}
  %0 = qnn.transpose %a [1, 0] : tensor<2x2x!quant.uniform<i8:f32:1, {1.0, 2.0}>> -> tensor<2x2x!quant.uniform<i8:f32:1, {1.0, 2.0}>>
  return
}

// -----

func.func @concat_of_nothing() {
  // expected-error @+1 {{needs an input}}
  %0 = "qnn.concat"() {axis = 0 : i64} : () -> tensor<2x!quant.uniform<i8:f32, 1.0>>
  return
}

// -----

func.func @concat_axis(%a: tensor<2x!quant.uniform<i8:f32, 1.0>>) {
  // expected-error @+1 {{axis 1 is outside of rank 1}}
  %0 = qnn.concat %a, %a axis 1 : tensor<2x!quant.uniform<i8:f32, 1.0>>, tensor<2x!quant.uniform<i8:f32, 1.0>> -> tensor<4x!quant.uniform<i8:f32, 1.0>>
  return
}

// -----

func.func @concat_of_two_scales(%a: tensor<1x!quant.uniform<i8:f32, 1.0>>, %b: tensor<1x!quant.uniform<i8:f32, 2.0>>) {
  // expected-error @+1 {{changes scale or zero point of element 1}}
  %0 = qnn.concat %a, %b axis 0 : tensor<1x!quant.uniform<i8:f32, 1.0>>, tensor<1x!quant.uniform<i8:f32, 2.0>> -> tensor<2x!quant.uniform<i8:f32, 1.0>>
  return
}

// -----

func.func @rounding(%x: tensor<2xf32>) {
  // expected-error @+1 {{does not know the rounding "away"}}
  %0 = qnn.quantize %x rounding "away" : tensor<2xf32> -> tensor<2x!quant.uniform<i8:f32, 1.0>>
  return
}

// -----

func.func @offsets(%x: tensor<2x!quant.uniform<i8:f32, 1.0>>) {
  // expected-error @+1 {{has 1 scales and 2 offsets}}
  %0 = qnn.dequantize %x offsets [0.5, 0.5] : tensor<2x!quant.uniform<i8:f32, 1.0>> -> tensor<2xf32>
  return
}
