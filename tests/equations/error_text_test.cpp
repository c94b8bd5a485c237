// Every error text, to the character: errors/NAME.mech is parsed as a neuron, channel_errors/NAME.mech as a channel,
// synapse_errors/NAME.mech as a synapse, and its diagnostics must read as NAME.expected beside it.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <ostream>
#include <sstream>

#include "bouton/equations/channel.hpp"
#include "bouton/equations/mechanism.hpp"
#include "bouton/equations/synapse.hpp"
#include "gtest/gtest.h"

namespace bouton {
namespace {

namespace fs = std::filesystem;

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<fs::path> folders() {
  const fs::path here = fs::path(BOUTON_SOURCE_DIR) / "tests/equations";
  return {here / "errors", here / "channel_errors", here / "synapse_errors"};
}

std::vector<fs::path> cases() {
  std::vector<fs::path> paths;
  for (const fs::path& folder : folders()) {
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.path().extension() == ".mech") paths.push_back(entry.path());
    }
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::string diagnostics_of(const fs::path& path) {
  const SourceText source{path.filename().string(), read(path)};
  const fs::path folder = path.parent_path().filename();
  const auto diagnostics = folder == "channel_errors"   ? parse_channel(source).diagnostics()
                           : folder == "synapse_errors" ? parse_synapse(source).diagnostics()
                                                        : parse_mechanism(source).diagnostics();
  std::string text;
  for (const Diagnostic& d : diagnostics) text += d.to_string() + "\n";
  return text;
}

class ErrorText : public testing::TestWithParam<fs::path> {};

TEST_P(ErrorText, IsAsExpectedToTheCharacter) {
  fs::path expected = GetParam();
  expected.replace_extension(".expected");
  ASSERT_TRUE(fs::exists(expected)) << expected << " is missing; the text is now\n" << diagnostics_of(GetParam());
  EXPECT_EQ(diagnostics_of(GetParam()), read(expected));
}

INSTANTIATE_TEST_SUITE_P(Golden, ErrorText, testing::ValuesIn(cases()), [](const auto& info) {
  const std::string folder = info.param.parent_path().filename().string();
  std::string name = folder.substr(0, folder.rfind("errors")) + info.param.stem().string();
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(ErrorTextFolder, HoldsNoExpectationWithoutItsCase) {
  for (const fs::path& folder : folders()) {
    for (const auto& entry : fs::directory_iterator(folder)) {
      fs::path mechanism = entry.path();
      mechanism.replace_extension(".mech");
      EXPECT_TRUE(fs::exists(mechanism)) << entry.path();
    }
  }
}

}  // namespace
}  // namespace bouton
