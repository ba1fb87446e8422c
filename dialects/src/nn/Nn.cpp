// The dialect `nn`: what TableGen cannot say (verifiers, folders).
// One .cpp for each dialect: the generated code has file-static functions of the same names.
#include "mlir-c/IR.h"
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/CAPI/Registration.h"
#include "mlir/Dialect/Traits.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "NnDialect.h.inc"
#define GET_OP_CLASSES
#include "NnOps.h.inc"

#include "NnDialect.cpp.inc"
#define GET_OP_CLASSES
#include "NnOps.cpp.inc"

using namespace mlir;
using namespace cml;

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

/// "tensor<AxBxf32>" as an array of extents.
static ArrayRef<int64_t> shape(Value value) { return cast<RankedTensorType>(value.getType()).getShape(); }

static LogicalResult expectShape(Operation *op, ArrayRef<int64_t> expected) {
  auto found = shape(op->getResult(0));
  if (found == expected)
    return success();
  auto error = op->emitOpError() << "result has shape [";
  llvm::interleaveComma(found, error);
  error << "], expected [";
  llvm::interleaveComma(expected, error);
  return error << "]";
}

LogicalResult nn::MatmulOp::verify() {
  auto lhs = shape(getLhs()), rhs = shape(getRhs());
  if (lhs.empty() || rhs.empty())
    return emitOpError() << "needs operands of rank 1 or more";
  int64_t inner = rhs.size() == 1 ? rhs[0] : rhs[rhs.size() - 2];
  if (lhs.back() != inner)
    return emitOpError() << "inner extents differ: " << lhs.back() << " and " << inner;
  return lhs.size() == 2 && rhs.size() == 2 ? expectShape(*this, {lhs[0], rhs[1]}) : success();
}

LogicalResult nn::GemmOp::verify() {
  auto a = shape(getA()), b = shape(getB());
  if (a.size() != 2 || b.size() != 2)
    return emitOpError() << "needs matrices, found rank " << a.size() << " and " << b.size();
  int64_t inner = a[!getTransposeA()], other = b[getTransposeB()];
  if (inner != other)
    return emitOpError() << "inner extents differ: " << inner << " and " << other;
  return expectShape(*this, {a[getTransposeA()], b[!getTransposeB()]});
}

LogicalResult nn::ReshapeOp::verify() {
  if (cast<ShapedType>(getInput().getType()).getNumElements() != cast<ShapedType>(getType()).getNumElements())
    return emitOpError() << "changes the number of elements";
  return success();
}

LogicalResult nn::TransposeOp::verify() {
  auto input = shape(getInput());
  SmallVector<int64_t> expected;
  for (int64_t axis : getPermutation()) {
    if (axis < 0 || axis >= int64_t(input.size()) || llvm::count(getPermutation(), axis) != 1)
      return emitOpError() << "needs a permutation of " << input.size() << " axes";
    expected.push_back(input[axis]);
  }
  if (expected.size() != input.size())
    return emitOpError() << "needs a permutation of " << input.size() << " axes";
  return expectShape(*this, expected);
}

LogicalResult nn::ConcatOp::verify() {
  if (getInputs().empty())
    return emitOpError() << "needs an input";
  int64_t axis = getAxis();
  SmallVector<int64_t> expected(shape(getInputs()[0]));
  if (axis < 0 || axis >= int64_t(expected.size()))
    return emitOpError() << "axis " << axis << " is outside of rank " << expected.size();
  for (auto input : getInputs().drop_front()) {
    if (shape(input).size() != expected.size())
      return emitOpError() << "inputs differ in rank";
    expected[axis] += shape(input)[axis];
  }
  return expectShape(*this, expected);
}

LogicalResult nn::FakeQuantizeOp::verify() {
  auto input = shape(getInput());
  size_t count = getScales().size(), axis = getAxis();
  if (getZeroPoints().size() != count || count == 0)
    return emitOpError() << "has " << count << " scales and " << getZeroPoints().size() << " zero points";
  if (count > 1 && (axis >= input.size() || input[axis] != int64_t(count)))
    return emitOpError() << "has " << count << " scales, which axis " << axis << " does not have";
  for (double scale : getScales())
    if (!(scale > 0) || !std::isfinite(scale))
      return emitOpError() << "needs positive finite scales, found " << scale;
  if (getLo() >= getHi())
    return emitOpError() << "range " << getLo() << " to " << getHi() << " is empty";
  return success();
}

OpFoldResult nn::ConstantOp::fold(FoldAdaptor) { return getValue(); }

OpFoldResult nn::NegOp::fold(FoldAdaptor) {
  auto inner = getInput().getDefiningOp<NegOp>();
  return inner ? OpFoldResult(inner.getInput()) : nullptr;
}

OpFoldResult nn::ReluOp::fold(FoldAdaptor) {
  return getInput().getDefiningOp<ReluOp>() ? OpFoldResult(getInput()) : nullptr;
}

OpFoldResult nn::ReshapeOp::fold(FoldAdaptor) {
  return getInput().getType() == getType() ? OpFoldResult(getInput()) : nullptr;
}

OpFoldResult nn::CastOp::fold(FoldAdaptor) {
  return getInput().getType() == getType() ? OpFoldResult(getInput()) : nullptr;
}

extern "C" {
MLIR_DECLARE_CAPI_DIALECT_REGISTRATION(Nn, nn);
}
MLIR_DEFINE_CAPI_DIALECT_REGISTRATION(Nn, nn, cml::nn::NnDialect)
