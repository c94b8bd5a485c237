#include "data/csv.hpp"

#include <gtest/gtest.h>

#include "bouton/base/files.hpp"
#include "support/temporary_folder.hpp"

namespace bouton::data {
namespace {

std::string refusal(const std::string& text) {
  const Result<ImageSet> result = parse_csv({"t.csv", text});
  return result.ok()                        ? "accepted"
         : result.diagnostics().size() == 1 ? result.diagnostics()[0].to_string()
                                            : "more than one";
}

TEST(Csv, TheLabelMayStandAnywhereAndLinesMayEndEitherWay) {
  const ImageSet set = parse_csv({"t.csv", "\"p0\", \"p1\",label,p2,p3\r\n1,2,7,3,4\r\n\r\n5,6.4,0,254.6,8"}).value();
  EXPECT_EQ(set.count, 2);
  EXPECT_EQ(set.height, 2);
  EXPECT_EQ(set.width, 2);
  EXPECT_EQ(set.labels, (std::vector<uint8_t>{7, 0}));
  EXPECT_EQ(set.pixels, (std::vector<uint8_t>{1, 2, 3, 4, 5, 6, 255, 8}));
  EXPECT_EQ(set.class_names.size(), 8u);
}

TEST(Csv, PixelsThatMakeNoSquareAreOneRow) {
  const ImageSet set = parse_csv({"t.csv", "label,a,b,c\n0,1,2,3\n"}).value();
  EXPECT_EQ(set.height, 1);
  EXPECT_EQ(set.width, 3);
}

TEST(Csv, RefusalsSayWhatIsWrongAndWhere) {
  EXPECT_EQ(refusal(""),
            "error[csv-empty]: the file is empty: expected a header line that names the columns\n  --> t.csv");
  EXPECT_EQ(refusal("label,a\n"), "error[csv-empty]: the file holds no samples after its header line\n  --> t.csv");
  EXPECT_EQ(refusal("Label,a\n1,2\n"),
            "error[missing-column]: the table has no column 'label'\n  --> t.csv\n   = rename the column 'Label'");
  EXPECT_EQ(refusal("label\n1\n"),
            "error[missing-column]: the table has no columns of pixels beside 'label'\n  --> t.csv");
  EXPECT_EQ(refusal("label,a,b\n1,2,3\n1,2\n"),
            "error[missing-column]: line 3 has 2 values, but the header names 3 columns\n  --> t.csv");
  EXPECT_EQ(refusal("label,a,b\n1,2,3,4\n"),
            "error[surplus-column]: line 2 has 4 values, but the header names 3 columns\n  --> t.csv");
  EXPECT_EQ(
      refusal("label,a,b\n1,nan,3\n"),
      "error[pixel-not-a-number]: a value is not a number (NaN), expected 0 to 255, found 'nan'\n  --> t.csv:2:3");
  EXPECT_EQ(refusal("label,a,b\n1,2,256\n"),
            "error[pixel-out-of-range]: expected a value from 0 to 255, found '256'\n  --> t.csv:2:5");
  EXPECT_EQ(refusal("label,a,b\n1,1e999,2\n"),
            "error[pixel-out-of-range]: expected a value from 0 to 255, found '1e999'\n  --> t.csv:2:3");
  EXPECT_EQ(refusal("label,a,b\n1,x7,2\n"),
            "error[csv-not-a-number]: expected a number from 0 to 255, found 'x7'\n  --> t.csv:2:3");
  EXPECT_EQ(refusal("label,a,b\n1,,2\n"), "error[csv-empty-cell]: a value is missing here\n  --> t.csv:2:3");
  EXPECT_EQ(refusal("label,a,b\n1.5,3,2\n"),
            "error[label-out-of-range]: a label is a whole number from 0 to 255, found '1.5'\n  --> t.csv:2:1");
}

TEST(Csv, AFileIsReadFromTheDisk) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_file_atomically(folder / "t.csv", "label,a\n1,2\n").ok());
  EXPECT_EQ(read_csv(folder / "t.csv").value().count, 1);
  EXPECT_EQ(read_csv(folder / "none.csv").diagnostics().at(0).code, "file-not-found");
}

}  // namespace
}  // namespace bouton::data
