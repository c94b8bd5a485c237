#include "runtime/products.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

#ifdef __AVX512F__
#include <immintrin.h>
#endif

namespace bouton::runtime {
namespace {

constexpr int64_t width = 16;  // floats in a vector: one AVX-512 register, or what the compiler makes of it
typedef float vector __attribute__((vector_size(width * 4), aligned(4), may_alias));
typedef int32_t vector_mask __attribute__((vector_size(width * 4)));

constexpr int64_t whole_vectors(int64_t floats) { return (floats + width - 1) / width * width; }

// N vectors of outputs stay in registers while the active inputs go by.
template <int N>
void add_block(const Active& active, const float* rows, int64_t stride, float* out) {
  vector sum[N];
  for (int n = 0; n < N; ++n) sum[n] = *reinterpret_cast<const vector*>(out + n * width);
  for (int64_t i = 0; i < active.count; ++i) {
    const float* row = rows + active.index[i] * stride;
    const float value = active.value[i];
    for (int n = 0; n < N; ++n) sum[n] += value * *reinterpret_cast<const vector*>(row + n * width);
  }
  for (int n = 0; n < N; ++n) *reinterpret_cast<vector*>(out + n * width) = sum[n];
}

constexpr int64_t block_words = 4;  // of a sparse row: as many outputs as there are registers for, at best

#ifdef __AVX512F__
struct SparseRows {
  const uint64_t *kept, *begin;
  int64_t stride, blocks;  // words and beginnings of a row
  const float* values;
};

// N vectors of outputs stay in registers while the active inputs go by: their rows' values are spread by the bits.
template <int N>
void add_sparse_block(const Active& active, const SparseRows& rows, float* out) {
  __m512 sum[N];
  for (int n = 0; n < N; ++n) sum[n] = _mm512_loadu_ps(out + n * width);
  for (int64_t i = 0; i < active.count; ++i) {
    const int64_t row = active.index[i];
    const uint64_t* words = rows.kept + row * rows.stride;
    const float* from = rows.values + rows.begin[row * rows.blocks];
    const __m512 x = _mm512_set1_ps(active.value[i]);
#pragma GCC unroll 16
    for (int n = 0; n < N; ++n) {
      const auto some = static_cast<uint16_t>(words[n / 4] >> (16 * (n % 4)));
      sum[n] = _mm512_add_ps(sum[n], _mm512_mul_ps(x, _mm512_maskz_expand_ps(some, _mm512_loadu_ps(from))));
      from += std::popcount(some);
    }
  }
  for (int n = 0; n < N; ++n) _mm512_storeu_ps(out + n * width, sum[n]);
}

using AddBlock = void (*)(const Active&, const SparseRows&, float*);
template <int... N>
constexpr std::array<AddBlock, sizeof...(N)> blocks_of(std::integer_sequence<int, N...>) {
  return {add_sparse_block<N + 1>...};
}
constexpr auto add_sparse_blocks = blocks_of(std::make_integer_sequence<int, 4 * block_words>{});
#endif

bool any_active(const float* x) {
  const vector_mask set = *reinterpret_cast<const vector*>(x) != vector{};
  uint64_t words[width / 2];
  std::memcpy(words, &set, sizeof words);
  uint64_t any = 0;
  for (const uint64_t word : words) any |= word;
  return any != 0;
}

}  // namespace

void find_active(const float* x, int64_t size, Active& active) {
  for (int64_t first = 0; first < size; first += width) {
    if (!any_active(x + first)) continue;
    const int64_t end = std::min(first + width, size);
    for (int64_t i = first; i < end; ++i) {
      active.index[active.count] = static_cast<uint32_t>(i);
      active.value[active.count] = x[i];
      active.count += x[i] != 0;
    }
  }
}

Rows::Rows(const Matrix& matrix)
    : inputs_(matrix.inputs),
      outputs_(matrix.outputs),
      stride_(matrix.sparse() ? (matrix.outputs + 63) / 64 : whole_vectors(matrix.outputs)),
      sparse_(matrix.sparse()),
      blocks_((stride_ + block_words - 1) / block_words),
      thin_(12 * static_cast<int64_t>(matrix.values.size()) < inputs_ * outputs_) {
  const auto cells = static_cast<std::size_t>(inputs_ * stride_);
  if (sparse_) {
    bytes_ = aligned(cells * 8) + aligned(static_cast<std::size_t>(inputs_ * blocks_) * 8) +
             aligned((matrix.values.size() + slack) * sizeof(float));
  } else {
    bytes_ = aligned((cells + slack) * sizeof(float));
  }
}

void Rows::place(const Matrix& matrix, std::byte* memory) {
  const auto outputs = static_cast<std::size_t>(outputs_);
  if (!sparse_) {
    auto* to = reinterpret_cast<float*>(memory);
    values_ = to;
    for (int64_t i = 0; i < inputs_; ++i)
      std::memcpy(to + i * stride_, matrix.values.data() + static_cast<std::size_t>(i) * outputs,
                  outputs * sizeof(float));
    return;
  }
  auto* kept = reinterpret_cast<uint64_t*>(memory);
  memory += aligned(static_cast<std::size_t>(inputs_ * stride_) * 8);
  auto* begin = reinterpret_cast<uint64_t*>(memory);
  memory += aligned(static_cast<std::size_t>(inputs_ * blocks_) * 8);
  auto* values = reinterpret_cast<float*>(memory);
  if (!matrix.values.empty()) std::memcpy(values, matrix.values.data(), matrix.values.size() * sizeof(float));
  const std::size_t bytes = (outputs + 7) / 8;
  uint64_t before = 0;
  for (int64_t i = 0; i < inputs_; ++i) {
    for (std::size_t b = 0; b < bytes; ++b) {
      if (b % (8 * block_words) == 0) begin[i * blocks_ + static_cast<int64_t>(b) / (8 * block_words)] = before;
      const uint64_t bits = matrix.kept[static_cast<std::size_t>(i) * bytes + b];
      kept[i * stride_ + static_cast<int64_t>(b / 8)] |= bits << (8 * (b % 8));
      before += static_cast<uint64_t>(std::popcount(bits));
    }
  }
  kept_ = kept;
  begin_ = begin;
  values_ = values;
}

void Rows::add_dense(const Active& active, float* out) const {
  int64_t j = 0;
  for (; j + 4 * width <= stride_; j += 4 * width) add_block<4>(active, values_ + j, stride_, out + j);
  for (; j + 2 * width <= stride_; j += 2 * width) add_block<2>(active, values_ + j, stride_, out + j);
  for (; j < stride_; j += width) add_block<1>(active, values_ + j, stride_, out + j);
}

void Rows::add_sparse(int64_t row, float value, float* out) const {
  const float* from = values_ + begin_[row * blocks_];
  const uint64_t* words = kept_ + row * stride_;
  for (int64_t w = 0; w < stride_; ++w, out += 64)
    for (uint64_t bits = words[w]; bits != 0; bits &= bits - 1) out[std::countr_zero(bits)] += value * *from++;
}

void Rows::add_sparse(const Active& active, float* out) const {
#ifdef __AVX512F__
  for (int64_t b = thin_ ? blocks_ : 0; b < blocks_; ++b) {
    const int64_t first = 64 * block_words * b, rest = (outputs_ - first + width - 1) / width;
    const auto vectors = static_cast<std::size_t>(std::min(rest, 4 * block_words));
    const SparseRows rows{kept_ + block_words * b, begin_ + b, stride_, blocks_, values_};
    add_sparse_blocks[vectors - 1](active, rows, out + first);
  }
  if (!thin_) return;
#endif
  for (int64_t i = 0; i < active.count; ++i) add_sparse(active.index[i], active.value[i], out);
}

void Rows::add(const Active& active, float* out) const { sparse_ ? add_sparse(active, out) : add_dense(active, out); }

void Rows::add(int64_t row, float value, float* out) const {
  if (sparse_) return add_sparse(row, value, out);
  const float* from = values_ + row * stride_;
  for (int64_t j = 0; j < stride_; j += width) {
    // What lies beyond the row's end adds zero to what follows in memory.
    *reinterpret_cast<vector*>(out + j) += value * *reinterpret_cast<const vector*>(from + j);
  }
}

void Taps::add(const Rows& weights, const float* in, Active active, float* out) const {
  int64_t count = 0;
  for (int64_t i = 0; i < input_.size(); ++i) count += in[i] != 0;
  // Both sum in the same order; which is faster depends on how many inputs are silent.
  if (4 * count < input_.size()) {
    spread(weights, in, out);
  } else {
    collect(weights, in, active, out);
  }
}

// The outputs o whose window covers position i: o * stride = i + padding - k for some k in [0, kernel).
struct Reach {
  int64_t first, last;
};
static Reach reach(int64_t i, int64_t padding, int64_t kernel, int64_t stride, int64_t outputs) {
  const int64_t end = i + padding, begin = std::max<int64_t>(0, end - kernel + 1);
  return {(begin + stride - 1) / stride, std::min(end / stride, outputs - 1)};
}

void Taps::spread(const Rows& weights, const float* in, float* out) const {
  const int64_t channels = input_.channels, area = kernel_ * kernel_;
  for (int64_t y = 0; y < input_.height; ++y) {
    const Reach rows = reach(y, padding_, kernel_, stride_, output_.height);
    for (int64_t x = 0; x < input_.width; ++x) {
      const Reach columns = reach(x, padding_, kernel_, stride_, output_.width);
      const float* pixel = in + (y * input_.width + x) * channels;
      for (int64_t c = 0; c < channels; ++c) {
        if (c % width == 0 && !any_active(pixel + c)) {
          c += width - 1;
          continue;
        }
        if (pixel[c] == 0) continue;
        for (int64_t oy = rows.first; oy <= rows.last; ++oy) {
          const int64_t ky = y + padding_ - oy * stride_;
          for (int64_t ox = columns.first; ox <= columns.last; ++ox) {
            const int64_t kx = x + padding_ - ox * stride_;
            weights.add(c * area + ky * kernel_ + kx, pixel[c], out + (oy * output_.width + ox) * output_.channels);
          }
        }
      }
    }
  }
}

void Taps::collect(const Rows& weights, const float* in, Active active, float* out) const {
  const int64_t channels = input_.channels, area = kernel_ * kernel_;
  for (int64_t oy = 0; oy < output_.height; ++oy) {
    for (int64_t ox = 0; ox < output_.width; ++ox, out += output_.channels) {
      active.count = 0;
      for (int64_t ky = 0; ky < kernel_; ++ky) {
        const int64_t y = oy * stride_ + ky - padding_;
        if (y < 0 || y >= input_.height) continue;
        for (int64_t kx = 0; kx < kernel_; ++kx) {
          const int64_t x = ox * stride_ + kx - padding_;
          if (x < 0 || x >= input_.width) continue;
          const float* pixel = in + (y * input_.width + x) * channels;
          for (int64_t c = 0; c < channels; ++c)
            if (pixel[c] != 0) active.push(c * area + ky * kernel_ + kx, pixel[c]);
        }
      }
      weights.add(active, out);
    }
  }
}

}  // namespace bouton::runtime
