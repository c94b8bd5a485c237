#include "simulate/drives.hpp"

#include <algorithm>
#include <cmath>

#include "networks/connector.hpp"

namespace bouton::engine {
namespace {

std::uint64_t purpose_of_drive(const char* use, std::size_t index) {
  return purpose("simulate/" + std::string(use) + "/" + std::to_string(index));
}

const Input& input_at(const Network::Population& population, int input) {
  return population.mechanism->mechanism().inputs[static_cast<std::size_t>(input)];
}

// What 1 of a dimensionless signal stands for at an input that is declared "in units of".
double unit_of(const Input& input, const Dimension& given) {
  return given.dimensionless() && !input.dimension.dimensionless() ? input.scale : 1;
}

// A time as the number of the first step that is not before it; times that are a multiple of the step up to rounding
// are that step.
std::int64_t step_at(double seconds, double dt) {
  const double steps = seconds / dt;
  if (steps > 9e15) return std::numeric_limits<std::int64_t>::max();
  return static_cast<std::int64_t>(std::ceil(steps - 1e-6));
}

}  // namespace

int input_of(const Network::Population& population, const std::string& name, bool impulse) {
  const std::vector<Input>& inputs = population.mechanism->mechanism().inputs;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (name.empty() ? inputs[i].impulse == impulse : inputs[i].name == name) return static_cast<int>(i);
  }
  return 0;  // the only input there is, of the other kind
}

// ---- Poisson

PoissonDrive::PoissonDrive(const Network& network, std::size_t drive, Lanes lanes, std::uint64_t seed)
    : options_(network.spec().poisson_drives[drive].options),
      population_(static_cast<std::size_t>(network.spec().poisson_drives[drive].target.index)),
      input_(input_of(network.populations()[population_], options_.receptor, true)),
      lanes_(lanes),
      dt_(network.dt()),
      stream_(seed, purpose_of_drive("poisson", drive)) {
  const Network::Population& population = network.populations()[population_];
  const double weight = options_.weight.value * unit_of(input_at(population, input_), options_.weight.dimension);
  weight_ = static_cast<std::int32_t>(std::lround(weight / network.quantum(static_cast<int>(population_), input_)));
}

void PoissonDrive::add(std::int64_t step, std::int32_t* arrivals) {
  table_.set_mean(std::max(0.0, options_.sources * options_.rate(static_cast<double>(step) * dt_) * dt_));
  stream_.add(table_, lanes_.begin, padded(lanes_.end, lane_group), step, weight_, arrivals);
}

// ---- currents

CurrentDrive::CurrentDrive(const Network& network, std::size_t drive, Lanes lanes, std::uint64_t seed)
    : options_(network.spec().current_drives[drive].options),
      population_(static_cast<std::size_t>(network.spec().current_drives[drive].target.index)),
      input_(input_of(network.populations()[population_], options_.input, false)),
      lanes_(lanes),
      dt_(network.dt()),
      shared_(options_.amplitude.is_constant() && options_.noise == 0 && options_.columns <= 1),
      words_(seed, purpose_of_drive("noise", drive)),
      normal_(normal(0, options_.noise > 0 ? options_.noise : 1)) {
  const Network::Population& population = network.populations()[population_];
  scale_ = unit_of(input_at(population, input_), options_.signal.dimension());
  if (!shared_) {
    const auto all =
        networks::draw_for_neurons(options_.amplitude, seed, purpose_of_drive("amplitude", drive), population.size);
    amplitude_.assign(all.begin() + lanes.begin, all.begin() + lanes.end);
  }
  if (options_.correlation_time > 0) {
    keep_ = std::exp(-dt_ / options_.correlation_time);
    fresh_ = std::sqrt(1 - keep_ * keep_);
  }
}

const double* CurrentDrive::playback_row(double seconds) const {
  if (options_.columns == 0) return nullptr;
  const auto rows = static_cast<std::int64_t>(options_.samples.size()) / options_.columns;
  const auto row = static_cast<std::int64_t>(seconds / options_.interval + 1e-6);
  return options_.samples.data() + std::min(row, rows - 1) * options_.columns;
}

double CurrentDrive::constant(std::int64_t step) const {
  const double seconds = static_cast<double>(step) * dt_;
  const double* played = playback_row(seconds);
  return options_.amplitude.a * options_.signal(seconds) * scale_ + (played ? played[0] : 0);
}

template <typename Real>
void CurrentDrive::add(std::int64_t step, Real* added, double* noise) {
  const double seconds = static_cast<double>(step) * dt_, signal = options_.signal(seconds) * scale_;
  const auto count = static_cast<std::size_t>(lanes_.size());
  for (std::size_t i = 0; i < count; ++i) added[i] += static_cast<Real>(amplitude_[i] * signal);
  if (const double* row = playback_row(seconds)) {
    for (std::size_t i = 0; i < count; ++i)
      added[i] += static_cast<Real>(options_.columns == 1 ? row[0] : row[lanes_.begin + static_cast<std::int64_t>(i)]);
  }
  if (options_.noise == 0) return;
  words_.fill(static_cast<std::uint32_t>(step), bits_, count, static_cast<std::uint32_t>(lanes_.begin / 4));
  draws_.resize(count);
  normal_.fill(bits_.data(), draws_.data(), count);
  if (!noise) {
    for (std::size_t i = 0; i < count; ++i) added[i] += static_cast<Real>(draws_[i]);
    return;
  }
  for (std::size_t i = 0; i < count; ++i) {
    noise[i] = keep_ * noise[i] + fresh_ * static_cast<double>(draws_[i]);
    added[i] += static_cast<Real>(noise[i]);
  }
}
template void CurrentDrive::add<float>(std::int64_t, float*, double*);
template void CurrentDrive::add<double>(std::int64_t, double*, double*);

// ---- generators

Generator::Generator(const Network& network, std::size_t population, Lanes lanes, std::uint64_t seed)
    : options_(*network.spec().populations[static_cast<std::size_t>(network.populations()[population].spec)].generator),
      population_(population),
      first_(static_cast<std::uint32_t>(network.populations()[population].first)),
      lanes_(lanes),
      dt_(network.dt()),
      start_(step_at(options_.start, dt_)),
      stop_(step_at(options_.stop, dt_)),
      stream_(seed, purpose_of_drive("generator", population)) {
  if (options_.kind != GeneratorOptions::Kind::trains) return;
  for (std::size_t k = 0; k < options_.times.size(); ++k) {
    const std::int64_t neuron = options_.neurons[k];
    if (neuron >= lanes.begin && neuron < lanes.end)
      trains_.emplace_back(static_cast<std::int64_t>(std::llround(options_.times[k] / dt_)), options_.neurons[k]);
  }
  std::sort(trains_.begin(), trains_.end());
}

void Generator::emit(std::int64_t step, std::vector<std::uint32_t>& spikes) {
  if (step < start_ || step >= stop_) return;
  switch (options_.kind) {
    case GeneratorOptions::Kind::poisson:
      table_.set_mean(std::max(0.0, options_.rate(static_cast<double>(step) * dt_) * dt_));
      stream_.emit(table_, lanes_.begin, lanes_.end, step, first_, spikes);
      break;
    case GeneratorOptions::Kind::regular:
      emit_regular(step, spikes);
      break;
    case GeneratorOptions::Kind::trains:
      emit_trains(step, spikes);
      break;
  }
}

// Neuron i fires at start + i * stagger + k / rate, each time at the nearest step.
void Generator::emit_regular(std::int64_t step, std::vector<std::uint32_t>& spikes) const {
  const double rate = options_.rate(0);
  if (rate <= 0) return;
  const double period = 1 / rate / dt_;
  for (std::int64_t i = lanes_.begin; i < lanes_.end; ++i) {
    const double first = (options_.start + static_cast<double>(i) * options_.stagger) / dt_;
    const double k = std::ceil((static_cast<double>(step) - 0.5 - first) / period - 1e-9);
    if (k >= 0 && std::llround(first + k * period) == step) spikes.push_back(first_ + static_cast<std::uint32_t>(i));
  }
}

void Generator::emit_trains(std::int64_t step, std::vector<std::uint32_t>& spikes) const {
  auto at = std::lower_bound(trains_.begin(), trains_.end(), std::pair{step, std::uint32_t{0}});
  for (; at != trains_.end() && at->first == step; ++at) spikes.push_back(first_ + at->second);
}

}  // namespace bouton::engine
