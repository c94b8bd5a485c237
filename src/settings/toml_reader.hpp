#pragma once
// Reading TOML by tables of keys: a section is a list of keys, each with its type, default, meaning and setter. One
// list gives the reader, the "did you mean" hints and the reference in docs/, so the three cannot disagree.

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <toml++/toml.h>

#include "bouton/base/diagnostic.hpp"
#include "bouton/base/result.hpp"
#include "bouton/base/units.hpp"

namespace bouton::settings {

// The admissible values of a number.
struct Range {
  double lower = -std::numeric_limits<double>::infinity();
  double upper = std::numeric_limits<double>::infinity();
  bool lower_open = false, upper_open = false;
  [[nodiscard]] bool contains(double value) const;
  [[nodiscard]] std::string to_text() const;  // "at least 1", "greater than 0 and at most 1"
};

// A parsed file, what was set on the command line in its place, and the errors found in either so far. Positions are
// bytes in one text: that of the file, followed by the settings, one a line.
class TomlDocument {
 public:
  // `kind`: what an error calls the file. A syntax error is the first of errors().
  explicit TomlDocument(SourceText source, std::string kind = "a recipe");

  [[nodiscard]] const toml::table& root() const { return root_; }
  [[nodiscard]] toml::table& root() { return root_; }
  [[nodiscard]] const SourceText& source() const { return *source_; }  // settings included
  [[nodiscard]] std::shared_ptr<const SourceText> shared_source() const { return source_; }
  [[nodiscard]] const std::string& kind() const { return kind_; }
  [[nodiscard]] Span span(const toml::source_region& region) const;

  // Takes "key=value" from the command line into the text, where its parts can be pointed at. The value is TOML or,
  // where it is not ("20 ms"), a text that needs no quotes.
  struct Setting {
    Span key_span;
    std::string key;
    toml::source_region key_region;  // for the toml::key it will get
    toml::table value;               // of one entry
  };
  [[nodiscard]] std::optional<Setting> add_setting(const std::string& text);

  void error(Span span, std::string code, std::string message, std::string hint = {});
  // Diagnostics that others made of source().
  void error(std::vector<Diagnostic> diagnostics);
  [[nodiscard]] bool ok() const { return errors_.empty(); }
  // The errors in the order of the file, then of the settings.
  [[nodiscard]] std::vector<Diagnostic> errors() const;

 private:
  // The nodes of a setting carry a path of their own, by which their place is found.
  struct Place {
    std::shared_ptr<const std::string> path;
    Span span;
  };
  [[nodiscard]] std::size_t offset(const toml::source_position& position) const;
  [[nodiscard]] Diagnostic placed(Diagnostic diagnostic) const;
  std::string kind_;
  std::shared_ptr<SourceText> source_;
  std::size_t file_lines_ = 0;
  std::vector<std::size_t> line_starts_;
  std::vector<Place> places_;  // of settings
  toml::table root_;
  std::vector<Diagnostic> errors_;  // lines of the whole text
};

// One value of the file with its dotted path ("training.epochs"). Each reading function returns nothing after having
// reported what is wrong.
class TomlValue {
 public:
  TomlValue(TomlDocument& document, const toml::node& node, std::string path, Span key)
      : document_(&document), node_(&node), path_(std::move(path)), key_(key) {}

  [[nodiscard]] std::optional<int64_t> integer(const Range& range) const;
  [[nodiscard]] std::optional<double> number(const Range& range) const;
  [[nodiscard]] std::optional<bool> boolean() const;
  [[nodiscard]] std::optional<std::string> text() const;
  [[nodiscard]] std::optional<std::string> choice(const std::vector<std::string>& choices) const;
  [[nodiscard]] std::optional<std::vector<TomlValue>> list() const;
  // The entries of a table, in the order of the file.
  [[nodiscard]] std::optional<std::vector<std::pair<std::string, TomlValue>>> entries() const;
  [[nodiscard]] const toml::table* table() const;
  // A quantity in a string ("20 ms"), in SI; where the dimension is 1, also a plain number.
  [[nodiscard]] std::optional<double> quantity(const Dimension& dimension, const Range& range = {}) const;

  void error(std::string code, std::string message, std::string hint = {}) const;
  void wrong_type(const char* expected) const;
  // Errors that a parser found in the text of this value, from its byte `from` on, shown at their places in the file.
  void error_within(const std::vector<Diagnostic>& diagnostics, std::size_t from = 0) const;
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] Span span() const;
  [[nodiscard]] Span key_span() const { return key_; }
  // Where the characters of a string value begin in the file, when they stand there as they are (no escapes).
  [[nodiscard]] std::optional<std::size_t> verbatim_begin() const;
  [[nodiscard]] TomlDocument& document() const { return *document_; }
  [[nodiscard]] const toml::node& node() const { return *node_; }

 private:
  TomlDocument* document_;
  const toml::node* node_;
  std::string path_;
  Span key_;
};

// What documentation says of one key.
struct KeyDescription {
  std::string name, type, fallback, meaning;
};

template <typename T>
struct Key {
  KeyDescription description;
  std::function<void(const TomlValue&, T&)> read;
  bool required = false;
};

template <typename T>
using Section = std::vector<Key<T>>;

template <typename T>
std::vector<std::string> key_names(const Section<T>& section) {
  std::vector<std::string> names;
  for (const Key<T>& key : section) names.push_back(key.description.name);
  return names;
}

// Reads every entry of `table` by its key's setter; an entry that no key names, and a required key that no entry gives,
// are errors. `path` is the table's dotted path ("" for the root), `where` the span blamed for what is missing.
template <typename T>
void read_section(TomlDocument& document, const toml::table& table, const std::string& path, Span where,
                  const Section<T>& section, T& target) {
  const auto full = [&](const std::string& name) { return path.empty() ? name : path + "." + name; };
  for (auto&& [name, node] : table) {
    const Key<T>* found = nullptr;
    for (const Key<T>& key : section) {
      if (key.description.name == name.str()) found = &key;
    }
    const Span key_span = document.span(name.source());
    if (found == nullptr) {
      document.error(key_span, "unknown-key",
                     "there is no key '" + full(std::string(name.str())) + "' in " + document.kind(),
                     hint_for(name.str(), key_names(section)));
      continue;
    }
    found->read(TomlValue(document, node, full(std::string(name.str())), key_span), target);
  }
  for (const Key<T>& key : section) {
    if (key.required && !table.contains(key.description.name)) {
      document.error(where, "missing-key",
                     "'" + full(key.description.name) + "' is missing: " + key.description.meaning);
    }
  }
}

// Makers of keys for members of T. The default shown in the documentation is that of a default-constructed T.
namespace key {

[[nodiscard]] std::string number_text(double value);

template <typename T>
Key<T> integer(std::string name, int64_t T::*member, Range range, std::string meaning) {
  return {{std::move(name), "integer, " + range.to_text(), std::to_string(T{}.*member), std::move(meaning)},
          [=](const TomlValue& value, T& target) {
            if (const auto v = value.integer(range)) target.*member = *v;
          }};
}

template <typename T>
Key<T> seed(std::string name, uint64_t T::*member, std::string meaning) {
  const Range range{.lower = 0};
  return {{std::move(name), "integer, " + range.to_text(), std::to_string(T{}.*member), std::move(meaning)},
          [=](const TomlValue& value, T& target) {
            if (const auto v = value.integer(range)) target.*member = static_cast<uint64_t>(*v);
          }};
}

template <typename T>
Key<T> number(std::string name, double T::*member, Range range, std::string meaning) {
  return {{std::move(name), "number, " + range.to_text(), number_text(T{}.*member), std::move(meaning)},
          [=](const TomlValue& value, T& target) {
            if (const auto v = value.number(range)) target.*member = *v;
          }};
}

template <typename T>
Key<T> boolean(std::string name, bool T::*member, std::string meaning) {
  return {{std::move(name), "true or false", T{}.*member ? "true" : "false", std::move(meaning)},
          [=](const TomlValue& value, T& target) {
            if (const auto v = value.boolean()) target.*member = *v;
          }};
}

template <typename T>
Key<T> text(std::string name, std::string T::*member, std::string meaning) {
  const std::string fallback = T{}.*member;
  return {{std::move(name), "text", fallback.empty() ? "" : '"' + fallback + '"', std::move(meaning)},
          [=](const TomlValue& value, T& target) {
            if (auto v = value.text()) target.*member = std::move(*v);
          }};
}

[[nodiscard]] std::string choices_text(const std::vector<std::string>& choices);

template <typename T>
Key<T> choice(std::string name, std::string T::*member, std::vector<std::string> choices, std::string meaning) {
  return {{std::move(name), choices_text(choices), '"' + T{}.*member + '"', std::move(meaning)},
          [=](const TomlValue& value, T& target) {
            if (auto v = value.choice(choices)) target.*member = std::move(*v);
          }};
}

// A choice stored as an enumerator. The first name is the default unless T says otherwise.
template <typename T, typename E>
Key<T> enumerator(std::string name, E T::*member, std::vector<std::pair<std::string, E>> choices, std::string meaning) {
  std::vector<std::string> names;
  std::string fallback;
  for (const auto& [text, e] : choices) {
    names.push_back(text);
    if (e == T{}.*member) fallback = '"' + text + '"';
  }
  return {{std::move(name), choices_text(names), fallback, std::move(meaning)}, [=](const TomlValue& value, T& target) {
            const auto chosen = value.choice(names);
            for (const auto& [text, e] : choices) {
              if (chosen && text == *chosen) target.*member = e;
            }
          }};
}

// The value itself, for keys that can only be understood once others are.
template <typename T>
Key<T> later(std::string name, std::optional<TomlValue> T::*member, std::string type, std::string fallback,
             std::string meaning) {
  return {{std::move(name), std::move(type), std::move(fallback), std::move(meaning)},
          [=](const TomlValue& value, T& target) { target.*member = value; }};
}

template <typename T>
Key<T> required(Key<T> key) {
  key.required = true;
  key.description.fallback = "required";
  return key;
}

}  // namespace key
}  // namespace bouton::settings
