#pragma once
// What a simulation's file may give for a number: a quantity, a draw, a function of time.

#include <optional>

#include "bouton/networks/network.hpp"
#include "settings/quantities.hpp"

namespace bouton::experiments {

using settings::Constants;
using settings::TomlValue;

// A quantity, or what each draws its own from: "normal(1.5 ms, 0.75 ms, lower = 0.1 ms)", uniform(low, high),
// lognormal(mean, deviation), exponential(mean). Errors: those of quantities, argument-count, unit-mismatch.
[[nodiscard]] std::optional<Distribution> read_distribution(const TomlValue& value, const Constants& constants);

// A quantity, or an expression of the time t, of the given dimension.
[[nodiscard]] std::optional<TimeFunction> read_time_function(const TomlValue& value, const Constants& constants,
                                                             const Dimension& dimension);

// A time in seconds.
[[nodiscard]] std::optional<double> read_time(const TomlValue& value, const Constants& constants,
                                              const settings::Range& range = {.lower = 0});

}  // namespace bouton::experiments
