// The dialect `qnn`: quantized integers with exact accumulation.
include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Qnn_Dialect : Dialect {
  let name = "qnn";
  let summary = "Quantized tensors and exact integer accumulators";
  let description = [{
    Values are tensors of MLIR's `quant.uniform` types; what is computed with is the stored integer, minus its zero point.
    Accumulators are `!quant.uniform<i32:f32, ...>` too: exact integers with the scale that they stand for. Float ops of `nn`
    may stand between a `qnn.dequantize` and a `qnn.quantize`, until `cml-fuse-float-chains` turns them into tables.
    From `cml-split-client-server` on, a module holds `@client_in`, `@server` and `@client_out`.

    Every op refuses what `quant` itself accepts and no interpreter could run: a scale that is no number, a zero point outside of the stored range, and
    a number of scales that the quantized axis does not have.
  }];
  let cppNamespace = "::cml::qnn";
  let dependentDialects = ["::mlir::quant::QuantDialect"];
}

class Qnn_Limited<list<Type> elements, string words>
    : ConfinedType<StaticShapeTensorOf<elements>, [CPred<"::cml::hasAtMost($_self, ::cml::maxCiphertexts)">],
                   "tensor of " # words # " with static shape and at most 2^22 elements">;
def Qnn_Element : Type<CPred<"::llvm::isa<::mlir::quant::UniformQuantizedType, "
                             "::mlir::quant::UniformQuantizedPerAxisType>($_self)">, "quant.uniform">;
def Qnn_Tensor : Qnn_Limited<[Qnn_Element], "quant.uniform">;
def Qnn_FloatTensor : Qnn_Limited<[F32], "f32">;
def Qnn_Tables : TypedArrayAttrBase<DenseI64ArrayAttr, "array of i64 arrays, one for each table">;

class Qnn_Op<string mnemonic, list<Trait> traits = []> : Op<Qnn_Dialect, mnemonic, !listconcat([Pure], traits)> {
  let hasVerifier = 1;
}

def Qnn_QuantizeOp : Qnn_Op<"quantize", [SameOperandsAndResultShape]> {
  let summary = "Floats to stored integers";
  let description = [{
    `q = clip(round(x / divisor + shift) + zero_point, lo, hi)`, with zero points and stored range lo..hi of the result's type. Its
    scales divide, halves round to even and there is no shift, unless `divisors`, `rounding` and `shifts` say otherwise, as in
    `nn.fake_quantize`. Division, shift and rounding are done in f32, as ONNX does. A NaN is an error when it is run.
  }];
  let arguments = (ins Qnn_FloatTensor:$input, OptionalAttr<DenseF64ArrayAttr>:$divisors,
                       OptionalAttr<DenseF64ArrayAttr>:$shifts, OptionalAttr<StrAttr>:$rounding);
  let results = (outs Qnn_Tensor:$result);
  let assemblyFormat = [{
    $input (`divisors` custom<Reals>($divisors)^)? (`shifts` custom<Reals>($shifts)^)? (`rounding` $rounding^)? attr-dict
    `:` qualified(type($input)) `->` qualified(type($result))
  }];
}

def Qnn_DequantizeOp : Qnn_Op<"dequantize", [SameOperandsAndResultShape, InferTypeOpAdaptor]> {
  let summary = "Stored integers to the floats that they stand for";
  let description = [{
    `x = scale * (q - zero_point - offset)`. The product is computed in f64 and rounded to f32 once. `offsets` are what the type
    cannot say, halves above all, one for each scale; 0 where they are absent. Integer ops see `q - zero_point`: what the
    offsets of an input amount to in a sum are the offsets of the accumulator.
  }];
  let arguments = (ins Qnn_Tensor:$input, OptionalAttr<DenseF64ArrayAttr>:$offsets);
  let results = (outs Qnn_FloatTensor:$result);
  let assemblyFormat = [{
    $input (`offsets` custom<Reals>($offsets)^)? attr-dict `:` qualified(type($input)) `->` qualified(type($result))
  }];
}

def Qnn_MatmulOp : Qnn_Op<"matmul"> {
  let summary = "Exact product of stored integers and clear weights";
  let description = [{
    `acc[.., j] = sum over i of (q[.., i] - zero_point) * weights[i, j]`, on integers.

    The input has one scale: a scale per channel does not factor out of a sum. The weights are stored integers of type
    `weight_type`, zero point 0, with one scale, or one for each column (axis 1). The scales of the accumulator are the products
    of both; its zero point is 0.

    `lows` and `highs` are the range of each element of the accumulator, row-major, as `cml-infer-ranges` proved it;
    `measured_lows` and `measured_highs` are what calibration saw, for the report alone.
  }];
  let arguments = (ins Qnn_Tensor:$input, I64ElementsAttr:$weights, TypeAttr:$weight_type,
                       OptionalAttr<DenseI64ArrayAttr>:$lows, OptionalAttr<DenseI64ArrayAttr>:$highs,
                       OptionalAttr<DenseI64ArrayAttr>:$measured_lows, OptionalAttr<DenseI64ArrayAttr>:$measured_highs);
  let results = (outs Qnn_Tensor:$result);
  let assemblyFormat = [{
    $input `,` $weights `as` $weight_type (`lows` $lows^)? (`highs` $highs^)?
    (`measured_lows` $measured_lows^)? (`measured_highs` $measured_highs^)? attr-dict
    `:` qualified(type($input)) `->` qualified(type($result))
  }];
}

def Qnn_LookupOp : Qnn_Op<"lookup", [SameOperandsAndResultShape]> {
  let summary = "A table of integers for each element";
  let description = [{
    `r[i] = tables[t][q[i] - zero_point - firsts[t]]` with `t = table_of[i]`. Inputs count without their zero point, results are
    stored integers. Elements are numbered in row-major order; tables may be shared. An integer that its table does not
    cover is an error when it is run.
  }];
  let arguments = (ins Qnn_Tensor:$input, Qnn_Tables:$tables, DenseI64ArrayAttr:$firsts, DenseI64ArrayAttr:$table_of);
  let results = (outs Qnn_Tensor:$result);
  let assemblyFormat = [{
    $input `tables` $tables `firsts` $firsts `of` $table_of attr-dict `:` qualified(type($input)) `->` qualified(type($result))
  }];
}

class Qnn_Movement<string mnemonic> : Qnn_Op<mnemonic> {
  let results = (outs Qnn_Tensor:$result);
  let hasFolder = 1;
}

def Qnn_ReshapeOp : Qnn_Movement<"reshape"> {
  let summary = "The same elements under another shape";
  let description = [{
    Elements keep their row-major order, and each its scale, zero point and stored range: where scales go along an axis, the
    types of operand and result must give every element the same ones.
  }];
  let arguments = (ins Qnn_Tensor:$input);
  let assemblyFormat = "$input attr-dict `:` qualified(type($input)) `->` qualified(type($result))";
}

def Qnn_TransposeOp : Qnn_Movement<"transpose"> {
  let summary = "Axes in another order";
  let description = [{
    Axis i of the result is axis `permutation[i]` of the input. Each element keeps its scale, zero point and stored range.
  }];
  let arguments = (ins Qnn_Tensor:$input, DenseI64ArrayAttr:$permutation);
  let assemblyFormat = "$input $permutation attr-dict `:` qualified(type($input)) `->` qualified(type($result))";
}

def Qnn_ConcatOp : Qnn_Movement<"concat"> {
  let summary = "Tensors joined along an axis";
  let description = [{
    The inputs follow each other along `axis`; they agree in every other extent. Each element keeps its scale, zero point and
    stored range.
  }];
  let arguments = (ins Variadic<Qnn_Tensor>:$inputs, I64Attr:$axis);
  let assemblyFormat = "$inputs `axis` $axis attr-dict `:` qualified(type($inputs)) `->` qualified(type($result))";
}
