#pragma once
// Products that touch the weights of active inputs alone, in sums of one order: what is there first, then the inputs by
// their index, each product rounded and then each sum (docs/decisions/0006-ordered-sums.md).

#include <cstddef>
#include <cstdint>

#include "bouton/runtime/runtime_file.hpp"

namespace bouton::runtime {

// Every array of floats between layers may be read and written this far beyond its end.
inline constexpr int64_t slack = 16;

// Bytes rounded up to what keeps the next array on a line of the cache of its own.
[[nodiscard]] constexpr std::size_t aligned(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

// Inputs that are not zero, by index.
struct Active {
  uint32_t* index = nullptr;
  float* value = nullptr;
  int64_t count = 0;
  void push(int64_t i, float x) {
    index[count] = static_cast<uint32_t>(i);
    value[count++] = x;
  }
};

// Appends the numbers of x [size] that are not zero.
void find_active(const float* x, int64_t size, Active& active);

// A matrix in the memory of a network: rows of whole vectors, or, sparse, rows of bits before packed values.
class Rows {
 public:
  explicit Rows(const Matrix& matrix);
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  // Copies the matrix to `memory`, 64-byte aligned, of bytes() bytes.
  void place(const Matrix& matrix, std::byte* memory);

  // out[j] += value * row[j] over all active inputs, in their order. out: [outputs] with slack.
  void add(const Active& active, float* out) const;
  // The same for one input.
  void add(int64_t row, float value, float* out) const;

  [[nodiscard]] int64_t inputs() const { return inputs_; }
  [[nodiscard]] int64_t outputs() const { return outputs_; }

 private:
  void add_dense(const Active& active, float* out) const;
  void add_sparse(const Active& active, float* out) const;
  void add_sparse(int64_t row, float value, float* out) const;

  int64_t inputs_, outputs_, stride_;  // stride: floats of a dense row, words of a sparse one
  bool sparse_;
  int64_t blocks_;  // of a sparse row: see begin_
  bool thin_;       // so few weights that they are faster one by one than in vectors
  std::size_t bytes_ = 0;
  const float* values_ = nullptr;
  const uint64_t* kept_ = nullptr;   // [inputs, stride]
  const uint64_t* begin_ = nullptr;  // [inputs, blocks_]: where the values of four words of a row begin
};

// A convolution by its active inputs. Images are [height, width, channels].
class Taps {
 public:
  explicit Taps(const Convolution& conv)
      : input_(conv.input),
        output_(conv.output()),
        kernel_(conv.kernel),
        stride_(conv.stride),
        padding_(conv.padding) {}
  // Adds the convolution of `in` to `out`. active: room for channels * kernel * kernel.
  void add(const Rows& weights, const float* in, Active active, float* out) const;

 private:
  void spread(const Rows& weights, const float* in, float* out) const;                  // from each active input
  void collect(const Rows& weights, const float* in, Active active, float* out) const;  // to each output
  ImageShape input_, output_;
  int64_t kernel_, stride_, padding_;
};

}  // namespace bouton::runtime
