#include <algorithm>

#include "learn/dense.hpp"
#include "learn/projection.hpp"
#include "learn/vectors.hpp"

namespace bouton::learn {
namespace {

using torch::Tensor;

// The sum of weight gradients is [taps + 1, row]: the weights', ordered (dy, dx, c), then the biases'.
template <typename T>
class ConvProjection final : public Projection<T> {
 public:
  ConvProjection(const ConvShape& shape, const Tensor& weight, const Tensor& bias)
      : shape_(shape),
        row_(padded<T>(shape.outputs)),
        reaches_(reaches_of(shape)),
        bias_(at::zeros({row_}, weight.options().requires_grad(false))),
        weight_(at::zeros({shape.taps(), row_}, bias_.options())),
        biased_(bias.defined()) {
    if (biased_) std::copy_n(bias.detach().contiguous().template data_ptr<T>(), shape.outputs, bias_.data_ptr<T>());
    const Tensor given = weight.detach().contiguous();
    reorder([from = given.data_ptr<T>(), to = weight_.data_ptr<T>()](int64_t outside, int64_t inside) {
      to[inside] = from[outside];
    });
    if (shape.pool > 1) adjoint_ = std::make_unique<const PooledAdjoint<T>>(shape, weight_.data_ptr<T>());
  }

  [[nodiscard]] int64_t inputs() const override { return shape_.entries(); }
  [[nodiscard]] int64_t pixels() const override { return shape_.pooled(); }
  [[nodiscard]] int64_t channels() const override { return shape_.outputs; }
  [[nodiscard]] int64_t memory() const override { return shape_.pool > 1 ? shape_.pooled() * row_ : 0; }
  [[nodiscard]] int64_t gradient_size() const override { return (shape_.taps() + 1) * row_; }

  void forward(const SpikeBlock<T>& block, T* y, uint8_t* memory) const override {
    const bool sparse = few(block);
    for (int64_t r = 0; r < block.bits.rows; ++r, y += shape_.pooled() * row_, memory += this->memory()) {
      T* const inner = shape_.pool > 1 ? thread_memory<T, 0>(shape_.inner() * row_) : y;
      for (int64_t pixel = 0; pixel < shape_.inner(); ++pixel)
        std::copy_n(bias_.data_ptr<T>(), row_, inner + pixel * row_);
      if (sparse) {
        add_convolution(shape_, reaches_.data(), image(block, r), weight_.data_ptr<T>(), inner);
      } else {
        multiply<T>(false, false, shape_.inner(), row_, shape_.taps(), patches(block, r), weight_.data_ptr<T>(), 1,
                    inner);
      }
      if (shape_.pool > 1) pool_greatest(shape_, inner, y, memory);
    }
  }

  void add_weight_gradient(const SpikeBlock<T>& block, const T* grad_y, const uint8_t* memory, T* sum) const override {
    const bool sparse = few(block);
    T* const bias = sum + shape_.taps() * row_;
    for (int64_t r = 0; r < block.bits.rows; ++r, grad_y += shape_.pooled() * row_, memory += this->memory()) {
      const T* inner = grad_y;
      if (shape_.pool > 1) {
        T* const spread = thread_memory<T, 0>(shape_.inner() * row_);
        spread_gradient(shape_, grad_y, memory, spread);
        inner = spread;
      }
      if (sparse) {
        learn::add_weight_gradient(shape_, reaches_.data(), image(block, r), inner, sum);
      } else {
        multiply<T>(true, false, shape_.taps(), row_, shape_.inner(), patches(block, r), inner, 1, sum);
      }
      for (int64_t pixel = 0; pixel < shape_.pooled(); ++pixel) {
        for (int64_t c = 0; c < row_; ++c) bias[c] += grad_y[pixel * row_ + c];
      }
    }
  }

  void spike_gradient(int64_t rows, const T* grad_y, const uint8_t* memory, T* grad_spikes) const override {
    for (int64_t r = 0; r < rows; ++r, grad_y += shape_.pooled() * row_, memory += this->memory()) {
      T* const image = grad_spikes + r * shape_.entries();
      if (adjoint_) {
        (*adjoint_)(grad_y, memory, image);
      } else {
        T* const patches = thread_memory<T, 1>(shape_.inner() * shape_.taps());
        multiply<T>(false, true, shape_.inner(), shape_.taps(), row_, grad_y, weight_.data_ptr<T>(), 0, patches);
        add_patches(shape_, patches, image);
      }
    }
  }

  [[nodiscard]] std::pair<Tensor, Tensor> gradients(const T* sum) const override {
    Tensor weight = at::empty({shape_.outputs, shape_.channels, shape_.kernel, shape_.kernel}, bias_.options()), bias;
    reorder([sum, to = weight.data_ptr<T>()](int64_t outside, int64_t inside) { to[outside] = sum[inside]; });
    if (biased_) {
      bias = at::empty({shape_.outputs}, bias_.options());
      std::copy_n(sum + shape_.taps() * row_, shape_.outputs, bias.data_ptr<T>());
    }
    return {weight, bias};
  }

 private:
  // Calls body(place in [outputs, channels, kernel, kernel], place in [taps, row]) for every weight.
  template <typename Body>
  void reorder(const Body& body) const {
    const int64_t window = shape_.kernel * shape_.kernel;
    for (int64_t o = 0; o < shape_.outputs; ++o) {
      for (int64_t c = 0; c < shape_.channels; ++c) {
        for (int64_t k = 0; k < window; ++k)
          body((o * shape_.channels + c) * window + k, (k * shape_.channels + c) * row_ + o);
      }
    }
  }

  // Spikes reach a whole patch each, one after the other: that pays up to a fifth of the neurons.
  [[nodiscard]] bool few(const SpikeBlock<T>& block) const {
    return block.active * 5 < block.bits.rows * shape_.entries();
  }
  static const uint64_t* image(const SpikeBlock<T>& block, int64_t r) {
    return block.bits.words + r * block.bits.stride;
  }
  [[nodiscard]] const T* patches(const SpikeBlock<T>& block, int64_t r) const {
    const T* values = block.values ? block.values + r * shape_.entries() : nullptr;
    if (!values) {
      T* const unpacked = thread_memory<T, 2>(shape_.entries());
      unpack_spikes<T>({image(block, r), 1, shape_.entries(), block.bits.stride}, unpacked);
      values = unpacked;
    }
    T* const patches = thread_memory<T, 1>(shape_.inner() * shape_.taps());
    take_patches(shape_, values, patches);
    return patches;
  }

  ConvShape shape_;
  int64_t row_;
  std::vector<Reach> reaches_;
  Tensor bias_, weight_;  // [row]; [taps, row]
  bool biased_;
  std::unique_ptr<const PooledAdjoint<T>> adjoint_;
};

}  // namespace

template <typename T>
std::shared_ptr<const Projection<T>> conv_projection(const ConvShape& shape, const Tensor& weight, const Tensor& bias) {
  return std::make_shared<ConvProjection<T>>(shape, weight, bias);
}

template std::shared_ptr<const Projection<float>> conv_projection<float>(const ConvShape&, const Tensor&,
                                                                         const Tensor&);
template std::shared_ptr<const Projection<double>> conv_projection<double>(const ConvShape&, const Tensor&,
                                                                           const Tensor&);

}  // namespace bouton::learn
