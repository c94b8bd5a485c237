// The quick part of the reference set, as `bouton validate` runs it.
#include "bouton/experiments/validation.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace bouton::experiments {
namespace {

class Reference : public testing::TestWithParam<std::string> {};

TEST_P(Reference, Holds) {
#ifdef __SANITIZE_ADDRESS__
  if (GetParam() == "brunel" || GetParam() == "decision" || GetParam() == "microcircuit-tenth")
    GTEST_SKIP() << "a minute and more under the sanitisers; tests/simulate runs the same code on small networks";
#endif
  for (const ValidationGroup& group : validation_groups()) {
    if (group.name != GetParam()) continue;
    const auto checks = group.run({.threads = 1, .progress = {}, .stop = {}}).value();
    EXPECT_FALSE(checks.empty());
    for (const ValidationCheck& check : checks) {
      EXPECT_TRUE(check.passed()) << check.quantity << ": " << check.value << " against " << check.reference << " +- "
                                  << check.tolerance << " " << check.unit;
      EXPECT_FALSE(check.reason.empty()) << check.quantity;
      EXPECT_FALSE(check.source.empty()) << check.quantity;
    }
  }
}

std::vector<std::string> quick_groups() {
  std::vector<std::string> names;
  for (const ValidationGroup& group : validation_groups()) {
    if (!group.slow) names.push_back(group.name);
  }
  return names;
}

INSTANTIATE_TEST_SUITE_P(Quick, Reference, testing::ValuesIn(quick_groups()), [](const auto& info) {
  std::string name = info.param;
  for (char& c : name) c = c == '-' ? '_' : c;
  return name;
});

TEST(ValidationCheck, FailsOutsideItsToleranceAndOnWhatIsNotANumber) {
  ValidationCheck check{.quantity = "x", .unit = "", .value = 1.1, .reference = 1, .tolerance = 0.2};
  EXPECT_TRUE(check.passed());
  check.tolerance = 0.05;
  EXPECT_FALSE(check.passed());
  check.tolerance = INFINITY;
  check.value = NAN;
  EXPECT_FALSE(check.passed());
}

TEST(Validation, StopsWhenToldTo) {
  for (const ValidationGroup& group : validation_groups()) {
    const auto result = group.run({.threads = 1, .progress = {}, .stop = [] { return true; }});
    ASSERT_FALSE(result.ok()) << group.name;
    EXPECT_EQ(result.diagnostics().at(0).code, "interrupted") << group.name;
  }
}

}  // namespace
}  // namespace bouton::experiments
