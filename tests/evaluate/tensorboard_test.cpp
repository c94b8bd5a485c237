#include "bouton/evaluate/tensorboard.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <functional>
#include <limits>
#include <map>
#include <vector>

#include "bouton/base/files.hpp"
#include "support/temporary_folder.hpp"

namespace bouton::evaluate {
namespace {

// What follows reads the format by itself, sharing no code with the writer: the framing, the checksum bit by bit, and
// the records' wire form (a key is field << 3 | type; 0 varint, 1 eight bytes, 2 length and bytes, 5 four bytes).

uint32_t bitwise_crc32c(const std::string& bytes) {
  uint32_t sum = ~0u;
  for (const char c : bytes) {
    sum ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) sum = sum & 1 ? sum >> 1 ^ 0x82f63b78u : sum >> 1;
  }
  return ~sum;
}

uint32_t unmasked(uint32_t masked) {
  const uint32_t rotated = masked - 0xa282ead8u;
  return rotated >> 17 | rotated << 15;
}

template <typename T>
T little(const std::string& bytes, std::size_t at) {
  T value{};
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

std::vector<std::string> records(const std::string& file) {
  std::vector<std::string> out;
  std::size_t at = 0;
  while (at < file.size()) {
    const auto length = little<uint64_t>(file, at);
    EXPECT_EQ(bitwise_crc32c(file.substr(at, 8)), unmasked(little<uint32_t>(file, at + 8)));
    if (at + 16 + length > file.size()) {
      ADD_FAILURE() << "a record reaches beyond the end";
      break;
    }
    out.push_back(file.substr(at + 12, length));
    EXPECT_EQ(bitwise_crc32c(out.back()), unmasked(little<uint32_t>(file, at + 12 + length)));
    at += 16 + length;
  }
  return out;
}

uint64_t varint(const std::string& bytes, std::size_t& at) {
  uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.at(at++));
    value |= uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return value;
  }
}

// Field number -> raw contents, in order: eight or four bytes, the bytes of a length-prefixed field, or a varint as
// text.
using Fields = std::multimap<int, std::string>;
Fields fields(const std::string& bytes) {
  Fields out;
  std::size_t at = 0;
  while (at < bytes.size()) {
    const uint64_t key = varint(bytes, at);
    std::string content;
    switch (key & 7) {
      case 0:
        content = std::to_string(varint(bytes, at));
        break;
      case 1:
        content = bytes.substr(at, 8), at += 8;
        break;
      case 2: {
        const uint64_t length = varint(bytes, at);
        content = bytes.substr(at, length), at += length;
        break;
      }
      case 5:
        content = bytes.substr(at, 4), at += 4;
        break;
      default:
        ADD_FAILURE() << "unknown wire type";
        return out;
    }
    out.emplace(static_cast<int>(key >> 3), content);
  }
  return out;
}

std::string one(const Fields& all, int number) {
  EXPECT_EQ(all.count(number), 1u) << "field " << number;
  const auto at = all.find(number);
  return at == all.end() ? std::string(8, '\0') : at->second;
}

std::vector<double> doubles(const std::string& packed) {
  std::vector<double> out(packed.size() / 8);
  std::memcpy(out.data(), packed.data(), packed.size());
  return out;
}

// The single value of an event's summary.
Fields value_of(const std::string& record) { return fields(one(fields(one(fields(record), 5)), 1)); }

std::vector<std::string> written(const std::function<void(TensorboardWriter&)>& write) {
  const TemporaryFolder folder;
  TensorboardWriter writer = TensorboardWriter::open(folder / "logs").value();
  EXPECT_EQ(writer.file().filename().string().substr(0, 20), "events.out.tfevents.");
  write(writer);
  return records(read_file(writer.file(), 1 << 24).value());  // while the writer is open: nothing is held back
}

TEST(Tensorboard, AFileBeginsWithTheVersion) {
  const auto all = written([](TensorboardWriter&) {});
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(one(fields(all[0]), 3), "brain.Event:2");
  EXPECT_GT(little<double>(one(fields(all[0]), 1), 0), 1.6e9);
}

TEST(Tensorboard, AScalarHasTagStepAndValue) {
  const auto all = written([](TensorboardWriter& w) { ASSERT_TRUE(w.scalar("accuracy/test", 0.9935, 7).ok()); });
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(one(fields(all[1]), 2), "7");
  EXPECT_EQ(one(value_of(all[1]), 1), "accuracy/test");
  EXPECT_EQ(little<float>(one(value_of(all[1]), 2), 0), 0.9935F);
}

TEST(Tensorboard, AHistogramCountsEveryFiniteValueOnce) {
  std::vector<float> values = {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()};
  for (int i = 0; i <= 1000; ++i) values.push_back(static_cast<float>(i) / 500 - 1);
  const auto all = written([&](TensorboardWriter& w) { ASSERT_TRUE(w.histogram("weights", values, 1).ok()); });
  const Fields histogram = fields(one(value_of(all.at(1)), 5));
  EXPECT_EQ(little<double>(one(histogram, 1), 0), -1);
  EXPECT_EQ(little<double>(one(histogram, 2), 0), 1);
  EXPECT_EQ(little<double>(one(histogram, 3), 0), 1001);
  EXPECT_NEAR(little<double>(one(histogram, 4), 0), 0, 1e-4);
  EXPECT_NEAR(little<double>(one(histogram, 5), 0), 334.334, 1e-2);
  const std::vector<double> limits = doubles(one(histogram, 6)), counts = doubles(one(histogram, 7));
  ASSERT_EQ(limits.size(), counts.size());
  EXPECT_TRUE(std::is_sorted(limits.begin(), limits.end()));
  EXPECT_GE(limits.back(), 1);
  double sum = 0;
  for (const double count : counts) sum += count;
  EXPECT_EQ(sum, 1001);
}

TEST(Tensorboard, AHistogramOfOneValueAndOfNoneAreFine) {
  const std::vector<float> same(10, 3), none = {std::numeric_limits<float>::quiet_NaN()};
  const auto all = written([&](TensorboardWriter& w) {
    ASSERT_TRUE(w.histogram("same", same, 1).ok());
    ASSERT_TRUE(w.histogram("none", none, 1).ok());
  });
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(doubles(one(fields(one(value_of(all[1]), 5)), 7)).front(), 10);
}

TEST(Tensorboard, AnImageIsAPngWithItsSize) {
  const data::Picture picture{2, 3, 3, std::vector<uint8_t>(18, 99)};
  const auto all = written([&](TensorboardWriter& w) { ASSERT_TRUE(w.image("confusion", picture, 2).ok()); });
  const Fields image = fields(one(value_of(all.at(1)), 4));
  EXPECT_EQ(one(image, 1), "2");
  EXPECT_EQ(one(image, 2), "3");
  EXPECT_EQ(one(image, 3), "3");
  EXPECT_EQ(data::parse_png("x", one(image, 4), 3).value().pixels, picture.pixels);
}

TEST(Tensorboard, ATextNamesItsPlugin) {
  const auto all = written([](TensorboardWriter& w) { ASSERT_TRUE(w.text("recipe", "`x = 1`", 0).ok()); });
  const Fields value = value_of(all.at(1));
  EXPECT_EQ(one(fields(one(fields(one(value, 9)), 1)), 1), "text");
  const Fields tensor = fields(one(value, 8));
  EXPECT_EQ(one(tensor, 1), "7");
  EXPECT_EQ(one(tensor, 8), "`x = 1`");
}

TEST(Tensorboard, TwoWritersInOneFolderDoNotMeet) {
  const TemporaryFolder folder;
  TensorboardWriter first = TensorboardWriter::open(folder.path()).value(),
                    second = TensorboardWriter::open(folder.path()).value();
  EXPECT_NE(first.file(), second.file());
  first = std::move(second);
  EXPECT_TRUE(first.scalar("x", 1, 1).ok());
}

TEST(Tensorboard, AKilledRunLosesNothing) {
  const TemporaryFolder folder;
  const pid_t child = ::fork();
  if (child == 0) {
    TensorboardWriter writer = TensorboardWriter::open(folder.path()).value();
    for (int i = 0; i < 100; ++i) static_cast<void>(writer.scalar("loss", i, i));
    ::raise(SIGKILL);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  const auto file = std::filesystem::directory_iterator(folder.path())->path();
  EXPECT_EQ(records(read_file(file, 1 << 20).value()).size(), 101u);
}

TEST(Tensorboard, WithoutRoomTheDiagnosticSaysSo) {
  const TemporaryFolder folder;
  TensorboardWriter writer = TensorboardWriter::open(folder.path()).value();
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{200, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  const Status status = writer.text("t", std::string(1000, 'x'), 1);
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.diagnostics().at(0).to_string(),
            "error[disk-full]: the event file cannot be written: File too large\n  --> " + writer.file().string() +
                "\n   = free some space, or choose another disk");
}

}  // namespace
}  // namespace bouton::evaluate
