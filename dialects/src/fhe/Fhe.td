// The dialect `fhe`: encrypted integers with proved ranges.
include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Fhe_Dialect : Dialect {
  let name = "fhe";
  let summary = "Encrypted integers, linear algebra with clear weights, explicit table lookups";
  let description = [{
    Every value is a mathematical integer with a proved range; arithmetic that could leave the range of its result type does
    not verify, so nothing ever wraps. The type holds the hull of a tensor. An op may carry `lows` and `highs`, one number
    for each element in row-major order: ranges that an analysis proved and that may be tighter than what interval
    arithmetic over the operands gives. No floats, scales or crypto parameters.
  }];
  let cppNamespace = "::cml::fhe";
  let useDefaultTypePrinterParser = 1;
  let hasConstantMaterializer = 1;
}

def Fhe_Eint : TypeDef<Fhe_Dialect, "Eint"> {
  let summary = "an encrypted integer that lies in lo..hi, both included";
  let mnemonic = "eint";
  let parameters = (ins "int64_t":$lo, "int64_t":$hi);
  // Two backquotes print no space: `<-1:2>`, not `<-1 : 2>`.
  let assemblyFormat = "`<` $lo `` `:` `` $hi `>`";
  let genVerifyDecl = 1;
}
def Fhe_Tensor : StaticShapeTensorOf<[Fhe_Eint]>;
def Fhe_Tables : TypedArrayAttrBase<DenseI64ArrayAttr, "tables">;

class Fhe_Op<string mnemonic, list<Trait> traits = []> : Op<Fhe_Dialect, mnemonic, !listconcat([Pure], traits)> {
  let results = (outs Fhe_Tensor:$result);
}

class Fhe_Binary<string mnemonic, string equation, list<Trait> traits = []>
    : Fhe_Op<mnemonic, !listconcat([ResultsBroadcastableShape], traits)> {
  let summary = equation;
  let description = "Shapes broadcast as numpy does.";
  let arguments = (ins Fhe_Tensor:$lhs, Fhe_Tensor:$rhs, OptionalAttr<DenseI64ArrayAttr>:$lows,
                       OptionalAttr<DenseI64ArrayAttr>:$highs);
  let assemblyFormat = [{
    $lhs `,` $rhs (`lows` $lows^)? (`highs` $highs^)? attr-dict
    `:` qualified(type($lhs)) `,` qualified(type($rhs)) `->` qualified(type($result))
  }];
  let hasVerifier = 1;
}

class Fhe_Clear<string mnemonic, string equation> : Fhe_Op<mnemonic> {
  let summary = equation;
  let description = "The clear tensor has the input's shape, or one element.";
  let arguments = (ins Fhe_Tensor:$input, I64ElementsAttr:$clear, OptionalAttr<DenseI64ArrayAttr>:$lows,
                       OptionalAttr<DenseI64ArrayAttr>:$highs);
  let assemblyFormat = [{
    $input `,` $clear (`lows` $lows^)? (`highs` $highs^)? attr-dict
    `:` qualified(type($input)) `->` qualified(type($result))
  }];
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Fhe_ConstantOp : Fhe_Op<"constant", [ConstantLike]> {
  let summary = "clear integers where encrypted ones are expected";
  let arguments = (ins I64ElementsAttr:$value);
  let assemblyFormat = "$value attr-dict `:` qualified(type($result))";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Fhe_MatmulOp : Fhe_Op<"matmul"> {
  let summary = "y[.., j] = sum over i of x[.., i] * weights[i, j]";
  let arguments = (ins Fhe_Tensor:$input, I64ElementsAttr:$weights, OptionalAttr<DenseI64ArrayAttr>:$lows,
                       OptionalAttr<DenseI64ArrayAttr>:$highs);
  let assemblyFormat = [{
    $input `,` $weights (`lows` $lows^)? (`highs` $highs^)? attr-dict
    `:` qualified(type($input)) `->` qualified(type($result))
  }];
  let hasVerifier = 1;
}

def Fhe_AddOp : Fhe_Binary<"add", "x + y", [Commutative]>;
def Fhe_SubOp : Fhe_Binary<"sub", "x - y">;
def Fhe_AddClearOp : Fhe_Clear<"add_clear", "x + c">;
def Fhe_MulClearOp : Fhe_Clear<"mul_clear", "x * c">;

def Fhe_NegOp : Fhe_Op<"neg"> {
  let summary = "-x";
  let arguments = (ins Fhe_Tensor:$input);
  let assemblyFormat = "$input attr-dict `:` qualified(type($input)) `->` qualified(type($result))";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Fhe_SumOp : Fhe_Op<"sum"> {
  let summary = "sum over axes, which are kept with extent 1";
  let arguments = (ins Fhe_Tensor:$input, DenseI64ArrayAttr:$axes, OptionalAttr<DenseI64ArrayAttr>:$lows,
                       OptionalAttr<DenseI64ArrayAttr>:$highs);
  let assemblyFormat = [{
    $input $axes (`lows` $lows^)? (`highs` $highs^)? attr-dict `:` qualified(type($input)) `->` qualified(type($result))
  }];
  let hasVerifier = 1;
}

def Fhe_ReshapeOp : Fhe_Op<"reshape"> {
  let summary = "the same elements in row-major order under another shape";
  let arguments = (ins Fhe_Tensor:$input);
  let assemblyFormat = "$input attr-dict `:` qualified(type($input)) `->` qualified(type($result))";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Fhe_TransposeOp : Fhe_Op<"transpose"> {
  let summary = "axis i of the result is axis permutation[i] of the input";
  let arguments = (ins Fhe_Tensor:$input, DenseI64ArrayAttr:$permutation);
  let assemblyFormat = "$input $permutation attr-dict `:` qualified(type($input)) `->` qualified(type($result))";
  let hasVerifier = 1;
}

def Fhe_ConcatOp : Fhe_Op<"concat"> {
  let summary = "joins tensors along an axis";
  let arguments = (ins Variadic<Fhe_Tensor>:$inputs, I64Attr:$axis);
  let assemblyFormat = "$inputs `axis` $axis attr-dict `:` qualified(type($inputs)) `->` qualified(type($result))";
  let hasVerifier = 1;
}

def Fhe_LookupOp : Fhe_Op<"lookup"> {
  let summary = "y[i] = tables[table_of[i]][x[i] - firsts[table_of[i]]]";
  let description = [{
    Elements are numbered in row-major order; tables may be shared. Each table must cover the range of every element that
    reads it: the element's own range where the producer of `x` carries `lows` and `highs`, else the hull in its type.
    A lookup whose input is a constant costs nothing.
  }];
  let arguments = (ins Fhe_Tensor:$input, Fhe_Tables:$tables, DenseI64ArrayAttr:$firsts, DenseI64ArrayAttr:$table_of,
                       OptionalAttr<DenseI64ArrayAttr>:$lows, OptionalAttr<DenseI64ArrayAttr>:$highs);
  let assemblyFormat = [{
    $input `tables` $tables `firsts` $firsts `of` $table_of (`lows` $lows^)? (`highs` $highs^)? attr-dict
    `:` qualified(type($input)) `->` qualified(type($result))
  }];
  let hasVerifier = 1;
}
