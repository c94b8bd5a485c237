#include "bouton/settings/recipe_files.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "support/temporary_folder.hpp"

namespace bouton::settings {
namespace {

class RecipeFiles : public testing::Test {
 protected:
  void SetUp() override {
    std::ofstream(folder_ / "net.toml") << "description = \"a network\"\n[populations.E]\nneuron = \"lif\"\n";
    std::ofstream(folder_ / "digits.toml") << "description = \"digits\"\n[[layer]]\nkind = \"dense\"\n";
    std::ofstream(folder_ / "broken.toml") << "duration = 1 s\n";
    std::ofstream(folder_ / "notes.txt") << "not a recipe";
  }
  TemporaryFolder folder_;
  EnvironmentVariable recipes_{"BOUTON_RECIPES", folder_.path().string()};
};

TEST_F(RecipeFiles, AreListedByNameWithTheirKinds) {
  const auto files = recipe_files();
  ASSERT_EQ(files.size(), 3u);
  EXPECT_EQ(files[0].name, "broken");
  EXPECT_EQ(files[0].description, "(cannot be read)");
  EXPECT_EQ(files[1].name, "digits");
  EXPECT_EQ(files[1].kind, RecipeKind::training);
  EXPECT_EQ(files[2].description, "a network");
  EXPECT_EQ(files[2].kind, RecipeKind::simulation);
}

TEST_F(RecipeFiles, AreFoundByNameAndByPath) {
  EXPECT_EQ(open_recipe("net", RecipeKind::simulation).value().file, folder_ / "net.toml");
  EXPECT_EQ(open_recipe((folder_ / "net.toml").string(), RecipeKind::simulation).value().file, folder_ / "net.toml");
}

TEST_F(RecipeFiles, TheWrongCommandIsToldTheRightOne) {
  EXPECT_EQ(open_recipe("net", RecipeKind::training).diagnostics().front().to_string(),
            "error[wrong-recipe-kind]: 'net' describes a network to be simulated, not trained\n"
            "   = bouton simulate net");
  EXPECT_EQ(open_recipe("digits", RecipeKind::simulation).diagnostics().front().to_string(),
            "error[wrong-recipe-kind]: 'digits' describes a network to be trained, not simulated\n"
            "   = bouton train digits");
}

TEST_F(RecipeFiles, AnUnknownNameGetsTheNearestOfItsKind) {
  EXPECT_EQ(open_recipe("nett", RecipeKind::simulation).diagnostics().front().hint, "did you mean 'net'?");
  EXPECT_EQ(open_recipe("nowhere.toml", RecipeKind::simulation).diagnostics().front().code, "file-not-found");
}

TEST_F(RecipeFiles, WhatIsNoTomlIsLeftToItsReader) {
  EXPECT_TRUE(open_recipe("broken", RecipeKind::simulation).ok());
  EXPECT_TRUE(open_recipe("broken", RecipeKind::training).ok());
}

}  // namespace
}  // namespace bouton::settings
