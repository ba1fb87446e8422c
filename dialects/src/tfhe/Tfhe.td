// The dialect `tfhe`: ciphertexts, keys and bootstraps.
include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Tfhe_Dialect : Dialect {
  let name = "tfhe";
  let summary = "LWE ciphertexts with key and encoding; keyswitch and bootstrap";
  let description = [{
    Values are flat lists of LWE ciphertexts. An integer m is encoded as `m * spacing` modulo 2^64. All linear work is done
    under the big key (dimension k*N, the flattened GLWE secret). The module carries its key sets as attribute `tfhe.parameters`,
    an array: all of them share the big key, each has a small key of its own (dimension n). A keyswitch leads from the big key to
    the small key of one set, a bootstrap back to the big one. Noise is an analysis, not part of a type. Variances are in units of
    the torus [0, 1) squared.
  }];
  let cppNamespace = "::cml::tfhe";
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
  let hasOperationAttrVerify = 1;
}

def Tfhe_Parameters : AttrDef<Tfhe_Dialect, "Parameters"> {
  let summary = "sizes, decompositions and noise of one key set";
  let description = [{
    `n` is the dimension of the small key, `k` and `N` are GLWE dimension and polynomial size, `pbs` and `ks` are base log and level of
    the decompositions of bootstrap and keyswitch. Standard deviations are on the torus [0, 1); noise is Gaussian and secret keys are
    binary. `N` is a power of two, and a decomposition takes at most 64 bits. Whether the set is secure is not decided here.
  }];
  let mnemonic = "parameters";
  // Not `struct(params)`: two names `n` and `N` would both be `getN`.
  let parameters = (ins "int64_t":$lweDimension, "int64_t":$glweDimension, "int64_t":$polynomialSize,
                        "int64_t":$pbsBaseLog, "int64_t":$pbsLevel, "int64_t":$ksBaseLog, "int64_t":$ksLevel,
                        "::mlir::FloatAttr":$lweStdDev, "::mlir::FloatAttr":$glweStdDev);
  let assemblyFormat = [{
    `<` `n` `=` $lweDimension `,` `k` `=` $glweDimension `,` `N` `=` $polynomialSize `,`
        `pbs` `=` $pbsBaseLog `x` $pbsLevel `,` `ks` `=` $ksBaseLog `x` $ksLevel `,`
        `lwe_std_dev` `=` $lweStdDev `,` `glwe_std_dev` `=` $glweStdDev `>`
  }];
  let genVerifyDecl = 1;
}

def Tfhe_Lwe : TypeDef<Tfhe_Dialect, "Lwe"> {
  let summary = "an LWE ciphertext under the big key or a small one; neighbouring integers are `spacing` * 2^-64 apart";
  let description = [{
    `!tfhe.lwe<big, 8>` is under the big key, `!tfhe.lwe<small 1, 8>` under the small key of set 1 of `tfhe.parameters`. The
    spacing is at least 1 and below 2^63.
  }];
  let mnemonic = "lwe";
  let parameters = (ins "std::optional<int64_t>":$set, "int64_t":$spacing);
  let assemblyFormat = "`<` custom<Key>($set) `,` $spacing `>`";
  let genVerifyDecl = 1;
}
def Tfhe_List : ConfinedType<StaticShapeTensorOf<[Tfhe_Lwe]>,
                             [CPred<"::llvm::cast<::mlir::ShapedType>($_self).getRank() == 1">,
                              CPred<"::cml::hasAtMost($_self, ::cml::maxCiphertexts)">],
                             "flat list of at most 2^22 !tfhe.lwe">;

class Tfhe_Op<string mnemonic, list<Trait> traits = []> : Op<Tfhe_Dialect, mnemonic, !listconcat([Pure], traits)> {
  let results = (outs Tfhe_List:$result);
  let hasVerifier = 1;
}

def Tfhe_LinearOp : Tfhe_Op<"linear"> {
  let summary = "Affine map with clear integers";
  let description = [{
    `y = W x + b` on integers, x the concatenation of the inputs: at least one, all under the big key. The spacing of the result
    is a multiple of that of each input, and the factor multiplies the noise as it does the values. Variance of row j, for
    independent inputs: sum over i of (factor[i] * W[j,i])^2 * V[i].
  }];
  let arguments = (ins Variadic<Tfhe_List>:$inputs, I64ElementsAttr:$weights, DenseI64ArrayAttr:$bias);
  let assemblyFormat = [{
    $inputs `weights` $weights `bias` $bias attr-dict `:` qualified(type($inputs)) `->` qualified(type($result))
  }];
  let hasFolder = 1;
}

def Tfhe_CombineOp : Tfhe_Op<"combine"> {
  let summary = "Weighted sum of lists, element by element";
  let description = [{
    `y[i] = sum over j of weights[j] * inputs[j][i] + bias[i]` on integers: at least one input, all of one length and under the big
    key. The spacing of the result is a multiple of that of each input, and the factor multiplies the noise as it does the values:
    what a stage of a lookup removes from a value wraps around the torus there, so that the rest is read in a smaller window.
    Variance, for independent inputs: sum over j of (factor[j] * weights[j])^2 * V[j].
  }];
  let arguments = (ins Variadic<Tfhe_List>:$inputs, DenseI64ArrayAttr:$weights, DenseI64ArrayAttr:$bias);
  let assemblyFormat = [{
    $inputs `weights` $weights `bias` $bias attr-dict `:` qualified(type($inputs)) `->` qualified(type($result))
  }];
}

def Tfhe_KeyswitchOp : Tfhe_Op<"keyswitch"> {
  let summary = "The same integers under a small key";
  let description = [{
    Number and spacing stay; the variance grows by that of the keyswitch. The input is under the big key, the type of the result
    names the set.
  }];
  let arguments = (ins Tfhe_List:$input);
  let assemblyFormat = "$input attr-dict `:` qualified(type($input)) `->` qualified(type($result))";
}

def Tfhe_CompareOp : Tfhe_Op<"compare"> {
  let summary = "Comparisons of each element with thresholds, out of one rotation";
  let description = [{
    For each element and each of its thresholds `t`, in increasing order, 1 where the element is at least `t`, else 0: the results
    of the first element, then those of the second, and so on. From a small key to the big one; the result has a spacing of its
    own. Every table of an element is linear in its comparisons, with the jumps of the table as weights.

    All comparisons of an element come out of one blind rotation of a constant polynomial: a coefficient of the result has another
    sign where the rotation is beyond a threshold. Their noise has the variance of a blind rotation, and is correlated.

    The phase is switched to 2 * N * 2^extension positions; thresholds lie on those of extension 0. An element is `lows[i]` to
    `highs[i]`, and lies less than half the torus above each of its thresholds and at most half the torus below.

    `lookup` is the number of the group of lookups that are made of the results, `tables` how many lookups these are.
  }];
  let arguments = (ins Tfhe_List:$input, I64Attr:$lookup, I64Attr:$tables, I64Attr:$extension,
                       TypedArrayAttrBase<DenseI64ArrayAttr, "array of i64 arrays, one for each element">:$thresholds,
                       DenseI64ArrayAttr:$lows, DenseI64ArrayAttr:$highs);
  let assemblyFormat = [{
    $input `lookup` $lookup `tables` $tables `extension` $extension `thresholds` $thresholds `lows` $lows `highs` $highs
    attr-dict `:` qualified(type($input)) `->` qualified(type($result))
  }];
}

def Tfhe_Stage : I64EnumAttr<"Stage", "what a bootstrap is for in its lookup", [
    I64EnumAttrCase<"Table", 0, "table">, I64EnumAttrCase<"Fold", 1, "fold">, I64EnumAttrCase<"Nearest", 2, "nearest">,
    I64EnumAttrCase<"Count", 3, "count">, I64EnumAttrCase<"Sign", 4, "sign">, I64EnumAttrCase<"Approximate", 5, "approximate">]> {
  let description = [{
    `table` reads the value itself; `fold` reads coarsely what takes the value into a smaller window; `nearest` gives what takes the
    value to its distance from the nearest jump or border, `count` what the table gives below that jump, or the number of the zone
    there, `sign` what to add on the side on which the value lies; `approximate` is `table` for a value that may be off by the
    tolerance.
  }];
  let cppNamespace = "::cml::tfhe";
}

def Tfhe_BootstrapOp : Tfhe_Op<"bootstrap"> {
  let summary = "A table of integers for each element, with fresh noise";
  let description = [{
    `y[i] = tables[t][x[i] - firsts[t]]` with `t = table_of[i]`, from a small key to the big one; the result has a spacing of its
    own. The variance of the result is that of a blind rotation, whatever that of the input was.

    The phase is switched to 2 * N * 2^extension positions and read by a blind rotation over 2^extension accumulators;
    extension 0 is the plain bootstrap. At -1 two bootstraps of one phase share a rotation: the test polynomial has the entries of
    both in turn, and the results are two coefficients of one accumulator. Of all bootstraps at -1 that read one phase, each second
    one shares the rotation of the one before it. A reading may be off by up to `tolerance` slots: the result is another one then, but that
    of the lookup that the bootstrap is a stage of stays the same. It fails where the error at the switched phase reaches
    tolerance + 1/2 spacings (less half a position).

    `lookup` numbers the lookups: bootstraps of one number are the stages of one lookup of each element.

    A table fits if its length times the input's spacing is at most half the torus. It may be longer where it is negacyclic about
    its center: wherever two entries lie half the torus apart, to within less than a slot, they add up to `centers[t]`. A table
    that is read beyond its ends gives its center less the entry half the torus away. Without `centers` all are 0.
  }];
  let arguments = (ins Tfhe_List:$input, I64Attr:$lookup, DefaultValuedAttr<Tfhe_Stage, "Stage::Table">:$stage,
                       I64Attr:$extension, DefaultValuedAttr<I64Attr, "0">:$tolerance,
                       TypedArrayAttrBase<DenseI64ArrayAttr, "array of i64 arrays, one for each table">:$tables,
                       DenseI64ArrayAttr:$firsts, OptionalAttr<DenseI64ArrayAttr>:$centers, DenseI64ArrayAttr:$table_of);
  let assemblyFormat = [{
    $input `lookup` $lookup `` (`:` $stage^)? `extension` $extension (`tolerance` $tolerance^)? `tables` $tables
    `firsts` $firsts (`centers` $centers^)? `of` $table_of attr-dict
    `:` qualified(type($input)) `->` qualified(type($result))
  }];
}
