#pragma once
// Pictures of a simulation, for PNG files (data::png_bytes).

#include <string>
#include <vector>

#include "bouton/data/png.hpp"
#include "bouton/evaluate/spike_statistics.hpp"

namespace bouton::evaluate {

struct NamedPopulation {
  std::string name;
  NeuronRange neurons;
};

// A dot for each spike: time to the right, neurons from the top in the order of the populations, each population in its
// colour and, of a large network, some of its neurons at equal distances. Shows the whole window, or as much of its end
// as can be told apart.
[[nodiscard]] data::Picture raster_picture(const Spikes& spikes, const std::vector<NamedPopulation>& populations,
                                           const StepWindow& window, const std::string& title);

// The mean rate of each population over the window, one panel each.
[[nodiscard]] data::Picture rates_picture(const Spikes& spikes, const std::vector<NamedPopulation>& populations,
                                          const StepWindow& window, const std::string& title);

// How weights are distributed, one panel a projection: filled at the end, as a line at the beginning.
struct WeightsOverTime {
  std::string name, unit;  // values are in `unit`
  std::vector<float> first, last;
};
[[nodiscard]] data::Picture weights_picture(const std::vector<WeightsOverTime>& projections, const std::string& title);

}  // namespace bouton::evaluate
