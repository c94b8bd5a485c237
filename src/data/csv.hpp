#pragma once

#include "data/idx.hpp"

namespace bouton::data {

// The text of a table as read_csv takes it.
[[nodiscard]] Result<ImageSet> parse_csv(const NamedBytes& file);

}  // namespace bouton::data
