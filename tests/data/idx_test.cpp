#include "data/idx.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include <bit>
#include <limits>

#include "bouton/base/files.hpp"
#include "support/temporary_folder.hpp"

namespace bouton::data {
namespace {

std::string word(uint32_t value) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
  return out;
}

std::string idx(uint32_t magic, std::initializer_list<uint32_t> sizes, const std::string& data) {
  std::string out = word(magic);
  for (const uint32_t size : sizes) out += word(size);
  return out + data;
}

std::string gzipped(const std::string& bytes) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(bytes.size() + 1000, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

const std::string two_images =
    idx(0x803, {2, 2, 3}, std::string("\x00\x01\x02\x03\x04\x05\xfa\xfb\xfc\xfd\xfe\xff", 12));
const std::string two_labels = idx(0x801, {2}, std::string("\x03\x00", 2));

std::string refusal(const std::string& images, const std::string& labels) {
  const NamedBytes named_labels{"labels", labels};
  const Result<ImageSet> result = parse_idx({"images", images}, &named_labels);
  return result.ok()                        ? "accepted"
         : result.diagnostics().size() == 1 ? result.diagnostics()[0].to_string()
                                            : "more than one";
}

TEST(Idx, ImagesAndLabelsComeOutAsTheyLie) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_file_atomically(folder / "i", two_images).ok());
  ASSERT_TRUE(write_file_atomically(folder / "l", two_labels).ok());
  const ImageSet set = read_idx(folder / "i", folder / "l").value();
  EXPECT_EQ(set.count, 2);
  EXPECT_EQ(set.channels, 1);
  EXPECT_EQ(set.height, 2);
  EXPECT_EQ(set.width, 3);
  EXPECT_EQ(set.pixels, (std::vector<uint8_t>{0, 1, 2, 3, 4, 5, 250, 251, 252, 253, 254, 255}));
  EXPECT_EQ(set.labels, (std::vector<uint8_t>{3, 0}));
  EXPECT_EQ(set.class_names, (std::vector<std::string>{"0", "1", "2", "3"}));
}

TEST(Idx, AGzippedFileIsTheSameSet) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_file_atomically(folder / "i.gz", gzipped(two_images)).ok());
  ASSERT_TRUE(write_file_atomically(folder / "l.gz", gzipped(two_labels)).ok());
  EXPECT_EQ(read_idx(folder / "i.gz", folder / "l.gz").value().pixels,
            parse_idx({"i", two_images}, nullptr).value().pixels);
}

TEST(Idx, WithoutLabelsTheSetIsUnlabelled) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_file_atomically(folder / "i", two_images).ok());
  EXPECT_TRUE(read_idx(folder / "i", {}).value().labels.empty());
}

TEST(Idx, FourDimensionsAreChannels) {
  const ImageSet set = parse_idx({"i", idx(0x804, {1, 3, 1, 2}, "abcdef")}, nullptr).value();
  EXPECT_EQ(set.channels, 3);
  EXPECT_EQ(set.features(), 6);
}

TEST(Idx, RealPixelsFromZeroToOneBecomeBytes) {
  const std::string reals =
      word(std::bit_cast<uint32_t>(0.0F)) + word(std::bit_cast<uint32_t>(0.5F)) + word(std::bit_cast<uint32_t>(1.0F));
  EXPECT_EQ(parse_idx({"i", idx(0xD03, {1, 1, 3}, reals)}, nullptr).value().pixels,
            (std::vector<uint8_t>{0, 128, 255}));
}

TEST(Idx, APixelThatIsNoNumberOrOutOfRangeIsPlaced) {
  const auto file = [](float bad) {
    std::string reals;
    for (int i = 0; i < 12; ++i) reals += word(std::bit_cast<uint32_t>(i == 10 ? bad : 0.5F));
    return idx(0xD03, {2, 2, 3}, reals);
  };
  EXPECT_EQ(refusal(file(std::numeric_limits<float>::quiet_NaN()), two_labels),
            "error[pixel-not-a-number]: a pixel is not a number (NaN): image 1, row 1, column 1\n  --> images");
  EXPECT_EQ(refusal(file(3.5F), two_labels),
            "error[pixel-out-of-range]: a pixel is 3.5, expected 0 to 1: image 1, row 1, column 1\n  --> images");
  EXPECT_EQ(refusal(file(std::numeric_limits<float>::infinity()), two_labels).substr(0, 50),
            "error[pixel-out-of-range]: a pixel is inf, expecte");
}

TEST(Idx, EveryTruncationIsRefused) {
  for (std::size_t length = 0; length < two_images.size(); ++length) {
    const auto result = parse_idx({"images", std::string_view(two_images).substr(0, length)}, nullptr);
    ASSERT_FALSE(result.ok()) << length;
    ASSERT_EQ(result.diagnostics()[0].code, "idx-truncated") << length;
  }
}

TEST(Idx, RefusalsSayWhatIsWrong) {
  EXPECT_EQ(refusal("", two_labels),
            "error[idx-truncated]: the file ends within the IDX header: it has 0 bytes\n  --> images");
  EXPECT_EQ(refusal(two_images.substr(0, 10), two_labels),
            "error[idx-truncated]: the file ends within the IDX header: it has 10 bytes\n  --> images");
  EXPECT_EQ(refusal(two_images.substr(0, 20), two_labels),
            "error[idx-truncated]: the header promises 2 x 2 x 3 values, 12 bytes, but 4 follow: the file is cut "
            "short\n  --> images");
  EXPECT_EQ(refusal(two_images + "x", two_labels),
            "error[idx-too-long]: the header promises 2 x 2 x 3 values, 12 bytes, but 13 follow\n  --> images");
  EXPECT_EQ(refusal("\x89PNG....", two_labels),
            "error[idx-magic]: this is not an IDX file of images: it starts with 0x89504e47, expected 0x00000803 "
            "(images of bytes)\n  --> images");
  EXPECT_EQ(refusal(two_images, word(0x0C01) + word(2) + std::string(8, '\0')),
            "error[idx-magic]: this is not an IDX file of labels: it starts with 0x00000c01, expected 0x00000801 "
            "(labels of bytes)\n  --> labels");
  EXPECT_EQ(refusal(two_labels, two_images),
            "error[idx-dimensions]: expected images with 3 or 4 dimensions, but the file has 1\n  --> images\n   = "
            "this looks like the file of "
            "labels: are the two swapped?");
  EXPECT_EQ(refusal(two_images, two_images),
            "error[idx-dimensions]: expected labels with 1 dimension, but the file has 3\n  --> labels\n   = this "
            "looks like the file of images: are "
            "the two swapped?");
  EXPECT_EQ(refusal(two_images, idx(0x801, {3}, "abc")),
            "error[idx-count-mismatch]: there are 3 labels for the 2 images of 'images'\n  --> labels");
  EXPECT_EQ(refusal(idx(0x803, {0, 2, 3}, ""), two_labels),
            "error[idx-empty]: the file holds no pixels: its sizes are 0 x 2 x 3\n  --> images");
}

TEST(Idx, AHeaderThatPromisesTooMuchTakesNoMemory) {
  EXPECT_EQ(refusal(idx(0x803, {~0u, ~0u, ~0u}, "abc"), two_labels),
            "error[idx-truncated]: the header promises 4294967295 x 4294967295 x 4294967295 values, more than any file "
            "can hold, but 3 follow: "
            "the file is cut short\n  --> images");
}

TEST(Idx, DamagedGzipIsRefused) {
  const std::string good = gzipped(two_images);
  EXPECT_EQ(unpacked("x.gz", good.substr(0, good.size() - 5), 1000).diagnostics().at(0).to_string(),
            "error[gzip-truncated]: the gzip file is cut short\n  --> x.gz");
  std::string damaged = good;
  damaged[good.size() - 6] ^= 1;
  EXPECT_EQ(unpacked("x.gz", damaged, 1000).diagnostics().at(0).to_string(),
            "error[gzip-damaged]: the gzip file is damaged\n  --> x.gz");
  EXPECT_EQ(unpacked("x.gz", gzipped(std::string(5000, 'x')), 1000).diagnostics().at(0).code, "file-too-large");
}

TEST(Idx, LabelsBeyondTheNetworksOutputsAreRefused) {
  const NamedBytes labels{"l", two_labels};
  const ImageSet set = parse_idx({"i", two_images}, &labels).value();
  EXPECT_TRUE(check_labels(set, 4, "l").ok());
  EXPECT_EQ(
      check_labels(set, 3, "l").diagnostics().at(0).to_string(),
      "error[label-out-of-range]: the label of sample 0 is 3, but the network has 3 outputs: expected 0 to 2\n  --> l");
  EXPECT_EQ(check_labels(parse_idx({"i", two_images}, nullptr).value(), 3, "i").diagnostics().at(0).code, "unlabelled");
}

}  // namespace
}  // namespace bouton::data
