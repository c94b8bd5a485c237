#include "learn/projection.hpp"

#include <algorithm>

#include "learn/dense.hpp"
#include "learn/vectors.hpp"

namespace bouton::learn {
namespace {

using torch::Tensor;

ActiveLists& thread_lists() {
  thread_local ActiveLists lists;
  return lists;
}

template <typename T>
class DenseProjection final : public Projection<T> {
 public:
  DenseProjection(const Tensor& weight, const Tensor& bias)
      : weight_(weight.detach().contiguous()),
        bias_(bias.defined() ? bias.detach().contiguous() : Tensor()),
        in_(weight.size(1)),
        out_(weight.size(0)),
        width_(padded<T>(out_)),
        transposed_(at::empty({in_, width_}, weight_.options())) {
    transpose_padded(weight_.data_ptr<T>(), out_, in_, transposed_.template data_ptr<T>(), width_);
  }

  [[nodiscard]] int64_t inputs() const override { return in_; }
  [[nodiscard]] int64_t channels() const override { return out_; }
  [[nodiscard]] int64_t gradient_size() const override { return (in_ + 1) * width_; }

  void forward(const SpikeBlock<T>& block, T* y, uint8_t*) const override {
    const int64_t rows = block.bits.rows;
    const bool biased = bias_.defined();
    if (biased) {
      for (int64_t r = 0; r < rows; ++r) {
        std::copy_n(bias_.data_ptr<T>(), out_, y + r * width_);
        std::fill_n(y + r * width_ + out_, width_ - out_, T{0});
      }
    }
    if (worth_gathering(block.active, rows * in_)) {
      list_rows(block.bits, thread_lists());
      gather_add(thread_lists(), transposed_.template data_ptr<T>(), width_, biased, y);
    } else {
      multiply<T>(false, false, rows, width_, in_, numbers(block), transposed_.template data_ptr<T>(), biased ? 1 : 0,
                  y);
    }
  }

  // The sum is [in + 1, outputs]: the transposed weights' gradient, then the biases'.
  void add_weight_gradient(const SpikeBlock<T>& block, const T* grad_y, const uint8_t*, T* sum) const override {
    const int64_t rows = block.bits.rows;
    if (worth_gathering(block.active, rows * in_)) {
      add_transposed_product(block.bits, grad_y, width_, sum);
    } else {
      multiply<T>(true, false, in_, width_, rows, numbers(block), grad_y, 1, sum);
    }
    T* const bias = sum + in_ * width_;
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < width_; ++c) bias[c] += grad_y[r * width_ + c];
    }
  }

  void spike_gradient(int64_t rows, const T* grad_y, const uint8_t*, T* grad_spikes) const override {
    if (width_ != out_) {  // the product wants its rows without gaps
      T* const whole = thread_memory<T, 0>(rows * out_);
      for (int64_t r = 0; r < rows; ++r) std::copy_n(grad_y + r * width_, out_, whole + r * out_);
      grad_y = whole;
    }
    multiply<T>(false, false, rows, in_, out_, grad_y, weight_.data_ptr<T>(), 0, grad_spikes);
  }

  [[nodiscard]] std::pair<Tensor, Tensor> gradients(const T* sum) const override {
    Tensor weight = at::empty_like(weight_), bias;
    T* const to = weight.data_ptr<T>();
    constexpr int64_t block = 16;
    for (int64_t n0 = 0; n0 < in_; n0 += block) {
      const int64_t n1 = std::min(in_, n0 + block);
      for (int64_t o = 0; o < out_; ++o) {
        for (int64_t n = n0; n < n1; ++n) to[o * in_ + n] = sum[n * width_ + o];
      }
    }
    if (bias_.defined()) {
      bias = at::empty_like(bias_);
      std::copy_n(sum + in_ * width_, out_, bias.data_ptr<T>());
    }
    return {weight, bias};
  }

 private:
  static const T* numbers(const SpikeBlock<T>& block) {
    if (block.values) return block.values;
    T* const values = thread_memory<T, 0>(block.bits.rows * block.bits.width);
    unpack_spikes(block.bits, values);
    return values;
  }

  Tensor weight_, bias_;
  int64_t in_, out_, width_;
  Tensor transposed_;  // [in, outputs]
};

}  // namespace

template <typename T>
std::shared_ptr<const Projection<T>> make_projection(const ProjectionSpec& spec, const Tensor& weight,
                                                     const Tensor& bias) {
  if (spec.conv) return conv_projection<T>(*spec.conv, weight, bias);
  return std::make_shared<DenseProjection<T>>(weight, bias);
}

template std::shared_ptr<const Projection<float>> make_projection<float>(const ProjectionSpec&, const Tensor&,
                                                                         const Tensor&);
template std::shared_ptr<const Projection<double>> make_projection<double>(const ProjectionSpec&, const Tensor&,
                                                                           const Tensor&);

}  // namespace bouton::learn
