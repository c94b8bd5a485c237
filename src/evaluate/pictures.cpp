#include "bouton/evaluate/pictures.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "evaluate/canvas.hpp"
#include "evaluate/plot.hpp"

namespace bouton::evaluate {
namespace {

constexpr Colour deep{24, 78, 140};

int64_t longest_count(const Confusion& confusion) {
  std::size_t longest = std::to_string(confusion.size()).size();
  for (const auto& row : confusion) {
    for (const int64_t count : row) longest = std::max(longest, std::to_string(count).size());
  }
  return static_cast<int64_t>(longest);
}

struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -std::numeric_limits<double>::infinity();
  void take(double value) {
    if (!std::isfinite(value)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  [[nodiscard]] Axis axis(int ticks) const { return low > high ? axis_for(0, 1, ticks) : axis_for(low, high, ticks); }
};

}  // namespace

data::Picture confusion_picture(const Confusion& confusion, const std::string& title) {
  const auto classes = static_cast<int64_t>(confusion.size());
  const int64_t scale = 2, cell = std::max<int64_t>(40, (6 * longest_count(confusion) + 3) * scale);
  const int64_t left = 64, top = title.empty() ? 56 : 84, side = classes * cell;
  Canvas canvas(std::max(left + side, Canvas::text_width(title, scale) + 16) + 16, top + side + 16, white);
  canvas.text(left, 16, title, scale, ink);
  canvas.text(left, top - 44, "PREDICTED", scale, ink);
  canvas.text(6, top - 20, "TRUE", scale, ink);
  for (int64_t row = 0; row < classes; ++row) {
    const auto& counts = confusion[static_cast<std::size_t>(row)];
    const auto sum = static_cast<double>(std::accumulate(counts.begin(), counts.end(), int64_t{0}));
    centred(canvas, left / 2, top + row * cell + cell / 2, std::to_string(row), scale, ink);
    centred(canvas, left + row * cell + cell / 2, top - 14, std::to_string(row), scale, ink);
    for (int64_t column = 0; column < classes; ++column) {
      const int64_t count = counts[static_cast<std::size_t>(column)];
      // The root lets single errors be seen beside thousands of right answers.
      const double shade = sum > 0 ? std::sqrt(static_cast<double>(count) / sum) : 0;
      const int64_t x = left + column * cell, y = top + row * cell;
      canvas.rectangle(x + 1, y + 1, cell - 2, cell - 2, mixed({242, 245, 249}, deep, shade));
      if (count > 0)
        centred(canvas, x + cell / 2, y + cell / 2, std::to_string(count), scale, shade > 0.5 ? white : ink);
    }
  }
  return std::move(canvas).picture();
}

data::Picture line_chart(const std::vector<Series>& series, const std::string& title, const std::string& x_label,
                         int64_t width, int64_t height) {
  Canvas canvas(width, height, white);
  Range xs, ys;
  for (const Series& one : series) {
    for (const auto& [x, y] : one.points) {
      if (std::isfinite(y)) xs.take(x), ys.take(y);
    }
  }
  const Panel panel{72, 64, static_cast<double>(width) - 20, static_cast<double>(height) - 52, xs.axis(8), ys.axis(6)};
  canvas.text(16, 14, title, 2, ink);
  draw_up(canvas, panel, 1);
  draw_across(canvas, panel, x_label, 1);
  auto legend = static_cast<int64_t>(panel.left);
  for (std::size_t s = 0; s < series.size(); ++s) {
    const Colour colour = colour_of(s);
    canvas.rectangle(legend, 44, 14, 3, colour);
    canvas.text(legend + 20, 42, series[s].name, 1, ink);
    legend += 36 + Canvas::text_width(series[s].name, 1);
    const auto& points = series[s].points;
    for (std::size_t i = 0; i < points.size(); ++i) {
      if (!std::isfinite(points[i].second)) continue;
      const double x = panel.x(points[i].first), y = panel.y(points[i].second);
      canvas.line(x, y, x, y, 5, colour);
      if (i > 0 && std::isfinite(points[i - 1].second))
        canvas.line(panel.x(points[i - 1].first), panel.y(points[i - 1].second), x, y, 2, colour);
    }
  }
  return std::move(canvas).picture();
}

}  // namespace bouton::evaluate
