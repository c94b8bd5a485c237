#pragma once
// What `doctor` looks at, one function a question. Nothing here needs LibTorch's headers.

#include <string>
#include <vector>

namespace bouton::app {

// One line of the doctor's report. `advice` is empty when all is well.
struct Check {
  std::string name, text, advice;
  [[nodiscard]] bool ok() const { return advice.empty(); }
};

[[nodiscard]] Check check_processor();
[[nodiscard]] Check check_cores();
[[nodiscard]] Check check_load();
[[nodiscard]] Check check_blas();         // the library that is loaded into this process
[[nodiscard]] Check check_blas_core();    // OPENBLAS_CORETYPE
[[nodiscard]] Check check_wait_policy();  // OMP_WAIT_POLICY
[[nodiscard]] Check check_huge_pages();
[[nodiscard]] Check check_cache();
[[nodiscard]] Check check_compiler();  // compiles a small mechanism, as a user's own would be
[[nodiscard]] std::vector<Check> check_data_sets();

}  // namespace bouton::app
