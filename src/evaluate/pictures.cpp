#include "bouton/evaluate/pictures.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "evaluate/axis.hpp"
#include "evaluate/canvas.hpp"

namespace bouton::evaluate {
namespace {

constexpr Colour white{255, 255, 255}, ink{40, 44, 52}, soft{222, 226, 232}, deep{24, 78, 140};
// Colours that people who see red and green alike can tell apart (after Okabe & Ito 2008).
constexpr std::array<Colour, 6> palette = {
    {{0, 114, 178}, {213, 94, 0}, {0, 158, 115}, {204, 121, 167}, {230, 159, 0}, {86, 180, 233}}};

Colour mixed(Colour from, Colour to, double part) {
  const auto mix = [part](uint8_t a, uint8_t b) { return static_cast<uint8_t>(std::lround(a + part * (b - a))); };
  return {mix(from.red, to.red), mix(from.green, to.green), mix(from.blue, to.blue)};
}

void centred(Canvas& canvas, int64_t x, int64_t y, const std::string& text, int64_t scale, Colour colour) {
  canvas.text(x - Canvas::text_width(text, scale) / 2, y - Canvas::text_height * scale / 2, text, scale, colour);
}

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
  const Axis across = xs.axis(8), up = ys.axis(6);
  const double left = 72, right = static_cast<double>(width) - 20, top = 64, bottom = static_cast<double>(height) - 52;
  const auto at_x = [&](double x) { return left + (x - across.low) / (across.high - across.low) * (right - left); };
  const auto at_y = [&](double y) { return bottom - (y - up.low) / (up.high - up.low) * (bottom - top); };
  canvas.text(16, 14, title, 2, ink);
  for (const double tick : up.ticks) {
    canvas.line(left, at_y(tick), right, at_y(tick), 1, soft);
    const std::string text = tick_text(tick, up);
    canvas.text(static_cast<int64_t>(left) - 8 - Canvas::text_width(text, 1), std::lround(at_y(tick)) - 3, text, 1,
                ink);
  }
  for (const double tick : across.ticks) {
    canvas.line(at_x(tick), bottom, at_x(tick), bottom + 4, 1, ink);
    centred(canvas, std::lround(at_x(tick)), std::lround(bottom) + 14, tick_text(tick, across), 1, ink);
  }
  canvas.line(left, bottom, right, bottom, 1, ink);
  centred(canvas, std::lround((left + right) / 2), height - 16, x_label, 1, ink);
  auto legend = static_cast<int64_t>(left);
  for (std::size_t s = 0; s < series.size(); ++s) {
    const Colour colour = palette[s % palette.size()];
    canvas.rectangle(legend, 44, 14, 3, colour);
    canvas.text(legend + 20, 42, series[s].name, 1, ink);
    legend += 36 + Canvas::text_width(series[s].name, 1);
    const auto& points = series[s].points;
    for (std::size_t i = 0; i < points.size(); ++i) {
      if (!std::isfinite(points[i].second)) continue;
      const double x = at_x(points[i].first), y = at_y(points[i].second);
      canvas.line(x, y, x, y, 5, colour);
      if (i > 0 && std::isfinite(points[i - 1].second))
        canvas.line(at_x(points[i - 1].first), at_y(points[i - 1].second), x, y, 2, colour);
    }
  }
  return std::move(canvas).picture();
}

}  // namespace bouton::evaluate
