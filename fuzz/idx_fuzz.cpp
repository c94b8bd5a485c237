// IDX images and labels, plain or gzipped, under arbitrary bytes. The first two bytes say how long the images' part is.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "data/idx.hpp"

namespace {

constexpr std::size_t most_bytes = std::size_t{1} << 20;

void require(bool condition) {
  if (!condition) std::abort();
}

void check(const bouton::Result<bouton::data::ImageSet>& result, bool labelled) {
  if (!result.ok()) {
    require(result.diagnostics().size() == 1 && !result.diagnostics()[0].to_string().empty());
    return;
  }
  const bouton::data::ImageSet& set = result.value();
  require(set.count > 0 && set.features() > 0);
  require(set.pixels.size() == static_cast<std::size_t>(set.count * set.features()));
  require(set.labels.size() == (labelled ? static_cast<std::size_t>(set.count) : 0));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t split = std::min<std::size_t>(data[0] << 8 | data[1], size - 2);
  const char* text = reinterpret_cast<const char*>(data) + 2;
  const auto images = bouton::data::unpacked("images", std::string(text, split), most_bytes);
  const auto labels = bouton::data::unpacked("labels", std::string(text + split, size - 2 - split), most_bytes);
  if (!images.ok()) return 0;
  check(bouton::data::parse_idx({"images", images.value()}, nullptr), false);
  if (!labels.ok()) return 0;
  const bouton::data::NamedBytes named{"labels", labels.value()};
  check(bouton::data::parse_idx({"images", images.value()}, &named), true);
  return 0;
}
