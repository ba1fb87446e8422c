func.func @main(%x: tensor<1x3xf32>) -> tensor<1x1xf32> attributes {cml.inputs = ["points"]} {
  %w = nn.constant dense<1.0> : tensor<3x1xf32>
  %y = nn.matmul %x, %w : tensor<1x3xf32>, tensor<3x1xf32> -> tensor<1x1xf32>
  return %y : tensor<1x1xf32>
}
