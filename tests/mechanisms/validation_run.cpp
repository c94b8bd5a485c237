#include "mechanisms/validation_run.hpp"

#include <algorithm>
#include <stdexcept>

namespace bouton::validation {
namespace {

const CatalogueEntry& entry_of(const std::string& name) {
  for (const CatalogueEntry& entry : catalogue()) {
    if (entry.name == name) return entry;
  }
  throw std::invalid_argument("the catalogue has no '" + name + "'");
}

}  // namespace

MechanismPtr variant(const std::string& name, const std::vector<std::string>& lines,
                     const std::vector<std::pair<std::string, std::string>>& replacements) {
  std::string text = entry_of(name).text;
  for (const auto& [from, to] : replacements) {
    const std::size_t at = text.find(from);
    if (at == std::string::npos) throw std::invalid_argument(name + " has no '" + from + "'");
    text.replace(at, from.size(), to);
  }
  for (const std::string& line : lines) text += "  " + line + "\n";
  return load_mechanism_text({name + ".mech", text}).value();
}

std::vector<std::size_t> Recording::spike_steps(std::size_t lane) const {
  std::vector<std::size_t> result;
  for (std::size_t step = 0; step < steps; ++step) {
    if (output[step * lanes + lane] > 0.5) result.push_back(step);
  }
  return result;
}

std::vector<double> Recording::spike_times(std::size_t lane) const {
  std::vector<double> result;
  for (const std::size_t step : spike_steps(lane)) result.push_back(static_cast<double>(step + 1) * dt);
  return result;
}

std::vector<double> Recording::trace(const std::string& state, std::size_t lane) const {
  const std::vector<double>& all = traces.at(state);
  std::vector<double> result(steps);
  for (std::size_t step = 0; step < steps; ++step) result[step] = all[step * lanes + lane];
  return result;
}

Simulation::Simulation(MechanismPtr mechanism, std::size_t lanes)
    : mechanism_(std::move(mechanism)), kernel_(mechanism_->kernel(Scalar::float64).value()), lanes_(lanes) {
  for (const Parameter& parameter : mechanism_->mechanism().parameters) parameters_.push_back(parameter.value);
  inputs_.resize(mechanism_->mechanism().inputs.size());
  constant_.assign(inputs_.size(), true);
}

Simulation::Simulation(const std::string& catalogue_name, std::size_t lanes)
    : Simulation(load_mechanism(catalogue_name).value(), lanes) {}

Simulation& Simulation::parameter(const std::string& name, double si) {
  const std::vector<Parameter>& known = mechanism_->mechanism().parameters;
  const auto found = std::find_if(known.begin(), known.end(), [&](const Parameter& p) { return p.name == name; });
  if (found == known.end()) throw std::invalid_argument("no parameter '" + name + "'");
  parameters_[static_cast<std::size_t>(found - known.begin())] = si;
  return *this;
}

std::size_t Simulation::input_index(const std::string& name) const {
  const std::vector<Input>& known = mechanism_->mechanism().inputs;
  const auto found = std::find_if(known.begin(), known.end(), [&](const Input& i) { return i.name == name; });
  if (found == known.end()) throw std::invalid_argument("no input '" + name + "'");
  return static_cast<std::size_t>(found - known.begin());
}

Simulation& Simulation::input(const std::string& name, double si) {
  return input_per_lane(name, std::vector<double>(lanes_, si));
}

Simulation& Simulation::input_per_lane(const std::string& name, std::vector<double> si) {
  const std::size_t index = input_index(name);
  inputs_[index] = std::move(si);
  constant_[index] = true;
  return *this;
}

Simulation& Simulation::input(const std::string& name, std::vector<double> si) {
  const std::size_t index = input_index(name);
  inputs_[index] = std::move(si);
  constant_[index] = false;
  return *this;
}

Simulation& Simulation::record(const std::string& state) {
  recorded_.push_back(state);
  return *this;
}

Simulation& Simulation::seed(unsigned long long value) {
  seed_ = value;
  return *this;
}

Recording Simulation::run(double dt, std::size_t steps) const {
  std::vector<double> coefficients(static_cast<std::size_t>(std::max(1, kernel_->coefficients)));
  kernel_->prepare(parameters_.data(), 0, 1, dt, coefficients.data());

  Recording result{
      .dt = dt, .steps = steps, .lanes = lanes_, .traces = {}, .output = std::vector<double>(steps * lanes_)};
  std::vector<std::vector<double>> tiled(inputs_.size());  // inputs given once a step, spread over the lanes
  bouton_forward_args arguments{};
  arguments.steps = static_cast<long>(steps);
  arguments.lanes = static_cast<long>(lanes_);
  arguments.neurons = static_cast<long>(lanes_);
  arguments.end = arguments.lanes;
  arguments.dt = dt;
  arguments.seed = seed_;
  arguments.coefficients = coefficients.data();
  arguments.output = result.output.data();
  arguments.traced_state = -1;
  for (std::size_t k = 0; k < inputs_.size(); ++k) {
    arguments.input_scale[k] = 1;
    if (inputs_[k].empty()) continue;
    const std::vector<double>* values = &inputs_[k];
    if (!constant_[k] && lanes_ > 1 && values->size() == steps) {
      tiled[k].reserve(steps * lanes_);
      for (const double value : *values) tiled[k].insert(tiled[k].end(), lanes_, value);
      values = &tiled[k];
    }
    if (values->size() != (constant_[k] ? lanes_ : steps * lanes_))
      throw std::invalid_argument("an input has the wrong length");
    arguments.inputs[k] = values->data();
    arguments.input_stride[k] = constant_[k] ? 0 : arguments.lanes;
  }
  if (recorded_.empty()) kernel_->forward(&arguments);
  // A kernel traces one state a pass; noise depends on (seed, lane, step) alone, so each pass is the same run.
  for (const std::string& state : recorded_) {
    const auto begin = kernel_->state_names, end = begin + kernel_->states;
    const auto found = std::find_if(begin, end, [&](const char* name) { return state == name; });
    if (found == end) throw std::invalid_argument("no state '" + state + "'");
    std::vector<double>& trace = result.traces[state];
    trace.resize(steps * lanes_);
    arguments.traced_state = found - begin;
    arguments.trace = trace.data();
    kernel_->forward(&arguments);
  }
  return result;
}

}  // namespace bouton::validation
