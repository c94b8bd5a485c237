#include "simulate/worker.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "simulate/kernel_seed.hpp"

namespace bouton::engine {
Worker::Worker(Parameters::Content& parameters, State::Content& state, SharedRows& rows, int own_slice)
    : parameters_(parameters),
      state_(state),
      own_(parameters.own[static_cast<std::size_t>(own_slice)]),
      slice_(parameters.slice(own_slice)),
      rows_(rows) {
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
    add_row(populations_[target], drive.input());
  }
  for (const ContinuousProjection& projection : own_.continuous) {
    const Network::Projection& of = network.projections()[static_cast<std::size_t>(projection.projection())];
    add_row(populations_[static_cast<std::size_t>(of.target)], of.input);
  }
  first_spike_.resize(populations_.size() + 1);
}

// Room for what is added to an input lane by lane.
void Worker::add_row(PopulationWork& work, int input) {
  HugeBuffer& added = work.added[static_cast<std::size_t>(input)];
  if (added.bytes() > 0) return;
  const auto lanes = static_cast<std::size_t>(padded(work.lanes.size(), row_group));
  added = HugeBuffer::take(std::max<std::size_t>(64, lanes * parameters_.scalar_bytes())).value();
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
  args.seed = kernel_seed(state_.seed, "simulate/xi/" + std::to_string(p));
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

void Worker::deliver_older(std::int64_t step) {
  for (SpikeDelivery& delivery : deliveries_) delivery.deliver_older(state_.history, step, accumulators());
}

void Worker::step(std::int64_t step) {
  for (SpikeDelivery& delivery : deliveries_) delivery.deliver_fresh(state_.history, step, accumulators());
  for (PlasticProjection& projection : own_.plastic) {
    const Network::Projection& of =
        parameters_.network->projections()[static_cast<std::size_t>(projection.projection())];
    restructure_if_due(projection, step);
    projection.arrive(step, post_rows(static_cast<std::size_t>(of.target), projection.rule().post_rows()),
                      accumulators().data() +
                          own_.first_slot[static_cast<std::size_t>(of.target)][static_cast<std::size_t>(of.input)]);
  }
  drive(step);
  add_continuous(step);
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
  publish(step);
  note_posts(step);
}

void Worker::restructure_if_due(PlasticProjection& projection, std::int64_t step) {
  const Network& network = *parameters_.network;
  const int spec = network.projections()[static_cast<std::size_t>(projection.projection())].spec;
  for (const NetworkSpec::Restructuring& restructuring : network.spec().restructurings) {
    const auto every = std::max<std::int64_t>(1, std::llround(restructuring.options.interval / network.dt()));
    if (restructuring.projection.index == spec && step > 0 && step % every == 0)
      projection.restructure(step, restructuring.options);
  }
}

void Worker::take_spikes(std::int64_t step) {
  for (std::size_t k = 0; k < own_.plastic.size(); ++k) own_.plastic[k].sent(step, rows_.sent[k], rows_.pre[k]);
}

const float* const* Worker::post_rows(std::size_t population, const std::vector<int>& rows) {
  const Lanes lanes = populations_[population].lanes;
  const std::int64_t row = row_of(parameters_.network->populations()[population]);
  const HugeBuffer& states = state_.states[population];
  row_pointers_.clear();
  if (copies_.size() < rows.size()) copies_.resize(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::int64_t first = rows[i] * row + lanes.begin;
    if (parameters_.network->precision() == Scalar::float32) {
      row_pointers_.push_back(states.as<float>() + first);
      continue;
    }
    copies_[i].assign(states.as<double>() + first, states.as<double>() + first + lanes.size());
    row_pointers_.push_back(copies_[i].data());
  }
  return row_pointers_.data();
}

void Worker::note_posts(std::int64_t step) {
  for (PlasticProjection& projection : own_.plastic) {
    const auto target = static_cast<std::size_t>(
        parameters_.network->projections()[static_cast<std::size_t>(projection.projection())].target);
    const Network::Population& population = parameters_.network->populations()[target];
    fired_.clear();
    for (const std::uint32_t neuron : spikes_of(target))
      fired_.push_back(static_cast<unsigned>(neuron - population.first - populations_[target].lanes.begin));
    projection.post(step, fired_, post_rows(target, projection.rule().post_rows()));
  }
}

void Worker::add_continuous(std::int64_t step) {
  std::size_t next = 0;  // in the order in which Run published them
  for (ContinuousProjection& projection : own_.continuous) {
    const Network::Projection& of =
        parameters_.network->projections()[static_cast<std::size_t>(projection.projection())];
    PopulationWork& work = populations_[static_cast<std::size_t>(of.target)];
    pre_pointers_.clear();
    for (std::size_t i = 0; i < projection.rule().pre_rows().size(); ++i, ++next)
      pre_pointers_.push_back(
          rows_.published[next].of_step(std::max<std::int64_t>(0, step - projection.delay())).data());
    current_.assign(static_cast<std::size_t>(work.lanes.size()), 0.0F);
    projection.add(step, pre_pointers_.data(),
                   post_rows(static_cast<std::size_t>(of.target), projection.rule().post_rows()), current_.data());
    const HugeBuffer& added = work.added[static_cast<std::size_t>(of.input)];
    const double unit = projection.rule().weight_unit();
    for (std::size_t i = 0; i < current_.size(); ++i) {
      if (parameters_.network->precision() == Scalar::float32) {
        added.as<float>()[i] += current_[i] * static_cast<float>(unit);
      } else {
        added.as<double>()[i] += static_cast<double>(current_[i]) * unit;
      }
    }
  }
}

void Worker::publish(std::int64_t step) {
  for (SharedRows::Published& published : rows_.published) {
    const Lanes lanes = populations_[published.population].lanes;
    const std::int64_t first =
        std::max(0, published.row) * row_of(parameters_.network->populations()[published.population]);
    const HugeBuffer& from =
        published.row < 0 ? rows_.output[published.population] : state_.states[published.population];
    std::vector<float>& to = published.of_step(step);
    for (std::int64_t i = lanes.begin; i < lanes.end; ++i) {
      to[static_cast<std::size_t>(i)] = parameters_.network->precision() == Scalar::float32
                                            ? from.as<float>()[first + i]
                                            : static_cast<float>(from.as<double>()[first + i]);
    }
  }
}

void Worker::drive(std::int64_t step) {
  for (PoissonDrive& drive : poisson_drives_) {
    const std::int64_t first = own_.first_slot[drive.population()][static_cast<std::size_t>(drive.input())];
    drive.add(step, accumulators_.as<std::int32_t>() + first);
  }
  if (current_drives_.empty() && own_.continuous.empty()) return;
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
