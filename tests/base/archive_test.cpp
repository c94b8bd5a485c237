#include "bouton/base/archive.hpp"

#include <gtest/gtest.h>

#include "bouton/base/files.hpp"
#include "bouton/base/hash.hpp"
#include "support/temporary_folder.hpp"

namespace bouton {
namespace {

Archive sample() {
  Archive archive{"model", {{"recipe", "name = \"x\"\n"}, {"µ", "naïve"}}, {}};
  archive.tensors["weight"] = TensorBlob::of<float>(std::vector<float>{1, 2, 3, 4, 5, 6}, {2, 3});
  archive.tensors["scalar"] = TensorBlob::of<double>(std::vector<double>{0.1}, {});
  archive.tensors["step"] = TensorBlob::of<int64_t>(std::vector<int64_t>{-1, INT64_MAX}, {2});
  archive.tensors["bytes"] = TensorBlob::of<uint8_t>(std::vector<uint8_t>(100, 7), {100});
  archive.tensors["empty"] = TensorBlob::of<float>(std::vector<float>{}, {0, 5});
  return archive;
}

std::string refusal(const std::string& bytes, const std::string& kind = "model") {
  const Result<Archive> result = parse_archive("x.bouton", bytes, kind);
  return result.ok() ? "accepted" : result.diagnostics().at(0).to_string();
}

// Puts right the sums that the header and the trailer carry, so that what lies behind them is reached.
std::string resealed(std::string bytes) {
  const auto put = [&](std::size_t at, uint64_t value, int size) {
    for (int i = 0; i < size; ++i) bytes[at + i] = static_cast<char>(value >> (8 * i));
  };
  uint64_t manifest = 0;
  for (int i = 7; i >= 0; --i) manifest = manifest << 8 | static_cast<unsigned char>(bytes[16 + i]);
  put(12, crc32(std::string_view(bytes).substr(32, manifest)), 4);
  put(24, bytes.size(), 8);
  put(bytes.size() - 4, crc32(std::string_view(bytes).substr(0, bytes.size() - 4)), 4);
  return bytes;
}

// An archive with the given manifest and no data.
std::string with_manifest(const std::string& manifest) {
  std::string bytes = archive_bytes({"model", {}, {}}).value().substr(0, 32);
  for (int i = 0; i < 8; ++i) bytes[16 + i] = static_cast<char>(manifest.size() >> (8 * i));
  bytes += manifest;
  bytes.resize((bytes.size() + 63) / 64 * 64 + 4);
  return resealed(bytes);
}

std::string with_tensor(const std::string& entry) {
  return with_manifest(R"({"kind":"model","texts":{},"tensors":[)" + entry + "]}");
}

TEST(Archive, ComesBackAsItWas) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_archive(folder / "x.bouton", sample()).ok());
  const Archive back = read_archive(folder / "x.bouton", "model").value();
  EXPECT_EQ(back, sample());
  EXPECT_EQ(back.tensors.at("weight").values<float>(), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(back.tensors.at("scalar").elements(), 1);
  EXPECT_EQ(back.tensors.at("empty").elements(), 0);
}

TEST(Archive, TheSameContentGivesTheSameBytes) {
  EXPECT_EQ(archive_bytes(sample()).value(), archive_bytes(sample()).value());
}

TEST(Archive, TensorsBeginAtMultiplesOf64) {
  const std::string bytes = archive_bytes(sample()).value();
  const std::string weight = sample().tensors.at("weight").bytes;
  const std::size_t at = bytes.find(weight);
  ASSERT_NE(at, std::string::npos);
  EXPECT_EQ(at % 64, 0u);
}

TEST(Archive, ReadingATensorAsAnotherTypeThrows) {
  EXPECT_THROW(static_cast<void>(sample().tensors.at("weight").values<double>()), Error);
}

TEST(Archive, EveryTruncationIsRefusedWithOneDiagnostic) {
  const std::string bytes = archive_bytes(sample()).value();
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    const Result<Archive> result = parse_archive("x", std::string_view(bytes).substr(0, length), "model");
    ASSERT_FALSE(result.ok()) << length;
    ASSERT_EQ(result.diagnostics().size(), 1u);
    ASSERT_EQ(result.diagnostics()[0].code, length == 0 ? "archive-foreign" : "archive-truncated") << length;
  }
}

TEST(Archive, EveryChangedByteIsNoticed) {
  const std::string bytes = archive_bytes(sample()).value();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 0x10);
    ASSERT_FALSE(parse_archive("x", changed, "model").ok()) << i;
  }
}

TEST(Archive, RefusalsSayWhatIsWrong) {
  const std::string good = archive_bytes(sample()).value();
  EXPECT_EQ(refusal(""), "error[archive-foreign]: the file is empty: it is not a Bouton file\n  --> x.bouton");
  EXPECT_EQ(refusal("PK\x03\x04 something else altogether, longer than a header"),
            "error[archive-foreign]: this is not a Bouton file\n  --> x.bouton");
  EXPECT_EQ(refusal(good.substr(0, 10)), "error[archive-truncated]: the file ends within its header\n  --> x.bouton");
  EXPECT_EQ(refusal(good.substr(0, 200)), "error[archive-truncated]: the file is cut short: it has 200 of " +
                                              std::to_string(good.size()) + " bytes\n  --> x.bouton");
  EXPECT_EQ(refusal(good + "x"), "error[archive-too-long]: the file goes on after its end: it has " +
                                     std::to_string(good.size() + 1) + " bytes instead of " +
                                     std::to_string(good.size()) + "\n  --> x.bouton");
  std::string newer = good;
  newer[8] = 2;
  EXPECT_EQ(refusal(newer),
            "error[archive-newer]: this file has format version 2; this Bouton reads version 1\n  --> x.bouton\n   = "
            "update Bouton");
  std::string damaged = good;
  damaged[good.find(sample().tensors.at("weight").bytes) + 5] ^= 1;
  EXPECT_EQ(refusal(damaged),
            "error[archive-damaged]: the file is damaged: the checksum of the tensor 'weight' does not agree\n  --> "
            "x.bouton");
  EXPECT_EQ(
      refusal(good, "checkpoint"),
      "error[archive-kind]: this is a Bouton file of kind 'model', expected one of kind 'checkpoint'\n  --> x.bouton");
}

TEST(Archive, AManifestThatLiesIsRefused) {
  const auto says = [](const std::string& text) {
    return "error[archive-malformed]: the file is not a valid Bouton file: " + text + "\n  --> x.bouton";
  };
  EXPECT_EQ(refusal(with_manifest("[1, 2")), says("its manifest is not a JSON object"));
  EXPECT_EQ(refusal(with_manifest("{}")), says("its manifest has no 'kind'"));
  EXPECT_EQ(refusal(with_manifest(R"({"kind":"model","texts":[],"tensors":[]})")),
            says("its manifest has no object 'texts'"));
  EXPECT_EQ(refusal(with_manifest(R"({"kind":"model","texts":{"a":1},"tensors":[]})")),
            says("the text 'a' is not a string"));
  EXPECT_EQ(refusal(with_tensor(R"({"name":"w"})")),
            says("an entry of its tensors lacks a name, a known dtype, a shape, an offset, bytes or a crc32"));
  EXPECT_EQ(refusal(with_tensor(
                R"({"name":"w","dtype":"float32","shape":[4611686018427387904,4],"offset":0,"bytes":0,"crc32":0})")),
            says("the tensor 'w' has bytes that do not fit its shape"));
  EXPECT_EQ(
      refusal(with_tensor(
          R"({"name":"w","dtype":"float32","shape":[1000000000000],"offset":0,"bytes":4000000000000,"crc32":0})")),
      says("the tensor 'w' reaches beyond the file's end"));
  EXPECT_EQ(refusal(with_tensor(R"({"name":"w","dtype":"uint8","shape":[0],"offset":1,"bytes":0,"crc32":0})")),
            says("the tensor 'w' does not begin at a multiple of 64"));
  EXPECT_EQ(refusal(with_tensor(R"({"name":"w","dtype":"uint8","shape":[0],"offset":0,"bytes":0,"crc32":0},)"
                                R"({"name":"w","dtype":"uint8","shape":[0],"offset":0,"bytes":0,"crc32":0})")),
            says("the tensor 'w' is there twice"));
  std::string long_manifest = archive_bytes(sample()).value();
  long_manifest[18] = 1;
  EXPECT_EQ(refusal(long_manifest), says("its manifest is longer than the file"));
}

TEST(Archive, WhatCannotBeSavedIsRefusedAndNothingIsWritten) {
  const TemporaryFolder folder;
  const Archive not_utf8{"model", {{"recipe", "\xff"}}, {}};
  EXPECT_EQ(
      write_archive(folder / "x", not_utf8).diagnostics().at(0).to_string(),
      "error[archive-text]: a text or a name that is to be saved is not valid UTF-8\n  --> " + (folder / "x").string());
  Archive misfit{"model", {}, {{"w", TensorBlob{TensorType::float32, {3}, "1234"}}}};
  EXPECT_EQ(write_archive(folder / "x", misfit).diagnostics().at(0).code, "archive-tensor");
  EXPECT_FALSE(std::filesystem::exists(folder / "x"));
}

}  // namespace
}  // namespace bouton
