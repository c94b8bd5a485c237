#pragma once
// exp(A) and phi1(A) = (exp(A) - 1)/A of a small matrix of expressions, as straight-line intermediate form.

#include <vector>

#include "mechanisms/ir.hpp"

namespace bouton::ir {

struct Matrix {
  int size = 0;
  std::vector<Id> entries;  // [size, size]
  [[nodiscard]] Id& at(int row, int column) { return entries[static_cast<std::size_t>(row * size + column)]; }
  [[nodiscard]] Id at(int row, int column) const { return entries[static_cast<std::size_t>(row * size + column)]; }
};

struct Propagators {
  Matrix exponential, phi1;
};

// Scaling by 2^-10 and a Taylor polynomial, then squaring: P(2Z) = I + 2Z phi1(2Z), phi1(2Z) = (P + I)/2 phi1(Z). There
// is no eigendecomposition, so equal time constants are no special case and the result can be differentiated. The
// remainder is below 1e-16 for norms up to 256. Entries that are zero stay zero.
[[nodiscard]] Propagators matrix_propagators(Graph& graph, const Matrix& argument);

}  // namespace bouton::ir
