#include "bouton/learn/schedules.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <vector>

namespace bouton::learn {
namespace {

constexpr double one_cycle_start = 1.0 / 25, one_cycle_warmup = 0.3;

// From `from` at part 0 to `to` at part 1 along half a cosine.
double half_cosine(double from, double to, double part) {
  return to + (from - to) * (1 + std::cos(std::numbers::pi * part)) / 2;
}

}  // namespace

double learning_rate_at(const ScheduleOptions& options, int64_t step) {
  const auto steps = static_cast<double>(std::max<int64_t>(1, options.steps));
  const double at = std::clamp(static_cast<double>(step), 0.0, steps - 1);
  const bool cycle = options.kind == ScheduleKind::one_cycle;
  const double rising = std::floor(steps * (cycle && options.warmup == 0 ? one_cycle_warmup : options.warmup));
  if (at < rising) {
    return options.learning_rate * (cycle ? half_cosine(one_cycle_start, 1, at / rising) : (at + 1) / (rising + 1));
  }
  const double part = (at - rising) / std::max(1.0, steps - 1 - rising);
  const double periods = (at - rising) / static_cast<double>(std::max<int64_t>(1, options.decay_steps));
  switch (options.kind) {
    case ScheduleKind::constant:
      break;
    case ScheduleKind::cosine:
    case ScheduleKind::one_cycle:
      return options.learning_rate * half_cosine(1, options.final_factor, part);
    case ScheduleKind::step:
      return options.learning_rate * std::pow(options.decay_factor, std::floor(periods));
    case ScheduleKind::exponential:
      return options.learning_rate * std::pow(options.decay_factor, periods);
  }
  return options.learning_rate;
}

Result<ScheduleKind> schedule_by_name(std::string_view name) {
  static const std::vector<std::pair<std::string, ScheduleKind>> known = {{"constant", ScheduleKind::constant},
                                                                          {"cosine", ScheduleKind::cosine},
                                                                          {"one_cycle", ScheduleKind::one_cycle},
                                                                          {"step", ScheduleKind::step},
                                                                          {"exponential", ScheduleKind::exponential}};
  std::vector<std::string> names;
  for (const auto& [text, kind] : known) {
    if (text == name) return kind;
    names.push_back(text);
  }
  Diagnostic diagnostic;
  diagnostic.code = "unknown-schedule";
  diagnostic.message = "there is no learning-rate schedule '" + std::string(name) + "'";
  diagnostic.hint = hint_for(name, names);
  return diagnostic;
}

}  // namespace bouton::learn
