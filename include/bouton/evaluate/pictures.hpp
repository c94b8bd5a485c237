#pragma once
// Pictures of results as bytes, for TensorBoard and for PNG files (data::png_bytes).

#include <string>
#include <utility>
#include <vector>

#include "bouton/data/png.hpp"
#include "bouton/evaluate/metrics.hpp"

namespace bouton::evaluate {

// Rows are true classes, columns predicted ones; each cell is shaded by its part of the row and holds its count.
// Numbers stand for the classes. Colour, white ground.
[[nodiscard]] data::Picture confusion_picture(const Confusion& confusion, const std::string& title = {});

struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;  // x increasing; points that are not finite are gaps
};

// Curves over a common axis, 640 x 400 pixels unless said otherwise.
[[nodiscard]] data::Picture line_chart(const std::vector<Series>& series, const std::string& title,
                                       const std::string& x_label, int64_t width = 640, int64_t height = 400);

}  // namespace bouton::evaluate
