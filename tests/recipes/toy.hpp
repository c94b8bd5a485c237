#pragma once
// A toy task made on the spot: an 8x8 image with a bright blob in one of four corners. Fit for seconds, never quoted.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "bouton/base/random.hpp"
#include "bouton/exchange/model_file.hpp"
#include "bouton/recipes/recipes.hpp"

namespace bouton::recipes::toy {

namespace fs = std::filesystem;

inline std::string told(const std::vector<Diagnostic>& diagnostics) {
  std::string out;
  for (const Diagnostic& d : diagnostics) out += d.to_string() + "\n";
  return out;
}

// A folder of its own, gone with the test.
class Folder {
 public:
  explicit Folder(const std::string& name) {
    path_ = fs::temp_directory_path() /
            ("bouton-" + name + "-" + std::to_string(::getpid()) + "-" + std::to_string(count()++));
    fs::remove_all(path_);
    fs::create_directories(path_);
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] const fs::path& path() const { return path_; }
  operator const fs::path&() const { return path_; }  // NOLINT: a folder is its path
  fs::path operator/(const std::string& name) const { return path_ / name; }

 private:
  static int& count() {
    static int n = 0;
    return n;
  }
  fs::path path_;
};

inline void put(std::ofstream& out, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out.put(static_cast<char>(value >> shift));
}

inline void write_part(const fs::path& folder, const std::string& part, uint32_t count, uint64_t seed) {
  std::ofstream images(folder / (part + "-images-idx3-ubyte"), std::ios::binary),
      labels(folder / (part + "-labels-idx1-ubyte"), std::ios::binary);
  for (const uint32_t word : {0x803U, count, 8U, 8U}) put(images, word);
  for (const uint32_t word : {0x801U, count}) put(labels, word);
  for (uint32_t i = 0; i < count; ++i) {
    RandomStream random(seed, purpose("toy"), i);
    const uint32_t label = random.below(4);
    labels.put(static_cast<char>(label));
    for (uint32_t y = 0; y < 8; ++y) {
      for (uint32_t x = 0; x < 8; ++x) {
        const bool lit = (x / 4) + 2 * (y / 4) == label;
        images.put(static_cast<char>(random.below(lit ? 256 : 160)));
      }
    }
  }
}

// Writes the four IDX files.
inline void write_set(const fs::path& folder, uint32_t train = 600, uint32_t test = 200) {
  fs::create_directories(folder);
  write_part(folder, "train", train, 1);
  write_part(folder, "t10k", test, 2);
}

// The recipe with lines added to its sections; later lines of a key must not repeat earlier ones.
struct Text {
  std::string data, encoding, neurons, readout, training;
  std::string hidden =
      "[[layer]]\nkind = \"dense\"\nsize = 16\n[[layer]]\nkind = \"neurons\"\nneurons = \"cell\"\nname = \"hidden\"\n";
  std::string epochs = "epochs = 2\n", batch = "batch = 16\n", validation = "validation = 100\n", steps = "steps = 4\n";
  std::string rate = "learning_rate = 1e-2\n", seed = "seed = 3\n";
  std::string mechanism = "mechanism = \"lif\"\nparameters = { tau_m = \"3 ms\", t_ref = \"0 ms\" }\n";

  [[nodiscard]] std::string toml(const fs::path& set) const {
    return "name = \"toy\"\n[data]\nset = \"" + set.string() + "\"\n" + validation + data + "[encoding]\n" + steps +
           encoding + "[neurons.cell]\n" + mechanism + neurons + "[[layer]]\nkind = \"flatten\"\n" + hidden +
           "[[layer]]\nkind = \"dense\"\nsize = 4\n[readout]\n" + readout + "[training]\n" + epochs + batch + rate +
           seed + training;
  }
};

inline Recipe recipe(const fs::path& set, const Text& text = {}) {
  auto parsed = parse_recipe({"toy.toml", text.toml(set)}, set);
  EXPECT_TRUE(parsed.ok()) << told(parsed.diagnostics()) << text.toml(set);
  return std::move(parsed).value();
}

inline TrainOptions options(const fs::path& run) {
  TrainOptions o;
  o.run_folder = run;
  o.threads = 1;
  return o;
}

inline TrainReport trained(const Recipe& recipe, const TrainOptions& options, const Progress& progress = {}) {
  auto report = train(recipe, options, progress);
  EXPECT_TRUE(report.ok()) << told(report.diagnostics());
  return report.ok() ? report.value() : TrainReport{};
}

// Everything in an epoch's report but the time it took.
inline std::string without_time(const EpochReport& e) {
  std::string out = std::to_string(e.epoch);
  char text[64];
  const auto add = [&](double v) {
    std::snprintf(text, sizeof text, " %a", v);
    out += text;
  };
  for (const double v :
       {e.train_loss, e.train_accuracy, e.validation_loss, e.validation_accuracy, e.test_accuracy, e.learning_rate})
    add(v);
  for (const auto& [layer, rate] : e.activity) {
    out += " " + layer;
    add(rate);
  }
  return out;
}

inline std::vector<std::string> without_time(const std::vector<EpochReport>& epochs) {
  std::vector<std::string> out;
  for (const EpochReport& e : epochs) out.push_back(without_time(e));
  return out;
}

inline std::map<std::string, TensorBlob> weights(const fs::path& model) {
  auto file = load_model(model);
  EXPECT_TRUE(file.ok()) << told(file.diagnostics());
  return file.ok() ? file.value().tensors : std::map<std::string, TensorBlob>{};
}

}  // namespace bouton::recipes::toy
