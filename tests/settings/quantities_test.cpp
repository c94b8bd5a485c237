#include "settings/quantities.hpp"

#include <gtest/gtest.h>

namespace bouton::settings {
namespace {

// The constants of a file, and what was wrong with it.
struct Read {
  explicit Read(const std::string& text) : document({"file.toml", text}) {
    constants = read_constants(TomlValue(document, *document.root().get("constants"), "constants", {0, 1}));
  }
  [[nodiscard]] std::string told() const {
    std::string out;
    for (const Diagnostic& d : document.errors()) out += d.code + ": " + d.message + "\n";
    return out;
  }
  TomlDocument document;
  Constants constants;
};

TEST(Constants, MayUseEachOtherInAnyOrder) {
  const Read read("[constants]\nw = \"-g*J\"\ng = 5\nJ = \"0.1 mV\"\nhalf = \"w/2\"\n");
  EXPECT_EQ(read.told(), "");
  EXPECT_DOUBLE_EQ(read.constants.at("w").value, -5e-4);
  EXPECT_DOUBLE_EQ(read.constants.at("half").value, -2.5e-4);
  EXPECT_EQ(read.constants.at("half").dimension, dimensions::volt);
}

TEST(Constants, HideUnitsOfTheirNameButNotAfterANumber) {
  const Read read("[constants]\ntwice = \"2*J\"\nJ = \"3 mV\"\nlength = \"2 m\"\nm = 7\n");
  EXPECT_EQ(read.told(), "");
  EXPECT_DOUBLE_EQ(read.constants.at("twice").value, 6e-3);
  EXPECT_DOUBLE_EQ(read.constants.at("length").value, 2);
}

TEST(Constants, ThatNeedEachOtherAreRefused) {
  const Read read("[constants]\na = \"b + 1\"\nb = \"2*a\"\nc = 3\n");
  EXPECT_EQ(read.told(),
            "cyclic-definition: the constant 'a' is defined by itself\n"
            "cyclic-definition: the constant 'b' is defined by itself\n");
  EXPECT_EQ(read.constants.at("c").value, 3);
}

TEST(Constants, HaveNamesOfLetters) {
  EXPECT_EQ(Read("[constants]\n\"2x\" = 1\n").told(), "bad-name: '2x' cannot be a constant's name\n");
}

TEST(Quantities, CountsAreWhole) {
  Read read("[constants]\nn = \"4*2.5\"\nm = \"0.3\"\n");
  const auto value = [&](const char* name) {
    return TomlValue(read.document, *read.document.root()["constants"].as_table()->get(name), name, {0, 1});
  };
  EXPECT_EQ(read_count(value("n"), {}, {}), 10);
  EXPECT_EQ(read_count(value("m"), {}, {}), std::nullopt);
  EXPECT_EQ(read_count(value("n"), {}, {.upper = 9}), std::nullopt);
  EXPECT_EQ(read.told(),
            "out-of-range: 'n' must be at most 9, not 10\n"
            "not-whole: 'm' must be a whole number, not 0.3\n");
}

}  // namespace
}  // namespace bouton::settings
