#pragma once
// The learning rate as a function of the optimiser step: pure functions, so a resumed run needs no state.

#include <cstdint>
#include <string_view>

#include "bouton/base/result.hpp"

namespace bouton::learn {

enum class ScheduleKind { constant, cosine, one_cycle, step, exponential };

struct ScheduleOptions {
  ScheduleKind kind = ScheduleKind::constant;
  double learning_rate = 1e-3;  // the highest
  int64_t steps = 1;            // optimiser steps of the whole run
  double warmup = 0;          // part of the run in which the rate rises linearly from near zero; one_cycle: 0 means 0.3
  double final_factor = 0;    // cosine, one_cycle: the last rate over the highest (one_cycle starts at 1/25)
  int64_t decay_steps = 1;    // step, exponential: steps between (step), or in the course of (exponential), one factor
  double decay_factor = 0.1;  // step, exponential
};

// The rate for optimiser step `step`, 0 <= step < options.steps; steps beyond keep the last rate.
//   constant     the highest
//   cosine       half a cosine from the highest to final_factor times it
//   one_cycle    cosine up from 1/25 in the warm-up part, cosine down to final_factor (Smith & Topin 2018,
//   arXiv:1708.07120) step         times decay_factor every decay_steps exponential  the same, continuously
[[nodiscard]] double learning_rate_at(const ScheduleOptions& options, int64_t step);

// "cosine" -> ScheduleKind::cosine; a diagnostic with the nearest name otherwise.
[[nodiscard]] Result<ScheduleKind> schedule_by_name(std::string_view name);

}  // namespace bouton::learn
