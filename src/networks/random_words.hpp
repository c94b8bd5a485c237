#pragma once
// Random words of a purpose, keyed by the ids of what they are for.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "bouton/base/random.hpp"
#include "data/noise.hpp"

namespace bouton::networks {

// What a projection or population called `name` draws under `seed` for a use such as "delays".
[[nodiscard]] inline std::uint64_t purpose_of(const std::string& name, const std::string& use) {
  return purpose("networks/" + use + "/" + name);
}

// Word k of item `id`, for many k at a time; word(id, k) is the same whoever asks for it.
class Words {
 public:
  Words(std::uint64_t seed, std::uint64_t purpose) : seed_(seed), purpose_(purpose), key_(random_key(seed, purpose)) {}

  // Words 4 * block, 4 * block + 1, ... of item `id`; `words` grows to `count` where it is shorter.
  void fill(std::uint32_t id, std::vector<std::uint32_t>& words, std::size_t count, std::uint32_t block = 0) const {
    if (words.size() < count) words.resize(count);
    data::fill_bits(key_, {0, id, 0}, words.data(), count, block);
  }
  // Further words for where those of fill() do not suffice, keyed by the place as well.
  [[nodiscard]] RandomStream more(std::uint32_t id, std::uint32_t place) const {
    return {seed_, purpose_, std::uint64_t{place} << 32 | id, 1};
  }
  // All of the item's words one by one, for draws of unknown number.
  [[nodiscard]] RandomStream stream(std::uint32_t id) const { return {seed_, purpose_, id, 0}; }

 private:
  std::uint64_t seed_, purpose_;
  std::array<std::uint32_t, 2> key_;
};

}  // namespace bouton::networks
