// The dialect `nn`: what TableGen cannot say (inference of types, verifiers, folders).
// One .cpp for each dialect: the generated code has file-static functions of the same names.
#include "../quantizers.h"
#include "../shapes.h"
#include "mlir-c/IR.h"
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/CAPI/Registration.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "NnDialect.h.inc"
#define GET_OP_CLASSES
#include "NnOps.h.inc"

using namespace mlir;
using namespace cml;

#include "NnDialect.cpp.inc"
#define GET_OP_CLASSES
#include "NnOps.cpp.inc"

void nn::NnDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "NnOps.cpp.inc"
      >();
}

Operation *nn::NnDialect::materializeConstant(OpBuilder &builder, Attribute value, Type type, Location place) {
  auto elements = dyn_cast<ElementsAttr>(value);
  return elements && elements.getType() == type ? ConstantOp::create(builder, place, elements).getOperation() : nullptr;
}

namespace {
/// What inference reports its errors with; silent without a location.
struct Report {
  std::optional<Location> place;
  StringRef name;
  InFlightDiagnostic operator()() const {
    return place ? std::move(emitError(*place) << "'" << name << "' op ") : InFlightDiagnostic();
  }
};
} // namespace

static LogicalResult infer(const FailureOr<Shape> &shape, Type element, SmallVectorImpl<Type> &types) {
  if (succeeded(shape))
    types.push_back(RankedTensorType::get(*shape, element));
  return success(succeeded(shape));
}

static Type elementOf(Value value) { return cast<ShapedType>(value.getType()).getElementType(); }

// Inference: the verifier of the interface compares its types with those of the op.

template <typename Adaptor>
static LogicalResult inferBroadcast(Report report, Adaptor adaptor, SmallVectorImpl<Type> &types) {
  Shape shape;
  if (!OpTrait::util::getBroadcastedShape(shapeOf(adaptor.getLhs()), shapeOf(adaptor.getRhs()), shape))
    return report() << "shapes do not broadcast";
  return infer(shape, elementOf(adaptor.getLhs()), types);
}

#define INFER(OP) \
  LogicalResult nn::OP::inferReturnTypes(MLIRContext *, std::optional<Location> place, Adaptor adaptor, \
                                         SmallVectorImpl<Type> &types)

INFER(AddOp) { return inferBroadcast({place, getOperationName()}, adaptor, types); }
INFER(SubOp) { return inferBroadcast({place, getOperationName()}, adaptor, types); }
INFER(MulOp) { return inferBroadcast({place, getOperationName()}, adaptor, types); }
INFER(DivOp) { return inferBroadcast({place, getOperationName()}, adaptor, types); }

INFER(MatmulOp) {
  Report report{place, getOperationName()};
  auto shape = productShape(report, shapeOf(adaptor.getLhs()), shapeOf(adaptor.getRhs()));
  return infer(shape, elementOf(adaptor.getLhs()), types);
}

INFER(GemmOp) {
  Report report{place, getOperationName()};
  Shape a(shapeOf(adaptor.getA())), b(shapeOf(adaptor.getB())), common;
  if (a.size() != 2 || b.size() != 2)
    return report() << "needs matrices, found rank " << a.size() << " and " << b.size();
  if (adaptor.getTransposeA())
    std::swap(a[0], a[1]);
  if (adaptor.getTransposeB())
    std::swap(b[0], b[1]);
  auto shape = productShape(report, a, b);
  if (succeeded(shape) && adaptor.getC() &&
      (!OpTrait::util::getBroadcastedShape(*shape, shapeOf(adaptor.getC()), common) || common != *shape))
    return report() << "the third operand does not broadcast to the result";
  return infer(shape, elementOf(adaptor.getA()), types);
}

INFER(TransposeOp) {
  Report report{place, getOperationName()};
  auto shape = transposedShape(report, shapeOf(adaptor.getInput()), adaptor.getPermutation());
  return infer(shape, elementOf(adaptor.getInput()), types);
}

INFER(ConcatOp) {
  Report report{place, getOperationName()};
  auto shape = concatenatedShape(report, adaptor.getInputs(), adaptor.getAxis());
  for (Value input : adaptor.getInputs())
    if (elementOf(input) != elementOf(adaptor.getInputs()[0]))
      return report() << "inputs differ in their elements";
  return failed(shape) ? failure() : infer(shape, elementOf(adaptor.getInputs()[0]), types);
}

INFER(ReduceSumOp) {
  Report report{place, getOperationName()};
  return infer(summedShape(report, shapeOf(adaptor.getInput()), adaptor.getAxes()), elementOf(adaptor.getInput()), types);
}

INFER(ArgMaxOp) {
  Shape shape(shapeOf(adaptor.getInput()));
  uint64_t axis = adaptor.getAxis();
  if (axis >= shape.size() || shape[axis] == 0)
    return Report{place, getOperationName()}() << "axis " << int64_t(axis) << " is outside of rank " << shape.size()
                                               << ", or has no elements";
  if (adaptor.getKeepDims())
    shape[axis] = 1;
  else
    shape.erase(shape.begin() + axis);
  return infer(shape, IntegerType::get(adaptor.getInput().getContext(), 64), types);
}

LogicalResult nn::ClipOp::verify() {
  for (auto bound : {getMin(), getMax()})
    if (bound && bound->isNaN())
      return emitOpError() << "has a bound that is not a number";
  return success();
}

LogicalResult nn::BatchNormalizationOp::verify() {
  auto input = shapeOf(getInput());
  if (input.size() < 2)
    return emitOpError() << "needs an input of rank 2 or more, found " << input.size();
  for (Value statistic : getOperands().drop_front())
    if (shapeOf(statistic) != ArrayRef(input[1]))
      return emitOpError() << "needs one scale, bias, mean and variance for each of " << input[1] << " channels";
  if (getEpsilon().isNaN() || getEpsilon().isNegative())
    return emitOpError() << "needs an epsilon of 0 or more";
  return success();
}

LogicalResult nn::ReshapeOp::verify() {
  auto input = cast<ShapedType>(getInput().getType()), result = cast<ShapedType>(getType());
  if (input.getNumElements() != result.getNumElements())
    return emitOpError() << "changes the number of elements";
  return input.getElementType() == result.getElementType() ? success() : emitOpError() << "changes the kind of elements";
}

LogicalResult nn::SoftmaxOp::verify() {
  if (uint64_t(getAxis()) < shapeOf(getInput()).size())
    return success();
  return emitOpError() << "axis " << int64_t(getAxis()) << " is outside of rank " << shapeOf(getInput()).size();
}

LogicalResult nn::FakeQuantizeOp::verify() {
  auto input = shapeOf(getInput());
  size_t count = getScales().size(), axis = getAxis();
  if (getZeroPoints().size() != count || count == 0)
    return emitOpError() << "has " << count << " scales and " << getZeroPoints().size() << " zero points";
  if (count > 1 && (axis >= input.size() || input[axis] != int64_t(count)))
    return emitOpError() << "has " << count << " scales, which axis " << int64_t(axis) << " does not have";
  if (failed(verifyPositive(*this, "scales", getScales())) || failed(verifyRounding(*this, count, getDivisors(), getShifts(), getRounding())) ||
      failed(verifyReals(*this, "offsets", count, getOffsets())))
    return failure();
  if (int64_t(getLo()) >= int64_t(getHi()))
    return emitOpError() << "range " << int64_t(getLo()) << " to " << int64_t(getHi()) << " is empty";
  return success();
}

// Folders.

OpFoldResult nn::ConstantOp::fold(FoldAdaptor) { return getValue(); }

/// `op(x, c) = x` where every element of c is `neutral`.
template <typename Op> static OpFoldResult foldNeutral(Op op, Attribute constant, int neutral) {
  auto splat = dyn_cast_or_null<SplatElementsAttr>(constant);
  if (!splat || op.getLhs().getType() != op.getType())
    return nullptr;
  bool is = isa<FloatType>(splat.getElementType()) ? splat.template getSplatValue<APFloat>().isExactlyValue(neutral) ||
                                                         (neutral == 0 && splat.template getSplatValue<APFloat>().isZero())
                                                   : splat.template getSplatValue<APInt>() == neutral;
  return is ? OpFoldResult(op.getLhs()) : nullptr;
}

OpFoldResult nn::AddOp::fold(FoldAdaptor adaptor) { return foldNeutral(*this, adaptor.getRhs(), 0); }
OpFoldResult nn::SubOp::fold(FoldAdaptor adaptor) { return foldNeutral(*this, adaptor.getRhs(), 0); }
OpFoldResult nn::MulOp::fold(FoldAdaptor adaptor) { return foldNeutral(*this, adaptor.getRhs(), 1); }
OpFoldResult nn::DivOp::fold(FoldAdaptor adaptor) { return foldNeutral(*this, adaptor.getRhs(), 1); }

OpFoldResult nn::NegOp::fold(FoldAdaptor) {
  auto inner = getInput().getDefiningOp<NegOp>();
  return inner ? OpFoldResult(inner.getInput()) : nullptr;
}

OpFoldResult nn::ReluOp::fold(FoldAdaptor) {
  return getInput().getDefiningOp<ReluOp>() ? OpFoldResult(getInput()) : nullptr;
}

OpFoldResult nn::ClipOp::fold(FoldAdaptor) { return getMin() || getMax() ? nullptr : OpFoldResult(getInput()); }

OpFoldResult nn::CastOp::fold(FoldAdaptor) {
  return getInput().getType() == getType() ? OpFoldResult(getInput()) : nullptr;
}

OpFoldResult nn::ReduceSumOp::fold(FoldAdaptor) { return getAxes().empty() ? OpFoldResult(getInput()) : nullptr; }
OpFoldResult nn::ReshapeOp::fold(FoldAdaptor) { return foldReshape(*this); }
OpFoldResult nn::TransposeOp::fold(FoldAdaptor) { return foldTranspose(*this); }
OpFoldResult nn::ConcatOp::fold(FoldAdaptor) { return foldConcat(*this); }

extern "C" {
MLIR_DECLARE_CAPI_DIALECT_REGISTRATION(Nn, nn);
}
MLIR_DEFINE_CAPI_DIALECT_REGISTRATION(Nn, nn, cml::nn::NnDialect)
