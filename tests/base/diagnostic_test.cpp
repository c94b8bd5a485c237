#include "bouton/base/diagnostic.hpp"

#include "bouton/base/result.hpp"
#include "gtest/gtest.h"

namespace bouton {
namespace {

const SourceText source{"cell.mech", "neuron n\n  parameter E = -70 mVolt\n\tx\n"};

TEST(Diagnostic, ShowsPlaceLineCaretAndHint) {
  const Diagnostic d =
      diagnostic_at(source, {29, 34}, "unknown-unit", "there is no unit 'mVolt'", "did you mean 'mV'?");
  EXPECT_EQ(d.line, 2u);
  EXPECT_EQ(d.column, 21u);
  EXPECT_EQ(d.length, 5u);
  EXPECT_EQ(d.to_string(),
            "error[unknown-unit]: there is no unit 'mVolt'\n"
            "  --> cell.mech:2:21\n"
            "   |   parameter E = -70 mVolt\n"
            "   |                     ^^^^^\n"
            "   = did you mean 'mV'?");
}

TEST(Diagnostic, NeedsNeitherFileNorHint) {
  Diagnostic d;
  d.code = "disk-full";
  d.message = "the disk is full";
  EXPECT_EQ(d.to_string(), "error[disk-full]: the disk is full");
  d.file = "model.bouton";
  EXPECT_EQ(d.to_string(), "error[disk-full]: the disk is full\n  --> model.bouton");
}

TEST(Diagnostic, CaretStandsUnderTabsAndLettersOfSeveralBytes) {
  EXPECT_EQ(diagnostic_at(source, {36, 37}, "c", "m").to_string(),
            "error[c]: m\n  --> cell.mech:3:2\n   | \tx\n   | \t^");
  const SourceText accents{"a", "\"\u00e9\u00e9\" \u00b5V x"};
  EXPECT_EQ(diagnostic_at(accents, {7, 10}, "c", "m").to_string(),
            "error[c]: m\n  --> a:1:8\n   | \"\u00e9\u00e9\" \u00b5V x\n   |      ^^");
}

TEST(Diagnostic, SpansBeyondTheTextAreHandled) {
  EXPECT_EQ(diagnostic_at(source, {1000, 2000}, "c", "m").line, 4u);
  EXPECT_EQ(diagnostic_at({"a", ""}, {0, 0}, "c", "m").line, 1u);
  EXPECT_EQ(diagnostic_at({"a", "\n"}, {0, 1}, "c", "m").line_text, "");
  EXPECT_EQ(diagnostic_at({"a", "x\ny\n"}, {0, 4}, "c", "m").length, 1u) << "carets stay on the first line";
}

TEST(Diagnostic, LineEndsOfWindowsAndByteOrderMarksAreNotShown) {
  const SourceText windows{"a", "\xEF\xBB\xBFone\r\ntwo\r\n"};
  EXPECT_EQ(diagnostic_at(windows, {3, 6}, "c", "m").line_text, "one");
  EXPECT_EQ(diagnostic_at(windows, {3, 6}, "c", "m").column, 1u);
  EXPECT_EQ(diagnostic_at(windows, {7, 8}, "c", "m").line_text, "one");
  EXPECT_EQ(diagnostic_at(windows, {8, 11}, "c", "m").line_text, "two");
}

TEST(Diagnostic, OfALongLineThePartAroundTheCaretIsShown) {
  const SourceText wide{"a", std::string(5000, 'x') + "HERE" + std::string(5000, 'y')};
  const std::string text = diagnostic_at(wide, {5000, 5004}, "c", "m").to_string();
  EXPECT_LT(text.size(), 500u);
  EXPECT_NE(text.find("..." + std::string(60, 'x') + "HEREyyy"), std::string::npos) << text;
  EXPECT_NE(text.find("\n   | " + std::string(63, ' ') + "^^^^"), std::string::npos) << text;
}

TEST(Diagnostic, NothingATerminalWouldObeyIsShown) {
  const SourceText bad{"a\x1b", "x\x1b[31m \xff\xc3 \xc2\x9b y"};
  const std::string text = diagnostic_at(bad, {1, 2}, "c", "m\x07").to_string();
  EXPECT_EQ(text, "error[c]: m?\n  --> a?:1:2\n   | x?[31m ?? ?? y\n   |  ^");
}

TEST(NearestName, IsWhatTheUserMeant) {
  const std::vector<std::string> names = {"arctan", "fast_sigmoid", "triangle", "tan", "tanh", "mnist", "E_L"};
  EXPECT_EQ(nearest_name("arctn", names), "arctan");
  EXPECT_EQ(nearest_name("fast-sigmod", names), "fast_sigmoid");
  EXPECT_EQ(nearest_name("TRIANGLE", names), "triangle");
  EXPECT_EQ(nearest_name("mnits", names), "mnist") << "two letters swapped";
  EXPECT_EQ(nearest_name("tahn", names), "tanh") << "swapped before forgotten";
  EXPECT_EQ(nearest_name("V_T", names), "") << "two of three letters differ";
  EXPECT_EQ(nearest_name("boxcar", names), "");
  EXPECT_EQ(nearest_name(std::string(1000000, 'x'), names), "");
}

TEST(Hint, NamesTheNearestOrListsTheKnown) {
  EXPECT_EQ(hint_for("arctn", {"arctan", "boxcar"}), "did you mean 'arctan'?");
  EXPECT_EQ(hint_for("sine", {"arctan", "boxcar"}), "known: arctan, boxcar");
  EXPECT_EQ(hint_for("sine", {}), "");
  EXPECT_EQ(hint_for("zz", std::vector<std::string>(20, "word")),
            "known: word, word, word, word, word, word, word, word, word, word, word, word, ...");
}

TEST(ResultType, GivesTheValueOrThrowsTheDiagnostics) {
  const Result<int> good = 3;
  EXPECT_TRUE(good.ok());
  EXPECT_EQ(good.value(), 3);
  EXPECT_TRUE(good.diagnostics().empty());
  const Result<int> bad = diagnostic_at(source, {0, 6}, "c", "m");
  EXPECT_FALSE(bad.ok());
  try {
    (void)bad.value();
    FAIL() << "no exception";
  } catch (const Error& error) {
    EXPECT_EQ(error.diagnostics().size(), 1u);
    EXPECT_STREQ(error.what(), bad.diagnostics()[0].to_string().c_str());
  }
}

}  // namespace
}  // namespace bouton
