#include "mechanisms/kernel_text.hpp"

// The emitted text keeps the layout it is given here.
// clang-format off
namespace bouton {

std::string_view kernel_preamble_text() {
  return R"cpp(
#if defined(__clang__)
#pragma STDC FP_CONTRACT ON
#endif
#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#elif defined(__AVX2__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif
#define INLINE static inline __attribute__((always_inline))
#define WIDTH (VECTOR_BYTES / (int)sizeof(real))

#if BOUTON_SINGLE
typedef int integer;
typedef unsigned natural;
#else
typedef long long integer;
typedef unsigned long long natural;
#endif
typedef real vec __attribute__((vector_size(VECTOR_BYTES), may_alias));
typedef real unaligned_vec __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(real)), may_alias));
typedef integer mask __attribute__((vector_size(VECTOR_BYTES), may_alias));

INLINE vec B(real x) { return x - vec{}; }
INLINE vec select(mask m, vec a, vec b) { return m ? a : b; }
// One instruction each, with the meaning of the comparison also where one of the two is not a number.
#if !defined(__clang__) && defined(__AVX512F__) && BOUTON_SINGLE
INLINE vec minimum(vec a, vec b) { return (vec)__builtin_ia32_minps512_mask(a, b, vec{}, (unsigned short)-1, 4); }
INLINE vec maximum(vec a, vec b) { return (vec)__builtin_ia32_maxps512_mask(a, b, vec{}, (unsigned short)-1, 4); }
#elif !defined(__clang__) && defined(__AVX512F__)
INLINE vec minimum(vec a, vec b) { return (vec)__builtin_ia32_minpd512_mask(a, b, vec{}, (unsigned char)-1, 4); }
INLINE vec maximum(vec a, vec b) { return (vec)__builtin_ia32_maxpd512_mask(a, b, vec{}, (unsigned char)-1, 4); }
#else
INLINE vec minimum(vec a, vec b) { return a < b ? a : b; }
INLINE vec maximum(vec a, vec b) { return a > b ? a : b; }
#endif
INLINE vec absolute(vec a) { return (vec)((mask)a & (integer)(~(natural)0 >> 1)); }
INLINE mask less(vec a, vec b) { return a < b; }
INLINE mask less_equal(vec a, vec b) { return a <= b; }
INLINE mask equal(vec a, vec b) { return a == b; }
INLINE mask both(mask a, mask b) { return a & b; }
INLINE mask either(mask a, mask b) { return a | b; }
INLINE mask negate(mask a) { return ~a; }
INLINE mask truth(bool x) { return (mask){} - (integer)x; }

// a*b + c, rounded once wherever the processor can: contraction is never left to the compiler's taste, so that the same
// step gives the same bits wherever it is inlined.
INLINE vec fma(vec a, vec b, vec c) {
#if defined(__clang__)
  return a * b + c;
#elif defined(__AVX512F__) && BOUTON_SINGLE
  return (vec)__builtin_ia32_vfmaddps512_mask(a, b, c, (unsigned short)-1, 4);
#elif defined(__AVX512F__)
  return (vec)__builtin_ia32_vfmaddpd512_mask(a, b, c, (unsigned char)-1, 4);
#elif defined(__AVX2__) && defined(__FMA__) && BOUTON_SINGLE
  return (vec)__builtin_ia32_vfmaddps256(a, b, c);
#elif defined(__AVX2__) && defined(__FMA__)
  return (vec)__builtin_ia32_vfmaddpd256(a, b, c);
#else
  return a * b + c;
#endif
}

// 1/a to the last bit or two, without the division unit where the processor has an estimate.
INLINE vec reciprocal(vec a) {
#if !defined(__clang__) && defined(__AVX512F__) && BOUTON_SINGLE
  const vec r = (vec)__builtin_ia32_rcp14ps512_mask(a, vec{}, (unsigned short)-1);
  return fma(fma(-a, r, B(1)), r, r);
#else
  return (real)1 / a;
#endif
}

INLINE vec sqrt(vec a) {
#if !defined(__clang__) && defined(__AVX512F__) && BOUTON_SINGLE
  return (vec)__builtin_ia32_sqrtps512_mask(a, a, (unsigned short)-1, 4);
#elif !defined(__clang__) && defined(__AVX512F__)
  return (vec)__builtin_ia32_sqrtpd512_mask(a, a, (unsigned char)-1, 4);
#else
  vec r;
  for (int i = 0; i < WIDTH; ++i) r[i] = BOUTON_SINGLE ? (real)__builtin_sqrtf((float)a[i]) : (real)__builtin_sqrt(a[i]);
  return r;
#endif
}

// Functions of the vector mathematics library where there is one, else lane by lane.
#if BOUTON_LIBMVEC && defined(__x86_64__)
#if VECTOR_BYTES == 64
#define VECTOR_NAME(f, v) _ZGVe##v##_##f
#elif VECTOR_BYTES == 32
#define VECTOR_NAME(f, v) _ZGVd##v##_##f
#else
#define VECTOR_NAME(f, v) _ZGVb##v##_##f
#endif
#if BOUTON_SINGLE && VECTOR_BYTES == 64
#define LANES(a) N16##a
#elif BOUTON_SINGLE && VECTOR_BYTES == 32 || !BOUTON_SINGLE && VECTOR_BYTES == 64
#define LANES(a) N8##a
#elif BOUTON_SINGLE || VECTOR_BYTES == 32
#define LANES(a) N4##a
#else
#define LANES(a) N2##a
#endif
#define VECTOR_NAME_(f, v) VECTOR_NAME(f, v)
#if BOUTON_SINGLE
#define LIBRARY(name, a) VECTOR_NAME_(name##f, LANES(a))
#else
#define LIBRARY(name, a) VECTOR_NAME_(name, LANES(a))
#endif
#define UNARY(name, f) \
  extern "C" vec LIBRARY(f, v)(vec); \
  INLINE vec name(vec a) { return LIBRARY(f, v)(a); }
extern "C" vec LIBRARY(pow, vv)(vec, vec);
INLINE vec power(vec a, vec b) { return LIBRARY(pow, vv)(a, b); }
#else
#if BOUTON_SINGLE
#define SCALAR(name) __builtin_##name##f
#else
#define SCALAR(name) __builtin_##name
#endif
#define UNARY(name, f) \
  INLINE vec name(vec a) { vec r; for (int i = 0; i < WIDTH; ++i) r[i] = SCALAR(f)(a[i]); return r; }
INLINE vec power(vec a, vec b) { vec r; for (int i = 0; i < WIDTH; ++i) r[i] = SCALAR(pow)(a[i], b[i]); return r; }
#endif
UNARY(log, log) UNARY(log1p, log1p) UNARY(log10, log10) UNARY(sin, sin) UNARY(cos, cos) UNARY(tan, tan)
UNARY(sinh, sinh) UNARY(cosh, cosh) UNARY(arcsin, asin) UNARY(arccos, acos) UNARY(arctan, atan) UNARY(erf, erf)

INLINE vec floor(vec a) {
  vec r;
  for (int i = 0; i < WIDTH; ++i) r[i] = (real)__builtin_floor((double)a[i]);
  return r;
}
INLINE vec ceil(vec a) { return -floor(-a); }

// exp(x) = 2^n (1 + p), p = expm1(r), r = x - n ln 2 in [-ln 2 / 2, ln 2 / 2]. In single precision a polynomial of least
// error, in double Taylor's.
struct Reduced { vec n, p; };
INLINE Reduced reduce(vec x) {
  const real shift = BOUTON_SINGLE ? (real)0x1.8p23 : (real)0x1.8p52;
  const vec n = fma(x, B((real)1.44269504088896340736), B(shift)) - shift;
#if BOUTON_SINGLE
  const vec r = fma(n, B(2.12194440e-4f), fma(n, B(-0.693359375f), x));
  const vec y = r * r;
  const vec low = fma(B(0.1666657697579495f), r, B(0.5f));
  const vec high = fma(B(1.3933650354190183e-3f), y, fma(B(8.3631801217092152e-3f), r, B(4.1666464914579489e-2f)));
  return {n, fma(fma(high, y, low), y, r)};
#else
  const vec r = fma(n, B(-1.90821492927058770002e-10), fma(n, B(-6.93147180369123816490e-01), x));
  vec q = B(1.0 / 6227020800.0);
  q = fma(q, r, B(1.0 / 479001600));
  q = fma(q, r, B(1.0 / 39916800));
  q = fma(q, r, B(1.0 / 3628800));
  q = fma(q, r, B(1.0 / 362880));
  q = fma(q, r, B(1.0 / 40320));
  q = fma(q, r, B(1.0 / 5040));
  q = fma(q, r, B(1.0 / 720));
  q = fma(q, r, B(1.0 / 120));
  q = fma(q, r, B(1.0 / 24));
  q = fma(q, r, B(1.0 / 6));
  q = fma(q, r, B(0.5));
  return {n, fma(r * r, q, r)};
#endif
}
#define LARGEST_EXPONENT (BOUTON_SINGLE ? (real)88.722839 : (real)709.782712893383973096)
#define SMALLEST_EXPONENT (BOUTON_SINGLE ? (real)-86.6 : (real)-707.7)

// 2^(n-1): half the power of two, so that the whole range up to overflow is reached.
INLINE vec half_power(vec n) {
  const real shift = BOUTON_SINGLE ? (real)0x1.8p23 : (real)0x1.8p52;
  const mask k = (mask)(n + shift) - (mask)B(shift);
#if BOUTON_SINGLE
  return (vec)((k + 126) << 23);
#else
  return (vec)((k + 1022) << 52);
#endif
}

INLINE vec exp(vec x) {
  const Reduced e = reduce(minimum(B(LARGEST_EXPONENT + 1), x));
#if !defined(__clang__) && defined(__AVX512F__) && BOUTON_SINGLE
  // One instruction scales, overflows to infinity, and leaves zero where the condition (not less) fails.
  const unsigned short some = __builtin_ia32_cmpps512_mask(x, B(SMALLEST_EXPONENT), 5, (unsigned short)-1, 4);
  return (vec)__builtin_ia32_scalefps512_mask(e.p + (real)1, e.n, vec{}, some, 4);
#elif !defined(__clang__) && defined(__AVX512F__)
  const unsigned char some = __builtin_ia32_cmppd512_mask(x, B(SMALLEST_EXPONENT), 5, (unsigned char)-1, 4);
  return (vec)__builtin_ia32_scalefpd512_mask(e.p + (real)1, e.n, vec{}, some, 4);
#else
  const vec half = half_power(e.n);
  const vec y = fma(half, e.p, half);
  return select(x < B(SMALLEST_EXPONENT), vec{}, y + y);
#endif
}
INLINE vec expm1(vec x) {
  const Reduced e = reduce(select(x < B(SMALLEST_EXPONENT), B(SMALLEST_EXPONENT), minimum(B(LARGEST_EXPONENT + 1), x)));
  const vec half = half_power(e.n);
  const vec y = fma(half, e.p, half - (real)0.5);
  return y + y;
}
INLINE vec sign(vec a) { return select(a > vec{}, B(1), select(a < vec{}, B(-1), vec{})); }

// The power of two 2^n, |n| well below the largest.
INLINE vec power_of_two(vec n) {
#if !defined(__clang__) && defined(__AVX512F__) && BOUTON_SINGLE
  return (vec)__builtin_ia32_scalefps512_mask(B(1), n, vec{}, (unsigned short)-1, 4);
#else
  const vec half = half_power(n);
  return half + half;
#endif
}

// Beyond the largest exponent the value is as good as zero, and the reciprocal wants a finite number.
INLINE vec sigmoid(vec x) { return reciprocal(exp(minimum(B(LARGEST_EXPONENT - 2), -x)) + (real)1); }
INLINE vec tanh(vec x) {
  const vec e = expm1((real)-2 * absolute(x));
  const vec t = e / (e + (real)2);
  return select(x < vec{}, t, -t);
}
INLINE vec softplus(vec x) { return maximum(x, vec{}) + log1p(exp(-absolute(x))); }

// Whether all lanes lie within (-1, 1).
INLINE bool all_small(vec x) {
#if !defined(__clang__) && defined(__AVX512F__) && BOUTON_SINGLE
  return __builtin_ia32_cmpps512_mask(absolute(x), B(1), 5, (unsigned short)-1, 4) == 0;
#elif !defined(__clang__) && defined(__AVX512F__)
  return __builtin_ia32_cmppd512_mask(absolute(x), B(1), 5, (unsigned char)-1, 4) == 0;
#else
  const mask large = ~(absolute(x) < B(1));
#if VECTOR_BYTES == 32 && BOUTON_SINGLE
  return __builtin_ia32_movmskps256((vec)large) == 0;
#elif VECTOR_BYTES == 32
  return __builtin_ia32_movmskpd256((vec)large) == 0;
#endif
  integer some = 0;
  for (int i = 0; i < WIDTH; ++i) some |= large[i];
  return some == 0;
#endif
}

// exprel(x) = (exp(x) - 1)/x and its derivative: polynomials of least error within (-1, 1), where rates times a time step
// nearly always lie; the rest is out of the way. Each lane's value depends on that lane alone.
__attribute__((noinline, cold)) static vec exprel_beyond(vec x, vec series) {
  return select(absolute(x) < B(1), series, expm1(x) / x);
}
INLINE vec exprel(vec x) {
#if BOUTON_SINGLE
  vec s = B(2.542885488502577e-05f);
  s = fma(s, x, B(2.0399517634415201e-04f));
  s = fma(s, x, B(1.3884166247673932e-03f));
  s = fma(s, x, B(8.3298294320208344e-03f));
  s = fma(s, x, B(4.1666798103549979e-02f));
  s = fma(s, x, B(0.16666736893567749f));
#else
  vec s = B(7.7604116177490284e-13);
  s = fma(s, x, B(1.1651309874417153e-11));
  s = fma(s, x, B(1.6057199272207799e-10));
  s = fma(s, x, B(2.0874041838692515e-09));
  s = fma(s, x, B(2.5052124011455321e-08));
  s = fma(s, x, B(2.7557339990277737e-07));
  s = fma(s, x, B(2.7557319150687833e-06));
  s = fma(s, x, B(2.4801587216571472e-05));
  s = fma(s, x, B(0.00019841269841456506));
  s = fma(s, x, B(0.001388888888906751));
  s = fma(s, x, B(0.0083333333333331008));
  s = fma(s, x, B(0.041666666666665013));
  s = fma(s, x, B(0.16666666666666669));
#endif
  s = fma(s, x, B((real)0.5));
  s = fma(s, x, B(1));
  return __builtin_expect(all_small(x), 1) ? s : exprel_beyond(x, s);
}
__attribute__((noinline, cold)) static vec exprel_slope_beyond(vec x, vec value, vec series) {
  return select(absolute(x) < B(1), series, (fma(x, value, B(1)) - value) / x);
}
INLINE vec exprel_slope(vec x, vec value) {
#if BOUTON_SINGLE
  vec s = B(2.2616200256761171e-05f);
  s = fma(s, x, B(1.7863653145194102e-04f));
  s = fma(s, x, B(1.1900467576797704e-03f));
  s = fma(s, x, B(6.9412899397660148e-03f));
  s = fma(s, x, B(3.3333452853243808e-02f));
  s = fma(s, x, B(0.12500063226587121f));
#else
  vec s = B(7.2761767378749131e-13);
  s = fma(s, x, B(1.087598036387876e-11));
  s = fma(s, x, B(1.4910227092761364e-10));
  s = fma(s, x, B(1.9268297003678455e-09));
  s = fma(s, x, B(2.2964447445466138e-08));
  s = fma(s, x, B(2.5052127931614359e-07));
  s = fma(s, x, B(2.4801587232356809e-06));
  s = fma(s, x, B(2.204585529916758e-05));
  s = fma(s, x, B(0.00017361111111287417));
  s = fma(s, x, B(0.0011904761904930033));
  s = fma(s, x, B(0.0069444444444442237));
  s = fma(s, x, B(0.033333333333331779));
  s = fma(s, x, B(0.125));
#endif
  s = fma(s, x, B((real)(1.0 / 3)));
  s = fma(s, x, B((real)0.5));
  return __builtin_expect(all_small(x), 1) ? s : exprel_slope_beyond(x, value, s);
}

// x/(exp(x) - 1) and its derivative, whose arguments are voltages over slopes: of any size, and now and then zero.
INLINE vec inverse_exprel(vec x) {
#if BOUTON_SINGLE
  const vec high = minimum(B(LARGEST_EXPONENT - 2), x);   // the value there is as good as zero
  const Reduced e = reduce(maximum(B(SMALLEST_EXPONENT), high));
  const vec whole = power_of_two(e.n);
  const vec value = high * reciprocal(fma(whole, e.p, whole - 1.0f));
  return select(absolute(x) < B(0x1p-12f), fma(x, B(-0.5f), B(1)), value);   // x^2/12 is less than half the last bit
#else
  return select(x == vec{}, B(1), x / expm1(x));
#endif
}
INLINE vec inverse_exprel_slope(vec x, vec value) {
  const vec direct = value * ((B(1) - x) - value) * reciprocal(x);
  const vec y = x * x;
#if BOUTON_SINGLE
  vec s = B((real)(1.0 / 5040));
#else
  vec s = B(1.0 / 5337446400.0);
  s = fma(s, y, B(-691.0 / 108972864000.0));
  s = fma(s, y, B(1.0 / 4790016));
  s = fma(s, y, B(-1.0 / 151200));
  s = fma(s, y, B(1.0 / 5040));
#endif
  s = fma(s, y, B((real)(-1.0 / 180)));
  s = fma(s, y, B((real)(1.0 / 6)));
  s = fma(s, x, B((real)-0.5));
  return select(absolute(x) < B((real)0.5), s, direct);
}

// The same where the exponential is known to the accuracy of a few operations: enough in single precision, whose
// arguments are rounded as coarsely. In double every function is computed for itself.
#if BOUTON_SINGLE
INLINE vec exp(vec, vec known) { return known; }
INLINE vec sigmoid(vec, vec known) { return reciprocal(minimum(B(1e37f), known) + 1.0f); }
INLINE vec inverse_exprel(vec x, vec known) {
  const vec value = minimum(B(LARGEST_EXPONENT - 2), x) * reciprocal(minimum(B(1e37f), known) - 1.0f);
  const vec y = x * x;
  vec s = fma(y, B((real)(1.0 / 30240)), B((real)(-1.0 / 720)));
  s = fma(s, y, B((real)(1.0 / 12)));
  s = fma(s, y, fma(x, B(-0.5f), B(1)));
  return select(absolute(x) < B(0.5f), s, value);   // where the difference would cancel
}
#else
INLINE vec exp(vec x, vec) { return exp(x); }
INLINE vec sigmoid(vec x, vec) { return sigmoid(x); }
INLINE vec inverse_exprel(vec x, vec) { return inverse_exprel(x); }
#endif

// Lane by lane from memory; `valid` lanes are there, the rest read as zero and are not written.
INLINE vec load(const real* p) { return *(const unaligned_vec*)p; }
INLINE void store(real* p, vec x) { *(unaligned_vec*)p = x; }
__attribute__((noinline, cold)) static vec load_partial(const real* p, long valid) {
  vec x = {};
  for (int i = 0; i < WIDTH; ++i) if (i < valid) x[i] = p[i];
  return x;
}
__attribute__((noinline, cold)) static void store_partial(real* p, vec x, long valid) {
  for (int i = 0; i < WIDTH; ++i) if (i < valid) p[i] = x[i];
}

// A unit Gaussian for (seed, lane, step, source): Philox 4x32-10 (Salmon et al. 2011), then Box and Muller.
typedef unsigned long long word __attribute__((vector_size(WIDTH * 8)));
INLINE vec gaussian(unsigned long long seed, long lane, long step, int source) {
  const unsigned long long low = 0xffffffffull;
  word c0, c1, c2, c3;
  for (int i = 0; i < WIDTH; ++i) c0[i] = (unsigned long long)(lane + i) & low;
  c1 = word{} + ((unsigned long long)step & low);
  c2 = word{} + (((unsigned long long)step >> 32) & low);
  c3 = word{} + (unsigned long long)source;
  unsigned long long k0 = seed & low, k1 = seed >> 32;
  for (int round = 0; round < 10; ++round) {
    const word p = c0 * 0xD2511F53ull, q = c2 * 0xCD9E8D57ull;
    c0 = (q >> 32) ^ c1 ^ k0;
    c1 = q & low;
    c2 = (p >> 32) ^ c3 ^ k1;
    c3 = p & low;
    k0 = (k0 + 0x9E3779B9ull) & low;
    k1 = (k1 + 0xBB67AE85ull) & low;
  }
  const vec u = fma(__builtin_convertvector(c0, vec), B((real)0x1p-32), B((real)0x1p-33));
  const vec angle = __builtin_convertvector(c1, vec) * (real)(0x1p-32 * 6.283185307179586477);
  return sqrt((real)-2 * log(minimum(u, B(1)))) * cos(angle);
}

// The same names for numbers, for what is computed once per neuron.
INLINE double select(bool m, double a, double b) { return m ? a : b; }
INLINE double minimum(double a, double b) { return a < b ? a : b; }
INLINE double maximum(double a, double b) { return a > b ? a : b; }
INLINE double absolute(double a) { return __builtin_fabs(a); }
INLINE bool less(double a, double b) { return a < b; }
INLINE bool less_equal(double a, double b) { return a <= b; }
INLINE bool equal(double a, double b) { return a == b; }
INLINE bool both(bool a, bool b) { return a && b; }
INLINE bool either(bool a, bool b) { return a || b; }
INLINE bool negate(bool a) { return !a; }
INLINE double fma(double a, double b, double c) { return __builtin_fma(a, b, c); }
INLINE double sqrt(double a) { return __builtin_sqrt(a); }
INLINE double power(double a, double b) { return __builtin_pow(a, b); }
#define NUMBER(name, f) INLINE double name(double a) { return __builtin_##f(a); }
NUMBER(exp, exp) NUMBER(expm1, expm1) NUMBER(log, log) NUMBER(log1p, log1p) NUMBER(log10, log10) NUMBER(sin, sin)
NUMBER(cos, cos) NUMBER(tan, tan) NUMBER(sinh, sinh) NUMBER(cosh, cosh) NUMBER(tanh, tanh) NUMBER(arcsin, asin)
NUMBER(arccos, acos) NUMBER(arctan, atan) NUMBER(erf, erf) NUMBER(floor, floor) NUMBER(ceil, ceil)
INLINE double sign(double a) { return a > 0 ? 1 : a < 0 ? -1 : 0; }
INLINE double sigmoid(double x) { return 1 / (1 + exp(-x)); }
INLINE double softplus(double x) { return maximum(x, 0) + log1p(exp(-absolute(x))); }
INLINE double exprel(double x) { return x == 0 ? 1 : expm1(x) / x; }
INLINE double inverse_exprel(double x) { return x == 0 ? 1 : x / expm1(x); }
static double exprel_slope(double x, double value) {
  if (absolute(x) >= 0.5) return (fma(x, value, 1) - value) / x;
  double term = 1, sum = 0;
  for (int n = 0; n < 16; ++n) {
    sum += term / (n + 2);
    term *= x / (n + 1);
  }
  return sum;
}
static double inverse_exprel_slope(double x, double value) {
  if (absolute(x) >= 0.5) return value * ((1 - x) - value) / x;
  const double y = x * x;
  return -0.5 + x * (1.0 / 6 + y * (-1.0 / 180 + y * (1.0 / 5040 + y * (-1.0 / 151200 + y * (1.0 / 4790016 +
         y * (-691.0 / 108972864000.0 + y * (1.0 / 5337446400.0)))))));
}
)cpp";
}

std::string_view kernel_spike_text() {
  return R"cpp(
// A spike's value and effect. Hard: a choice, so that what overflowed on the way to the threshold is simply replaced.
// Smooth (gradient checks): a value between 0 and 1, and a mixture.
template <bool smooth> INLINE vec choose(mask fired, vec s, vec reset, vec stay) {
  return smooth ? fma(s, reset - stay, stay) : select(fired, reset, stay);
}

struct Surrogate {
  int kind;
  real width, scale;
};

// psi at the margin.
INLINE vec surrogate_derivative(int kind, const Surrogate& g, vec margin) {
  const vec y = margin * ((real)1 / g.width);
  const vec a = absolute(y);
  const real unit = g.scale / g.width;
  switch (kind) {
    case BOUTON_FAST_SIGMOID: return (real)0.5 * unit * reciprocal((a + (real)1) * (a + (real)1));
    case BOUTON_ARCTAN: return (real)(unit * 0.318309886183790671538) * reciprocal(fma(y, y, B(1)));
    case BOUTON_TRIANGLE: return maximum(B(unit) - unit * a, vec{});
    case BOUTON_BOXCAR: return select(a < B(1), B((real)0.5 * unit), vec{});
    default: return (real)(unit * 0.398942280401432677940) * exp((real)-0.5 * y * y);
  }
}

#if !BOUTON_SINGLE
// Its primitive.
static vec smooth_step(const Surrogate& g, vec margin) {
  const vec y = margin * (1 / g.width);
  const vec a = absolute(y);
  const vec one = B(1);
  switch (g.kind) {
    case BOUTON_FAST_SIGMOID: return g.scale * 0.5 * (one + y / (one + a));
    case BOUTON_ARCTAN: return g.scale * (0.5 + arctan(y) * 0.318309886183790671538);
    case BOUTON_TRIANGLE: {
      const vec tail = 0.5 * maximum(one - a, vec{}) * maximum(one - a, vec{});
      return g.scale * select(y < vec{}, tail, one - tail);
    }
    case BOUTON_BOXCAR: return g.scale * minimum(maximum(0.5 * (y + 1), vec{}), one);
    default: return g.scale * 0.5 * (one + erf(y * 0.707106781186547524401));
  }
}
#endif

)cpp";
}

std::string_view kernel_scan_text() {
  return R"cpp(
struct Lane { vec x[SLOTS + 1]; };

static const real zeros[TILE] __attribute__((aligned(64))) = {};

// The coefficients of one tile: [COEFFICIENTS] shared, or [COEFFICIENTS][UNROLL] where each neuron has its own.
INLINE void load_coefficients(const bouton_forward_args& f, bool per_neuron, long m, long count, vec* c) {
  const real* from = (const real*)f.coefficients;
  if (!per_neuron) {
    for (int k = 0; k < COEFFICIENTS; ++k) c[k] = B(from[k]);
    return;
  }
  const long first = m % f.neurons;
  for (int k = 0; k < COEFFICIENTS; ++k) {
    const real* row = from + k * f.neurons;
    real* to = (real*)(c + k * UNROLL);
    if (first + TILE <= f.neurons && count == TILE) {
      __builtin_memcpy(to, row + first, TILE * sizeof(real));
    } else {
      long n = first;
      for (long i = 0; i < TILE; ++i) {
        to[i] = row[n];
        if (++n == f.neurons) n = 0;
      }
    }
  }
}

INLINE vec coefficient(const vec* c, bool per_neuron, int k, int u) { return per_neuron ? c[k * UNROLL + u] : c[k]; }

// Vector u of a tile of which `count` lanes are there.
INLINE vec load_lane(bool full, const real* p, int u, long count) {
  return full || count >= (u + 1) * WIDTH ? load(p + u * WIDTH) : load_partial(p + u * WIDTH, count - u * WIDTH);
}
INLINE void store_lane(bool full, real* p, int u, long count, vec x) {
  if (full || count >= (u + 1) * WIDTH) store(p + u * WIDTH, x);
  else store_partial(p + u * WIDTH, x, count - u * WIDTH);
}

// Lanes beyond the end run along in the arithmetic of a partial tile; in sums they must not count.
INLINE mask valid_lanes(int u, long count) {
  mask valid;
  for (int i = 0; i < WIDTH; ++i) valid[i] = u * WIDTH + i < count ? -1 : 0;
  return valid;
}

template <bool unrolled>
INLINE void load_state(const bouton_forward_args& f, bool full, bool per_neuron, const real* from, const vec* c, long m,
                       long count, Lane* l) {
  if (from) {
    EACH(for (int i = 0; i < SLOTS; ++i) l[u].x[i] = load_lane(full, from + i * f.lanes + m, u, count);)
  } else {
    EACH(for (int i = 0; i < STATES; ++i) l[u].x[i] = coefficient(c, per_neuron, i, u);
         for (int i = STATES; i < SLOTS; ++i) l[u].x[i] = vec{};)
  }
}

struct Rows {
  const real* at[INPUTS + 1];
  long stride[INPUTS + 1];
};
INLINE Rows input_rows(const bouton_forward_args& f, long m, long step) {
  Rows rows;
  for (int i = 0; i < INPUTS; ++i) {
    const bool given = f.inputs[i] != 0;
    rows.stride[i] = given ? f.input_stride[i] : 0;
    rows.at[i] = given ? (const real*)f.inputs[i] + m + step * rows.stride[i] : zeros;
  }
  return rows;
}

template <bool smooth, bool unrolled>
INLINE void forward_tile(const bouton_forward_args& f, long m, long count, bool full, bool per_neuron) {
  vec c[COEFFICIENTS * UNROLL + 1];
  load_coefficients(f, per_neuron, m, count, c);
  Lane l[UNROLL];
  load_state<unrolled>(f, full, per_neuron, (const real*)f.state_in, c, m, count, l);
  const Surrogate g = {f.surrogate, (real)f.surrogate_width, (real)f.surrogate_scale};
  Rows rows = input_rows(f, m, 0);
  vec scale[INPUTS + 1];
  for (int i = 0; i < INPUTS; ++i) scale[i] = B((real)f.input_scale[i]);
  real sink[TILE];   // what nobody wants goes here
  real* out = f.output ? (real*)f.output + m : sink;
  const long out_stride = f.output ? f.lanes : 0;
  real* trace = f.traced_state >= 0 && f.trace ? (real*)f.trace + m : 0;
  real* checkpoint = (real*)f.checkpoints + m;
  long until_checkpoint = f.checkpoint_every && f.checkpoints ? f.checkpoint_every : f.steps + 1;
  const bool want_sum = f.output_sum != 0;
  vec sum[4] = {};
  for (long k = 0; k < f.steps; ++k) {
    if (until_checkpoint-- == 0) {
      EACH(for (int i = 0; i < SLOTS; ++i) store_lane(full, checkpoint + i * f.lanes, u, count, l[u].x[i]);)
      checkpoint += SLOTS * f.lanes;
      until_checkpoint = f.checkpoint_every - 1;
    }
    const vec t = B((real)((double)(f.first_step + k) * f.dt));
    EACH(
      vec in[INPUTS + 1]; vec noise[NOISE + 1];
      for (int i = 0; i < INPUTS; ++i) {
        in[i] = scale[i] * load_lane(full, rows.at[i], u, count);
        __builtin_prefetch(rows.at[i] + u * WIDTH + AHEAD * rows.stride[i]);
      }
      for (int i = 0; i < NOISE; ++i) noise[i] = gaussian(f.seed, m + u * WIDTH, f.first_step + k, i);
      vec margin; mask armed, fired; vec s; vec y;
      step<smooth, false>(c + (per_neuron ? u : 0), per_neuron ? UNROLL : 1, l[u].x, in, noise, t, g, margin, armed,
                          fired, s, y, 0);
      store_lane(full, out, u, count, y);
      __builtin_prefetch(out + u * WIDTH + AHEAD * out_stride, 1);
      if (want_sum) sum[u % 4] += full ? y : select(valid_lanes(u, count), y, vec{});
      if (trace) {
        vec value = l[u].x[0];
        for (int i = 1; i < STATES; ++i) if (f.traced_state == i) value = l[u].x[i];
        store_lane(full, trace, u, count, value);
      }
    )
    for (int i = 0; i < INPUTS; ++i) rows.at[i] += rows.stride[i];
    out += out_stride;
    if (trace) trace += f.lanes;
  }
  if (f.state_out) {
    real* to = (real*)f.state_out + m;
    EACH(for (int i = 0; i < SLOTS; ++i) store_lane(full, to + i * f.lanes, u, count, l[u].x[i]);)
  }
  if (want_sum) {
    double total = 0;
    for (int j = 0; j < 4; ++j) for (int i = 0; i < WIDTH; ++i) total += sum[j][i];
    *f.output_sum += total;
  }
}

INLINE void add_coefficient_gradients(const bouton_backward_args& b, bool full, bool per_neuron, long m, long count, const vec* gc) {
  const long neurons = b.forward.neurons;
  if (!per_neuron && !full) {
    for (int k = 0; k < COEFFICIENTS; ++k) {
      double total = 0;
      for (int i = 0; i < count; ++i) total += ((const real*)(gc + k * UNROLL))[i];
      b.grad_coefficients[k] += total;
    }
    return;
  }
  if (!per_neuron) {
    for (int k = 0; k < COEFFICIENTS; ++k) {
      double total = 0;
      for (int i = 0; i < WIDTH; ++i) total += gc[k][i];
      b.grad_coefficients[k] += total;
    }
    return;
  }
  for (int k = 0; k < COEFFICIENTS; ++k) {
    double* to = b.grad_coefficients + k * neurons;
    const real* from = (const real*)(gc + k * UNROLL);
    long n = m % neurons;
    for (long i = 0; i < count; ++i) {
      to[n] += from[i];
      if (++n == neurons) n = 0;
    }
  }
}

// psi and the spikes of one step, for the adjoint. psi is never negative: in single precision its sign says who fired.
INLINE void store_psi(const Surrogate& g, vec margin, mask armed, vec s, vec* row) {
  const vec psi = select(armed, surrogate_derivative(g.kind, g, margin), vec{});
#if BOUTON_SINGLE
  row[0] = (vec)((mask)psi | (((mask)s << 2) & (integer)0x80000000));   // the pattern of 1.0f, shifted, has the sign bit
#else
  row[0] = psi;
  row[UNROLL] = s;
#endif
}

// One tile backwards: segment by segment from the last, each first run again from its checkpoint, the states before each
// step, psi, the spikes and what was expensive kept in scratch as [step][row][UNROLL] vectors; then the adjoint step by
// step.
template <bool smooth, bool unrolled>
INLINE void backward_tile(const bouton_backward_args& b, long m, long count, bool full, bool per_neuron, bool want) {
  const bouton_forward_args& f = b.forward;
  vec c[COEFFICIENTS * UNROLL + 1];
  load_coefficients(f, per_neuron, m, count, c);
  const Surrogate g = {f.surrogate, (real)f.surrogate_width, (real)f.surrogate_scale};
  const vec attach = B((real)b.reset_gradient);
  vec scale[INPUTS + 1];
  for (int i = 0; i < INPUTS; ++i) scale[i] = B((real)f.input_scale[i]);
  vec* const scratch = (vec*)b.scratch;

  vec gc[COEFFICIENTS * UNROLL + 1];
  const bool own = per_neuron || !full;   // one sum a lane: lanes beyond the end must not count in a shared one
  for (int k = 0; k < (own ? COEFFICIENTS * UNROLL : COEFFICIENTS); ++k) gc[k] = vec{};
  Lane a[UNROLL];
  if (b.grad_state_out) {
    const real* from = (const real*)b.grad_state_out + m;
    EACH(for (int i = 0; i < STATES; ++i) a[u].x[i] = load_lane(full, from + i * f.lanes, u, count);)
  } else {
    EACH(for (int i = 0; i < STATES; ++i) a[u].x[i] = vec{};)
  }
  vec constant_sum[(INPUTS + 1) * UNROLL];
  bool constant[INPUTS + 1];
  for (int i = 0; i < INPUTS; ++i) {
    constant[i] = b.grad_inputs[i] && f.input_stride[i] == 0;
    if (constant[i]) for (int u = 0; u < UNROLL; ++u) constant_sum[i * UNROLL + u] = vec{};
  }
  const bool traced = f.traced_state >= 0 && b.grad_trace;
  real sink[TILE];   // what nobody wants goes here
  bool any_constant = false;
  for (int i = 0; i < INPUTS; ++i) any_constant = any_constant || constant[i];

  const bool segments = f.checkpoint_every && (f.checkpoints || SLOTS == 0);   // of no more steps than the scratch holds
  const long every = segments ? f.checkpoint_every : f.steps;
  for (long first = f.steps > 0 ? (f.steps - 1) / every * every : -1; first >= 0; first -= every) {
    const long last = first + every < f.steps ? first + every : f.steps;
    {
      Lane l[UNROLL];
      const real* from = first == 0 ? (const real*)f.state_in
                                    : (const real*)f.checkpoints + (first / every - 1) * SLOTS * f.lanes;
      load_state<unrolled>(f, full, per_neuron, from, c, m, count, l);
      Rows rows = input_rows(f, m, first);
      vec* row = scratch;
      for (long k = first; k < last; ++k, row += SCRATCH * UNROLL) {
        const vec t = B((real)((double)(f.first_step + k) * f.dt));
        EACH(
          vec in[INPUTS + 1]; vec noise[NOISE + 1];
          for (int i = 0; i < INPUTS; ++i) {
            in[i] = scale[i] * load_lane(full, rows.at[i], u, count);
            __builtin_prefetch(rows.at[i] + u * WIDTH + AHEAD * rows.stride[i]);
          }
          for (int i = 0; i < NOISE; ++i) noise[i] = gaussian(f.seed, m + u * WIDTH, f.first_step + k, i);
          for (int i = 0; i < SLOTS; ++i) row[i * UNROLL + u] = l[u].x[i];
          vec margin; mask armed, fired; vec s; vec y;
          step<smooth, true>(c + (per_neuron ? u : 0), per_neuron ? UNROLL : 1, l[u].x, in, noise, t, g, margin, armed,
                             fired, s, y, row + KEPT * UNROLL + u);
          if (SPIKING) store_psi(g, margin, armed, s, row + SLOTS * UNROLL + u);
        )
        for (int i = 0; i < INPUTS; ++i) rows.at[i] += rows.stride[i];
      }
    }
    Rows rows = input_rows(f, m, last - 1);
    const real* grad_output = b.grad_output ? (const real*)b.grad_output + m + (last - 1) * f.lanes : zeros;
    const long output_stride = b.grad_output ? f.lanes : 0;
    const real* grad_trace = traced ? (const real*)b.grad_trace + m + (last - 1) * f.lanes : zeros;
    real* gradient[INPUTS + 1];
    long gradient_stride[INPUTS + 1];
    for (int i = 0; i < INPUTS; ++i) {
      const bool each = b.grad_inputs[i] && !constant[i];
      gradient[i] = each ? (real*)b.grad_inputs[i] + m + (last - 1) * f.lanes : sink;
      gradient_stride[i] = each ? f.lanes : 0;
    }
    const vec* row = scratch + (last - 1 - first) * SCRATCH * UNROLL;
    for (long k = last - 1; k >= first; --k, row -= SCRATCH * UNROLL) {
      const vec t = B((real)((double)(f.first_step + k) * f.dt));
      EACH(
        vec in[INPUTS + 1]; vec noise[NOISE + 1]; vec gin[INPUTS + 1];
        for (int i = 0; i < INPUTS; ++i) in[i] = scale[i] * load_lane(full, rows.at[i], u, count);
        for (int i = 0; i < NOISE; ++i) noise[i] = gaussian(f.seed, m + u * WIDTH, f.first_step + k, i);
        const vec go = load_lane(full, grad_output, u, count);
        __builtin_prefetch(grad_output + u * WIDTH - AHEAD * output_stride);
        if (traced) {
          const vec value = load_lane(full, grad_trace, u, count);
          for (int i = 0; i < STATES; ++i) if (f.traced_state == i) a[u].x[i] += value;
        }
        adjoint<smooth>(c + (per_neuron ? u : 0), per_neuron ? UNROLL : 1, row + u, in, noise, t, go, attach, a[u].x, gin,
                        want, gc + (own ? u : 0), own ? UNROLL : 1);
        for (int i = 0; i < INPUTS; ++i) {
          const vec value = gin[i] * scale[i];
          store_lane(full, gradient[i], u, count, value);
          __builtin_prefetch(gradient[i] + u * WIDTH - AHEAD * gradient_stride[i], 1);
          if (any_constant) if (constant[i]) constant_sum[i * UNROLL + u] += value;
        }
      )
      for (int i = 0; i < INPUTS; ++i) {
        rows.at[i] -= rows.stride[i];
        gradient[i] -= gradient_stride[i];
      }
      grad_output -= output_stride;
      if (traced) grad_trace -= f.lanes;
    }
  }

  for (int i = 0; i < INPUTS; ++i)
    if (constant[i])
      for (int u = 0; u < UNROLL; ++u) store_lane(full, (real*)b.grad_inputs[i] + m, u, count, constant_sum[i * UNROLL + u]);
  if (b.grad_state_in) {
    real* to = (real*)b.grad_state_in + m;
    EACH(for (int i = 0; i < STATES; ++i) store_lane(full, to + i * f.lanes, u, count, a[u].x[i]);
         for (int i = STATES; i < SLOTS; ++i) store_lane(full, to + i * f.lanes, u, count, vec{});)
  }
  if (want) {
    if (!f.state_in) {
      EACH(for (int i = 0; i < STATES; ++i) {
        gc[own ? i * UNROLL + u : i] += a[u].x[i];
      })
    }
    add_coefficient_gradients(b, full, per_neuron, m, count, gc);
  }
}

#if LIGHT
static void forward_shared(const bouton_forward_args& f, long m) { forward_tile<false, true>(f, m, TILE, true, false); }
static void backward_shared(const bouton_backward_args& b, long m) {
  backward_tile<false, true>(b, m, TILE, true, false, b.grad_coefficients != 0);
}
#endif
template <bool smooth> static void forward_any(const bouton_forward_args& f, long m, long count, bool per_neuron) {
  forward_tile<smooth, false>(f, m, count, count == TILE, per_neuron);
}
template <bool smooth> static void backward_any(const bouton_backward_args& b, long m, long count, bool per_neuron) {
  backward_tile<smooth, false>(b, m, count, count == TILE, per_neuron, b.grad_coefficients != 0);
}
)cpp";
}

std::string_view kernel_entry_text() {
  return R"cpp(
static void forward(const bouton_forward_args* args) {
  const bouton_forward_args& f = *args;
  const bool per_neuron = f.coefficient_stride != 0;
  for (long m = f.begin; m < f.end; m += TILE) {
    const long count = f.end - m < TILE ? f.end - m : TILE;
#if !BOUTON_SINGLE
    if (f.smooth) forward_any<true>(f, m, count, per_neuron);
    else
#endif
#if LIGHT
    if (count == TILE && !per_neuron) forward_shared(f, m);
    else
#endif
    forward_any<false>(f, m, count, per_neuron);
  }
}

static void backward(const bouton_backward_args* args) {
  const bouton_backward_args& b = *args;
  const bouton_forward_args& f = b.forward;
  const bool per_neuron = f.coefficient_stride != 0;
  for (long m = f.begin; m < f.end; m += TILE) {
    const long count = f.end - m < TILE ? f.end - m : TILE;
#if !BOUTON_SINGLE
    if (f.smooth) backward_any<true>(b, m, count, per_neuron);
    else
#endif
#if LIGHT
    if (count == TILE && !per_neuron) backward_shared(b, m);
    else
#endif
    backward_any<false>(b, m, count, per_neuron);
  }
}
)cpp";
}

std::string_view kernel_advance_text() {
  return R"cpp(
typedef int whole __attribute__((vector_size(WIDTH * 4), may_alias));

// One bit a lane.
INLINE unsigned long long bits(mask m) {
#if !defined(__clang__) && defined(__AVX512F__) && BOUTON_SINGLE
  return __builtin_ia32_ptestmd512(m, m, (unsigned short)-1);
#elif !defined(__clang__) && defined(__AVX512F__)
  return __builtin_ia32_ptestmq512(m, m, (unsigned char)-1);
#elif VECTOR_BYTES == 32 && BOUTON_SINGLE
  return (unsigned)__builtin_ia32_movmskps256((vec)m);
#elif VECTOR_BYTES == 32
  return (unsigned)__builtin_ia32_movmskpd256((vec)m);
#else
  unsigned long long word = 0;
  for (int i = 0; i < WIDTH; ++i) word |= (unsigned long long)(m[i] & 1) << i;
  return word;
#endif
}

#define WRITTEN_OUT _Pragma("GCC unroll 32")

// Word of spikes by word: 64 lanes, vector by vector, from memory to registers to memory.
INLINE void advance_range(const bouton_advance_args& a, bool per_neuron) {
  const long row = a.row;
  vec shared[COEFFICIENTS + 1];
  const real* coefficients = (const real*)a.coefficients;
  if (!per_neuron) WRITTEN_OUT for (int k = 0; k < COEFFICIENTS; ++k) shared[k] = B(coefficients[k]);
  const long stride = per_neuron ? row / WIDTH : 1;
  const vec t = B((real)((double)a.step * a.dt));
  const Surrogate g = {};
  real* const state = (real*)a.state;
  real* const output = (real*)a.output;
  int* arrivals[INPUTS + 1];
  const real* added[INPUTS + 1];
  vec scale[INPUTS + 1], constant[INPUTS + 1];
  WRITTEN_OUT for (int i = 0; i < INPUTS; ++i) {
    arrivals[i] = a.arrivals[i];
    added[i] = (const real*)a.added[i];
    scale[i] = B((real)a.arrival_scale[i]);
    constant[i] = B((real)a.constant[i]);
  }
  for (long first = a.begin; first < a.end; first += 64) {
    unsigned long long word = 0;
    for (long m = first; m < first + 64; m += WIDTH) {
      vec x[SLOTS + 1], in[INPUTS + 1], noise[NOISE + 1];
      WRITTEN_OUT for (int i = 0; i < SLOTS; ++i) x[i] = *(const vec*)(state + i * row + m);
      WRITTEN_OUT for (int i = 0; i < INPUTS; ++i) {
        in[i] = constant[i];
        if (added[i]) in[i] += *(const vec*)(added[i] + m);
        if (arrivals[i]) {
          whole* const arrived = (whole*)(arrivals[i] + m);
          in[i] = fma(__builtin_convertvector(*arrived, vec), scale[i], in[i]);
          *arrived = whole{};
        }
      }
      WRITTEN_OUT for (int i = 0; i < NOISE; ++i) noise[i] = gaussian(a.seed, m, a.step, i);
      vec margin; mask armed, fired; vec s; vec y;
      step<false, false>(per_neuron ? (const vec*)(coefficients + m) : shared, stride, x, in, noise, t, g, margin, armed,
                         fired, s, y, 0);
      WRITTEN_OUT for (int i = 0; i < SLOTS; ++i) *(vec*)(state + i * row + m) = x[i];
      if (SPIKING) word |= bits(fired) << (m - first);
      if (output) *(vec*)(output + m) = y;
    }
    if (SPIKING && a.spikes) {
      const long left = a.lanes - first;
      a.spikes[first >> 6] = left < 64 ? word & ~(~0ull << left) : word;
    }
  }
}

static void advance(const bouton_advance_args* args) {
#if FEW_COEFFICIENTS
  // A loop of its own keeps them in registers.
  if (!args->coefficient_stride) return advance_range(*args, false);
#endif
  advance_range(*args, args->coefficient_stride != 0);
}
)cpp";
}

}  // namespace bouton
