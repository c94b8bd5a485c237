#include "evaluate/plot.hpp"

#include <cmath>

namespace bouton::evaluate {

Colour mixed(Colour from, Colour to, double part) {
  const auto mix = [part](uint8_t a, uint8_t b) { return static_cast<uint8_t>(std::lround(a + part * (b - a))); };
  return {mix(from.red, to.red), mix(from.green, to.green), mix(from.blue, to.blue)};
}

void centred(Canvas& canvas, int64_t x, int64_t y, const std::string& text, int64_t scale, Colour colour) {
  canvas.text(x - Canvas::text_width(text, scale) / 2, y - Canvas::text_height * scale / 2, text, scale, colour);
}

void right_aligned(Canvas& canvas, int64_t x, int64_t y, const std::string& text, int64_t scale, Colour colour) {
  canvas.text(x - Canvas::text_width(text, scale), y - Canvas::text_height * scale / 2, text, scale, colour);
}

void draw_across(Canvas& canvas, const Panel& panel, const std::string& label, int64_t scale) {
  canvas.line(panel.left, panel.bottom, panel.right, panel.bottom, 1, ink);
  const int64_t text = Canvas::text_height * scale;
  const auto below = std::lround(panel.bottom);
  for (const double tick : panel.across.ticks) {
    canvas.line(panel.x(tick), panel.bottom, panel.x(tick), panel.bottom + 4, 1, ink);
    centred(canvas, std::lround(panel.x(tick)), below + 10 + text / 2, tick_text(tick, panel.across), scale, ink);
  }
  centred(canvas, std::lround((panel.left + panel.right) / 2), below + 22 + text + text / 2, label, scale, ink);
}

void draw_up(Canvas& canvas, const Panel& panel, int64_t scale) {
  for (const double tick : panel.up.ticks) {
    canvas.line(panel.left, panel.y(tick), panel.right, panel.y(tick), 1, soft);
    right_aligned(canvas, std::lround(panel.left) - 8, std::lround(panel.y(tick)), tick_text(tick, panel.up), scale,
                  ink);
  }
}

Axis exact_axis(double low, double high, int count) {
  Axis axis = axis_for(low, high, count);
  if (!(high > low)) return axis;
  const double room = 1e-9 * (high - low);
  std::erase_if(axis.ticks, [&](double tick) { return tick < low - room || tick > high + room; });
  axis.low = low;
  axis.high = high;
  return axis;
}

}  // namespace bouton::evaluate
