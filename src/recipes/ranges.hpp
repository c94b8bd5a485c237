#pragma once
// The ranges most keys of a recipe have.

#include "settings/toml_reader.hpp"

namespace bouton::recipes {

inline constexpr settings::Range positive{.lower = 0, .lower_open = true};
inline constexpr settings::Range not_negative{.lower = 0};
inline constexpr settings::Range fraction{.lower = 0, .upper = 1};
inline constexpr settings::Range below_one{.lower = 0, .upper = 1, .upper_open = true};
constexpr settings::Range count_from(double lower, double upper = 1e9) { return {.lower = lower, .upper = upper}; }

}  // namespace bouton::recipes
