#include <sndfile.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <memory>
#include <numbers>
#include <set>

#include "base/about_path.hpp"
#include "bouton/data/recordings.hpp"

namespace bouton::data {
namespace {

namespace fs = std::filesystem;

constexpr double highest_part = 0.45;  // of the sampling rate

// Number of equivalent rectangular bandwidths below a frequency, its inverse, and the bandwidth there (Glasberg &
// Moore).
double erb_number(double hertz) { return 21.4 * std::log10(1 + 4.37e-3 * hertz); }
double erb_frequency(double number) { return (std::pow(10, number / 21.4) - 1) / 4.37e-3; }
double erb_bandwidth(double hertz) { return 24.7 * (4.37e-3 * hertz + 1); }

// Gammatone filters of fourth order: each four complex poles one after another.
class GammatoneBank {
 public:
  GammatoneBank(double rate, const SoundOptions& options)
      : bands_(static_cast<std::size_t>(options.bands)),
        real_(bands_),
        imaginary_(bands_),
        gain_(bands_),
        state_(2 * order * bands_) {
    const double low = erb_number(options.lowest), high = erb_number(options.highest);
    for (std::size_t b = 0; b < bands_; ++b) {
      const double part = bands_ > 1 ? static_cast<double>(b) / static_cast<double>(bands_ - 1) : 0.5;
      const double centre = erb_frequency(low + part * (high - low));
      const double radius = std::exp(-2 * std::numbers::pi * 1.019 * erb_bandwidth(centre) / rate);
      const double angle = 2 * std::numbers::pi * centre / rate;
      real_[b] = static_cast<float>(radius * std::cos(angle));
      imaginary_[b] = static_cast<float>(radius * std::sin(angle));
      gain_[b] = static_cast<float>(1 - radius);
    }
  }

  // Takes one sample and adds each band's envelope to `sums`.
  void step(float sample, float* sums) {
    const std::size_t n = bands_;
    for (std::size_t b = 0; b < n; ++b) {
      float x = sample, y = 0;
      for (std::size_t k = 0; k < order; ++k) {
        float& re = state_[2 * k * n + b];
        float& im = state_[(2 * k + 1) * n + b];
        const float next = real_[b] * re - imaginary_[b] * im + gain_[b] * x;
        im = real_[b] * im + imaginary_[b] * re + gain_[b] * y;
        re = next;
        x = re;
        y = im;
      }
      sums[b] += std::sqrt(x * x + y * y);
    }
  }

 private:
  static constexpr std::size_t order = 4;
  std::size_t bands_;
  std::vector<float> real_, imaginary_, gain_, state_;
};

struct Sound {
  std::vector<float> samples;
  double rate = 0;
};

Result<Sound> read_sound(const fs::path& path) {
  SF_INFO info{};
  const std::unique_ptr<SNDFILE, int (*)(SNDFILE*)> file(sf_open(path.c_str(), SFM_READ, &info), sf_close);
  if (!file)
    return about_path(path, "sound-unreadable", std::string("the sound cannot be read: ") + sf_strerror(nullptr));
  if (info.channels != 1) {
    return about_path(path, "sound-not-mono",
                      "the sound has " + std::to_string(info.channels) + " channels, expected one");
  }
  constexpr sf_count_t most = 1 << 26;  // a header is not believed before its samples are there
  Sound sound{std::vector<float>(static_cast<std::size_t>(std::clamp<sf_count_t>(info.frames, 0, most))),
              static_cast<double>(info.samplerate)};
  const sf_count_t read =
      sf_readf_float(file.get(), sound.samples.data(), static_cast<sf_count_t>(sound.samples.size()));
  if (read <= 0) return about_path(path, "sound-unreadable", "the sound has no samples");
  sound.samples.resize(static_cast<std::size_t>(read));
  return sound;
}

struct Recording {
  fs::path path;
  uint8_t digit = 0;
  std::string speaker;
  int number = 0;
};

// From {digit}_{speaker}_{number}.wav.
Result<Recording> recording_of(const fs::path& path) {
  const std::string stem = path.stem().string();
  const std::size_t first = stem.find('_'), last = stem.rfind('_');
  Recording recording{path, 0, {}, -1};
  if (first == 1 && last > first + 1 && stem[0] >= '0' && stem[0] <= '9') {
    recording.digit = static_cast<uint8_t>(stem[0] - '0');
    recording.speaker = stem.substr(2, last - 2);
    const char* end = stem.data() + stem.size();
    const auto [stopped, failed] = std::from_chars(stem.data() + last + 1, end, recording.number);
    if (failed == std::errc{} && stopped == end && recording.number >= 0) return recording;
  }
  return about_path(path, "sound-name", "the file's name does not say what is spoken",
                    "expected digit_speaker_number.wav, such as 7_jackson_32.wav");
}

Result<std::vector<Recording>> list_recordings(const fs::path& folder) {
  const fs::path inner = folder / "recordings";
  std::vector<fs::path> paths;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(fs::is_directory(inner) ? inner : folder, error)) {
    if (entry.path().extension() == ".wav") paths.push_back(entry.path());
  }
  if (error || paths.empty()) {
    return about_path(folder, "data-incomplete",
                      error ? "the folder cannot be read: " + error.message() : "the folder holds no recordings/*.wav",
                      "get the recordings with `git clone https://github.com/Jakobovski/free-spoken-digit-dataset` and "
                      "name its folder with --data");
  }
  std::sort(paths.begin(), paths.end());
  std::vector<Recording> recordings;
  for (const fs::path& path : paths) {
    auto recording = recording_of(path);
    if (!recording.ok()) return recording.diagnostics();
    recordings.push_back(std::move(recording).value());
  }
  return recordings;
}

ImageSet empty_set(const SoundOptions& options) {
  ImageSet set;
  set.height = options.frames;
  set.width = options.bands;
  for (int digit = 0; digit < 10; ++digit) set.class_names.push_back(std::to_string(digit));
  return set;
}

}  // namespace

std::vector<uint8_t> cochleagram(const std::vector<float>& samples, double rate, const SoundOptions& options) {
  const auto bands = static_cast<std::size_t>(options.bands), frames = static_cast<std::size_t>(options.frames);
  std::vector<float> envelope(frames * bands);
  GammatoneBank bank(rate, options);
  const double frame = options.frame * rate;
  std::size_t t = 0;
  for (std::size_t k = 0; k < frames; ++k) {
    const auto end =
        std::min(samples.size(), static_cast<std::size_t>(std::lround(static_cast<double>(k + 1) * frame)));
    for (; t < end; ++t) bank.step(samples[t], envelope.data() + k * bands);
  }
  const float loudest = *std::max_element(envelope.begin(), envelope.end());
  std::vector<uint8_t> picture(envelope.size());
  for (std::size_t i = 0; i < envelope.size(); ++i) {
    if (!(envelope[i] > 0)) continue;
    const double decibels = 20 * std::log10(envelope[i] / loudest);
    picture[i] = static_cast<uint8_t>(std::lround(255 * std::clamp(1 + decibels / options.range, 0.0, 1.0)));
  }
  return picture;
}

Result<ImageData> load_spoken_digits(const fs::path& folder, const SoundOptions& options) {
  auto listed = list_recordings(folder);
  if (!listed.ok()) return listed.diagnostics();
  std::set<std::string> speakers;
  for (const Recording& recording : listed.value()) speakers.insert(recording.speaker);
  if (!options.held_out.empty() && !speakers.contains(options.held_out)) {
    return about_path(folder, "unknown-speaker", "nobody called '" + options.held_out + "' speaks here",
                      hint_for(options.held_out, std::vector<std::string>(speakers.begin(), speakers.end())));
  }
  ImageData data{folder.string(), empty_set(options), empty_set(options)};
  for (const Recording& recording : listed.value()) {
    const auto sound = read_sound(recording.path);
    if (!sound.ok()) return sound.diagnostics();
    const double rate = sound.value().rate;
    if (options.highest > highest_part * rate) {
      return about_path(recording.path, "sound-rate",
                        "a sound of " + std::to_string(std::lround(rate)) + " samples a second says nothing of " +
                            std::to_string(std::lround(options.highest)) + " Hz",
                        "set highest in [data.sound] to at most " + std::to_string(std::lround(highest_part * rate)));
    }
    const bool test = options.held_out.empty() ? recording.number < 5 : recording.speaker == options.held_out;
    ImageSet& set = test ? data.test : data.train;
    const std::vector<uint8_t> picture = cochleagram(sound.value().samples, rate, options);
    set.pixels.insert(set.pixels.end(), picture.begin(), picture.end());
    set.labels.push_back(recording.digit);
    ++set.count;
  }
  for (const ImageSet* set : {&data.train, &data.test}) {
    if (set->count == 0)
      return about_path(folder, "data-incomplete",
                        std::string("no recording is left to ") + (set == &data.train ? "learn from" : "test with"));
  }
  return data;
}

}  // namespace bouton::data
