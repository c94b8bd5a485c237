#pragma once
// A kernel's C++ to a loaded kernel, by the system compiler, once for each content.

#include <filesystem>
#include <string>

#include "bouton/base/result.hpp"
#include "bouton/mechanisms/kernel_abi.h"
#include "bouton/mechanisms/synapse_abi.h"

namespace bouton {

// The compiler that would be used: $CXX, else c++, g++ or clang++ on PATH; empty when there is none.
[[nodiscard]] std::filesystem::path system_compiler();

// Compiles `source`, whose entry is bouton_user_kernel, or loads what an earlier call or another process compiled.
// Kernels lie in the cache folder under the hash of the source, the compiler and the processor, each with its own
// checksum, so a damaged one is built again. Thread safe; safe across processes. Codes: no-compiler,
// kernel-compile-failed, and those of files.
[[nodiscard]] Result<const bouton_kernel*> load_or_compile(const std::string& source, const std::string& name,
                                                           const std::string& kernel_identity);
[[nodiscard]] Result<const bouton_synapse_kernel*> load_or_compile_synapse(const std::string& source,
                                                                           const std::string& name,
                                                                           const std::string& kernel_identity);

}  // namespace bouton
