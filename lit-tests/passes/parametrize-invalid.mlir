// RUN: cml-opt --cml-parametrize --split-input-file --verify-diagnostics %s

// Weights of 2^30 multiply the noise of the input beyond what any key set allows.
// expected-error@below {{big: no parameters look up 4 different values}}
module {
  func.func @server(%x: tensor<1x1x!fhe.eint<0:1>>) -> tensor<1x1x!fhe.eint<0:1>> {
    %a = fhe.matmul %x, dense<1073741824> : tensor<1x1xi64> : tensor<1x1x!fhe.eint<0:1>> -> tensor<1x1x!fhe.eint<0:1073741824>>
    %b = fhe.mul_clear %x, dense<-1073741824> : tensor<1x1xi64> : tensor<1x1x!fhe.eint<0:1>> -> tensor<1x1x!fhe.eint<-1073741824:0>>
    %c = fhe.add %a, %b lows [0] highs [3] : tensor<1x1x!fhe.eint<0:1073741824>>, tensor<1x1x!fhe.eint<-1073741824:0>> -> tensor<1x1x!fhe.eint<0:3>>
    %z = fhe.lookup %c tables [array<i64: 0, 1, 0, 1>] firsts [0] of [0] : tensor<1x1x!fhe.eint<0:3>> -> tensor<1x1x!fhe.eint<0:1>> loc("big")
    return %z : tensor<1x1x!fhe.eint<0:1>>
  }
}
