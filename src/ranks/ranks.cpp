#include "bouton/ranks/ranks.hpp"

#include <sstream>

namespace bouton {
namespace {

std::string packed(const Diagnostic& d) { return d.code + '\n' + d.file + '\n' + d.hint + '\n' + d.message; }

Diagnostic unpacked(const std::string& text) {
  std::istringstream in(text);
  Diagnostic d;
  std::getline(in, d.code);
  std::getline(in, d.file);
  std::getline(in, d.hint);
  std::getline(in, d.message, '\0');
  return d;
}

}  // namespace

void Ranks::all_gather(const std::vector<std::uint32_t>& mine, std::vector<std::uint32_t>& all) { all = mine; }

void Ranks::all_gather_bytes(const std::string& mine, std::vector<std::string>& all) { all = {mine}; }

void Ranks::all_gather_in_place(float* all, std::size_t count) {
  if (this->count() == 1) return;
  std::vector<std::string> parts;
  all_gather_bytes({reinterpret_cast<const char*>(all + static_cast<std::size_t>(rank()) * count), 4 * count}, parts);
  for (const std::string& part : parts) {
    part.copy(reinterpret_cast<char*>(all), part.size());
    all += count;
  }
}

Status Agreement::operator()(const Status& mine) {
  if (ranks_.count() == 1) return mine;
  std::vector<std::string> all;
  ranks_.all_gather_bytes(mine.ok() ? "" : packed(mine.diagnostics().front()), all);
  for (std::size_t rank = 0; rank < all.size(); ++rank) {
    if (all[rank].empty()) continue;
    // Whose it is keeps it whole, with line and caret.
    if (static_cast<int>(rank) == ranks_.rank()) return mine;
    return unpacked(all[rank]);
  }
  return Done{};
}

std::int64_t Agreement::from_first(std::int64_t value) {
  std::vector<std::string> all;
  ranks_.all_gather_bytes(std::to_string(value), all);
  return std::stoll(all.front());
}

}  // namespace bouton
