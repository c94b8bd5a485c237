#include "evaluate/axis.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace bouton::evaluate {

Axis axis_for(double low, double high, int count) {
  if (!(high > low)) {
    const double room = std::max(std::abs(low) * 0.1, 1e-6);
    low -= room;
    high += room;
  }
  const double rough = (high - low) / std::max(count, 1);
  const double power = std::pow(10, std::floor(std::log10(rough)));
  const double part = rough / power;
  const double step = power * (part <= 1 ? 1 : part <= 2 ? 2 : part <= 5 ? 5 : 10);
  Axis axis;
  axis.low = std::floor(low / step + 1e-9) * step;
  axis.high = std::ceil(high / step - 1e-9) * step;
  const auto marks = std::lround((axis.high - axis.low) / step);
  for (long i = 0; i <= marks; ++i) axis.ticks.push_back(axis.low + static_cast<double>(i) * step);
  return axis;
}

std::string tick_text(double value, const Axis& axis) {
  const double step = axis.ticks.size() > 1 ? axis.ticks[1] - axis.ticks[0] : 1;
  const double most = std::max(std::abs(axis.low), std::abs(axis.high));
  if (std::abs(value) < step * 1e-6) value = 0;  // no "-0.0"
  char text[40];
  if (most >= 1e6 || (most < 1e-3 && most > 0)) {
    std::snprintf(text, sizeof text, "%.3g", value);
  } else {
    const int decimals = std::max(0, static_cast<int>(std::ceil(-std::log10(step) - 1e-9)));
    std::snprintf(text, sizeof text, "%.*f", decimals, value);
  }
  return text;
}

}  // namespace bouton::evaluate
