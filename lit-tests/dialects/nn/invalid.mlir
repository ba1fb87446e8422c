// RUN: cml-opt %s --split-input-file --verify-diagnostics

// Shapes are static: a symbolic batch was given its extent when the model came in.
func.func @dynamic(%x: tensor<?x4xf32>) {
  // expected-error @+1 {{operand #0 must be tensor of f32 with static shape and at most 2^28 elements, but got 'tensor<?x4xf32>'}}
  %0 = nn.relu %x : tensor<?x4xf32>
  return
}

// -----

// The limit keeps every count of elements within 64 bits, and what folds a constant within memory.
func.func @too_large() {
  // expected-error @+1 {{result #0 must be tensor of f32 or i64 with static shape and at most 2^28 elements}}
  %0 = nn.constant dense<0.0> : tensor<100000000000xf32>
  return
}

// -----

// The product of these extents is 2^64, which is 0 in 64 bits.
func.func @overflowing_shape(%x: tensor<4294967296x4294967296xf32>) {
  // expected-error @+1 {{at most 2^28 elements}}
  %0 = nn.relu %x : tensor<4294967296x4294967296xf32>
  return
}

// -----

func.func @other_elements(%x: tensor<1x4xf64>) {
  // expected-error @+1 {{operand #0 must be tensor of f32 with static shape}}
  %0 = nn.relu %x : tensor<1x4xf64>
  return
}

// -----

func.func @constant_of_other_type() {
  // expected-error @+1 {{all of {value, result} have same type}}
  %0 = "nn.constant"() {value = dense<1.0> : tensor<2xf32>} : () -> tensor<3xf32>
  return
}

// -----

func.func @add_without_common_shape(%x: tensor<1x4xf32>, %y: tensor<3xf32>) {
  // expected-error @+1 {{operands don't have broadcast-compatible shapes}}
  %0 = nn.add %x, %y : tensor<1x4xf32>, tensor<3xf32> -> tensor<1x4xf32>
  return
}

// -----

func.func @add_of_two_kinds(%x: tensor<4xf32>, %y: tensor<4xi64>) {
  // expected-error @+1 {{requires the same element type for all operands and results}}
  %0 = nn.add %x, %y : tensor<4xf32>, tensor<4xi64> -> tensor<4xf32>
  return
}

// -----

func.func @add_to_another_shape(%x: tensor<1x4xf32>) {
  // expected-error @+1 {{op result type '1x8' not broadcast compatible with broadcasted operands's shapes '1x4'}}
  %0 = nn.add %x, %x : tensor<1x4xf32>, tensor<1x4xf32> -> tensor<1x8xf32>
  return
}

// -----

func.func @relu_to_another_shape(%x: tensor<1x4xf32>) {
  // expected-error @+1 {{requires the same type for all operands and results}}
  %0 = "nn.relu"(%x) : (tensor<1x4xf32>) -> tensor<1x8xf32>
  return
}

// -----

func.func @clip_bound_that_is_no_number(%x: tensor<1x4xf32>) {
  // expected-error @+1 {{has a bound that is not a number}}
  %0 = nn.clip %x max 0x7FC00000 : tensor<1x4xf32>
  return
}

// -----

func.func @matmul_inner_extents(%x: tensor<1x4xf32>, %w: tensor<5x3xf32>) {
  // expected-error @+2 {{inner extents differ: 4 and 5}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = nn.matmul %x, %w : tensor<1x4xf32>, tensor<5x3xf32> -> tensor<1x3xf32>
  return
}

// -----

func.func @matmul_of_a_scalar(%x: tensor<f32>, %w: tensor<4x3xf32>) {
  // expected-error @+2 {{needs operands of rank 1 or more}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = nn.matmul %x, %w : tensor<f32>, tensor<4x3xf32> -> tensor<3xf32>
  return
}

// -----

func.func @matmul_leading_extents(%x: tensor<2x1x4xf32>, %w: tensor<3x4x2xf32>) {
  // expected-error @+2 {{leading extents do not broadcast}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = nn.matmul %x, %w : tensor<2x1x4xf32>, tensor<3x4x2xf32> -> tensor<3x1x2xf32>
  return
}

// -----

func.func @matmul_result(%x: tensor<1x4xf32>, %w: tensor<4x3xf32>) {
  // expected-error @+2 {{inferred type(s) 'tensor<1x3xf32>' are incompatible with return type(s) of operation 'tensor<1x4xf32>'}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = nn.matmul %x, %w : tensor<1x4xf32>, tensor<4x3xf32> -> tensor<1x4xf32>
  return
}

// -----

func.func @gemm_of_no_matrix(%x: tensor<1x2x2xf32>, %w: tensor<4x3xf32>) {
  // expected-error @+2 {{needs matrices, found rank 3 and 2}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = nn.gemm %x, %w alpha 1.0 beta 1.0 : (tensor<1x2x2xf32>, tensor<4x3xf32>) -> tensor<1x3xf32>
  return
}

// -----

func.func @gemm_inner_extents(%x: tensor<1x4xf32>, %w: tensor<4x3xf32>) {
  // expected-error @+2 {{inner extents differ: 4 and 3}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = nn.gemm %x, %w alpha 1.0 beta 1.0 transpose_b : (tensor<1x4xf32>, tensor<4x3xf32>) -> tensor<1x4xf32>
  return
}

// -----

func.func @gemm_third_operand(%x: tensor<1x4xf32>, %w: tensor<4x3xf32>, %c: tensor<2x3xf32>) {
  // expected-error @+2 {{the third operand does not broadcast to the result}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = nn.gemm %x, %w, %c alpha 1.0 beta 1.0 : (tensor<1x4xf32>, tensor<4x3xf32>, tensor<2x3xf32>) -> tensor<1x3xf32>
  return
}

// -----

func.func @batch_normalization_channels(%x: tensor<1x4xf32>, %s: tensor<3xf32>) {
  // expected-error @+1 {{needs one scale, bias, mean and variance for each of 4 channels}}
  %0 = nn.batch_normalization %x, %s, %s, %s, %s epsilon 0.0 : (tensor<1x4xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<1x4xf32>
  return
}

// -----

func.func @batch_normalization_rank(%x: tensor<4xf32>) {
  // expected-error @+1 {{needs an input of rank 2 or more, found 1}}
  %0 = nn.batch_normalization %x, %x, %x, %x, %x epsilon 0.0 : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @batch_normalization_epsilon(%x: tensor<1x4xf32>, %s: tensor<4xf32>) {
  // expected-error @+1 {{needs an epsilon of 0 or more}}
  %0 = nn.batch_normalization %x, %s, %s, %s, %s epsilon -1.0 : (tensor<1x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x4xf32>
  return
}

// -----

func.func @reshape_count(%x: tensor<1x4xf32>) {
  // expected-error @+1 {{changes the number of elements}}
  %0 = nn.reshape %x : tensor<1x4xf32> -> tensor<1x5xf32>
  return
}

// -----

func.func @reshape_kind(%x: tensor<1x4xf32>) {
  // expected-error @+1 {{changes the kind of elements}}
  %0 = nn.reshape %x : tensor<1x4xf32> -> tensor<4xi64>
  return
}

// -----

func.func @transpose_repeats_an_axis(%x: tensor<2x3xf32>) {
  // expected-error @+2 {{needs a permutation of 2 axes}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = nn.transpose %x [1, 1] : tensor<2x3xf32> -> tensor<3x3xf32>
  return
}

// -----

func.func @transpose_too_short(%x: tensor<2x3xf32>) {
  // expected-error @+2 {{needs a permutation of 2 axes}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = nn.transpose %x [0] : tensor<2x3xf32> -> tensor<2xf32>
  return
}

// -----

func.func @transpose_axis(%x: tensor<2x3xf32>) {
  // expected-error @+2 {{needs a permutation of 2 axes}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = nn.transpose %x [0, -1] : tensor<2x3xf32> -> tensor<2x3xf32>
  return
}

// -----

func.func @concat_of_nothing() {
  // expected-error @+2 {{needs an input}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = "nn.concat"() {axis = 0 : i64} : () -> tensor<2xf32>
  return
}

// -----

func.func @concat_axis(%x: tensor<1x2xf32>) {
  // expected-error @+2 {{axis 2 is outside of rank 2}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = nn.concat %x, %x axis 2 : tensor<1x2xf32>, tensor<1x2xf32> -> tensor<1x4xf32>
  return
}

// -----

func.func @concat_rank(%x: tensor<1x2xf32>, %y: tensor<2xf32>) {
  // expected-error @+2 {{inputs differ in rank}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = nn.concat %x, %y axis 0 : tensor<1x2xf32>, tensor<2xf32> -> tensor<1x4xf32>
  return
}

// -----

func.func @concat_other_extents(%x: tensor<1x2xf32>, %y: tensor<2x2xf32>) {
  // expected-error @+2 {{inputs differ in an axis other than 1}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = nn.concat %x, %y axis 1 : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x4xf32>
  return
}

// -----

func.func @concat_kinds(%x: tensor<1x2xf32>, %y: tensor<1x2xi64>) {
  // expected-error @+2 {{inputs differ in their elements}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = nn.concat %x, %y axis 1 : tensor<1x2xf32>, tensor<1x2xi64> -> tensor<1x4xf32>
  return
}

// -----

func.func @reduce_sum_axis(%x: tensor<1x4xf32>) {
  // expected-error @+2 {{needs ascending axes of rank 2, found 2}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = nn.reduce_sum %x [2] : tensor<1x4xf32> -> tensor<1x1xf32>
  return
}

// -----

func.func @reduce_sum_descends(%x: tensor<1x4xf32>) {
  // expected-error @+2 {{needs ascending axes of rank 2, found 0}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = nn.reduce_sum %x [1, 0] : tensor<1x4xf32> -> tensor<1x1xf32>
  return
}

// -----

func.func @reduce_sum_drops_the_axis(%x: tensor<1x4xf32>) {
  // expected-error @+2 {{inferred type(s) 'tensor<1x1xf32>' are incompatible}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = nn.reduce_sum %x [1] : tensor<1x4xf32> -> tensor<1xf32>
  return
}

// -----

func.func @softmax_axis(%x: tensor<1x4xf32>) {
  // expected-error @+1 {{axis -1 is outside of rank 2}}
  %0 = nn.softmax %x axis -1 : tensor<1x4xf32>
  return
}

// -----

func.func @argmax_axis(%x: tensor<1x4xf32>) {
  // expected-error @+2 {{axis 2 is outside of rank 2, or has no elements}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = nn.argmax %x axis 2 : tensor<1x4xf32> -> tensor<1xi64>
  return
}

// -----

func.func @argmax_of_nothing(%x: tensor<1x0xf32>) {
  // expected-error @+2 {{axis 1 is outside of rank 2, or has no elements}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = nn.argmax %x axis 1 : tensor<1x0xf32> -> tensor<1xi64>
  return
}

// -----

func.func @argmax_keeps_the_axis(%x: tensor<1x4xf32>) {
  // expected-error @+2 {{inferred type(s) 'tensor<1xi64>' are incompatible}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = nn.argmax %x axis 1 : tensor<1x4xf32> -> tensor<1x1xi64>
  return
}

// -----

func.func @cast_shape(%x: tensor<1x4xf32>) {
  // expected-error @+1 {{requires the same shape for all operands and results}}
  %0 = nn.cast %x : tensor<1x4xf32> -> tensor<4xi64>
  return
}

// -----

func.func @quantizer_without_scale(%x: tensor<1x2xf32>) {
  // expected-error @+1 {{has 0 scales and 0 zero points}}
  %0 = nn.fake_quantize %x scales [] zero_points [] axis 0 range 0 to 7 : tensor<1x2xf32>
  return
}

// -----

func.func @quantizer_zero_points(%x: tensor<1x2xf32>) {
  // expected-error @+1 {{has 1 scales and 2 zero points}}
  %0 = nn.fake_quantize %x scales [1.0] zero_points [0, 0] axis 0 range 0 to 7 : tensor<1x2xf32>
  return
}

// -----

func.func @quantizer_axis(%x: tensor<1x2xf32>) {
  // expected-error @+1 {{has 2 scales, which axis -1 does not have}}
  %0 = nn.fake_quantize %x scales [1.0, 1.0] zero_points [0, 0] axis -1 range 0 to 7 : tensor<1x2xf32>
  return
}

// -----

func.func @quantizer_channels(%x: tensor<1x3xf32>) {
  // expected-error @+1 {{has 2 scales, which axis 1 does not have}}
  %0 = nn.fake_quantize %x scales [1.0, 1.0] zero_points [0, 0] axis 1 range 0 to 7 : tensor<1x3xf32>
  return
}

// -----

func.func @quantizer_scale(%x: tensor<1x2xf32>) {
  // expected-error @+1 {{needs scales that are positive and finite in f32, found -1}}
  %0 = nn.fake_quantize %x scales [-1.0] zero_points [0] axis 0 range 0 to 7 : tensor<1x2xf32>
  return
}

// -----

// This f64 is 0 in f32, and dividing by it gives infinities.
func.func @quantizer_scale_below_f32(%x: tensor<1x2xf32>) {
  // expected-error @+1 {{needs scales that are positive and finite in f32}}
  %0 = nn.fake_quantize %x scales [1.0e-60] zero_points [0] axis 0 range 0 to 7 : tensor<1x2xf32>
  return
}

// -----

func.func @quantizer_range(%x: tensor<1x2xf32>) {
  // expected-error @+1 {{range 7 to -1 is empty}}
  %0 = nn.fake_quantize %x scales [1.0] zero_points [0] axis 0 range 7 to -1 : tensor<1x2xf32>
  return
}

// -----

func.func @quantizer_rounding(%x: tensor<1x2xf32>) {
  // expected-error @+1 {{does not know the rounding "nearest"}}
  %0 = nn.fake_quantize %x scales [1.0] zero_points [0] axis 0 range 0 to 7 rounding "nearest" : tensor<1x2xf32>
  return
}

// -----

func.func @quantizer_divisor(%x: tensor<1x2xf32>) {
  // expected-error @+1 {{needs divisors that are positive and finite in f32, found 0}}
  %0 = nn.fake_quantize %x scales [1.0] zero_points [0] axis 0 range 0 to 7 divisors [0.0] : tensor<1x2xf32>
  return
}

// -----

func.func @quantizer_shifts(%x: tensor<1x2xf32>) {
  // expected-error @+1 {{has 1 scales and 2 shifts}}
  %0 = nn.fake_quantize %x scales [1.0] zero_points [0] axis 0 range 0 to 7 shifts [0.5, 0.5] : tensor<1x2xf32>
  return
}

// -----

func.func @quantizer_offset(%x: tensor<1x2xf32>) {
  // expected-error @+1 {{needs offsets that are finite in f32}}
  %0 = nn.fake_quantize %x scales [1.0] zero_points [0] axis 0 range 0 to 7 offsets [1.0e60] : tensor<1x2xf32>
  return
}
