#include "bouton/data/png.hpp"

#include <gtest/gtest.h>

#include "bouton/base/files.hpp"
#include "bouton/base/hash.hpp"
#include "support/temporary_folder.hpp"

namespace bouton::data {
namespace {

Picture gradient(int64_t height, int64_t width, int64_t channels) {
  Picture picture{height, width, channels, {}};
  for (int64_t i = 0; i < height * width * channels; ++i) picture.pixels.push_back(static_cast<uint8_t>(i * 37 % 256));
  return picture;
}

TEST(Png, APictureComesBackByteForByte) {
  for (const int64_t channels : {1, 3}) {
    const Picture picture = gradient(5, 7, channels);
    const Picture back = parse_png("x", png_bytes(picture), channels).value();
    EXPECT_EQ(back.height, 5);
    EXPECT_EQ(back.width, 7);
    EXPECT_EQ(back.pixels, picture.pixels);
  }
}

TEST(Png, ColourBecomesGreyAndGreyBecomesColour) {
  Picture colour{1, 2, 3, {255, 255, 255, 0, 0, 0}};
  EXPECT_EQ(parse_png("x", png_bytes(colour), 1).value().pixels, (std::vector<uint8_t>{255, 0}));
  Picture grey{1, 2, 1, {10, 200}};
  EXPECT_EQ(parse_png("x", png_bytes(grey), 3).value().pixels, (std::vector<uint8_t>{10, 10, 10, 200, 200, 200}));
}

TEST(Png, ResizingAveragesAreas) {
  const Picture four{2, 2, 1, {0, 100, 200, 40}};
  EXPECT_EQ(resized(four, 1, 1).pixels, (std::vector<uint8_t>{85}));
  const Picture three{1, 3, 1, {0, 90, 240}};
  EXPECT_EQ(resized(three, 1, 2).pixels, (std::vector<uint8_t>{30, 190}));  // (0 + 90/2) / 1.5, (90/2 + 240) / 1.5
  EXPECT_EQ(resized(four, 4, 4).pixels,
            (std::vector<uint8_t>{0, 0, 100, 100, 0, 0, 100, 100, 200, 200, 40, 40, 200, 200, 40, 40}));
}

TEST(Png, FilesBecomeAnUnlabelledSetWithChannelsFirst) {
  const TemporaryFolder folder;
  Picture picture{2, 2, 3, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}};
  ASSERT_TRUE(write_file_atomically(folder / "a.png", png_bytes(picture)).ok());
  const ImageSet set = read_png_set({folder / "a.png", folder / "a.png"}, 3, 2, 2).value();
  EXPECT_EQ(set.count, 2);
  EXPECT_EQ(std::vector<uint8_t>(set.pixels.begin(), set.pixels.begin() + 12),
            (std::vector<uint8_t>{1, 4, 7, 10, 2, 5, 8, 11, 3, 6, 9, 12}));
  EXPECT_TRUE(set.labels.empty());
}

TEST(Png, FilesThatAreNoPngOrCutShortAreRefused) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_file_atomically(folder / "a.png", "GIF89a").ok());
  EXPECT_EQ(read_png(folder / "a.png", 1).diagnostics().at(0).code, "png-damaged");
  const std::string good = png_bytes(gradient(30, 30, 1));
  for (std::size_t length = 0; length + 12 < good.size(); length += 7) {
    const auto result = parse_png("x", good.substr(0, length), 1);
    ASSERT_FALSE(result.ok()) << length;
    ASSERT_EQ(result.diagnostics()[0].code, "png-damaged");
  }
  EXPECT_EQ(read_png(folder / "none.png", 1).diagnostics().at(0).code, "file-not-found");
}

TEST(Png, APictureThatClaimsAllMemoryIsRefused) {
  const uint32_t sum_begin = 12, sum_end = 29;  // of the header chunk: its name and its thirteen bytes
  std::string bytes = png_bytes(gradient(1, 1, 1));
  const std::string huge("\x00\x01\x00\x00\x00\x01\x00\x00", 8);
  bytes.replace(16, 8, huge);
  const uint32_t sum = crc32(std::string_view(bytes).substr(sum_begin, sum_end - sum_begin));
  for (int i = 0; i < 4; ++i) bytes[sum_end + static_cast<uint32_t>(i)] = static_cast<char>(sum >> (24 - 8 * i));
  EXPECT_EQ(parse_png("x", bytes, 1).diagnostics().at(0).to_string(),
            "error[png-too-large]: the picture has 65536 x 65536 pixels; at most 67108864 are accepted\n  --> x");
}

}  // namespace
}  // namespace bouton::data
