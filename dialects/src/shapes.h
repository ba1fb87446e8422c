// Shapes that several levels compute with: inferred in one place, so that every verifier means the same.
#ifndef CML_DIALECTS_SHAPES_H
#define CML_DIALECTS_SHAPES_H

#include "mlir/Dialect/Traits.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/OpDefinition.h"
#include "llvm/Support/MathExtras.h"

namespace cml {
using Shape = llvm::SmallVector<int64_t>;
using Extents = llvm::ArrayRef<int64_t>;
using Emit = llvm::function_ref<mlir::InFlightDiagnostic()>;

/// Limits of one tensor: far above any network, low enough that no count overflows and no verifier exhausts memory.
constexpr int64_t maxElements = int64_t(1) << 28, maxWeights = int64_t(1) << 26, maxCiphertexts = int64_t(1) << 22;

/// Whether a type of static shape has at most `limit` elements; an extent of 0 excuses no large one beside it.
inline bool hasAtMost(mlir::Type type, int64_t limit) {
  int64_t count = 1;
  for (int64_t extent : llvm::cast<mlir::ShapedType>(type).getShape())
    if (extent != 0 && (llvm::MulOverflow(count, extent, count) || count > limit))
      return false;
  return true;
}

inline Extents shapeOf(mlir::Value value) { return llvm::cast<mlir::RankedTensorType>(value.getType()).getShape(); }

/// The shape of a matrix product by numpy's rules.
inline mlir::FailureOr<Shape> productShape(Emit emit, Extents lhs, Extents rhs) {
  if (lhs.empty() || rhs.empty())
    return emit() << "needs operands of rank 1 or more";
  int64_t inner = rhs.size() == 1 ? rhs[0] : rhs[rhs.size() - 2];
  if (lhs.back() != inner)
    return emit() << "inner extents differ: " << lhs.back() << " and " << inner;
  Shape result;
  auto batch = [](Extents shape) { return shape.size() > 2 ? shape.drop_back(2) : Extents(); };
  if (!mlir::OpTrait::util::getBroadcastedShape(batch(lhs), batch(rhs), result))
    return emit() << "leading extents do not broadcast";
  if (lhs.size() > 1)
    result.push_back(lhs[lhs.size() - 2]);
  if (rhs.size() > 1)
    result.push_back(rhs.back());
  return result;
}

inline mlir::FailureOr<Shape> transposedShape(Emit emit, Extents input, Extents permutation) {
  Shape result;
  for (int64_t axis : permutation)
    if (axis >= 0 && axis < int64_t(input.size()) && llvm::count(permutation, axis) == 1)
      result.push_back(input[axis]);
  if (result.size() != input.size() || permutation.size() != input.size())
    return emit() << "needs a permutation of " << input.size() << " axes";
  return result;
}

inline mlir::FailureOr<Shape> concatenatedShape(Emit emit, mlir::ValueRange inputs, int64_t axis) {
  if (inputs.empty())
    return emit() << "needs an input";
  Shape result(shapeOf(inputs[0]));
  if (axis < 0 || axis >= int64_t(result.size()))
    return emit() << "axis " << axis << " is outside of rank " << result.size();
  for (mlir::Value input : inputs.drop_front()) {
    Shape other(shapeOf(input));
    if (other.size() != result.size())
      return emit() << "inputs differ in rank";
    int64_t extent = other[axis];
    other[axis] = result[axis];
    if (other != result)
      return emit() << "inputs differ in an axis other than " << axis;
    result[axis] += extent;
  }
  return result;
}

inline mlir::FailureOr<Shape> summedShape(Emit emit, Extents input, Extents axes) {
  Shape result(input);
  int64_t last = -1;
  for (int64_t axis : axes) {
    if (axis <= last || axis >= int64_t(input.size()))
      return emit() << "needs ascending axes of rank " << input.size() << ", found " << axis;
    result[last = axis] = 1;
  }
  return result;
}

/// Compares the shape of the only result with an inferred one.
inline llvm::LogicalResult expectShape(mlir::Operation *op, const mlir::FailureOr<Shape> &expected) {
  if (failed(expected) || shapeOf(op->getResult(0)) == Extents(*expected))
    return mlir::success(succeeded(expected));
  auto error = op->emitOpError() << "result has shape [";
  llvm::interleaveComma(shapeOf(op->getResult(0)), error);
  error << "], expected [";
  llvm::interleaveComma(*expected, error);
  return error << "]";
}

/// For each element of a result, row-major: the operand, and the element of it, that moves there.
using Sources = llvm::SmallVector<std::pair<unsigned, int64_t>>;

inline Sources reshapeSources(mlir::Value input) {
  Sources sources;
  int64_t count = llvm::cast<mlir::ShapedType>(input.getType()).getNumElements();
  for (int64_t index = 0; index < count; ++index)
    sources.push_back({0, index});
  return sources;
}

inline Sources transposeSources(mlir::Value input, Extents permutation) {
  Extents shape = shapeOf(input);
  Shape strides(shape.size(), 1);
  for (int64_t axis = int64_t(shape.size()) - 2; axis >= 0; --axis)
    strides[axis] = strides[axis + 1] * shape[axis + 1];
  Sources sources = reshapeSources(input);
  for (auto [index, source] : llvm::enumerate(sources)) {
    int64_t rest = index, element = 0;
    for (int64_t axis : llvm::reverse(permutation))
      element += rest % shape[axis] * strides[axis], rest /= shape[axis];
    source.second = element;
  }
  return sources;
}

inline Sources concatSources(mlir::ValueRange inputs, int64_t axis) {
  Sources sources;
  auto product = [](Extents extents) { return mlir::ShapedType::getNumElements(extents); };
  for (int64_t outer = 0, count = product(shapeOf(inputs[0]).take_front(axis)); outer < count; ++outer)
    for (auto [operand, input] : llvm::enumerate(inputs))
      for (int64_t chunk = product(shapeOf(input).drop_front(axis)), at = 0; at < chunk; ++at)
        sources.push_back({unsigned(operand), outer * chunk + at});
  return sources;
}

/// Whether an op states ranges of its elements: it is more than what it computes, and does not fold away.
inline bool statesRanges(mlir::Operation *op) { return op->hasAttr("lows") || op->hasAttr("highs"); }

/// reshape(x) = x under its own shape; reshape(reshape(x)) = reshape(x).
template <typename Op> mlir::OpFoldResult foldReshape(Op op) {
  if (op.getInput().getType() == op.getType() && !statesRanges(op))
    return op.getInput();
  auto inner = op.getInput().template getDefiningOp<Op>();
  if (!inner || inner == op || statesRanges(inner))
    return nullptr;
  op->setOperand(0, inner.getInput());
  return op.getResult();
}

/// transpose(x) = x for the identity; transpose(transpose(x, q), p) = transpose(x, q[p]).
template <typename Op> mlir::OpFoldResult foldTranspose(Op op) {
  if (op.getInput().getType() == op.getType() && llvm::is_sorted(op.getPermutation()) && !statesRanges(op))
    return op.getInput();
  auto inner = op.getInput().template getDefiningOp<Op>();
  if (!inner || inner == op || statesRanges(inner))
    return nullptr;
  Shape permutation;
  for (int64_t axis : op.getPermutation())
    permutation.push_back(inner.getPermutation()[axis]);
  op.setPermutation(permutation);
  op->setOperand(0, inner.getInput());
  return op.getResult();
}

/// concat(x) = x.
template <typename Op> mlir::OpFoldResult foldConcat(Op op) {
  bool one = op->getNumOperands() == 1 && op->getOperand(0).getType() == op.getType() && !statesRanges(op);
  return one ? mlir::OpFoldResult(op->getOperand(0)) : nullptr;
}
} // namespace cml

#endif
