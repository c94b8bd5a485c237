#pragma once
// Uniform draws among a number of neurons.

#include <cstdint>
#include <vector>

#include "networks/random_words.hpp"

namespace bouton::networks {

// indices[0..count): each of 0..below-1 alike, without bias (Lemire 2019), words by item `id`. Vectorised.
void draw_with_replacement(const Words& words, std::uint32_t id, std::uint32_t below, std::size_t count,
                           std::vector<std::uint32_t>& word_buffer, std::uint32_t* indices);

// A set of `count` different ones, every set alike (Floyd's algorithm; Bentley & Floyd 1987). `taken` has a zero bit
// for each of 0..below-1 and is left so.
void draw_without_replacement(const Words& words, std::uint32_t id, std::uint32_t below, std::size_t count,
                              std::vector<std::uint32_t>& word_buffer, std::vector<std::uint64_t>& taken,
                              std::uint32_t* indices);

}  // namespace bouton::networks
