// What the machine's second core gives for the kinds of work a simulation is made of, and what it gives Bouton: the
// same work by one thread and, cut in halves, by two, turn by turn in one run.
//
//   bench_second_core [--rounds 5] [--milliseconds 300] [--steps 5000] [--floors] [--no-floors] [--no-microcircuit]
//
// Floors: arithmetic in registers; random additions into accumulators of some size; lines read at random places of a
// table while additions go into accumulators, as delivery does; streaming. Bouton: recipes by wall clock, construction
// and settling left out. Ratios of medians; under `mpirun -n 2` the recipes alone, by two processes of one thread each.

#include <atomic>
#include <cstdint>
#include <cstring>
#include <string>
#include <thread>

#include "base/huge_buffer.hpp"
#include "bouton/experiments/simulation.hpp"
#include "bouton/simulate/simulate.hpp"
#include "measure.hpp"

namespace bouton::bench {
namespace {

// One member's share of the work, repeated until told to stop; returns units done.
using Work = std::function<std::int64_t(int member, int members, const std::atomic<bool>& stop)>;

struct Floor {
  std::string name;
  Work work;
};

std::uint64_t next_random(std::uint64_t& state) {  // xorshift64 (Marsaglia 2003)
  state ^= state << 13;
  state ^= state >> 7;
  return state ^= state << 17;
}

std::int64_t arithmetic(int, int, const std::atomic<bool>& stop) {
  typedef float Lanes __attribute__((vector_size(64)));
  Lanes a[8];
  for (int i = 0; i < 8; ++i) a[i] = Lanes{} + static_cast<float>(i);
  std::int64_t units = 0;
  for (; !stop.load(std::memory_order_relaxed); ++units) {
    for (int k = 0; k < 2000; ++k) {
      for (Lanes& x : a) x = x * 0.999F + 0.5F;
    }
    for (Lanes& x : a) asm volatile("" : "+v"(x));
  }
  return units;
}

// Integers added at random places of `bytes`, each member within its part.
Work additions(std::int32_t* memory, std::size_t bytes) {
  return [=](int member, int members, const std::atomic<bool>& stop) {
    const std::size_t slots = bytes / 4 / static_cast<std::size_t>(members);
    std::int32_t* const mine = memory + slots * static_cast<std::size_t>(member);
    std::uint64_t random = 88172645463325252ULL + static_cast<std::uint64_t>(member);
    std::int64_t units = 0;
    for (; !stop.load(std::memory_order_relaxed); ++units) {
      for (int k = 0; k < 1000; ++k) {
        const std::uint64_t bits = next_random(random);
        mine[(bits & 0xffffffff) * slots >> 32] += 1;
        mine[(bits >> 32) * slots >> 32] += 1;
      }
    }
    return units;
  };
}

// Runs of 192 bytes at random places of a table, asked for in advance; each 4 bytes of them one addition.
Work delivery(const std::byte* table, std::size_t table_bytes, std::int32_t* accumulators, std::size_t bytes) {
  return [=](int member, int members, const std::atomic<bool>& stop) {
    const std::size_t part = table_bytes / static_cast<std::size_t>(members),
                      slots = bytes / 4 / static_cast<std::size_t>(members);
    const std::byte* const mine = table + part * static_cast<std::size_t>(member);
    std::int32_t* const sums = accumulators + slots * static_cast<std::size_t>(member);
    constexpr int runs = 64, ahead = 12, lines = 3;
    std::uint64_t random = 88172645463325252ULL + static_cast<std::uint64_t>(member);
    const std::byte* at[runs + ahead];
    std::int64_t units = 0;
    for (; !stop.load(std::memory_order_relaxed); ++units) {
      for (const std::byte*& run : at) run = mine + next_random(random) % (part / 64 - lines) * 64;
      for (int i = 0; i < runs; ++i) {
        for (int line = 0; line < lines; ++line) __builtin_prefetch(at[i + ahead] + 64 * line);
        for (int k = 0; k < lines * 16; ++k) {
          std::uint32_t word;
          std::memcpy(&word, at[i] + 4 * k, 4);
          sums[(word >> 16) * slots >> 16] += static_cast<std::int16_t>(word);
        }
      }
    }
    return units;
  };
}

Work streaming(std::int32_t* memory, std::size_t bytes) {
  return [=](int member, int members, const std::atomic<bool>& stop) {
    const std::size_t count = bytes / 4 / static_cast<std::size_t>(members);
    std::int32_t* const mine = memory + count * static_cast<std::size_t>(member);
    constexpr std::size_t piece = 1 << 16;
    std::int64_t units = 0;
    while (true) {
      for (std::size_t at = 0; at + piece <= count; at += piece, ++units) {
        if (stop.load(std::memory_order_relaxed)) return units;
        for (std::size_t i = at; i < at + piece; ++i) mine[i] += 1;
      }
    }
  };
}

// Units a second of all members together.
double speed(const Work& work, int members, double seconds) {
  std::atomic<bool> stop{false};
  std::vector<std::int64_t> done(static_cast<std::size_t>(members));
  std::vector<std::thread> threads;
  const double begun = now();
  for (int m = 0; m < members; ++m)
    threads.emplace_back([&, m] { done[static_cast<std::size_t>(m)] = work(m, members, stop); });
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  stop = true;
  for (std::thread& thread : threads) thread.join();
  double sum = 0;
  for (const std::int64_t units : done) sum += static_cast<double>(units);
  return sum / (now() - begun);
}

void print(const std::string& name, const std::vector<double>& one, const std::vector<double>& two, const char* unit) {
  std::printf("%-44s one %10.4g %s, two %10.4g %s, gain %.2f\n", name.c_str(), median(one), unit, median(two), unit,
              median(two) / median(one));
  std::fflush(stdout);
}

void measure_floors(int rounds, double seconds) {
  constexpr std::size_t mega = std::size_t{1} << 20, table_bytes = 1300 * mega;
  const HugeBuffer sums = HugeBuffer::take(64 * mega).value(), table = HugeBuffer::take(table_bytes).value();
  auto* const accumulators = sums.as<std::int32_t>();
  std::memset(accumulators, 0, 64 * mega);
  std::uint64_t random = 1;
  for (std::size_t i = 0; i < table_bytes / 8; ++i) table.as<std::uint64_t>()[i] = next_random(random);
  const auto* const words = table.as<const std::byte>();
  const std::vector<Floor> floors = {
      {"arithmetic", arithmetic},
      {"additions at random in 64 KiB", additions(accumulators, mega / 16)},
      {"additions at random in 640 KiB", additions(accumulators, 640 * 1024)},
      {"additions at random in 8 MiB", additions(accumulators, 8 * mega)},
      {"runs of 20 MiB, added in 64 KiB", delivery(words, 20 * mega, accumulators, mega / 16)},
      {"runs of 1.3 GiB, added in 640 KiB", delivery(words, table_bytes, accumulators, 640 * 1024)},
      {"streaming 64 MiB", streaming(accumulators, 64 * mega)}};
  for (const Floor& floor : floors) {
    std::vector<double> one, two;
    for (int r = 0; r < rounds; ++r) {
      one.push_back(speed(floor.work, 1, seconds));
      two.push_back(speed(floor.work, 2, seconds));
    }
    print(floor.name, one, two, "/s");
  }
}

// A recipe that has been built and has settled, ready to be run on.
class Running {
 public:
  Running(const experiments::Simulation& simulation, int threads, const std::shared_ptr<Ranks>& ranks)
      : parameters_(make_parameters(simulation.network, drawing(simulation.seed, threads, ranks)).value()),
        state_(make_state(parameters_, simulation.seed).value()) {
    factor(0.2);
  }
  // Wall clock over biological time.
  double factor(double seconds) {
    RunOptions options;
    options.duration = seconds;
    options.record_all_spikes = false;
    return simulate(parameters_, state_, options).value().seconds / seconds;
  }

 private:
  static ParameterOptions drawing(std::uint64_t seed, int threads, const std::shared_ptr<Ranks>& ranks) {
    ParameterOptions options;
    options.seed = seed;
    options.threads = threads;
    options.ranks = ranks;
    return options;
  }

  Parameters parameters_;
  State state_;
};

struct Case {
  const char *recipe, *variant;
  double share;  // of --seconds
};

void measure_recipes(int rounds, double seconds, bool microcircuit) {
  const std::shared_ptr<Ranks> ranks = world_ranks();
  for (const Case& c : {Case{"microcircuit", "constant", 1}, Case{"microcircuit", "poisson", 1},
                        Case{"brunel", "AI", 4}, Case{"cobahh", "", 4}}) {
    const std::string name = std::string(c.recipe) + " " + c.variant;
    if (!microcircuit && name.starts_with("microcircuit")) continue;
    const auto simulation = experiments::load_simulation(c.recipe, {.variant = c.variant, .settings = {}}).value();
    std::vector<double> one, two;
    if (ranks->count() > 1) {
      Running halves(simulation, 1, ranks);
      for (int r = 0; r < rounds; ++r) two.push_back(halves.factor(seconds * c.share));
      if (ranks->rank() == 0) std::printf("%-44s %d ranks %.4g s/s\n", name.c_str(), ranks->count(), median(two));
      continue;
    }
    Running whole(simulation, 1, ranks), halves(simulation, 2, ranks);
    for (int r = 0; r < rounds; ++r) {
      one.push_back(whole.factor(seconds * c.share));
      two.push_back(halves.factor(seconds * c.share));
    }
    std::printf("%-44s one %10.4g s/s, two %10.4g s/s, gain %.2f (least: %.4g, %.4g, %.2f)\n", name.c_str(),
                median(one), median(two), median(one) / median(two), least(one), least(two), least(one) / least(two));
    std::fflush(stdout);
  }
}

}  // namespace
}  // namespace bouton::bench

int main(int argc, char** argv) {
  using namespace bouton;
  using namespace bouton::bench;
  const int rounds = option(argc, argv, "--rounds", 5);
  if (!has_flag(argc, argv, "--no-floors") && world_ranks()->count() == 1)
    measure_floors(rounds, option(argc, argv, "--milliseconds", 300) * 1e-3);
  if (!has_flag(argc, argv, "--floors"))
    measure_recipes(rounds, option(argc, argv, "--steps", 5000) * 1e-4, !has_flag(argc, argv, "--no-microcircuit"));
}
