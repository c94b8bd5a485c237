#pragma once
// Eight blocks of Philox4x32-10 (bouton/base/random.hpp) side by side: the random bits of a step for many neurons. The
// same bits on every processor.

#include <array>
#include <cstdint>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace bouton::engine {

inline constexpr int block_lanes = 8;
using Words64 = std::uint64_t __attribute__((vector_size(64)));
using Words32 = std::uint32_t __attribute__((vector_size(64)));
using Words16 = std::uint16_t __attribute__((vector_size(64)));

// The four words of eight blocks in the low halves of 64-bit lanes. The high halves are nobody's business on the way:
// products and exclusive ors of the low halves do not see them.
struct PhiloxLanes {
  Words64 words[4];
  // Two words to a lane, word 0 in front: bits of block i are front[i] and back[i].
  [[nodiscard]] Words64 front() const { return (words[0] & 0xffffffff) | words[1] << 32; }
  [[nodiscard]] Words64 back() const { return (words[2] & 0xffffffff) | words[3] << 32; }
};

// 32 by 32 bits to 64, whatever the high halves of `a` hold.
[[gnu::always_inline]] inline Words64 multiply_low(Words64 a, std::uint32_t factor) {
#if defined(__AVX512F__)
  // The masked form, all lanes taken: GCC 12 warns of the plain one.
  return reinterpret_cast<Words64>(
      _mm512_maskz_mul_epu32(0xff, reinterpret_cast<__m512i>(a), _mm512_set1_epi64(factor)));
#elif defined(__AVX2__)
  union Halves {
    Words64 whole;
    __m256i half[2];
  } halves = {a};
  for (__m256i& half : halves.half) half = _mm256_mul_epu32(half, _mm256_set1_epi64x(factor));
  return halves.whole;
#else
  return (a & 0xffffffff) * factor;
#endif
}

// Blocks first, first + 1, ..., first + 7 of the counter's word 0, with `counter` as its words 1 to 3.
[[gnu::always_inline]] inline PhiloxLanes philox_lanes(std::array<std::uint32_t, 2> key, std::uint32_t first,
                                                       const std::array<std::uint32_t, 3>& counter) {
  Words64 c0 = Words64{0, 1, 2, 3, 4, 5, 6, 7} + first;
  Words64 c1 = Words64{} + counter[0], c2 = Words64{} + counter[1], c3 = Words64{} + counter[2];
  for (int round = 0; round < 10; ++round) {
    const Words64 a = multiply_low(c0, 0xD2511F53), b = multiply_low(c2, 0xCD9E8D57);
    c0 = (b >> 32) ^ c1 ^ key[0];
    c2 = (a >> 32) ^ c3 ^ key[1];
    c1 = b;
    c3 = a;
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return {{c0, c1, c2, c3}};
}

}  // namespace bouton::engine
