!sent = !quant.uniform<u8<0:3>:f32, 5.0e-01:1>
!got = !quant.uniform<i8<-1:3>:f32, 2.5e-01:2>
!lwe = !tfhe.lwe<big, 576460752303423488>
!small = !tfhe.lwe<small 0, 576460752303423488>
!coarse = !tfhe.lwe<small 1, 576460752303423488>
!window = !tfhe.lwe<big, 1152921504606846976>
!narrow = !tfhe.lwe<small 0, 1152921504606846976>
module attributes {
  cml.model = "small net", cml.p_error_log2 = -30.0 : f64,
  cml.declared_lows = [array<f64: -4.0>], cml.declared_highs = [array<f64: 4.0>],
  tfhe.parameters = [#tfhe.parameters<n = 930, k = 1, N = 2048, pbs = 23 x 1, ks = 4 x 4, lwe_std_dev = SMALL_NOISE : f64,
                                      glwe_std_dev = BIG_NOISE : f64>,
                     #tfhe.parameters<n = 930, k = 2, N = 1024, pbs = 23 x 1, ks = 4 x 4, lwe_std_dev = SMALL_NOISE : f64,
                                      glwe_std_dev = BIG_NOISE : f64>]
} {
  func.func @client_in(%x: tensor<1x2xf32>) -> tensor<1x2x!sent> attributes {cml.inputs = ["x"], cml.outputs = ["x"]} {
    %q = qnn.quantize %x : tensor<1x2xf32> -> tensor<1x2x!sent> loc("input")
    return %q : tensor<1x2x!sent>
  }
  func.func @server(%x: tensor<2x!lwe>) -> tensor<1x!lwe> attributes {
    cml.inputs = ["x"], cml.outputs = ["y"], cml.input_shapes = [array<i64: 1, 2>], cml.output_shapes = [array<i64: 1, 1>],
    cml.input_lows = [array<i64: -1, -1>], cml.input_highs = [array<i64: 2, 2>],
    cml.output_lows = [array<i64: -3>], cml.output_highs = [array<i64: 1>]
  } {
    %dead = tfhe.linear %x weights dense<1> : tensor<1x2xi64> bias [7] : tensor<2x!lwe> -> tensor<1x!lwe> loc("unused")
    %a = tfhe.linear %x weights dense<[[1, -1], [2, 1]]> : tensor<2x2xi64> bias [1, 0]
      : tensor<2x!lwe> -> tensor<2x!lwe> loc("/fc1/Gemm")
    %s = tfhe.keyswitch %a : tensor<2x!lwe> -> tensor<2x!small> loc("/fc1/Gemm")
    %l = tfhe.compare %s lookup 0 tables 3 extension 0 thresholds [array<i64: 1, 3>, array<i64: 2, 5>] lows [-2, -3] highs [4, 6]
      {cml.measured_range = array<i64: -1, 5>, cml.measured_width = 3 : i64, cml.predicted_milliseconds = 20.0 : f64} : tensor<2x!small> -> tensor<4x!lwe> loc("/Relu")
    %y = tfhe.linear %l weights dense<1> : tensor<1x4xi64> bias [-3] : tensor<4x!lwe> -> tensor<1x!lwe> loc("/fc2/Gemm")
    %c = tfhe.keyswitch %y : tensor<1x!lwe> -> tensor<1x!coarse> loc("/Relu_1")
    %d = tfhe.bootstrap %c lookup 1: fold extension 0 tolerance 1 tables [array<i64: 1, 0, 0, 0, 0>] firsts [-3] centers [1] of [0]
      {cml.predicted_milliseconds = 4.0 : f64} : tensor<1x!coarse> -> tensor<1x!window> loc("/Relu_1")
    %w = tfhe.combine %y, %d weights [1, 1] bias [0] : tensor<1x!lwe>, tensor<1x!window> -> tensor<1x!window> loc("/Relu_1")
    %n = tfhe.keyswitch %w : tensor<1x!window> -> tensor<1x!narrow> loc("/Relu_1")
    %z = tfhe.bootstrap %n lookup 1 extension 0 tables [array<i64: -3, -3, -3, 1, 1>] firsts [-3] centers [-2] of [0]
      {cml.predicted_milliseconds = 5.0 : f64} : tensor<1x!narrow> -> tensor<1x!lwe> loc("/Relu_1")
    return %z : tensor<1x!lwe>
  }
  func.func @client_out(%q: tensor<1x1x!got>) -> tensor<1x1xf32> attributes {cml.inputs = ["y"], cml.outputs = ["y"]} {
    %y = qnn.dequantize %q : tensor<1x1x!got> -> tensor<1x1xf32> loc("output")
    return %y : tensor<1x1xf32>
  }
}
