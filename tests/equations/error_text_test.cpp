// Every error text, to the character: errors/NAME.mech is parsed, and its diagnostics must read as
// errors/NAME.expected. What begins with channel- is parsed as a channel.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <ostream>
#include <sstream>

#include "bouton/equations/channel.hpp"
#include "bouton/equations/mechanism.hpp"
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

std::vector<fs::path> cases() {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(fs::path(BOUTON_SOURCE_DIR) / "tests/equations/errors")) {
    if (entry.path().extension() == ".mech") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::string diagnostics_of(const fs::path& path) {
  const std::string name = path.filename().string();
  const auto parse = name.starts_with("channel-") ? parse_channel : parse_mechanism;
  const auto result = parse({name, read(path)});
  std::string text;
  for (const Diagnostic& d : result.diagnostics()) text += d.to_string() + "\n";
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
  std::string name = info.param.stem().string();
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(ErrorTextFolder, HoldsNoExpectationWithoutItsCase) {
  for (const auto& entry : fs::directory_iterator(fs::path(BOUTON_SOURCE_DIR) / "tests/equations/errors")) {
    fs::path mechanism = entry.path();
    mechanism.replace_extension(".mech");
    EXPECT_TRUE(fs::exists(mechanism)) << entry.path();
  }
}

}  // namespace
}  // namespace bouton
