#pragma once
// Names in messages, and finding things by them.

#include <algorithm>
#include <string>
#include <vector>

namespace bouton::networks {

[[nodiscard]] inline std::string quoted(const std::string& name) { return "'" + name + "'"; }

template <typename Items>
[[nodiscard]] std::vector<std::string> names_of(const Items& items) {
  std::vector<std::string> names;
  for (const auto& item : items) names.push_back(item.name);
  return names;
}

// The item of that name; null when there is none.
template <typename Items>
[[nodiscard]] auto* find_named(const Items& items, const std::string& name) {
  const auto found = std::find_if(items.begin(), items.end(), [&](const auto& item) { return item.name == name; });
  return found == items.end() ? nullptr : &*found;
}

}  // namespace bouton::networks
