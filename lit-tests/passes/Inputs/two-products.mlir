func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> attributes {cml.inputs = ["points"]} {
  %w = nn.constant dense<[[0.5, -6.0], [-1.5, 4.0]]> : tensor<2x2xf32>
  %p = nn.matmul %x, %w : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32> loc("hidden")
  %h = nn.relu %p : tensor<1x2xf32>
  %y = nn.matmul %h, %w : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}
