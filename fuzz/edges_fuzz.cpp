// Tables of edges under arbitrary bytes: refused with one diagnostic, or as many sources as targets, weights and
// delays.

#include <cstdint>
#include <cstdlib>

#include "bouton/data/edges.hpp"

namespace {

bool sound(const bouton::Result<bouton::data::Edges>& result) {
  if (!result.ok()) return result.diagnostics().size() == 1 && !result.diagnostics()[0].to_string().empty();
  const bouton::data::Edges& edges = result.value();
  const auto fits = [&](const std::vector<double>& column) {
    return column.empty() || column.size() == edges.source.size();
  };
  return edges.target.size() == edges.source.size() && fits(edges.weight) && fits(edges.delay);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const bouton::data::EdgeTableOptions by_name{
      .source_names = {"AVAL", "AVAR"}, .target_names = {"AVAL", "AVAR"}, .where = {{"type", "chemical"}}};
  if (!sound(bouton::data::parse_edges("fuzz.csv", text)) ||
      !sound(bouton::data::parse_edges("fuzz.csv", text, by_name)))
    std::abort();
  return 0;
}
