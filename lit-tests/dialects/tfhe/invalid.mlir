// RUN: cml-opt %s --split-input-file --verify-diagnostics

// expected-error @+1 {{expected 'small', or `big`}}
func.func private @key(tensor<1x!tfhe.lwe<medium, 8>>)

// -----

// expected-error @+1 {{expected integer value}}
func.func private @key_without_a_set(tensor<1x!tfhe.lwe<small, 8>>)

// -----

// expected-error @+1 {{a key set has a number from 0 to 2^31 - 1, found -1}}
func.func private @key_of_a_negative_set(tensor<1x!tfhe.lwe<small -1, 8>>)

// -----

// expected-error @+1 {{spacing must be positive, found 0}}
func.func private @spacing(tensor<1x!tfhe.lwe<big, 0>>)

// -----

// expected-error @+1 {{spacing must be positive, found -8}}
func.func private @negative_spacing(tensor<1x!tfhe.lwe<big, -8>>)

// -----

// expected-error @+1 {{N must be a power of two, found 1000}}
#p = #tfhe.parameters<n = 800, k = 1, N = 1000, pbs = 23 x 1, ks = 3 x 5, lwe_std_dev = 1.0e-06 : f64, glwe_std_dev = 1.0e-15 : f64>

// -----

// expected-error @+1 {{sizes and decompositions must be positive}}
#p = #tfhe.parameters<n = 800, k = 0, N = 1024, pbs = 23 x 1, ks = 3 x 5, lwe_std_dev = 1.0e-06 : f64, glwe_std_dev = 1.0e-15 : f64>

// -----

// expected-error @+1 {{sizes must be below 2^31}}
#p = #tfhe.parameters<n = 2147483648, k = 1, N = 1024, pbs = 23 x 1, ks = 3 x 5, lwe_std_dev = 1.0e-06 : f64, glwe_std_dev = 1.0e-15 : f64>

// -----

// expected-error @+1 {{a decomposition takes more than 64 bits}}
#p = #tfhe.parameters<n = 800, k = 1, N = 1024, pbs = 23 x 1, ks = 13 x 5, lwe_std_dev = 1.0e-06 : f64, glwe_std_dev = 1.0e-15 : f64>

// -----

// expected-error @+1 {{standard deviations must be f64 in [0, 1), found 1.500000e+00 : f64}}
#p = #tfhe.parameters<n = 800, k = 1, N = 1024, pbs = 23 x 1, ks = 3 x 5, lwe_std_dev = 1.5 : f64, glwe_std_dev = 1.0e-15 : f64>

// -----

// expected-error @+1 {{standard deviations must be f64 in [0, 1), found 0x7FF8000000000000 : f64}}
#p = #tfhe.parameters<n = 800, k = 1, N = 1024, pbs = 23 x 1, ks = 3 x 5, lwe_std_dev = 1.0e-6 : f64, glwe_std_dev = 0x7FF8000000000000 : f64>

// -----

// expected-error @+1 {{attribute "tfhe.parameters" must be `tfhe.parameters` on a module, of the form [#tfhe.parameters<...>, ...]}}
module attributes {tfhe.parameters = 3 : i64} {}

// -----

// expected-error @+1 {{attribute "tfhe.parameters" must be `tfhe.parameters` on a module, of the form [#tfhe.parameters<...>, ...]}}
module attributes {tfhe.parameters = []} {}

// -----

// expected-error @+1 {{key sets must share the big key: its dimension k * N and its noise}}
module attributes {tfhe.parameters = [
  #tfhe.parameters<n = 800, k = 1, N = 2048, pbs = 23 x 1, ks = 3 x 5, lwe_std_dev = 1.0e-06 : f64, glwe_std_dev = 1.0e-15 : f64>,
  #tfhe.parameters<n = 800, k = 2, N = 2048, pbs = 23 x 1, ks = 3 x 5, lwe_std_dev = 1.0e-06 : f64, glwe_std_dev = 1.0e-15 : f64>
]} {}

// -----

// expected-error @+1 {{key sets must share the big key: its dimension k * N and its noise}}
module attributes {tfhe.parameters = [
  #tfhe.parameters<n = 800, k = 1, N = 2048, pbs = 23 x 1, ks = 3 x 5, lwe_std_dev = 1.0e-06 : f64, glwe_std_dev = 1.0e-15 : f64>,
  #tfhe.parameters<n = 800, k = 2, N = 1024, pbs = 23 x 1, ks = 3 x 5, lwe_std_dev = 1.0e-06 : f64, glwe_std_dev = 1.0e-14 : f64>
]} {}

// -----

module attributes {tfhe.parameters = [#tfhe.parameters<n = 800, k = 1, N = 2048, pbs = 23 x 1, ks = 3 x 5, lwe_std_dev = 1.0e-06 : f64, glwe_std_dev = 1.0e-15 : f64>]} {
  func.func @no_such_set(%x: tensor<1x!tfhe.lwe<big, 8>>) {
    // expected-error @+1 {{leads to set 1 of 1}}
    %0 = tfhe.keyswitch %x : tensor<1x!tfhe.lwe<big, 8>> -> tensor<1x!tfhe.lwe<small 1, 8>>
    return
  }
}

// -----

// expected-error @+1 {{attribute "tfhe.parameters" must be `tfhe.parameters` on a module}}
func.func private @parameters_of_a_function() attributes {tfhe.parameters = #tfhe.parameters<n = 800, k = 1, N = 1024, pbs = 23 x 1, ks = 3 x 5, lwe_std_dev = 1.0e-06 : f64, glwe_std_dev = 1.0e-15 : f64>}

// -----

// expected-error @+1 {{attribute "tfhe.parameter" must be `tfhe.parameters` on a module}}
module attributes {tfhe.parameter = 3 : i64} {}

// -----

func.func @not_flat(%x: tensor<1x2x!tfhe.lwe<big, 8>>) {
  // expected-error @+1 {{operand #0 must be flat list of at most 2^22 !tfhe.lwe}}
  %0 = tfhe.keyswitch %x : tensor<1x2x!tfhe.lwe<big, 8>> -> tensor<1x2x!tfhe.lwe<small 0, 8>>
  return
}

// -----

func.func @too_many(%x: tensor<4194305x!tfhe.lwe<big, 8>>) {
  // expected-error @+1 {{operand #0 must be flat list of at most 2^22 !tfhe.lwe}}
  %0 = tfhe.keyswitch %x : tensor<4194305x!tfhe.lwe<big, 8>> -> tensor<4194305x!tfhe.lwe<small 0, 8>>
  return
}

// -----

func.func @linear_of_nothing() {
  // expected-error @+1 {{needs an input}}
  %0 = "tfhe.linear"() {weights = dense<> : tensor<1x0xi64>, bias = array<i64: 1>} : () -> tensor<1x!tfhe.lwe<big, 8>>
  return
}

// -----

func.func @linear_input_key(%x: tensor<1x!tfhe.lwe<small 0, 8>>) {
  // expected-error @+1 {{input must be under the big key}}
  %0 = tfhe.linear %x weights dense<1> : tensor<1x1xi64> bias [0] : tensor<1x!tfhe.lwe<small 0, 8>> -> tensor<1x!tfhe.lwe<big, 8>>
  return
}

// -----

func.func @linear_result_key(%x: tensor<1x!tfhe.lwe<big, 8>>) {
  // expected-error @+1 {{result must be under the big key}}
  %0 = tfhe.linear %x weights dense<1> : tensor<1x1xi64> bias [0] : tensor<1x!tfhe.lwe<big, 8>> -> tensor<1x!tfhe.lwe<small 0, 8>>
  return
}

// -----

func.func @linear_of_two_spacings(%x: tensor<1x!tfhe.lwe<big, 8>>, %y: tensor<1x!tfhe.lwe<big, 3>>) {
  // expected-error @+1 {{result spacing 8 is no multiple of input spacing 3}}
  %0 = tfhe.linear %x, %y weights dense<1> : tensor<1x2xi64> bias [0] : tensor<1x!tfhe.lwe<big, 8>>, tensor<1x!tfhe.lwe<big, 3>> -> tensor<1x!tfhe.lwe<big, 8>>
  return
}

// -----

func.func @linear_result_spacing(%x: tensor<1x!tfhe.lwe<big, 8>>) {
  // expected-error @+1 {{result spacing 12 is no multiple of input spacing 8}}
  %0 = tfhe.linear %x weights dense<1> : tensor<1x1xi64> bias [0] : tensor<1x!tfhe.lwe<big, 8>> -> tensor<1x!tfhe.lwe<big, 12>>
  return
}

// -----

func.func @linear_weights(%x: tensor<2x!tfhe.lwe<big, 8>>) {
  // expected-error @+1 {{needs weights of 1x2, at most 2^26, found 'tensor<2x1xi64>'}}
  %0 = tfhe.linear %x weights dense<1> : tensor<2x1xi64> bias [0] : tensor<2x!tfhe.lwe<big, 8>> -> tensor<1x!tfhe.lwe<big, 8>>
  return
}

// -----

func.func @linear_of_too_many_weights(%x: tensor<100000x!tfhe.lwe<big, 8>>) {
  // expected-error @+1 {{needs weights of 1000x100000, at most 2^26}}
  %0 = "tfhe.linear"(%x) {weights = dense<1> : tensor<1000x100000xi64>, bias = array<i64: 0>} : (tensor<100000x!tfhe.lwe<big, 8>>) -> tensor<1000x!tfhe.lwe<big, 8>>
  return
}

// -----

func.func @linear_bias(%x: tensor<2x!tfhe.lwe<big, 8>>) {
  // expected-error @+1 {{needs 1 biases, found 2}}
  %0 = tfhe.linear %x weights dense<1> : tensor<1x2xi64> bias [0, 0] : tensor<2x!tfhe.lwe<big, 8>> -> tensor<1x!tfhe.lwe<big, 8>>
  return
}

// -----

func.func @combine_of_nothing() {
  // expected-error @+1 {{needs an input}}
  %0 = "tfhe.combine"() {weights = array<i64>, bias = array<i64: 1>} : () -> tensor<1x!tfhe.lwe<big, 8>>
  return
}

// -----

func.func @combine_of_two_lengths(%x: tensor<1x!tfhe.lwe<big, 8>>, %y: tensor<2x!tfhe.lwe<big, 8>>) {
  // expected-error @+1 {{inputs and result must have one length}}
  %0 = tfhe.combine %x, %y weights [1, 1] bias [0] : tensor<1x!tfhe.lwe<big, 8>>, tensor<2x!tfhe.lwe<big, 8>> -> tensor<1x!tfhe.lwe<big, 8>>
  return
}

// -----

func.func @combine_weights(%x: tensor<1x!tfhe.lwe<big, 8>>) {
  // expected-error @+1 {{needs a weight for each input and a bias for each element}}
  %0 = tfhe.combine %x weights [1, 1] bias [0] : tensor<1x!tfhe.lwe<big, 8>> -> tensor<1x!tfhe.lwe<big, 8>>
  return
}

// -----

func.func @combine_bias(%x: tensor<2x!tfhe.lwe<big, 8>>) {
  // expected-error @+1 {{needs a weight for each input and a bias for each element}}
  %0 = tfhe.combine %x weights [1] bias [0] : tensor<2x!tfhe.lwe<big, 8>> -> tensor<2x!tfhe.lwe<big, 8>>
  return
}

// -----

func.func @combine_spacing(%x: tensor<1x!tfhe.lwe<big, 8>>, %y: tensor<1x!tfhe.lwe<big, 16>>) {
  // expected-error @+1 {{result spacing 8 is no multiple of input spacing 16}}
  %0 = tfhe.combine %x, %y weights [1, 1] bias [0] : tensor<1x!tfhe.lwe<big, 8>>, tensor<1x!tfhe.lwe<big, 16>> -> tensor<1x!tfhe.lwe<big, 8>>
  return
}

// -----

func.func @keyswitch_input(%x: tensor<2x!tfhe.lwe<small 0, 8>>) {
  // expected-error @+1 {{input must be under the big key}}
  %0 = tfhe.keyswitch %x : tensor<2x!tfhe.lwe<small 0, 8>> -> tensor<2x!tfhe.lwe<small 0, 8>>
  return
}

// -----

func.func @keyswitch_result(%x: tensor<2x!tfhe.lwe<big, 8>>) {
  // expected-error @+1 {{result must be under a small key, at the spacing of the input}}
  %0 = tfhe.keyswitch %x : tensor<2x!tfhe.lwe<big, 8>> -> tensor<2x!tfhe.lwe<small 0, 16>>
  return
}

// -----

func.func @bootstrap_input_key(%x: tensor<1x!tfhe.lwe<big, 8>>) {
  // expected-error @+1 {{input must be under a small key}}
  %0 = tfhe.bootstrap %x lookup 0 extension 0 tables [array<i64: 0>] firsts [0] of [0] : tensor<1x!tfhe.lwe<big, 8>> -> tensor<1x!tfhe.lwe<big, 8>>
  return
}

// -----

func.func @bootstrap_result_key(%x: tensor<1x!tfhe.lwe<small 0, 8>>) {
  // expected-error @+1 {{result must be under the big key}}
  %0 = tfhe.bootstrap %x lookup 0 extension 0 tables [array<i64: 0>] firsts [0] of [0] : tensor<1x!tfhe.lwe<small 0, 8>> -> tensor<1x!tfhe.lwe<small 0, 8>>
  return
}

// -----

func.func @bootstrap_count(%x: tensor<1x!tfhe.lwe<small 0, 8>>) {
  // expected-error @+1 {{result has shape [2], expected [1]}}
  %0 = tfhe.bootstrap %x lookup 0 extension 0 tables [array<i64: 0>] firsts [0] of [0] : tensor<1x!tfhe.lwe<small 0, 8>> -> tensor<2x!tfhe.lwe<big, 8>>
  return
}

// -----

func.func @bootstrap_firsts(%x: tensor<1x!tfhe.lwe<small 0, 8>>) {
  // expected-error @+1 {{needs a first value for each table and a table for each element}}
  %0 = tfhe.bootstrap %x lookup 0 extension 0 tables [array<i64: 0>] firsts [0, 0] of [0] : tensor<1x!tfhe.lwe<small 0, 8>> -> tensor<1x!tfhe.lwe<big, 8>>
  return
}

// -----

func.func @bootstrap_elements(%x: tensor<1x!tfhe.lwe<small 0, 8>>) {
  // expected-error @+1 {{needs a first value for each table and a table for each element}}
  %0 = tfhe.bootstrap %x lookup 0 extension 0 tables [array<i64: 0>] firsts [0] of [0, 0] : tensor<1x!tfhe.lwe<small 0, 8>> -> tensor<1x!tfhe.lwe<big, 8>>
  return
}

// -----

func.func @bootstrap_extension(%x: tensor<1x!tfhe.lwe<small 0, 8>>) {
  // expected-error @+1 {{extension must be -1 to 12, found -2}}
  %0 = tfhe.bootstrap %x lookup 0 extension -2 tables [array<i64: 0>] firsts [0] of [0] : tensor<1x!tfhe.lwe<small 0, 8>> -> tensor<1x!tfhe.lwe<big, 8>>
  return
}

// -----

func.func @bootstrap_table_number(%x: tensor<1x!tfhe.lwe<small 0, 8>>) {
  // expected-error @+1 {{table 1 does not exist}}
  %0 = tfhe.bootstrap %x lookup 0 extension 0 tables [array<i64: 0>] firsts [0] of [1] : tensor<1x!tfhe.lwe<small 0, 8>> -> tensor<1x!tfhe.lwe<big, 8>>
  return
}

// -----

func.func @bootstrap_of_nothing(%x: tensor<1x!tfhe.lwe<small 0, 8>>) {
  // expected-error @+1 {{table 0 is empty, or covers more than 64-bit integers}}
  %0 = tfhe.bootstrap %x lookup 0 extension 0 tables [array<i64>] firsts [0] of [0] : tensor<1x!tfhe.lwe<small 0, 8>> -> tensor<1x!tfhe.lwe<big, 8>>
  return
}

// -----

func.func @bootstrap_centers(%x: tensor<1x!tfhe.lwe<small 0, 8>>) {
  // expected-error @+1 {{needs a center for each table, or none}}
  %0 = tfhe.bootstrap %x lookup 0 extension 0 tables [array<i64: 0>] firsts [0] centers [0, 1] of [0] : tensor<1x!tfhe.lwe<small 0, 8>> -> tensor<1x!tfhe.lwe<big, 8>>
  return
}

// -----

func.func @bootstrap_stage(%x: tensor<1x!tfhe.lwe<small 0, 8>>) {
  // expected-error @+1 {{expected string or keyword containing one of the following enum values for attribute 'stage' [table, fold, nearest, count, sign, approximate]}}
  %0 = tfhe.bootstrap %x lookup 0: floor extension 0 tables [array<i64: 0>] firsts [0] of [0] : tensor<1x!tfhe.lwe<small 0, 8>> -> tensor<1x!tfhe.lwe<big, 8>>
  return
}

// -----

func.func @bootstrap_tolerance(%x: tensor<1x!tfhe.lwe<small 0, 8>>) {
  // expected-error @+1 {{tolerance and lookup must be 0 to 2^31 - 1}}
  %0 = tfhe.bootstrap %x lookup 0 extension 0 tolerance -1 tables [array<i64: 0>] firsts [0] of [0] : tensor<1x!tfhe.lwe<small 0, 8>> -> tensor<1x!tfhe.lwe<big, 8>>
  return
}

// -----

func.func @bootstrap_lookup(%x: tensor<1x!tfhe.lwe<small 0, 8>>) {
  // expected-error @+1 {{tolerance and lookup must be 0 to 2^31 - 1}}
  %0 = tfhe.bootstrap %x lookup -1 extension 0 tables [array<i64: 0>] firsts [0] of [0] : tensor<1x!tfhe.lwe<small 0, 8>> -> tensor<1x!tfhe.lwe<big, 8>>
  return
}

// -----

// Two slots of 2^62 are half the torus; entries 0 and 2 are half the torus apart.
func.func @bootstrap_of_a_long_table(%x: tensor<2x!tfhe.lwe<small 0, 4611686018427387904>>) {
  %0 = tfhe.bootstrap %x lookup 0 extension 0 tables [array<i64: 0, 1, 2>] firsts [0] centers [2] of [0, 0] : tensor<2x!tfhe.lwe<small 0, 4611686018427387904>> -> tensor<2x!tfhe.lwe<big, 8>>
  // expected-error @+1 {{table 0 has 3 entries, half the torus has room for 2: entries 0 and 2 must add up to 0}}
  %1 = tfhe.bootstrap %x lookup 0 extension 0 tables [array<i64: 0, 1, 2>] firsts [0] of [0, 0] : tensor<2x!tfhe.lwe<small 0, 4611686018427387904>> -> tensor<2x!tfhe.lwe<big, 8>>
  return
}

// -----

// Half the torus is 2.5 slots: entry 0 is as near to entry 2 of the other half as to entry 3.
func.func @bootstrap_between_two_slots(%x: tensor<1x!tfhe.lwe<small 0, 3689348814741910323>>) {
  // expected-error @+1 {{entries 0 and 3 must add up to 0}}
  %0 = tfhe.bootstrap %x lookup 0 extension 0 tables [array<i64: 2, 1, -2, -1>] firsts [0] of [0] : tensor<1x!tfhe.lwe<small 0, 3689348814741910323>> -> tensor<1x!tfhe.lwe<big, 8>>
  return
}

// -----

func.func @bootstrap_beyond_the_torus(%x: tensor<1x!tfhe.lwe<small 0, 4611686018427387904>>) {
  // expected-error @+1 {{table 0 has 5 entries, more than the torus has room for}}
  %0 = tfhe.bootstrap %x lookup 0 extension 0 tables [array<i64: 0, 0, 0, 0, 0>] firsts [0] of [0] : tensor<1x!tfhe.lwe<small 0, 4611686018427387904>> -> tensor<1x!tfhe.lwe<big, 8>>
  return
}

// -----

func.func @compare_input_key(%x: tensor<1x!tfhe.lwe<big, 8>>) {
  // expected-error @+1 {{input must be under a small key}}
  %0 = tfhe.compare %x lookup 0 tables 1 extension 0 thresholds [array<i64: 1>] lows [0] highs [3] : tensor<1x!tfhe.lwe<big, 8>> -> tensor<1x!tfhe.lwe<big, 8>>
  return
}

// -----

func.func @compare_result_key(%x: tensor<1x!tfhe.lwe<small 0, 1152921504606846976>>) {
  // expected-error @+1 {{result must be under the big key}}
  %0 = tfhe.compare %x lookup 0 tables 1 extension 0 thresholds [array<i64: 1>] lows [0] highs [3] : tensor<1x!tfhe.lwe<small 0, 1152921504606846976>> -> tensor<1x!tfhe.lwe<small 0, 8>>
  return
}

// -----

func.func @compare_count(%x: tensor<1x!tfhe.lwe<small 0, 1152921504606846976>>) {
  // expected-error @+1 {{result has shape [1], expected [2]}}
  %0 = tfhe.compare %x lookup 0 tables 1 extension 0 thresholds [array<i64: 1, 2>] lows [0] highs [3] : tensor<1x!tfhe.lwe<small 0, 1152921504606846976>> -> tensor<1x!tfhe.lwe<big, 8>>
  return
}

// -----

func.func @compare_elements(%x: tensor<2x!tfhe.lwe<small 0, 1152921504606846976>>) {
  // expected-error @+1 {{needs thresholds and a range for each element}}
  %0 = tfhe.compare %x lookup 0 tables 1 extension 0 thresholds [array<i64: 1>] lows [0] highs [3] : tensor<2x!tfhe.lwe<small 0, 1152921504606846976>> -> tensor<1x!tfhe.lwe<big, 8>>
  return
}

// -----

func.func @compare_extension(%x: tensor<1x!tfhe.lwe<small 0, 1152921504606846976>>) {
  // expected-error @+1 {{extension must be 0 to 12, found -1}}
  %0 = tfhe.compare %x lookup 0 tables 1 extension -1 thresholds [array<i64: 1>] lows [0] highs [3] : tensor<1x!tfhe.lwe<small 0, 1152921504606846976>> -> tensor<1x!tfhe.lwe<big, 8>>
  return
}

// -----

func.func @compare_tables(%x: tensor<1x!tfhe.lwe<small 0, 1152921504606846976>>) {
  // expected-error @+1 {{lookup and tables must be 0 to 2^31 - 1}}
  %0 = tfhe.compare %x lookup 0 tables -1 extension 0 thresholds [array<i64: 1>] lows [0] highs [3] : tensor<1x!tfhe.lwe<small 0, 1152921504606846976>> -> tensor<1x!tfhe.lwe<big, 8>>
  return
}

// -----

func.func @compare_with_nothing(%x: tensor<1x!tfhe.lwe<small 0, 1152921504606846976>>) {
  // expected-error @+1 {{thresholds of element 0 must increase, from above its low to its high}}
  %0 = tfhe.compare %x lookup 0 tables 1 extension 0 thresholds [array<i64>] lows [0] highs [3] : tensor<1x!tfhe.lwe<small 0, 1152921504606846976>> -> tensor<1x!tfhe.lwe<big, 8>>
  return
}

// -----

func.func @compare_order(%x: tensor<1x!tfhe.lwe<small 0, 1152921504606846976>>) {
  // expected-error @+1 {{thresholds of element 0 must increase, from above its low to its high}}
  %0 = tfhe.compare %x lookup 0 tables 1 extension 0 thresholds [array<i64: 2, 2>] lows [0] highs [3] : tensor<1x!tfhe.lwe<small 0, 1152921504606846976>> -> tensor<2x!tfhe.lwe<big, 8>>
  return
}

// -----

func.func @compare_low(%x: tensor<1x!tfhe.lwe<small 0, 1152921504606846976>>) {
  // expected-error @+1 {{thresholds of element 0 must increase, from above its low to its high}}
  %0 = tfhe.compare %x lookup 0 tables 1 extension 0 thresholds [array<i64: 0>] lows [0] highs [3] : tensor<1x!tfhe.lwe<small 0, 1152921504606846976>> -> tensor<1x!tfhe.lwe<big, 8>>
  return
}

// -----

func.func @compare_high(%x: tensor<1x!tfhe.lwe<small 0, 1152921504606846976>>) {
  // expected-error @+1 {{thresholds of element 0 must increase, from above its low to its high}}
  %0 = tfhe.compare %x lookup 0 tables 1 extension 0 thresholds [array<i64: 4>] lows [0] highs [3] : tensor<1x!tfhe.lwe<small 0, 1152921504606846976>> -> tensor<1x!tfhe.lwe<big, 8>>
  return
}

// -----

// Half the torus is eight slots.
func.func @compare_range(%x: tensor<1x!tfhe.lwe<small 0, 1152921504606846976>>) {
  %0 = tfhe.compare %x lookup 0 tables 1 extension 0 thresholds [array<i64: 1>] lows [-7] highs [8] : tensor<1x!tfhe.lwe<small 0, 1152921504606846976>> -> tensor<1x!tfhe.lwe<big, 8>>
  // expected-error @+1 {{element 0 lies further than half the torus from a threshold}}
  %1 = tfhe.compare %x lookup 0 tables 1 extension 0 thresholds [array<i64: 1>] lows [-7] highs [9] : tensor<1x!tfhe.lwe<small 0, 1152921504606846976>> -> tensor<1x!tfhe.lwe<big, 8>>
  return
}

// -----

func.func @compare_range_below(%x: tensor<1x!tfhe.lwe<small 0, 1152921504606846976>>) {
  // expected-error @+1 {{element 0 lies further than half the torus from a threshold}}
  %0 = tfhe.compare %x lookup 0 tables 1 extension 0 thresholds [array<i64: 1>] lows [-8] highs [8] : tensor<1x!tfhe.lwe<small 0, 1152921504606846976>> -> tensor<1x!tfhe.lwe<big, 8>>
  return
}
