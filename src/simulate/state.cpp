// make_state: a network at rest.

#include <algorithm>
#include <cstring>

#include "bouton/base/random.hpp"
#include "networks/connector.hpp"
#include "simulate/content.hpp"

namespace bouton {
namespace engine {
namespace {

// [state_slots][row]: the initial values are the first coefficients; drawn ones replace them; the rest is zero.
template <typename Real>
void fill_states(const Parameters::Content& content, std::size_t index, std::uint64_t seed, Real* states) {
  const Network::Population& population = content.network->populations()[index];
  const std::int64_t row = row_of(population);
  const Real* coefficients = content.coefficients[index].as<Real>();
  const auto& declared = population.mechanism->mechanism().states;
  const auto& initial = content.network->spec().populations[static_cast<std::size_t>(population.spec)].neurons->initial;
  for (std::size_t s = 0; s < declared.size(); ++s) {
    Real* to = states + static_cast<std::int64_t>(s) * row;
    if (content.per_neuron[index]) {
      std::copy_n(coefficients + static_cast<std::int64_t>(s) * row, row, to);
    } else {
      std::fill_n(to, row, coefficients[s]);
    }
    const auto given = initial.find(declared[s].name);
    if (given == initial.end()) continue;
    const std::uint64_t use = purpose("initial/" + population.name + "/" + declared[s].name);
    const auto drawn = networks::draw_for_neurons(given->second, seed, use, population.size);
    std::transform(drawn.begin(), drawn.end(), to, [](double value) { return static_cast<Real>(value); });
  }
}

}  // namespace
}  // namespace engine

using namespace engine;

Result<State> make_state(const Parameters& parameters, std::uint64_t seed) {
  Parameters::Content& content = parameters.content();
  const Network& network = *content.network;
  auto state = std::make_shared<State::Content>(static_cast<std::uint32_t>(network.max_delay()));
  state->parameters = parameters.shared_content();
  state->seed = seed;
  for (std::size_t p = 0; p < network.populations().size(); ++p) {
    const Network::Population& population = network.populations()[p];
    HugeBuffer buffer;
    if (population.kernel) {
      const auto slots = static_cast<std::size_t>(std::max(1, population.kernel->state_slots));
      auto taken = HugeBuffer::take(slots * static_cast<std::size_t>(row_of(population)) * content.scalar_bytes());
      if (!taken) return taken.diagnostics();
      buffer = std::move(taken).value();
      if (network.precision() == Scalar::float32) {
        fill_states(content, p, seed, buffer.as<float>());
      } else {
        fill_states(content, p, seed, buffer.as<double>());
      }
    }
    state->states.push_back(std::move(buffer));
  }
  for (const auto& drive : network.spec().current_drives) {
    const auto size =
        static_cast<std::size_t>(network.populations()[static_cast<std::size_t>(drive.target.index)].size);
    state->noise.emplace_back(drive.options.noise > 0 && drive.options.correlation_time > 0 ? size : 0, 0.0);
  }
  return State(state);
}

std::int64_t State::step() const { return content_->step; }

double State::time() const { return static_cast<double>(content_->step) * content_->parameters->network->dt(); }

std::vector<double> State::values(int population, const std::string& name) const {
  const Network::Population& of = content_->parameters->network->populations()[static_cast<std::size_t>(population)];
  std::vector<double> values;
  if (!of.mechanism) return values;
  const auto& declared = of.mechanism->mechanism().states;
  const HugeBuffer& buffer = content_->states[static_cast<std::size_t>(population)];
  for (std::size_t s = 0; s < declared.size(); ++s) {
    if (declared[s].name != name) continue;
    const std::int64_t first = static_cast<std::int64_t>(s) * row_of(of);
    for (std::int64_t i = 0; i < of.size; ++i)
      values.push_back(content_->parameters->network->precision() == Scalar::float32 ? buffer.as<float>()[first + i]
                                                                                     : buffer.as<double>()[first + i]);
  }
  return values;
}

}  // namespace bouton
