#include "learn/fused_update.hpp"

#include <array>
#include <cmath>

// One object file runs on every x86-64 and still uses the widest vectors the processor has.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define BOUTON_WIDEST __attribute__((target_clones("default", "arch=haswell", "arch=skylake-avx512"), optimize("O3", "no-math-errno", "no-trapping-math")))
#else
#define BOUTON_WIDEST
#endif

namespace bouton::learn {
namespace {

// Templates cannot be cloned by target, so each scalar type has its function; the body is written once.
#define BOUTON_ADAM(name, T, root)                                                                                                    \
  BOUTON_WIDEST void name(T* __restrict parameter, const T* __restrict gradient, T* __restrict first, T* __restrict second,            \
                          int64_t count, T rate, T beta1, T beta2, T root_correction, T epsilon, T scale, T l2, T keep) {               \
    for (int64_t i = 0; i < count; ++i) {                                                                                              \
      const T p = parameter[i];                                                                                                        \
      const T g = gradient[i] * scale + l2 * p;                                                                                        \
      const T m = first[i] + (g - first[i]) * (1 - beta1);                                                                             \
      const T v = second[i] * beta2 + g * g * (1 - beta2);                                                                             \
      first[i] = m;                                                                                                                    \
      second[i] = v;                                                                                                                   \
      parameter[i] = p * keep - rate * m / (root(v) * root_correction + epsilon);                                                      \
    }                                                                                                                                  \
  }
BOUTON_ADAM(adam_float, float, std::sqrt)
BOUTON_ADAM(adam_double, double, std::sqrt)

#define BOUTON_SGD(name, T)                                                                                                           \
  BOUTON_WIDEST void name(T* __restrict parameter, const T* __restrict gradient, T* __restrict velocity, int64_t count, T rate,        \
                          T momentum, T scale, T l2) {                                                                                 \
    for (int64_t i = 0; i < count; ++i) {                                                                                              \
      const T g = gradient[i] * scale + l2 * parameter[i];                                                                             \
      const T v = velocity[i] * momentum + g;                                                                                          \
      velocity[i] = v;                                                                                                                 \
      parameter[i] -= rate * v;                                                                                                        \
    }                                                                                                                                  \
  }                                                                                                                                    \
  BOUTON_WIDEST void name##_plain(T* __restrict parameter, const T* __restrict gradient, int64_t count, T rate, T scale, T l2) {       \
    for (int64_t i = 0; i < count; ++i) parameter[i] -= rate * (gradient[i] * scale + l2 * parameter[i]);                              \
  }
BOUTON_SGD(sgd_float, float)
BOUTON_SGD(sgd_double, double)

// Sixteen partial sums in double: a fixed order that vectorises.
#define BOUTON_SQUARES(name, T)                                                     \
  BOUTON_WIDEST double name(const T* values, int64_t count) {                       \
    std::array<double, 16> sums{};                                                  \
    int64_t i = 0;                                                                  \
    for (; i + 16 <= count; i += 16) {                                              \
      for (std::size_t k = 0; k < 16; ++k) {                                        \
        const double value = values[i + static_cast<int64_t>(k)];                   \
        sums[k] += value * value;                                                   \
      }                                                                             \
    }                                                                               \
    for (; i < count; ++i) sums[0] += static_cast<double>(values[i]) * values[i];   \
    double total = 0;                                                               \
    for (const double sum : sums) total += sum;                                     \
    return total;                                                                   \
  }
BOUTON_SQUARES(squares_float, float)
BOUTON_SQUARES(squares_double, double)

}  // namespace

template <>
void adam_update<float>(float* parameter, const float* gradient, float* first, float* second, int64_t count, const AdamStep& s) {
  adam_float(parameter, gradient, first, second, count, static_cast<float>(s.rate), static_cast<float>(s.beta1),
             static_cast<float>(s.beta2), static_cast<float>(s.root_correction), static_cast<float>(s.epsilon),
             static_cast<float>(s.gradient_scale), static_cast<float>(s.l2), static_cast<float>(s.keep));
}

template <>
void adam_update<double>(double* parameter, const double* gradient, double* first, double* second, int64_t count, const AdamStep& s) {
  adam_double(parameter, gradient, first, second, count, s.rate, s.beta1, s.beta2, s.root_correction, s.epsilon, s.gradient_scale, s.l2, s.keep);
}

template <>
void sgd_update<float>(float* parameter, const float* gradient, float* velocity, int64_t count, const SgdStep& s) {
  const auto rate = static_cast<float>(s.rate), scale = static_cast<float>(s.gradient_scale), l2 = static_cast<float>(s.l2);
  if (!velocity) return sgd_float_plain(parameter, gradient, count, rate, scale, l2);
  sgd_float(parameter, gradient, velocity, count, rate, static_cast<float>(s.momentum), scale, l2);
}

template <>
void sgd_update<double>(double* parameter, const double* gradient, double* velocity, int64_t count, const SgdStep& s) {
  if (!velocity) return sgd_double_plain(parameter, gradient, count, s.rate, s.gradient_scale, s.l2);
  sgd_double(parameter, gradient, velocity, count, s.rate, s.momentum, s.gradient_scale, s.l2);
}

template <>
double sum_of_squares<float>(const float* values, int64_t count) { return squares_float(values, count); }
template <>
double sum_of_squares<double>(const double* values, int64_t count) { return squares_double(values, count); }

}  // namespace bouton::learn
