#include "bouton/exchange/model_file.hpp"

#include <gtest/gtest.h>

#include "support/temporary_folder.hpp"

namespace bouton {
namespace {

ModelFile sample() {
  ModelFile model;
  model.recipe_text = "name = \"mnist\"\n";
  model.mechanisms = {{"lif", std::string(64, 'a'), "neuron lif\n"},
                      {"lif", std::string(64, 'b'), "neuron lif\n  # another of this name\n"}};
  model.tensors["0.weight"] = TensorBlob::of<float>(std::vector<float>{1, 2}, {1, 2});
  model.metadata = {{"test_accuracy", "0.9935"}, {"", "an empty name"}};
  return model;
}

std::string only_text(const std::vector<Diagnostic>& diagnostics) {
  return diagnostics.size() == 1 ? diagnostics.front().to_string() : "expected one diagnostic";
}

TEST(ModelFile, ComesBackAsItWas) {
  const TemporaryFolder folder;
  ASSERT_TRUE(save_model(folder / "m.bouton", sample()).ok());
  EXPECT_EQ(load_model(folder / "m.bouton").value(), sample());
}

TEST(ModelFile, AModelWithoutMechanismsOrTensorsIsFine) {
  const TemporaryFolder folder;
  ModelFile model;
  model.recipe_text = "x";
  ASSERT_TRUE(save_model(folder / "m", model).ok());
  EXPECT_EQ(load_model(folder / "m").value(), model);
}

TEST(ModelFile, ACheckpointIsNotAModel) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_archive(folder / "c", {"checkpoint", {}, {}}).ok());
  EXPECT_EQ(only_text(load_model(folder / "c").diagnostics()),
            "error[archive-kind]: this is a Bouton file of kind 'checkpoint', expected one of kind 'model'\n  --> " +
                (folder / "c").string());
}

TEST(ModelFile, MissingPartsAreNamed) {
  const auto refusal = [](std::map<std::string, std::string> texts) {
    return only_text(parse_model("m", archive_bytes({"model", std::move(texts), {}}).value()).diagnostics());
  };
  EXPECT_EQ(refusal({}), "error[model-incomplete]: the model file holds no recipe\n  --> m");
  EXPECT_EQ(refusal({{"recipe", ""}, {"mechanisms/0/name", "lif"}, {"mechanisms/0/text", ""}}),
            "error[model-incomplete]: the model file holds no identity of the mechanism 'lif'\n  --> m");
}

TEST(ModelFile, AMissingFileIsADiagnostic) {
  EXPECT_EQ(only_text(load_model("none.bouton").diagnostics()),
            "error[file-not-found]: there is no such file\n  --> none.bouton");
}

TEST(ModelFile, AMechanismThatChangedItsMeaningIsRefused) {
  const MechanismRecord record = sample().mechanisms[0];
  EXPECT_TRUE(check_identity(record, std::string(64, 'a'), "m").ok());
  EXPECT_EQ(only_text(check_identity(record, std::string(64, 'c'), "m").diagnostics()),
            "error[mechanism-changed]: the model was trained with the mechanism 'lif' of identity aaaaaaaaaaaa, but "
            "its text now means one of "
            "identity cccccccccccc\n  --> m\n   = use the version of Bouton that saved it, or train again");
}

}  // namespace
}  // namespace bouton
