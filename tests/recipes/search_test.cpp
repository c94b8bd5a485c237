// Where a search looks next, and whom it stops: without a single training run.

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>

#include "bouton/recipes/tuning.hpp"
#include "support/temporary_folder.hpp"

namespace bouton::recipes {
namespace {

Result<TuningPlan> plan_of(const std::string& text) {
  const TemporaryFolder folder;
  std::ofstream(folder / "search.toml") << text;
  return load_tuning(folder / "search.toml");
}

std::string code_of(const Result<TuningPlan>& plan) { return plan.ok() ? "ok" : plan.diagnostics().front().code; }

TEST(Search, AFileBecomesASpace) {
  const auto plan = plan_of(R"(
recipe = "mnist"
method = "random"
trials = 12
[set]
"data.validation" = 500
[space]
"training.learning_rate" = { low = 1e-4, high = 1e-2, scale = "log" }
"training.batch" = { choices = [32, 64] }
"layer[2].size" = { low = 10, high = 12, integer = true }
"neurons.lif.parameters.tau_m" = { low = 2, high = 20, unit = "ms" }
)");
  ASSERT_TRUE(plan.ok()) << plan.diagnostics().front().to_string();
  EXPECT_EQ(plan.value().method, SearchMethod::random);
  EXPECT_EQ(plan.value().trials, 12);
  EXPECT_EQ(plan.value().name, "search");
  EXPECT_EQ(plan.value().fixed, (std::vector<std::pair<std::string, std::string>>{{"data.validation", "500"}}));
  std::map<std::string, const SearchDimension*> space;
  for (const auto& dimension : plan.value().space) space[dimension.key] = &dimension;
  ASSERT_EQ(space.size(), 4U);
  EXPECT_EQ(space["training.learning_rate"]->value(0.5), "0.001");
  EXPECT_EQ(space["training.batch"]->value(0.49), "32");
  EXPECT_EQ(space["training.batch"]->value(0.51), "64");
  EXPECT_EQ(space["layer[2].size"]->value(0), "10");
  EXPECT_EQ(space["layer[2].size"]->value(0.999), "12");
  EXPECT_EQ(space["neurons.lif.parameters.tau_m"]->value(0), "\"2.0 ms\"");
}

TEST(Search, WhatCannotBeSearchedIsRefused) {
  EXPECT_EQ(code_of(plan_of("recipe = \"mnist\"\n")), "space-empty");
  EXPECT_EQ(code_of(plan_of("[space]\n\"a.b\" = { low = 0, high = 1 }\n")), "missing-key");
  EXPECT_EQ(code_of(plan_of("recipe = \"mnist\"\n[space]\n\"a.b\" = 3\n")), "wrong-type");
  EXPECT_EQ(code_of(plan_of("recipe = \"mnist\"\n[space]\n\"a.b\" = { low = 2, high = 1 }\n")), "empty-range");
  EXPECT_EQ(code_of(plan_of("recipe = \"mnist\"\n[space]\n\"a.b\" = { low = 0, high = 1, scale = \"log\" }\n")),
            "empty-range");
  EXPECT_EQ(code_of(plan_of("recipe = \"mnist\"\nmethod = \"grid\"\n[space]\n\"a.b\" = { low = 0, high = 1 }\n")),
            "unknown-choice");
  EXPECT_EQ(code_of(plan_of("recipe = \"mnist\"\ntrails = 3\n[space]\n\"a.b\" = { low = 0, high = 1 }\n")),
            "unknown-key");
}

TuningPlan valley(SearchMethod method, uint64_t seed) {
  TuningPlan plan;
  plan.method = method;
  plan.seed = seed;
  plan.space = {{.key = "x"}, {.key = "y"}, {.key = "z", .choices = {"1", "2", "3"}}};
  return plan;
}

// A hill at (0.3, 0.7) that stands highest for the third choice.
double height(const std::vector<double>& place) {
  const double choice = place[2] < 2.0 / 3 ? 0.3 : 0;
  return 1 - std::pow(place[0] - 0.3, 2) - std::pow(place[1] - 0.7, 2) - choice;
}

double best_of(const TuningPlan& plan, int64_t trials) {
  std::vector<Trial> known;
  double best = 0;
  for (int64_t n = 1; n <= trials; ++n) {
    Trial trial;
    trial.number = n;
    trial.place = next_place(plan, known, n);
    trial.state = Trial::State::finished;
    trial.validation = {height(trial.place)};
    best = std::max(best, trial.best());
    known.push_back(std::move(trial));
  }
  return best;
}

TEST(Search, DensitiesFindAHillSoonerThanChance) {
  double tpe = 0, random = 0;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    tpe += (1 - best_of(valley(SearchMethod::tpe, seed), 40)) / 20;
    random += (1 - best_of(valley(SearchMethod::random, seed), 40)) / 20;
  }
  EXPECT_LT(tpe, random / 2) << "mean distance from the top";
}

TEST(Search, TheSameSeedTriesTheSamePlaces) {
  const TuningPlan plan = valley(SearchMethod::tpe, 4);
  EXPECT_EQ(next_place(plan, {}, 3), next_place(plan, {}, 3));
  EXPECT_NE(next_place(plan, {}, 3), next_place(plan, {}, 4));
  EXPECT_NE(next_place(plan, {}, 3), next_place(valley(SearchMethod::tpe, 5), {}, 3));
}

TEST(Search, OfThreeAtARungTheBestGoesOn) {
  TuningPlan plan;
  plan.epochs = 9;
  EXPECT_EQ(rungs(plan), (std::vector<int64_t>{1, 3}));
  const auto trial = [](std::vector<double> validation) {
    Trial t;
    t.validation = std::move(validation);
    return t;
  };
  const std::vector<Trial> two{trial({0.5}), trial({0.1})};
  EXPECT_TRUE(goes_on(plan, two, two[1], 1)) << "too few to compare";
  const std::vector<Trial> four{trial({0.5, 0.2}), trial({0.1}), trial({0.7}), trial({0.6})};
  EXPECT_TRUE(goes_on(plan, four, four[2], 1));
  EXPECT_FALSE(goes_on(plan, four, four[3], 1));
  EXPECT_FALSE(goes_on(plan, four, four[0], 1));
  EXPECT_TRUE(goes_on(plan, four, four[0], 2)) << "alone at the next rung";
  plan.reduction = 1;
  EXPECT_TRUE(rungs(plan).empty());
}

}  // namespace
}  // namespace bouton::recipes
