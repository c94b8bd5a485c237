// What an arrival at a plastic synapse costs: rows of `--inputs` synapses onto `--targets` neurons, sources and targets
// firing at random at `--rate`, as in a random network. Prints nanoseconds for an arrival with the post events it
// replays, processor time of one thread. No neurons and no connectivity of a real engine: the kernel alone.
//   bench_synapses [stdp_additive] [--targets 8000] [--inputs 800] [--rate 43] [--milliseconds 400] [--capacity 15]
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "bouton/base/random.hpp"
#include "bouton/mechanisms/synapse.hpp"
#include "measure.hpp"

namespace {

using namespace bouton;

struct Freed {
  void operator()(void* p) const { std::free(p); }
};
using Aligned = std::unique_ptr<void, Freed>;
Aligned aligned(std::size_t bytes) { return Aligned(std::aligned_alloc(64, (bytes + 63) / 64 * 64)); }

std::vector<unsigned> firing(RandomStream& random, unsigned neurons, double probability) {
  std::vector<unsigned> list;
  for (double at = std::log1p(-random.uniform()) / std::log1p(-probability); at < neurons;
       at += 1 + std::floor(std::log1p(-random.uniform()) / std::log1p(-probability)))
    list.push_back(static_cast<unsigned>(at));
  return list;
}

}  // namespace

int main(int argc, char** argv) {
  bench::use_cpu_time() = true;
  const std::string name = argc > 1 && argv[1][0] != '-' ? argv[1] : "stdp_additive";
  const unsigned targets = static_cast<unsigned>(bench::option(argc, argv, "--targets", 8000));
  const long inputs = bench::option(argc, argv, "--inputs", 800);
  const double dt = 1e-4, probability = bench::option(argc, argv, "--rate", 43) * dt;
  const long steps = bench::option(argc, argv, "--milliseconds", 400) * 10L;
  const SynapsePtr synapse = load_synapse(name).value();
  const bouton_synapse_kernel& kernel = *synapse->kernel().value();
  if (!kernel.arrive || kernel.post_variables > 0) {
    std::fprintf(stderr, "%s acts on more than spikes\n", name.c_str());
    return 2;
  }

  std::vector<double> parameters;
  for (const Parameter& p : synapse->synapse().parameters) parameters.push_back(p.value);
  const Aligned prepared = aligned(static_cast<std::size_t>(kernel.prepared_bytes));
  kernel.prepare(parameters.data(), dt, prepared.get());

  const std::size_t synapses = targets * static_cast<std::size_t>(inputs);
  RandomStream random(1, purpose("bench"));
  std::vector<unsigned> target(synapses);
  for (std::size_t row = 0; row < targets; ++row) {
    for (long i = 0; i < inputs; ++i) target[row * inputs + i] = random.below(targets);
    std::sort(target.begin() + row * inputs, target.begin() + (row + 1) * inputs);
  }
  std::vector<float> first(kernel.synapse_states), axon_first(kernel.axon_states + 1);
  kernel.initial(prepared.get(), first.data(), axon_first.data());
  std::vector<std::vector<float>> states(kernel.synapse_states);
  for (int i = 0; i < kernel.synapse_states; ++i) states[i].assign(synapses, first[i]);
  for (float& w : states[0]) w = static_cast<float>(0.2 + 0.6 * random.uniform());
  std::vector<float*> columns;
  for (auto& column : states) columns.push_back(column.data());
  std::vector<int> accumulator(targets);

  bouton_synapse_args args{};
  args.prepared = prepared.get();
  args.targets = targets;
  args.target = target.data();
  args.states = columns.data();
  args.capacity = bench::option(argc, argv, "--capacity", 15);
  args.quanta = 1e6F;
  args.accumulator = accumulator.data();
  Aligned history;
  if (kernel.history_start) {
    history = aligned(targets * static_cast<std::size_t>(kernel.history_row_bytes(args.capacity)));
    args.history = history.get();
    kernel.history_start(&args);
  }

  std::vector<std::vector<float>> axon(targets, axon_first);
  std::vector<std::vector<float>> before, values;  // of the spikes of a step
  std::vector<long> last(targets, 0);
  const auto segment = [&](unsigned source) {
    bouton_synapse_segment s{};
    s.first = static_cast<long>(source) * inputs;
    s.count = inputs;
    s.first_id = static_cast<unsigned long long>(s.first);
    s.previous = last[source];
    s.updated = last[source];
    s.since = std::max(s.updated, args.flushed);
    return s;
  };

  double arrival_seconds = 0, event_seconds = 0;
  long arrivals = 0, events = 0, flushes = 0;
  for (long n = 1; n <= steps; ++n) {
    args.step = n;
    const std::vector<unsigned> sources = firing(random, targets, probability);
    const std::vector<unsigned> posts = firing(random, targets, probability);
    before.resize(std::max(before.size(), sources.size()), axon_first);
    values.resize(before.size(), std::vector<float>(kernel.axon_values + 1));
    const double start = bench::now();
    std::vector<bouton_synapse_segment> segments;
    for (std::size_t k = 0; k < sources.size(); ++k) {
      const unsigned source = sources[k];
      before[k] = axon[source];
      if (kernel.axon_spike)
        kernel.axon_spike(prepared.get(), n - last[source], nullptr, axon[source].data(), values[k].data());
      segments.push_back(segment(source));
      segments.back().axon_before = before[k].data();
      segments.back().axon_values = values[k].data();
      last[source] = n;
      arrivals += inputs;
    }
    kernel.arrive(&args, segments.data(), static_cast<long>(segments.size()));
    const double middle = bench::now();
    arrival_seconds += middle - start;
    if (!kernel.post_event) continue;
    while (!kernel.post_event(&args, posts.data(), static_cast<long>(posts.size()))) {
      for (unsigned source = 0; source < targets; ++source) {
        bouton_synapse_segment s = segment(source);
        s.axon_before = axon[source].data();
        kernel.update(&args, &s, 1);
      }
      args.flushed = n;
      ++flushes;
    }
    events += static_cast<long>(posts.size()) * inputs;
    event_seconds += bench::now() - middle;
  }
  double sum = 0;
  for (const float w : states[0]) sum += w;
  bench::print_json({{"ns_per_arrival", arrival_seconds / static_cast<double>(arrivals) * 1e9},
                     {"ns_per_arrival_with_history", (arrival_seconds + event_seconds) / double(arrivals) * 1e9},
                     {"events_per_arrival", double(events) / double(arrivals)},
                     {"flushes", double(flushes)},
                     {"seconds_per_second", (arrival_seconds + event_seconds) / (double(steps) * dt)},
                     {"mean_weight", sum / double(synapses)}});
  return 0;
}
