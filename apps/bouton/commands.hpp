#pragma once
// The commands: each takes what was typed and returns what to print. Progress alone is written as it happens.

#include <nlohmann/json.hpp>
#include <string>

#include "bouton/arguments.hpp"
#include "bouton/base/result.hpp"

namespace bouton::app {

// What a command has to say: `json` when --json was given (docs/json.md), else `text`.
struct Report {
  nlohmann::ordered_json json;
  std::string text;
  int exit_code = 0;
  bool silent = false;  // nothing is to be printed: another process speaks
};

[[nodiscard]] Result<Report> train(const Arguments& arguments);
[[nodiscard]] Result<Report> simulate(const Arguments& arguments);
[[nodiscard]] Result<Report> validate(const Arguments& arguments);
[[nodiscard]] Result<Report> evaluate(const Arguments& arguments);
[[nodiscard]] Result<Report> predict(const Arguments& arguments);
[[nodiscard]] Result<Report> prune(const Arguments& arguments);
[[nodiscard]] Result<Report> tune(const Arguments& arguments);
[[nodiscard]] Result<Report> export_model(const Arguments& arguments);
[[nodiscard]] Result<Report> explain(const Arguments& arguments);
[[nodiscard]] Result<Report> list(const Arguments& arguments);
[[nodiscard]] Result<Report> data_get(const Arguments& arguments);
[[nodiscard]] Result<Report> doctor(const Arguments& arguments);

}  // namespace bouton::app
