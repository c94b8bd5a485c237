#include "networks/source_rule.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "networks/draw_indices.hpp"
#include "networks/portable_math.hpp"

namespace bouton::networks {
namespace {

class AllToAll : public SourceRule {
 public:
  AllToAll(const Sides& sides, bool without_self) : without_self_(without_self), all_(sides.sources) {
    std::iota(all_.begin(), all_.end(), 0);
  }
  std::span<const std::uint32_t> sources_of(std::uint32_t target, Scratch& scratch) const override {
    if (!without_self_) return all_;
    scratch.sources = all_;
    scratch.sources.erase(scratch.sources.begin() + target);
    return scratch.sources;
  }

 private:
  bool without_self_;
  std::vector<std::uint32_t> all_;
};

class OneToOne : public SourceRule {
 public:
  std::span<const std::uint32_t> sources_of(std::uint32_t target, Scratch& scratch) const override {
    scratch.sources.assign(1, target);
    return scratch.sources;
  }
};

class GivenIndegrees : public SourceRule {
 public:
  GivenIndegrees(const Sides& sides, const ConnectionRule& rule, std::vector<std::uint32_t> degrees, Words words)
      : sources_(static_cast<std::uint32_t>(sides.sources)),
        without_self_(sides.same && !rule.autapses),
        multapses_(rule.multapses),
        degrees_(std::move(degrees)),
        words_(words) {}

  std::span<const std::uint32_t> sources_of(std::uint32_t target, Scratch& scratch) const override {
    const std::size_t degree = degrees_.size() == 1 ? degrees_[0] : degrees_[target];
    const std::uint32_t choices = sources_ - (without_self_ ? 1 : 0);
    std::vector<std::uint32_t>& sources = scratch.sources;
    if (sources.size() < degree) sources.resize(degree);
    if (multapses_) {
      draw_with_replacement(words_, target, choices, degree, scratch.words, sources.data());
    } else {
      scratch.taken.resize(std::max<std::size_t>(scratch.taken.size(), choices / 64 + 1));
      draw_without_replacement(words_, target, choices, degree, scratch.words, scratch.taken, sources.data());
    }
    if (without_self_) {
      for (std::size_t i = 0; i < degree; ++i) sources[i] += sources[i] >= target;
    }
    return {sources.data(), degree};
  }

 private:
  std::uint32_t sources_;
  bool without_self_, multapses_;
  std::vector<std::uint32_t> degrees_;
  Words words_;
};

class Bernoulli : public SourceRule {
 public:
  Bernoulli(const Sides& sides, const ConnectionRule& rule, Words words)
      : sources_(static_cast<double>(sides.sources)),
        self_is_left_out_(sides.same && !rule.autapses),
        rate_(-std::log1p(-rule.probability)),
        words_(words) {
    const double expected = sources_ * rule.probability;
    batch_ = 8 * static_cast<std::size_t>(std::min(1.0 + (expected + 3 * std::sqrt(expected)) / 8, 512.0));
  }

  // From success to success: a pair that is not connected costs nothing.
  std::span<const std::uint32_t> sources_of(std::uint32_t target, Scratch& scratch) const override {
    scratch.sources.clear();
    double source = -1;
    for (std::uint32_t block = 0; source < sources_; block += static_cast<std::uint32_t>(batch_ / 2)) {
      draw_skips(target, block, scratch);
      for (std::size_t i = 0; i < batch_; ++i) {
        source += 1 + scratch.skips[i];
        if (!(source < sources_)) return finished(target, scratch);
        scratch.sources.push_back(static_cast<std::uint32_t>(source));
      }
    }
    return finished(target, scratch);
  }

 private:
  // The numbers of failures before the next success: floor(ln u / ln(1 - p)), u in (0, 1] of 52 bits.
  void draw_skips(std::uint32_t target, std::uint32_t block, Scratch& scratch) const {
    words_.fill(target, scratch.words, 2 * batch_, block);
    scratch.skips.resize(batch_);
    const std::uint32_t* word = scratch.words.data();
    double* skips = scratch.skips.data();
    for (std::size_t i = 0; i < batch_; ++i) {
      const std::uint64_t bits = std::uint64_t{word[2 * i]} << 32 | word[2 * i + 1];
      const double u = 2 - std::bit_cast<double>(bits >> 12 | std::uint64_t{0x3ff} << 52);
      skips[i] = std::floor(-portable_log(u) / rate_);
    }
  }

  [[nodiscard]] std::span<const std::uint32_t> finished(std::uint32_t target, Scratch& scratch) const {
    if (self_is_left_out_) std::erase(scratch.sources, target);
    return scratch.sources;
  }

  double sources_;
  bool self_is_left_out_;
  double rate_;  // -ln(1 - p)
  Words words_;
  std::size_t batch_;  // draws at a time, a multiple of eight
};

class Listed : public SourceRule {
 public:
  explicit Listed(std::shared_ptr<const TargetRows> rows) : rows_(std::move(rows)) {}
  std::span<const std::uint32_t> sources_of(std::uint32_t target, Scratch&) const override {
    const std::uint64_t begin = rows_->offsets[target], end = rows_->offsets[target + 1];
    return {rows_->sources.data() + begin, end - begin};
  }

 private:
  std::shared_ptr<const TargetRows> rows_;
};

}  // namespace

std::unique_ptr<SourceRule> make_all_to_all(const Sides& sides, bool autapses) {
  return std::make_unique<AllToAll>(sides, sides.same && !autapses);
}

std::unique_ptr<SourceRule> make_one_to_one() { return std::make_unique<OneToOne>(); }

std::unique_ptr<SourceRule> make_given_indegrees(const Sides& sides, const ConnectionRule& rule,
                                                 std::vector<std::uint32_t> degrees, Words words) {
  return std::make_unique<GivenIndegrees>(sides, rule, std::move(degrees), words);
}

std::unique_ptr<SourceRule> make_bernoulli(const Sides& sides, const ConnectionRule& rule, Words words) {
  return std::make_unique<Bernoulli>(sides, rule, words);
}

std::unique_ptr<SourceRule> make_listed(std::shared_ptr<const TargetRows> rows) {
  return std::make_unique<Listed>(std::move(rows));
}

TargetRows sort_by_target(std::span<const std::uint32_t> source, std::span<const std::uint32_t> target,
                          std::int64_t targets, std::vector<std::uint64_t>* order) {
  TargetRows rows;
  rows.offsets.assign(static_cast<std::size_t>(targets) + 1, 0);
  for (const std::uint32_t t : target) ++rows.offsets[t + 1];
  std::partial_sum(rows.offsets.begin(), rows.offsets.end(), rows.offsets.begin());
  rows.sources.resize(source.size());
  if (order) order->resize(source.size());
  std::vector<std::uint64_t> next(rows.offsets.begin(), rows.offsets.end() - 1);
  for (std::size_t k = 0; k < source.size(); ++k) {
    const std::uint64_t at = next[target[k]]++;
    rows.sources[at] = source[k];
    if (order) (*order)[at] = k;
  }
  return rows;
}

TargetRows draw_outdegrees(const Sides& sides, const ConnectionRule& rule, const Words& words) {
  // Seen from a source, its targets are drawn as a target's sources are.
  const Sides turned{sides.targets, sides.sources, sides.same};
  const GivenIndegrees targets_of(turned, rule, {static_cast<std::uint32_t>(rule.number)}, words);
  const auto synapses = static_cast<std::size_t>(sides.sources * rule.number);
  std::vector<std::uint32_t> source, target;
  source.reserve(synapses);
  target.reserve(synapses);
  Scratch scratch;
  for (std::uint32_t from = 0; from < sides.sources; ++from) {
    const auto drawn = targets_of.sources_of(from, scratch);
    source.insert(source.end(), drawn.size(), from);
    target.insert(target.end(), drawn.begin(), drawn.end());
  }
  return sort_by_target(source, target, sides.targets, nullptr);
}

}  // namespace bouton::networks
