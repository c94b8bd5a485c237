#pragma once
// What the reports of all kinds of mechanism share.

#include <string>
#include <vector>

#include "bouton/equations/mechanism.hpp"

namespace bouton {

// Rows of cells as aligned columns, two spaces between them.
[[nodiscard]] std::string table(const std::vector<std::vector<std::string>>& rows);
// The section "parameters": values in the units their author wrote; "" when there are none.
[[nodiscard]] std::string parameter_table(const std::vector<Parameter>& parameters);

}  // namespace bouton
