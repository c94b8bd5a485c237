// The archive and the model file under arbitrary bytes: refused with one diagnostic, or read, and then what was read is
// written and read again as the same. Sums are also ignored, so that the fuzzer gets behind them.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "bouton/base/archive.hpp"
#include "bouton/exchange/model_file.hpp"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const bouton::Checksums checksums : {bouton::Checksums::verify, bouton::Checksums::ignore}) {
    const auto archive = bouton::parse_archive("fuzz.bouton", bytes, "model", checksums);
    require(archive.ok() || archive.diagnostics().size() == 1);
    for (const bouton::Diagnostic& d : archive.diagnostics()) require(!d.code.empty() && !d.to_string().empty());
    if (archive.ok()) {
      const auto again = bouton::archive_bytes(archive.value());
      require(again.ok());
      require(bouton::parse_archive("again", again.value(), "model").value() == archive.value());
    }
    const auto model = bouton::parse_model("fuzz.bouton", bytes, checksums);
    require(model.ok() || model.diagnostics().size() == 1);
  }
  return 0;
}
