// The dialect `tfhe`: ciphertexts, keys and bootstraps.
include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Tfhe_Dialect : Dialect {
  let name = "tfhe";
  let summary = "LWE ciphertexts with key and encoding; keyswitch and bootstrap";
  let description = [{
    Values are flat lists of LWE ciphertexts. An integer m is encoded as `m * spacing` modulo 2^64. All linear work is done
    under the big key (dimension k*N, the flattened GLWE secret); a keyswitch leads to the small key (dimension n), a bootstrap
    back to the big one. The module carries its key set as attribute `tfhe.parameters`. Noise is an analysis, not part of a type.
    Variances are in units of the torus [0, 1) squared.
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
  let summary = "an LWE ciphertext under the big or the small key; neighbouring integers are `spacing` * 2^-64 apart";
  let description = "`key` is \"big\" or \"small\"; the spacing is at least 1 and below 2^63.";
  let mnemonic = "lwe";
  let parameters = (ins "::mlir::StringAttr":$key, "int64_t":$spacing);
  let assemblyFormat = "`<` $key `,` $spacing `>`";
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
    `y = W x + b` on integers, x the concatenation of the inputs: at least one, all under the big key and of one spacing. That of
    the result is a multiple of it, and the factor multiplies the noise as it does the values. Variance of row j, for
    independent inputs: factor^2 * sum over i of W[j,i]^2 * V[i].
  }];
  let arguments = (ins Variadic<Tfhe_List>:$inputs, I64ElementsAttr:$weights, DenseI64ArrayAttr:$bias);
  let assemblyFormat = [{
    $inputs `weights` $weights `bias` $bias attr-dict `:` qualified(type($inputs)) `->` qualified(type($result))
  }];
  let hasFolder = 1;
}

def Tfhe_KeyswitchOp : Tfhe_Op<"keyswitch", [InferTypeOpAdaptor]> {
  let summary = "The same integers under the small key";
  let description = [{
    Number and spacing stay; the variance grows by that of the keyswitch. The input must be under the big key.
  }];
  let arguments = (ins Tfhe_List:$input);
  let assemblyFormat = "$input attr-dict `:` qualified(type($input)) `->` qualified(type($result))";
}

def Tfhe_BootstrapOp : Tfhe_Op<"bootstrap"> {
  let summary = "A table of integers for each element, with fresh noise";
  let description = [{
    `y[i] = tables[t][x[i] - firsts[t]]` with `t = table_of[i]`, from the small key to the big one; the result has a spacing of its own.
    The variance of the result is that of a blind rotation, whatever that of the input was.

    The phase is switched to 2 * N * 2^extension positions and read by a blind rotation over 2^extension accumulators;
    extension 0 is the plain bootstrap. A table fits if its length times the input's spacing is at most half the torus (the
    padding bit). Fails where the error at the switched phase reaches half the spacing (less half a position).
  }];
  let arguments = (ins Tfhe_List:$input, I64Attr:$extension,
                       TypedArrayAttrBase<DenseI64ArrayAttr, "array of i64 arrays, one for each table">:$tables,
                       DenseI64ArrayAttr:$firsts, DenseI64ArrayAttr:$table_of);
  let assemblyFormat = [{
    $input `extension` $extension `tables` $tables `firsts` $firsts `of` $table_of attr-dict
    `:` qualified(type($input)) `->` qualified(type($result))
  }];
}
