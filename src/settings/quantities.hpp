#pragma once
// Quantities of a file that may use its named constants: "-g*J", "20 ms".

#include <map>
#include <optional>
#include <string>

#include "bouton/base/quantity.hpp"
#include "settings/toml_reader.hpp"

namespace bouton::settings {

using Constants = std::map<std::string, Quantity>;

// The quantities of a table. They may use each other in any order; what cannot be worked out is reported. Errors: those
// of quantities, bad-name, cyclic-definition.
[[nodiscard]] Constants read_constants(const TomlValue& section);

// A quantity of any dimension: a text, or a plain number. Nothing after having reported what is wrong.
[[nodiscard]] std::optional<Quantity> read_quantity(const TomlValue& value, const Constants& constants);

// One of the given dimension within a range (in SI), in SI. Errors also: missing-unit, unit-mismatch, out-of-range.
[[nodiscard]] std::optional<double> read_quantity(const TomlValue& value, const Constants& constants,
                                                  const Dimension& dimension, const Range& range = {});

// A whole number, or a text that gives one: "4*N". Errors also: not-whole, out-of-range.
[[nodiscard]] std::optional<int64_t> read_count(const TomlValue& value, const Constants& constants, const Range& range);

}  // namespace bouton::settings
