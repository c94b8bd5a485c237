// Connections by distance. Sources are sorted into cells of space; each cell is thinned by geometric skipping with the
// greatest probability any of its members can have, and what is hit is accepted with the rest. Pairs far apart cost
// next to nothing, and no pair is drawn with a probability other than its own.

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "networks/portable_math.hpp"
#include "networks/proximity.hpp"
#include "networks/source_rule.hpp"

namespace bouton::networks {
namespace {

// -ln(1 - p) of p < 1, by its series where the difference would lose digits.
double skip_rate(double p) {
  return p < 1e-4 ? p * (1 + p * (1. / 2 + p * (1. / 3 + p / 4))) : -portable_log(std::max(1 - p, 1e-300));
}

class DistanceDependent : public SourceRule {
 public:
  DistanceDependent(const Sides& sides, const ConnectionRule& rule, std::vector<Point> sources,
                    std::vector<Point> targets, const Positions& extent, Words words)
      : proximity_(rule.kernel, extent),
        without_self_(sides.same && !rule.autapses),
        sources_(std::move(sources)),
        targets_(std::move(targets)),
        words_(words) {
    sort_into_cells();
  }

  std::span<const std::uint32_t> sources_of(std::uint32_t target, Scratch& scratch) const override {
    scratch.sources.clear();
    RandomStream random = words_.stream(target);
    for (const Cell& cell : cells_) visit(cell, target, random, scratch.sources);
    return scratch.sources;
  }

 private:
  struct Cell {
    Point low, high;         // what its members span
    std::size_t begin, end;  // of members_
  };

  void sort_into_cells() {
    Point low{}, size{};
    for (std::size_t axis = 0; axis < 3; ++axis) {
      const auto [least, most] = std::minmax_element(sources_.begin(), sources_.end(),
                                                     [&](const Point& a, const Point& b) { return a[axis] < b[axis]; });
      low[axis] = (*least)[axis];
      size[axis] = (*most)[axis] - low[axis];
    }
    // Cubes (squares where the points lie in a plane) of about 32 points.
    const int dimensions = std::max<int>(1, std::count_if(size.begin(), size.end(), [](double s) { return s > 0; }));
    double volume = 1;
    for (const double side : size) volume *= side > 0 ? side : 1;
    const double edge = std::pow(volume * 32 / static_cast<double>(sources_.size()), 1.0 / dimensions);
    const auto cell_of = [&](std::uint32_t source) {
      std::array<std::int64_t, 3> cell{};
      for (std::size_t axis = 0; axis < 3; ++axis)
        cell[axis] = static_cast<std::int64_t>((sources_[source][axis] - low[axis]) / edge);
      return cell;
    };
    members_.resize(sources_.size());
    std::iota(members_.begin(), members_.end(), 0);
    std::stable_sort(members_.begin(), members_.end(),
                     [&](std::uint32_t a, std::uint32_t b) { return cell_of(a) < cell_of(b); });
    for (std::size_t begin = 0, end = 0; begin < members_.size(); begin = end) {
      while (end < members_.size() && cell_of(members_[end]) == cell_of(members_[begin])) ++end;
      cells_.push_back(bounds_of(begin, end));
    }
  }

  [[nodiscard]] Cell bounds_of(std::size_t begin, std::size_t end) const {
    Cell cell{sources_[members_[begin]], sources_[members_[begin]], begin, end};
    for (std::size_t k = begin; k < end; ++k) {
      for (std::size_t axis = 0; axis < 3; ++axis) {
        cell.low[axis] = std::min(cell.low[axis], sources_[members_[k]][axis]);
        cell.high[axis] = std::max(cell.high[axis], sources_[members_[k]][axis]);
      }
    }
    return cell;
  }

  void visit(const Cell& cell, std::uint32_t target, RandomStream& random, std::vector<std::uint32_t>& out) const {
    const double greatest = proximity_.probability(distance_to(cell, targets_[target]));
    if (greatest <= 0) return;
    const double rate = skip_rate(greatest);
    const auto members = static_cast<double>(cell.end - cell.begin);
    const auto next = [&] { return greatest >= 1 ? 0 : std::floor(-portable_log(1 - random.uniform()) / rate); };
    for (double k = next(); k < members; k += 1 + next()) {
      const std::uint32_t source = members_[cell.begin + static_cast<std::size_t>(k)];
      const double r = proximity_.distance(sources_[source], targets_[target]);
      const bool accepted = random.uniform() * greatest < proximity_.probability(r);
      if (accepted && !(without_self_ && source == target)) out.push_back(source);
    }
  }

  // From a point to the nearest that a member of the cell can be, a little less so that rounding keeps it a bound.
  [[nodiscard]] double distance_to(const Cell& cell, const Point& point) const {
    double square = 0;
    for (std::size_t axis = 0; axis < 3; ++axis) {
      const bool inside = point[axis] >= cell.low[axis] && point[axis] <= cell.high[axis];
      const double d = inside ? 0
                              : std::min(proximity_.along(axis, cell.low[axis] - point[axis]),
                                         proximity_.along(axis, cell.high[axis] - point[axis]));
      square += d * d;
    }
    return std::sqrt(square) * (1 - 1e-6);
  }

  Proximity proximity_;
  bool without_self_;
  std::vector<Point> sources_, targets_;
  Words words_;
  std::vector<std::uint32_t> members_;  // sources, cell after cell
  std::vector<Cell> cells_;
};

}  // namespace

std::unique_ptr<SourceRule> make_distance_dependent(const Sides& sides, const ConnectionRule& rule,
                                                    std::vector<Point> sources, std::vector<Point> targets,
                                                    const Positions& extent, Words words) {
  return std::make_unique<DistanceDependent>(sides, rule, std::move(sources), std::move(targets), extent, words);
}

}  // namespace bouton::networks
