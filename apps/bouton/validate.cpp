#include <fmt/format.h>

#include <algorithm>

#include "bouton/commands.hpp"
#include "bouton/experiments/validation.hpp"
#include "bouton/interrupt.hpp"
#include "bouton/output.hpp"
#include "bouton/progress.hpp"

namespace bouton::app {
namespace {

using experiments::ValidationCheck;
using experiments::ValidationGroup;

// The groups asked for by name; without names all quick ones, or all with --slow.
Result<std::vector<const ValidationGroup*>> chosen_groups(const Arguments& arguments) {
  std::vector<const ValidationGroup*> chosen;
  std::vector<std::string> names;
  for (const ValidationGroup& group : experiments::validation_groups()) names.push_back(group.name);
  for (const std::string& name : arguments.files) {
    const auto at = std::find(names.begin(), names.end(), name);
    if (at == names.end()) {
      return Diagnostic{.code = "unknown-group",
                        .message = "there is no group '" + name + "' in the reference set",
                        .hint = hint_for(name, names)};
    }
    chosen.push_back(&experiments::validation_groups()[static_cast<std::size_t>(at - names.begin())]);
  }
  if (!arguments.files.empty()) return chosen;
  for (const ValidationGroup& group : experiments::validation_groups())
    if (arguments.slow || !group.slow) chosen.push_back(&group);
  return chosen;
}

nlohmann::ordered_json to_json(const ValidationCheck& check) {
  return {{"quantity", check.quantity},   {"unit", check.unit},           {"value", check.value},
          {"reference", check.reference}, {"tolerance", check.tolerance}, {"passed", check.passed()},
          {"reason", check.reason},       {"source", check.source}};
}

std::string to_text(const std::string& name, const std::vector<ValidationCheck>& checks) {
  std::vector<std::vector<std::string>> rows;
  for (const ValidationCheck& check : checks) {
    rows.push_back({check.passed() ? "ok" : "WRONG", check.quantity, fmt::format("{:.6g}", check.value),
                    fmt::format("{:.6g}", check.reference), fmt::format("+-{:.2g}", check.tolerance), check.unit});
  }
  return name + "\n" + table(rows);
}

}  // namespace

Result<Report> validate(const Arguments& arguments) {
  const auto groups = chosen_groups(arguments);
  if (!groups) return groups.diagnostics();
  const InterruptGuard interrupt;
  ProgressBar bar("%", 1);
  std::string text;
  auto json = nlohmann::ordered_json::array();
  std::size_t passed = 0, failed = 0;
  for (const ValidationGroup* group : groups.value()) {
    experiments::ValidationOptions options{.threads = static_cast<int>(arguments.threads.value_or(0))};
    options.progress = [&](double done) { bar.update(1, 1, static_cast<int64_t>(done * 100), 100, group->name); };
    options.stop = [] { return InterruptGuard::asked(); };
    const auto checks = group->run(options);
    bar.clear();
    if (!checks) return checks.diagnostics();
    auto list = nlohmann::ordered_json::array();
    for (const ValidationCheck& check : checks.value()) {
      ++(check.passed() ? passed : failed);
      list.push_back(to_json(check));
    }
    json.push_back({{"group", group->name}, {"description", group->description}, {"checks", std::move(list)}});
    text += to_text(group->name + ": " + group->description, checks.value());
  }
  text += fmt::format("{} passed, {} failed\n", passed, failed);
  return Report{.json = {{"command", "validate"}, {"groups", std::move(json)}, {"passed", passed}, {"failed", failed}},
                .text = std::move(text),
                .exit_code = failed > 0 ? 1 : 0};
}

}  // namespace bouton::app
