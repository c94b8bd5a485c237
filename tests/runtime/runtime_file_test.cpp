// The runtime file: what is written is read, and nothing else is accepted.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "bouton/base/files.hpp"
#include "bouton/runtime/runtime_file.hpp"
#include "runtime/plain_network.hpp"
#include "support/temporary_folder.hpp"

namespace bouton::runtime {
namespace {

using nlohmann::json;
using plain::random_numbers;

RuntimeFile example() {
  RuntimeFile file;
  file.input = {2, 5, 5};
  file.steps = 4;
  file.readout = Readout::spike_count;
  const auto numbers = [](int64_t n, uint64_t seed) { return random_numbers(static_cast<std::size_t>(n), seed); };
  file.layers.push_back(Convolution{.input = {2, 5, 5},
                                    .kernel = 3,
                                    .stride = 1,
                                    .padding = 1,
                                    .weights = {18, 3, numbers(54, 1), {}},
                                    .bias = numbers(3, 2)});
  file.layers.push_back(Affine{75, numbers(3, 3), numbers(3, 4)});
  file.layers.push_back(plain::neurons("lif", 75));
  file.layers.push_back(Pool{{3, 5, 5}, 2, 2, true});
  file.layers.push_back(Dense{without_zeros({12, 9, plain::thinned(numbers(108, 5), 0.3, 6), {}}), {}});
  Neurons last = plain::neurons("leaky_integrator", 9);
  last.recurrent = {9, 9, numbers(81, 7), {}};
  last.seed = UINT64_MAX;
  file.layers.push_back(last);
  file.notes["recipe"] = "example";
  return file;
}

// The example with its description changed before it is written.
template <typename Change>
Result<RuntimeFile> changed(const Change& change) {
  const TemporaryFolder folder;
  const auto path = folder / "net.bouton";
  EXPECT_TRUE(save_runtime_file(path, example()).ok());
  Archive archive = read_archive(path, "runtime").value();
  json network = json::parse(archive.texts["network"]);
  change(network, archive);
  archive.texts["network"] = network.dump();
  return parse_runtime_file("net.bouton", archive_bytes(archive).value());
}

std::string code_of(const Result<RuntimeFile>& result) {
  return result.ok() ? "ok" : result.diagnostics().front().code;
}

TEST(RuntimeFile, WhatIsWrittenIsRead) {
  const TemporaryFolder folder;
  const auto path = folder / "net.bouton";
  ASSERT_TRUE(save_runtime_file(path, example()).ok());
  const auto read = load_runtime_file(path);
  ASSERT_TRUE(read.ok()) << read.diagnostics().front().to_string();
  EXPECT_EQ(read.value(), example());
  EXPECT_EQ(code_of(changed([](json&, Archive&) {})), "ok");
}

TEST(RuntimeFile, AShapeThatDoesNotFollowIsRefused) {
  const std::vector<std::function<void(json&, Archive&)>> changes{
      [](json& n, Archive&) {
        n["input"] = {2, 5, 6};
      },
      [](json& n, Archive&) { n["input"] = {0}; },
      [](json& n, Archive&) {
        n["input"] = {2, 1 << 23, 1 << 23};
      },
      [](json& n, Archive&) { n["steps"] = -1; },
      [](json& n, Archive&) { n["steps"] = "many"; },
      [](json& n, Archive&) { n["readout"] = "loudest"; },
      [](json& n, Archive&) { n["layers"] = json::array(); },
      [](json& n, Archive&) { n["layers"].erase(0); },
      [](json& n, Archive&) { n["layers"][0]["kernel"] = 0; },
      [](json& n, Archive&) { n["layers"][0]["kernel"] = INT64_MAX; },
      [](json& n, Archive&) { n["layers"][0]["stride"] = INT64_MIN; },
      [](json& n, Archive&) { n["layers"][0]["padding"] = 3; },
      [](json& n, Archive&) { n["layers"][0]["channels"] = 4; },
      [](json& n, Archive&) { n["layers"][3]["size"] = 6; },
      [](json& n, Archive&) { n["layers"][4]["outputs"] = 10; },
      [](json& n, Archive&) { n["layers"][4]["weights"] = "dense"; },
      [](json& n, Archive&) { n["layers"][5]["dt"] = 0; },
      [](json& n, Archive&) { n["layers"][5]["input_scales"] = json::array(); },
      [](json& n, Archive&) { n["layers"][5].erase("kernel"); },
      [](json& n, Archive&) { n["layers"][5]["kind"] = "oracle"; },
      [](json& n, Archive&) { n = 7; },
      [](json&, Archive& a) { a.tensors.erase("1/scale"); },
      [](json&, Archive& a) { a.tensors["4/weights/kept"].bytes[0] ^= 1; },
      [](json&, Archive& a) { a.tensors["4/weights/kept"].bytes[1] = '\x04'; },
      [](json&, Archive& a) { a.tensors["1/shift"] = TensorBlob::of<double>(std::vector<double>(3), {3}); },
  };
  for (std::size_t i = 0; i < changes.size(); ++i)
    EXPECT_EQ(code_of(changed(changes[i])), "runtime-malformed") << "change " << i;
}

TEST(RuntimeFile, ALaterVersionAndAnotherKindAreSaidToBeSo) {
  EXPECT_EQ(code_of(changed([](json& n, Archive&) { n["version"] = 2; })), "runtime-newer");
  EXPECT_EQ(code_of(changed([](json&, Archive& a) { a.kind = "model"; })), "archive-kind");
}

TEST(RuntimeFile, ANetworkThatDoesNotFitTogetherIsNotWritten) {
  RuntimeFile file = example();
  std::get<Affine>(file.layers[1]).shift.pop_back();
  const TemporaryFolder folder;
  const Status saved = save_runtime_file(folder / "net.bouton", file);
  ASSERT_FALSE(saved.ok());
  EXPECT_EQ(saved.diagnostics().front().code, "runtime-malformed");
  EXPECT_FALSE(std::filesystem::exists(folder / "net.bouton"));
}

TEST(RuntimeFile, EveryTruncationIsRefusedWithOneDiagnostic) {
  const TemporaryFolder folder;
  const auto path = folder / "net.bouton";
  ASSERT_TRUE(save_runtime_file(path, example()).ok());
  const std::string bytes = read_file(path).value();
  for (std::size_t length = 0; length < bytes.size(); length += 97) {
    const auto read = parse_runtime_file("cut", std::string_view(bytes).substr(0, length));
    ASSERT_FALSE(read.ok());
    EXPECT_EQ(read.diagnostics().size(), 1U);
  }
}

}  // namespace
}  // namespace bouton::runtime
