// Runs one mechanism from a file in double precision and prints, as CSV, every state and the output after each step.
//
//   trace_mechanism FILE --dt SECONDS --steps N [--input NAME=CSV]... [--set PARAMETER=SI]... [--solver NAME]
//
// An input's CSV holds one SI value a line, one a step; an input not named is zero. Values are printed with 17 digits,
// so that nothing is lost on the way to the program that compares them.

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "mechanisms/validation_run.hpp"

namespace {

struct Options {
  std::string file, solver;
  double dt = 0;
  std::size_t steps = 0;
  std::vector<std::pair<std::string, std::string>> inputs, parameters;
};

std::pair<std::string, std::string> split_at_equals(const std::string& text) {
  const std::size_t at = text.find('=');
  if (at == std::string::npos) throw std::invalid_argument("expected NAME=VALUE, not '" + text + "'");
  return {text.substr(0, at), text.substr(at + 1)};
}

Options parse(int count, char** words) {
  Options options;
  for (int k = 1; k < count; ++k) {
    const std::string word = words[k];
    const auto next = [&]() -> std::string {
      if (++k >= count) throw std::invalid_argument(word + " needs a value");
      return words[k];
    };
    if (word == "--dt")
      options.dt = std::stod(next());
    else if (word == "--steps")
      options.steps = std::stoul(next());
    else if (word == "--solver")
      options.solver = next();
    else if (word == "--input")
      options.inputs.push_back(split_at_equals(next()));
    else if (word == "--set")
      options.parameters.push_back(split_at_equals(next()));
    else if (word.rfind("--", 0) == 0)
      throw std::invalid_argument("unknown option " + word);
    else
      options.file = word;
  }
  if (options.file.empty() || options.dt <= 0 || options.steps == 0) {
    throw std::invalid_argument(
        "usage: trace_mechanism FILE --dt SECONDS --steps N [--input NAME=CSV] [--set NAME=SI] [--solver NAME]");
  }
  return options;
}

std::string read_all(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::invalid_argument("cannot read " + path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<double> read_numbers(const std::string& path) {
  std::istringstream text(read_all(path));
  std::vector<double> numbers;
  for (std::string line; std::getline(text, line);) {
    if (!line.empty()) numbers.push_back(std::stod(line));
  }
  return numbers;
}

// The text with its solver line, if any, replaced by the one asked for.
std::string with_solver(const std::string& text, const std::string& solver) {
  if (solver.empty()) return text;
  std::istringstream lines(text);
  std::string result;
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("  solver ", 0) != 0) result += line + "\n";
  }
  return result + "  solver " + solver + "\n";
}

void trace(const Options& options) {
  using namespace bouton;
  const MechanismPtr mechanism =
      load_mechanism_text({options.file, with_solver(read_all(options.file), options.solver)}).value();
  validation::Simulation simulation(mechanism);
  for (const auto& [name, value] : options.parameters) simulation.parameter(name, std::stod(value));
  for (const auto& [name, path] : options.inputs) simulation.input(name, read_numbers(path));
  const auto& states = mechanism->mechanism().states;
  for (const StateVariable& state : states) simulation.record(state.name);
  const validation::Recording run = simulation.run(options.dt, options.steps);

  for (const StateVariable& state : states) std::printf("%s,", state.name.c_str());
  std::printf("output\n");
  for (std::size_t step = 0; step < run.steps; ++step) {
    for (const StateVariable& state : states) std::printf("%.17g,", run.traces.at(state.name)[step]);
    std::printf("%.17g\n", run.output[step]);
  }
}

}  // namespace

int main(int count, char** words) {
  try {
    trace(parse(count, words));
    return 0;
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 2;
  }
}
