#pragma once
// The parts of a simulation's file, one function each.

#include "bouton/experiments/simulation.hpp"
#include "experiments/cells.hpp"
#include "experiments/draft.hpp"

namespace bouton::experiments {

// [populations.NAME], in the order of the file.
void read_populations_section(Draft& draft, CellReader& cells, const TomlValue& section);

// [[projections]]: one projection for each pair of a source and a target.
void read_projections(Draft& draft, const TomlValue& section);

// [[drives]].
void read_drives(Draft& draft, const TomlValue& section);

// [[restructure]].
void read_restructuring(Draft& draft, const TomlValue& section);

// [record], once the network is known.
[[nodiscard]] RecordPlan read_record(Draft& draft, const std::optional<TomlValue>& section, const Network& network);

}  // namespace bouton::experiments
