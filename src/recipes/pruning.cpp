// Pruning a trained model: training goes on while the smallest weights are taken out.

#include <optional>

#include "bouton/adapt/prune.hpp"
#include "bouton/recipes/recipes.hpp"
#include "recipes/saved.hpp"

namespace bouton::recipes {
namespace {

namespace fs = std::filesystem;

Status check(const PruneOptions& options) {
  Diagnostic d;
  d.code = "out-of-range";
  if (!(options.sparsity > 0 && options.sparsity < 1)) {
    d.message = "the sparsity must be more than 0 and less than 1, not " + std::to_string(options.sparsity);
    d.hint = "0.9 takes nine weights of ten out";
    return d;
  }
  if (options.epochs < 1) {
    d.message = "the number of epochs must be at least 1, not " + std::to_string(options.epochs);
    return d;
  }
  return Done{};
}

// The recipe of the run that prunes: what the model was trained by, more gently. A word before its text tells it from
// plain training, so that neither run is resumed as the other.
Recipe fine_tuning(const Recipe& trained, const PruneOptions& options) {
  Recipe recipe = trained;
  Training& t = recipe.training;
  t.epochs = options.epochs;
  t.learning_rate *= options.rate_factor;
  t.schedule = "cosine";
  t.decay = t.warmup = 0;
  t.patience = 0;
  t.from.clear();  // it begins with the pruned model itself
  if (!recipe.name.ends_with("-pruned")) recipe.name += "-pruned";
  recipe.text = "# Pruned: sparsity " + std::to_string(options.sparsity) + (options.units ? " of units" : "") +
                (options.per_layer ? " in each layer" : "") + ", rate factor " + std::to_string(options.rate_factor) +
                ", weights of a trained model.\n" + trained.text;
  return recipe;
}

Result<PruneReport> pruned(const fs::path& path, const PruneOptions& options, const Progress& progress) {
  auto opened = open_model(path);
  if (!opened.ok()) return opened.diagnostics();
  LoadedModel& model = opened.value();
  const auto before = evaluate(path, options.training.data, progress);
  if (!before.ok()) return before.diagnostics();

  const adapt::PruneOptions how{.scope = options.per_layer ? adapt::PruneScope::layer : adapt::PruneScope::global,
                                .units = options.units};
  constexpr double ramp = 0.5;
  std::optional<adapt::Pruner> pruner;
  TrainOptions training = options.training;
  training.epochs = options.epochs;
  training.adaptation.begin = [&](learn::Network& network, bool resumed) -> Status {
    if (!resumed) {
      auto done = assign(tensors_of(*network), tensors_of(*model.network), path.string());
      if (!done.ok()) return done;
    }
    pruner.emplace(network, how);  // what is zero now, a run before has pruned
    return Done{};
  };
  training.adaptation.after_step = [&](learn::Network& network, learn::Network* average, int64_t step, int64_t steps) {
    pruner->hold(network);  // first, so that no weight comes back
    // More is taken out at a hundred times of the ramp; after the last of them the rest learns to do without.
    const auto until = static_cast<int64_t>(ramp * static_cast<double>(steps));
    const int64_t every = std::max<int64_t>(1, until / 100);
    if (step <= until ? step % every == 0 : step == until + 1)
      pruner->prune_to(adapt::gradual_sparsity(options.sparsity, step, steps, ramp));
    pruner->hold(network);
    if (average) pruner->hold(*average);
  };
  training.adaptation.settled = [](int64_t step, int64_t steps) {
    return static_cast<double>(step) > ramp * static_cast<double>(steps);
  };

  auto trained = train(fine_tuning(model.recipe, options), training, progress);
  if (!trained.ok()) return trained.diagnostics();
  PruneReport report;
  report.accuracy_before = before.value().accuracy;
  report.training = std::move(trained).value();
  if (report.training.model.empty()) return report;  // interrupted before there was one
  auto saved = open_model(report.training.model);
  if (!saved.ok()) return saved.diagnostics();
  const adapt::Pruner looked_at(saved.value().network, how);
  report.sparsity = looked_at.sparsity();
  for (const auto& layer : looked_at.layers())
    report.layers.push_back({layer.name, layer.weights, layer.kept, layer.units, layer.kept_units});
  return report;
}

}  // namespace

Result<PruneReport> prune(const fs::path& path, const PruneOptions& options, const Progress& progress) {
  if (auto fits = check(options); !fits.ok()) return fits.diagnostics();
  try {
    return pruned(fs::is_directory(path) ? path / "model.bouton" : path, options, progress);
  } catch (const Error& error) {
    return error.diagnostics();
  }
}

}  // namespace bouton::recipes
