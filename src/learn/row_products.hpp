#pragma once
// Products of a few rows with a matrix that stays in the cache: what a recurrent layer does at every step, without the
// packing, dispatch and threads of a general matrix product. All rows are contiguous; nothing here takes a thread.

#include <cstdint>

namespace bouton::learn {

// to[width] = from[width] + the sum, in order, of the rows [width] of `matrix` numbered index[0..count).
template <typename T>
void gather_rows(const T* from, const T* matrix, int64_t width, const int32_t* index, int64_t count, T* to);

// row[width] is added to each of the rows of `matrix` numbered index[0..count).
template <typename T>
void scatter_row(const T* row, int64_t width, const int32_t* index, int64_t count, T* matrix);

// The numbers of the elements of row[width] that are not zero, in order; `index` has room for width + 16. Returns how
// many there are.
template <typename T>
int64_t list_nonzero(const T* row, int64_t width, int32_t* index);

// A matrix [inner, width] laid out for products from the right, in memory of `elements(inner, width)` that outlives it.
template <typename T>
class PackedMatrix {
 public:
  [[nodiscard]] static int64_t elements(int64_t inner, int64_t width);
  PackedMatrix() = default;
  // `transposed`: the data are [width, inner].
  PackedMatrix(const T* data, int64_t inner, int64_t width, bool transposed, T* memory);
  // to[rows, width] = from[rows, width] + a[rows, inner] times the matrix. `to` may be `from`.
  void multiply_add(const T* from, const T* a, int64_t rows, T* to) const;

 private:
  int64_t inner_ = 0, width_ = 0;
  const T* panels_ = nullptr;  // [panels][inner][panel width], zero beyond the width
};

}  // namespace bouton::learn
