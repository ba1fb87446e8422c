// The dialect `qnn`: verifiers, and checked construction of `quant` types (MLIR's C API does not verify them).
#include "mlir-c/IR.h"
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/CAPI/IR.h"
#include "mlir/CAPI/Registration.h"
#include "mlir/Dialect/Quant/IR/Quant.h"
#include "mlir/Dialect/Quant/IR/QuantTypes.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "QnnDialect.h.inc"
#define GET_OP_CLASSES
#include "QnnOps.h.inc"

#include "QnnDialect.cpp.inc"
#define GET_OP_CLASSES
#include "QnnOps.cpp.inc"

using namespace mlir;
using namespace cml;
using quant::QuantizedType;
using quant::UniformQuantizedPerAxisType;
using quant::UniformQuantizedType;

void qnn::QnnDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "QnnOps.cpp.inc"
      >();
}

static RankedTensorType tensor(Value value) { return cast<RankedTensorType>(value.getType()); }

/// What `quant` itself leaves unchecked: zero points in range, as many scales as the axis has indices.
static LogicalResult verifyQuantized(Operation *op, RankedTensorType type) {
  auto element = dyn_cast<QuantizedType>(type.getElementType());
  if (!element)
    return op->emitOpError() << "needs a tensor of quantized elements, found " << type;
  auto inRange = [&](int64_t zero) {
    return zero >= element.getStorageTypeMin() && zero <= element.getStorageTypeMax();
  };
  if (auto uniform = dyn_cast<UniformQuantizedType>(element))
    return inRange(uniform.getZeroPoint()) ? success() : op->emitOpError() << "zero point is outside of the range";
  auto axes = dyn_cast<UniformQuantizedPerAxisType>(element);
  if (!axes)
    return op->emitOpError() << "needs uniform quantization, found " << element;
  int64_t axis = axes.getQuantizedDimension();
  if (axis >= type.getRank() || type.getDimSize(axis) != int64_t(axes.getScales().size()))
    return op->emitOpError() << "has " << axes.getScales().size() << " scales, which axis " << axis << " does not have";
  return llvm::all_of(axes.getZeroPoints(), inRange) ? success()
                                                     : op->emitOpError() << "zero point is outside of the range";
}

LogicalResult qnn::QuantizeOp::verify() {
  if (tensor(getInput()).getShape() != tensor(getResult()).getShape())
    return emitOpError() << "changes the shape";
  return verifyQuantized(*this, tensor(getResult()));
}

LogicalResult qnn::DequantizeOp::verify() {
  if (tensor(getInput()).getShape() != tensor(getResult()).getShape())
    return emitOpError() << "changes the shape";
  return verifyQuantized(*this, tensor(getInput()));
}

LogicalResult qnn::MatmulOp::verify() {
  auto input = tensor(getInput()), result = tensor(getResult());
  auto weights = cast<ShapedType>(getWeights().getType());
  if (failed(verifyQuantized(*this, input)) || failed(verifyQuantized(*this, result)))
    return failure();
  if (!isa<UniformQuantizedType>(input.getElementType()))
    return emitOpError() << "needs one scale for the whole input: a scale per channel does not factor out of a sum";
  if (weights.getRank() != 2 || input.getRank() < 1 || input.getShape().back() != weights.getDimSize(0) ||
      result.getShape().back() != weights.getDimSize(1))
    return emitOpError() << "shapes do not fit: " << input << " times " << weights << " gives " << result;
  auto type = dyn_cast<QuantizedType>(getWeightType());
  if (!type)
    return emitOpError() << "needs a quantized weight type, found " << getWeightType();
  for (int64_t weight : getWeights().getValues<int64_t>())
    if (weight < type.getStorageTypeMin() || weight > type.getStorageTypeMax())
      return emitOpError() << "weight " << weight << " is outside of " << type.getStorageTypeMin() << " to "
                           << type.getStorageTypeMax();
  auto lows = getLows(), highs = getHighs();
  if (lows.has_value() != highs.has_value() ||
      (lows && (int64_t(lows->size()) != result.getNumElements() || lows->size() != highs->size())))
    return emitOpError() << "needs one low and one high for each of " << result.getNumElements() << " elements";
  return success();
}

LogicalResult qnn::LookupOp::verify() {
  auto input = tensor(getInput());
  if (failed(verifyQuantized(*this, input)) || failed(verifyQuantized(*this, tensor(getResult()))))
    return failure();
  if (input.getShape() != tensor(getResult()).getShape())
    return emitOpError() << "changes the shape";
  if (getTables().size() != getFirsts().size() || int64_t(getTableOf().size()) != input.getNumElements())
    return emitOpError() << "needs a first value for each table and a table for each of " << input.getNumElements()
                         << " elements";
  for (int64_t index : getTableOf())
    if (index < 0 || index >= int64_t(getTables().size()))
      return emitOpError() << "table " << index << " does not exist";
  return success();
}

LogicalResult qnn::ReshapeOp::verify() {
  if (tensor(getInput()).getNumElements() != tensor(getResult()).getNumElements())
    return emitOpError() << "changes the number of elements";
  return success();
}

OpFoldResult qnn::ReshapeOp::fold(FoldAdaptor) {
  return getInput().getType() == getType() ? OpFoldResult(getInput()) : nullptr;
}

extern "C" {
MLIR_DECLARE_CAPI_DIALECT_REGISTRATION(Qnn, qnn);
}
MLIR_DEFINE_CAPI_DIALECT_REGISTRATION(Qnn, qnn, cml::qnn::QnnDialect)

extern "C" {
/// `!quant.uniform`, per tensor for one scale and per axis for more; null, with a diagnostic, if MLIR refuses it.
MlirType cmlQuantType(MlirLocation location, unsigned bits, bool isSigned, const double *scales, const int64_t *zeros,
                      intptr_t count, int32_t axis, int64_t lo, int64_t hi) {
  Location place = unwrap(location);
  auto emit = [&] { return emitError(place); };
  MLIRContext *context = place.getContext();
  Type storage = IntegerType::get(context, bits), expressed = Float32Type::get(context);
  unsigned flags = isSigned ? unsigned(quant::QuantizationFlags::Signed) : 0;
  if (count == 1)
    return wrap(UniformQuantizedType::getChecked(emit, flags, storage, expressed, scales[0], zeros[0], lo, hi));
  return wrap(UniformQuantizedPerAxisType::getChecked(emit, flags, storage, expressed, ArrayRef(scales, count),
                                                      ArrayRef(zeros, count), axis, lo, hi));
}

/// Scales and zero points, borrowed from the context; false for any other type.
bool cmlQuantTypeParts(MlirType type, const double **scales, const int64_t **zeros, intptr_t *count, int32_t *axis,
                       int64_t *lo, int64_t *hi, double *scale, int64_t *zero) {
  auto element = dyn_cast<QuantizedType>(unwrap(type));
  if (!element)
    return false;
  *lo = element.getStorageTypeMin(), *hi = element.getStorageTypeMax();
  if (auto uniform = dyn_cast<UniformQuantizedType>(element)) {
    *scale = uniform.getScale(), *zero = uniform.getZeroPoint();
    *scales = scale, *zeros = zero, *count = 1, *axis = 0;
    return true;
  }
  auto axes = dyn_cast<UniformQuantizedPerAxisType>(element);
  if (!axes)
    return false;
  *scales = axes.getScales().data(), *zeros = axes.getZeroPoints().data();
  *count = axes.getScales().size(), *axis = axes.getQuantizedDimension();
  return true;
}
}
