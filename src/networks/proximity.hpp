#pragma once
// How likely two neurons are connected by where they lie.

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "bouton/networks/rules.hpp"
#include "networks/portable_math.hpp"

namespace bouton::networks {

using Point = std::array<double, 3>;  // metres

class Proximity {
 public:
  // `extent` says whether distances go across its borders.
  Proximity(const DistanceKernel& kernel, const Positions& extent) : kernel_(kernel) {
    if (extent.periodic) period_ = extent.extent;
    reach_ = kernel.cutoff > 0 ? kernel.cutoff : std::numeric_limits<double>::infinity();
    if (kernel.shape == DistanceKernel::Shape::box) reach_ = std::min(reach_, kernel.scale);
  }

  [[nodiscard]] double probability(double r) const {
    if (r >= reach_) return 0;
    switch (kernel_.shape) {
      case DistanceKernel::Shape::gaussian:
        return kernel_.peak * portable_exp(static_cast<float>(-r * r / (2 * kernel_.scale * kernel_.scale)));
      case DistanceKernel::Shape::exponential:
        return kernel_.peak * portable_exp(static_cast<float>(-r / kernel_.scale));
      case DistanceKernel::Shape::box:
        break;
    }
    return kernel_.peak;
  }

  // The part of a distance along one axis.
  [[nodiscard]] double along(std::size_t axis, double difference) const {
    const double d = std::abs(difference), period = period_[axis];
    return period > 0 ? std::min(d, std::abs(period - d)) : d;
  }

  [[nodiscard]] double distance(const Point& a, const Point& b) const {
    double square = 0;
    for (std::size_t axis = 0; axis < 3; ++axis) {
      const double d = along(axis, a[axis] - b[axis]);
      square += d * d;
    }
    return std::sqrt(square);
  }

 private:
  DistanceKernel kernel_;
  Point period_{};
  double reach_;
};

}  // namespace bouton::networks
