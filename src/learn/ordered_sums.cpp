#include "learn/ordered_sums.hpp"

#include <algorithm>

namespace bouton::learn {

void add_ordered(const float* from, const float* weight, const int64_t* order, int64_t inputs, int64_t outputs,
                 float* to) {
  for (int64_t i = 0; i < inputs; ++i) {
    const int64_t input = order ? order[i] : i;
    const float value = from[input];
    const float* row = weight + input * outputs;
    for (int64_t j = 0; j < outputs; ++j) to[j] += value * row[j];
  }
}

void convolve_ordered(const float* image, const float* weight, const float* bias, const Window& w, float* sums,
                      float* to) {
  const int64_t area = w.height * w.width, out_area = w.out_height * w.out_width;
  for (int64_t oy = 0; oy < w.out_height; ++oy) {
    for (int64_t ox = 0; ox < w.out_width; ++ox) {
      if (bias) {
        std::copy_n(bias, w.outputs, sums);
      } else {
        std::fill_n(sums, w.outputs, 0.0F);
      }
      for (int64_t ky = 0; ky < w.kernel; ++ky) {
        const int64_t y = oy * w.stride + ky - w.padding;
        if (y < 0 || y >= w.height) continue;
        for (int64_t kx = 0; kx < w.kernel; ++kx) {
          const int64_t x = ox * w.stride + kx - w.padding;
          if (x < 0 || x >= w.width) continue;
          for (int64_t c = 0; c < w.channels; ++c) {
            const float value = image[c * area + y * w.width + x];
            const float* row = weight + ((ky * w.kernel + kx) * w.channels + c) * w.outputs;
            for (int64_t o = 0; o < w.outputs; ++o) sums[o] += value * row[o];
          }
        }
      }
      for (int64_t o = 0; o < w.outputs; ++o) to[o * out_area + oy * w.out_width + ox] = sums[o];
    }
  }
}

void average_ordered(const float* image, const Window& w, float* to) {
  for (int64_t c = 0; c < w.channels; ++c, image += w.height * w.width) {
    for (int64_t oy = 0; oy < w.out_height; ++oy) {
      for (int64_t ox = 0; ox < w.out_width; ++ox) {
        float sum = 0;
        for (int64_t k = 0; k < w.kernel * w.kernel; ++k)
          sum += image[(oy * w.stride + k / w.kernel) * w.width + ox * w.stride + k % w.kernel];
        *to++ = sum / static_cast<float>(w.kernel * w.kernel);
      }
    }
  }
}

}  // namespace bouton::learn
