#include "bouton/data/recordings.hpp"

#include <gtest/gtest.h>
#include <sndfile.h>

#include <cmath>
#include <numbers>

#include "bouton/base/files.hpp"
#include "support/temporary_folder.hpp"

namespace bouton::data {
namespace {

namespace fs = std::filesystem;

template <typename T>
std::string refusal(const Result<T>& result) {
  return result.ok() ? "accepted" : result.diagnostics().size() == 1 ? result.diagnostics()[0].code : "more than one";
}

std::vector<float> tone(double hertz, double seconds, double rate = 8000) {
  std::vector<float> samples(static_cast<std::size_t>(seconds * rate));
  for (std::size_t i = 0; i < samples.size(); ++i)
    samples[i] = static_cast<float>(0.5 * std::sin(2 * std::numbers::pi * hertz * static_cast<double>(i) / rate));
  return samples;
}

void write_sound(const fs::path& path, const std::vector<float>& samples, int channels = 1, int rate = 8000) {
  SF_INFO info{};
  info.samplerate = rate;
  info.channels = channels;
  info.format = SF_FORMAT_WAV | SF_FORMAT_PCM_16;
  SNDFILE* file = sf_open(path.c_str(), SFM_WRITE, &info);
  ASSERT_NE(file, nullptr);
  sf_writef_float(file, samples.data(), static_cast<sf_count_t>(samples.size()) / channels);
  sf_close(file);
}

// Two speakers, two digits, recordings 4 and 5 of each.
void write_digits(const fs::path& folder) {
  ASSERT_TRUE(make_folder(folder / "recordings").ok());
  for (const char* name : {"0_ann", "1_ann", "0_bob", "1_bob"}) {
    for (const int number : {4, 5})
      write_sound(folder / "recordings" / (std::string(name) + "_" + std::to_string(number) + ".wav"),
                  tone(name[0] == '0' ? 500 : 2000, 0.1));
  }
}

int64_t brightest(const std::vector<uint8_t>& picture, const SoundOptions& options, int64_t frame) {
  const auto row = picture.begin() + frame * options.bands;
  return std::max_element(row, row + options.bands) - row;
}

TEST(Cochleagram, ATonesBandIsTheBrightestAndSilenceIsDark) {
  const SoundOptions options{.frames = 20, .bands = 40, .lowest = 100, .highest = 3600};
  const double low = std::log10(1 + 4.37e-3 * 100), high = std::log10(1 + 4.37e-3 * 3600);
  for (const double hertz : {200.0, 1000.0, 3000.0}) {
    const auto picture = cochleagram(tone(hertz, 0.1), 8000, options);
    const double band = (std::log10(1 + 4.37e-3 * hertz) - low) / (high - low) * 39;
    EXPECT_NEAR(static_cast<double>(brightest(picture, options, 8)), band, 1) << hertz;
    EXPECT_EQ(*std::max_element(picture.begin(), picture.end()), 255);
    for (std::size_t i = 15 * 40; i < picture.size(); ++i) ASSERT_EQ(picture[i], 0);  // the tone ended in frame 10
  }
}

TEST(Cochleagram, HasTheRangeInDecibelsFromTheLoudest) {
  // A tone, and from the middle on a tenth of it: 20 dB.
  std::vector<float> samples = tone(1000, 0.2);
  for (std::size_t i = samples.size() / 2; i < samples.size(); ++i) samples[i] *= 0.1F;
  const SoundOptions options{.frames = 20, .bands = 1, .lowest = 1000, .highest = 1001, .range = 50};
  const auto picture = cochleagram(samples, 8000, options);
  EXPECT_NEAR(picture[9], 255, 1);
  EXPECT_NEAR(picture[19], 255 * (1 - 20.0 / 50), 2);
}

TEST(SpokenDigits, AreSplitByNumberOrBySpeaker) {
  const TemporaryFolder folder;
  write_digits(folder.path());
  const SoundOptions options{.frames = 12, .bands = 8};
  const ImageData official = load_spoken_digits(folder.path(), options).value();
  EXPECT_EQ(official.train.count, 4);
  EXPECT_EQ(official.test.labels, (std::vector<uint8_t>{0, 0, 1, 1}));
  EXPECT_EQ(official.test.height, 12);
  EXPECT_EQ(official.test.width, 8);
  EXPECT_EQ(official.test.pixels.size(), 4U * 12 * 8);
  SoundOptions one_out = options;
  one_out.held_out = "bob";
  const ImageData apart = load_spoken_digits(folder.path(), one_out).value();
  EXPECT_EQ(apart.train.count, 4);
  EXPECT_EQ(apart.train.labels, (std::vector<uint8_t>{0, 0, 1, 1}));
  one_out.held_out = "bop";
  const auto nobody = load_spoken_digits(folder.path(), one_out);
  EXPECT_EQ(refusal(nobody), "unknown-speaker");
  EXPECT_NE(nobody.diagnostics()[0].hint.find("bob"), std::string::npos);
}

TEST(SpokenDigits, SayWhichFileDoesNotFit) {
  const TemporaryFolder folder;
  EXPECT_EQ(refusal(load_spoken_digits(folder.path(), {})), "data-incomplete");
  write_digits(folder.path());
  const fs::path odd = folder.path() / "recordings" / "2_ann_0.wav";
  write_sound(odd, tone(500, 0.1), 2);
  EXPECT_EQ(refusal(load_spoken_digits(folder.path(), {})), "sound-not-mono");
  write_sound(odd, tone(500, 0.1), 1, 4000);
  EXPECT_EQ(refusal(load_spoken_digits(folder.path(), {})), "sound-rate");
  ASSERT_TRUE(write_file_atomically(odd, "no sound").ok());
  EXPECT_EQ(refusal(load_spoken_digits(folder.path(), {})), "sound-unreadable");
  fs::rename(odd, folder.path() / "recordings" / "two.wav");
  EXPECT_EQ(refusal(load_spoken_digits(folder.path(), {})), "sound-name");
}

std::string event(int x, int y, bool on, uint32_t microseconds) {
  const uint32_t low = (on ? 1U << 23 : 0U) | microseconds;
  return {static_cast<char>(x), static_cast<char>(y), static_cast<char>(low >> 16), static_cast<char>(low >> 8),
          static_cast<char>(low)};
}

TEST(NMnist, CountsEventsByTimePolarityAndPlace) {
  const TemporaryFolder folder;
  for (const char* part : {"Train/3", "Test/7"}) ASSERT_TRUE(make_folder(folder.path() / part).ok());
  const std::string events = event(5, 2, true, 1000) + event(5, 2, true, 149999) + event(33, 33, false, 150000) +
                             event(0, 0, true, 299999) + event(1, 1, true, 300000);
  ASSERT_TRUE(write_file_atomically(folder.path() / "Train/3/00001.bin", events).ok());
  ASSERT_TRUE(write_file_atomically(folder.path() / "Test/7/00001.bin", event(1, 2, false, 0)).ok());
  const ImageData data = load_nmnist(folder.path(), {.duration = 0.3, .bins = 2}).value();
  EXPECT_EQ(data.train.labels, (std::vector<uint8_t>{3}));
  EXPECT_EQ(data.test.labels, (std::vector<uint8_t>{7}));
  ASSERT_EQ(data.train.features(), 2 * 2 * 34 * 34);
  std::vector<uint8_t> wanted(static_cast<std::size_t>(data.train.features()));
  wanted[((0 * 2 + 1) * 34 + 2) * 34 + 5] = 2;
  wanted[((1 * 2 + 0) * 34 + 33) * 34 + 33] = 1;
  wanted[((1 * 2 + 1) * 34 + 0) * 34 + 0] = 1;
  EXPECT_EQ(data.train.pixels, wanted);
}

TEST(NMnist, ReadsAFolderWithListsToo) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_file_atomically(folder.path() / "1.bs2", event(1, 2, true, 0)).ok());
  ASSERT_TRUE(write_file_atomically(folder.path() / "60001.bs2", event(1, 2, true, 0)).ok());
  ASSERT_TRUE(write_file_atomically(folder.path() / "train1K.txt", "#sample\tclass\n1\t5\r\n").ok());
  ASSERT_TRUE(write_file_atomically(folder.path() / "test100.txt", "60001\t7\n").ok());
  const ImageData data = load_nmnist(folder.path(), {}).value();
  EXPECT_EQ(data.train.labels, (std::vector<uint8_t>{5}));
  EXPECT_EQ(data.test.labels, (std::vector<uint8_t>{7}));
  ASSERT_TRUE(write_file_atomically(folder.path() / "test100.txt", "60001\n").ok());
  EXPECT_EQ(refusal(load_nmnist(folder.path(), {})), "list-line");
}

TEST(NMnist, RefusesWhatIsNoEvent) {
  const TemporaryFolder folder;
  EXPECT_EQ(refusal(load_nmnist(folder.path(), {})), "data-incomplete");
  for (const char* part : {"Train/3", "Test/7"}) ASSERT_TRUE(make_folder(folder.path() / part).ok());
  ASSERT_TRUE(write_file_atomically(folder.path() / "Test/7/00001.bin", event(1, 2, false, 0)).ok());
  ASSERT_TRUE(write_file_atomically(folder.path() / "Train/3/00001.bin", event(34, 2, false, 0)).ok());
  EXPECT_EQ(refusal(load_nmnist(folder.path(), {})), "events-outside");
  ASSERT_TRUE(write_file_atomically(folder.path() / "Train/3/00001.bin", "1234567").ok());
  EXPECT_EQ(refusal(load_nmnist(folder.path(), {})), "events-truncated");
}

}  // namespace
}  // namespace bouton::data
