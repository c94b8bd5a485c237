// Tables of images under arbitrary bytes: refused with one diagnostic, or a set whose sizes agree.

#include <cstdint>
#include <cstdlib>

#include "data/csv.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto result =
      bouton::data::parse_csv({"fuzz.csv", std::string_view(reinterpret_cast<const char*>(data), size)});
  const bool sound = result.ok() ? result.value().pixels.size() ==
                                           static_cast<std::size_t>(result.value().count * result.value().features()) &&
                                       result.value().labels.size() == static_cast<std::size_t>(result.value().count)
                                 : result.diagnostics().size() == 1 && !result.diagnostics()[0].to_string().empty();
  if (!sound) std::abort();
  return 0;
}
