#include "learn/spiking_conv.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <type_traits>
#include <utility>

#if defined(__AVX512BW__)
#include <immintrin.h>
#endif

namespace bouton::learn {
namespace {

constexpr int most_vectors = 10;  // of a patch at once: more weights than these keep would not stay in the cache
constexpr int64_t most_channels_out = 64;  // whose positions fit a word

// Calls body(reach, channel) for every spike of an image that reaches anything.
template <typename Body>
void for_spikes(const ConvShape& shape, const Reach* reaches, const uint64_t* image, const Body& body) {
  const auto channels = static_cast<uint32_t>(shape.channels);
  for (int64_t w = 0; w < words_of(shape.entries()); ++w) {
    for (uint64_t word = image[w]; word != 0; word &= word - 1) {
      const auto entry = static_cast<uint32_t>(w * 64 + std::countr_zero(word));
      const uint32_t pixel = entry / channels;
      body(reaches[pixel], entry - pixel * channels);
    }
  }
}

// Rows of columns of stretches: `vectors` vectors at `from` are added to those at `to`, then both go on by a column,
// and after the last column by a row. Not inlined, or the compiler runs out of registers for all that surrounds it.
struct Strides {
  int64_t column = 0, row = 0;
};
template <typename T, int vectors>
__attribute__((noinline)) void add_stretches(const T* from, Strides from_next, T* to, Strides to_next, int64_t rows,
                                             int64_t columns) {
  constexpr int64_t lanes = Wide<T>::lanes;
  for (; rows > 0; --rows, from += from_next.row, to += to_next.row) {
    const T* source = from;
    T* target = to;
    for (int64_t i = columns; i > 0; --i, source += from_next.column, target += to_next.column) {
      BOUTON_WRITTEN_OUT
      for (int v = 0; v < vectors; ++v) vector_at(target + v * lanes) += vector_at(source + v * lanes);
    }
  }
}

// Over the weights from a spike's first tap on, and over the pixels of inner that they reach.
template <typename T>
std::pair<Strides, Strides> strides_of(const ConvShape& shape) {
  const int64_t row = padded<T>(shape.outputs), tap = shape.channels * row;
  return {{.column = shape.stride * tap, .row = shape.stride * shape.kernel * tap},
          {.column = -row, .row = -shape.inner_width() * row}};
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
  const int64_t y = pixel / shape.inner_width() * shape.stride - shape.padding;
  const int64_t x = pixel % shape.inner_width() * shape.stride - shape.padding;
  const int64_t first = std::max<int64_t>(0, -x), last = std::min(shape.kernel, shape.width - x);
  for (int64_t dy = std::max<int64_t>(0, -y); dy < std::min(shape.kernel, shape.height - y); ++dy) {
    if (first < last) {
      body((dy * shape.kernel + first) * shape.channels, ((y + dy) * shape.width + x + first) * shape.channels,
           (last - first) * shape.channels);
    }
  }
}

// A vector of whole numbers below 256 as bytes, and back.
template <typename Whole>
void store_bytes(Whole values, uint8_t* bytes) {
  constexpr int lanes = sizeof(Whole) / sizeof(values[0]);
  typedef uint8_t Bytes __attribute__((vector_size(lanes)));
  const Bytes narrow = __builtin_convertvector(values, Bytes);
  std::memcpy(bytes, &narrow, lanes);
}
template <typename Whole>
Whole load_bytes(const uint8_t* bytes) {
  constexpr int lanes = sizeof(Whole) / sizeof(Whole{}[0]);
  typedef uint8_t Bytes __attribute__((vector_size(lanes)));
  Bytes narrow;
  std::memcpy(&narrow, bytes, lanes);
  return __builtin_convertvector(narrow, Whole);
}

// Which of the first `count` positions are k, as bits.
uint64_t positions_equal(const uint8_t* position, int64_t count, uint8_t k) {
#if defined(__AVX512BW__)
  const __mmask64 some = count < 64 ? (__mmask64{1} << count) - 1 : ~__mmask64{0};
  return _mm512_mask_cmpeq_epi8_mask(some, _mm512_maskz_loadu_epi8(some, position),
                                     _mm512_set1_epi8(static_cast<char>(k)));
#else
  uint64_t bits = 0;
  for (int64_t i = 0; i < count; ++i) bits |= static_cast<uint64_t>(position[i] == k) << i;
  return bits;
#endif
}

// Adds sum over the bits of gradient * weight[bit] to the vectors of an image at `parts`.
template <typename T, int vectors>
void add_patch(uint64_t bits, const T* gradient, const T* weight, const int64_t* parts, T* image) {
  constexpr int64_t lanes = Wide<T>::lanes;
  typename Wide<T>::vec sum[vectors] = {};
  for (; bits != 0; bits &= bits - 1) {
    const int64_t c = std::countr_zero(bits);
    const T scale = gradient[c];
    const T* const row = weight + c * vectors * lanes;
    BOUTON_WRITTEN_OUT
    for (int v = 0; v < vectors; ++v) sum[v] += scale * vector_at(row + v * lanes);
  }
  BOUTON_WRITTEN_OUT
  for (int v = 0; v < vectors; ++v) vector_at(image + parts[v]) += sum[v];
}

}  // namespace

std::vector<Reach> reaches_of(const ConvShape& shape) {
  // Along one direction: taps d = first, first + stride, ... such that (at - d) / stride is a pixel of inner.
  struct Stretch {
    int32_t tap = 0, pixel = 0, count = 0;
  };
  const auto stretch_of = [&](int64_t at, int64_t inner) {
    int64_t first = at % shape.stride;
    while (first < shape.kernel && (at - first) / shape.stride >= inner) first += shape.stride;
    const int64_t last = std::min(shape.kernel - 1, at);
    const int64_t count = first > last ? 0 : (last - first) / shape.stride + 1;
    return Stretch{static_cast<int32_t>(first), static_cast<int32_t>((at - first) / shape.stride),
                   static_cast<int32_t>(count)};
  };
  std::vector<Reach> reaches;
  for (int64_t y = 0; y < shape.height; ++y) {
    const Stretch down = stretch_of(y + shape.padding, shape.inner_height());
    for (int64_t x = 0; x < shape.width; ++x) {
      const Stretch across = stretch_of(x + shape.padding, shape.inner_width());
      const bool any = down.count > 0 && across.count > 0;
      reaches.push_back({.pixel = any ? static_cast<int32_t>(down.pixel * shape.inner_width() + across.pixel) : 0,
                         .tap = any ? static_cast<int32_t>((down.tap * shape.kernel + across.tap) * shape.channels) : 0,
                         .rows = any ? down.count : 0,
                         .columns = across.count});
    }
  }
  return reaches;
}

template <typename T>
void add_convolution(const ConvShape& shape, const Reach* reaches, const uint64_t* image, const T* weight, T* inner) {
  const int64_t row = padded<T>(shape.outputs);
  const auto [taps, pixels] = strides_of<T>(shape);
  for_columns<T>(row, [&, taps = taps, pixels = pixels]<int vectors>(int64_t column) {
    for_spikes(shape, reaches, image, [&](const Reach& reach, int64_t channel) {
      add_stretches<T, vectors>(weight + (reach.tap + channel) * row + column, taps, inner + reach.pixel * row + column,
                                pixels, reach.rows, reach.columns);
    });
  });
}

template <typename T>
void add_weight_gradient(const ConvShape& shape, const Reach* reaches, const uint64_t* image, const T* grad_inner,
                         T* grad_weight) {
  const int64_t row = padded<T>(shape.outputs);
  const auto [taps, pixels] = strides_of<T>(shape);
  for_columns<T>(row, [&, taps = taps, pixels = pixels]<int vectors>(int64_t column) {
    for_spikes(shape, reaches, image, [&](const Reach& reach, int64_t channel) {
      add_stretches<T, vectors>(grad_inner + reach.pixel * row + column, pixels,
                                grad_weight + (reach.tap + channel) * row + column, taps, reach.rows, reach.columns);
    });
  });
}

template <typename T>
void pool_greatest(const ConvShape& shape, const T* inner, T* y, uint8_t* position) {
  using vec = typename Wide<T>::vec;
  using Whole = decltype(vec{} < vec{});
  using whole = std::remove_cvref_t<decltype(Whole{}[0])>;
  constexpr int64_t lanes = Wide<T>::lanes;
  const int64_t row = padded<T>(shape.outputs), below = shape.inner_width() * row, pool = shape.pool;
  for_windows(shape, [=](int64_t first, int64_t pixel) {
    for (int64_t c = 0; c < row; c += lanes) {
      const T* from = inner + first * row + c;
      vec greatest = vector_at(from);
      Whole where = {};
      whole k = 0;
      for (int64_t dy = 0; dy < pool; ++dy, from += below) {
        for (int64_t dx = 0; dx < pool; ++dx, ++k) {
          const vec value = vector_at(from + dx * row);
          const auto more = value > greatest;
          where = more ? Whole{} + k : where;
          greatest = more ? value : greatest;
        }
      }
      vector_at(y + pixel * row + c) = greatest;
      store_bytes(where, position + pixel * row + c);
    }
  });
}

template <typename T>
void spread_gradient(const ConvShape& shape, const T* grad_y, const uint8_t* position, T* grad_inner) {
  using vec = typename Wide<T>::vec;
  using Whole = decltype(vec{} < vec{});
  using whole = std::remove_cvref_t<decltype(Whole{}[0])>;
  constexpr int64_t lanes = Wide<T>::lanes;
  const int64_t row = padded<T>(shape.outputs), below = shape.inner_width() * row, pool = shape.pool;
  if (shape.pooled_height() * pool < shape.inner_height() || shape.pooled_width() * pool < shape.inner_width())
    std::fill_n(grad_inner, shape.inner() * row, T{0});
  for_windows(shape, [=](int64_t first, int64_t pixel) {
    for (int64_t c = 0; c < row; c += lanes) {
      const vec gradient = vector_at(grad_y + pixel * row + c);
      const auto where = load_bytes<Whole>(position + pixel * row + c);
      T* to = grad_inner + first * row + c;
      whole k = 0;
      for (int64_t dy = 0; dy < pool; ++dy, to += below) {
        for (int64_t dx = 0; dx < pool; ++dx, ++k) vector_at(to + dx * row) = where == Whole{} + k ? gradient : vec{};
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
  passes_ = (all + most_vectors - 1) / most_vectors;
  vectors_ = (all + passes_ - 1) / passes_;
  weight_.resize(passes_ * shape.outputs * vectors_ * lanes);
  std::fill_n(weight_.data(), weight_.size(), T{0});
  parts_.assign(static_cast<std::size_t>(passes_ * vectors_), 0);
  for (int64_t unit = 0; unit < all; ++unit) {
    const int64_t dy = unit / row_vectors, first = unit % row_vectors * lanes;
    parts_[static_cast<std::size_t>(unit)] = dy * image_row_ + first;
    for (int64_t o = 0; o < shape.outputs; ++o) {
      for (int64_t i = 0; i < std::min(lanes, row - first); ++i) {
        const int64_t place = ((unit / vectors_ * shape.outputs + o) * vectors_ + unit % vectors_) * lanes + i;
        weight_.data()[place] = weight[(dy * row + first + i) * width + o];
      }
    }
  }
  for (int64_t x = 0; x < shape.pooled_width() * shape.pool; ++x) {
    for (int64_t y = 0; y < shape.pooled_height() * shape.pool; ++y) {
      places_.push_back({.pixel = static_cast<int32_t>(y / shape.pool * shape.pooled_width() + x / shape.pool),
                         .position = static_cast<int32_t>(y % shape.pool * shape.pool + x % shape.pool),
                         .corner = shape.stride * (y * image_row_ + x * shape.channels)});
    }
  }
}

template <typename T>
void PooledAdjoint<T>::operator()(const T* grad_y, const uint8_t* position, T* image) const {
  constexpr int64_t lanes = Wide<T>::lanes;
  const int64_t row = padded<T>(shape_.outputs), height = shape_.height + 2 * shape_.padding;
  // The image with its padding; the last vector of a patch may reach beyond its end, with zeros.
  const int64_t size = height * image_row_ + lanes;
  T* const framed = thread_memory<T, 3>(size);
  std::fill_n(framed, size, T{0});
  const auto run = [&]<int vectors>() {
    for (int64_t pass = 0; pass < passes_; ++pass) {
      const T* const weight = weight_.data() + pass * shape_.outputs * vectors * lanes;
      const int64_t* const parts = parts_.data() + pass * vectors;
      for (int64_t c = 0; c < shape_.outputs; c += most_channels_out) {
        const int64_t count = std::min(most_channels_out, shape_.outputs - c);
        for (const Place& place : places_) {
          const int64_t at = place.pixel * row + c;
          const uint64_t bits = positions_equal(position + at, count, static_cast<uint8_t>(place.position));
          add_patch<T, vectors>(bits, grad_y + at, weight + c * vectors * lanes, parts, framed + place.corner);
        }
      }
    }
  };
  [&]<int... v>(std::integer_sequence<int, v...>) {
    ((vectors_ == v + 1 ? run.template operator()<v + 1>() : void()), ...);
  }
  (std::make_integer_sequence<int, most_vectors>{});
  const int64_t inside = shape_.width * shape_.channels;
  for (int64_t y = 0; y < shape_.height; ++y) {
    const auto from = framed + (y + shape_.padding) * image_row_ + shape_.padding * shape_.channels;
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

#define BOUTON_SPIKING_CONV(T)                                                                         \
  template void add_convolution<T>(const ConvShape&, const Reach*, const uint64_t*, const T*, T*);     \
  template void add_weight_gradient<T>(const ConvShape&, const Reach*, const uint64_t*, const T*, T*); \
  template void pool_greatest<T>(const ConvShape&, const T*, T*, uint8_t*);                            \
  template void spread_gradient<T>(const ConvShape&, const T*, const uint8_t*, T*);                    \
  template class PooledAdjoint<T>;                                                                     \
  template void take_patches<T>(const ConvShape&, const T*, T*);                                       \
  template void add_patches<T>(const ConvShape&, const T*, T*);
BOUTON_SPIKING_CONV(float)
BOUTON_SPIKING_CONV(double)

}  // namespace bouton::learn
