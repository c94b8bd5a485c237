#include "simulate/worker.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "bouton/base/random.hpp"

namespace bouton::engine {
namespace {

// The noise xi of each population has a key of its own.
std::uint64_t mixed_seed(std::uint64_t seed, std::size_t population) {
  const auto key = random_key(seed, purpose("simulate/xi/" + std::to_string(population)));
  return static_cast<std::uint64_t>(key[1]) << 32 | key[0];
}

}  // namespace

Worker::Worker(Parameters::Content& parameters, State::Content& state, SharedRows& rows, int own_slice)
    : parameters_(parameters),
      state_(state),
      own_(parameters.own[static_cast<std::size_t>(own_slice)]),
      slice_(parameters.slice(own_slice)) {
  const Network& network = *parameters_.network;
  accumulators_ = HugeBuffer::take(std::max<std::size_t>(4, static_cast<std::size_t>(own_.slots) * 4)).value();
  for (const networks::DeliveryTable& table : own_.tables) deliveries_.emplace_back(table);
  populations_.resize(network.populations().size());
  for (std::size_t p = 0; p < populations_.size(); ++p) prepare_population(p, rows);
  for (std::size_t k = 0; k < network.spec().poisson_drives.size(); ++k) {
    const auto target = static_cast<std::size_t>(network.spec().poisson_drives[k].target.index);
    poisson_drives_.emplace_back(network, k, populations_[target].lanes, state_.seed);
  }
  for (std::size_t k = 0; k < network.spec().current_drives.size(); ++k) {
    const auto target = static_cast<std::size_t>(network.spec().current_drives[k].target.index);
    current_drives_.emplace_back(network, k, populations_[target].lanes, state_.seed);
    const CurrentDrive& drive = current_drives_.back();
    if (drive.shared()) continue;
    PopulationWork& work = populations_[target];
    HugeBuffer& added = work.added[static_cast<std::size_t>(drive.input())];
    if (added.bytes() == 0) {
      const auto lanes = static_cast<std::size_t>(padded(work.lanes.size(), row_group));
      added = HugeBuffer::take(std::max<std::size_t>(64, lanes * parameters_.scalar_bytes())).value();
    }
  }
  first_spike_.resize(populations_.size() + 1);
}

void Worker::prepare_population(std::size_t p, SharedRows& rows) {
  const Network& network = *parameters_.network;
  const Network::Population& population = network.populations()[p];
  PopulationWork& work = populations_[p];
  work.lanes = parameters_.slices.lanes(p, slice_);
  if (!population.kernel) {
    work.generator = std::make_unique<Generator>(network, p, work.lanes, state_.seed);
    return;
  }
  bouton_advance_args& args = work.args;
  args.lanes = population.size;
  args.row = row_of(population);
  args.begin = work.lanes.begin;
  args.end = work.lanes.end;
  args.dt = network.dt();
  args.seed = mixed_seed(state_.seed, p);
  args.coefficient_stride = parameters_.per_neuron[p] ? 1 : 0;
  args.coefficients = parameters_.coefficients[p].as<void>();
  args.state = state_.states[p].as<void>();
  for (int i = 0; i < population.kernel->inputs; ++i) {
    const std::int64_t first = own_.first_slot[p][static_cast<std::size_t>(i)];
    args.arrivals[i] = accumulators_.as<int>() + first - work.lanes.begin;
    args.arrival_scale[i] = network.quantum(static_cast<int>(p), i);
  }
  args.spikes = population.spiking ? rows.spikes[p].as<unsigned long long>() : nullptr;
  args.output = rows.output[p].bytes() > 0 ? rows.output[p].as<void>() : nullptr;
  work.constant.resize(static_cast<std::size_t>(population.kernel->inputs));
  work.added.resize(static_cast<std::size_t>(population.kernel->inputs));
}

void Worker::step(std::int64_t step) {
  const std::span<std::int32_t> accumulators(accumulators_.as<std::int32_t>(), static_cast<std::size_t>(own_.slots));
  for (SpikeDelivery& delivery : deliveries_) delivery.deliver(state_.history, step, accumulators);
  drive(step);
  advance(step);
  spikes_.clear();
  for (std::size_t p = 0; p < populations_.size(); ++p) {
    first_spike_[p] = spikes_.size();
    if (populations_[p].generator) {
      populations_[p].generator->emit(step, spikes_);
    } else if (populations_[p].args.spikes) {
      collect(p);
    }
  }
  first_spike_.back() = spikes_.size();
}

void Worker::drive(std::int64_t step) {
  for (PoissonDrive& drive : poisson_drives_) {
    const std::int64_t first = own_.first_slot[drive.population()][static_cast<std::size_t>(drive.input())];
    drive.add(step, accumulators_.as<std::int32_t>() + first);
  }
  if (current_drives_.empty()) return;
  for (PopulationWork& work : populations_) {
    std::fill(work.constant.begin(), work.constant.end(), 0.0);
    for (HugeBuffer& added : work.added)
      if (added.bytes() > 0) std::memset(added.as<std::byte>(), 0, added.bytes());
  }
  for (std::size_t k = 0; k < current_drives_.size(); ++k) {
    CurrentDrive& drive = current_drives_[k];
    if (drive.shared()) {
      populations_[drive.population()].constant[static_cast<std::size_t>(drive.input())] += drive.constant(step);
    } else if (parameters_.network->precision() == Scalar::float32) {
      add_current<float>(drive, k, step);
    } else {
      add_current<double>(drive, k, step);
    }
  }
}

template <typename Real>
void Worker::add_current(CurrentDrive& drive, std::size_t index, std::int64_t step) {
  PopulationWork& work = populations_[drive.population()];
  std::vector<double>& noise = state_.noise[index];
  drive.add(step, work.added[static_cast<std::size_t>(drive.input())].as<Real>(),
            noise.empty() ? nullptr : noise.data() + work.lanes.begin);
}

void Worker::advance(std::int64_t step) {
  const bool single = parameters_.network->precision() == Scalar::float32;
  for (std::size_t p = 0; p < populations_.size(); ++p) {
    PopulationWork& work = populations_[p];
    if (work.generator || work.lanes.empty()) continue;
    work.args.step = step;
    for (std::size_t i = 0; i < work.constant.size(); ++i) {
      work.args.constant[i] = work.constant[i];
      const HugeBuffer& added = work.added[i];
      if (added.bytes() == 0) continue;
      // Indexed by lane, as all rows are; the array begins with the slice's first.
      work.args.added[i] = single ? static_cast<const void*>(added.as<float>() - work.lanes.begin)
                                  : static_cast<const void*>(added.as<double>() - work.lanes.begin);
    }
    parameters_.network->populations()[p].kernel->advance(&work.args);
  }
}

void Worker::collect(std::size_t p) {
  const PopulationWork& work = populations_[p];
  const auto first = static_cast<std::uint32_t>(parameters_.network->populations()[p].first);
  for (std::int64_t word = work.lanes.begin / 64; word < (work.lanes.end + 63) / 64; ++word) {
    for (std::uint64_t bits = work.args.spikes[word]; bits != 0; bits &= bits - 1)
      spikes_.push_back(first + static_cast<std::uint32_t>(word * 64 + std::countr_zero(bits)));
  }
}

}  // namespace bouton::engine
