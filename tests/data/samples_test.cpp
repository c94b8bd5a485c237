// Tables, series in time and texts as samples.

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "bouton/data/tables.hpp"
#include "bouton/data/texts.hpp"
#include "support/temporary_folder.hpp"

namespace bouton::data {
namespace {

void write(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

std::string refusal(const Result<ImageData>& result) {
  return result.ok() ? "accepted" : result.diagnostics().front().code;
}

TEST(Table, RowsAreStandardisedOverThoseThatTrain) {
  const TemporaryFolder folder;
  write(folder.path() / "t.csv", "a;kind;b\n1;x;10\n3;y;\n5;x;30\n7;z;20\n100;y;40\n");
  const TableOptions options{
      .file = "t.csv", .target = "kind", .test = 0.2, .validation = 0.2, .order = RowOrder::as_it_stands};
  const ImageData data = load_table(folder.path(), options).value();
  EXPECT_EQ(data.train.count, 4);
  EXPECT_EQ(data.validation, 1);
  EXPECT_EQ(data.test.count, 1);
  EXPECT_EQ(data.train.labels, (std::vector<uint8_t>{0, 1, 0, 2}));
  EXPECT_EQ(data.test.class_names, (std::vector<std::string>{"x", "y", "z"}));
  const double deviation = std::sqrt(8.0 / 3);  // of 1, 3, 5
  EXPECT_FLOAT_EQ(data.train.values[0], static_cast<float>(-2 / deviation));
  EXPECT_EQ(data.train.values[3], 0);  // what is missing is the mean
  EXPECT_FLOAT_EQ(data.test.values[0], static_cast<float>(97 / deviation));
}

TEST(Table, MistakesAreNamed) {
  const TemporaryFolder folder;
  write(folder.path() / "t.csv", "a,kind\n1,x\nb,y\n");
  TableOptions options{.file = "t.csv", .target = "king"};
  EXPECT_EQ(refusal(load_table(folder.path(), options)), "missing-column");
  options.target = "kind";
  EXPECT_EQ(refusal(load_table(folder.path(), options)), "csv-not-a-number");
  write(folder.path() / "t.csv", "a,kind\n1,x\n2\n");
  EXPECT_EQ(refusal(load_table(folder.path(), options)), "missing-column");
  write(folder.path() / "t.csv", "a,kind\n1,x\n");
  EXPECT_EQ(refusal(load_table(folder.path(), options)), "too-few-rows");
}

std::string rising(int steps, int from_step = 1 << 30) {
  std::string text = "when,speed\n";
  for (int t = 0; t < steps; ++t)
    text += "d" + std::to_string(t) + "," + std::to_string(t < from_step ? t : 1000 + t) + "\n";
  return text;
}

// Walk-forward: whatever the later stretch holds, the earlier samples stay what they are, to the bit.
TEST(Series, NothingIsLearnedFromWhatIsStillToCome) {
  const TemporaryFolder folder;
  const SeriesOptions options{.file = "s.csv", .window = 4, .horizons = {1, 3}, .test = 0.25, .validation = 0.25};
  write(folder.path() / "s.csv", rising(80));
  const ImageData known = load_series(folder.path(), options).value();
  write(folder.path() / "s.csv", rising(80, 60));
  const ImageData other = load_series(folder.path(), options).value();
  EXPECT_EQ(known.train.values, other.train.values);
  EXPECT_EQ(known.train.targets.numbers, other.train.targets.numbers);
  EXPECT_NE(known.test.targets.numbers, other.test.targets.numbers);
  // Stretches of 40, 20 and 20 steps; a sample reaches over 4 + 3 - 1 steps more than its first.
  EXPECT_EQ(known.train.count - known.validation, 40 - 6);
  EXPECT_EQ(known.validation, 20 - 6);
  EXPECT_EQ(known.test.count, 20 - 6);
}

TEST(Series, TargetsAreTheValuesAheadInUnitsOfTheQuantity) {
  const TemporaryFolder folder;
  write(folder.path() / "s.csv", rising(80));
  const ImageData data =
      load_series(folder.path(), {.file = "s.csv", .window = 4, .horizons = {1, 3}, .relative = true, .step = 5})
          .value();
  const Targets& targets = data.test.targets;
  EXPECT_EQ(targets.groups, (std::vector<std::string>{"5 min", "15 min"}));
  EXPECT_NEAR(targets.bases[0] + targets.scale * targets.numbers[0], 64 + 4, 1e-3);
  EXPECT_NEAR(targets.bases[0] + targets.scale * targets.numbers[1], 64 + 6, 1e-3);
  EXPECT_EQ(data.baselines[0].first, "last value");
  EXPECT_NEAR(data.baselines[0].second[0], 0, 1e-6);
}

TEST(Series, AMissingValueIsTheLastKnownOneAndNoTarget) {
  const TemporaryFolder folder;
  std::string text = "v\n";
  for (int t = 0; t < 40; ++t) text += t == 5 ? "nan\n" : std::to_string(t) + "\n";
  write(folder.path() / "s.csv", text);
  const ImageData data = load_series(folder.path(), {.file = "s.csv", .window = 2}).value();
  EXPECT_TRUE(std::isnan(data.train.targets.numbers[3]));  // of the window 3, 4
  EXPECT_EQ(data.train.values[2 * 4 + 1], data.train.values[2 * 4]);
}

TEST(Series, NeighboursAndMistakesAreNamed) {
  const TemporaryFolder folder;
  std::string text = "a,b\n";
  for (int t = 0; t < 40; ++t) text += std::to_string(t) + "," + std::to_string(2 * t) + "\n";
  write(folder.path() / "s.csv", text);
  write(folder.path() / "w.csv", "1,0.5\n0.5,1\n");
  SeriesOptions options{.file = "s.csv", .window = 3, .neighbours = "w.csv"};
  const ImageData data = load_series(folder.path(), options).value();
  EXPECT_EQ(data.train.width, 2);
  // The neighbour of `a` is `b`: the second input of the first sample is the first input of b's first sample.
  const auto second =
      static_cast<std::size_t>((data.train.count - data.validation) / 2) * 6;  // samples of a, then of b
  EXPECT_EQ(data.train.values[3], data.train.values[second + 2]);
  write(folder.path() / "w.csv", "1\n");
  EXPECT_EQ(refusal(load_series(folder.path(), options)), "neighbours-shape");
  options.neighbours.clear();
  options.window = 30;
  EXPECT_EQ(refusal(load_series(folder.path(), options)), "series-too-short");
}

TEST(Texts, WordsAreNumberedByTheTrainingTextsAlone) {
  const TemporaryFolder folder;
  for (const char* part : {"train", "valid", "test"}) write(folder.path() / part / "label", "fly\nask\n");
  write(folder.path() / "train" / "seq.in", "To Boston to\nwhat is it\n");
  write(folder.path() / "valid" / "seq.in", "to paris\nwhat\n");
  write(folder.path() / "test" / "seq.in", "boston is far away\nit\n");
  const ImageData data = load_texts(folder.path(), {.format = TextFormat::intents, .files = {}, .length = 3}).value();
  EXPECT_EQ(data.validation, 2);
  EXPECT_EQ(data.train.class_names, (std::vector<std::string>{"ask", "fly"}));
  EXPECT_EQ(data.train.labels, (std::vector<uint8_t>{1, 0, 1, 0}));
  // to: 2 (twice); boston, is, it, what: 3 to 6 by the alphabet.
  EXPECT_EQ(data.train.values, (std::vector<float>{2, 3, 2, 6, 4, 5, 2, 1, 0, 6, 0, 0}));
  EXPECT_EQ(data.test.values, (std::vector<float>{3, 4, 1, 5, 0, 0}));
  write(folder.path() / "test" / "label", "fly\n");
  EXPECT_EQ(refusal(load_texts(folder.path(), {.format = TextFormat::intents})), "text-mismatch");
}

TEST(Texts, EachCharacterIsFollowedByItsTarget) {
  const TemporaryFolder folder;
  write(folder.path() / "t.txt", "abcabcabcabcabcabcab");
  const ImageData data =
      load_texts(folder.path(),
                 {.format = TextFormat::characters, .files = {"t.txt"}, .length = 3, .test = 0.25, .validation = 0})
          .value();
  EXPECT_EQ(data.train.targets.positions, 3);
  EXPECT_EQ(data.train.values, (std::vector<float>{0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2}));
  EXPECT_EQ(data.train.targets.classes, (std::vector<int16_t>{1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0}));
  EXPECT_EQ(data.test.count, 1);
  EXPECT_EQ(refusal(load_texts(folder.path(), {.format = TextFormat::characters, .files = {"t.txt"}, .length = 30})),
            "text-empty");
}

}  // namespace
}  // namespace bouton::data
