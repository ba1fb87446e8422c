// RUN: cml-opt --cml-fhe-to-tfhe --split-input-file --verify-diagnostics %s

// expected-error@below {{has no key set: run `cml-parametrize` before `cml-fhe-to-tfhe`}}
module {
  func.func @server(%x: tensor<1x1x!fhe.eint<0:1>>) -> tensor<1x1x!fhe.eint<0:1>> {
    return %x : tensor<1x1x!fhe.eint<0:1>>
  }
}

// -----

// expected-error@below {{fhe.lookup (relu): expected `cml.extensions` for its 1 groups}}
module attributes {tfhe.parameters = #tfhe.parameters<n = 800, k = 1, N = 2048, pbs = 23 x 1, ks = 3 x 5, lwe_std_dev = 1.0e-06 : f64, glwe_std_dev = 1.0e-15 : f64>} {
  func.func @server(%x: tensor<1x1x!fhe.eint<0:1>>) -> tensor<1x1x!fhe.eint<0:1>> {
    %y = fhe.lookup %x tables [array<i64: 1, 0>] firsts [0] of [0] : tensor<1x1x!fhe.eint<0:1>> -> tensor<1x1x!fhe.eint<0:1>> loc("relu")
    return %y : tensor<1x1x!fhe.eint<0:1>>
  }
}
