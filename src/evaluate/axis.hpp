#pragma once

#include <string>
#include <vector>

namespace bouton::evaluate {

// A range and the round numbers in it, at which an axis has its marks.
struct Axis {
  double low = 0, high = 1;
  std::vector<double> ticks;
};

// Covers [low, high] with about `count` ticks at multiples of 1, 2 or 5 times a power of ten.
[[nodiscard]] Axis axis_for(double low, double high, int count);

// The shortest text that tells the ticks of one axis apart.
[[nodiscard]] std::string tick_text(double value, const Axis& axis);

}  // namespace bouton::evaluate
