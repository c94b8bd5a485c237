#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/about_path.hpp"
#include "bouton/base/files.hpp"
#include "bouton/data/recordings.hpp"

namespace bouton::data {
namespace {

namespace fs = std::filesystem;

constexpr int64_t side = 34;
constexpr std::size_t event_bytes = 5;
constexpr std::size_t most_bytes = 64 << 20;
constexpr const char* expected =
    "expected N-MNIST as it is given out: Train/0 to Train/9 and Test/0 to Test/9 full of .bin files; or numbered .bs2 "
    "files with train1K.txt and test100.txt. Get it from https://www.garrickorchard.com/datasets/n-mnist and name its "
    "folder with --data";

// Adds a file's events to counts [bins, 2, side, side].
Status count_events(const fs::path& path, const EventOptions& options, uint8_t* counts) {
  const auto read = read_file(path, most_bytes);
  if (!read.ok()) return read.diagnostics();
  const std::string& bytes = read.value();
  if (bytes.size() % event_bytes != 0) {
    return about_path(path, "events-truncated",
                      std::to_string(bytes.size()) + " bytes are no whole number of events of 5 bytes each");
  }
  const double bins_a_microsecond = 1e-6 * static_cast<double>(options.bins) / options.duration;
  for (std::size_t at = 0; at < bytes.size(); at += event_bytes) {
    const auto byte = [&](std::size_t i) { return int64_t{static_cast<uint8_t>(bytes[at + i])}; };
    const int64_t x = byte(0), y = byte(1), polarity = byte(2) >> 7;
    const int64_t microseconds = (byte(2) & 0x7f) << 16 | byte(3) << 8 | byte(4);
    if (x >= side || y >= side) {
      return about_path(path, "events-outside",
                        "event " + std::to_string(at / event_bytes + 1) + " lies at (" + std::to_string(x) + ", " +
                            std::to_string(y) + "), outside the camera's 34 x 34 pixels");
    }
    const auto bin = static_cast<int64_t>(static_cast<double>(microseconds) * bins_a_microsecond);
    if (bin >= options.bins) continue;
    uint8_t& count = counts[((bin * 2 + polarity) * side + y) * side + x];
    if (count < 255) ++count;
  }
  return Done{};
}

struct Listed {
  fs::path path;
  uint8_t digit = 0;
};

std::vector<Listed> list_folders(const fs::path& folder) {
  std::vector<Listed> files;
  for (int digit = 0; digit < 10; ++digit) {
    std::error_code ignored;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder / std::to_string(digit), ignored)) {
      if (entry.path().extension() == ".bin") files.push_back({entry.path(), static_cast<uint8_t>(digit)});
    }
  }
  std::sort(files.begin(), files.end(),
            [](const Listed& a, const Listed& b) { return a.path.filename() < b.path.filename(); });
  return files;
}

// Lines of a number, blanks and a digit.
Result<std::vector<Listed>> list_lines(const fs::path& list) {
  const auto read = read_file(list, most_bytes);
  if (!read.ok()) return read.diagnostics();
  std::vector<Listed> files;
  const std::string& text = read.value();
  int64_t line = 1;
  for (std::size_t begin = 0; begin < text.size(); ++line) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const char *at = text.data() + begin, *const stop = text.data() + end;
    begin = end + 1;
    if (at == stop || *at == '#' || *at == '\r') continue;
    int64_t number = 0;
    int digit = -1;
    at = std::from_chars(at, stop, number).ptr;
    while (at != stop && (*at == '\t' || *at == ' ')) ++at;
    std::from_chars(at, stop, digit);
    if (digit < 0 || digit > 9) {
      return about_path(list, "list-line", "line " + std::to_string(line) + " is no number with a digit after it",
                        "as in 60001<tabulator>7");
    }
    files.push_back({list.parent_path() / (std::to_string(number) + ".bs2"), static_cast<uint8_t>(digit)});
  }
  return files;
}

Result<std::vector<Listed>> list_part(const fs::path& folder, const char* part, const char* list) {
  std::error_code ignored;
  if (fs::is_regular_file(folder / list, ignored)) return list_lines(folder / list);
  std::vector<Listed> files = list_folders(folder / part);
  if (files.empty())
    return about_path(folder, "data-incomplete", std::string("there are no events in ") + part + "/0 to 9", expected);
  return files;
}

Result<ImageSet> read_part(const std::vector<Listed>& files, const EventOptions& options) {
  ImageSet set;
  set.count = static_cast<int64_t>(files.size());
  set.height = options.bins;
  set.width = 2 * side * side;
  set.row_planes = 2;
  set.row_height = side;
  set.pixels.resize(static_cast<std::size_t>(set.count * set.features()));
  for (int digit = 0; digit < 10; ++digit) set.class_names.push_back(std::to_string(digit));
  uint8_t* counts = set.pixels.data();
  for (const Listed& file : files) {
    if (Status counted = count_events(file.path, options, counts); !counted.ok()) return counted.diagnostics();
    counts += set.features();
    set.labels.push_back(file.digit);
  }
  return set;
}

}  // namespace

Result<ImageData> load_nmnist(const fs::path& folder, const EventOptions& options) {
  ImageData data{folder.string(), {}, {}};
  for (const bool test : {false, true}) {
    const auto listed = test ? list_part(folder, "Test", "test100.txt") : list_part(folder, "Train", "train1K.txt");
    if (!listed.ok()) return listed.diagnostics();
    auto set = read_part(listed.value(), options);
    if (!set.ok()) return set.diagnostics();
    (test ? data.test : data.train) = std::move(set).value();
  }
  return data;
}

}  // namespace bouton::data
