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
  }];
  let cppNamespace = "::cml::tfhe";
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
}

def Tfhe_Parameters : AttrDef<Tfhe_Dialect, "Parameters"> {
  let summary = "sizes, decompositions and noise of one key set";
  let description = "Standard deviations are on the torus [0, 1); noise is Gaussian and secret keys are binary.";
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
  let mnemonic = "lwe";
  let parameters = (ins "::mlir::StringAttr":$key, "int64_t":$spacing);
  let assemblyFormat = "`<` $key `,` $spacing `>`";
  let genVerifyDecl = 1;
}
def Tfhe_List : StaticShapeTensorOf<[Tfhe_Lwe]>;

class Tfhe_Op<string mnemonic, list<Trait> traits = []> : Op<Tfhe_Dialect, mnemonic, !listconcat([Pure], traits)> {
  let results = (outs Tfhe_List:$result);
  let hasVerifier = 1;
}

def Tfhe_LinearOp : Tfhe_Op<"linear"> {
  let summary = "y = W x + b on integers, x the concatenation of the inputs";
  let description = [{
    The inputs share one spacing; that of the result is a multiple of it, and the factor multiplies the noise as it does the
    values. Variance of row j: factor^2 * sum over i of W[j,i]^2 * V[i], for independent inputs.
  }];
  let arguments = (ins Variadic<Tfhe_List>:$inputs, I64ElementsAttr:$weights, DenseI64ArrayAttr:$bias);
  let assemblyFormat = [{
    $inputs `weights` $weights `bias` $bias attr-dict `:` qualified(type($inputs)) `->` qualified(type($result))
  }];
}

def Tfhe_KeyswitchOp : Tfhe_Op<"keyswitch"> {
  let summary = "the same integers under the small key";
  let arguments = (ins Tfhe_List:$input);
  let assemblyFormat = "$input attr-dict `:` qualified(type($input)) `->` qualified(type($result))";
}

def Tfhe_BootstrapOp : Tfhe_Op<"bootstrap"> {
  let summary = "y[i] = tables[table_of[i]][x[i] - firsts[table_of[i]]], with fresh noise, under the big key";
  let description = [{
    The phase is switched to 2 * N * 2^extension positions and read by a blind rotation over 2^extension accumulators;
    extension 0 is the plain bootstrap. A table fits if its length times the input's spacing is at most half the torus (the padding bit).
    Fails where the error at the switched phase reaches half the spacing (less half a position).
  }];
  let arguments = (ins Tfhe_List:$input, I64Attr:$extension, TypedArrayAttrBase<DenseI64ArrayAttr, "tables">:$tables,
                       DenseI64ArrayAttr:$firsts, DenseI64ArrayAttr:$table_of);
  let assemblyFormat = [{
    $input `extension` $extension `tables` $tables `firsts` $firsts `of` $table_of attr-dict
    `:` qualified(type($input)) `->` qualified(type($result))
  }];
}
