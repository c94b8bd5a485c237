// The command `bouton`: parse, call the library, print. Exit codes: 0 done, 2 something the user can put right,
// 3 a fault of ours, 130 interrupted.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>

#include "bouton/base/blas.hpp"
#include "bouton/command_line.hpp"
#include "bouton/commands.hpp"
#include "bouton/output.hpp"

namespace bouton::app {
namespace {

Result<Report> run(const Arguments& arguments) {
  static const std::map<std::string, Result<Report> (*)(const Arguments&)> commands{
      {"train", train},       {"evaluate", evaluate}, {"predict", predict},     {"explain", explain},
      {"simulate", simulate}, {"validate", validate}, {"export", export_model}, {"prune", prune},
      {"tune", tune},         {"list", list},         {"data get", data_get},   {"doctor", doctor}};
  return commands.at(arguments.command)(arguments);
}

std::string one_object(const nlohmann::ordered_json& json) {
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

int print_failure(const std::vector<Diagnostic>& diagnostics, bool json, int exit_code) {
  for (const Diagnostic& diagnostic : diagnostics) {
    std::string text = diagnostic.to_string();
    if (text.empty() || text.back() != '\n') text += '\n';
    fmt::print(stderr, "{}", text);
  }
  if (json) std::fputs(one_object(to_json(diagnostics)).c_str(), stdout);
  return exit_code;
}

// A result that did not arrive whole, as on a full disk, is a failure however well the work went.
int print_result(const std::string& text, int exit_code) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0) return exit_code;
  const int error = errno;
  return print_failure(
      {Diagnostic{.code = error == ENOSPC || error == EDQUOT ? "disk-full" : "file-unwritable",
                  .message = std::string("the result cannot be written to standard output: ") + std::strerror(error)}},
      false, 2);
}

int run(const std::vector<std::string>& words) {
  bool json = std::find(words.begin(), words.end(), "--json") != words.end();  // also when parsing fails
  try {
    const auto parsed = parse_command_line(words);
    if (!parsed) return print_failure(parsed.diagnostics(), json, 2);
    if (const auto* text = std::get_if<std::string>(&parsed.value())) return print_result(*text, 0);
    const auto& arguments = std::get<Arguments>(parsed.value());
    const auto report = run(arguments);
    if (!report) return print_failure(report.diagnostics(), json, 2);
    if (report.value().silent) return report.value().exit_code;
    const std::string text = json ? one_object(report.value().json) : report.value().text;
    return print_result(text, report.value().exit_code);
  } catch (const Error& error) {
    return print_failure(error.diagnostics(), json, 2);
  } catch (const std::exception& fault) {
    std::string first_line = fault.what();  // LibTorch appends a stack trace
    first_line = first_line.substr(0, first_line.find('\n'));
    return print_failure({Diagnostic{.code = "internal",
                                     .message = first_line,
                                     .hint = "this is a fault of bouton; please report it with the command"}},
                         json, 3);
  }
}

}  // namespace
}  // namespace bouton::app

int main(int count, char** words) {
  bouton::fit_blas_to_processor();
  return bouton::app::run(std::vector<std::string>(words + 1, words + count));
}
