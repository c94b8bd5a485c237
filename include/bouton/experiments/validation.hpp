#pragma once
// The reference set: what Bouton's simulator gives, beside what others published or an independent program computed.

#include <functional>
#include <string>
#include <vector>

#include "bouton/base/result.hpp"

namespace bouton::experiments {

// One number. It passes when value and reference differ by the tolerance at most; numbers that are not finite fail.
struct ValidationCheck {
  std::string quantity, unit;
  double value = 0, reference = 0, tolerance = 0;
  std::string reason;  // why the tolerance is what it is
  std::string source;  // where the reference comes from
  [[nodiscard]] bool passed() const;
};

struct ValidationOptions {
  int threads = 0;                            // 0: one for each core
  std::function<void(double done)> progress;  // of the group, 0..1, from one thread
  std::function<bool()> stop;                 // asked now and then; true: give up with code "interrupted"
};

// Checks that belong together. `run` simulates; it fails only where nothing could be measured (codes of the simulator),
// not where a number is wrong.
struct ValidationGroup {
  std::string name, description;
  bool slow = false;  // minutes, gigabytes
  std::function<Result<std::vector<ValidationCheck>>(const ValidationOptions&)> run;
};

// In the order in which they are printed. Immutable; thread safe.
[[nodiscard]] const std::vector<ValidationGroup>& validation_groups();

}  // namespace bouton::experiments
