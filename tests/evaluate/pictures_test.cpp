#include "bouton/evaluate/pictures.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "evaluate/axis.hpp"
#include "evaluate/canvas.hpp"

namespace bouton::evaluate {
namespace {

TEST(Pictures, DigitsAreDrawnAsTheyLook) {
  Canvas canvas(5, 7, {255, 255, 255});
  canvas.text(0, 0, "7", 1, {0, 0, 0});
  const data::Picture picture = std::move(canvas).picture();
  std::string drawn;
  for (std::size_t i = 0; i < 35; ++i)
    drawn += (picture.pixels[3 * i] ? '.' : '#') + std::string(i % 5 == 4 ? "\n" : "");
  EXPECT_EQ(drawn, "#####\n....#\n...#.\n..#..\n.#...\n.#...\n.#...\n");
}

TEST(Pictures, DrawingOutsideTheCanvasIsCutOff) {
  Canvas canvas(10, 10, {255, 255, 255});
  canvas.text(-30, -3, "OUTSIDE", 3, {0, 0, 0});
  canvas.line(-100, -100, 200, 200, 3, {0, 0, 0});
  canvas.rectangle(5, 5, 100, 100, {1, 2, 3});
  const data::Picture picture = std::move(canvas).picture();
  EXPECT_EQ(picture.pixels.size(), 300u);
  EXPECT_EQ(picture.pixels[299], 3);
}

TEST(Pictures, TheConfusionPictureIsDarkestOnTheDiagonalOfAGoodClassifier) {
  Confusion confusion(10, std::vector<int64_t>(10, 1));
  for (std::size_t i = 0; i < 10; ++i) confusion[i][i] = 980;
  const data::Picture picture = confusion_picture(confusion, "test");
  EXPECT_EQ(picture.channels, 3);
  const int64_t cell = 42, left = 64, top = 84;  // four digits would need 54; three need 42
  const auto red = [&](int64_t row, int64_t column) {
    return picture
        .pixels[static_cast<std::size_t>(3 * ((top + row * cell + 3) * picture.width + left + column * cell + 3))];
  };
  EXPECT_LT(red(4, 4), 60);
  EXPECT_GT(red(4, 5), 200);
  EXPECT_NE(data::png_bytes(picture).size(), 0u);
}

TEST(Pictures, AnEmptyChartAndOneWithGapsAreFine) {
  EXPECT_EQ(line_chart({}, "nothing", "epoch").width, 640);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const data::Picture picture =
      line_chart({{"a", {{1, 0.5}, {2, nan}, {3, 0.7}}}, {"b", {{1, 0.5}}}}, "gaps", "epoch", 300, 200);
  EXPECT_EQ(picture.height, 200);
  const auto white = static_cast<double>(std::count(picture.pixels.begin(), picture.pixels.end(), 255));
  EXPECT_GT(white, 0.5 * static_cast<double>(picture.pixels.size()));
}

TEST(Pictures, AxesHaveRoundTicksThatCoverTheRange) {
  const Axis axis = axis_for(0.913, 0.9935, 5);
  EXPECT_LE(axis.low, 0.913);
  EXPECT_GE(axis.high, 0.9935);
  EXPECT_EQ(tick_text(axis.ticks.front(), axis), "0.90");
  EXPECT_EQ(tick_text(axis.ticks.back(), axis), "1.00");
  const Axis flat = axis_for(3, 3, 5);
  EXPECT_LT(flat.low, 3);
  EXPECT_GT(flat.high, 3);
  const Axis around = axis_for(-1, 1, 4);
  EXPECT_EQ(tick_text(around.ticks[2], around), "0.0");
}

}  // namespace
}  // namespace bouton::evaluate
