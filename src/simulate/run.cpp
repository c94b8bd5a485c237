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
  Run(Parameters::Content& parameters, State::Content& state, const RunOptions& options)
      : parameters_(parameters), state_(state), options_(options), recorders_(parameters, state, options) {
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
      while (more) {
        worker.step(state_.step);
        recorders_.sample(worker, member, state_.step);
        barrier.wait([&] { more = exchange(recording, last); });
      }
    });
    recording.steps = state_.step - recording.first_step;
    recording.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    recording.spike_hash = spike_hash_text(state_.spike_sum);
    recorders_.finish(recording);
    return recording;
  }

 private:
  void make_rows() {
    for (std::size_t p = 0; p < parameters_.network->populations().size(); ++p) {
      const Network::Population& population = parameters_.network->populations()[p];
      const auto row = static_cast<std::size_t>(row_of(population));
      rows_.spikes.push_back(population.kernel ? HugeBuffer::take(row / 8).value() : HugeBuffer());
      const bool read = recorders_.reads_output(p);
      rows_.output.push_back(population.kernel && read ? HugeBuffer::take(row * parameters_.scalar_bytes()).value()
                                                       : HugeBuffer());
    }
    recorders_.attach(rows_);
  }

  // Done by one thread while the others wait: what all slices fired in this step, ascending. Returns whether to go on.
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
    }
    state_.history.push(*all);
    add_spikes(state_.spike_sum, state_.step, *all);
    recorders_.spikes(state_.step, *all);
    ++state_.step;
    if (state_.step >= last) return false;
    return !asked_to_stop(recording);
  }

  // The clock and the user are asked now and then; all ranks stop after the same step.
  bool asked_to_stop(Recording& recording) {
    if (++since_look_ < look_every_) return false;
    since_look_ = 0;
    const auto now = std::chrono::steady_clock::now();
    const double seconds = std::chrono::duration<double>(now - looked_).count();
    looked_ = now;
    if (parameters_.ranks->count() == 1)  // about twenty times a second; ranks must agree and keep to a number
      look_every_ = std::clamp<std::int64_t>(seconds > 0 ? std::llround(0.05 / seconds * look_every_) : 1, 1, 1000);
    if (options_.progress)
      options_.progress(state_.step - recording.first_step,
                        std::llround(options_.duration / parameters_.network->dt()));
    const double stop = options_.stop && options_.stop() ? 1 : 0;
    recording.stopped = parameters_.ranks->maximum(stop) > 0;
    return recording.stopped;
  }

  Parameters::Content& parameters_;
  State::Content& state_;
  const RunOptions& options_;
  SharedRows rows_;
  Recorders recorders_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::uint32_t> mine_, all_;
  std::int64_t look_every_ = 10, since_look_ = 0;
  std::chrono::steady_clock::time_point looked_ = std::chrono::steady_clock::now();
};

}  // namespace
}  // namespace engine

Result<Recording> simulate(const Parameters& parameters, State& state, const RunOptions& options) {
  if (auto fine = engine::check_run(*parameters.content().network, options); !fine) return fine.diagnostics();
  return engine::Run(parameters.content(), state.content(), options).go();
}

}  // namespace bouton
