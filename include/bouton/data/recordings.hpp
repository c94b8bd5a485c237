#pragma once
// Recordings in time as sets of pictures: one row of values a time frame, to be shown row by row
// (EncoderKind::sequence).

#include <filesystem>
#include <string>

#include "bouton/data/images.hpp"

namespace bouton::data {

// How a sound becomes a picture of `frames` rows and `bands` columns: what the channels of a cochlea say. The bands are
// gammatone filters of fourth order, evenly spaced on the scale of equivalent rectangular bandwidths (Glasberg & Moore
// 1990, doi:10.1016/0378-5955(90)90170-T; Slaney 1993, Apple Technical Report 35); of each the mean envelope in a
// frame, in decibels below the loudest of the recording, `range` of them from 255 down to 0.
struct SoundOptions {
  double frame = 10e-3;  // seconds
  int64_t frames = 64;   // what is longer is cut, what is shorter ends in silence
  int64_t bands = 40;
  double lowest = 100, highest = 3600;  // centre frequencies, Hz; the highest at most 0.45 of the sampling rate
  double range = 50;                    // dB
  std::string held_out;                 // a speaker whose recordings are the test set; empty: the official split
};

// The Free Spoken Digit Dataset (Jackson et al., doi:10.5281/zenodo.1342401; github.com/Jakobovski/
// free-spoken-digit-dataset): a folder with recordings/{digit}_{speaker}_{number}.wav, mono. Numbers 0 to 4 are the
// test set, unless a speaker is held out. Codes: file-*, data-incomplete, sound-unreadable, sound-not-mono, sound-rate,
// sound-name, unknown-speaker. Thread safe.
[[nodiscard]] Result<ImageData> load_spoken_digits(const std::filesystem::path& folder, const SoundOptions& options);

// samples in [-1, 1] at `rate` Hz -> frames * bands bytes. Exposed for tests.
[[nodiscard]] std::vector<uint8_t> cochleagram(const std::vector<float>& samples, double rate,
                                               const SoundOptions& options);

enum class EventFormat { nmnist, shd };  // a camera's (here), a cochlea's (bouton/exchange/shd.hpp)

// How events become a picture: counts of events in `bins` stretches of time, a row each, 255 at most. Of a camera the
// columns are polarities * height * width.
struct EventOptions {
  EventFormat format = EventFormat::nmnist;
  double duration = 0.3;  // seconds; later events are left out
  int64_t bins = 20;
};

// N-MNIST (Orchard et al. 2015, doi:10.3389/fnins.2015.00437): Train/0..9/*.bin and Test/0..9/*.bin, or one folder of
// numbered *.bs2 files with the lists train1K.txt and test100.txt (number, tabulator, digit). 34 x 34 pixels; an event
// has 40 bits: x, y, then one bit of polarity and 23 of microseconds, big endian. Codes: file-*, data-incomplete,
// events-truncated, events-outside, list-line. Thread safe.
[[nodiscard]] Result<ImageData> load_nmnist(const std::filesystem::path& folder, const EventOptions& options);

}  // namespace bouton::data
