// What a synaptic event costs, and how far that is from what the machine could do. A network's statistics stand in for
// the network: spikes are drawn at its rate, its neurons are a sweep over three floats each, so that the caches are as
// full as in a simulation. Only delivery is timed, in processor time of its thread.
//   microcircuit  77,169 neurons, 3873 targets each, delays 1.5 +- 0.75 ms (80 % of the sources) or half of that,
//                 24.7 spikes a step of 0.1 ms (Potjans & Diesmann 2014, doi:10.1093/cercor/bhs358)
//   brunel        10,000 neurons with 1000 inputs each, all of one delay, 43 spikes a step; two weights, so two tables
//                 where --encoding is uniform
//   sparse        20,000 neurons, 100 targets each, delays uniform over 400 steps: segments of single synapses
// The floors: adding as many events from chunks that the cache holds (operations); reading as many bytes in sequence
// from memory (bytes). Real delivery cannot be under the greater of the two.
// Usage: bench_deliver [--network NAME] [--encoding packed|exact|uniform] [--threads N] [--slices N] [--steps N]
//                      [--rounds N] [--json]
// --slices above --threads runs only the first slices: what one of several threads does, alone.

#include <atomic>
#include <chrono>
#include <cmath>
#include <numeric>
#include <thread>

#include "measure.hpp"
#include "networks/delivery_table.hpp"
#include "simulate/deliver.hpp"
#include "simulate/spike_history.hpp"

namespace {

using namespace bouton;
using networks::DeliveryTable;
using networks::Encoding;

double thread_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

const char* text_option(int argc, char** argv, const char* name, const char* otherwise) {
  for (int i = 1; i + 1 < argc; ++i) {
    if (std::strcmp(argv[i], name) == 0) return argv[i + 1];
  }
  return otherwise;
}

// Quick and good enough for a benchmark; the library's own numbers come from counters.
struct Quick {
  uint64_t state;
  explicit Quick(uint64_t seed) : state(seed * 0x9E3779B97F4A7C15 + 0x1234567) {
    for (int i = 0; i < 3; ++i) next();
  }
  uint64_t next() {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * 0x2545F4914F6CDD1D;
  }
  uint32_t below(uint32_t count) { return static_cast<uint32_t>((next() >> 32) * count >> 32); }
};

struct Network {
  uint32_t neurons, inputs, max_delay;
  double spikes_a_step;
  std::vector<uint16_t> delays[2];  // [kind of source]: 65536 quantiles
};

std::vector<uint16_t> normal_delays(double mean, double deviation, double least, uint32_t most) {
  std::vector<double> cumulated(most + 1);
  const auto below = [&](double x) { return 0.5 * std::erfc((mean - x) / (deviation * M_SQRT2)); };
  const double start = below(least - 0.5), whole = below(most + 0.5) - start;
  for (uint32_t d = 1; d <= most; ++d) cumulated[d] = (below(d + 0.5) - start) / whole;
  std::vector<uint16_t> quantiles(65536);
  for (std::size_t i = 0, d = 1; i < quantiles.size(); ++i) {
    while (d < most && (static_cast<double>(i) + 0.5) / 65536 > cumulated[d]) ++d;
    quantiles[i] = static_cast<uint16_t>(d);
  }
  return quantiles;
}

Network network_named(const std::string& name) {
  if (name == "brunel")
    return {10000, 1000, 15, 43, {std::vector<uint16_t>(65536, 15), std::vector<uint16_t>(65536, 15)}};
  if (name == "sparse") {
    std::vector<uint16_t> uniform(65536);
    for (std::size_t i = 0; i < uniform.size(); ++i) uniform[i] = static_cast<uint16_t>(1 + i * 400 / 65536);
    return {20000, 100, 400, 10, {uniform, uniform}};
  }
  return {77169, 3873, 54, 24.7, {normal_delays(15, 7.5, 1, 54), normal_delays(7.5, 3.75, 1, 54)}};
}

bool inhibitory(uint32_t source) { return source % 5 == 4; }
constexpr int32_t uniform_weights[] = {90, -360};

// The inputs of one neuron.
struct Batch {
  std::vector<uint32_t> sources;
  std::vector<uint16_t> delays;
  std::vector<int32_t> weights;

  // kinds: excitatory, inhibitory or both.
  void draw(const Network& network, uint32_t neuron, bool uniform, bool excitatory_ones, bool inhibitory_ones) {
    sources.clear();
    delays.clear();
    weights.clear();
    Quick random(neuron + 1);
    for (uint32_t i = 0; i < network.inputs; ++i) {
      const uint32_t source = random.below(network.neurons);
      const uint64_t bits = random.next();
      const bool kind = inhibitory(source);
      if (kind ? !inhibitory_ones : !excitatory_ones) continue;
      sources.push_back(source);
      delays.push_back(network.delays[kind][bits >> 48]);
      const auto spread = static_cast<int32_t>(bits >> 4 & 63);
      weights.push_back(uniform ? uniform_weights[kind] : (kind ? -1200 - 4 * spread : 300 + spread));
    }
  }
};

struct BuildTimes {
  double draw = 0, count = 0, place = 0, finish = 0;  // seconds; drawing is not in count and place
};

DeliveryTable build(const Network& network, Encoding encoding, int kind, uint32_t first, uint32_t last,
                    BuildTimes& times) {
  const bool uniform = encoding == Encoding::uniform;
  networks::DeliveryTableBuilder builder({.sources = network.neurons,
                                          .slots = last - first,
                                          .max_delay = network.max_delay,
                                          .encoding = encoding,
                                          .uniform_weight = uniform ? uniform_weights[kind] : 0});
  Batch batch;
  const auto pass = [&](const auto& give) {
    double total = 0;
    for (uint32_t neuron = first; neuron < last; ++neuron) {
      double start = thread_seconds();
      batch.draw(network, neuron, uniform, !uniform || kind == 0, !uniform || kind == 1);
      double middle = thread_seconds();
      give(neuron - first);
      total += thread_seconds() - middle;
      times.draw += middle - start;
    }
    return total;
  };
  times.count += pass([&](uint32_t slot) { builder.count(batch.sources, slot); });
  static_cast<void>(builder.allocate().value());
  times.place += pass([&](uint32_t slot) { builder.place(batch.sources, slot, batch.delays, batch.weights); });
  const double start = thread_seconds();
  DeliveryTable table = builder.finish().value();
  times.finish += thread_seconds() - start;
  return table;
}

std::vector<std::vector<uint32_t>> draw_spikes(const Network& network, int steps) {
  std::vector<std::vector<uint32_t>> spikes(static_cast<std::size_t>(steps));
  Quick random(99);
  for (auto& step : spikes) {
    double left = 1;
    const double stop = std::exp(-network.spikes_a_step);
    for (;;) {  // Poisson, by the product of uniforms
      left *= (static_cast<double>(random.next() >> 11) + 0.5) * 0x1p-53;
      if (left < stop) break;
      step.push_back(random.below(network.neurons));
    }
  }
  return spikes;
}

struct Slice {
  uint32_t first = 0, last = 0;
  std::vector<DeliveryTable> tables;
  BuildTimes times;
  // of the run
  std::vector<double> nanoseconds;  // an event, one value a step
  double events = 0, seconds = 0;
  uint64_t hash = 0;
};

// [step] events of a slice.
std::vector<double> count_events(const Slice& slice, const std::vector<std::vector<uint32_t>>& spikes) {
  std::vector<double> events(spikes.size());
  for (std::size_t step = 0; step < spikes.size(); ++step) {
    for (const uint32_t source : spikes[step]) {
      for (const DeliveryTable& table : slice.tables) {
        for (const auto& block : table.blocks()) {
          if (!block.has(source)) continue;
          for (uint32_t s = block.row(source)[0].first_segment; s < block.row(source)[1].first_segment; ++s) {
            const auto segment = block.segments()[s];
            if (step + segment.delay < spikes.size()) events[step + segment.delay] += segment.synapses;
          }
        }
      }
    }
  }
  return events;
}

void run(Slice& slice, const Network& network, const std::vector<std::vector<uint32_t>>& spikes,
         const std::vector<double>& events) {
  const uint32_t slots = slice.last - slice.first;
  HugeBuffer memory = HugeBuffer::take(slots * sizeof(int32_t) + (4 << 20)).value();
  const std::span accumulators(memory.as<int32_t>(), slots);
  std::vector<float> state(std::size_t{3} * slots, 1);
  std::vector<engine::SpikeDelivery> deliveries(slice.tables.begin(), slice.tables.end());
  engine::SpikeHistory history(network.max_delay);
  slice.hash = 0;
  for (std::size_t step = 0; step < spikes.size(); ++step) {
    const double start = thread_seconds();
    for (auto& delivery : deliveries) delivery.deliver(history, static_cast<int64_t>(step), accumulators);
    const double taken = thread_seconds() - start;
    for (std::size_t i = 0; i < slots; ++i) {
      state[i] = state[i] * 0.99F + static_cast<float>(accumulators[i]);
      state[i + slots] += state[i];
      state[i + 2 * std::size_t{slots}] += state[i + slots];
      slice.hash += static_cast<uint64_t>(accumulators[i]) * (slice.first + i + 1) * (step + 1);
      accumulators[i] = 0;
    }
    history.push(spikes[step]);
    if (step < network.max_delay || events[step] == 0) continue;  // not yet what every step brings
    slice.nanoseconds.push_back(1e9 * taken / events[step]);
    slice.events += events[step];
    slice.seconds += taken;
  }
}

// Nanoseconds an addition from words that the cache holds, into as many accumulators as a slice has.
double operations_floor(uint32_t slots) {
  std::vector<uint32_t> words(65536);
  Quick random(7);
  for (uint32_t& word : words) word = random.below(std::min(slots, 65536U)) << 16 | 5;
  HugeBuffer memory = HugeBuffer::take(65536 * sizeof(int32_t) + (2 << 20)).value();
  int32_t* const accumulators = memory.as<int32_t>();
  std::vector<double> times;
  for (int round = 0; round < 40; ++round) {
    const double start = thread_seconds();
    for (int again = 0; again < 4; ++again) {
      for (std::size_t i = 0; i < words.size(); i += 8) {
        for (std::size_t k = 0; k < 8; ++k) accumulators[words[i + k] >> 16] += static_cast<int16_t>(words[i + k]);
      }
    }
    times.push_back(1e9 * (thread_seconds() - start) / (4.0 * static_cast<double>(words.size())));
  }
  return bench::median(times);
}

// Nanoseconds a byte, reading a table's chunks from end to end; the best of a few rounds.
double bytes_floor(const DeliveryTable& table) {
  const auto& block = table.blocks()[0];
  const std::size_t bytes = block.chunks_bytes();
  double best = 1e9;
  static std::atomic<uint64_t> sink;
  for (int round = 0; round < 3; ++round) {
    uint64_t sums[8] = {};
    const double start = thread_seconds();
    for (std::size_t i = 0; i + 64 <= bytes; i += 64) {
      for (std::size_t k = 0; k < 8; ++k) {
        uint64_t word;
        std::memcpy(&word, block.chunks() + i + 8 * k, 8);
        sums[k] += word;
      }
    }
    best = std::min(best, 1e9 * (thread_seconds() - start) / static_cast<double>(bytes));
    sink = std::accumulate(sums, sums + 8, uint64_t{0});
  }
  return best;
}

double quantile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
}

template <typename Body>
void on_threads(std::size_t threads, const Body& body) {
  std::vector<std::thread> running;
  for (std::size_t i = 0; i < threads; ++i) running.emplace_back([&, i] { body(i); });
  for (std::thread& thread : running) thread.join();
}

}  // namespace

int main(int argc, char** argv) {
  const std::string name = text_option(argc, argv, "--network", "microcircuit");
  const std::string encoding_name = text_option(argc, argv, "--encoding", "packed");
  const Encoding encoding = encoding_name == "exact"     ? Encoding::exact
                            : encoding_name == "uniform" ? Encoding::uniform
                                                         : Encoding::packed;
  const auto threads = static_cast<std::size_t>(bench::option(argc, argv, "--threads", 1));
  const auto cut = static_cast<std::size_t>(bench::option(argc, argv, "--slices", static_cast<int>(threads)));
  const int steps = bench::option(argc, argv, "--steps", 1000);
  const int rounds = bench::option(argc, argv, "--rounds", 3);
  const Network network = network_named(name);

  std::vector<Slice> slices(threads);
  const double begun = bench::now();
  on_threads(threads, [&](std::size_t i) {
    Slice& slice = slices[i];
    slice.first = static_cast<uint32_t>(network.neurons * i / cut);
    slice.last = static_cast<uint32_t>(network.neurons * (i + 1) / cut);
    for (int kind = 0; kind < (encoding == Encoding::uniform ? 2 : 1); ++kind)
      slice.tables.push_back(build(network, encoding, kind, slice.first, slice.last, slice.times));
  });
  const double built = bench::now() - begun;

  uint64_t synapses = 0;
  std::size_t bytes = 0, blocks = 0;
  BuildTimes times;  // the slowest thread's
  for (const Slice& slice : slices) {
    for (const DeliveryTable& table : slice.tables) {
      synapses += table.synapses();
      bytes += table.bytes();
      blocks += table.blocks().size();
    }
    times = {std::max(times.draw, slice.times.draw), std::max(times.count, slice.times.count),
             std::max(times.place, slice.times.place), std::max(times.finish, slice.times.finish)};
  }
  const double bytes_a_synapse = static_cast<double>(bytes) / static_cast<double>(synapses);

  const auto spikes = draw_spikes(network, steps);
  std::vector<std::vector<double>> events(threads);
  on_threads(threads, [&](std::size_t i) { events[i] = count_events(slices[i], spikes); });
  std::vector<double> nanoseconds;
  double total_events = 0, slowest = 0;
  uint64_t hash = 0;
  for (int round = 0; round < rounds; ++round) {
    on_threads(threads, [&](std::size_t i) { run(slices[i], network, spikes, events[i]); });
    hash = 0;
    for (const Slice& slice : slices) hash += slice.hash;
  }
  for (const Slice& slice : slices) {
    nanoseconds.insert(nanoseconds.end(), slice.nanoseconds.begin(), slice.nanoseconds.end());
    total_events += slice.events;
    slowest = std::max(slowest, 1e9 * slice.seconds / slice.events);
  }

  const uint32_t block_slots = slices[0].tables[0].blocks()[0].slots();
  const double operations = operations_floor(block_slots);
  const double bytes_floor_ns = bytes_floor(slices[0].tables[0]) * bytes_a_synapse;
  const double floor = std::max(operations, bytes_floor_ns);
  const double median = bench::median(nanoseconds);

  const std::vector<std::pair<std::string, double>> values = {{"synapses", static_cast<double>(synapses)},
                                                              {"bytes_a_synapse", bytes_a_synapse},
                                                              {"ns_an_event_median", median},
                                                              {"ns_an_event_p10", quantile(nanoseconds, 0.1)},
                                                              {"ns_an_event_mean_of_slowest_thread", slowest},
                                                              {"floor_operations_ns", operations},
                                                              {"floor_bytes_ns", bytes_floor_ns},
                                                              {"times_the_floor", median / floor},
                                                              {"construction_seconds", built},
                                                              {"count_seconds", times.count},
                                                              {"place_seconds", times.place},
                                                              {"finish_seconds", times.finish},
                                                              {"hash", static_cast<double>(hash >> 11)}};
  if (bench::has_flag(argc, argv, "--json")) {
    bench::print_json(values);
    return 0;
  }
  std::printf("%s, %s, %zu of %zu slices at once: %.1f million synapses in %zu blocks of %u slots, chunks of %u\n",
              name.c_str(), encoding_name.c_str(), threads, cut, 1e-6 * static_cast<double>(synapses), blocks,
              block_slots, slices[0].tables[0].blocks()[0].lanes());
  std::printf("  table         %.3f bytes a synapse\n", bytes_a_synapse);
  std::printf("  construction  %.2f s; table's part, slowest thread: count %.2f, place %.2f, finish %.2f s\n", built,
              times.count, times.place, times.finish);
  std::printf("  an event      %.3f ns median of steps, %.3f ns tenth percentile, %.3f ns mean of the slowest thread\n",
              median, quantile(nanoseconds, 0.1), slowest);
  std::printf("  events        %.0f a step and thread\n", total_events / static_cast<double>(nanoseconds.size()));
  std::printf("  floor         operations %.3f ns, bytes %.3f ns: %.2f times the greater\n", operations, bytes_floor_ns,
              median / floor);
  std::printf("  hash          %016llx (the same for any number of threads that run all slices)\n",
              static_cast<unsigned long long>(hash));
  return 0;
}
