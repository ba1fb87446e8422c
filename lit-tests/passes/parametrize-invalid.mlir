// RUN: cml-opt --cml-parametrize --split-input-file --verify-diagnostics %s

// A weight of 2^60 multiplies the noise of the input beyond what any key set allows.
// expected-error@below {{big: no parameters look up 0:3 (4 values, 2 bits)}}
module {
  func.func @server(%x: tensor<1x2x!fhe.eint<0:1>>) -> tensor<1x1x!fhe.eint<0:1>> {
    %a = fhe.matmul %x, dense<[[1152921504606846976], [1]]> : tensor<2x1xi64> lows [0] highs [3] : tensor<1x2x!fhe.eint<0:1>> -> tensor<1x1x!fhe.eint<0:3>>
    %z = fhe.lookup %a tables [array<i64: 0, 1, 0, 1>] firsts [0] of [0] : tensor<1x1x!fhe.eint<0:3>> -> tensor<1x1x!fhe.eint<0:1>> loc("big")
    return %z : tensor<1x1x!fhe.eint<0:1>>
  }
}
