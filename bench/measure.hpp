#pragma once
// Timing for the benchmark programs: medians, alternating sides, JSON.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace bouton::bench {

// Wall time, or with `--cpu` the time this process had the processor: on a busy machine the only one that means
// anything, and the same on an idle one for a single thread.
inline bool& use_cpu_time() {
  static bool use = false;
  return use;
}

inline double now() {
  timespec time{};
  clock_gettime(use_cpu_time() ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

inline double seconds_of(const std::function<void()>& work) {
  const double start = now();
  work();
  return now() - start;
}

inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return n == 0 ? 0 : n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

inline double least(const std::vector<double>& values) {
  return values.empty() ? 0 : *std::min_element(values.begin(), values.end());
}

inline bool has_flag(int argc, char** argv, const char* flag) {
  return std::any_of(argv + 1, argv + argc, [&](const char* given) { return std::strcmp(given, flag) == 0; });
}

// The number after `name`, or `otherwise`.
inline int option(int argc, char** argv, const char* name, int otherwise) {
  for (int i = 1; i + 1 < argc; ++i) {
    if (std::strcmp(argv[i], name) == 0) return std::atoi(argv[i + 1]);
  }
  return otherwise;
}

// {"a": 1, ...}: numbers by name, in order.
inline void print_json(const std::vector<std::pair<std::string, double>>& values) {
  std::printf("{");
  for (std::size_t i = 0; i < values.size(); ++i)
    std::printf("%s\"%s\": %.6g", i ? ", " : "", values[i].first.c_str(), values[i].second);
  std::printf("}\n");
}

}  // namespace bouton::bench
