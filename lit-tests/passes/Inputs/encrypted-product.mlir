func.func @main(%x: tensor<1x2xf32>, %y: tensor<1x2xf32>) -> tensor<1x1xf32> attributes {cml.inputs = ["points", "more"]} {
  %t = nn.transpose %y [1, 0] : tensor<1x2xf32> -> tensor<2x1xf32>
  %u = nn.relu %x : tensor<1x2xf32>
  %z = nn.matmul %u, %t : tensor<1x2xf32>, tensor<2x1xf32> -> tensor<1x1xf32> loc("Mul_7")
  return %z : tensor<1x1xf32>
}
