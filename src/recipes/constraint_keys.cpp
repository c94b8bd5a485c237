#include "recipes/constraint_keys.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <string_view>

#include "bouton/base/files.hpp"
#include "bouton/data/png.hpp"

namespace bouton::recipes {
namespace {

using namespace settings;  // the reader is written in its words
namespace fs = std::filesystem;

constexpr std::size_t largest_mask = std::size_t{1} << 28;  // bytes

struct MaskDraft {
  std::optional<TomlValue> file, rows, density, local, grid, input_grid;
};

Section<MaskDraft> mask_keys() {
  using D = MaskDraft;
  return {
      key::later<D>("file", &D::file, "text", "",
                    "a matrix of 0 and 1, relative to the recipe, with a row for each neuron of the layer and a column "
                    "for each of its inputs: text or CSV, or a PNG whose bright pixels are connections; one of `file`, "
                    "`rows`, `density`, `local` is required"),
      key::later<D>("rows", &D::rows, "text", "", "the same matrix on the spot, between `'''`"),
      key::later<D>("density", &D::density, "number, greater than 0 and at most 1", "",
                    "each neuron has this part of the inputs, drawn from the seed"),
      key::later<D>("local", &D::local, "number, greater than 0", "",
                    "each neuron has the inputs within this distance, counted in the spacing of the inputs. These lie "
                    "as the pixels of the picture they were, those of a recurrent layer as its neurons"),
      key::later<D>("grid", &D::grid, "[rows, columns]", "a line",
                    "of `local`: how the neurons lie, over the whole area of the inputs"),
      key::later<D>("input_grid", &D::input_grid, "[rows, columns]", "see `local`",
                    "of `local`: how the inputs lie, where no picture says it"),
  };
}

std::optional<learn::Grid> read_grid(const std::optional<TomlValue>& value) {
  if (!value) return std::nullopt;
  const auto list = value->list();
  if (!list) return std::nullopt;
  if (list->size() != 2) {
    value->error("wrong-length", "'" + value->path() + "' must be two numbers, [rows, columns]");
    return std::nullopt;
  }
  const Range range{.lower = 1, .upper = 1e6};
  const auto rows = (*list)[0].integer(range), columns = (*list)[1].integer(range);
  if (!rows || !columns) return std::nullopt;
  return learn::Grid{*rows, *columns};
}

struct Problem {
  std::string code, message;
};

// One line of digits 0 and 1, alone or apart from each other.
std::optional<Problem> add_line(std::string_view line, const std::string& where, learn::Connections& mask) {
  std::vector<uint8_t> row;
  for (const char c : line) {
    if (c == ',' || c == ';' || c == ' ' || c == '\t' || c == '\r') continue;
    if (c != '0' && c != '1')
      return Problem{"mask-not-binary", where + " holds '" + std::string(1, c) + "', expected 0 and 1 alone"};
    row.push_back(c == '1' ? 1 : 0);
  }
  if (row.empty()) return std::nullopt;
  if (mask.rows > 0 && static_cast<int64_t>(row.size()) != mask.columns)
    return Problem{"mask-ragged", where + " has " + std::to_string(row.size()) + " entries, those before " +
                                      std::to_string(mask.columns)};
  mask.columns = static_cast<int64_t>(row.size());
  ++mask.rows;
  mask.present.insert(mask.present.end(), row.begin(), row.end());
  return std::nullopt;
}

std::optional<Problem> parse_rows(const std::string& text, const std::string& name, learn::Connections& mask) {
  int64_t line = 1;
  for (std::size_t begin = 0; begin <= text.size(); ++line) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view row = std::string_view(text).substr(begin, end - begin);
    begin = end + 1;
    if (row.starts_with('#')) continue;
    if (auto wrong = add_line(row, "line " + std::to_string(line) + " of " + name, mask)) return wrong;
  }
  if (mask.rows == 0) return Problem{"mask-empty", name + " holds no entry"};
  return std::nullopt;
}

std::string rows_text(const learn::Connections& mask) {
  std::string text = "rows = '''\n";
  for (int64_t i = 0; i < mask.rows * mask.columns; ++i) {
    text += mask.present[static_cast<std::size_t>(i)] == 0 ? '0' : '1';
    if ((i + 1) % mask.columns == 0) text += '\n';
  }
  return text + "'''";
}

void read_file_mask(const TomlValue& value, const LayerFiles& files, learn::Connections& mask) {
  const auto name = value.text();
  if (!name) return;
  const auto bytes = read_file(files.folder / *name, largest_mask);
  const auto refuse = [&](const std::string& code, const std::string& message, const std::string& hint = {}) {
    value.error(code, message, hint);
  };
  if (!bytes.ok()) {
    for (const Diagnostic& d : bytes.diagnostics())
      refuse(d.code, "the mask '" + *name + "' cannot be read: " + d.message, d.hint);
    return;
  }
  if (bytes.value().starts_with("\x89PNG")) {
    const auto picture = data::parse_png(*name, bytes.value(), 1);
    if (!picture.ok()) return refuse(picture.diagnostics().front().code, picture.diagnostics().front().message);
    mask = {picture.value().height, picture.value().width, picture.value().pixels};
    for (uint8_t& pixel : mask.present) pixel = pixel >= 128 ? 1 : 0;
  } else if (const auto wrong = parse_rows(bytes.value(), *name, mask)) {
    return refuse(wrong->code, wrong->message);
  }
  if (files.edits) files.edits->push_back({{value.key_span().begin, value.span().end}, rows_text(mask)});
}

}  // namespace

KeyDescription excitatory_description() {
  return {
      "excitatory", "number, at least 0 and at most 1, or list of integers", "",
      "which inputs (of a convolution: channels) excite: the first part of them, or those of these numbers, from 0. "
      "The others inhibit, and none does both (Dale's law). Weights begin balanced and keep their signs"};
}
KeyDescription bounds_description() { return {"bounds", "[lower, upper]", "none", "the weights stay within"}; }
KeyDescription mask_description() {
  return {"mask", "table", "all", "which inputs a neuron has; the weights of the others stay zero: `[layer.mask]`"};
}

void describe_mask(std::vector<SectionDescription>& sections) {
  describe(sections, "[layer.mask]",
           "Which connections of a layer there are. The others have a weight of zero, always.", mask_keys());
}

void read_excitatory(const TomlValue& value, learn::WeightConstraints& constraints) {
  if (!value.node().is_array()) {
    constraints.excitatory_share = value.number({.lower = 0, .upper = 1});
    return;
  }
  const auto list = value.list();
  if (!list) return;
  constraints.excitatory.emplace();
  for (const TomlValue& entry : *list) {
    if (const auto input = entry.integer({.lower = 0})) constraints.excitatory->push_back(*input);
  }
}

void read_bounds(const TomlValue& value, learn::WeightConstraints& constraints) {
  const auto list = value.list();
  if (!list) return;
  if (list->size() != 2)
    return value.error("wrong-length", "'" + value.path() + "' must be two numbers, [lower, upper]");
  const auto lower = (*list)[0].number({}), upper = (*list)[1].number({});
  if (!lower || !upper) return;
  if (*lower > *upper)
    return value.error("out-of-range", "the lower bound of '" + value.path() + "' must not be above the upper one");
  constraints.lower = *lower;
  constraints.upper = *upper;
}

void read_mask(const TomlValue& value, learn::WeightConstraints& constraints, const LayerFiles& files) {
  const toml::table* table = value.table();
  if (table == nullptr) return;
  MaskDraft draft;
  read_section(value.document(), *table, value.path(), value.key_span(), mask_keys(), draft);
  const int given = int(draft.file.has_value()) + int(draft.rows.has_value()) + int(draft.density.has_value()) +
                    int(draft.local.has_value());
  if (given != 1)
    return value.error(given == 0 ? "missing-key" : "conflicting-keys", "'" + value.path() + "' needs " +
                                                                            (given == 0 ? "one of" : "only one of") +
                                                                            " 'file', 'rows', 'density' and 'local'");
  for (const auto* grid : {&draft.grid, &draft.input_grid}) {
    if (*grid && !draft.local)
      (*grid)->error("option-without-effect", "'" + (*grid)->path() + "' changes nothing without 'local'");
  }
  if (draft.file || draft.rows) {
    auto mask = std::make_shared<learn::Connections>();
    if (draft.file) read_file_mask(*draft.file, files, *mask);
    if (draft.rows) {
      const auto rows = draft.rows->text();
      if (!rows) return;
      if (const auto wrong = parse_rows(*rows, "'" + draft.rows->path() + "'", *mask))
        return draft.rows->error(wrong->code, wrong->message);
    }
    constraints.connections = std::move(mask);
  }
  if (draft.density) constraints.density = draft.density->number({.lower = 0, .upper = 1, .lower_open = true});
  if (draft.local) constraints.radius = draft.local->number({.lower = 0, .lower_open = true});
  if (const auto grid = read_grid(draft.grid)) constraints.grid = *grid;
  if (const auto grid = read_grid(draft.input_grid)) constraints.input_grid = *grid;
}

}  // namespace bouton::recipes
