#include "bouton/base/blas.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <map>

namespace bouton {
namespace {

// A function of OpenBLAS, where it is loaded: base itself links no BLAS.
template <typename Function>
Function* loaded(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
}

std::string core_name() {
  auto* const core = loaded<char*()>("openblas_get_corename");
  return core ? core() : "";
}

int kernel_level(std::string core) {
  static const std::map<std::string, int> levels{{"SKYLAKEX", 3}, {"COOPERLAKE", 3}, {"SAPPHIRERAPIDS", 3},
                                                 {"HASWELL", 2},  {"ZEN", 2},        {"EXCAVATOR", 2}};
  std::transform(core.begin(), core.end(), core.begin(), [](unsigned char c) { return std::toupper(c); });
  const auto found = levels.find(core);
  return found == levels.end() ? 1 : found->second;
}

std::string& kernels_before() {
  static std::string name;
  return name;
}

}  // namespace

int processor_vector_level() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl")) {
    return 3;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return 2;
#endif
  return 1;
}

BlasReport blas_report() {
  BlasReport report;
  auto* const config = loaded<char*()>("openblas_get_config");
  auto* const parallel = loaded<int()>("openblas_get_parallel");
  if (!config || !parallel) return report;
  report.openblas = true;
  report.version = config();
  report.threading = static_cast<BlasReport::Threading>(std::clamp(parallel(), 0, 2));
  Dl_info info{};
  if (dladdr(reinterpret_cast<void*>(parallel), &info) && info.dli_fname) report.library = info.dli_fname;
  report.kernels = core_name();
  report.kernels_before = kernels_before();
  report.below_processor = !report.kernels.empty() && kernel_level(report.kernels) < processor_vector_level();
  return report;
}

bool fit_blas_to_processor() {
  const int level = processor_vector_level();
  const std::string before = core_name();
  // The two functions with which OpenBLAS itself sets up its kernels; it reads the variable in the second.
  auto* const forget = loaded<void()>("gotoblas_dynamic_quit");
  auto* const choose = loaded<void()>("gotoblas_dynamic_init");
  if (before.empty() || !forget || !choose || kernel_level(before) >= level || std::getenv("OPENBLAS_CORETYPE"))
    return false;
  setenv("OPENBLAS_CORETYPE", level == 3 ? "SkylakeX" : "Haswell", 1);
  forget();
  choose();
  unsetenv("OPENBLAS_CORETYPE");
  if (core_name() == before) return false;
  kernels_before() = before;
  return true;
}

}  // namespace bouton
