#pragma once
// The functions and operators of the language as intermediate form.

#include <optional>
#include <string>
#include <vector>

#include "mechanisms/ir.hpp"

namespace bouton::ir {

// A truth value as a number, and a number as a truth value.
[[nodiscard]] Id as_number(Graph& graph, Id id);
[[nodiscard]] Id as_truth(Graph& graph, Id id);

// `function` of arguments that are lowered already; nullopt when it has no kernel form.
[[nodiscard]] std::optional<Id> lower_call(Graph& graph, const std::string& function, const std::vector<Id>& arguments);

}  // namespace bouton::ir
