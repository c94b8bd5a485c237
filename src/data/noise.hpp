#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace bouton::data {

// Fills bits[0..count) with the words of Philox blocks {first, counter[0..2]}, {first + 1, ...}: the same numbers in
// the same order as RandomStream gives, several blocks at a time.
void fill_bits(std::array<uint32_t, 2> key, std::array<uint32_t, 3> counter, uint32_t* bits, std::size_t count,
               uint32_t first = 0);

// values[i] += deviation * z_i with z standard normal, drawn from the same counters.
void add_normal(std::array<uint32_t, 2> key, std::array<uint32_t, 3> counter, float deviation, float* values,
                std::size_t count);

}  // namespace bouton::data
