#include "data/noise.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

namespace bouton::data {
namespace {

constexpr std::size_t lanes = 8;
constexpr std::size_t words = 4 * lanes;  // of one call of blocks()
using Lanes = uint64_t __attribute__((vector_size(8 * lanes)));

// Eight Philox4x32-10 blocks (see base/random.hpp) side by side. Each 32-bit word lies in a 64-bit lane, where its
// product needs no widening.
void blocks(std::array<uint32_t, 2> key, std::array<uint32_t, 3> counter, uint32_t first, uint32_t* out) {
  constexpr uint64_t low = 0xffffffff;
  Lanes c0 = (Lanes{0, 1, 2, 3, 4, 5, 6, 7} + first) & low;
  Lanes c1 = Lanes{} + counter[0], c2 = Lanes{} + counter[1], c3 = Lanes{} + counter[2];
  for (int round = 0; round < 10; ++round) {
    const Lanes a = c0 * 0xD2511F53, b = c2 * 0xCD9E8D57;
    c0 = (b >> 32) ^ c1 ^ key[0];
    c2 = (a >> 32) ^ c3 ^ key[1];
    c1 = b & low;
    c3 = a & low;
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  // Words of a block lie together: two to a lane, then lanes in turn.
  const Lanes front = c0 | c1 << 32, back = c2 | c3 << 32;
  for (std::size_t i = 0; i < lanes; ++i) {
    const uint64_t block[2] = {front[i], back[i]};
    std::memcpy(out + 4 * i, block, sizeof block);
  }
}

}  // namespace

void fill_bits(std::array<uint32_t, 2> key, std::array<uint32_t, 3> counter, uint32_t* bits, std::size_t count,
               uint32_t first) {
  alignas(64) uint32_t piece[words];
  for (std::size_t at = 0; at < count; at += words, first += lanes) {
    if (count - at >= words) {
      blocks(key, counter, first, bits + at);
    } else {
      blocks(key, counter, first, piece);
      std::memcpy(bits + at, piece, (count - at) * sizeof(uint32_t));
    }
  }
}

void add_normal(std::array<uint32_t, 2> key, std::array<uint32_t, 3> counter, float deviation, float* values,
                std::size_t count) {
  // Box and Muller (1958): two uniform words make two normal values.
  constexpr std::size_t piece = 4 * words;
  alignas(64) uint32_t bits[piece];
  alignas(64) float normal[piece], radius[piece / 2], angle[piece / 2];
  constexpr float turn = 2 * std::numbers::pi_v<float> * 0x1p-24F, quarter = std::numbers::pi_v<float> / 2;
  uint32_t first = 0;
  for (std::size_t at = 0; at < count; at += piece) {
    for (std::size_t part = 0; part < piece; part += words, first += lanes) blocks(key, counter, first, bits + part);
    for (std::size_t i = 0; i < piece / 2; ++i) {
      const float uniform = (static_cast<float>(static_cast<int32_t>(bits[i] >> 9)) + 0.5F) * 0x1p-23F;
      radius[i] = deviation * std::sqrt(-2.0F * std::log(uniform));
      angle[i] = turn * static_cast<float>(static_cast<int32_t>(bits[i + piece / 2] >> 8));
    }
    // The sine is written as a cosine: the compiler would join the two to one call that has no vector form.
    for (std::size_t i = 0; i < piece / 2; ++i) normal[i] = radius[i] * std::cos(angle[i]);
    for (std::size_t i = 0; i < piece / 2; ++i) normal[i + piece / 2] = radius[i] * std::cos(angle[i] - quarter);
    const std::size_t some = std::min(piece, count - at);
    for (std::size_t i = 0; i < some; ++i) values[at + i] += normal[i];
  }
}

}  // namespace bouton::data
