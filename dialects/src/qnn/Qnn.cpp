// The dialect `qnn`: verifiers, and checked construction of `quant` types (MLIR's C API does not verify them).
#include "../quantizers.h"
#include "../shapes.h"
#include "mlir-c/IR.h"
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/CAPI/IR.h"
#include "mlir/CAPI/Registration.h"
#include "mlir/Dialect/Quant/IR/Quant.h"
#include "mlir/Dialect/Quant/IR/QuantTypes.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "QnnDialect.h.inc"
#define GET_OP_CLASSES
#include "QnnOps.h.inc"

using namespace mlir;
using namespace cml;

#include "QnnDialect.cpp.inc"
#define GET_OP_CLASSES
#include "QnnOps.cpp.inc"

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
static QuantizedType quantized(Value value) { return cast<QuantizedType>(tensor(value).getElementType()); }

/// Scale and zero point of the channel `index` of a quantized type.
static std::pair<double, int64_t> channel(QuantizedType type, int64_t index) {
  if (auto axes = dyn_cast<UniformQuantizedPerAxisType>(type))
    return {axes.getScales()[index], axes.getZeroPoints()[index]};
  auto uniform = cast<UniformQuantizedType>(type);
  return {uniform.getScale(), uniform.getZeroPoint()};
}

/// What `quant` itself leaves unchecked: scales that are no numbers, zero points in range, as many scales as the axis has indices.
static LogicalResult verifyQuantized(Operation *op, QuantizedType element, Extents shape) {
  auto axes = dyn_cast<UniformQuantizedPerAxisType>(element);
  int64_t axis = axes ? axes.getQuantizedDimension() : 0, count = axes ? axes.getScales().size() : 1;
  if (axes && (axis < 0 || axis >= int64_t(shape.size()) || shape[axis] != count))
    return op->emitOpError() << "has " << count << " scales, which axis " << axis << " does not have";
  for (int64_t index = 0; index < count; ++index) {
    auto [scale, zero] = channel(element, index);
    if (!(scale > 0)) // which a NaN is not
      return op->emitOpError() << "needs positive scales, found " << scale;
    if (zero < element.getStorageTypeMin() || zero > element.getStorageTypeMax())
      return op->emitOpError() << "zero point " << zero << " is outside of " << element.getStorageTypeMin() << " to "
                               << element.getStorageTypeMax();
  }
  return success();
}

static LogicalResult verifyQuantized(Operation *op, Value value) {
  return verifyQuantized(op, quantized(value), shapeOf(value));
}

static size_t scaleCount(QuantizedType type) {
  auto axes = dyn_cast<UniformQuantizedPerAxisType>(type);
  return axes ? axes.getScales().size() : 1;
}

LogicalResult qnn::QuantizeOp::verify() {
  if (failed(verifyQuantized(*this, getResult())))
    return failure();
  return verifyRounding(*this, scaleCount(quantized(getResult())), getDivisors(), getShifts(), getRounding());
}

LogicalResult qnn::DequantizeOp::verify() {
  if (failed(verifyQuantized(*this, getInput())))
    return failure();
  return verifyReals(*this, "offsets", scaleCount(quantized(getInput())), getOffsets());
}

LogicalResult qnn::DequantizeOp::inferReturnTypes(MLIRContext *context, std::optional<Location>, Adaptor adaptor,
                                                  SmallVectorImpl<Type> &types) {
  types.push_back(RankedTensorType::get(shapeOf(adaptor.getInput()), Float32Type::get(context)));
  return success();
}

/// The accumulator's scales must be the products of those of input and weights, its zero points 0.
static LogicalResult verifyAccumulator(qnn::MatmulOp op, QuantizedType weights, int64_t columns) {
  QuantizedType input = quantized(op.getInput()), result = quantized(op.getResult());
  auto axes = dyn_cast<UniformQuantizedPerAxisType>(result);
  if (axes && axes.getQuantizedDimension() != tensor(op.getResult()).getRank() - 1)
    return op->emitOpError() << "needs accumulator scales along the last axis, found axis " << axes.getQuantizedDimension();
  for (int64_t column = 0; column < columns; ++column) {
    auto [scale, zero] = channel(result, column);
    double product = channel(input, 0).first * channel(weights, column).first;
    if (zero != 0 || channel(weights, column).second != 0)
      return op->emitOpError() << "needs weights and an accumulator of zero point 0";
    if (!(std::abs(scale - product) <= 1e-6 * product))
      return op->emitOpError() << "accumulator scale of column " << column << " is " << scale << ", the product is "
                               << product;
  }
  return success();
}

static LogicalResult verifyPair(Operation *op, std::optional<Extents> lows, std::optional<Extents> highs, int64_t count) {
  if (lows.has_value() == highs.has_value() &&
      (!lows || (int64_t(lows->size()) == count && int64_t(highs->size()) == count)))
    return success();
  return op->emitOpError() << "needs one low and one high for each of " << count << " elements";
}

LogicalResult qnn::MatmulOp::verify() {
  auto input = tensor(getInput()), result = tensor(getResult());
  auto weights = cast<ShapedType>(getWeights().getType());
  if (failed(verifyQuantized(*this, getInput())) || failed(verifyQuantized(*this, getResult())))
    return failure();
  if (!isa<UniformQuantizedType>(input.getElementType()))
    return emitOpError() << "needs one scale for the whole input: a scale per channel does not factor out of a sum";
  if (weights.getRank() != 2 || input.getRank() < 1 || input.getRank() != result.getRank() ||
      input.getShape().back() != weights.getDimSize(0) || result.getShape().back() != weights.getDimSize(1) ||
      input.getShape().drop_back() != result.getShape().drop_back() || !hasAtMost(weights, maxWeights))
    return emitOpError() << "shapes do not fit: " << input << " times " << weights << " gives " << result;
  auto type = dyn_cast<QuantizedType>(getWeightType());
  if (!type || !isa<UniformQuantizedType, UniformQuantizedPerAxisType>(type))
    return emitOpError() << "needs a quant.uniform weight type, found " << getWeightType();
  auto axes = dyn_cast<UniformQuantizedPerAxisType>(type);
  if (axes && axes.getQuantizedDimension() != 1)
    return emitOpError() << "needs weight scales along axis 1, found axis " << axes.getQuantizedDimension();
  if (failed(verifyQuantized(*this, type, weights.getShape())) || failed(verifyAccumulator(*this, type, weights.getDimSize(1))))
    return failure();
  for (int64_t weight : getWeights().getValues<int64_t>())
    if (weight < type.getStorageTypeMin() || weight > type.getStorageTypeMax())
      return emitOpError() << "weight " << weight << " is outside of " << type.getStorageTypeMin() << " to "
                           << type.getStorageTypeMax();
  if (failed(verifyPair(*this, getMeasuredLows(), getMeasuredHighs(), result.getNumElements())))
    return failure();
  return verifyPair(*this, getLows(), getHighs(), result.getNumElements());
}

LogicalResult qnn::LookupOp::verify() {
  if (failed(verifyQuantized(*this, getInput())) || failed(verifyQuantized(*this, getResult())))
    return failure();
  int64_t count = tensor(getInput()).getNumElements();
  if (getTables().size() != getFirsts().size() || int64_t(getTableOf().size()) != count)
    return emitOpError() << "needs a first value for each table and a table for each of " << count << " elements";
  for (auto [index, table] : llvm::enumerate(getTables().getAsRange<DenseI64ArrayAttr>())) {
    int64_t last;
    if (table.empty() || llvm::AddOverflow(getFirsts()[index], table.size() - 1, last))
      return emitOpError() << "table " << index << " is empty, or covers more than 64-bit integers";
    for (int64_t entry : table.asArrayRef())
      if (entry < quantized(getResult()).getStorageTypeMin() || entry > quantized(getResult()).getStorageTypeMax())
        return emitOpError() << "table " << index << " has an entry " << entry << ", which the result does not store";
  }
  for (int64_t index : getTableOf())
    if (index < 0 || index >= int64_t(getTables().size()))
      return emitOpError() << "table " << index << " does not exist";
  return success();
}

/// Every element must keep its quantizer.
static LogicalResult verifyMoved(Operation *op, const Sources &sources) {
  auto number = [](Value value, int64_t element) -> int64_t {
    auto axes = dyn_cast<UniformQuantizedPerAxisType>(quantized(value));
    if (!axes)
      return 0;
    Extents shape = shapeOf(value);
    int64_t axis = axes.getQuantizedDimension(), inner = ShapedType::getNumElements(shape.drop_front(axis + 1));
    return element / inner % shape[axis];
  };
  Value result = op->getResult(0);
  if (failed(verifyQuantized(op, result)))
    return failure();
  for (Value input : op->getOperands()) {
    QuantizedType from = quantized(input), to = quantized(result);
    if (failed(verifyQuantized(op, input)))
      return failure();
    if (from.getStorageTypeMin() != to.getStorageTypeMin() || from.getStorageTypeMax() != to.getStorageTypeMax())
      return op->emitOpError() << "changes the stored range";
  }
  for (auto [index, source] : llvm::enumerate(sources)) {
    Value input = op->getOperand(source.first);
    if (channel(quantized(input), number(input, source.second)) != channel(quantized(result), number(result, index)))
      return op->emitOpError() << "changes scale or zero point of element " << index;
  }
  return success();
}

LogicalResult qnn::ReshapeOp::verify() {
  if (tensor(getInput()).getNumElements() != tensor(getResult()).getNumElements())
    return emitOpError() << "changes the number of elements";
  return verifyMoved(*this, reshapeSources(getInput()));
}

LogicalResult qnn::TransposeOp::verify() {
  auto shape = transposedShape([&] { return emitOpError(); }, shapeOf(getInput()), getPermutation());
  return failed(expectShape(*this, shape)) ? failure()
                                           : verifyMoved(*this, transposeSources(getInput(), getPermutation()));
}

LogicalResult qnn::ConcatOp::verify() {
  auto shape = concatenatedShape([&] { return emitOpError(); }, getInputs(), getAxis());
  return failed(expectShape(*this, shape)) ? failure() : verifyMoved(*this, concatSources(getInputs(), getAxis()));
}

OpFoldResult qnn::ReshapeOp::fold(FoldAdaptor) { return foldReshape(*this); }
OpFoldResult qnn::TransposeOp::fold(FoldAdaptor) { return foldTranspose(*this); }
OpFoldResult qnn::ConcatOp::fold(FoldAdaptor) { return foldConcat(*this); }

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
  if (std::any_of(scales, scales + count, [](double scale) { return std::isnan(scale); }))
    return emit() << "a scale is not a number", wrap(Type());
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
