#pragma once
// A running hash of all spikes, in the order of steps and ids: two runs agree when it does.

#include <array>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>

namespace bouton::engine {

// The finaliser of SplitMix64 (Steele, Lea & Flood 2014, doi:10.1145/2660193.2660195).
[[nodiscard]] constexpr std::uint64_t mixed(std::uint64_t x) {
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
  x = (x ^ x >> 27) * 0x94d049bb133111eb;
  return x ^ x >> 31;
}

inline void add_spikes(std::array<std::uint64_t, 2>& sum, std::int64_t step, std::span<const std::uint32_t> neurons) {
  for (const std::uint32_t neuron : neurons) {
    const std::uint64_t event = static_cast<std::uint64_t>(step) << 32 ^ neuron;
    sum[0] = mixed(sum[0] + 0x9e3779b97f4a7c15 + event);
    sum[1] = (sum[1] ^ event) * 0x100000001b3 + (sum[1] >> 29);
  }
}

[[nodiscard]] inline std::string spike_hash_text(const std::array<std::uint64_t, 2>& sum) {
  char text[33];
  std::snprintf(text, sizeof text, "%016llx%016llx", static_cast<unsigned long long>(sum[0]),
                static_cast<unsigned long long>(mixed(sum[1])));
  return text;
}

}  // namespace bouton::engine
