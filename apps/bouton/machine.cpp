#include "bouton/machine.hpp"

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "bouton/base/blas.hpp"
#include "bouton/base/files.hpp"
#include "bouton/data/images.hpp"
#include "bouton/mechanisms/mechanisms.hpp"
#include "bouton/output.hpp"

namespace bouton::app {
namespace {

namespace fs = std::filesystem;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

std::string first_line(const fs::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

std::string processor_model() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    if (line.rfind("model name", 0) == 0 && line.find(':') + 2 < line.size()) return line.substr(line.find(':') + 2);
  }
  return "unknown processor";
}

int usable_cores() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  return static_cast<int>(std::thread::hardware_concurrency());
}

}  // namespace

Check check_processor() {
  const char* const names[] = {"", "without AVX2", "AVX2", "AVX-512"};
  Check check{"processor", fmt::format("{}, {}", processor_model(), names[processor_vector_level()]), ""};
#if defined(__x86_64__)
  if (processor_vector_level() < 2) check.advice = "kernels run several times slower without AVX2 and FMA";
#endif
  return check;
}

Check check_cores() {
  const int cores = usable_cores();
  Check check{"cores", fmt::format("{} usable of {}", cores, std::thread::hardware_concurrency()), ""};
  const std::string limit = environment("OMP_NUM_THREADS");
  if (!limit.empty() && std::atoi(limit.c_str()) < cores) {
    check.advice = fmt::format("OMP_NUM_THREADS={} leaves cores unused; unset it", limit);
  }
  return check;
}

Check check_load() {
  double load = 0;
  if (getloadavg(&load, 1) != 1) return {"load", "unknown", ""};
  Check check{"load", fmt::format("{:.1f} running on average over the last minute", load), ""};
  if (load > 0.5 * usable_cores() + 0.5)
    check.advice = "other programs are at work: training is slower, and timings mean little";
  return check;
}

Check check_blas() {
  const BlasReport blas = blas_report();
  const char* const install = "install libopenblas0-openmp and build again";
  if (!blas.openblas) {
    return {"BLAS", "not OpenBLAS", fmt::format("matrix products may be 30 times slower: {}", install)};
  }
  const char* const names[] = {"one thread", "own threads (pthread)", "OpenMP"};
  const std::string version = blas.version.substr(0, blas.version.find(' ', blas.version.find(' ') + 1));
  Check check{"BLAS",
              fmt::format("{}, threading: {}, {}", version, names[static_cast<int>(blas.threading)], blas.library), ""};
  if (blas.threading == BlasReport::Threading::own_threads) {
    check.advice = fmt::format("its thread pool fights LibTorch's, two threads run slower than one: {}", install);
  }
  if (blas.threading == BlasReport::Threading::sequential) {
    check.advice = fmt::format("it uses one core only: {}", install);
  }
  return check;
}

Check check_blas_core() {
  const BlasReport blas = blas_report();
  const std::string forced = environment("OPENBLAS_CORETYPE");
  Check check{"BLAS kernels", blas.kernels.empty() ? "unknown" : "for " + blas.kernels, ""};
  if (!blas.kernels_before.empty()) {
    check.text += fmt::format(", chosen by Bouton: this OpenBLAS does not know the processor and had taken {}",
                              blas.kernels_before);
  }
  if (blas.below_processor) {
    check.advice =
        forced.empty()
            ? "OpenBLAS does not know this processor and runs below what it has: set OPENBLAS_CORETYPE"
            : fmt::format("OPENBLAS_CORETYPE={} is below what this processor has and can halve the speed: unset it",
                          forced);
  }
  return check;
}

Check check_wait_policy() {
  const std::string policy = environment("OMP_WAIT_POLICY");
  Check check{"OMP_WAIT_POLICY", policy.empty() ? "not set" : policy, ""};
  if (policy != "passive" && policy != "PASSIVE") {
    check.advice =
        "threads spin while they wait, which slows everything down where other programs run: set it to passive (the "
        "launcher ./bouton does)";
  }
  return check;
}

Check check_huge_pages() {
  const std::string setting = first_line("/sys/kernel/mm/transparent_hugepage/enabled");
  if (setting.empty()) return {"huge pages", "not known to this kernel", ""};
  const auto open = setting.find('['), close = setting.find(']');
  const std::string chosen = open < close ? setting.substr(open + 1, close - open - 1) : setting;
  Check check{"huge pages", chosen, ""};
  if (chosen == "never") {
    check.advice =
        "the first use of memory is up to eight times slower: echo madvise > "
        "/sys/kernel/mm/transparent_hugepage/enabled (as root)";
  }
  return check;
}

Check check_cache() {
  const fs::path folder = cache_folder();
  Check check{"cache", folder.string(), ""};
  const Status made = make_folder(folder);
  if (!made)
    check.advice = made.diagnostics().front().message + "; name another folder with BOUTON_CACHE";
  else if (access(folder.c_str(), W_OK) != 0)
    check.advice = "it is not writable; name another folder with BOUTON_CACHE";
  return check;
}

Check check_compiler() {
  // A name of its own each time, so that the compiler really runs; in a cache that is thrown away.
  std::string pattern = (fs::temp_directory_path() / "bouton-doctor-XXXXXX").string();
  if (!mkdtemp(pattern.data())) return {"compiler", "not tried", "the folder for temporary files is not writable"};
  const std::string before = environment("BOUTON_CACHE");
  setenv("BOUTON_CACHE", pattern.c_str(), 1);
  const auto begun = std::chrono::steady_clock::now();
  const auto failure = [&]() -> std::string {
    const auto mechanism = load_mechanism_text(
        {"<doctor>", fmt::format("neuron doctor_{}\n  \"A leaky integrator\"\n  parameter tau = 10 ms\n  input I : 1\n"
                                 "  dv/dt = (I - v)/tau : 1\n  spike when v > 1:\n    v = 0\n",
                                 getpid())});
    if (!mechanism) return mechanism.diagnostics().front().message;
    const auto kernel = mechanism.value()->kernel(Scalar::float32);
    return kernel ? "" : kernel.diagnostics().front().message;
  }();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  before.empty() ? unsetenv("BOUTON_CACHE") : setenv("BOUTON_CACHE", before.c_str(), 1);
  std::error_code ignored;
  fs::remove_all(pattern, ignored);
  if (!failure.empty()) return {"compiler", "cannot compile a neuron of your own", failure};
  return {"compiler", fmt::format("a neuron of your own compiles in {:.2f} s", seconds), ""};
}

std::vector<Check> check_data_sets() {
  std::vector<Check> checks;
  for (const auto& set : data::known_sets()) {
    checks.push_back({"data " + set.name, set.present ? set.folder.string() : "not here",
                      set.present ? "" : fmt::format("obtain it with  {} data get {}", program_name(), set.name)});
  }
  return checks;
}

}  // namespace bouton::app
