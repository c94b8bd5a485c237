// One synapse of the catalogue with given spikes, for comparison with other programs.
//   trace_synapse NAME DT STEPS WEIGHT PRE POST [PARAMETER=SI...]
// PRE and POST are steps, separated by commas: arrivals of presynaptic spikes (from step 1 on) and post events. Prints
// what each arrival delivers, a line each, then the weight.
#include <cstdio>
#include <exception>
#include <sstream>
#include <string>
#include <vector>

#include "mechanisms/synapse_run.hpp"

namespace {

std::vector<long> steps_of(const std::string& list) {
  std::vector<long> steps;
  std::istringstream words(list);
  for (std::string word; std::getline(words, word, ',');) steps.push_back(std::stol(word));
  return steps;
}

int run(int count, char** arguments) {
  using namespace bouton;
  if (count < 7) {
    std::fprintf(stderr, "expected: NAME DT STEPS WEIGHT PRE POST [PARAMETER=SI...]\n");
    return 2;
  }
  std::vector<long> spikes = steps_of(arguments[5]);
  for (long& step : spikes) --step;  // sent one step before it arrives
  testing::SynapseScenario s = testing::single_synapse(load_synapse(arguments[1]).value(), std::stod(arguments[4]),
                                                       std::stol(arguments[3]), spikes, steps_of(arguments[6]));
  s.dt = std::stod(arguments[2]);
  s.quanta = 1e8F;
  for (int i = 7; i < count; ++i) {
    const std::string given = arguments[i];
    const std::size_t at = given.find('=');
    s.with(given.substr(0, at), std::stod(given.substr(at + 1)));
  }
  const testing::SynapseOutcome outcome = testing::run_kernel(s);
  for (const long step : spikes) std::printf("%.9g\n", double(outcome.delivered[std::size_t(step + 1)]) / 1e8);
  std::printf("%.9g\n", outcome.of(s.synapse->synapse().weight().name)[0]);
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  try {
    return run(count, arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
