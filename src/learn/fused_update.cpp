#include "learn/fused_update.hpp"

#include <array>
#include <cmath>

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

// One object file runs on every x86-64 and still uses the widest vectors the processor has.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define BOUTON_WIDEST                                                             \
  __attribute__((target_clones("default", "arch=haswell", "arch=skylake-avx512"), \
                 optimize("O3", "no-math-errno", "no-trapping-math")))
#else
#define BOUTON_WIDEST
#endif

namespace bouton::learn {
namespace {

// Templates cannot be cloned by target, so each scalar type has its function; the body is written once.
#define BOUTON_ADAM(name, T, root)                                                                                     \
  BOUTON_WIDEST void name(T* __restrict parameter, const T* __restrict gradient, T* __restrict first,                  \
                          T* __restrict second, int64_t count, T rate, T beta1, T beta2, T root_correction, T epsilon, \
                          T scale, T l2, T keep) {                                                                     \
    for (int64_t i = 0; i < count; ++i) {                                                                              \
      const T p = parameter[i];                                                                                        \
      const T g = gradient[i] * scale + l2 * p;                                                                        \
      const T m = first[i] + (g - first[i]) * (1 - beta1);                                                             \
      const T v = second[i] * beta2 + g * g * (1 - beta2);                                                             \
      first[i] = m;                                                                                                    \
      second[i] = v;                                                                                                   \
      parameter[i] = p * keep - rate * m / (root(v) * root_correction + epsilon);                                      \
    }                                                                                                                  \
  }
BOUTON_ADAM(adam_float, float, std::sqrt)
BOUTON_ADAM(adam_double, double, std::sqrt)

#define BOUTON_SGD(name, T)                                                                                     \
  BOUTON_WIDEST void name(T* __restrict parameter, const T* __restrict gradient, T* __restrict velocity,        \
                          int64_t count, T rate, T momentum, T scale, T l2) {                                   \
    for (int64_t i = 0; i < count; ++i) {                                                                       \
      const T g = gradient[i] * scale + l2 * parameter[i];                                                      \
      const T v = velocity[i] * momentum + g;                                                                   \
      velocity[i] = v;                                                                                          \
      parameter[i] -= rate * v;                                                                                 \
    }                                                                                                           \
  }                                                                                                             \
  BOUTON_WIDEST void name##_plain(T* __restrict parameter, const T* __restrict gradient, int64_t count, T rate, \
                                  T scale, T l2) {                                                              \
    for (int64_t i = 0; i < count; ++i) parameter[i] -= rate * (gradient[i] * scale + l2 * parameter[i]);       \
  }
BOUTON_SGD(sgd_float, float)
BOUTON_SGD(sgd_double, double)

// Sixteen partial sums in double: a fixed order that vectorises.
#define BOUTON_SQUARES(name, T)                                                   \
  BOUTON_WIDEST double name(const T* values, int64_t count) {                     \
    std::array<double, 16> sums{};                                                \
    int64_t i = 0;                                                                \
    for (; i + 16 <= count; i += 16) {                                            \
      for (std::size_t k = 0; k < 16; ++k) {                                      \
        const double value = values[i + static_cast<int64_t>(k)];                 \
        sums[k] += value * value;                                                 \
      }                                                                           \
    }                                                                             \
    for (; i < count; ++i) sums[0] += static_cast<double>(values[i]) * values[i]; \
    double total = 0;                                                             \
    for (const double sum : sums) total += sum;                                   \
    return total;                                                                 \
  }
BOUTON_SQUARES(squares_float, float)
BOUTON_SQUARES(squares_double, double)

#if defined(__AVX512F__)
// The same with the reciprocal and the reciprocal root from the processor's estimates and one Newton step each
// (relative error under 1e-7): the division and root units would take longer than memory does.
void adam_wide(float* parameter, const float* gradient, float* first, float* second, int64_t count, const AdamStep& s) {
  const __m512 beta1 = _mm512_set1_ps(static_cast<float>(1 - s.beta1)),
               beta2 = _mm512_set1_ps(static_cast<float>(s.beta2));
  const __m512 fresh = _mm512_set1_ps(static_cast<float>(1 - s.beta2)),
               scale = _mm512_set1_ps(static_cast<float>(s.gradient_scale));
  const __m512 l2 = _mm512_set1_ps(static_cast<float>(s.l2)), keep = _mm512_set1_ps(static_cast<float>(s.keep));
  const __m512 correction = _mm512_set1_ps(static_cast<float>(s.root_correction)),
               epsilon = _mm512_set1_ps(static_cast<float>(s.epsilon));
  const __m512 rate = _mm512_set1_ps(static_cast<float>(s.rate)), tiny = _mm512_set1_ps(1e-36F);
  // A weight whose input is rarely there lets its moments decay into denormal numbers, each of which costs the
  // processor a hundred cycles: they count as zero here.
  const unsigned mode = _mm_getcsr();
  _mm_setcsr(mode | 0x8040U);  // flush to zero, denormals are zero
  const __m512 half = _mm512_set1_ps(0.5F), three_halves = _mm512_set1_ps(1.5F), two = _mm512_set1_ps(2);
  for (int64_t i = 0; i < count; i += 16) {
    const auto lanes = static_cast<__mmask16>(count - i >= 16 ? 0xffff : (1 << (count - i)) - 1);
    const __m512 p = _mm512_maskz_loadu_ps(lanes, parameter + i);
    const __m512 g = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(lanes, gradient + i), scale, _mm512_mul_ps(l2, p));
    __m512 m = _mm512_maskz_loadu_ps(lanes, first + i);
    m = _mm512_fmadd_ps(_mm512_sub_ps(g, m), beta1, m);
    const __m512 v =
        _mm512_fmadd_ps(_mm512_mul_ps(g, g), fresh, _mm512_mul_ps(_mm512_maskz_loadu_ps(lanes, second + i), beta2));
    _mm512_mask_storeu_ps(first + i, lanes, m);
    _mm512_mask_storeu_ps(second + i, lanes, v);
    const __m512 safe = _mm512_max_ps(v, tiny);
    __m512 root = _mm512_rsqrt14_ps(safe);
    root = _mm512_mul_ps(root, _mm512_fnmadd_ps(_mm512_mul_ps(half, safe), _mm512_mul_ps(root, root), three_halves));
    const __m512 divisor = _mm512_fmadd_ps(_mm512_mul_ps(safe, root), correction, epsilon);
    __m512 inverse = _mm512_rcp14_ps(divisor);
    inverse = _mm512_mul_ps(inverse, _mm512_fnmadd_ps(divisor, inverse, two));
    const __m512 moved = _mm512_fnmadd_ps(_mm512_mul_ps(rate, m), inverse, _mm512_mul_ps(p, keep));
    _mm512_mask_storeu_ps(parameter + i, lanes, moved);
  }
  _mm_setcsr(mode);
}
#endif

}  // namespace

template <>
void adam_update<float>(float* parameter, const float* gradient, float* first, float* second, int64_t count,
                        const AdamStep& s) {
#if defined(__AVX512F__)
  return adam_wide(parameter, gradient, first, second, count, s);
#endif
  adam_float(parameter, gradient, first, second, count, static_cast<float>(s.rate), static_cast<float>(s.beta1),
             static_cast<float>(s.beta2), static_cast<float>(s.root_correction), static_cast<float>(s.epsilon),
             static_cast<float>(s.gradient_scale), static_cast<float>(s.l2), static_cast<float>(s.keep));
}

template <>
void adam_update<double>(double* parameter, const double* gradient, double* first, double* second, int64_t count,
                         const AdamStep& s) {
  adam_double(parameter, gradient, first, second, count, s.rate, s.beta1, s.beta2, s.root_correction, s.epsilon,
              s.gradient_scale, s.l2, s.keep);
}

template <>
void sgd_update<float>(float* parameter, const float* gradient, float* velocity, int64_t count, const SgdStep& s) {
  const auto rate = static_cast<float>(s.rate), scale = static_cast<float>(s.gradient_scale),
             l2 = static_cast<float>(s.l2);
  if (!velocity) return sgd_float_plain(parameter, gradient, count, rate, scale, l2);
  sgd_float(parameter, gradient, velocity, count, rate, static_cast<float>(s.momentum), scale, l2);
}

template <>
void sgd_update<double>(double* parameter, const double* gradient, double* velocity, int64_t count, const SgdStep& s) {
  if (!velocity) return sgd_double_plain(parameter, gradient, count, s.rate, s.gradient_scale, s.l2);
  sgd_double(parameter, gradient, velocity, count, s.rate, s.momentum, s.gradient_scale, s.l2);
}

template <>
double sum_of_squares<float>(const float* values, int64_t count) {
  return squares_float(values, count);
}
template <>
double sum_of_squares<double>(const double* values, int64_t count) {
  return squares_double(values, count);
}

}  // namespace bouton::learn
