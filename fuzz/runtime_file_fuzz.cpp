// A runtime file under arbitrary bytes: refused with one diagnostic, or read; then it is written and read again as the
// same, and a network that fits into a few megabytes is loaded and stepped.

#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "bouton/runtime/runtime_file.hpp"
#include "runtime/network.hpp"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void step(const bouton::runtime::RuntimeFile& file) {
  const auto plan = bouton::runtime::Plan::make(file, std::size_t{1} << 22);
  if (!plan.ok()) return;
  const auto network = bouton_network::make(plan.value());
  if (!network.ok()) return;
  const bouton_network_info info = plan.value()->info();
  const std::vector<float> input(info.inputs, 1.0F);
  std::vector<float> output(info.outputs);
  for (int t = 0; t < 2; ++t) network.value()->step(input.data(), output.data());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const bouton::Checksums checksums : {bouton::Checksums::verify, bouton::Checksums::ignore}) {
    const auto file = bouton::runtime::parse_runtime_file("fuzz.bouton", bytes, checksums);
    require(file.ok() || file.diagnostics().size() == 1);
    if (file.ok()) step(file.value());
  }
  return 0;
}
