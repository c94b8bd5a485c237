#pragma once
// Beginning with what a trained model knows, and learning parts of a network slower or not at all.

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "bouton/learn/network.hpp"
#include "bouton/learn/optimisers.hpp"
#include "bouton/recipes/recipes.hpp"

namespace bouton::recipes {

struct Transfer {
  std::vector<std::string> taken;                         // layers
  std::vector<std::pair<std::string, std::string>> anew;  // layers, each with the reason
  [[nodiscard]] std::string to_text(const std::filesystem::path& model) const;
};

// Copies into `network` the layers of a model (a file, or the folder of a run) that have the same name and the same
// shapes; neurons, where they are of the same mechanism; but not those `anew` names. A mask that was drawn at random
// comes along with its weights. Codes: those of open_model; unknown-layer (of `recipe`, the file that says anew);
// transfer-nothing.
[[nodiscard]] Result<Transfer> transfer(const std::filesystem::path& model, learn::Network& network,
                                        const std::vector<std::string>& anew = {}, const std::string& recipe = {});

// The parameters that learn, and what the rate of each is multiplied by.
struct Learning {
  learn::Optimiser::NamedParameters parameters;
  std::vector<double> rates;
};
// As `training` says with freeze and rates: each names layers ("conv1"), tensors ("conv1.bias") or, where there is none
// of that name, how names begin ("conv"); the longest name that fits counts. What is frozen asks for no gradient.
// Codes: unknown-layer; nothing-to-learn.
[[nodiscard]] Result<Learning> learning_of(learn::Network& network, const Training& training, const std::string& file);

}  // namespace bouton::recipes
