#pragma once
// Sparse matrices of spikes: as bits, as lists of what is active, and products that touch the active rows alone.

#include <cstdint>
#include <vector>

namespace bouton::learn {

// Row r of a matrix of spikes is words [r * stride, r * stride + words_of(width)); entry k is bit k % 64 of word k
// / 64.
struct SpikeBits {
  const uint64_t* words = nullptr;
  int64_t rows = 0, width = 0, stride = 0;
};
[[nodiscard]] constexpr int64_t words_of(int64_t width) { return (width + 63) / 64; }

// values [rows, width], row-major; an entry is active where its value is not zero. Rows of `words` are words_of(width)
// apart. Returns the number of active entries.
template <typename T>
int64_t pack_spikes(const T* values, int64_t rows, int64_t width, uint64_t* words);
// The same, or -1 where an entry is neither 0 nor 1.
template <typename T>
int64_t pack_binary(const T* values, int64_t rows, int64_t width, uint64_t* words);
// 1 where a bit is set, else 0.
template <typename T>
void unpack_spikes(const SpikeBits& bits, T* values);

// What is active, list by list: list i is entries [starts[i], starts[i + 1]) of `entries`, ascending.
struct ActiveLists {
  std::vector<int32_t> starts, entries;
  [[nodiscard]] int64_t size() const { return static_cast<int64_t>(starts.size()) - 1; }
};
// Of each row its active columns; of each column its active rows. `lists` keeps its memory between calls.
void list_rows(const SpikeBits& bits, ActiveLists& lists);
void list_columns(const SpikeBits& bits, ActiveLists& lists);

// Rows of matrices that are gathered are padded to whole cache lines, so that no gather ends in a part of a vector.
template <typename T>
[[nodiscard]] constexpr int64_t padded(int64_t columns) {
  constexpr auto line = static_cast<int64_t>(64 / sizeof(T));
  return (columns + line - 1) / line * line;
}

// sums[i, :] (+)= sum over the entries e of list i of matrix[e, :]: with the lists of rows the product of spikes and a
// matrix, with those of columns the product of the transposed spikes. `columns` is a padded number; rows of both lie
// `columns` apart. The order of the additions depends on the lists alone. Thread safe.
template <typename T>
void gather_add(const ActiveLists& lists, const T* matrix, int64_t columns, bool add_to_sums, T* sums);

// sums[e, :] += matrix[i, :] for every entry e of every list i: the transposed product straight from the lists of rows.
template <typename T>
void scatter_add(const ActiveLists& lists, const T* matrix, int64_t columns, T* sums);

// sums [bits.width, columns] += bits^T matrix, in whichever of the two ways is the faster. matrix: [bits.rows,
// columns].
template <typename T>
void add_transposed_product(const SpikeBits& bits, const T* matrix, int64_t columns, T* sums);

// Whether gathering `active` of `entries` rows beats the whole product. On AVX-512 a gathered number costs 1.7 to 2.4
// times one of a product of matrices, where both keep the processor busy.
[[nodiscard]] constexpr bool worth_gathering(int64_t active, int64_t entries) { return active * 5 < entries * 2; }

// to[c, r] = from[r, c]; rows of `to` lie `stride` apart, at least `rows`, and are filled up with zeros.
template <typename T>
void transpose_padded(const T* from, int64_t rows, int64_t columns, T* to, int64_t stride);

}  // namespace bouton::learn
