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
  }];
  let cppNamespace = "::cml::qnn";
  let dependentDialects = ["::mlir::quant::QuantDialect"];
}

def Qnn_Tensor : StaticShapeTensorOf<[AnyType]>;
def Qnn_FloatTensor : StaticShapeTensorOf<[F32]>;

class Qnn_Op<string mnemonic, list<Trait> traits = []> : Op<Qnn_Dialect, mnemonic, !listconcat([Pure], traits)>;

def Qnn_QuantizeOp : Qnn_Op<"quantize"> {
  let summary = "clip(round_half_even(x / scale) + zero_point, lo, hi)";
  let arguments = (ins Qnn_FloatTensor:$input);
  let results = (outs Qnn_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` qualified(type($input)) `->` qualified(type($result))";
  let hasVerifier = 1;
}

def Qnn_DequantizeOp : Qnn_Op<"dequantize"> {
  let summary = "scale * (q - zero_point)";
  let description = "The product is computed in f64 and rounded to f32 once.";
  let arguments = (ins Qnn_Tensor:$input);
  let results = (outs Qnn_FloatTensor:$result);
  let assemblyFormat = "$input attr-dict `:` qualified(type($input)) `->` qualified(type($result))";
  let hasVerifier = 1;
}

def Qnn_MatmulOp : Qnn_Op<"matmul"> {
  let summary = "acc[.., j] = sum over i of (q[.., i] - zero_point) * weights[i, j], exact";
  let description = [{
    The input has one scale. The weights are stored integers of type `weight_type` (zero point 0), with one scale or one for
    each column. The accumulator's scales are the products; its zero point is 0.
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
  let hasVerifier = 1;
}

def Qnn_LookupOp : Qnn_Op<"lookup"> {
  let summary = "element i becomes tables[table_of[i]][q[i] - zero_point - firsts[table_of[i]]]";
  let description = [{
    Inputs count without their zero point, results are stored integers. Elements are numbered in row-major order; tables may be shared.
  }];
  let arguments = (ins Qnn_Tensor:$input, TypedArrayAttrBase<DenseI64ArrayAttr, "tables">:$tables,
                       DenseI64ArrayAttr:$firsts, DenseI64ArrayAttr:$table_of);
  let results = (outs Qnn_Tensor:$result);
  let assemblyFormat = [{
    $input `tables` $tables `firsts` $firsts `of` $table_of attr-dict `:` qualified(type($input)) `->` qualified(type($result))
  }];
  let hasVerifier = 1;
}

def Qnn_ReshapeOp : Qnn_Op<"reshape"> {
  let summary = "the same elements in row-major order under another shape";
  let arguments = (ins Qnn_Tensor:$input);
  let results = (outs Qnn_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` qualified(type($input)) `->` qualified(type($result))";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Qnn_TransposeOp : Qnn_Op<"transpose"> {
  let summary = "axis i of the result is axis permutation[i] of the input";
  let arguments = (ins Qnn_Tensor:$input, DenseI64ArrayAttr:$permutation);
  let results = (outs Qnn_Tensor:$result);
  let assemblyFormat = "$input $permutation attr-dict `:` qualified(type($input)) `->` qualified(type($result))";
}

def Qnn_ConcatOp : Qnn_Op<"concat"> {
  let summary = "joins tensors of one element type along an axis";
  let arguments = (ins Variadic<Qnn_Tensor>:$inputs, I64Attr:$axis);
  let results = (outs Qnn_Tensor:$result);
  let assemblyFormat = "$inputs `axis` $axis attr-dict `:` qualified(type($inputs)) `->` qualified(type($result))";
}
