// simulate: all slices step together; after each step their spikes become history.

#include <algorithm>
#include <chrono>
#include <cmath>

#include "simulate/recorders.hpp"
#include "simulate/spike_hash.hpp"
#include "simulate/team.hpp"
#include "simulate/worker.hpp"

namespace bouton {
namespace engine {
namespace {

class Run {
 public:
  Run(Parameters::Content& parameters, std::shared_ptr<State::Content> state, const RunOptions& options)
      : parameters_(parameters),
        shared_state_(std::move(state)),
        state_(*shared_state_),
        options_(options),
        recorders_(parameters, state_, options) {
    make_rows();
    for (int own = 0; own < parameters_.threads; ++own)
      workers_.push_back(std::make_unique<Worker>(parameters_, state_, rows_, own));
  }

  Recording go() {
    Recording recording;
    recording.first_step = state_.step;
    const std::int64_t wanted = std::llround(options_.duration / parameters_.network->dt());
    const auto begun = std::chrono::steady_clock::now();
    const std::int64_t last = state_.step + wanted;
    Barrier barrier(parameters_.threads);
    bool more = wanted > 0;
    in_parallel(parameters_.threads, [&](int member) {
      Worker& worker = *workers_[static_cast<std::size_t>(member)];
      std::int64_t step = recording.first_step;
      if (wanted > 0) worker.deliver_older(step);
      while (more) {
        worker.step(step);
        recorders_.sample(worker, member, step);
        const auto round = barrier.arrive([&] { more = exchange(recording, last); });
        worker.deliver_older(step + 1);  // for nothing after the last step: the next run begins with the history
        barrier.wait(round);
        worker.take_spikes(step++);
      }
    });
    recording.steps = state_.step - recording.first_step;
    recording.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    recording.spike_hash = spike_hash_text(state_.spike_sum);
    recorders_.finish(recording);
    state_.published.clear();
    for (auto& published : rows_.published) state_.published.push_back(std::move(published.ring));
    return recording;
  }

 private:
  void make_rows() {
    for (std::size_t p = 0; p < parameters_.network->populations().size(); ++p) {
      const Network::Population& population = parameters_.network->populations()[p];
      const auto row = static_cast<std::size_t>(row_of(population));
      rows_.spikes.push_back(population.kernel ? HugeBuffer::take(row / 8).value() : HugeBuffer());
      const bool read = recorders_.reads_output(p) || publishes_output(p);
      rows_.output.push_back(population.kernel && read ? HugeBuffer::take(row * parameters_.scalar_bytes()).value()
                                                       : HugeBuffer());
    }
    recorders_.attach(rows_);
    make_published();
    rows_.sent.resize(parameters_.own[0].plastic.size());
    rows_.pre.resize(rows_.sent.size());
  }

  [[nodiscard]] const Network::Projection& projection_of(const auto& rule_projection) const {
    return parameters_.network->projections()[static_cast<std::size_t>(rule_projection.projection())];
  }

  [[nodiscard]] bool publishes_output(std::size_t population) const {
    for (const ContinuousProjection& projection : parameters_.own[0].continuous) {
      const std::vector<int>& rows = projection.rule().pre_rows();
      if (static_cast<std::size_t>(projection_of(projection).source) == population &&
          std::find(rows.begin(), rows.end(), -1) != rows.end())
        return true;
    }
    return false;
  }

  // Rings begin with what the state holds: before its first step a network has always been at rest. What was published
  // before this run is kept in the state.
  void make_published() {
    for (const ContinuousProjection& projection : parameters_.own[0].continuous) {
      const auto source = static_cast<std::size_t>(projection_of(projection).source);
      const auto size = static_cast<std::size_t>(parameters_.network->populations()[source].size);
      for (const int row : projection.rule().pre_rows()) {
        SharedRows::Published published{source, row, {}};
        published.ring.resize(static_cast<std::size_t>(projection.delay()) + 1);
        std::vector<float> rest(size, 0.0F);
        if (row >= 0) {
          const auto& states = parameters_.network->populations()[source].mechanism->mechanism().states;
          const auto values =
              State(shared_state_).values(static_cast<int>(source), states[static_cast<std::size_t>(row)].name);
          std::transform(values.begin(), values.end(), rest.begin(), [](double x) { return static_cast<float>(x); });
        }
        for (auto& step : published.ring) step = rest;
        rows_.published.push_back(std::move(published));
      }
    }
    for (std::size_t k = 0; k < std::min(state_.published.size(), rows_.published.size()); ++k) {
      auto& ring = rows_.published[k].ring;
      const auto& kept = state_.published[k];
      const bool fits =
          kept.size() == ring.size() && std::equal(kept.begin(), kept.end(), ring.begin(),
                                                   [](const auto& a, const auto& b) { return a.size() == b.size(); });
      if (fits) ring = kept;
    }
  }

  // What the axons of plastic projections need to know of the step's spikes.
  void tell_axons(const std::vector<std::uint32_t>& all) {
    for (std::size_t k = 0; k < rows_.sent.size(); ++k) {
      const PlasticProjection& projection = parameters_.own[0].plastic[k];
      const auto p = static_cast<std::size_t>(projection_of(projection).source);
      const Network::Population& source = parameters_.network->populations()[p];
      rows_.sent[k].clear();
      rows_.pre[k].clear();
      const auto from = std::lower_bound(all.begin(), all.end(), static_cast<std::uint32_t>(source.first));
      const auto to = std::lower_bound(from, all.end(), static_cast<std::uint32_t>(source.first + source.size));
      for (auto at = from; at != to; ++at) {
        const auto neuron = static_cast<std::int64_t>(*at) - source.first;
        rows_.sent[k].push_back(static_cast<std::uint32_t>(neuron));
        for (const int row : projection.rule().pre_rows()) {
          const std::int64_t place = row * row_of(source) + neuron;
          rows_.pre[k].push_back(parameters_.network->precision() == Scalar::float32
                                     ? state_.states[p].as<float>()[place]
                                     : static_cast<float>(state_.states[p].as<double>()[place]));
        }
      }
    }
  }

  // Rows of other ranks' neurons.
  void share_published() {
    for (SharedRows::Published& published : rows_.published) {
      const Lanes first = parameters_.slices.lanes(published.population, parameters_.slice(0));
      const Lanes last = parameters_.slices.lanes(published.population, parameters_.slice(parameters_.threads - 1));
      std::vector<float>& row = published.of_step(state_.step);
      const std::string mine(reinterpret_cast<const char*>(row.data() + first.begin),
                             static_cast<std::size_t>(last.end - first.begin) * sizeof(float));
      std::vector<std::string> all;
      parameters_.ranks->all_gather_bytes(mine, all);
      char* to = reinterpret_cast<char*>(row.data());
      for (const std::string& part : all) to = std::copy(part.begin(), part.end(), to);
    }
  }

  // Done by one thread while the others wait, or deliver older spikes: what all slices fired in this step, ascending.
  // Returns whether to go on.
  bool exchange(Recording& recording, std::int64_t last) {
    mine_.clear();
    for (std::size_t p = 0; p < parameters_.network->populations().size(); ++p) {
      for (const auto& worker : workers_) {
        const auto spikes = worker->spikes_of(p);
        mine_.insert(mine_.end(), spikes.begin(), spikes.end());
      }
    }
    Ranks& ranks = *parameters_.ranks;
    const std::vector<std::uint32_t>* all = &mine_;
    if (ranks.count() > 1) {
      ranks.all_gather(mine_, all_);
      std::sort(all_.begin(), all_.end());
      all = &all_;
      share_published();
    }
    tell_axons(*all);
    state_.history.push(*all);
    add_spikes(state_.spike_sum, state_.step, *all);
    recorders_.spikes(state_.step, *all);
    ++state_.step;
    parameters_.step = state_.step;
    recorders_.weights(state_.step);
    if (state_.step >= last) return false;
    return !asked_to_stop(recording);
  }

  // The user is asked now and then; all ranks stop after the same step.
  bool asked_to_stop(Recording& recording) {
    if (++since_look_ < look_every_) return false;
    since_look_ = 0;
    if (options_.progress)
      options_.progress(state_.step - recording.first_step,
                        std::llround(options_.duration / parameters_.network->dt()));
    const double stop = options_.stop && options_.stop() ? 1 : 0;
    recording.stopped = parameters_.ranks->maximum(stop) > 0;
    return recording.stopped;
  }

  Parameters::Content& parameters_;
  std::shared_ptr<State::Content> shared_state_;
  State::Content& state_;
  const RunOptions& options_;
  SharedRows rows_;
  Recorders recorders_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::uint32_t> mine_, all_;
  static constexpr std::int64_t look_every_ = 10;  // steps: all ranks must agree
  std::int64_t since_look_ = 0;
};

}  // namespace
}  // namespace engine

Result<Recording> simulate(const Parameters& parameters, State& state, const RunOptions& options) {
  if (auto fine = engine::check_run(*parameters.content().network, options); !fine) return fine.diagnostics();
  return engine::Run(parameters.content(), state.shared_content(), options).go();
}

}  // namespace bouton
