// The dialect `nn`: float networks, as ONNX means them. build.rs makes C++ from this file.
include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Nn_Dialect : Dialect {
  let name = "nn";
  let summary = "Float tensors with ONNX semantics";
  let description = [{
    One function, `@main`, computes one sample: shapes are static and the leading axis has extent 1. Each op carries
    the name of its ONNX node as location. Nothing here knows of encryption; which ops can be encrypted is decided
    one level down.
  }];
  let cppNamespace = "::cml::nn";
  let hasConstantMaterializer = 1;
}

def Nn_Tensor : StaticShapeTensorOf<[F32, I64]>;
def Nn_FloatTensor : StaticShapeTensorOf<[F32]>;

class Nn_Op<string mnemonic, list<Trait> traits = []> : Op<Nn_Dialect, mnemonic, !listconcat([Pure], traits)>;

class Nn_Unary<string mnemonic, string equation> : Nn_Op<mnemonic, [SameOperandsAndResultType, Elementwise]> {
  let summary = equation;
  let arguments = (ins Nn_FloatTensor:$input);
  let results = (outs Nn_FloatTensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input)";
}

class Nn_Slope<string mnemonic, string equation> : Nn_Op<mnemonic, [SameOperandsAndResultType, Elementwise]> {
  let summary = equation;
  let arguments = (ins Nn_FloatTensor:$input, F32Attr:$alpha);
  let results = (outs Nn_FloatTensor:$result);
  let assemblyFormat = "$input `alpha` $alpha attr-dict `:` type($input)";
}

class Nn_Binary<string mnemonic, string equation, list<Trait> traits = []>
    : Nn_Op<mnemonic, !listconcat([ResultsBroadcastableShape, SameOperandsAndResultElementType], traits)> {
  let summary = equation;
  let description = "Shapes broadcast as numpy does.";
  let arguments = (ins Nn_Tensor:$lhs, Nn_Tensor:$rhs);
  let results = (outs Nn_Tensor:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($lhs) `,` type($rhs) `->` type($result)";
}

def Nn_ConstantOp : Nn_Op<"constant", [ConstantLike, AllTypesMatch<["value", "result"]>]> {
  let summary = "a constant tensor";
  let arguments = (ins ElementsAttr:$value);
  let results = (outs Nn_Tensor:$result);
  let assemblyFormat = "attr-dict $value";
  let hasFolder = 1;
}

def Nn_AddOp : Nn_Binary<"add", "x + y", [Commutative]>;
def Nn_SubOp : Nn_Binary<"sub", "x - y">;
def Nn_MulOp : Nn_Binary<"mul", "x * y", [Commutative]>;
def Nn_DivOp : Nn_Binary<"div", "x / y">;
def Nn_NegOp : Nn_Unary<"neg", "-x"> { let hasFolder = 1; }
def Nn_ReluOp : Nn_Unary<"relu", "max(x, 0)"> { let hasFolder = 1; }
def Nn_SigmoidOp : Nn_Unary<"sigmoid", "1 / (1 + exp(-x))">;
def Nn_TanhOp : Nn_Unary<"tanh", "tanh(x)">;
def Nn_SoftplusOp : Nn_Unary<"softplus", "log(1 + exp(x))">;
def Nn_LeakyReluOp : Nn_Slope<"leaky_relu", "x for x >= 0, alpha * x below">;
def Nn_EluOp : Nn_Slope<"elu", "x for x >= 0, alpha * (exp(x) - 1) below">;

def Nn_ClipOp : Nn_Op<"clip", [SameOperandsAndResultType, Elementwise]> {
  let summary = "min(max(x, min), max); an absent bound is infinite";
  let arguments = (ins Nn_FloatTensor:$input, OptionalAttr<F32Attr>:$min, OptionalAttr<F32Attr>:$max);
  let results = (outs Nn_FloatTensor:$result);
  let assemblyFormat = "$input (`min` $min^)? (`max` $max^)? attr-dict `:` type($input)";
}

def Nn_MatmulOp : Nn_Op<"matmul"> {
  let summary = "matrix product with numpy's rules for any rank";
  let arguments = (ins Nn_FloatTensor:$lhs, Nn_FloatTensor:$rhs);
  let results = (outs Nn_FloatTensor:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($lhs) `,` type($rhs) `->` type($result)";
  let hasVerifier = 1;
}

def Nn_GemmOp : Nn_Op<"gemm"> {
  let summary = "alpha * A' * B' + beta * C";
  let description = "`A'` is A, or its transpose where `transpose_a` is set; likewise for B. C broadcasts to the result and may be absent.";
  let arguments = (ins Nn_FloatTensor:$a, Nn_FloatTensor:$b, Optional<Nn_FloatTensor>:$c, F32Attr:$alpha, F32Attr:$beta,
                       UnitAttr:$transpose_a, UnitAttr:$transpose_b);
  let results = (outs Nn_FloatTensor:$result);
  let assemblyFormat = [{
    $a `,` $b (`,` $c^)? `alpha` $alpha `beta` $beta (`transpose_a` $transpose_a^)? (`transpose_b` $transpose_b^)? attr-dict
    `:` functional-type(operands, $result)
  }];
  let hasVerifier = 1;
}

def Nn_BatchNormalizationOp : Nn_Op<"batch_normalization", [AllTypesMatch<["input", "result"]>]> {
  let summary = "(x - mean) / sqrt(variance + epsilon) * scale + bias, per channel (axis 1)";
  let arguments = (ins Nn_FloatTensor:$input, Nn_FloatTensor:$scale, Nn_FloatTensor:$bias, Nn_FloatTensor:$mean,
                       Nn_FloatTensor:$variance, F32Attr:$epsilon);
  let results = (outs Nn_FloatTensor:$result);
  let assemblyFormat = "operands `epsilon` $epsilon attr-dict `:` functional-type(operands, $result)";
}

def Nn_ReshapeOp : Nn_Op<"reshape"> {
  let summary = "the same elements in row-major order under another shape";
  let arguments = (ins Nn_Tensor:$input);
  let results = (outs Nn_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Nn_TransposeOp : Nn_Op<"transpose"> {
  let summary = "axis i of the result is axis permutation[i] of the input";
  let arguments = (ins Nn_Tensor:$input, DenseI64ArrayAttr:$permutation);
  let results = (outs Nn_Tensor:$result);
  let assemblyFormat = "$input $permutation attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
}

def Nn_ConcatOp : Nn_Op<"concat"> {
  let summary = "joins tensors along an axis";
  let arguments = (ins Variadic<Nn_Tensor>:$inputs, I64Attr:$axis);
  let results = (outs Nn_Tensor:$result);
  let assemblyFormat = "$inputs `axis` $axis attr-dict `:` type($inputs) `->` type($result)";
  let hasVerifier = 1;
}

def Nn_ReduceSumOp : Nn_Op<"reduce_sum"> {
  let summary = "sum over axes, which are kept with extent 1";
  let arguments = (ins Nn_Tensor:$input, DenseI64ArrayAttr:$axes);
  let results = (outs Nn_Tensor:$result);
  let assemblyFormat = "$input $axes attr-dict `:` type($input) `->` type($result)";
}

def Nn_SoftmaxOp : Nn_Op<"softmax", [SameOperandsAndResultType]> {
  let summary = "exp(x) divided by its sum along an axis";
  let arguments = (ins Nn_FloatTensor:$input, I64Attr:$axis);
  let results = (outs Nn_FloatTensor:$result);
  let assemblyFormat = "$input `axis` $axis attr-dict `:` type($input)";
}

def Nn_ArgMaxOp : Nn_Op<"argmax"> {
  let summary = "index of the largest element along an axis";
  let arguments = (ins Nn_Tensor:$input, I64Attr:$axis, UnitAttr:$keep_dims, UnitAttr:$select_last_index);
  let results = (outs Nn_Tensor:$result);
  let assemblyFormat = [{
    $input `axis` $axis (`keep_dims` $keep_dims^)? (`select_last_index` $select_last_index^)? attr-dict
    `:` type($input) `->` type($result)
  }];
}

def Nn_CastOp : Nn_Op<"cast"> {
  let summary = "conversion between f32 and i64; a float is truncated toward zero";
  let arguments = (ins Nn_Tensor:$input);
  let results = (outs Nn_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasFolder = 1;
}

def Nn_FakeQuantizeOp : Nn_Op<"fake_quantize", [SameOperandsAndResultType]> {
  let summary = "the nearest value that a quantizer can represent";
  let description = [{
    `scale * (clip(round_half_even(x / scale) + zero_point, lo, hi) - zero_point)`, with one scale, or one for each index
    of `axis`. It marks where the network becomes integer: on an activation, or on the weights of a matrix product.
  }];
  let arguments = (ins Nn_FloatTensor:$input, DenseF64ArrayAttr:$scales, DenseI64ArrayAttr:$zero_points, I64Attr:$axis,
                       I64Attr:$lo, I64Attr:$hi);
  let results = (outs Nn_FloatTensor:$result);
  let assemblyFormat = [{
    $input `scales` $scales `zero_points` $zero_points `axis` $axis `range` $lo `to` $hi attr-dict `:` type($input)
  }];
  let hasVerifier = 1;
}
