#include "settings/overrides.hpp"

#include <gtest/gtest.h>

namespace bouton::settings {
namespace {

const char* const text = R"(
[constants]
g = 5
[populations.E]
size = 10
parameters = { tau = "20 ms" }
[[projections]]
source = "E"
target = "E"
weight = "1 mV"
[[projections]]
name = "second"
weight = "2 mV"
[variants.SI]
"constants.g" = 6
"populations.E.parameters.tau" = "30 ms"
[variants.SI.populations.E]
size = 20
[variants.wrong]
"constants.h" = 1
)";

const OverrideRules& rules() {
  static const OverrideRules made{.sections = {"constants", "populations", "projections", "simulation"},
                                  .named = {"constants", "populations"},
                                  .shorthand = "constants",
                                  .other_names = [](const toml::table& table) -> std::vector<std::string> {
                                    const auto source = table["source"].value<std::string>();
                                    return source ? std::vector<std::string>{*source + "->" + *source}
                                                  : std::vector<std::string>{};
                                  }};
  return made;
}

struct Applied {
  explicit Applied(const std::vector<std::string>& settings, const std::string& variant = {})
      : document({"file.toml", text}, "a file") {
    if (!variant.empty()) apply_variant(document, variant, rules());
    apply_settings(document, settings, rules());
  }
  [[nodiscard]] std::string told() const {
    std::string out;
    for (const Diagnostic& d : document.errors()) out += d.to_string() + "\n";
    return out;
  }
  template <typename T>
  T at(const std::string& path) const {
    return document.root().at_path(path).value<T>().value_or(T{});
  }
  TomlDocument document;
};

TEST(Overrides, ASettingTakesThePlaceOfTheFilesValue) {
  const Applied a({"constants.g=7", "populations.E.parameters.tau = 10 ms", "simulation.duration=\"2 s\""});
  EXPECT_EQ(a.told(), "");
  EXPECT_EQ(a.at<int64_t>("constants.g"), 7);
  EXPECT_EQ(a.at<std::string>("populations.E.parameters.tau"), "10 ms");  // no quotes needed
  EXPECT_EQ(a.at<std::string>("simulation.duration"), "2 s");             // of a section the file lacks
}

TEST(Overrides, OneWordIsAConstant) { EXPECT_EQ(Applied({"g=7"}).at<int64_t>("constants.g"), 7); }

TEST(Overrides, ElementsOfAListAreMeantByNumberOrName) {
  const Applied a({"projections[2].weight=3 mV", "projections.E->E.weight=4 mV"});
  EXPECT_EQ(a.told(), "");
  EXPECT_EQ(a.at<std::string>("projections[0].weight"), "4 mV");
  EXPECT_EQ(a.at<std::string>("projections[1].weight"), "3 mV");
  EXPECT_EQ(Applied({"projections.second.weight=5 mV"}).at<std::string>("projections[1].weight"), "5 mV");
}

TEST(Overrides, TheLaterSettingWinsAndBothWinOverTheVariant) {
  const Applied a({"g=7", "g=8"}, "SI");
  EXPECT_EQ(a.at<int64_t>("constants.g"), 8);
  EXPECT_EQ(a.at<int64_t>("populations.E.size"), 20);
}

TEST(Overrides, AVariantsTablesAreMergedIntoTheFiles) {
  const Applied a({}, "SI");
  EXPECT_EQ(a.told(), "");
  EXPECT_EQ(a.at<int64_t>("constants.g"), 6);
  EXPECT_EQ(a.at<int64_t>("populations.E.size"), 20);
  EXPECT_EQ(a.at<std::string>("populations.E.parameters.tau"), "30 ms");
}

TEST(Overrides, MistakesAreShownWhereTheyWereTyped) {
  EXPECT_EQ(Applied({"g"}).told(),
            "error[bad-setting]: this is not of the form key=value\n"
            "  --> --set:1:1\n"
            "   | g\n"
            "   | ^\n"
            "   = as in constants.g=6\n");
  EXPECT_EQ(Applied({"populatoins.E.size=3"}).told(),
            "error[unknown-key]: there is no section 'populatoins' in a file\n"
            "  --> --set:1:1\n"
            "   | populatoins.E.size=3\n"
            "   | ^^^^^^^^^^^^^^^^^^\n"
            "   = did you mean 'populations'?\n");
  EXPECT_EQ(Applied({"g=1", "populations.Q.size=3"}).told(),
            "error[unknown-key]: there is no 'populations.Q' to set\n"
            "  --> --set:1:1\n"
            "   | populations.Q.size=3\n"
            "   | ^^^^^^^^^^^^^^^^^^\n"
            "   = known: E\n");
  EXPECT_EQ(Applied({"h=1"}).told(),
            "error[unknown-key]: there is no 'constants.h' to set\n"
            "  --> --set:1:1\n"
            "   | h=1\n"
            "   | ^\n"
            "   = known: g\n");
  EXPECT_EQ(Applied({"projections[3].weight=3 mV"}).told(),
            "error[unknown-key]: there is no 'projections[3]' to set\n"
            "  --> --set:1:1\n"
            "   | projections[3].weight=3 mV\n"
            "   | ^^^^^^^^^^^^^^^^^^^^^\n"
            "   = the list has 2, counted from [1]\n");
  EXPECT_EQ(Applied({"populations.E.size.more=3"}).told(),
            "error[unknown-key]: 'populations.E.size' is a value: it has no keys of its own\n"
            "  --> --set:1:1\n"
            "   | populations.E.size.more=3\n"
            "   | ^^^^^^^^^^^^^^^^^^^^^^^\n");
}

TEST(Overrides, AWrongValueIsShownInItsSetting) {
  Applied a({"populations.E.size = many"});
  const toml::table& table = *a.document.root().at_path("populations.E").as_table();
  EXPECT_FALSE(TomlValue(a.document, *table.get("size"), "populations.E.size", {0, 1}).integer({}));
  EXPECT_EQ(a.told(),
            "error[wrong-type]: 'populations.E.size' must be an integer, not a text\n"
            "  --> --set:1:22\n"
            "   | populations.E.size = many\n"
            "   |                      ^^^^\n");
}

TEST(Overrides, AVariantThatIsNotThereGetsTheNearest) {
  EXPECT_EQ(Applied({}, "IS").told(),
            "error[unknown-variant]: there is no section [variants.IS]\n"
            "  --> file.toml\n"
            "   = did you mean 'SI'?\n");
}

TEST(Overrides, AVariantsMistakeIsShownInTheFile) {
  EXPECT_EQ(Applied({}, "wrong").told(),
            "error[unknown-key]: there is no 'constants.h' to set\n"
            "  --> file.toml:20:1\n"
            "   | \"constants.h\" = 1\n"
            "   | ^^^^^^^^^^^^^\n"
            "   = known: g\n");
}

TEST(Overrides, OddTextsAreNoTroubleForTheReader) {
  for (const char* odd : {"", "=", "=1", "g=", "g='", "g=\"", "g=[1", "g=\xff\xfe", "g=a\nb", "..=1", "[=1", "g[=1",
                          "projections[x].weight=1", "projections=1", "constants[1]=2", "projections.=3"}) {
    Applied a({odd});
    for (const Diagnostic& d : a.document.errors()) EXPECT_FALSE(d.message.empty()) << odd;
  }
}

}  // namespace
}  // namespace bouton::settings
