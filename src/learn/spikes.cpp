#include "learn/spikes.hpp"

#include <algorithm>
#include <bit>

#include "learn/vectors.hpp"

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace bouton::learn {
namespace {

// 64 values, or the first `count`, as bits.
template <typename T>
uint64_t bits_of(const T* values, int64_t count) {
#if defined(__AVX512F__)
  if (count == 64) {
    uint64_t word = 0;
    if constexpr (sizeof(T) == 4) {
      for (int k = 0; k < 4; ++k) {
        const __m512 x = _mm512_loadu_ps(values + 16 * k);
        word |= static_cast<uint64_t>(_mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_NEQ_UQ)) << (16 * k);
      }
    } else {
      for (int k = 0; k < 8; ++k) {
        const __m512d x = _mm512_loadu_pd(values + 8 * k);
        word |= static_cast<uint64_t>(_mm512_cmp_pd_mask(x, _mm512_setzero_pd(), _CMP_NEQ_UQ)) << (8 * k);
      }
    }
    return word;
  }
#endif
  uint64_t word = 0;
  for (int64_t k = 0; k < count; ++k) word |= static_cast<uint64_t>(values[k] != 0) << k;
  return word;
}

// Sums of `vectors` vectors of columns, for all lists. Sums of one or two vectors alone would wait for each addition to
// end: they are taken in four interleaved parts.
template <typename T, int vectors>
void gather_columns(const ActiveLists& lists, const T* matrix, int64_t stride, bool add, T* sums) {
  using vec = typename Wide<T>::vec;
  constexpr int64_t lanes = Wide<T>::lanes;
  constexpr int parts = vectors <= 2 ? 4 : 1;
  const int32_t* const entries = lists.entries.data();
  for (int64_t i = 0; i < lists.size(); ++i, sums += stride) {
    vec sum[parts][vectors] = {};
    if (add) {
      BOUTON_WRITTEN_OUT
      for (int v = 0; v < vectors; ++v) sum[0][v] = vector_at(sums + v * lanes);
    }
    const int32_t* e = entries + lists.starts[static_cast<std::size_t>(i)];
    const int32_t* const end = entries + lists.starts[static_cast<std::size_t>(i) + 1];
    for (; end - e >= parts; e += parts) {
      BOUTON_WRITTEN_OUT
      for (int p = 0; p < parts; ++p) {
        const T* const row = matrix + e[p] * stride;
        BOUTON_WRITTEN_OUT
        for (int v = 0; v < vectors; ++v) sum[p][v] += vector_at(row + v * lanes);
      }
    }
    for (; e != end; ++e) {
      const T* const row = matrix + *e * stride;
      BOUTON_WRITTEN_OUT
      for (int v = 0; v < vectors; ++v) sum[0][v] += vector_at(row + v * lanes);
    }
    BOUTON_WRITTEN_OUT
    for (int p = 1; p < parts; ++p) {
      BOUTON_WRITTEN_OUT
      for (int v = 0; v < vectors; ++v) sum[0][v] += sum[p][v];
    }
    BOUTON_WRITTEN_OUT
    for (int v = 0; v < vectors; ++v) vector_at(sums + v * lanes) = sum[0][v];
  }
}

template <typename T, int vectors>
void scatter_columns(const ActiveLists& lists, const T* matrix, int64_t stride, T* sums) {
  using vec = typename Wide<T>::vec;
  constexpr int64_t lanes = Wide<T>::lanes;
  const int32_t* e = lists.entries.data();
  for (int64_t i = 0; i < lists.size(); ++i, matrix += stride) {
    const int32_t* const end = lists.entries.data() + lists.starts[static_cast<std::size_t>(i) + 1];
    if (e == end) continue;
    vec row[vectors];
    BOUTON_WRITTEN_OUT
    for (int v = 0; v < vectors; ++v) row[v] = vector_at(matrix + v * lanes);
    for (; e != end; ++e) {
      T* const sum = sums + *e * stride;
      BOUTON_WRITTEN_OUT
      for (int v = 0; v < vectors; ++v) vector_at(sum + v * lanes) += row[v];
    }
  }
}

ActiveLists& thread_lists() {
  thread_local ActiveLists lists;
  return lists;
}

}  // namespace

template <typename T>
int64_t pack_spikes(const T* values, int64_t rows, int64_t width, uint64_t* words) {
  int64_t active = 0;
  for (int64_t r = 0; r < rows; ++r, values += width) {
    for (int64_t k = 0; k < width; k += 64) {
      const uint64_t word = bits_of(values + k, std::min<int64_t>(64, width - k));
      active += std::popcount(word);
      *words++ = word;
    }
  }
  return active;
}

template <typename T>
int64_t pack_binary(const T* values, int64_t rows, int64_t width, uint64_t* words) {
  constexpr int64_t lanes = Wide<T>::lanes;
  for (int64_t r = 0; r < rows; ++r) {
    const T* const row = values + r * width;
    decltype(typename Wide<T>::vec{} < typename Wide<T>::vec{}) other = {};
    int64_t k = 0;
    for (; k + lanes <= width; k += lanes) {
      const auto x = vector_at(row + k);
      other |= (x != T{0}) & (x != T{1});
    }
    bool any = false;
    for (int64_t i = 0; i < lanes; ++i) any |= other[i] != 0;
    for (; k < width; ++k) any |= row[k] != 0 && row[k] != 1;
    if (any) return -1;
  }
  return pack_spikes(values, rows, width, words);
}

template <typename T>
void unpack_spikes(const SpikeBits& bits, T* values) {
  for (int64_t r = 0; r < bits.rows; ++r, values += bits.width) {
    const uint64_t* const row = bits.words + r * bits.stride;
    for (int64_t k = 0; k < bits.width; ++k) values[k] = static_cast<T>(row[k / 64] >> (k % 64) & 1);
  }
}

void list_rows(const SpikeBits& bits, ActiveLists& lists) {
  lists.starts.resize(static_cast<std::size_t>(bits.rows) + 1);
  const auto most = static_cast<std::size_t>(bits.rows * bits.width);
  if (lists.entries.size() < most) lists.entries.resize(most);
  int32_t* to = lists.entries.data();
  for (int64_t r = 0; r < bits.rows; ++r) {
    lists.starts[static_cast<std::size_t>(r)] = static_cast<int32_t>(to - lists.entries.data());
    const uint64_t* const row = bits.words + r * bits.stride;
    for (int64_t w = 0; w < words_of(bits.width); ++w) {
      for (uint64_t word = row[w]; word != 0; word &= word - 1)
        *to++ = static_cast<int32_t>(w * 64 + std::countr_zero(word));
    }
  }
  lists.starts.back() = static_cast<int32_t>(to - lists.entries.data());
}

void list_columns(const SpikeBits& bits, ActiveLists& lists) {
  const auto for_active = [&](const auto& body) {
    for (int64_t r = 0; r < bits.rows; ++r) {
      const uint64_t* const row = bits.words + r * bits.stride;
      for (int64_t w = 0; w < words_of(bits.width); ++w) {
        for (uint64_t word = row[w]; word != 0; word &= word - 1)
          body(r, static_cast<std::size_t>(w * 64 + std::countr_zero(word)));
      }
    }
  };
  // Counts go two places up, so that counting and filling leave each start in its own place.
  lists.starts.assign(static_cast<std::size_t>(bits.width) + 2, 0);
  for_active([&](int64_t, std::size_t column) { ++lists.starts[column + 2]; });
  for (std::size_t c = 2; c < lists.starts.size(); ++c) lists.starts[c] += lists.starts[c - 1];
  const auto most = static_cast<std::size_t>(lists.starts.back());
  if (lists.entries.size() < most) lists.entries.resize(most);
  for_active([&](int64_t r, std::size_t column) {
    lists.entries[static_cast<std::size_t>(lists.starts[column + 1]++)] = static_cast<int32_t>(r);
  });
  lists.starts.pop_back();
}

template <typename T>
void gather_add(const ActiveLists& lists, const T* matrix, int64_t columns, bool add_to_sums, T* sums) {
  for_columns<T>(columns, [&]<int vectors>(int64_t c) {
    gather_columns<T, vectors>(lists, matrix + c, columns, add_to_sums, sums + c);
  });
}

template <typename T>
void scatter_add(const ActiveLists& lists, const T* matrix, int64_t columns, T* sums) {
  for_columns<T>(columns,
                 [&]<int vectors>(int64_t c) { scatter_columns<T, vectors>(lists, matrix + c, columns, sums + c); });
}

template <typename T>
void add_transposed_product(const SpikeBits& bits, const T* matrix, int64_t columns, T* sums) {
  constexpr int64_t few_columns = 256 / sizeof(T);  // beyond, stores cost more than listing the columns does
  ActiveLists& lists = thread_lists();
  if (columns <= few_columns) {
    list_rows(bits, lists);
    scatter_add(lists, matrix, columns, sums);
  } else {
    list_columns(bits, lists);
    gather_add(lists, matrix, columns, true, sums);
  }
}

template <typename T>
void transpose_padded(const T* from, int64_t rows, int64_t columns, T* to, int64_t stride) {
  constexpr int64_t block = 16;
  for (int64_t r0 = 0; r0 < rows; r0 += block) {
    const int64_t r1 = std::min(rows, r0 + block);
    for (int64_t c0 = 0; c0 < columns; c0 += block) {
      const int64_t c1 = std::min(columns, c0 + block);
      for (int64_t c = c0; c < c1; ++c) {
        for (int64_t r = r0; r < r1; ++r) to[c * stride + r] = from[r * columns + c];
      }
    }
  }
  if (stride > rows) {
    for (int64_t c = 0; c < columns; ++c) std::fill(to + c * stride + rows, to + (c + 1) * stride, T{0});
  }
}

#define BOUTON_SPIKES(T)                                                            \
  template int64_t pack_spikes<T>(const T*, int64_t, int64_t, uint64_t*);           \
  template int64_t pack_binary<T>(const T*, int64_t, int64_t, uint64_t*);           \
  template void unpack_spikes<T>(const SpikeBits&, T*);                             \
  template void gather_add<T>(const ActiveLists&, const T*, int64_t, bool, T*);     \
  template void scatter_add<T>(const ActiveLists&, const T*, int64_t, T*);          \
  template void add_transposed_product<T>(const SpikeBits&, const T*, int64_t, T*); \
  template void transpose_padded<T>(const T*, int64_t, int64_t, T*, int64_t);
BOUTON_SPIKES(float)
BOUTON_SPIKES(double)

}  // namespace bouton::learn
