// The dialect `fhe`: verifiers that refuse overflow, folders, and C functions for Rust.
#include "../shapes.h"
#include "mlir-c/IR.h"
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/CAPI/IR.h"
#include "mlir/CAPI/Registration.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/TypeSwitch.h"

#include "FheDialect.h.inc"
#define GET_TYPEDEF_CLASSES
#include "FheTypes.h.inc"
#define GET_OP_CLASSES
#include "FheOps.h.inc"

#include "FheDialect.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "FheTypes.cpp.inc"
#define GET_OP_CLASSES
#include "FheOps.cpp.inc"

using namespace mlir;
using namespace cml;

void fhe::FheDialect::initialize() {
  addTypes<EintType>();
  addOperations<
#define GET_OP_LIST
#include "FheOps.cpp.inc"
      >();
}

Operation *fhe::FheDialect::materializeConstant(OpBuilder &builder, Attribute value, Type type, Location place) {
  auto elements = dyn_cast<DenseIntElementsAttr>(value);
  return elements ? ConstantOp::create(builder, place, type, elements).getOperation() : nullptr;
}

LogicalResult fhe::EintType::verify(function_ref<InFlightDiagnostic()> emitError, int64_t lo, int64_t hi) {
  // The limit keeps the verifiers' arithmetic below from overflowing.
  constexpr int64_t limit = int64_t(1) << 40;
  if (lo > hi || lo < -limit || hi > limit)
    return emitError() << "range " << lo << ":" << hi << " is empty or wider than 2^41";
  return success();
}

namespace {
struct Range {
  __int128 lo, hi;
};
} // namespace

static fhe::EintType eint(Value value) {
  return cast<fhe::EintType>(cast<RankedTensorType>(value.getType()).getElementType());
}

/// The range of each element: what the producer proved, else the hull of the type.
static SmallVector<Range> ranges(Value value) {
  auto hull = eint(value);
  SmallVector<Range> all(cast<ShapedType>(value.getType()).getNumElements(), {hull.getLo(), hull.getHi()});
  Operation *op = value.getDefiningOp();
  auto lows = op ? op->getAttrOfType<DenseI64ArrayAttr>("lows") : nullptr;
  auto highs = op ? op->getAttrOfType<DenseI64ArrayAttr>("highs") : nullptr;
  if (!lows || !highs || lows.size() != int64_t(all.size()) || highs.size() != int64_t(all.size()))
    return all;
  // No verifier looks at these attributes of an op of another dialect: what the type excludes does not count.
  for (size_t i = 0; i < all.size(); ++i)
    if (hull.getLo() <= lows[i] && lows[i] <= highs[i] && highs[i] <= hull.getHi())
      all[i] = {lows[i], highs[i]};
  return all;
}

static int64_t clamp(__int128 value) {
  return value < INT64_MIN ? INT64_MIN : value > INT64_MAX ? INT64_MAX : int64_t(value);
}

/// The result type must hold `derived`, what interval arithmetic gives; where the op carries proved ranges, these
/// must overlap it and the type must hold them instead.
static LogicalResult covers(Operation *op, ArrayRef<Range> derived) {
  auto type = eint(op->getResult(0));
  auto lows = op->getAttrOfType<DenseI64ArrayAttr>("lows"), highs = op->getAttrOfType<DenseI64ArrayAttr>("highs");
  int64_t count = derived.size();
  if (bool(lows) != bool(highs) || (lows && (lows.size() != count || highs.size() != count)))
    return op->emitOpError() << "needs one low and one high for each of " << count << " elements";
  for (auto [index, range] : llvm::enumerate(derived)) {
    if (lows && (lows[index] > highs[index] || highs[index] < range.lo || lows[index] > range.hi))
      return op->emitOpError() << "element " << index << " has range " << clamp(range.lo) << ":" << clamp(range.hi)
                               << ", which the stated " << lows[index] << ":" << highs[index] << " contradicts";
    Range held = lows ? Range{lows[index], highs[index]} : range;
    if (held.lo < type.getLo() || held.hi > type.getHi())
      return op->emitOpError() << "result range " << type.getLo() << ":" << type.getHi() << " does not cover "
                               << clamp(held.lo) << ":" << clamp(held.hi) << " of element " << index;
  }
  return success();
}

static Range sum(Range x, Range y) { return {x.lo + y.lo, x.hi + y.hi}; }
static Range scaled(Range x, __int128 c) { return c < 0 ? Range{x.hi * c, x.lo * c} : Range{x.lo * c, x.hi * c}; }

/// Row-major index in a tensor of `shape` that broadcasts to `out`, for the element `index` of `out`.
static int64_t broadcastIndex(int64_t index, Extents out, Extents shape) {
  int64_t result = 0, stride = 1;
  for (int64_t axis = out.size() - 1, mine = shape.size() - 1; axis >= 0; --axis, --mine) {
    int64_t at = index % out[axis];
    index /= out[axis];
    if (mine >= 0)
      result += (shape[mine] == 1 ? 0 : at) * stride, stride *= shape[mine];
  }
  return result;
}

static LogicalResult verifyBinary(Operation *op, int sign) {
  auto lhs = ranges(op->getOperand(0)), rhs = ranges(op->getOperand(1));
  Extents out = shapeOf(op->getResult(0));
  SmallVector<Range> derived(ShapedType::getNumElements(out));
  for (size_t i = 0; i < derived.size(); ++i)
    derived[i] = sum(lhs[broadcastIndex(i, out, shapeOf(op->getOperand(0)))],
                     scaled(rhs[broadcastIndex(i, out, shapeOf(op->getOperand(1)))], sign));
  return covers(op, derived);
}

LogicalResult fhe::AddOp::verify() { return verifyBinary(*this, 1); }
LogicalResult fhe::SubOp::verify() { return verifyBinary(*this, -1); }

template <typename Combine> static LogicalResult verifyMap(Operation *op, Combine combine) {
  if (failed(expectShape(op, Shape(shapeOf(op->getOperand(0))))))
    return failure();
  auto derived = ranges(op->getOperand(0));
  for (auto [index, range] : llvm::enumerate(derived))
    range = combine(range, index);
  return covers(op, derived);
}

template <typename Combine>
static LogicalResult verifyClear(Operation *op, DenseIntElementsAttr clear, Combine combine) {
  int64_t count = clear.getNumElements(), expected = ShapedType::getNumElements(shapeOf(op->getOperand(0)));
  if (count != 1 && clear.getType().getShape() != shapeOf(op->getOperand(0)))
    return op->emitOpError() << "needs 1 clear value or one for each of " << expected << " elements, found "
                             << clear.getType();
  auto values = clear.getValues<int64_t>();
  return verifyMap(op, [&](Range x, size_t index) { return combine(x, values[count == 1 ? 0 : index]); });
}

LogicalResult fhe::AddClearOp::verify() {
  return verifyClear(*this, getClear(), [](Range x, int64_t c) { return sum(x, {c, c}); });
}

LogicalResult fhe::MulClearOp::verify() { return verifyClear(*this, getClear(), scaled); }

LogicalResult fhe::NegOp::verify() {
  return verifyMap(*this, [](Range x, size_t) { return scaled(x, -1); });
}

LogicalResult fhe::ConstantOp::verify() {
  if (failed(expectShape(*this, Shape(getValue().getType().getShape()))))
    return failure();
  SmallVector<Range> derived;
  for (int64_t value : getValue().getValues<int64_t>())
    derived.push_back({value, value});
  return covers(*this, derived);
}

LogicalResult fhe::MatmulOp::verify() {
  auto weights = cast<ShapedType>(getWeights().getType());
  Extents input = shapeOf(getInput()), result = shapeOf(getResult());
  if (weights.getRank() != 2 || input.empty() || input.size() != result.size() || input.back() != weights.getDimSize(0) ||
      result.back() != weights.getDimSize(1) || input.drop_back() != result.drop_back() || !hasAtMost(weights, maxWeights))
    return emitOpError() << "shapes do not fit: " << getInput().getType() << " times " << weights << " gives " << getType();
  int64_t inner = weights.getDimSize(0), columns = weights.getDimSize(1);
  auto from = ranges(getInput());
  auto values = getWeights().getValues<int64_t>();
  SmallVector<Range> derived(ShapedType::getNumElements(result), {0, 0});
  for (int64_t row = 0, rows = columns ? derived.size() / columns : 0; row < rows; ++row)
    for (int64_t i = 0; i < inner; ++i)
      for (int64_t j = 0; j < columns; ++j)
        derived[row * columns + j] = sum(derived[row * columns + j], scaled(from[row * inner + i], values[i * columns + j]));
  return covers(*this, derived);
}

LogicalResult fhe::SumOp::verify() {
  auto shape = summedShape([&] { return emitOpError(); }, shapeOf(getInput()), getAxes());
  if (failed(expectShape(*this, shape)))
    return failure();
  SmallVector<Range> derived(ShapedType::getNumElements(*shape), {0, 0});
  for (auto [index, range] : llvm::enumerate(ranges(getInput()))) {
    Range &total = derived[broadcastIndex(index, shapeOf(getInput()), *shape)];
    total = sum(total, range);
  }
  return covers(*this, derived);
}

/// Movement: each element keeps its range.
static LogicalResult verifyMoved(Operation *op, const Sources &sources) {
  SmallVector<SmallVector<Range>> from;
  for (Value input : op->getOperands())
    from.push_back(ranges(input));
  SmallVector<Range> derived;
  for (auto [operand, element] : sources)
    derived.push_back(from[operand][element]);
  return covers(op, derived);
}

LogicalResult fhe::ReshapeOp::verify() {
  if (ShapedType::getNumElements(shapeOf(getInput())) != ShapedType::getNumElements(shapeOf(getResult())))
    return emitOpError() << "changes the number of elements";
  return verifyMoved(*this, reshapeSources(getInput()));
}

LogicalResult fhe::TransposeOp::verify() {
  auto shape = transposedShape([&] { return emitOpError(); }, shapeOf(getInput()), getPermutation());
  return failed(expectShape(*this, shape)) ? failure()
                                           : verifyMoved(*this, transposeSources(getInput(), getPermutation()));
}

LogicalResult fhe::ConcatOp::verify() {
  auto shape = concatenatedShape([&] { return emitOpError(); }, getInputs(), getAxis());
  return failed(expectShape(*this, shape)) ? failure() : verifyMoved(*this, concatSources(getInputs(), getAxis()));
}

LogicalResult fhe::LookupOp::verify() {
  auto from = ranges(getInput());
  if (failed(expectShape(*this, Shape(shapeOf(getInput())))))
    return failure();
  if (getTables().size() != getFirsts().size() || getTableOf().size() != from.size())
    return emitOpError() << "needs a first value for each table and a table for each of " << from.size()
                         << " elements";
  SmallVector<Range> derived(from.size());
  for (auto [index, range] : llvm::enumerate(from)) {
    int64_t which = getTableOf()[index];
    if (which < 0 || which >= int64_t(getTables().size()))
      return emitOpError() << "table " << which << " does not exist";
    auto table = cast<DenseI64ArrayAttr>(getTables()[which]).asArrayRef();
    __int128 first = getFirsts()[which], end = first + int64_t(table.size());
    if (range.lo < first || range.hi >= end)
      return emitOpError() << "table " << which << " covers " << clamp(first) << ":" << clamp(end - 1) << ", element "
                           << index << " has range " << clamp(range.lo) << ":" << clamp(range.hi);
    auto read = table.slice(size_t(range.lo - first), size_t(range.hi - range.lo) + 1);
    derived[index] = {*llvm::min_element(read), *llvm::max_element(read)};
  }
  return covers(*this, derived);
}

// Folders. An op that states ranges stays: a table behind it may rely on them.

OpFoldResult fhe::ConstantOp::fold(FoldAdaptor) { return getValue(); }

OpFoldResult fhe::NegOp::fold(FoldAdaptor) {
  auto inner = getInput().getDefiningOp<NegOp>();
  bool folds = inner && inner.getInput().getType() == getType() && !statesRanges(*this) && !statesRanges(inner);
  return folds ? OpFoldResult(inner.getInput()) : nullptr;
}

/// op(x, neutral) = x, and op(op(x, c), d) = op(x, combine(c, d)) where that does not overflow.
template <typename Op, typename Combine> static OpFoldResult foldClear(Op op, int64_t neutral, Combine combine) {
  DenseIntElementsAttr clear = op.getClear();
  bool all = llvm::all_of(clear.getValues<int64_t>(), [&](int64_t value) { return value == neutral; });
  if (all && op.getInput().getType() == op.getType() && !statesRanges(op))
    return op.getInput();
  auto inner = op.getInput().template getDefiningOp<Op>();
  if (!inner || inner == op || statesRanges(inner) || inner.getClear().getType() != clear.getType())
    return nullptr;
  SmallVector<int64_t> combined;
  for (auto [c, d] : llvm::zip(inner.getClear().template getValues<int64_t>(), clear.getValues<int64_t>()))
    if (combine(c, d, combined.emplace_back()))
      return nullptr;
  op.setClearAttr(DenseIntElementsAttr::get(clear.getType(), combined));
  op->setOperand(0, inner.getInput());
  return op.getResult();
}

OpFoldResult fhe::AddClearOp::fold(FoldAdaptor) { return foldClear(*this, 0, llvm::AddOverflow<int64_t>); }
OpFoldResult fhe::MulClearOp::fold(FoldAdaptor) { return foldClear(*this, 1, llvm::MulOverflow<int64_t>); }

OpFoldResult fhe::SumOp::fold(FoldAdaptor) {
  bool folds = getAxes().empty() && getInput().getType() == getType() && !statesRanges(*this);
  return folds ? OpFoldResult(getInput()) : nullptr;
}

OpFoldResult fhe::ReshapeOp::fold(FoldAdaptor) { return foldReshape(*this); }
OpFoldResult fhe::TransposeOp::fold(FoldAdaptor) { return foldTranspose(*this); }
OpFoldResult fhe::ConcatOp::fold(FoldAdaptor) { return foldConcat(*this); }

OpFoldResult fhe::LookupOp::fold(FoldAdaptor adaptor) {
  auto input = dyn_cast_or_null<DenseIntElementsAttr>(adaptor.getInput());
  if (!input)
    return nullptr;
  SmallVector<int64_t> values;
  auto allowed = ranges(getResult());
  for (auto [index, value] : llvm::enumerate(input.getValues<int64_t>())) {
    auto table = cast<DenseI64ArrayAttr>(getTables()[getTableOf()[index]]);
    int64_t at = value - getFirsts()[getTableOf()[index]];
    if (at < 0 || at >= table.size() || table[at] < allowed[index].lo || table[at] > allowed[index].hi)
      return nullptr;
    values.push_back(table[at]);
  }
  return DenseIntElementsAttr::get(input.getType(), values);
}

// The declaration must stand before the definition: it makes the symbol a C symbol.
extern "C" {
MLIR_DECLARE_CAPI_DIALECT_REGISTRATION(Fhe, fhe);
}
MLIR_DEFINE_CAPI_DIALECT_REGISTRATION(Fhe, fhe, cml::fhe::FheDialect)

extern "C" {
/// Null, with a diagnostic at `location`, if `verify` refuses (`get` would not verify at all).
MlirType cmlEintType(MlirLocation location, int64_t lo, int64_t hi) {
  Location place = unwrap(location);
  return wrap(fhe::EintType::getChecked([&] { return emitError(place); }, place.getContext(), lo, hi));
}

bool cmlEintRange(MlirType type, int64_t *lo, int64_t *hi) {
  auto eint = dyn_cast<fhe::EintType>(unwrap(type));
  if (eint)
    *lo = eint.getLo(), *hi = eint.getHi();
  return bool(eint);
}
}
