#include "experiments/validation_groups.hpp"

namespace bouton::experiments::validation {

std::vector<ValidationGroup> network_groups() { return {}; }

}  // namespace bouton::experiments::validation
