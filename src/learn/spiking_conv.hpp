#pragma once
// The convolution of images of spikes, pooled by the greatest: every spike adds the weights it reaches, and the way
// back goes only through what was the greatest in its window.

#include <cstdint>
#include <vector>

#include "learn/spikes.hpp"
#include "learn/vectors.hpp"

namespace bouton::learn {

// Images lie with their channels innermost: entry (y * width + x) * channels + c. `inner` is what the
// convolution gives, [inner_height, inner_width, row], `pooled` what is left of it: windows of `pool` x `pool` side by
// side, 1: none. row: padded(outputs).
struct ConvShape {
  int64_t height = 0, width = 0, channels = 0;  // of the spikes
  int64_t outputs = 0;                          // channels that come out
  int64_t kernel = 1, stride = 1, padding = 0, pool = 1;

  [[nodiscard]] int64_t entries() const { return height * width * channels; }
  [[nodiscard]] int64_t taps() const { return kernel * kernel * channels; }  // (dy, dx, c)
  [[nodiscard]] int64_t inner_height() const { return (height + 2 * padding - kernel) / stride + 1; }
  [[nodiscard]] int64_t inner_width() const { return (width + 2 * padding - kernel) / stride + 1; }
  [[nodiscard]] int64_t inner() const { return inner_height() * inner_width(); }
  [[nodiscard]] int64_t pooled_height() const { return inner_height() / pool; }
  [[nodiscard]] int64_t pooled_width() const { return inner_width() / pool; }
  [[nodiscard]] int64_t pooled() const { return pooled_height() * pooled_width(); }
};

// What the spikes of one pixel reach: `rows` x `columns` pixels of inner, the first through tap `tap` (and the
// channel), each next one through the tap a stride on and a pixel back.
struct Reach {
  int32_t pixel = 0, tap = 0, rows = 0, columns = 0;
};
[[nodiscard]] std::vector<Reach> reaches_of(const ConvShape& shape);  // [height * width]

// inner += the convolution of one image of bits. weight: [taps, row].
template <typename T>
void add_convolution(const ConvShape& shape, const Reach* reaches, const uint64_t* image, const T* weight, T* inner);
// grad_weight [taps, row] += what one image of bits and the gradient of inner give.
template <typename T>
void add_weight_gradient(const ConvShape& shape, const Reach* reaches, const uint64_t* image, const T* grad_inner,
                         T* grad_weight);

// y [pooled, row] = the greatest over each window of inner, the first of equals; position [pooled, row] says which.
template <typename T>
void pool_greatest(const ConvShape& shape, const T* inner, T* y, uint8_t* position);
// grad_inner = grad_y at the greatest, else 0.
template <typename T>
void spread_gradient(const ConvShape& shape, const T* grad_y, const uint8_t* position, T* grad_inner);

// The gradient of an image from that of its pooled convolution, through the greatest alone.
template <typename T>
class PooledAdjoint {
 public:
  // weight: [taps, padded(outputs)].
  PooledAdjoint(const ConvShape& shape, const T* weight);
  // image [entries] is overwritten.
  void operator()(const T* grad_y, const uint8_t* position, T* image) const;

 private:
  // A pixel of inner that is the `position` of its window, and the corner of its patch in the image with its padding.
  struct Place {
    int32_t pixel = 0, position = 0;
    int64_t corner = 0;
  };

  ConvShape shape_;
  int64_t image_row_;           // of the image with its padding
  int64_t vectors_, passes_;    // of a patch, whose rows are filled up to whole vectors, at once; until all is done
  Lines<T> weight_;             // [passes, outputs, vectors]
  std::vector<int64_t> parts_;  // [passes, vectors]: where each vector of a patch lies from its corner on
  std::vector<Place> places_;   // column by column, so that what was just stored is not loaded again across its bounds
};

// patches [inner, taps] of an image of numbers, zero in the padding; and the sum of patches back into an image, which
// is overwritten.
template <typename T>
void take_patches(const ConvShape& shape, const T* image, T* patches);
template <typename T>
void add_patches(const ConvShape& shape, const T* patches, T* image);

}  // namespace bouton::learn
