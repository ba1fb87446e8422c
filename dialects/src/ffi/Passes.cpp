// A pass whose body is a Rust function, with real MLIR options; pipelines by name; the command
// line of mlir-opt; diagnostics with notes (the C API has none).
#include "mlir-c/Dialect/Func.h"
#include "mlir-c/Dialect/Quant.h"
#include "mlir-c/IR.h"
#include "mlir/CAPI/IR.h"
#include "mlir/CAPI/Registration.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "llvm/ADT/SmallVectorExtras.h"
#include "llvm/Support/CommandLine.h"

using namespace mlir;

extern "C" {
MLIR_DECLARE_CAPI_DIALECT_REGISTRATION(Nn, nn);
MLIR_DECLARE_CAPI_DIALECT_REGISTRATION(Qnn, qnn);
MLIR_DECLARE_CAPI_DIALECT_REGISTRATION(Fhe, fhe);
MLIR_DECLARE_CAPI_DIALECT_REGISTRATION(Tfhe, tfhe);
}

namespace {
struct PassSpec {
  MlirStringRef argument, description, anchor;
  const MlirStringRef (*options)[3]; // name, description, default
  intptr_t optionCount;
  /// Reports what is wrong with the option values, if anything.
  void (*check)(const MlirStringRef *values, MlirStringCallback report, void *data);
  bool (*run)(MlirOperation operation, const MlirStringRef *values);
};

/// Holds no state but option values, so that a clone for another thread is safe; what Rust needs is
/// made anew in each `run`.
struct RustPass : Pass {
  // The address of the spec is the type id: one for each pass, for free.
  explicit RustPass(const PassSpec *spec)
      : Pass(TypeID::getFromOpaquePointer(spec),
             spec->anchor.length ? std::optional(unwrap(spec->anchor)) : std::nullopt),
        spec(spec) {
    for (auto &[name, description, value] : ArrayRef(spec->options, spec->optionCount))
      options.push_back(std::make_unique<Option<std::string>>(
          *this, unwrap(name), llvm::cl::desc(unwrap(description)), llvm::cl::init(unwrap(value).str())));
  }

  StringRef getName() const override { return unwrap(spec->argument); }
  StringRef getArgument() const override { return unwrap(spec->argument); }
  StringRef getDescription() const override { return unwrap(spec->description); }
  bool canScheduleOn(RegisteredOperationName name) const override {
    return !getOpName() || name.getStringRef() == *getOpName();
  }
  // What a pass may create must be loaded before the threads start.
  void getDependentDialects(DialectRegistry &registry) const override {
    for (auto handle : {mlirGetDialectHandle__nn__(), mlirGetDialectHandle__qnn__(), mlirGetDialectHandle__fhe__(),
                        mlirGetDialectHandle__tfhe__(), mlirGetDialectHandle__func__(), mlirGetDialectHandle__quant__()})
      mlirDialectHandleInsertDialect(handle, wrap(&registry));
  }
  // Pass::clone copies the option values afterwards.
  std::unique_ptr<Pass> clonePass() const override { return std::make_unique<RustPass>(spec); }

  LogicalResult initializeOptions(StringRef text,
                                  function_ref<LogicalResult(const Twine &)> onError) override {
    if (failed(Pass::initializeOptions(text, onError)))
      return failure();
    std::string problem;
    auto append = [](MlirStringRef part, void *to) { *static_cast<std::string *>(to) += unwrap(part); };
    spec->check(values().data(), append, &problem);
    return problem.empty() ? success() : onError(problem);
  }

  void runOnOperation() override {
    if (!spec->run(wrap(getOperation()), values().data()))
      signalPassFailure();
  }

  SmallVector<MlirStringRef> values() const {
    return llvm::map_to_vector(options, [](auto &option) { return wrap(StringRef(option->getValue())); });
  }

  const PassSpec *spec;
  std::vector<std::unique_ptr<Option<std::string>>> options;
};
} // namespace

extern "C" {
/// `spec` must live as long as the process, and be registered once.
void cmlRegisterPass(const PassSpec *spec) {
  registerPass([spec] { return std::make_unique<RustPass>(spec); });
}

/// `text` is what stands inside `builtin.module(...)`.
void cmlRegisterPipeline(MlirStringRef argument, MlirStringRef description, MlirStringRef text) {
  auto build = [pipeline = unwrap(text).str()](OpPassManager &manager, StringRef options,
                                               function_ref<LogicalResult(const Twine &)> onError) {
    return options.empty() ? parsePassPipeline(pipeline, manager) : onError("this pipeline has no options");
  };
  registerPassPipeline(unwrap(argument), unwrap(description), build,
                       [](function_ref<void(const mlir::detail::PassOptions &)>) {});
}

/// `cml-opt` itself reads --cml-check-semantics; it stands here for --help.
int cmlOptMain(int argc, char **argv, MlirDialectRegistry registry) {
  // What is registered so far comes from LLVM's code generators, which are linked but not used: not for --help.
  for (auto &[name, option] : llvm::cl::getRegisteredOptions())
    if (llvm::is_contained(option->Categories, &llvm::cl::getGeneralCategory()))
      option->setHiddenFlag(llvm::cl::Hidden);
  static llvm::cl::opt<bool> check("cml-check-semantics", llvm::cl::ValueDisallowed,
                                   llvm::cl::desc("Run the function before and after each pass that promises to keep it"));
  return asMainReturnCode(MlirOptMain(argc, argv, "cml-opt: mlir-opt with our passes\n", *unwrap(registry)));
}

void cmlEmitError(MlirLocation location, MlirStringRef message, const MlirLocation *places,
                  const MlirStringRef *notes, intptr_t noteCount) {
  auto diagnostic = emitError(unwrap(location)) << unwrap(message);
  for (intptr_t i = 0; i < noteCount; ++i)
    diagnostic.attachNote(unwrap(places[i])) << unwrap(notes[i]);
}

/// The values of `array<i64: ...>` without a copy (the C API gives them one by one).
bool cmlDenseI64Array(MlirAttribute attribute, const int64_t **data, intptr_t *length) {
  auto array = dyn_cast<DenseI64ArrayAttr>(unwrap(attribute));
  if (array)
    *data = array.asArrayRef().data(), *length = array.size();
  return bool(array);
}

/// The values of `array<f64: ...>`.
bool cmlDenseF64Array(MlirAttribute attribute, const double **data, intptr_t *length) {
  auto array = dyn_cast<DenseF64ArrayAttr>(unwrap(attribute));
  if (array)
    *data = array.asArrayRef().data(), *length = array.size();
  return bool(array);
}
}
