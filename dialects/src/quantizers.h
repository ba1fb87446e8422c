// What `nn` and `qnn` share: lists of reals that come back exactly, and what their quantizers may state.
#pragma once
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/OpImplementation.h"
#include <cmath>
#include <optional>

namespace cml {

// In the syntax of an op `array<f64: ...>` prints seven digits, and a scale must come back exactly.
inline mlir::ParseResult parseReals(mlir::OpAsmParser &parser, mlir::DenseF64ArrayAttr &reals) {
  llvm::SmallVector<double> values;
  auto real = [&] { return parser.parseFloat(values.emplace_back()); };
  if (parser.parseCommaSeparatedList(mlir::OpAsmParser::Delimiter::Square, real))
    return mlir::failure();
  reals = mlir::DenseF64ArrayAttr::get(parser.getContext(), values);
  return mlir::success();
}

inline void printReals(mlir::OpAsmPrinter &printer, mlir::Operation *, mlir::DenseF64ArrayAttr reals) {
  auto real = [&](double value) { printer.printFloat(llvm::APFloat(value)); };
  printer << "[";
  llvm::interleaveComma(reals.asArrayRef(), printer, real);
  printer << "]";
}

using Reals = std::optional<llvm::ArrayRef<double>>;

inline mlir::LogicalResult verifyPositive(mlir::Operation *op, llvm::StringRef name, llvm::ArrayRef<double> reals) {
  for (double real : reals)
    if (!(float(real) > 0) || !std::isfinite(float(real)))
      return op->emitOpError() << "needs " << name << " that are positive and finite in f32, found " << real;
  return mlir::success();
}

/// Reals that may be absent: one for each of `count` scales, finite in f32.
inline mlir::LogicalResult verifyReals(mlir::Operation *op, llvm::StringRef name, size_t count, Reals reals) {
  if (!reals)
    return mlir::success();
  if (reals->size() != count)
    return op->emitOpError() << "has " << count << " scales and " << reals->size() << " " << name;
  for (double real : *reals)
    if (!std::isfinite(float(real)))
      return op->emitOpError() << "needs " << name << " that are finite in f32, found " << real;
  return mlir::success();
}

/// How a quantizer comes to whole numbers.
inline mlir::LogicalResult verifyRounding(mlir::Operation *op, size_t count, Reals divisors, Reals shifts,
                                          std::optional<llvm::StringRef> rounding) {
  if (mlir::failed(verifyReals(op, "divisors", count, divisors)) || mlir::failed(verifyReals(op, "shifts", count, shifts)) ||
      (divisors && mlir::failed(verifyPositive(op, "divisors", *divisors))))
    return mlir::failure();
  for (llvm::StringRef known : {"half_even", "ceil", "floor", "up", "down", "half_up", "half_down", "sign"})
    if (!rounding || *rounding == known)
      return mlir::success();
  return op->emitOpError() << "does not know the rounding \"" << *rounding << "\"";
}

} // namespace cml
