#pragma once
// Random numbers that are a pure function of (seed, purpose, id, step, draw): Philox4x32-10 of Salmon, Moraes, Dror and
// Shaw (2011, "Parallel random numbers: as easy as 1, 2, 3", doi:10.1145/2063384.2063405). Whoever draws the number, in
// whatever order, on however many threads, it is the same.

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <string_view>

namespace bouton {

// One block: 128 bits of counter and 64 bits of key give 128 random bits. Inline so that loops over counters vectorise.
[[nodiscard]] constexpr std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter,
                                                           std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t first = uint64_t{0xD2511F53} * counter[0];
    const uint64_t second = uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<uint32_t>(second >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(second),
               static_cast<uint32_t>(first >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(first)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

// A name as a number (FNV-1a), so that streams for different purposes never meet: purpose("augmentation").
[[nodiscard]] constexpr uint64_t purpose(std::string_view name) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

// The key of one purpose under one seed: constant for a whole loop over counters.
[[nodiscard]] constexpr std::array<uint32_t, 2> random_key(uint64_t seed, uint64_t purpose) {
  const auto block = philox4x32({static_cast<uint32_t>(purpose), static_cast<uint32_t>(purpose >> 32), 0, 0},
                                {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
  return {block[0], block[1]};
}

// 32 random bits as a float in [0, 1), and as one in (0, 1) that a logarithm can take.
[[nodiscard]] constexpr float uniform_float(uint32_t bits) { return static_cast<float>(bits >> 8) * 0x1p-24F; }
[[nodiscard]] constexpr float open_uniform_float(uint32_t bits) {
  return (static_cast<float>(bits >> 9) + 0.5F) * 0x1p-23F;
}

// A sequence of draws for one (seed, purpose, id, step). Cheap to make: no warm-up. At most 2^34 draws.
// Copies continue independently with the same numbers. Not thread safe itself.
class RandomStream {
 public:
  RandomStream(uint64_t seed, uint64_t purpose, uint64_t id = 0, uint32_t step = 0)
      : key_(random_key(seed, purpose)),
        counter_{0, step, static_cast<uint32_t>(id), static_cast<uint32_t>(id >> 32)} {}

  [[nodiscard]] uint32_t bits() {
    if (used_ == 4) {
      block_ = philox4x32(counter_, key_);
      ++counter_[0];
      used_ = 0;
    }
    return block_[used_++];
  }

  [[nodiscard]] uint64_t bits64() {
    const uint64_t high = bits();
    return high << 32 | bits();
  }

  // [0, 1) with 53 bits.
  [[nodiscard]] double uniform() { return static_cast<double>(bits64() >> 11) * 0x1p-53; }
  [[nodiscard]] double uniform(double lower, double upper) { return lower + (upper - lower) * uniform(); }

  // Standard normal, by Box and Muller (1958); no value is kept back, so the number of draws taken is fixed: four
  // words.
  [[nodiscard]] double normal() {
    const double radius = std::sqrt(-2 * std::log1p(-uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }

  // 0 .. count-1 without bias (Lemire 2019, doi:10.1145/3230636); count > 0.
  [[nodiscard]] uint32_t below(uint32_t count) {
    uint64_t product = uint64_t{bits()} * count;
    if (static_cast<uint32_t>(product) < count) {
      const uint32_t threshold = -count % count;
      while (static_cast<uint32_t>(product) < threshold) product = uint64_t{bits()} * count;
    }
    return static_cast<uint32_t>(product >> 32);
  }

 private:
  std::array<uint32_t, 2> key_;
  std::array<uint32_t, 4> counter_;
  std::array<uint32_t, 4> block_{};
  uint32_t used_ = 4;
};

}  // namespace bouton
