// The dialect `tfhe`: verifiers, and C functions for Rust.
#include "../shapes.h"
#include "mlir-c/IR.h"
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/CAPI/IR.h"
#include "mlir/CAPI/Registration.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/TypeSwitch.h"

// The enums stand before the ops and attributes that have them.
#include "TfheDialect.h.inc"
#include "TfheEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "TfheAttributes.h.inc"
#define GET_TYPEDEF_CLASSES
#include "TfheTypes.h.inc"
#define GET_OP_CLASSES
#include "TfheOps.h.inc"

using namespace mlir;
using namespace cml;

/// `big`, or `small` and the number of a key set.
static ParseResult parseKey(AsmParser &parser, std::optional<int64_t> &set) {
  if (succeeded(parser.parseOptionalKeyword("big")))
    return success();
  return failure(failed(parser.parseKeyword("small", ", or `big`")) || failed(parser.parseInteger(set.emplace())));
}

static void printKey(AsmPrinter &printer, std::optional<int64_t> set) {
  if (set)
    printer << "small " << *set;
  else
    printer << "big";
}

#include "TfheDialect.cpp.inc"
#include "TfheEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "TfheAttributes.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "TfheTypes.cpp.inc"
#define GET_OP_CLASSES
#include "TfheOps.cpp.inc"

void tfhe::TfheDialect::initialize() {
  addAttributes<ParametersAttr>();
  addTypes<LweType>();
  addOperations<
#define GET_OP_LIST
#include "TfheOps.cpp.inc"
      >();
}

static tfhe::LweType lwe(Value value) {
  return cast<tfhe::LweType>(cast<RankedTensorType>(value.getType()).getElementType());
}

LogicalResult tfhe::TfheDialect::verifyOperationAttribute(Operation *op, NamedAttribute attribute) {
  auto sets = dyn_cast<ArrayAttr>(attribute.getValue());
  if (attribute.getName() != "tfhe.parameters" || !isa<ModuleOp>(op) || !sets || sets.empty() ||
      !llvm::all_of(sets, llvm::IsaPred<ParametersAttr>))
    return op->emitOpError() << "attribute " << attribute.getName()
                             << " must be `tfhe.parameters` on a module, of the form [#tfhe.parameters<...>, ...]";
  auto first = cast<ParametersAttr>(sets[0]);
  for (ParametersAttr set : sets.getAsRange<ParametersAttr>())
    if (set.getGlweDimension() * set.getPolynomialSize() != first.getGlweDimension() * first.getPolynomialSize() ||
        set.getGlweStdDev() != first.getGlweStdDev())
      return op->emitOpError() << "key sets must share the big key: its dimension k * N and its noise";
  WalkResult found = op->walk([&](KeyswitchOp keyswitch) {
    auto set = lwe(keyswitch.getResult()).getSet();
    if (!set || *set < int64_t(sets.size()))
      return WalkResult::advance();
    keyswitch.emitOpError() << "leads to set " << *set << " of " << sets.size();
    return WalkResult::interrupt();
  });
  return failure(found.wasInterrupted());
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

LogicalResult tfhe::LweType::verify(function_ref<InFlightDiagnostic()> emitError, std::optional<int64_t> set,
                                    int64_t spacing) {
  if (set && (*set < 0 || *set > INT32_MAX))
    return emitError() << "a key set has a number from 0 to 2^31 - 1, found " << *set;
  if (spacing <= 0)
    return emitError() << "spacing must be positive, found " << spacing;
  return success();
}

static LogicalResult expectBig(Operation *op, Value value, StringRef what) {
  return lwe(value).getSet() ? op->emitOpError() << what << " must be under the big key" : LogicalResult(success());
}

/// Inputs and result of a linear op: under the big key, each spacing a divisor of the result's.
static LogicalResult expectLinear(Operation *op, ValueRange inputs, Value result) {
  if (inputs.empty())
    return op->emitOpError() << "needs an input";
  if (failed(expectBig(op, result, "result")))
    return failure();
  for (Value input : inputs) {
    if (failed(expectBig(op, input, "input")))
      return failure();
    if (lwe(result).getSpacing() % lwe(input).getSpacing() != 0)
      return op->emitOpError() << "result spacing " << lwe(result).getSpacing() << " is no multiple of input spacing "
                               << lwe(input).getSpacing();
  }
  return success();
}

LogicalResult tfhe::LinearOp::verify() {
  auto weights = cast<ShapedType>(getWeights().getType());
  int64_t columns = 0, rows = shapeOf(getResult())[0];
  if (failed(expectLinear(*this, getInputs(), getResult())))
    return failure();
  for (auto input : getInputs())
    columns += shapeOf(input)[0];
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

LogicalResult tfhe::CombineOp::verify() {
  if (failed(expectLinear(*this, getInputs(), getResult())))
    return failure();
  for (auto input : getInputs())
    if (shapeOf(input) != shapeOf(getResult()))
      return emitOpError() << "inputs and result must have one length";
  if (getWeights().size() != getInputs().size() || int64_t(getBias().size()) != shapeOf(getResult())[0])
    return emitOpError() << "needs a weight for each input and a bias for each element";
  return success();
}

LogicalResult tfhe::KeyswitchOp::verify() {
  if (failed(expectBig(*this, getInput(), "input")) || failed(expectShape(*this, Shape(shapeOf(getInput())))))
    return failure();
  if (!lwe(getResult()).getSet() || lwe(getResult()).getSpacing() != lwe(getInput()).getSpacing())
    return emitOpError() << "result must be under a small key, at the spacing of the input";
  return success();
}

/// Entries half the torus apart, to within less than a slot, must add up to the center: a reading cannot tell them apart. Where
/// the torus is a whole number of slots but for a rounded spacing, the next entry is a whole slot away.
static LogicalResult expectNegacyclic(tfhe::BootstrapOp op, size_t index, ArrayRef<int64_t> table, int64_t center) {
  uint64_t spacing = lwe(op.getInput()).getSpacing(), half = uint64_t(1) << 63, slots = half / spacing;
  if (table.size() * __int128(spacing) > __int128(half) * 2)
    return op.emitOpError() << "table " << index << " has " << table.size() << " entries, more than the torus has room for";
  uint64_t rest = half % spacing, close = spacing - (spacing >> 32);
  for (auto [apart, distance] : {std::pair(slots, rest), std::pair(slots + 1, spacing - rest)})
    for (uint64_t at = 0; distance < close && at + apart < table.size(); ++at)
      if (__int128(table[at]) + table[at + apart] != center)
        return op.emitOpError() << "table " << index << " has " << table.size() << " entries, half the torus has room for "
                                << slots << ": entries " << at << " and " << at + apart << " must add up to " << center;
  return success();
}

LogicalResult tfhe::BootstrapOp::verify() {
  if (!lwe(getInput()).getSet())
    return emitOpError() << "input must be under a small key";
  if (failed(expectBig(*this, getResult(), "result")) || failed(expectShape(*this, Shape(shapeOf(getInput())))))
    return failure();
  if (getTables().size() != getFirsts().size() || int64_t(getTableOf().size()) != shapeOf(getInput())[0])
    return emitOpError() << "needs a first value for each table and a table for each element";
  if (getCenters() && getCenters()->size() != getTables().size())
    return emitOpError() << "needs a center for each table, or none";
  if (int64_t(getExtension()) < -1 || int64_t(getExtension()) > 12)
    return emitOpError() << "extension must be -1 to 12, found " << int64_t(getExtension());
  if (getTolerance() > INT32_MAX || getLookup() > INT32_MAX)
    return emitOpError() << "tolerance and lookup must be 0 to 2^31 - 1";
  for (int64_t index : getTableOf())
    if (index < 0 || index >= int64_t(getTables().size()))
      return emitOpError() << "table " << index << " does not exist";
  for (auto [index, table] : llvm::enumerate(getTables().getAsRange<DenseI64ArrayAttr>())) {
    int64_t last;
    if (table.empty() || llvm::AddOverflow(getFirsts()[index], table.size() - 1, last))
      return emitOpError() << "table " << index << " is empty, or covers more than 64-bit integers";
    if (failed(expectNegacyclic(*this, index, table, getCenters() ? (*getCenters())[index] : 0)))
      return failure();
  }
  return success();
}

LogicalResult tfhe::CompareOp::verify() {
  if (!lwe(getInput()).getSet())
    return emitOpError() << "input must be under a small key";
  if (failed(expectBig(*this, getResult(), "result")))
    return failure();
  size_t elements = shapeOf(getInput())[0], results = 0;
  if (getThresholds().size() != elements || getLows().size() != elements || getHighs().size() != elements)
    return emitOpError() << "needs thresholds and a range for each element";
  if (getExtension() > 12) // unsigned: a negative one is large
    return emitOpError() << "extension must be 0 to 12, found " << int64_t(getExtension());
  if (getLookup() > INT32_MAX || getTables() > INT32_MAX)
    return emitOpError() << "lookup and tables must be 0 to 2^31 - 1";
  __int128 spacing = lwe(getInput()).getSpacing(), half = __int128(1) << 63;
  for (auto [index, attribute] : llvm::enumerate(getThresholds().getAsRange<DenseI64ArrayAttr>())) {
    ArrayRef<int64_t> thresholds = attribute;
    __int128 low = getLows()[index], high = getHighs()[index];
    if (thresholds.empty() || thresholds.front() <= low || thresholds.back() > high ||
        !std::is_sorted(thresholds.begin(), thresholds.end(), std::less_equal<>()))
      return emitOpError() << "thresholds of element " << index << " must increase, from above its low to its high";
    if ((thresholds.back() - low) * spacing > half || (high - thresholds.front() + 1) * spacing > half)
      return emitOpError() << "element " << index << " lies further than half the torus from a threshold";
    results += thresholds.size();
  }
  return expectShape(*this, Shape{int64_t(results)});
}

extern "C" {
MLIR_DECLARE_CAPI_DIALECT_REGISTRATION(Tfhe, tfhe);
}
MLIR_DEFINE_CAPI_DIALECT_REGISTRATION(Tfhe, tfhe, cml::tfhe::TfheDialect)

extern "C" {
/// Under the small key of `set`, or under the big one if it is negative. Null, with a diagnostic at `location`, if `verify`
/// refuses.
MlirType cmlLweType(MlirLocation location, int64_t set, int64_t spacing) {
  Location place = unwrap(location);
  auto small = set < 0 ? std::nullopt : std::optional<int64_t>(set);
  return wrap(tfhe::LweType::getChecked([&] { return emitError(place); }, place.getContext(), small, spacing));
}

bool cmlLweParts(MlirType type, int64_t *set, int64_t *spacing) {
  auto lwe = dyn_cast<tfhe::LweType>(unwrap(type));
  if (lwe)
    *set = lwe.getSet().value_or(-1), *spacing = lwe.getSpacing();
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
