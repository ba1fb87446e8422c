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

    Values are tensors of f32, computed in f32 by the kernels of `cml_runtime::reference`, or of i64, which stay clear and
    are exact: integer arithmetic that leaves 64 bits is an error when it is run, never a wrap. The sign of a zero is not
    part of a value. Element-wise ops with two operands broadcast as numpy does. Axes count from 0.
  }];
  let cppNamespace = "::cml::nn";
  let hasConstantMaterializer = 1;
}

class Nn_Limited<list<Type> elements, string words>
    : ConfinedType<StaticShapeTensorOf<elements>, [CPred<"::cml::hasAtMost($_self, ::cml::maxElements)">],
                   "tensor of " # words # " with static shape and at most 2^28 elements">;
def Nn_Tensor : Nn_Limited<[F32, I64], "f32 or i64">;
def Nn_FloatTensor : Nn_Limited<[F32], "f32">;

class Nn_Op<string mnemonic, list<Trait> traits = []> : Op<Nn_Dialect, mnemonic, !listconcat([Pure], traits)>;

class Nn_Unary<string mnemonic, string words, string equation>
    : Nn_Op<mnemonic, [SameOperandsAndResultType, Elementwise]> {
  let summary = words;
  let description = "`result = " # equation # "` for each element x.";
  let arguments = (ins Nn_FloatTensor:$input);
  let results = (outs Nn_FloatTensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input)";
}

class Nn_Slope<string mnemonic, string words, string equation>
    : Nn_Op<mnemonic, [SameOperandsAndResultType, Elementwise]> {
  let summary = words;
  let description = "`result = x` for each element x >= 0, `" # equation # "` below.";
  let arguments = (ins Nn_FloatTensor:$input, F32Attr:$alpha);
  let results = (outs Nn_FloatTensor:$result);
  let assemblyFormat = "$input `alpha` $alpha attr-dict `:` type($input)";
}

class Nn_Binary<string mnemonic, string words, string equation, list<Trait> traits = []>
    : Nn_Op<mnemonic, !listconcat([ResultsBroadcastableShape, SameOperandsAndResultElementType, InferTypeOpAdaptor], traits)> {
  let summary = words;
  let description = "`result = " # equation # "`. Shapes broadcast as numpy does.";
  let arguments = (ins Nn_Tensor:$lhs, Nn_Tensor:$rhs);
  let results = (outs Nn_Tensor:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($lhs) `,` type($rhs) `->` type($result)";
  let hasFolder = 1;
}

def Nn_ConstantOp : Nn_Op<"constant", [ConstantLike, AllTypesMatch<["value", "result"]>]> {
  let summary = "Weights, or any other tensor that is known";
  let description = [{
    `result = value`. Dense values only: what reads them (folders, interpreter) does not know resources or sparse ones.
  }];
  let arguments = (ins ElementsAttr:$value);
  let results = (outs Nn_Tensor:$result);
  let assemblyFormat = "attr-dict $value";
  let hasFolder = 1;
}

def Nn_AddOp : Nn_Binary<"add", "Sum of two tensors", "lhs + rhs", [Commutative]>;
def Nn_SubOp : Nn_Binary<"sub", "Difference of two tensors", "lhs - rhs">;
def Nn_MulOp : Nn_Binary<"mul", "Product of two tensors, element by element", "lhs * rhs", [Commutative]>;
def Nn_DivOp : Nn_Binary<"div", "Quotient of two tensors, element by element", "lhs / rhs">;

def Nn_NegOp : Nn_Unary<"neg", "Negation", "-x"> { let hasFolder = 1; }
def Nn_ReluOp : Nn_Unary<"relu", "Rectified linear unit", "max(x, 0)"> { let hasFolder = 1; }
def Nn_SigmoidOp : Nn_Unary<"sigmoid", "Logistic function", "1 / (1 + exp(-x))">;
def Nn_TanhOp : Nn_Unary<"tanh", "Hyperbolic tangent", "tanh(x)">;
def Nn_SoftplusOp : Nn_Unary<"softplus", "Smooth rectifier", "log(1 + exp(x))">;
def Nn_LeakyReluOp : Nn_Slope<"leaky_relu", "Rectifier with a slope below 0", "result = alpha * x">;
def Nn_EluOp : Nn_Slope<"elu", "Exponential linear unit", "result = alpha * (exp(x) - 1)">;

def Nn_ClipOp : Nn_Op<"clip", [SameOperandsAndResultType, Elementwise]> {
  let summary = "Elements limited to an interval";
  let description = [{
    `result = min(max(x, min), max)`; an absent bound is infinite, and where the bounds cross, the upper one wins. A bound
    that is not a number is refused.
  }];
  let arguments = (ins Nn_FloatTensor:$input, OptionalAttr<F32Attr>:$min, OptionalAttr<F32Attr>:$max);
  let results = (outs Nn_FloatTensor:$result);
  let assemblyFormat = "$input (`min` $min^)? (`max` $max^)? attr-dict `:` type($input)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Nn_MatmulOp : Nn_Op<"matmul", [InferTypeOpAdaptor]> {
  let summary = "Matrix product";
  let description = [{
    `result[.., i, j] = sum over k of lhs[.., i, k] * rhs[.., k, j]`, by numpy's rules: leading axes broadcast, and an operand of
    rank 1 is a row on the left, a column on the right, which the result does not have. Operands whose inner extents differ
    are refused.
  }];
  let arguments = (ins Nn_FloatTensor:$lhs, Nn_FloatTensor:$rhs);
  let results = (outs Nn_FloatTensor:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($lhs) `,` type($rhs) `->` type($result)";
}

def Nn_GemmOp : Nn_Op<"gemm", [InferTypeOpAdaptor]> {
  let summary = "Scaled product of two matrices, plus a scaled tensor";
  let description = [{
    `result = alpha * A' * B' + beta * C`. `A'` is `a`, or its transpose where `transpose_a` is set; likewise for `b`. `c`
    broadcasts to the result and may be absent. Operands that are not matrices, or whose inner extents differ, are refused.
  }];
  let arguments = (ins Nn_FloatTensor:$a, Nn_FloatTensor:$b, Optional<Nn_FloatTensor>:$c, F32Attr:$alpha, F32Attr:$beta,
                       UnitAttr:$transpose_a, UnitAttr:$transpose_b);
  let results = (outs Nn_FloatTensor:$result);
  let assemblyFormat = [{
    $a `,` $b (`,` $c^)? `alpha` $alpha `beta` $beta (`transpose_a` $transpose_a^)? (`transpose_b` $transpose_b^)? attr-dict
    `:` functional-type(operands, $result)
  }];
}

def Nn_BatchNormalizationOp : Nn_Op<"batch_normalization", [AllTypesMatch<["input", "result"]>]> {
  let summary = "Normalization by recorded statistics of each channel";
  let description = [{
    `result = (x - mean[c]) / sqrt(variance[c] + epsilon) * scale[c] + bias[c]` for each element x of channel c, the index along
    axis 1. The four statistics have one element for each channel; an epsilon below 0 is refused.
  }];
  let arguments = (ins Nn_FloatTensor:$input, Nn_FloatTensor:$scale, Nn_FloatTensor:$bias, Nn_FloatTensor:$mean,
                       Nn_FloatTensor:$variance, F32Attr:$epsilon);
  let results = (outs Nn_FloatTensor:$result);
  let assemblyFormat = "operands `epsilon` $epsilon attr-dict `:` functional-type(operands, $result)";
  let hasVerifier = 1;
}

def Nn_ReshapeOp : Nn_Op<"reshape"> {
  let summary = "The same elements under another shape";
  let description = "Elements keep their row-major order. A result with another number of elements, or of another kind, is refused.";
  let arguments = (ins Nn_Tensor:$input);
  let results = (outs Nn_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Nn_TransposeOp : Nn_Op<"transpose", [InferTypeOpAdaptor]> {
  let summary = "Axes in another order";
  let description = "Axis i of the result is axis `permutation[i]` of the input. Anything but a permutation of all axes is refused.";
  let arguments = (ins Nn_Tensor:$input, DenseI64ArrayAttr:$permutation);
  let results = (outs Nn_Tensor:$result);
  let assemblyFormat = "$input $permutation attr-dict `:` type($input) `->` type($result)";
  let hasFolder = 1;
}

def Nn_ConcatOp : Nn_Op<"concat", [InferTypeOpAdaptor]> {
  let summary = "Tensors joined along an axis";
  let description = [{
    The inputs follow each other along `axis`. There is at least one, and they agree in kind, rank, and every other extent.
  }];
  let arguments = (ins Variadic<Nn_Tensor>:$inputs, I64Attr:$axis);
  let results = (outs Nn_Tensor:$result);
  let assemblyFormat = "$inputs `axis` $axis attr-dict `:` type($inputs) `->` type($result)";
  let hasFolder = 1;
}

def Nn_ReduceSumOp : Nn_Op<"reduce_sum", [InferTypeOpAdaptor]> {
  let summary = "Sum over axes";
  let description = "The axes are ascending; the result keeps them with extent 1.";
  let arguments = (ins Nn_Tensor:$input, DenseI64ArrayAttr:$axes);
  let results = (outs Nn_Tensor:$result);
  let assemblyFormat = "$input $axes attr-dict `:` type($input) `->` type($result)";
  let hasFolder = 1;
}

def Nn_SoftmaxOp : Nn_Op<"softmax", [SameOperandsAndResultType]> {
  let summary = "Exponentials that sum to 1";
  let description = [{
    `result = exp(x) / s`, s being the sum of exp over the elements that differ from x along `axis` alone. An axis that the
    input does not have is refused.
  }];
  let arguments = (ins Nn_FloatTensor:$input, I64Attr:$axis);
  let results = (outs Nn_FloatTensor:$result);
  let assemblyFormat = "$input `axis` $axis attr-dict `:` type($input)";
  let hasVerifier = 1;
}

def Nn_ArgMaxOp : Nn_Op<"argmax", [InferTypeOpAdaptor]> {
  let summary = "Index of the largest element along an axis";
  let description = [{
    Of several equal ones the first counts, or the last where `select_last_index` is set. The result is of i64; it keeps the axis
    with extent 1 where `keep_dims` is set, and drops it otherwise. An axis without elements is refused.
  }];
  let arguments = (ins Nn_Tensor:$input, I64Attr:$axis, UnitAttr:$keep_dims, UnitAttr:$select_last_index);
  let results = (outs Nn_Tensor:$result);
  let assemblyFormat = [{
    $input `axis` $axis (`keep_dims` $keep_dims^)? (`select_last_index` $select_last_index^)? attr-dict
    `:` type($input) `->` type($result)
  }];
}

def Nn_CastOp : Nn_Op<"cast", [SameOperandsAndResultShape]> {
  let summary = "Conversion between f32 and i64";
  let description = "A float is truncated toward zero. What i64 does not hold is an error when it is run.";
  let arguments = (ins Nn_Tensor:$input);
  let results = (outs Nn_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasFolder = 1;
}

def Nn_FakeQuantizeOp : Nn_Op<"fake_quantize", [SameOperandsAndResultType]> {
  let summary = "The nearest value that a quantizer can represent";
  let description = [{
    `result = scale * (q - zero_point - offset)` with `q = clip(round(x / divisor + shift) + zero_point, lo, hi)`, with one scale, or
    one for each index of `axis`. It marks where the network becomes integer: on an activation, or on the weights of a matrix
    product. Division, shift and rounding are done in f32, as ONNX and QONNX do.

    There are as many zero points as scales. Scales are positive and finite in f32, and `lo < hi`. What else is stated has as
    many elements as scales: `divisors` (else the scales divide), `shifts` and `offsets` (else 0). QONNX' zero point, which may be
    a half, is both shift and offset. `rounding` is `half_even` where it is not stated, or one of `ceil`, `floor`, `up` (away from 0),
    `down` (toward 0), `half_up` (halves away from 0), `half_down` (halves toward 0) and `sign`: `hi` from 0 on, `lo` below.
  }];
  let arguments = (ins Nn_FloatTensor:$input, DenseF64ArrayAttr:$scales, DenseI64ArrayAttr:$zero_points, I64Attr:$axis,
                       I64Attr:$lo, I64Attr:$hi, OptionalAttr<DenseF64ArrayAttr>:$divisors,
                       OptionalAttr<DenseF64ArrayAttr>:$shifts, OptionalAttr<DenseF64ArrayAttr>:$offsets,
                       OptionalAttr<StrAttr>:$rounding);
  let results = (outs Nn_FloatTensor:$result);
  let assemblyFormat = [{
    $input `scales` custom<Reals>($scales) `zero_points` $zero_points `axis` $axis `range` $lo `to` $hi
    (`divisors` custom<Reals>($divisors)^)? (`shifts` custom<Reals>($shifts)^)? (`offsets` custom<Reals>($offsets)^)?
    (`rounding` $rounding^)? attr-dict `:` type($input)
  }];
  let hasVerifier = 1;
}
