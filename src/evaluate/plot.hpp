#pragma once

#include <array>
#include <string>

#include "evaluate/axis.hpp"
#include "evaluate/canvas.hpp"

namespace bouton::evaluate {

inline constexpr Colour white{255, 255, 255}, ink{40, 44, 52}, soft{222, 226, 232};
// Colours that people who see red and green alike can tell apart (after Okabe & Ito 2008).
inline constexpr std::array<Colour, 8> palette = {{{0, 114, 178},
                                                   {213, 94, 0},
                                                   {0, 158, 115},
                                                   {204, 121, 167},
                                                   {230, 159, 0},
                                                   {86, 180, 233},
                                                   {90, 90, 90},
                                                   {120, 70, 20}}};
[[nodiscard]] inline Colour colour_of(std::size_t index) { return palette[index % palette.size()]; }

// `part` of the way from one colour to the other.
[[nodiscard]] Colour mixed(Colour from, Colour to, double part);
// Text around a point, and with its right end at one; both centred in height.
void centred(Canvas& canvas, int64_t x, int64_t y, const std::string& text, int64_t scale, Colour colour);
void right_aligned(Canvas& canvas, int64_t x, int64_t y, const std::string& text, int64_t scale, Colour colour);

// A rectangle of the canvas on which values have places.
struct Panel {
  double left = 0, top = 0, right = 0, bottom = 0;  // pixels
  Axis across, up;                                  // values

  [[nodiscard]] double x(double value) const {
    return left + (value - across.low) / (across.high - across.low) * (right - left);
  }
  [[nodiscard]] double y(double value) const { return bottom - (value - up.low) / (up.high - up.low) * (bottom - top); }
};

// Marks and numbers under a panel, and a line through each of its heights with the number at its left. `scale`: of
// text.
void draw_across(Canvas& canvas, const Panel& panel, const std::string& label, int64_t scale);
void draw_up(Canvas& canvas, const Panel& panel, int64_t scale);

// An axis for exactly [low, high], with its round numbers; a range of no length gets some room around it.
[[nodiscard]] Axis exact_axis(double low, double high, int count);

}  // namespace bouton::evaluate
