#pragma once
// [neurons.NAME], the neurons that populations name, and the synapses that projections name.

#include <map>
#include <memory>
#include <string>

#include "bouton/mechanisms/synapse.hpp"
#include "experiments/draft.hpp"

namespace bouton::experiments {

using Distributions = std::map<std::string, Distribution>;

// A neuron with what a section changes of it.
struct Cell {
  MechanismPtr mechanism;
  Distributions parameters, initial;
  Origin origin;  // of parameters and states
};

class CellReader {
 public:
  explicit CellReader(Draft& draft) : draft_(draft) {}

  void read_neurons(const TomlValue& section);
  // By the name of a section, of the catalogue, or of a file; nothing after having reported, here or at the section.
  [[nodiscard]] const Cell* find(const TomlValue& name);
  // Neurons of the file that no population used.
  void refuse_unused() const;

 private:
  [[nodiscard]] std::optional<Cell> read_cell(const TomlValue& section);
  [[nodiscard]] MechanismPtr with_channels(const MechanismPtr& neuron, const std::optional<TomlValue>& channels);

  Draft& draft_;
  struct Section {
    TomlValue value;
    std::optional<Cell> cell;
    bool used = false;
  };
  std::map<std::string, Section> sections_;
  std::map<std::string, Cell> taken_as_they_are_;  // of the catalogue and of files
};

// "{ tau_m = "20 ms", V_T = "normal(...)" }".
[[nodiscard]] Distributions read_distributions(const std::optional<TomlValue>& table, const Constants& constants);

// A synapse of the catalogue or of a file beside the simulation's.
[[nodiscard]] SynapsePtr read_synapse(Draft& draft, const TomlValue& value);

}  // namespace bouton::experiments
