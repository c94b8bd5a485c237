#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <torch/version.h>

#include "bouton/commands.hpp"
#include "bouton/machine.hpp"
#include "bouton/output.hpp"

namespace bouton::app {
namespace {

Check check_libtorch() {
  const bool openmp = at::get_parallel_info().find("ATen parallel backend: OpenMP") != std::string::npos;
  Check check{"LibTorch", fmt::format("{}, threading: {}", TORCH_VERSION, openmp ? "OpenMP" : "its own"), ""};
  if (!openmp) {
    check.advice = "it was built without OpenMP: its threads and ours are two pools";
  }
  return check;
}

}  // namespace

Result<Report> doctor(const Arguments&) {
  std::vector<Check> checks{check_processor(), check_cores(),     check_load(),        check_libtorch(),
                            check_blas(),      check_blas_core(), check_wait_policy(), check_huge_pages(),
                            check_cache(),     check_compiler()};
  for (Check& check : check_data_sets()) checks.push_back(std::move(check));

  Report report;
  auto entries = nlohmann::ordered_json::array();
  std::vector<std::vector<std::string>> rows;
  int warnings = 0;
  for (const Check& check : checks) {
    warnings += !check.ok();
    entries.push_back(
        {{"name", check.name}, {"status", check.ok() ? "ok" : "warn"}, {"text", check.text}, {"advice", check.advice}});
    rows.push_back({check.ok() ? "ok  " : "warn", check.name, check.text});
    if (!check.ok()) rows.push_back({"", "", "-> " + check.advice});
  }
  report.json = {
      {"command", "doctor"}, {"version", BOUTON_VERSION}, {"warnings", warnings}, {"checks", std::move(entries)}};
  report.text = fmt::format("bouton {}\n", BOUTON_VERSION) + table(rows, "") +
                (warnings ? fmt::format("{} warning{}\n", warnings, warnings == 1 ? "" : "s") : "all is well\n");
  return report;
}

}  // namespace bouton::app
