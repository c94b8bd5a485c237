#include "data/noise.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

namespace bouton::data {
namespace {

constexpr std::size_t lanes = 16;
constexpr std::size_t words = 4 * lanes;   // of one call of blocks()

// Sixteen Philox4x32-10 blocks (see base/random.hpp) side by side: the inner loops are whole vectors.
void blocks(std::array<uint32_t, 2> key, std::array<uint32_t, 3> counter, uint32_t first, uint32_t* out) {
  alignas(64) uint32_t c0[lanes], c1[lanes], c2[lanes], c3[lanes];
  for (std::size_t i = 0; i < lanes; ++i) {
    c0[i] = first + static_cast<uint32_t>(i);
    c1[i] = counter[0];
    c2[i] = counter[1];
    c3[i] = counter[2];
  }
  for (int round = 0; round < 10; ++round) {
    for (std::size_t i = 0; i < lanes; ++i) {
      const uint64_t a = uint64_t{0xD2511F53} * c0[i];
      const uint64_t b = uint64_t{0xCD9E8D57} * c2[i];
      c0[i] = static_cast<uint32_t>(b >> 32) ^ c1[i] ^ key[0];
      c1[i] = static_cast<uint32_t>(b);
      c2[i] = static_cast<uint32_t>(a >> 32) ^ c3[i] ^ key[1];
      c3[i] = static_cast<uint32_t>(a);
    }
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  for (std::size_t i = 0; i < lanes; ++i) {
    out[4 * i] = c0[i];
    out[4 * i + 1] = c1[i];
    out[4 * i + 2] = c2[i];
    out[4 * i + 3] = c3[i];
  }
}

}  // namespace

void fill_bits(std::array<uint32_t, 2> key, std::array<uint32_t, 3> counter, uint32_t* bits, std::size_t count) {
  alignas(64) uint32_t piece[words];
  uint32_t first = 0;
  for (std::size_t at = 0; at < count; at += words, first += lanes) {
    if (count - at >= words) {
      blocks(key, counter, first, bits + at);
    } else {
      blocks(key, counter, first, piece);
      std::memcpy(bits + at, piece, (count - at) * sizeof(uint32_t));
    }
  }
}

void add_normal(std::array<uint32_t, 2> key, std::array<uint32_t, 3> counter, float deviation, float* values, std::size_t count) {
  // Box and Muller (1958): two uniform words make two normal values.
  alignas(64) uint32_t bits[words];
  alignas(64) float normal[words];
  constexpr float turn = 2 * std::numbers::pi_v<float> * 0x1p-24F;
  uint32_t first = 0;
  for (std::size_t at = 0; at < count; at += words, first += lanes) {
    blocks(key, counter, first, bits);
    for (std::size_t i = 0; i < words / 2; ++i) {
      const float uniform = (static_cast<float>(bits[i] >> 9) + 0.5F) * 0x1p-23F;
      const float radius = deviation * std::sqrt(-2.0F * std::log(uniform));
      const float angle = turn * static_cast<float>(bits[i + words / 2] >> 8);
      normal[i] = radius * std::cos(angle);
      normal[i + words / 2] = radius * std::sin(angle);
    }
    const std::size_t some = std::min(words, count - at);
    for (std::size_t i = 0; i < some; ++i) values[at + i] += normal[i];
  }
}

}  // namespace bouton::data
