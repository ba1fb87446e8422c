// The dialect `tfhe`: verifiers, and C functions for Rust.
#include "../shapes.h"
#include "mlir-c/IR.h"
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/CAPI/IR.h"
#include "mlir/CAPI/Registration.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/TypeSwitch.h"

#include "TfheDialect.h.inc"
#define GET_ATTRDEF_CLASSES
#include "TfheAttributes.h.inc"
#define GET_TYPEDEF_CLASSES
#include "TfheTypes.h.inc"
#define GET_OP_CLASSES
#include "TfheOps.h.inc"

#include "TfheDialect.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "TfheAttributes.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "TfheTypes.cpp.inc"
#define GET_OP_CLASSES
#include "TfheOps.cpp.inc"

using namespace mlir;
using namespace cml;

void tfhe::TfheDialect::initialize() {
  addAttributes<ParametersAttr>();
  addTypes<LweType>();
  addOperations<
#define GET_OP_LIST
#include "TfheOps.cpp.inc"
      >();
}

LogicalResult tfhe::TfheDialect::verifyOperationAttribute(Operation *op, NamedAttribute attribute) {
  if (attribute.getName() == "tfhe.parameters" && isa<ModuleOp>(op) && isa<ParametersAttr>(attribute.getValue()))
    return success();
  return op->emitOpError() << "attribute " << attribute.getName()
                           << " must be `tfhe.parameters` on a module, of the form #tfhe.parameters<...>";
}

LogicalResult tfhe::ParametersAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t n, int64_t k,
                                           int64_t polynomialSize, int64_t pbsBase, int64_t pbsLevel, int64_t ksBase,
                                           int64_t ksLevel, FloatAttr lweStdDev, FloatAttr glweStdDev) {
  if (polynomialSize <= 0 || !llvm::isPowerOf2_64(polynomialSize))
    return emitError() << "N must be a power of two, found " << polynomialSize;
  if (n <= 0 || k <= 0 || pbsBase <= 0 || pbsLevel <= 0 || ksBase <= 0 || ksLevel <= 0)
    return emitError() << "sizes and decompositions must be positive";
  if (std::max({n, k, polynomialSize}) > INT32_MAX)
    return emitError() << "sizes must be below 2^31";
  if (pbsBase > 64 / pbsLevel || ksBase > 64 / ksLevel)
    return emitError() << "a decomposition takes more than 64 bits";
  for (FloatAttr noise : {lweStdDev, glweStdDev})
    if (!noise.getType().isF64() || !(noise.getValueAsDouble() >= 0) || !(noise.getValueAsDouble() < 1))
      return emitError() << "standard deviations must be f64 in [0, 1), found " << noise;
  return success();
}

LogicalResult tfhe::LweType::verify(function_ref<InFlightDiagnostic()> emitError, StringAttr key, int64_t spacing) {
  if (key.getValue() != "big" && key.getValue() != "small")
    return emitError() << "key must be \"big\" or \"small\", found " << key;
  if (spacing <= 0)
    return emitError() << "spacing must be positive, found " << spacing;
  return success();
}

static tfhe::LweType lwe(Value value) {
  return cast<tfhe::LweType>(cast<RankedTensorType>(value.getType()).getElementType());
}

static LogicalResult expectKey(Operation *op, Value value, StringRef key, StringRef what) {
  if (lwe(value).getKey().getValue() == key)
    return success();
  return op->emitOpError() << what << " must be under the " << key << " key";
}

LogicalResult tfhe::LinearOp::verify() {
  auto weights = cast<ShapedType>(getWeights().getType());
  int64_t columns = 0, rows = shapeOf(getResult())[0], spacing = lwe(getResult()).getSpacing();
  if (getInputs().empty())
    return emitOpError() << "needs an input";
  if (failed(expectKey(*this, getResult(), "big", "result")))
    return failure();
  for (auto input : getInputs()) {
    columns += shapeOf(input)[0];
    if (failed(expectKey(*this, input, "big", "input")))
      return failure();
    if (lwe(input) != lwe(getInputs()[0]))
      return emitOpError() << "inputs differ in their spacing";
  }
  if (spacing % lwe(getInputs()[0]).getSpacing() != 0)
    return emitOpError() << "result spacing " << spacing << " is no multiple of input spacing "
                         << lwe(getInputs()[0]).getSpacing();
  if (weights.getShape() != ArrayRef({rows, columns}) || !hasAtMost(weights, maxWeights))
    return emitOpError() << "needs weights of " << rows << "x" << columns << ", at most 2^26, found " << weights;
  if (int64_t(getBias().size()) != rows)
    return emitOpError() << "needs " << rows << " biases, found " << getBias().size();
  return success();
}

/// W x + b = x for the unit matrix and no bias.
OpFoldResult tfhe::LinearOp::fold(FoldAdaptor) {
  if (getInputs().size() != 1 || getInputs()[0].getType() != getType() || llvm::any_of(getBias(), [](int64_t b) { return b != 0; }))
    return nullptr;
  int64_t columns = shapeOf(getResult())[0];
  for (auto [index, weight] : llvm::enumerate(getWeights().getValues<int64_t>()))
    if (weight != (int64_t(index) / columns == int64_t(index) % columns))
      return nullptr;
  return getInputs()[0];
}

LogicalResult tfhe::KeyswitchOp::inferReturnTypes(MLIRContext *context, std::optional<Location>, Adaptor adaptor,
                                                  SmallVectorImpl<Type> &types) {
  auto small = LweType::get(context, StringAttr::get(context, "small"), lwe(adaptor.getInput()).getSpacing());
  types.push_back(RankedTensorType::get(shapeOf(adaptor.getInput()), small));
  return success();
}

LogicalResult tfhe::KeyswitchOp::verify() { return expectKey(*this, getInput(), "big", "input"); }

LogicalResult tfhe::BootstrapOp::verify() {
  if (failed(expectKey(*this, getInput(), "small", "input")) || failed(expectKey(*this, getResult(), "big", "result")) ||
      failed(expectShape(*this, Shape(shapeOf(getInput())))))
    return failure();
  if (getTables().size() != getFirsts().size() || int64_t(getTableOf().size()) != shapeOf(getInput())[0])
    return emitOpError() << "needs a first value for each table and a table for each element";
  if (getExtension() > 12) // unsigned: a negative one is large
    return emitOpError() << "extension must be 0 to 12, found " << int64_t(getExtension());
  for (int64_t index : getTableOf())
    if (index < 0 || index >= int64_t(getTables().size()))
      return emitOpError() << "table " << index << " does not exist";
  uint64_t slots = (uint64_t(1) << 63) / uint64_t(lwe(getInput()).getSpacing());
  for (auto [index, table] : llvm::enumerate(getTables().getAsRange<DenseI64ArrayAttr>())) {
    int64_t last;
    if (table.empty() || llvm::AddOverflow(getFirsts()[index], table.size() - 1, last))
      return emitOpError() << "table " << index << " is empty, or covers more than 64-bit integers";
    if (uint64_t(table.size()) > slots)
      return emitOpError() << "table " << index << " has " << table.size() << " entries, the input's spacing has room for "
                           << slots;
  }
  return success();
}

extern "C" {
MLIR_DECLARE_CAPI_DIALECT_REGISTRATION(Tfhe, tfhe);
}
MLIR_DEFINE_CAPI_DIALECT_REGISTRATION(Tfhe, tfhe, cml::tfhe::TfheDialect)

extern "C" {
/// Null, with a diagnostic at `location`, if `verify` refuses.
MlirType cmlLweType(MlirLocation location, bool big, int64_t spacing) {
  Location place = unwrap(location);
  auto key = StringAttr::get(place.getContext(), big ? "big" : "small");
  return wrap(tfhe::LweType::getChecked([&] { return emitError(place); }, place.getContext(), key, spacing));
}

bool cmlLweParts(MlirType type, bool *big, int64_t *spacing) {
  auto lwe = dyn_cast<tfhe::LweType>(unwrap(type));
  if (lwe)
    *big = lwe.getKey().getValue() == "big", *spacing = lwe.getSpacing();
  return bool(lwe);
}

/// `sizes`: n, k, N, then base log and level of bootstrap and keyswitch; `noise`: of the small and of the big key.
MlirAttribute cmlParameters(MlirLocation location, const int64_t sizes[7], const double noise[2]) {
  Location place = unwrap(location);
  MLIRContext *context = place.getContext();
  auto real = [&](double value) { return FloatAttr::get(Float64Type::get(context), value); };
  return wrap(tfhe::ParametersAttr::getChecked([&] { return emitError(place); }, context, sizes[0], sizes[1], sizes[2],
                                               sizes[3], sizes[4], sizes[5], sizes[6], real(noise[0]), real(noise[1])));
}

bool cmlParametersParts(MlirAttribute attribute, int64_t sizes[7], double noise[2]) {
  auto set = dyn_cast<tfhe::ParametersAttr>(unwrap(attribute));
  if (!set)
    return false;
  int64_t found[] = {set.getLweDimension(), set.getGlweDimension(), set.getPolynomialSize(), set.getPbsBaseLog(),
                     set.getPbsLevel(),     set.getKsBaseLog(),     set.getKsLevel()};
  std::copy(std::begin(found), std::end(found), sizes);
  noise[0] = set.getLweStdDev().getValueAsDouble(), noise[1] = set.getGlweStdDev().getValueAsDouble();
  return true;
}
}
