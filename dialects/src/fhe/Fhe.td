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
    not verify, so nothing ever wraps. No floats, scales or crypto parameters.

    The type holds the hull of a tensor. An op may carry `lows` and `highs`, one number for each element in row-major order:
    ranges that an analysis proved, and that may be tighter than what interval arithmetic over the operands gives. They must
    overlap the latter, and the type must hold them. What reads the result computes with them. An op that carries them
    does not fold away, since a table behind it may rely on them.
  }];
  let cppNamespace = "::cml::fhe";
  let useDefaultTypePrinterParser = 1;
  let hasConstantMaterializer = 1;
}

def Fhe_Eint : TypeDef<Fhe_Dialect, "Eint"> {
  let summary = "an encrypted integer that lies in lo..hi, both included";
  let description = [{
    Both bounds lie within 2^40 of 0 and `lo <= hi`. The width, ceil(log2(hi - lo + 1)) bits, decides what a lookup costs; where
    the range lies does not matter.
  }];
  let mnemonic = "eint";
  let parameters = (ins "int64_t":$lo, "int64_t":$hi);
  // Two backquotes print no space: `<-1:2>`, not `<-1 : 2>`.
  let assemblyFormat = "`<` $lo `` `:` `` $hi `>`";
  let genVerifyDecl = 1;
}
def Fhe_Tensor : ConfinedType<StaticShapeTensorOf<[Fhe_Eint]>, [CPred<"::cml::hasAtMost($_self, ::cml::maxCiphertexts)">],
                              "tensor of !fhe.eint with static shape and at most 2^22 elements">;
def Fhe_Tables : TypedArrayAttrBase<DenseI64ArrayAttr, "array of i64 arrays, one for each table">;

class Fhe_Op<string mnemonic, list<Trait> traits = []> : Op<Fhe_Dialect, mnemonic, !listconcat([Pure], traits)> {
  let results = (outs Fhe_Tensor:$result);
  let hasVerifier = 1;
}

// An op that may state the range of each element of its result: `format` is its syntax up to there, `types` what follows.
class Fhe_Ranged<string mnemonic, dag operands, string format, string types, list<Trait> traits = []>
    : Fhe_Op<mnemonic, traits> {
  let arguments = !con(operands, (ins OptionalAttr<DenseI64ArrayAttr>:$lows, OptionalAttr<DenseI64ArrayAttr>:$highs));
  let assemblyFormat = format # " (`lows` $lows^)? (`highs` $highs^)? attr-dict `:` " # types # " `->` qualified(type($result))";
}

class Fhe_Unary<string mnemonic, dag attributes, string format>
    : Fhe_Ranged<mnemonic, !con((ins Fhe_Tensor:$input), attributes), "$input " # format, "qualified(type($input))">;

class Fhe_Binary<string mnemonic, list<Trait> traits = []>
    : Fhe_Ranged<mnemonic, (ins Fhe_Tensor:$lhs, Fhe_Tensor:$rhs), "$lhs `,` $rhs", "qualified(type($lhs)) `,` qualified(type($rhs))",
             !listconcat([ResultsBroadcastableShape], traits)>;

def Fhe_ConstantOp : Fhe_Op<"constant", [ConstantLike]> {
  let summary = "Clear integers where encrypted ones are expected";
  let description = [{
    `y = value`; the range of the type covers every one. A trivial ciphertext: everybody knows it, and it has no noise.
  }];
  let arguments = (ins I64ElementsAttr:$value);
  let assemblyFormat = "$value attr-dict `:` qualified(type($result))";
  let hasFolder = 1;
}

def Fhe_MatmulOp : Fhe_Unary<"matmul", (ins I64ElementsAttr:$weights), "`,` $weights"> {
  let summary = "Product of encrypted integers and a matrix of clear weights";
  let description = [{
    `y[.., j] = sum over i of x[.., i] * weights[i, j]`. Range of y[.., j]: the sum of the ranges of the products. Costs no
    bootstrap; the variance of y[.., j] is the sum over i of weights[i, j]^2 times that of x[.., i].
  }];
}

def Fhe_AddOp : Fhe_Binary<"add", [Commutative]> {
  let summary = "Sum of two encrypted tensors";
  let description = "`z = x + y`, range `x.lo + y.lo : x.hi + y.hi`. Shapes broadcast as numpy does. Variances add up.";
}

def Fhe_SubOp : Fhe_Binary<"sub"> {
  let summary = "Difference of two encrypted tensors";
  let description = "`z = x - y`, range `x.lo - y.hi : x.hi - y.lo`. Shapes broadcast as numpy does. Variances add up.";
}

def Fhe_AddClearOp : Fhe_Unary<"add_clear", (ins I64ElementsAttr:$clear), "`,` $clear"> {
  let summary = "Encrypted tensor plus clear integers";
  let description = [{
    `y = x + clear`, range `x.lo + clear : x.hi + clear`. The clear tensor has the input's shape, or one element. The noise stays
    as it is.
  }];
  let hasFolder = 1;
}

def Fhe_MulClearOp : Fhe_Unary<"mul_clear", (ins I64ElementsAttr:$clear), "`,` $clear"> {
  let summary = "Encrypted tensor times clear integers";
  let description = [{
    `y = x * clear`; the range is scaled likewise, its ends exchanged below 0. The clear tensor has the input's shape, or one
    element. The variance is multiplied by clear^2.
  }];
  let hasFolder = 1;
}

def Fhe_NegOp : Fhe_Unary<"neg", (ins), ""> {
  let summary = "Negation";
  let description = "`y = -x`, range `-x.hi : -x.lo`. The noise stays as it is.";
  let hasFolder = 1;
}

def Fhe_SumOp : Fhe_Unary<"sum", (ins DenseI64ArrayAttr:$axes), "$axes"> {
  let summary = "Sum over axes";
  let description = [{
    The axes are ascending; the result keeps them with extent 1. Ranges and variances add up.
  }];
  let hasFolder = 1;
}

def Fhe_ReshapeOp : Fhe_Unary<"reshape", (ins), ""> {
  let summary = "The same elements under another shape";
  let description = "Elements keep their row-major order and their ranges. Costs nothing.";
  let hasFolder = 1;
}

def Fhe_TransposeOp : Fhe_Unary<"transpose", (ins DenseI64ArrayAttr:$permutation), "$permutation"> {
  let summary = "Axes in another order";
  let description = "Axis i of the result is axis `permutation[i]` of the input. Elements keep their ranges. Costs nothing.";
  let hasFolder = 1;
}

def Fhe_ConcatOp : Fhe_Ranged<"concat", (ins Variadic<Fhe_Tensor>:$inputs, I64Attr:$axis), "$inputs `axis` $axis",
                              "qualified(type($inputs))"> {
  let summary = "Tensors joined along an axis";
  let description = [{
    The inputs follow each other along `axis`; they agree in every other extent. Elements keep their ranges. Costs nothing.
  }];
  let hasFolder = 1;
}

def Fhe_LookupOp : Fhe_Unary<"lookup", (ins Fhe_Tables:$tables, DenseI64ArrayAttr:$firsts, DenseI64ArrayAttr:$table_of),
                             "`tables` $tables `firsts` $firsts `of` $table_of"> {
  let summary = "A table of integers for each element";
  let description = [{
    `y[i] = tables[t][x[i] - firsts[t]]` with `t = table_of[i]`. Elements are numbered in row-major order; tables may be shared.

    Each table must cover the range of every element that reads it: the element's own range where the producer of x carries
    `lows` and `highs`, else the hull in its type; it may be shorter than the hull then. Range of y[i]: smallest and largest
    entry that x[i] can reach. The only op that costs a bootstrap for each element, and the only one that resets the noise;
    the width of x[i] decides the price. A lookup whose input is a constant folds.
  }];
  let hasFolder = 1;
}
