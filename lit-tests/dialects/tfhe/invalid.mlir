// RUN: cml-opt %s --split-input-file --verify-diagnostics

// expected-error @+1 {{key must be "big" or "small", found "medium"}}
func.func private @key(tensor<1x!tfhe.lwe<"medium", 8>>)

// -----

// expected-error @+1 {{spacing must be positive, found 0}}
func.func private @spacing(tensor<1x!tfhe.lwe<"big", 0>>)

// -----

// expected-error @+1 {{spacing must be positive, found -8}}
func.func private @negative_spacing(tensor<1x!tfhe.lwe<"big", -8>>)

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

// expected-error @+1 {{attribute "tfhe.parameters" must be `tfhe.parameters` on a module, of the form #tfhe.parameters<...>}}
module attributes {tfhe.parameters = 3 : i64} {}

// -----

// expected-error @+1 {{attribute "tfhe.parameters" must be `tfhe.parameters` on a module}}
func.func private @parameters_of_a_function() attributes {tfhe.parameters = #tfhe.parameters<n = 800, k = 1, N = 1024, pbs = 23 x 1, ks = 3 x 5, lwe_std_dev = 1.0e-06 : f64, glwe_std_dev = 1.0e-15 : f64>}

// -----

// expected-error @+1 {{attribute "tfhe.parameter" must be `tfhe.parameters` on a module}}
module attributes {tfhe.parameter = 3 : i64} {}

// -----

func.func @not_flat(%x: tensor<1x2x!tfhe.lwe<"big", 8>>) {
  // expected-error @+1 {{operand #0 must be flat list of at most 2^22 !tfhe.lwe}}
  %0 = tfhe.keyswitch %x : tensor<1x2x!tfhe.lwe<"big", 8>> -> tensor<1x2x!tfhe.lwe<"small", 8>>
  return
}

// -----

func.func @too_many(%x: tensor<4194305x!tfhe.lwe<"big", 8>>) {
  // expected-error @+1 {{operand #0 must be flat list of at most 2^22 !tfhe.lwe}}
  %0 = tfhe.keyswitch %x : tensor<4194305x!tfhe.lwe<"big", 8>> -> tensor<4194305x!tfhe.lwe<"small", 8>>
  return
}

// -----

func.func @linear_of_nothing() {
  // expected-error @+1 {{needs an input}}
  %0 = "tfhe.linear"() {weights = dense<> : tensor<1x0xi64>, bias = array<i64: 1>} : () -> tensor<1x!tfhe.lwe<"big", 8>>
  return
}

// -----

func.func @linear_input_key(%x: tensor<1x!tfhe.lwe<"small", 8>>) {
  // expected-error @+1 {{input must be under the big key}}
  %0 = tfhe.linear %x weights dense<1> : tensor<1x1xi64> bias [0] : tensor<1x!tfhe.lwe<"small", 8>> -> tensor<1x!tfhe.lwe<"big", 8>>
  return
}

// -----

func.func @linear_result_key(%x: tensor<1x!tfhe.lwe<"big", 8>>) {
  // expected-error @+1 {{result must be under the big key}}
  %0 = tfhe.linear %x weights dense<1> : tensor<1x1xi64> bias [0] : tensor<1x!tfhe.lwe<"big", 8>> -> tensor<1x!tfhe.lwe<"small", 8>>
  return
}

// -----

func.func @linear_of_two_spacings(%x: tensor<1x!tfhe.lwe<"big", 8>>, %y: tensor<1x!tfhe.lwe<"big", 4>>) {
  // expected-error @+1 {{inputs differ in their spacing}}
  %0 = tfhe.linear %x, %y weights dense<1> : tensor<1x2xi64> bias [0] : tensor<1x!tfhe.lwe<"big", 8>>, tensor<1x!tfhe.lwe<"big", 4>> -> tensor<1x!tfhe.lwe<"big", 8>>
  return
}

// -----

func.func @linear_result_spacing(%x: tensor<1x!tfhe.lwe<"big", 8>>) {
  // expected-error @+1 {{result spacing 12 is no multiple of input spacing 8}}
  %0 = tfhe.linear %x weights dense<1> : tensor<1x1xi64> bias [0] : tensor<1x!tfhe.lwe<"big", 8>> -> tensor<1x!tfhe.lwe<"big", 12>>
  return
}

// -----

func.func @linear_weights(%x: tensor<2x!tfhe.lwe<"big", 8>>) {
  // expected-error @+1 {{needs weights of 1x2, at most 2^26, found 'tensor<2x1xi64>'}}
  %0 = tfhe.linear %x weights dense<1> : tensor<2x1xi64> bias [0] : tensor<2x!tfhe.lwe<"big", 8>> -> tensor<1x!tfhe.lwe<"big", 8>>
  return
}

// -----

func.func @linear_of_too_many_weights(%x: tensor<100000x!tfhe.lwe<"big", 8>>) {
  // expected-error @+1 {{needs weights of 1000x100000, at most 2^26}}
  %0 = "tfhe.linear"(%x) {weights = dense<1> : tensor<1000x100000xi64>, bias = array<i64: 0>} : (tensor<100000x!tfhe.lwe<"big", 8>>) -> tensor<1000x!tfhe.lwe<"big", 8>>
  return
}

// -----

func.func @linear_bias(%x: tensor<2x!tfhe.lwe<"big", 8>>) {
  // expected-error @+1 {{needs 1 biases, found 2}}
  %0 = tfhe.linear %x weights dense<1> : tensor<1x2xi64> bias [0, 0] : tensor<2x!tfhe.lwe<"big", 8>> -> tensor<1x!tfhe.lwe<"big", 8>>
  return
}

// -----

func.func @keyswitch_input(%x: tensor<2x!tfhe.lwe<"small", 8>>) {
  // expected-error @+1 {{input must be under the big key}}
  %0 = tfhe.keyswitch %x : tensor<2x!tfhe.lwe<"small", 8>> -> tensor<2x!tfhe.lwe<"small", 8>>
  return
}

// -----

func.func @keyswitch_result(%x: tensor<2x!tfhe.lwe<"big", 8>>) {
  // expected-error @+2 {{inferred type(s) 'tensor<2x!tfhe.lwe<"small", 8>>' are incompatible with return type(s) of operation 'tensor<2x!tfhe.lwe<"small", 16>>'}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = tfhe.keyswitch %x : tensor<2x!tfhe.lwe<"big", 8>> -> tensor<2x!tfhe.lwe<"small", 16>>
  return
}

// -----

func.func @bootstrap_input_key(%x: tensor<1x!tfhe.lwe<"big", 8>>) {
  // expected-error @+1 {{input must be under the small key}}
  %0 = tfhe.bootstrap %x extension 0 tables [array<i64: 0>] firsts [0] of [0] : tensor<1x!tfhe.lwe<"big", 8>> -> tensor<1x!tfhe.lwe<"big", 8>>
  return
}

// -----

func.func @bootstrap_result_key(%x: tensor<1x!tfhe.lwe<"small", 8>>) {
  // expected-error @+1 {{result must be under the big key}}
  %0 = tfhe.bootstrap %x extension 0 tables [array<i64: 0>] firsts [0] of [0] : tensor<1x!tfhe.lwe<"small", 8>> -> tensor<1x!tfhe.lwe<"small", 8>>
  return
}

// -----

func.func @bootstrap_count(%x: tensor<1x!tfhe.lwe<"small", 8>>) {
  // expected-error @+1 {{result has shape [2], expected [1]}}
  %0 = tfhe.bootstrap %x extension 0 tables [array<i64: 0>] firsts [0] of [0] : tensor<1x!tfhe.lwe<"small", 8>> -> tensor<2x!tfhe.lwe<"big", 8>>
  return
}

// -----

func.func @bootstrap_firsts(%x: tensor<1x!tfhe.lwe<"small", 8>>) {
  // expected-error @+1 {{needs a first value for each table and a table for each element}}
  %0 = tfhe.bootstrap %x extension 0 tables [array<i64: 0>] firsts [0, 0] of [0] : tensor<1x!tfhe.lwe<"small", 8>> -> tensor<1x!tfhe.lwe<"big", 8>>
  return
}

// -----

func.func @bootstrap_elements(%x: tensor<1x!tfhe.lwe<"small", 8>>) {
  // expected-error @+1 {{needs a first value for each table and a table for each element}}
  %0 = tfhe.bootstrap %x extension 0 tables [array<i64: 0>] firsts [0] of [0, 0] : tensor<1x!tfhe.lwe<"small", 8>> -> tensor<1x!tfhe.lwe<"big", 8>>
  return
}

// -----

func.func @bootstrap_extension(%x: tensor<1x!tfhe.lwe<"small", 8>>) {
  // expected-error @+1 {{extension must be 0 to 12, found -1}}
  %0 = tfhe.bootstrap %x extension -1 tables [array<i64: 0>] firsts [0] of [0] : tensor<1x!tfhe.lwe<"small", 8>> -> tensor<1x!tfhe.lwe<"big", 8>>
  return
}

// -----

func.func @bootstrap_table_number(%x: tensor<1x!tfhe.lwe<"small", 8>>) {
  // expected-error @+1 {{table 1 does not exist}}
  %0 = tfhe.bootstrap %x extension 0 tables [array<i64: 0>] firsts [0] of [1] : tensor<1x!tfhe.lwe<"small", 8>> -> tensor<1x!tfhe.lwe<"big", 8>>
  return
}

// -----

func.func @bootstrap_of_nothing(%x: tensor<1x!tfhe.lwe<"small", 8>>) {
  // expected-error @+1 {{table 0 is empty, or covers more than 64-bit integers}}
  %0 = tfhe.bootstrap %x extension 0 tables [array<i64>] firsts [0] of [0] : tensor<1x!tfhe.lwe<"small", 8>> -> tensor<1x!tfhe.lwe<"big", 8>>
  return
}

// -----

// Two slots of 2^62 are half the torus; the third would touch the padding bit.
func.func @bootstrap_of_a_long_table(%x: tensor<1x!tfhe.lwe<"small", 4611686018427387904>>) {
  // expected-error @+1 {{table 0 has 3 entries, the input's spacing has room for 2}}
  %0 = tfhe.bootstrap %x extension 0 tables [array<i64: 0, 1, 2>] firsts [0] of [0] : tensor<1x!tfhe.lwe<"small", 4611686018427387904>> -> tensor<1x!tfhe.lwe<"big", 8>>
  return
}
