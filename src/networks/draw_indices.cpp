#include "networks/draw_indices.hpp"

namespace bouton::networks {
namespace {

// The threshold below which a product's lower half must be drawn again for its upper half to be unbiased.
std::uint32_t bias_of(std::uint32_t below) { return -below % below; }

}  // namespace

void draw_with_replacement(const Words& words, std::uint32_t id, std::uint32_t below, std::size_t count,
                           std::vector<std::uint32_t>& word_buffer, std::uint32_t* indices) {
  words.fill(id, word_buffer, count);
  const std::uint32_t* word = word_buffer.data();
  const std::uint32_t bias = bias_of(below);
  std::uint32_t biased = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t product = std::uint64_t{word[i]} * below;
    indices[i] = static_cast<std::uint32_t>(product >> 32);
    biased |= static_cast<std::uint32_t>(product) < bias;
  }
  if (biased == 0) return;
  for (std::size_t i = 0; i < count; ++i) {
    if (word[i] * below < bias) indices[i] = words.more(id, static_cast<std::uint32_t>(i)).below(below);
  }
}

void draw_without_replacement(const Words& words, std::uint32_t id, std::uint32_t below, std::size_t count,
                              std::vector<std::uint32_t>& word_buffer, std::vector<std::uint64_t>& taken,
                              std::uint32_t* indices) {
  words.fill(id, word_buffer, count);
  const auto take = [&](std::uint32_t index) {
    std::uint64_t& bits = taken[index >> 6];
    const std::uint64_t bit = std::uint64_t{1} << (index & 63);
    const bool was_free = (bits & bit) == 0;
    bits |= bit;
    return was_free;
  };
  auto choices = below - static_cast<std::uint32_t>(count);
  for (std::size_t i = 0; i < count; ++i) {
    ++choices;  // among the first `choices`, of which the last has never been offered
    const std::uint64_t product = std::uint64_t{word_buffer[i]} * choices;
    auto index = static_cast<std::uint32_t>(product >> 32);
    // Below `choices` comes first: it spares the division for the threshold itself.
    if (static_cast<std::uint32_t>(product) < choices && static_cast<std::uint32_t>(product) < bias_of(choices))
      index = words.more(id, static_cast<std::uint32_t>(i)).below(choices);
    if (!take(index)) {
      index = choices - 1;
      take(index);
    }
    indices[i] = index;
  }
  for (std::size_t i = 0; i < count; ++i) taken[indices[i] >> 6] = 0;
}

}  // namespace bouton::networks
