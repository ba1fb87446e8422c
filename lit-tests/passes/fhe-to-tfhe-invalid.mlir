// RUN: cml-opt --cml-fhe-to-tfhe --split-input-file --verify-diagnostics %s

// expected-error@below {{has no key sets: run `cml-parametrize` before `cml-fhe-to-tfhe`}}
module {
  func.func @server(%x: tensor<1x1x!fhe.eint<0:1>>) -> tensor<1x1x!fhe.eint<0:1>> {
    return %x : tensor<1x1x!fhe.eint<0:1>>
  }
}

// -----

// expected-error@below {{func.func: expected `cml.spacings` of 2 lists: run `cml-parametrize`}}
module attributes {tfhe.parameters = [#tfhe.parameters<n = 800, k = 1, N = 2048, pbs = 23 x 1, ks = 3 x 5, lwe_std_dev = 1.0e-06 : f64, glwe_std_dev = 1.0e-15 : f64>]} {
  func.func @server(%x: tensor<1x1x!fhe.eint<0:1>>) -> tensor<1x1x!fhe.eint<0:1>> {
    %y = fhe.lookup %x tables [array<i64: 1, 0>] firsts [0] of [0] : tensor<1x1x!fhe.eint<0:1>> -> tensor<1x1x!fhe.eint<0:1>> loc("relu")
    return %y : tensor<1x1x!fhe.eint<0:1>>
  }
}

// -----

// expected-error@below {{func.func: expected `cml.spacings` of 2 lists: run `cml-parametrize`}}
module attributes {tfhe.parameters = [#tfhe.parameters<n = 800, k = 1, N = 2048, pbs = 23 x 1, ks = 3 x 5, lwe_std_dev = 1.0e-06 : f64, glwe_std_dev = 1.0e-15 : f64>]} {
  func.func @server(%x: tensor<1x1x!fhe.eint<0:1>>) -> tensor<1x1x!fhe.eint<0:1>> attributes {cml.spacings = array<i64: 4611686018427387904, -1>} {
    %y = fhe.lookup %x tables [array<i64: 1, 0>] firsts [0] of [0] : tensor<1x1x!fhe.eint<0:1>> -> tensor<1x1x!fhe.eint<0:1>> loc("relu")
    return %y : tensor<1x1x!fhe.eint<0:1>>
  }
}

// -----

// expected-error@below {{fhe.lookup (relu): expected `cml.forms` for its 1 groups: run `cml-parametrize`}}
module attributes {tfhe.parameters = [#tfhe.parameters<n = 800, k = 1, N = 2048, pbs = 23 x 1, ks = 3 x 5, lwe_std_dev = 1.0e-06 : f64, glwe_std_dev = 1.0e-15 : f64>]} {
  func.func @server(%x: tensor<1x1x!fhe.eint<0:1>>) -> tensor<1x1x!fhe.eint<0:1>> attributes {cml.spacings = array<i64: 4611686018427387904, 4611686018427387904>} {
    %y = fhe.lookup %x tables [array<i64: 1, 0>] firsts [0] of [0] : tensor<1x1x!fhe.eint<0:1>> -> tensor<1x1x!fhe.eint<0:1>> loc("relu")
    return %y : tensor<1x1x!fhe.eint<0:1>>
  }
}

// -----

// expected-error@below {{fhe.lookup (relu): expected `cml.forms` for its 1 groups (`spline(0)@0+0` is not `kind(numbers)@key+extension`)}}
module attributes {tfhe.parameters = [#tfhe.parameters<n = 800, k = 1, N = 2048, pbs = 23 x 1, ks = 3 x 5, lwe_std_dev = 1.0e-06 : f64, glwe_std_dev = 1.0e-15 : f64>]} {
  func.func @server(%x: tensor<1x1x!fhe.eint<0:1>>) -> tensor<1x1x!fhe.eint<0:1>> attributes {cml.spacings = array<i64: 4611686018427387904, 4611686018427387904>} {
    %y = fhe.lookup %x tables [array<i64: 1, 0>] firsts [0] of [0] {cml.forms = ["2: spline(0)@0+0"], cml.spacings = array<i64: 4611686018427387904>} : tensor<1x1x!fhe.eint<0:1>> -> tensor<1x1x!fhe.eint<0:1>> loc("relu")
    return %y : tensor<1x1x!fhe.eint<0:1>>
  }
}

// -----

// expected-error@below {{fhe.lookup (relu): expected `cml.spacings` of 1 lists}}
module attributes {tfhe.parameters = [#tfhe.parameters<n = 800, k = 1, N = 2048, pbs = 23 x 1, ks = 3 x 5, lwe_std_dev = 1.0e-06 : f64, glwe_std_dev = 1.0e-15 : f64>]} {
  func.func @server(%x: tensor<1x1x!fhe.eint<0:1>>) -> tensor<1x1x!fhe.eint<0:1>> attributes {cml.spacings = array<i64: 4611686018427387904, 4611686018427387904>} {
    %y = fhe.lookup %x tables [array<i64: 1, 0>] firsts [0] of [0] {cml.forms = ["2: direct(0)@0+0"]} : tensor<1x1x!fhe.eint<0:1>> -> tensor<1x1x!fhe.eint<0:1>> loc("relu")
    return %y : tensor<1x1x!fhe.eint<0:1>>
  }
}

// -----

// expected-error@below {{relu: form `2: direct(0)@0+0 direct(0)@0+0`: the stages of the form do not end where its lookup ends}}
module attributes {tfhe.parameters = [#tfhe.parameters<n = 800, k = 1, N = 2048, pbs = 23 x 1, ks = 3 x 5, lwe_std_dev = 1.0e-06 : f64, glwe_std_dev = 1.0e-15 : f64>]} {
  func.func @server(%x: tensor<1x1x!fhe.eint<0:1>>) -> tensor<1x1x!fhe.eint<0:1>> attributes {cml.spacings = array<i64: 4611686018427387904, 4611686018427387904>} {
    %y = fhe.lookup %x tables [array<i64: 1, 0>] firsts [0] of [0] {cml.forms = ["2: direct(0)@0+0 direct(0)@0+0"], cml.spacings = array<i64: 4611686018427387904>} : tensor<1x1x!fhe.eint<0:1>> -> tensor<1x1x!fhe.eint<0:1>> loc("relu")
    return %y : tensor<1x1x!fhe.eint<0:1>>
  }
}

// -----

// Four times 2^62 is the whole torus.
// expected-error@below {{relu: form `2: fold(4,1)@0+0 direct(0)@0+0`: stage 0 has numbers beyond 64 bits}}
module attributes {tfhe.parameters = [#tfhe.parameters<n = 800, k = 1, N = 2048, pbs = 23 x 1, ks = 3 x 5, lwe_std_dev = 1.0e-06 : f64, glwe_std_dev = 1.0e-15 : f64>]} {
  func.func @server(%x: tensor<1x1x!fhe.eint<0:1>>) -> tensor<1x1x!fhe.eint<0:1>> attributes {cml.spacings = array<i64: 4611686018427387904, 4611686018427387904>} {
    %y = fhe.lookup %x tables [array<i64: 1, 0>] firsts [0] of [0] {cml.forms = ["2: fold(4,1)@0+0 direct(0)@0+0"], cml.spacings = array<i64: 4611686018427387904>} : tensor<1x1x!fhe.eint<0:1>> -> tensor<1x1x!fhe.eint<0:1>> loc("relu")
    return %y : tensor<1x1x!fhe.eint<0:1>>
  }
}

// -----

// expected-error@below {{relu: form `2: compare()@0+0 direct(0)@0+0`: comparisons have one stage}}
module attributes {tfhe.parameters = [#tfhe.parameters<n = 800, k = 1, N = 2048, pbs = 23 x 1, ks = 3 x 5, lwe_std_dev = 1.0e-06 : f64, glwe_std_dev = 1.0e-15 : f64>]} {
  func.func @server(%x: tensor<1x1x!fhe.eint<0:1>>) -> tensor<1x1x!fhe.eint<0:1>> attributes {cml.spacings = array<i64: 4611686018427387904, 4611686018427387904>} {
    %y = fhe.lookup %x tables [array<i64: 1, 0>] firsts [0] of [0] {cml.forms = ["2: compare()@0+0 direct(0)@0+0"], cml.spacings = array<i64: 4611686018427387904>} : tensor<1x1x!fhe.eint<0:1>> -> tensor<1x1x!fhe.eint<0:1>> loc("relu")
    return %y : tensor<1x1x!fhe.eint<0:1>>
  }
}

// -----

// expected-error@below {{relu: form `3: compare()@0+0`: its comparisons need 3 slots, its spacing leaves 2}}
module attributes {tfhe.parameters = [#tfhe.parameters<n = 800, k = 1, N = 2048, pbs = 23 x 1, ks = 3 x 5, lwe_std_dev = 1.0e-06 : f64, glwe_std_dev = 1.0e-15 : f64>]} {
  func.func @server(%x: tensor<1x1x!fhe.eint<0:3>>) -> tensor<1x1x!fhe.eint<0:1>> attributes {cml.spacings = array<i64: 4611686018427387904, 4611686018427387904>} {
    %y = fhe.lookup %x tables [array<i64: 0, 1, 1, 0>] firsts [0] of [0] {cml.forms = ["3: compare()@0+0"], cml.spacings = array<i64: 4611686018427387904>} : tensor<1x1x!fhe.eint<0:3>> -> tensor<1x1x!fhe.eint<0:1>> loc("relu")
    return %y : tensor<1x1x!fhe.eint<0:1>>
  }
}
