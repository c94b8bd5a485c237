#include "bouton/data/texts.hpp"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <string_view>

#include "base/about_path.hpp"
#include "bouton/base/files.hpp"

namespace bouton::data {
namespace {

constexpr std::size_t most_bytes = std::size_t{1} << 30;
constexpr int padding = 0, unknown = 1;

using Words = std::vector<std::string>;

struct Text {
  Words words;
  std::string label;
};

Words words_of(std::string_view line) {
  Words words;
  std::string word;
  const auto end = [&] {
    if (!word.empty()) words.push_back(std::move(word));
    word.clear();
  };
  for (const char c : line) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isspace(byte)) {
      end();
    } else {
      word += static_cast<char>(byte < 128 ? std::tolower(byte) : byte);
    }
  }
  end();
  return words;
}

Result<std::vector<std::string>> lines_of(const std::filesystem::path& path) {
  auto bytes = read_file(path, most_bytes);
  if (!bytes.ok()) return bytes.diagnostics();
  std::vector<std::string> lines;
  const std::string& text = bytes.value();
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::size_t next = end + 1;
    while (end > begin && text[end - 1] == '\r') --end;
    lines.push_back(text.substr(begin, end - begin));
    begin = next;
  }
  return lines;
}

// The number of each word that stands in the training texts often enough.
std::map<std::string, int> vocabulary_of(const std::vector<const Text*>& training, const TextOptions& options) {
  std::map<std::string, int64_t> counts;
  for (const Text* text : training)
    for (const std::string& word : text->words) ++counts[word];
  std::vector<std::pair<int64_t, std::string>> order;
  for (const auto& [word, count] : counts)
    if (count >= options.least) order.emplace_back(-count, word);
  std::sort(order.begin(), order.end());
  std::map<std::string, int> numbers;
  for (const auto& [count, word] : order) {
    const auto number = static_cast<int>(numbers.size()) + 2;
    if (number >= options.vocabulary) break;
    numbers[word] = number;
  }
  return numbers;
}

// Texts of which each has a class, as samples.
class Classified {
 public:
  Classified(std::filesystem::path folder, const TextOptions& options) : folder_(std::move(folder)), o_(options) {}

  Result<ImageData> make() {
    const auto read = o_.format == TextFormat::lines ? read_lines() : read_intents();
    if (!read.ok()) return read.diagnostics();
    std::set<std::string> labels;
    for (const Text& text : texts_) labels.insert(text.label);
    class_names_.assign(labels.begin(), labels.end());
    if (class_names_.size() > 256)
      return about_path(folder_, "too-many-classes",
                        "there are " + std::to_string(class_names_.size()) + " classes; at most 256 are told apart");
    numbers_ = vocabulary_of(part(0, training_), o_);
    ImageData data;
    data.name = folder_.string();
    data.train = samples(part(0, training_ + validation_));
    data.validation = validation_;
    data.test = samples(part(training_ + validation_, static_cast<int64_t>(texts_.size())));
    if (training_ < 1 || data.test.count == 0)
      return about_path(folder_, "text-empty", "there are no texts to train or to test on");
    return data;
  }

 private:
  Status read_lines() {
    std::vector<Text> all;
    for (const std::string& file : o_.files) {
      auto lines = lines_of(folder_ / file);
      if (!lines.ok()) return lines.diagnostics();
      const std::string label = file.substr(file.find_last_of('.') + 1);
      for (const std::string& line : lines.value()) {
        Words words = words_of(line);
        if (!words.empty()) all.push_back({std::move(words), label});
      }
    }
    const auto count = static_cast<int64_t>(all.size());
    const auto test = static_cast<int64_t>(o_.test * static_cast<double>(count));
    validation_ = static_cast<int64_t>(o_.validation * static_cast<double>(count));
    training_ = count - test - validation_;
    for (const int64_t i : shuffled(count, o_.seed, 0)) texts_.push_back(std::move(all[static_cast<std::size_t>(i)]));
    return Done{};
  }

  Status read_intents() {
    for (const char* name : {"train", "valid", "test"}) {
      const std::filesystem::path folder = folder_ / name;
      auto lines = lines_of(folder / "seq.in"), labels = lines_of(folder / "label");
      if (!lines.ok()) return lines.diagnostics();
      if (!labels.ok()) return labels.diagnostics();
      if (lines.value().size() != labels.value().size())
        return about_path(folder, "text-mismatch",
                          "seq.in has " + std::to_string(lines.value().size()) + " lines, label " +
                              std::to_string(labels.value().size()));
      for (std::size_t i = 0; i < lines.value().size(); ++i)
        texts_.push_back({words_of(lines.value()[i]), labels.value()[i]});
      const auto read = static_cast<int64_t>(lines.value().size());
      if (std::string_view(name) == "train") training_ = read;
      if (std::string_view(name) == "valid") validation_ = read;
    }
    return Done{};
  }

  [[nodiscard]] std::vector<const Text*> part(int64_t begin, int64_t end) const {
    std::vector<const Text*> part;
    for (int64_t i = begin; i < end; ++i) part.push_back(&texts_[static_cast<std::size_t>(i)]);
    return part;
  }

  [[nodiscard]] ImageSet samples(const std::vector<const Text*>& texts) const {
    ImageSet set;
    set.height = o_.length;
    set.width = 1;
    set.count = static_cast<int64_t>(texts.size());
    set.class_names = class_names_;
    for (const Text* text : texts) {
      for (int64_t p = 0; p < o_.length; ++p) set.values.push_back(static_cast<float>(number_at(*text, p)));
      const auto at = std::lower_bound(class_names_.begin(), class_names_.end(), text->label);
      set.labels.push_back(static_cast<uint8_t>(at - class_names_.begin()));
    }
    return set;
  }

  [[nodiscard]] int number_at(const Text& text, int64_t position) const {
    if (position >= static_cast<int64_t>(text.words.size())) return padding;
    const auto known = numbers_.find(text.words[static_cast<std::size_t>(position)]);
    return known == numbers_.end() ? unknown : known->second;
  }

  std::filesystem::path folder_;
  const TextOptions& o_;
  std::vector<Text> texts_;  // training, validation, test
  int64_t training_ = 0, validation_ = 0;
  std::vector<std::string> class_names_;
  std::map<std::string, int> numbers_;
};

// A character as reports show it.
std::string shown(unsigned char c) {
  if (c == '\n') return "newline";
  if (c == ' ') return "blank";
  return std::string(1, static_cast<char>(c));
}

Result<ImageData> characters(const std::filesystem::path& path, const TextOptions& options) {
  auto bytes = read_file(path, most_bytes);
  if (!bytes.ok()) return bytes.diagnostics();
  const std::string& text = bytes.value();
  const std::set<unsigned char> symbols(text.begin(), text.end());
  std::map<unsigned char, int16_t> numbers;
  std::vector<std::string> names;
  for (const unsigned char c : symbols) {
    numbers[c] = static_cast<int16_t>(numbers.size());
    names.push_back(shown(c));
  }
  const auto size = static_cast<int64_t>(text.size());
  const auto test = static_cast<int64_t>(options.test * static_cast<double>(size));
  const auto validation = static_cast<int64_t>(options.validation * static_cast<double>(size));
  const auto add = [&](ImageSet& set, int64_t begin, int64_t end) {
    for (int64_t at = begin; at + options.length < end; at += options.length) {
      for (int64_t p = at; p < at + options.length; ++p) {
        set.values.push_back(numbers.at(static_cast<unsigned char>(text[static_cast<std::size_t>(p)])));
        set.targets.classes.push_back(numbers.at(static_cast<unsigned char>(text[static_cast<std::size_t>(p + 1)])));
      }
      ++set.count;
    }
  };
  ImageData data;
  data.name = path.string();
  for (ImageSet* set : {&data.train, &data.test}) {
    set->height = options.length;
    set->width = 1;
    set->targets.positions = options.length;
    set->class_names = names;
  }
  add(data.train, 0, size - test - validation);
  const int64_t training = data.train.count;
  add(data.train, size - test - validation, size - test);
  data.validation = data.train.count - training;
  add(data.test, size - test, size);
  if (training < 1 || data.test.count < 1)
    return about_path(path, "text-empty",
                      "the text of " + std::to_string(size) + " characters holds no sample of " +
                          std::to_string(options.length) + " in its training or its test part");
  return data;
}

}  // namespace

Result<ImageData> load_texts(const std::filesystem::path& folder, const TextOptions& options) {
  if (options.format == TextFormat::characters) return characters(folder / options.files.front(), options);
  return Classified(folder, options).make();
}

}  // namespace bouton::data
