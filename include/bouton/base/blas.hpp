#pragma once
// The matrix library this process loaded, and whether it uses what the processor has.

#include <string>

namespace bouton {

// 3: AVX-512, 2: AVX2 with FMA, 1: less.
[[nodiscard]] int processor_vector_level();

struct BlasReport {
  bool openblas = false;  // false: another BLAS, or none; the rest is then empty
  std::string version;    // "OpenBLAS 0.3.21 ..."
  std::string library;    // path of the file
  enum class Threading { sequential, own_threads, openmp } threading = Threading::sequential;
  std::string kernels;           // the processor its kernels are for: "SkylakeX", "Haswell", "Prescott"
  std::string kernels_before;    // what it had chosen by itself, when fit_blas_to_processor() chose better
  bool below_processor = false;  // the kernels use narrower vectors than the processor has
};
[[nodiscard]] BlasReport blas_report();

// An OpenBLAS older than the processor does not know it and falls back to kernels of twenty years ago: matrix products
// are then five times slower. Where that has happened, makes it take the widest kernels the processor can run. Respects
// OPENBLAS_CORETYPE. Call at the start of main, before any matrix product and any other thread; does nothing without
// OpenBLAS. Returns whether anything was changed.
bool fit_blas_to_processor();

}  // namespace bouton
