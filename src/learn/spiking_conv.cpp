#include "learn/spiking_conv.hpp"

#include <algorithm>
#include <array>
#include <bit>

#include "learn/vectors.hpp"

namespace bouton::learn {
namespace {

constexpr int64_t most_channels_out = 64;  // whose positions fit a word

// Up to 64 bits from `first` on.
uint64_t bits_from(const uint64_t* words, int64_t first, int64_t count) {
  const int64_t word = first / 64, shift = first % 64;
  uint64_t bits = words[word] >> shift;
  if (shift + count > 64) bits |= words[word + 1] << (64 - shift);
  return count < 64 ? bits & ((uint64_t{1} << count) - 1) : bits;
}

// What a spike reaches: `rows` x `columns` pixels of inner, the first with the tap named, each next one a tap on and a
// pixel back.
struct Reach {
  int64_t pixel = 0, tap = 0, rows = 0, columns = 0;
};

// Calls body(reach) for every spike of an image that reaches anything.
template <typename Body>
void for_spikes(const ConvShape& shape, const uint64_t* image, const Body& body) {
  const int64_t channels = shape.channels, height = shape.inner_height(), width = shape.inner_width();
  int64_t entry = 0;
  for (int64_t y = shape.padding; y < shape.height + shape.padding; ++y) {
    const int64_t dy = std::max<int64_t>(0, y - height + 1), rows = std::min(shape.kernel - 1, y) - dy + 1;
    for (int64_t x = shape.padding; x < shape.width + shape.padding; ++x, entry += channels) {
      for (int64_t c = 0; c < channels; c += 64) {
        uint64_t bits = bits_from(image, entry + c, std::min<int64_t>(64, channels - c));
        if (bits == 0) continue;
        const int64_t dx = std::max<int64_t>(0, x - width + 1), columns = std::min(shape.kernel - 1, x) - dx + 1;
        if (rows <= 0 || columns <= 0) continue;
        const int64_t pixel = (y - dy) * width + x - dx, tap = (dy * shape.kernel + dx) * channels + c;
        for (; bits != 0; bits &= bits - 1) body(Reach{pixel, tap + std::countr_zero(bits), rows, columns});
      }
    }
  }
}

// For every spike and what it reaches: the weights are added to inner, or inner to the weights.
template <typename T, int vectors, bool forward>
void add_reached(const ConvShape& shape, const uint64_t* image, T* weight, T* inner) {
  constexpr int64_t lanes = Wide<T>::lanes;
  const int64_t row = padded<T>(shape.outputs), next_row = shape.inner_width() * row;
  const int64_t next_tap = shape.channels * row, next_taps = shape.kernel * next_tap;
  for_spikes(shape, image, [=](const Reach& reach) {
    T* weights = weight + reach.tap * row;
    T* pixels = inner + reach.pixel * row;
    for (int64_t dy = 0; dy < reach.rows; ++dy, weights += next_taps, pixels -= next_row) {
      T *w = weights, *p = pixels;
      for (int64_t dx = 0; dx < reach.columns; ++dx, w += next_tap, p -= row) {
        T* const to = forward ? p : w;
        const T* const from = forward ? w : p;
        for (int v = 0; v < vectors; ++v) vector_at(to + v * lanes) += vector_at(from + v * lanes);
      }
    }
  });
}

// Calls body(first pixel of inner, pixel of pooled) for every window.
template <typename Body>
void for_windows(const ConvShape& shape, const Body& body) {
  for (int64_t y = 0; y < shape.pooled_height(); ++y) {
    for (int64_t x = 0; x < shape.pooled_width(); ++x)
      body(y * shape.pool * shape.inner_width() + x * shape.pool, y * shape.pooled_width() + x);
  }
}

// Calls body(tap of the first entry, entry of the image, count) for each stretch of a patch that lies within the image.
template <typename Body>
void for_stretches(const ConvShape& shape, int64_t pixel, const Body& body) {
  const int64_t y = pixel / shape.inner_width() - shape.padding, x = pixel % shape.inner_width() - shape.padding;
  const int64_t first = std::max<int64_t>(0, -x), last = std::min(shape.kernel, shape.width - x);
  for (int64_t dy = std::max<int64_t>(0, -y); dy < std::min(shape.kernel, shape.height - y); ++dy) {
    if (first < last) {
      body((dy * shape.kernel + first) * shape.channels, ((y + dy) * shape.width + x + first) * shape.channels,
           (last - first) * shape.channels);
    }
  }
}

// Which of the first `count` positions are k, as bits.
uint64_t positions_equal(const uint8_t* position, int64_t count, uint8_t k) {
  uint64_t bits = 0;
  typedef uint8_t bytes __attribute__((vector_size(64), aligned(1), may_alias));
  if (count == 64) {
    const bytes equal = *reinterpret_cast<const bytes*>(position) == k;
    for (int i = 0; i < 64; ++i) bits |= static_cast<uint64_t>(equal[i] & 1) << i;
    return bits;
  }
  for (int64_t i = 0; i < count; ++i) bits |= static_cast<uint64_t>(position[i] == k) << i;
  return bits;
}

// Adds sum over the bits of gradient * weight[bit] to the vectors of an image at `places`.
template <typename T, int vectors>
void add_patch(uint64_t bits, const T* gradient, const T* weight, const int64_t* places, T* image) {
  constexpr int64_t lanes = Wide<T>::lanes;
  typename Wide<T>::vec sum[vectors] = {};
  for (; bits != 0; bits &= bits - 1) {
    const int64_t c = std::countr_zero(bits);
    const T scale = gradient[c];
    const T* const row = weight + c * vectors * lanes;
    for (int v = 0; v < vectors; ++v) sum[v] += scale * vector_at(row + v * lanes);
  }
  for (int v = 0; v < vectors; ++v) vector_at(image + places[v]) += sum[v];
}

}  // namespace

template <typename T>
void add_convolution(const ConvShape& shape, const uint64_t* image, const T* weight, T* inner) {
  for_columns<T>(padded<T>(shape.outputs), [&]<int vectors>(int64_t column) {
    add_reached<T, vectors, true>(shape, image, const_cast<T*>(weight) + column, inner + column);
  });
}

template <typename T>
void add_weight_gradient(const ConvShape& shape, const uint64_t* image, const T* grad_inner, T* grad_weight) {
  for_columns<T>(padded<T>(shape.outputs), [&]<int vectors>(int64_t column) {
    add_reached<T, vectors, false>(shape, image, grad_weight + column, const_cast<T*>(grad_inner) + column);
  });
}

template <typename T>
void pool_greatest(const ConvShape& shape, const T* inner, T* y, uint8_t* position) {
  const int64_t row = padded<T>(shape.outputs), below = shape.inner_width() * row;
  constexpr int64_t some = 64 / sizeof(T);  // a padded row is a whole number of these
  for_windows(shape, [&](int64_t first, int64_t pixel) {
    for (int64_t c = 0; c < row; c += some) {
      const T* const corner = inner + first * row + c;
      T greatest[some], where[some] = {};
      std::copy_n(corner, some, greatest);
      for (int64_t k = 1; k < shape.pool * shape.pool; ++k) {
        const T* const value = corner + k / shape.pool * below + k % shape.pool * row;
        for (int64_t i = 0; i < some; ++i) {
          where[i] = value[i] > greatest[i] ? static_cast<T>(k) : where[i];
          greatest[i] = value[i] > greatest[i] ? value[i] : greatest[i];
        }
      }
      std::copy_n(greatest, some, y + pixel * row + c);
      for (int64_t i = 0; i < some; ++i)
        position[pixel * row + c + i] = static_cast<uint8_t>(static_cast<int>(where[i]));
    }
  });
}

template <typename T>
void spread_gradient(const ConvShape& shape, const T* grad_y, const uint8_t* position, T* grad_inner) {
  const int64_t row = padded<T>(shape.outputs), below = shape.inner_width() * row;
  if (shape.pooled_height() * shape.pool < shape.inner_height() ||
      shape.pooled_width() * shape.pool < shape.inner_width())
    std::fill_n(grad_inner, shape.inner() * row, T{0});
  constexpr int64_t some = 64 / sizeof(T);
  for_windows(shape, [&](int64_t first, int64_t pixel) {
    for (int64_t c = 0; c < row; c += some) {
      T where[some];
      for (int64_t i = 0; i < some; ++i) where[i] = static_cast<T>(static_cast<int>(position[pixel * row + c + i]));
      const T* const from = grad_y + pixel * row + c;
      for (int64_t k = 0; k < shape.pool * shape.pool; ++k) {
        T* const to = grad_inner + first * row + k / shape.pool * below + k % shape.pool * row + c;
        for (int64_t i = 0; i < some; ++i) to[i] = where[i] == static_cast<T>(k) ? from[i] : T{0};
      }
    }
  });
}

template <typename T>
PooledAdjoint<T>::PooledAdjoint(const ConvShape& shape, const T* weight)
    : shape_(shape), image_row_((shape.width + 2 * shape.padding) * shape.channels) {
  constexpr int64_t lanes = Wide<T>::lanes;
  const int64_t row = shape.kernel * shape.channels, row_vectors = (row + lanes - 1) / lanes;
  const int64_t all = shape.kernel * row_vectors, width = padded<T>(shape.outputs);
  vectors_ = all <= 4 ? 4 : all <= 8 ? 8 : all <= 12 ? 12 : all <= 16 ? 16 : 20;
  passes_ = (all + vectors_ - 1) / vectors_;
  weight_.assign(static_cast<std::size_t>(passes_ * shape.outputs * vectors_ * lanes), T{0});
  places_.assign(static_cast<std::size_t>(passes_ * vectors_), 0);
  for (int64_t unit = 0; unit < all; ++unit) {
    const int64_t dy = unit / row_vectors, first = unit % row_vectors * lanes;
    places_[static_cast<std::size_t>(unit)] = dy * image_row_ + first;
    for (int64_t o = 0; o < shape.outputs; ++o) {
      for (int64_t i = 0; i < std::min(lanes, row - first); ++i) {
        const int64_t place = ((unit / vectors_ * shape.outputs + o) * vectors_ + unit % vectors_) * lanes + i;
        weight_[static_cast<std::size_t>(place)] = weight[(dy * row + first + i) * width + o];
      }
    }
  }
}

template <typename T>
void PooledAdjoint<T>::operator()(const T* grad_y, const uint8_t* position, T* image) const {
  constexpr int64_t lanes = Wide<T>::lanes;
  const int64_t row = padded<T>(shape_.outputs), height = shape_.height + 2 * shape_.padding;
  // The image with its padding; the last vector of a patch may reach beyond its end, with zeros.
  thread_local std::vector<T> framed;
  framed.assign(static_cast<std::size_t>(height * image_row_ + lanes), T{0});
  const auto run = [&]<int vectors>() {
    for (int64_t pass = 0; pass < passes_; ++pass) {
      const T* const weight = weight_.data() + pass * shape_.outputs * vectors * lanes;
      const int64_t* const places = places_.data() + pass * vectors;
      for_windows(shape_, [&](int64_t first, int64_t pixel) {
        for (int64_t c = 0; c < shape_.outputs; c += most_channels_out) {
          const int64_t count = std::min(most_channels_out, shape_.outputs - c);
          for (int64_t k = 0; k < shape_.pool * shape_.pool; ++k) {
            const uint64_t bits = positions_equal(position + pixel * row + c, count, static_cast<uint8_t>(k));
            const int64_t at = first + k / shape_.pool * shape_.inner_width() + k % shape_.pool;
            T* const corner =
                framed.data() + at / shape_.inner_width() * image_row_ + at % shape_.inner_width() * shape_.channels;
            add_patch<T, vectors>(bits, grad_y + pixel * row + c, weight + c * vectors * lanes, places, corner);
          }
        }
      });
    }
  };
  switch (vectors_) {
    case 4:
      run.template operator()<4>();
      break;
    case 8:
      run.template operator()<8>();
      break;
    case 12:
      run.template operator()<12>();
      break;
    case 16:
      run.template operator()<16>();
      break;
    default:
      run.template operator()<20>();
      break;
  }
  const int64_t inside = shape_.width * shape_.channels;
  for (int64_t y = 0; y < shape_.height; ++y) {
    const auto from = framed.begin() + (y + shape_.padding) * image_row_ + shape_.padding * shape_.channels;
    std::copy(from, from + inside, image + y * inside);
  }
}

template <typename T>
void take_patches(const ConvShape& shape, const T* image, T* patches) {
  for (int64_t pixel = 0; pixel < shape.inner(); ++pixel, patches += shape.taps()) {
    std::fill_n(patches, shape.taps(), T{0});
    for_stretches(shape, pixel,
                  [&](int64_t tap, int64_t entry, int64_t count) { std::copy_n(image + entry, count, patches + tap); });
  }
}

template <typename T>
void add_patches(const ConvShape& shape, const T* patches, T* image) {
  std::fill_n(image, shape.entries(), T{0});
  for (int64_t pixel = 0; pixel < shape.inner(); ++pixel, patches += shape.taps()) {
    for_stretches(shape, pixel, [&](int64_t tap, int64_t entry, int64_t count) {
      for (int64_t i = 0; i < count; ++i) image[entry + i] += patches[tap + i];
    });
  }
}

#define BOUTON_SPIKING_CONV(T)                                                           \
  template void add_convolution<T>(const ConvShape&, const uint64_t*, const T*, T*);     \
  template void add_weight_gradient<T>(const ConvShape&, const uint64_t*, const T*, T*); \
  template void pool_greatest<T>(const ConvShape&, const T*, T*, uint8_t*);              \
  template void spread_gradient<T>(const ConvShape&, const T*, const uint8_t*, T*);      \
  template class PooledAdjoint<T>;                                                       \
  template void take_patches<T>(const ConvShape&, const T*, T*);                         \
  template void add_patches<T>(const ConvShape&, const T*, T*);
BOUTON_SPIKING_CONV(float)
BOUTON_SPIKING_CONV(double)

}  // namespace bouton::learn
