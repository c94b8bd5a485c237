#include "bouton/experiments/validation.hpp"

#include <cmath>

#include "experiments/validation_groups.hpp"

namespace bouton::experiments {

bool ValidationCheck::passed() const {
  return std::isfinite(value) && std::isfinite(reference) && std::abs(value - reference) <= tolerance;
}

const std::vector<ValidationGroup>& validation_groups() {
  static const std::vector<ValidationGroup> groups = [] {
    std::vector<ValidationGroup> all;
    for (auto part : {validation::neuron_groups, validation::synapse_groups, validation::network_groups}) {
      for (ValidationGroup& g : part()) all.push_back(std::move(g));
    }
    return all;
  }();
  return groups;
}

}  // namespace bouton::experiments
