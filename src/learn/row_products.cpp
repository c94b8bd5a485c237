#include "learn/row_products.hpp"

#include <algorithm>
#include <cstring>

#ifdef __AVX512F__
#include <immintrin.h>
#endif

namespace bouton::learn {
namespace {

#if defined(__AVX512F__)
constexpr int vector_bytes = 64, tile_rows = 8, gathered = 16;  // of 32 registers
#elif defined(__AVX2__)
constexpr int vector_bytes = 32, tile_rows = 4, gathered = 8;  // of 16
#else
constexpr int vector_bytes = 16, tile_rows = 4, gathered = 8;
#endif
constexpr int tile_vectors = 2;

template <typename T>
using Vector __attribute__((vector_size(vector_bytes), aligned(sizeof(T)), may_alias)) = T;
template <typename T>
constexpr int lanes = vector_bytes / static_cast<int>(sizeof(T));
template <typename T>
constexpr int panel_width = tile_vectors* lanes<T>;

template <typename T>
Vector<T>& at(T* p) {
  return *reinterpret_cast<Vector<T>*>(p);
}
template <typename T>
const Vector<T>& at(const T* p) {
  return *reinterpret_cast<const Vector<T>*>(p);
}

// `count` vectors of columns of a gather.
template <int count, typename T>
inline void gather_columns(const T* from, const T* matrix, int64_t width, const int32_t* index, int64_t rows, T* to) {
  Vector<T> sum[count];
  for (int v = 0; v < count; ++v) sum[v] = at(from + v * lanes<T>);
  for (int64_t k = 0; k < rows; ++k) {
    const T* row = matrix + index[k] * width;
    for (int v = 0; v < count; ++v) sum[v] += at(row + v * lanes<T>);
  }
  for (int v = 0; v < count; ++v) at(to + v * lanes<T>) = sum[v];
}

template <int count, typename T>
inline void scatter_columns(const T* row, int64_t width, const int32_t* index, int64_t rows, T* matrix) {
  Vector<T> added[count];
  for (int v = 0; v < count; ++v) added[v] = at(row + v * lanes<T>);
  for (int64_t k = 0; k < rows; ++k) {
    T* to = matrix + index[k] * width;
    for (int v = 0; v < count; ++v) at(to + v * lanes<T>) += added[v];
  }
}

// Columns in the widest groups of vectors that fit, then one by one: vectors.operator()<count>(first), one(column).
template <typename T, typename Vectors, typename One>
inline void for_columns(int64_t width, const Vectors& vectors, const One& one) {
  int64_t c = 0;
  const auto groups = [&]<int count>() {
    for (; c + count * lanes<T> <= width; c += count * lanes<T>) vectors.template operator()<count>(c);
  };
  groups.template operator()<gathered>();
  groups.template operator()<4>();
  groups.template operator()<1>();
  for (; c < width; ++c) one(c);
}

// One tile of a product: `count` rows of a [count, inner] against one panel [inner, panel width].
template <int count, typename T>
inline void multiply_tile(const T* from, const T* a, int64_t inner, const T* panel, int64_t width, T* to) {
  Vector<T> sum[count][tile_vectors];
  for (int r = 0; r < count; ++r) {
    for (int v = 0; v < tile_vectors; ++v) sum[r][v] = at(from + r * width + v * lanes<T>);
  }
  for (int64_t k = 0; k < inner; ++k, panel += panel_width<T>) {
    Vector<T> b[tile_vectors];
    for (int v = 0; v < tile_vectors; ++v) b[v] = at(panel + v * lanes<T>);
    for (int r = 0; r < count; ++r) {
      const T factor = a[r * inner + k];
      for (int v = 0; v < tile_vectors; ++v) sum[r][v] += factor * b[v];
    }
  }
  for (int r = 0; r < count; ++r) {
    for (int v = 0; v < tile_vectors; ++v) at(to + r * width + v * lanes<T>) = sum[r][v];
  }
}

// A tile whose last columns are not there: through a copy.
template <int count, typename T>
void multiply_edge(const T* from, const T* a, int64_t inner, const T* panel, int64_t width, int64_t columns, T* to) {
  T edge[count * panel_width<T>] = {};
  for (int r = 0; r < count; ++r) std::copy_n(from + r * width, columns, edge + r * panel_width<T>);
  multiply_tile<count>(edge, a, inner, panel, panel_width<T>, edge);
  for (int r = 0; r < count; ++r) std::copy_n(edge + r * panel_width<T>, columns, to + r * width);
}

template <int count, typename T>
void multiply_rows(const T* from, const T* a, int64_t inner, const T* panel, int64_t width, int64_t column, T* to) {
  if (column + panel_width<T> <= width) {
    multiply_tile<count>(from + column, a, inner, panel, width, to + column);
  } else {
    multiply_edge<count>(from + column, a, inner, panel, width, width - column, to + column);
  }
}

}  // namespace

template <typename T>
void gather_rows(const T* from, const T* matrix, int64_t width, const int32_t* index, int64_t count, T* to) {
  for_columns<T>(
      width,
      [&]<int vectors>(int64_t c) { gather_columns<vectors>(from + c, matrix + c, width, index, count, to + c); },
      [&](int64_t c) {
        T sum = from[c];
        for (int64_t k = 0; k < count; ++k) sum += matrix[index[k] * width + c];
        to[c] = sum;
      });
}

template <typename T>
void scatter_row(const T* row, int64_t width, const int32_t* index, int64_t count, T* matrix) {
  for_columns<T>(
      width, [&]<int vectors>(int64_t c) { scatter_columns<vectors>(row + c, width, index, count, matrix + c); },
      [&](int64_t c) {
        for (int64_t k = 0; k < count; ++k) matrix[index[k] * width + c] += row[c];
      });
}

template <typename T>
int64_t list_nonzero(const T* row, int64_t width, int32_t* index) {
  int64_t count = 0, i = 0;
#ifdef __AVX512F__
  if constexpr (sizeof(T) == 4) {
    __m512i number = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    for (; i + 16 <= width; i += 16) {
      const __mmask16 some = _mm512_cmp_ps_mask(_mm512_loadu_ps(row + i), _mm512_setzero_ps(), _CMP_NEQ_UQ);
      _mm512_storeu_si512(index + count, _mm512_maskz_compress_epi32(some, number));
      count += __builtin_popcount(some);
      number = _mm512_add_epi32(number, _mm512_set1_epi32(16));
    }
  }
#endif
  for (; i < width; ++i) {
    index[count] = static_cast<int32_t>(i);
    count += row[i] != 0;
  }
  return count;
}

template <typename T>
int64_t PackedMatrix<T>::elements(int64_t inner, int64_t width) {
  return (width + panel_width<T> - 1) / panel_width<T> * panel_width<T> * inner;
}

template <typename T>
PackedMatrix<T>::PackedMatrix(const T* data, int64_t inner, int64_t width, bool transposed, T* memory)
    : inner_(inner), width_(width), panels_(memory) {
  for (int64_t first = 0; first < width; first += panel_width<T>) {
    const int64_t columns = std::min<int64_t>(panel_width<T>, width - first);
    for (int64_t k = 0; k < inner; ++k, memory += panel_width<T>) {
      for (int64_t c = 0; c < columns; ++c)
        memory[c] = transposed ? data[(first + c) * inner + k] : data[k * width + first + c];
      std::fill(memory + columns, memory + panel_width<T>, T{0});
    }
  }
}

template <typename T>
void PackedMatrix<T>::multiply_add(const T* from, const T* a, int64_t rows, T* to) const {
  const T* panel = panels_;
  for (int64_t column = 0; column < width_; column += panel_width<T>, panel += inner_ * panel_width<T>) {
    int64_t r = 0;
    const auto tile = [&]<int count>() {
      for (; r + count <= rows; r += count)
        multiply_rows<count>(from + r * width_, a + r * inner_, inner_, panel, width_, column, to + r * width_);
    };
    tile.template operator()<tile_rows>();
    tile.template operator()<4>();
    tile.template operator()<1>();
  }
}

template void gather_rows<float>(const float*, const float*, int64_t, const int32_t*, int64_t, float*);
template void gather_rows<double>(const double*, const double*, int64_t, const int32_t*, int64_t, double*);
template void scatter_row<float>(const float*, int64_t, const int32_t*, int64_t, float*);
template void scatter_row<double>(const double*, int64_t, const int32_t*, int64_t, double*);
template int64_t list_nonzero<float>(const float*, int64_t, int32_t*);
template int64_t list_nonzero<double>(const double*, int64_t, int32_t*);
template class PackedMatrix<float>;
template class PackedMatrix<double>;

}  // namespace bouton::learn
