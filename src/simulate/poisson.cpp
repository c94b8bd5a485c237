#include "simulate/poisson.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "simulate/philox_lanes.hpp"

namespace bouton::engine {
namespace {

constexpr double range = 0x1p48;
constexpr int group = 64;  // neurons whose first 16 bits come from one call of philox_lanes()

std::uint64_t threshold(double cumulative) {
  return static_cast<std::uint64_t>(std::min(std::floor(cumulative * range), range));
}

// Which random bits are whose. Coarse: eight pieces of 16 bits from each of eight blocks make a group of 64 neurons.
// Fine: four words from each of eight blocks make 32 neurons.
struct Step {
  std::array<std::uint32_t, 3> coarse, fine;
  explicit Step(std::int64_t step)
      : coarse{static_cast<std::uint32_t>(step), static_cast<std::uint32_t>(step >> 32), 0},
        fine{coarse[0], coarse[1], 1} {}
};

std::uint32_t coarse_bits(std::array<std::uint32_t, 2> key, std::int64_t neuron, const Step& step) {
  const auto at = static_cast<std::uint32_t>(neuron % group);
  const std::uint32_t block = static_cast<std::uint32_t>(neuron / group) * 8 + at % 32 / 4;
  const auto words = philox4x32({block, step.coarse[0], step.coarse[1], step.coarse[2]}, key);
  return words[at / 32 * 2 + at % 4 / 2] >> (at % 2 * 16) & 0xffff;
}

std::uint32_t fine_bits(std::array<std::uint32_t, 2> key, std::int64_t neuron, const Step& step) {
  const auto at = static_cast<std::uint32_t>(neuron % 32);
  const std::uint32_t block = static_cast<std::uint32_t>(neuron / 32) * 8 + at % 8;
  return philox4x32({block, step.fine[0], step.fine[1], step.fine[2]}, key)[at / 8];
}

std::uint64_t joined(std::uint32_t coarse, std::uint32_t fine) { return std::uint64_t{coarse} << 32 | fine; }

// Counts of 32 neurons from their 16 bits, and which of them need a closer look.
struct Coarse {
  Words16 counts;
  std::uint32_t unclear;
};

#if defined(__AVX512BW__)
class CoarseTable {
 public:
  explicit CoarseTable(const PoissonTable& table) : count_(table.coarse_count()) {
    alignas(64) std::uint16_t below[32];
    std::fill_n(below, 32, std::uint16_t{0xffff});
    std::copy_n(table.coarse(), count_, below + 1);  // below[c]: the c-th threshold, the nearest of a count c
    std::copy_n(table.coarse(), count_, at_);
    nearest_ = _mm512_load_si512(below);
  }

  [[gnu::always_inline]] Coarse operator()(Words16 bits) const {
    const auto u = reinterpret_cast<__m512i>(bits);
    const __m512i minus_one = _mm512_set1_epi16(-1);
    __m512i counts = _mm512_setzero_si512();
    for (int k = 0; k < count_; ++k) {
      const __mmask32 above = _mm512_cmpge_epu16_mask(u, _mm512_set1_epi16(static_cast<short>(at_[k])));
      counts = _mm512_mask_sub_epi16(counts, above, counts, minus_one);
    }
    const __mmask32 unclear = _mm512_cmpeq_epi16_mask(u, _mm512_permutexvar_epi16(counts, nearest_));
    return {reinterpret_cast<Words16>(counts), unclear};
  }

 private:
  int count_;
  std::uint16_t at_[PoissonTable::most_coarse];
  __m512i nearest_;
};
#else
class CoarseTable {
 public:
  explicit CoarseTable(const PoissonTable& table) : count_(table.coarse_count()) {
    std::copy_n(table.coarse(), count_, at_);
  }

  [[gnu::always_inline]] Coarse operator()(Words16 bits) const {
    using Piece = std::uint16_t __attribute__((vector_size(16)));
    Piece u[4], counts[4], equal[4];
    std::memcpy(u, &bits, sizeof bits);
    Piece any{};
    for (int piece = 0; piece < 4; ++piece) {
      counts[piece] = equal[piece] = Piece{};
      for (int k = 0; k < count_; ++k) {
        const Piece at = Piece{} + at_[k];
        counts[piece] -= reinterpret_cast<Piece>(u[piece] >= at);
        equal[piece] |= reinterpret_cast<Piece>(u[piece] == at);
      }
      any |= equal[piece];
    }
    Coarse coarse{{}, 0};
    std::memcpy(&coarse.counts, counts, sizeof counts);
    std::uint64_t words[2];
    std::memcpy(words, &any, sizeof words);
    if ((words[0] | words[1]) != 0) [[unlikely]]
      for (int i = 0; i < 32; ++i) coarse.unclear |= static_cast<std::uint32_t>(equal[i / 8][i % 8] & 1) << i;
    return coarse;
  }

 private:
  int count_;
  std::uint16_t at_[PoissonTable::most_coarse];
};
#endif

// Resolves the unclear ones of 32 counts with bits of their own.
[[gnu::noinline]] void resolve(const PoissonTable& table, std::array<std::uint32_t, 2> key, std::int64_t neuron,
                               const Step& step, Words16 bits, Coarse& coarse) {
  for (std::uint32_t left = coarse.unclear; left != 0; left &= left - 1) {
    const int i = __builtin_ctz(left);
    coarse.counts[i] = static_cast<std::uint16_t>(table.count(joined(bits[i], fine_bits(key, neuron + i, step))));
  }
}

// Calls use(counts of 32 neurons, the first of them), for [begin, end) in whole groups.
template <typename Use>
[[gnu::always_inline]] inline void for_each_32(const PoissonTable& table, std::array<std::uint32_t, 2> key,
                                               std::int64_t begin, std::int64_t end, std::int64_t at, Use use) {
  const Step step(at);
  const CoarseTable coarse_table(table);
  for (std::int64_t neuron = begin; neuron < end; neuron += group) {
    const PhiloxLanes lanes = philox_lanes(key, static_cast<std::uint32_t>(neuron / 8), step.coarse);
    const Words16 bits[2] = {reinterpret_cast<Words16>(lanes.front()), reinterpret_cast<Words16>(lanes.back())};
    for (int half = 0; half < 2; ++half) {
      Coarse coarse = coarse_table(bits[half]);
      if (coarse.unclear != 0) [[unlikely]]
        resolve(table, key, neuron + 32 * half, step, bits[half], coarse);
      use(coarse.counts, neuron + 32 * half);
    }
  }
}

// The same where counts are too large for that: use(count, neuron).
template <typename Use>
void for_each_one(const PoissonTable& table, std::array<std::uint32_t, 2> key, std::int64_t begin, std::int64_t end,
                  std::int64_t at, Use use) {
  const Step step(at);
  for (std::int64_t neuron = begin; neuron < end; neuron += group) {
    const PhiloxLanes lanes = philox_lanes(key, static_cast<std::uint32_t>(neuron / 8), step.coarse);
    const Words16 coarse[2] = {reinterpret_cast<Words16>(lanes.front()), reinterpret_cast<Words16>(lanes.back())};
    for (int half = 0; half < 2; ++half) {
      const std::int64_t first = neuron + 32 * half;
      const PhiloxLanes fine = philox_lanes(key, static_cast<std::uint32_t>(first / 4), step.fine);
      for (int i = 0; i < 32; ++i) {
        const auto word = static_cast<std::uint32_t>(fine.words[i / 8][i % 8]);
        use(table.count(joined(coarse[half][i], word)), first + i);
      }
    }
  }
}

}  // namespace

PoissonTable::PoissonTable(double mean) {
  thresholds_.reserve(64);
  set_mean(mean);
}

void PoissonTable::set_mean(double mean) {
  if (mean == mean_) return;
  mean_ = mean;
  thresholds_.clear();
  coarse_count_ = 0;
  if (vectorised()) {
    small(mean);
  } else {
    large(mean);
  }
  for (std::size_t i = 0; i < guide_.size(); ++i)
    guide_[i] = static_cast<std::uint32_t>(
        std::upper_bound(thresholds_.begin(), thresholds_.end(), std::uint64_t{i} << 40) - thresholds_.begin());
}

void PoissonTable::small(double mean) {
  first_ = 0;
  double probability = std::exp(-mean), cumulative = probability;
  for (int k = 1; threshold(cumulative) < threshold(1) && thresholds_.size() < 64; ++k) {
    thresholds_.push_back(threshold(cumulative));
    probability *= mean / k;
    cumulative += probability;
  }
  for (const std::uint64_t t : thresholds_) {
    const auto coarse = static_cast<std::uint16_t>(t >> 32);
    if (coarse_count_ == 0 || coarse_[coarse_count_ - 1] != coarse) coarse_[coarse_count_++] = coarse;
  }
}

void PoissonTable::large(double mean) {
  const double spread = 9 * std::sqrt(mean) + 40;
  const auto low = static_cast<std::int64_t>(std::max(0.0, mean - spread));
  const auto high = static_cast<std::int64_t>(mean + spread);
  first_ = static_cast<std::uint32_t>(low);
  double cumulative = 0;
  for (std::int64_t k = low; k <= high && threshold(cumulative) < threshold(1); ++k) {
    cumulative += std::exp(static_cast<double>(k) * std::log(mean) - mean - std::lgamma(static_cast<double>(k) + 1));
    thresholds_.push_back(threshold(cumulative));
  }
}

std::uint32_t PoissonTable::count(std::uint64_t bits) const {
  std::size_t at = guide_[bits >> 40];
  while (at < thresholds_.size() && thresholds_[at] <= bits) ++at;
  return first_ + static_cast<std::uint32_t>(at);
}

std::uint32_t PoissonStream::count(const PoissonTable& table, std::int64_t neuron, std::int64_t step) const {
  const Step at(step);
  return table.count(joined(coarse_bits(key_, neuron, at), fine_bits(key_, neuron, at)));
}

void PoissonStream::add(const PoissonTable& table, std::int64_t begin, std::int64_t end, std::int64_t step,
                        std::int32_t weight, std::int32_t* arrivals) const {
  if (table.mean() == 0) return;
  if (!table.vectorised()) {
    for_each_one(table, key_, begin, end, step, [&](std::uint32_t count, std::int64_t neuron) {
      arrivals[neuron - begin] += weight * static_cast<std::int32_t>(count);
    });
    return;
  }
  for_each_32(table, key_, begin, end, step, [&](Words16 counts, std::int64_t neuron) {
    std::uint16_t number[32];
    std::memcpy(number, &counts, sizeof number);
    for (int i = 0; i < 32; ++i) arrivals[neuron - begin + i] += number[i] * weight;
  });
}

void PoissonStream::emit(const PoissonTable& table, std::int64_t begin, std::int64_t end, std::int64_t step,
                         std::uint32_t first, std::vector<std::uint32_t>& out) const {
  if (table.mean() == 0) return;
  const auto repeat = [&](std::uint32_t count, std::int64_t neuron) {
    if (count != 0 && neuron < end) out.insert(out.end(), count, first + static_cast<std::uint32_t>(neuron));
  };
  if (!table.vectorised()) return for_each_one(table, key_, begin, end, step, repeat);
  for_each_32(table, key_, begin, end, step, [&](const Words16& counts, std::int64_t neuron) {
    const auto any = reinterpret_cast<Words64>(counts);
    for (int word = 0; word < 8; ++word)
      if (any[word] != 0) [[unlikely]]
        for (int i = 4 * word; i < 4 * word + 4; ++i) repeat(counts[i], neuron + i);
  });
}

}  // namespace bouton::engine
