#include "settings/overrides.hpp"

#include <algorithm>
#include <charconv>

namespace bouton::settings {
namespace {

// "projections[2].weight" -> "projections", "[2]", "weight". Parts between quotes may hold dots.
std::vector<std::string> split_path(const std::string& path) {
  std::vector<std::string> parts(1);
  char quote = 0;
  for (const char c : path) {
    if (quote != 0 || c == '"' || c == '\'') {
      if (quote == 0)
        quote = c;
      else if (c == quote)
        quote = 0;
      else
        parts.back() += c;
    } else if (c == '.' || c == '[') {
      parts.emplace_back(c == '[' ? "[" : "");
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

std::vector<std::string> keys_of(const toml::table& table) {
  std::vector<std::string> keys;
  for (auto&& [key, node] : table) keys.emplace_back(key.str());
  return keys;
}

// Moved nodes keep their place in the text; copied ones would lose it.
void place(toml::table& table, toml::key key, toml::node& node) {
  toml::table* own = table.contains(key.str()) ? table.get(key.str())->as_table() : nullptr;
  if (toml::table* more = node.as_table(); own != nullptr && more != nullptr) {
    for (auto&& [name, entry] : *more) place(*own, name, entry);
    return;
  }
  table.erase(key.str());
  node.visit([&](auto& concrete) { table.insert(std::move(key), std::move(concrete)); });
}

class Override {
 public:
  Override(TomlDocument& document, const OverrideRules& rules, const std::string& path, Span where)
      : document_(document), rules_(rules), parts_(split_path(path)), where_(where) {
    const bool section = std::find(rules_.sections.begin(), rules_.sections.end(), parts_[0]) != rules_.sections.end();
    if (parts_.size() == 1 && !section && !rules_.shorthand.empty()) parts_.insert(parts_.begin(), rules_.shorthand);
  }

  void apply(const toml::source_region& key_region, toml::node& value) {
    if (std::find(rules_.sections.begin(), rules_.sections.end(), parts_[0]) == rules_.sections.end())
      return unknown("there is no section '" + parts_[0] + "' in " + document_.kind(), parts_[0], rules_.sections);
    toml::table* table = &document_.root();
    for (std::size_t i = 0; i + 1 < parts_.size(); ++i) {
      if (!may_be_made(i) && !table->contains(parts_[i])) return unknown_entry(i, keys_of(*table));
      if (!table->contains(parts_[i]))
        table->insert(toml::key(parts_[i], toml::source_region(key_region)), toml::table{});
      toml::node* next = table->get(parts_[i]);
      if (toml::array* list = next->as_array()) {
        if (i + 2 >= parts_.size()) break;
        next = element(*list, ++i);
        if (next == nullptr) return;
      }
      table = next->as_table();
      if (table == nullptr) {
        return document_.error(where_, "unknown-key", "'" + joined(i + 1) + "' is a value: it has no keys of its own");
      }
    }
    const std::size_t last = parts_.size() - 1;
    if (!may_be_made(last) && !table->contains(parts_[last])) return unknown_entry(last, keys_of(*table));
    place(*table, toml::key(parts_[last], toml::source_region(key_region)), value);
  }

 private:
  [[nodiscard]] bool may_be_made(std::size_t depth) const {
    return depth != 1 || std::find(rules_.named.begin(), rules_.named.end(), parts_[0]) == rules_.named.end();
  }

  [[nodiscard]] std::string joined(std::size_t count) const {
    std::string out;
    for (std::size_t i = 0; i < count; ++i) out += (i == 0 || parts_[i].starts_with('[') ? "" : ".") + parts_[i];
    return out;
  }

  void unknown(const std::string& message, const std::string& name, const std::vector<std::string>& known) {
    document_.error(where_, "unknown-key", message, hint_for(name, known));
  }
  void unknown_entry(std::size_t depth, const std::vector<std::string>& known) {
    unknown("there is no '" + joined(depth + 1) + "' to set", parts_[depth], known);
  }

  toml::node* element(toml::array& list, std::size_t depth) {
    const std::string& part = parts_[depth];
    if (part.starts_with('[')) {
      std::size_t number = 0;
      const auto [end, failed] = std::from_chars(part.data() + 1, part.data() + part.size(), number);
      if (failed == std::errc{} && end == part.data() + part.size() - 1 && *end == ']' && number >= 1 &&
          number <= list.size())
        return list.get(number - 1);
      document_.error(where_, "unknown-key", "there is no '" + joined(depth + 1) + "' to set",
                      "the list has " + std::to_string(list.size()) + ", counted from [1]");
      return nullptr;
    }
    std::vector<std::string> known;
    for (toml::node& node : list) {
      const toml::table* entry = node.as_table();
      if (entry == nullptr) continue;
      std::vector<std::string> names = rules_.other_names ? rules_.other_names(*entry) : std::vector<std::string>{};
      if (const auto name = (*entry)["name"].value<std::string>()) names.push_back(*name);
      for (const std::string& name : names) {
        if (name == part) return &node;
        known.push_back(name);
      }
    }
    unknown_entry(depth, known);
    return nullptr;
  }

  TomlDocument& document_;
  const OverrideRules& rules_;
  std::vector<std::string> parts_;
  Span where_;
};

}  // namespace

void apply_variant(TomlDocument& document, const std::string& name, const OverrideRules& rules) {
  toml::table* variants = document.root()["variants"].as_table();
  if (variants == nullptr || !variants->contains(name)) {
    const std::vector<std::string> known = variants ? keys_of(*variants) : std::vector<std::string>{};
    return document.error({Diagnostic{.code = "unknown-variant",
                                      .message = "there is no section [variants." + name + "]",
                                      .file = document.source().name,
                                      .hint = known.empty() ? "the file has no variants" : hint_for(name, known)}});
  }
  toml::table* chosen = variants->get(name)->as_table();
  if (chosen == nullptr) {
    const Span where = document.span(variants->find(name)->first.source());
    return document.error(where, "wrong-type", "'variants." + name + "' must be a table");
  }
  for (auto&& [key, node] : *chosen) {
    Override(document, rules, std::string(key.str()), document.span(key.source())).apply(key.source(), node);
  }
}

void apply_settings(TomlDocument& document, const std::vector<std::string>& settings, const OverrideRules& rules) {
  for (const std::string& text : settings) {
    auto setting = document.add_setting(text);
    if (!setting) continue;
    Override(document, rules, setting->key, setting->key_span)
        .apply(setting->key_region, setting->value.begin()->second);
  }
}

}  // namespace bouton::settings
