#include "networks/connector.hpp"
#include "networks/proximity.hpp"

namespace bouton::networks {
namespace {

Point cell_centre(const Positions& p, std::int64_t index) {
  const auto column = static_cast<double>(index % p.columns), row = static_cast<double>(index / p.columns);
  return {(column + 0.5) * p.extent[0] / static_cast<double>(p.columns),
          (row + 0.5) * p.extent[1] / static_cast<double>(p.rows), p.extent[2] / 2};
}

Point anywhere(const Positions& p, RandomStream random) {
  Point point;
  for (std::size_t axis = 0; axis < 3; ++axis) point[axis] = p.extent[axis] * random.uniform();
  return point;
}

}  // namespace

std::uint64_t positions_of(const std::string& population) { return purpose_of(population, "positions"); }

std::vector<Point> draw_positions(const Positions& positions, std::uint64_t seed, std::uint64_t purpose,
                                  std::int64_t size) {
  if (positions.kind == Positions::Kind::listed) return positions.points;
  std::vector<Point> points(static_cast<std::size_t>(size));
  for (std::int64_t i = 0; i < size; ++i) {
    points[static_cast<std::size_t>(i)] = positions.kind == Positions::Kind::grid
                                              ? cell_centre(positions, i)
                                              : anywhere(positions, {seed, purpose, static_cast<std::uint64_t>(i)});
  }
  return points;
}

}  // namespace bouton::networks
