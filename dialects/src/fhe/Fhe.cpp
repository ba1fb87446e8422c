// The dialect `fhe`: verifiers that refuse overflow, folders, and C functions for Rust.
#include "mlir-c/IR.h"
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/CAPI/IR.h"
#include "mlir/CAPI/Registration.h"
#include "mlir/Dialect/Traits.h"
#include "mlir/IR/Builders.h"
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

static RankedTensorType tensor(Value value) { return cast<RankedTensorType>(value.getType()); }
static fhe::EintType eint(Value value) { return cast<fhe::EintType>(tensor(value).getElementType()); }

/// The range of each element: what the producer proved, else the hull of the type.
static SmallVector<Range> ranges(Value value) {
  SmallVector<Range> all(tensor(value).getNumElements(), {eint(value).getLo(), eint(value).getHi()});
  Operation *op = value.getDefiningOp();
  auto lows = op ? op->getAttrOfType<DenseI64ArrayAttr>("lows") : nullptr;
  auto highs = op ? op->getAttrOfType<DenseI64ArrayAttr>("highs") : nullptr;
  if (lows && highs && lows.size() == int64_t(all.size()) && highs.size() == int64_t(all.size()))
    for (size_t i = 0; i < all.size(); ++i)
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
  if (bool(lows) != bool(highs) ||
      (lows && (lows.size() != int64_t(derived.size()) || highs.size() != int64_t(derived.size()))))
    return op->emitOpError() << "needs one low and one high for each of " << derived.size() << " elements";
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

static Range scaled(Range range, __int128 factor) {
  return factor < 0 ? Range{range.hi * factor, range.lo * factor} : Range{range.lo * factor, range.hi * factor};
}

/// Row-major index in a tensor of `shape` that broadcasts to `out`, for the element `index` of `out`.
static int64_t broadcastIndex(int64_t index, ArrayRef<int64_t> out, ArrayRef<int64_t> shape) {
  int64_t result = 0, stride = 1;
  for (int64_t axis = out.size() - 1, mine = shape.size() - 1; axis >= 0; --axis, --mine) {
    int64_t at = index % out[axis];
    index /= out[axis];
    if (mine >= 0)
      result += (shape[mine] == 1 ? 0 : at) * stride, stride *= shape[mine];
  }
  return result;
}

template <typename Combine> static LogicalResult verifyBinary(Operation *op, Combine combine) {
  auto lhs = ranges(op->getOperand(0)), rhs = ranges(op->getOperand(1));
  auto out = tensor(op->getResult(0)).getShape();
  SmallVector<Range> derived(tensor(op->getResult(0)).getNumElements());
  for (size_t i = 0; i < derived.size(); ++i)
    derived[i] = combine(lhs[broadcastIndex(i, out, tensor(op->getOperand(0)).getShape())],
                         rhs[broadcastIndex(i, out, tensor(op->getOperand(1)).getShape())]);
  return covers(op, derived);
}

LogicalResult fhe::AddOp::verify() {
  return verifyBinary(*this, [](Range x, Range y) { return Range{x.lo + y.lo, x.hi + y.hi}; });
}

LogicalResult fhe::SubOp::verify() {
  return verifyBinary(*this, [](Range x, Range y) { return Range{x.lo - y.hi, x.hi - y.lo}; });
}

template <typename Combine>
static LogicalResult verifyClear(Operation *op, DenseIntElementsAttr clear, Combine combine) {
  auto derived = ranges(op->getOperand(0));
  if (tensor(op->getOperand(0)).getShape() != tensor(op->getResult(0)).getShape())
    return op->emitOpError() << "changes the shape";
  if (clear.getNumElements() != 1 && clear.getNumElements() != int64_t(derived.size()))
    return op->emitOpError() << "needs 1 or " << derived.size() << " clear values, found " << clear.getNumElements();
  auto values = clear.getValues<int64_t>();
  for (size_t i = 0; i < derived.size(); ++i)
    derived[i] = combine(derived[i], values[clear.getNumElements() == 1 ? 0 : i]);
  return covers(op, derived);
}

LogicalResult fhe::AddClearOp::verify() {
  return verifyClear(*this, getClear(), [](Range x, int64_t c) { return Range{x.lo + c, x.hi + c}; });
}

LogicalResult fhe::MulClearOp::verify() {
  return verifyClear(*this, getClear(), [](Range x, int64_t c) { return scaled(x, c); });
}

LogicalResult fhe::NegOp::verify() {
  auto derived = ranges(getInput());
  for (Range &range : derived)
    range = scaled(range, -1);
  return covers(*this, derived);
}

LogicalResult fhe::ConstantOp::verify() {
  if (cast<ShapedType>(getValue().getType()).getShape() != tensor(getResult()).getShape())
    return emitOpError() << "value and result differ in shape";
  SmallVector<Range> derived;
  for (int64_t value : getValue().getValues<int64_t>())
    derived.push_back({value, value});
  return covers(*this, derived);
}

LogicalResult fhe::MatmulOp::verify() {
  auto weights = cast<ShapedType>(getWeights().getType());
  auto input = tensor(getInput()), result = tensor(getResult());
  if (weights.getRank() != 2 || input.getRank() < 1 || input.getShape().back() != weights.getDimSize(0) ||
      result.getShape().back() != weights.getDimSize(1) ||
      input.getShape().drop_back() != result.getShape().drop_back())
    return emitOpError() << "shapes do not fit: " << input << " times " << weights << " gives " << result;
  int64_t inner = weights.getDimSize(0), columns = weights.getDimSize(1);
  auto from = ranges(getInput());
  SmallVector<int64_t> values(getWeights().getValues<int64_t>());
  SmallVector<Range> derived(result.getNumElements(), {0, 0});
  for (int64_t row = 0, rows = columns ? result.getNumElements() / columns : 0; row < rows; ++row)
    for (int64_t i = 0; i < inner; ++i)
      for (int64_t j = 0; j < columns; ++j) {
        Range part = scaled(from[row * inner + i], values[i * columns + j]);
        Range &sum = derived[row * columns + j];
        sum = {sum.lo + part.lo, sum.hi + part.hi};
      }
  return covers(*this, derived);
}

LogicalResult fhe::SumOp::verify() {
  auto input = tensor(getInput()), result = tensor(getResult());
  SmallVector<int64_t> expected(input.getShape());
  for (int64_t axis : getAxes()) {
    if (axis < 0 || axis >= input.getRank())
      return emitOpError() << "axis " << axis << " is outside of rank " << input.getRank();
    expected[axis] = 1;
  }
  if (result.getShape() != ArrayRef(expected))
    return emitOpError() << "summed axes must be kept with extent 1";
  SmallVector<Range> derived(result.getNumElements(), {0, 0});
  for (auto [index, range] : llvm::enumerate(ranges(getInput()))) {
    Range &sum = derived[broadcastIndex(index, input.getShape(), expected)];
    sum = {sum.lo + range.lo, sum.hi + range.hi};
  }
  return covers(*this, derived);
}

/// Movement: the result's type must hold the hull of the inputs.
static LogicalResult verifyMovement(Operation *op) {
  for (auto input : op->getOperands())
    if (eint(input).getLo() < eint(op->getResult(0)).getLo() || eint(input).getHi() > eint(op->getResult(0)).getHi())
      return op->emitOpError() << "result range does not cover that of an input";
  return success();
}

LogicalResult fhe::ReshapeOp::verify() {
  if (tensor(getInput()).getNumElements() != tensor(getResult()).getNumElements())
    return emitOpError() << "changes the number of elements";
  return verifyMovement(*this);
}

LogicalResult fhe::TransposeOp::verify() {
  auto input = tensor(getInput()).getShape(), result = tensor(getResult()).getShape();
  bool fits = getPermutation().size() == input.size() && result.size() == input.size();
  for (auto [index, axis] : llvm::enumerate(getPermutation()))
    fits = fits && axis >= 0 && axis < int64_t(input.size()) && llvm::count(getPermutation(), axis) == 1 &&
           result[index] == input[axis];
  return fits ? verifyMovement(*this) : emitOpError() << "permutation does not fit the shapes";
}

LogicalResult fhe::ConcatOp::verify() {
  int64_t axis = getAxis(), extent = 0;
  auto result = tensor(getResult());
  for (auto input : getInputs()) {
    if (tensor(input).getRank() != result.getRank() || axis < 0 || axis >= result.getRank())
      return emitOpError() << "axis or rank does not fit";
    extent += tensor(input).getDimSize(axis);
  }
  if (getInputs().empty() || extent != result.getDimSize(axis))
    return emitOpError() << "extents along axis " << axis << " add up to " << extent;
  return verifyMovement(*this);
}

LogicalResult fhe::LookupOp::verify() {
  auto from = ranges(getInput());
  if (tensor(getInput()).getShape() != tensor(getResult()).getShape())
    return emitOpError() << "changes the shape";
  if (getTables().size() != getFirsts().size() || getTableOf().size() != from.size())
    return emitOpError() << "needs a first value for each table and a table for each of " << from.size()
                         << " elements";
  SmallVector<Range> derived(from.size());
  for (auto [index, range] : llvm::enumerate(from)) {
    int64_t which = getTableOf()[index];
    if (which < 0 || which >= int64_t(getTables().size()))
      return emitOpError() << "table " << which << " does not exist";
    auto table = cast<DenseI64ArrayAttr>(getTables()[which]).asArrayRef();
    int64_t first = getFirsts()[which];
    if (range.lo < first || range.hi >= __int128(first) + int64_t(table.size()))
      return emitOpError() << "table " << which << " covers " << first << ":" << first + int64_t(table.size()) - 1
                           << ", element " << index << " has range " << clamp(range.lo) << ":" << clamp(range.hi);
    auto read = table.slice(int64_t(range.lo) - first, int64_t(range.hi - range.lo) + 1);
    derived[index] = {*llvm::min_element(read), *llvm::max_element(read)};
  }
  return covers(*this, derived);
}

OpFoldResult fhe::ConstantOp::fold(FoldAdaptor) { return getValue(); }

OpFoldResult fhe::ReshapeOp::fold(FoldAdaptor) {
  return getInput().getType() == getType() ? OpFoldResult(getInput()) : nullptr;
}

OpFoldResult fhe::NegOp::fold(FoldAdaptor) {
  auto inner = getInput().getDefiningOp<NegOp>();
  return inner && inner.getInput().getType() == getType() ? OpFoldResult(inner.getInput()) : nullptr;
}

static OpFoldResult foldNeutral(Operation *op, DenseIntElementsAttr clear, int64_t neutral) {
  bool same = op->getOperand(0).getType() == op->getResult(0).getType();
  bool all = llvm::all_of(clear.getValues<int64_t>(), [&](int64_t value) { return value == neutral; });
  return same && all ? OpFoldResult(op->getOperand(0)) : nullptr;
}

OpFoldResult fhe::AddClearOp::fold(FoldAdaptor) { return foldNeutral(*this, getClear(), 0); }
OpFoldResult fhe::MulClearOp::fold(FoldAdaptor) { return foldNeutral(*this, getClear(), 1); }

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
