#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "bouton/data/png.hpp"

namespace bouton::evaluate {

struct Colour {
  uint8_t red = 0, green = 0, blue = 0;
};

// A colour picture that can be drawn on; what falls outside is cut off.
class Canvas {
 public:
  Canvas(int64_t width, int64_t height, Colour ground);

  void rectangle(int64_t x, int64_t y, int64_t width, int64_t height, Colour colour);
  // A stroke of the given thickness with soft edges.
  void line(double x0, double y0, double x1, double y1, double thickness, Colour colour);
  // Letters, digits and a few signs of 5 by 7 pixels and two below the line, `scale` times enlarged; (x, y) is the
  // upper left corner. Other characters leave a gap.
  void text(int64_t x, int64_t y, std::string_view text, int64_t scale, Colour colour);
  [[nodiscard]] static int64_t text_width(std::string_view text, int64_t scale);
  static constexpr int64_t text_height = 7;

  [[nodiscard]] data::Picture picture() && { return std::move(picture_); }

 private:
  void blend(int64_t x, int64_t y, Colour colour, double part);
  data::Picture picture_;
};

}  // namespace bouton::evaluate
