#include "bouton/data/tables.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numbers>
#include <numeric>

#include "base/about_path.hpp"
#include "data/number_table.hpp"

namespace bouton::data {
namespace {

constexpr float unknown = std::numeric_limits<float>::quiet_NaN();

// Mean and deviation of the values that are known; a deviation of 0 becomes 1.
struct Standard {
  double mean = 0, deviation = 1;
  explicit Standard(const std::vector<double>& values) {
    double count = 0, sum = 0, squares = 0;
    for (const double v : values) {
      if (std::isnan(v)) continue;
      count += 1;
      sum += v;
    }
    if (count == 0) return;
    mean = sum / count;
    for (const double v : values)
      if (!std::isnan(v)) squares += (v - mean) * (v - mean);
    if (squares > 0) deviation = std::sqrt(squares / count);
  }
};

// ------------------------------------------------------------------------------------------------- a sample a row

struct RowParts {
  std::vector<int64_t> train, test;  // train ends with the validation rows
  int64_t validation = 0;
};

RowParts row_parts(int64_t rows, const TableOptions& options) {
  std::vector<int64_t> order(static_cast<std::size_t>(rows));
  std::iota(order.begin(), order.end(), int64_t{0});
  if (options.order == RowOrder::shuffled) order = shuffled(rows, options.seed, 0);
  const auto test = static_cast<int64_t>(std::llround(options.test * static_cast<double>(rows)));
  RowParts parts;
  parts.train.assign(order.begin(), order.end() - test);
  parts.test.assign(order.end() - test, order.end());
  parts.validation = static_cast<int64_t>(std::llround(options.validation * static_cast<double>(rows)));
  return parts;
}

// The classes by name, in alphabetical order.
std::vector<std::string> names_in(const std::vector<std::string>& cells) {
  std::map<std::string, int> seen;
  for (const std::string& cell : cells) seen[cell];
  std::vector<std::string> names;
  for (const auto& [name, unused] : seen) names.push_back(name);
  return names;
}

class RowSamples {
 public:
  RowSamples(const NumberTable& table, const TableOptions& options) : table_(table), options_(options) {}

  Result<ImageData> make() {
    const auto target = table_.column(options_.target);
    if (!target.ok()) return target.diagnostics();
    target_ = target.value();
    if (auto taken = take_inputs(); !taken.ok()) return taken.diagnostics();
    if (auto taken = take_target(); !taken.ok()) return taken.diagnostics();
    const RowParts parts = row_parts(table_.rows, options_);
    const auto training = static_cast<int64_t>(parts.train.size()) - parts.validation;
    if (training < 1 || parts.test.empty())
      return about_path(table_.name, "too-few-rows",
                        "the table's " + std::to_string(table_.rows) + " rows leave " +
                            std::to_string(std::max<int64_t>(0, training)) + " to train and " +
                            std::to_string(parts.test.size()) + " to test on");
    for (auto& input : inputs_) standardise(input, parts.train, training);
    ImageData data;
    data.name = options_.file;
    data.validation = parts.validation;
    if (options_.numbers) scale_ = Standard(known(numbers_, parts.train, training));
    data.train = samples(parts.train);
    data.test = samples(parts.test);
    return data;
  }

 private:
  Status take_inputs() {
    for (const std::string& name : options_.leave) {
      if (const auto there = table_.column(name); !there.ok()) return there.diagnostics();
    }
    for (std::size_t c = 0; c < table_.columns.size(); ++c) {
      const bool left =
          std::find(options_.leave.begin(), options_.leave.end(), table_.columns[c]) != options_.leave.end();
      if (c == target_ || left) continue;
      auto values = table_.numbers(c);
      if (!values.ok()) return values.diagnostics();
      inputs_.push_back(std::move(values).value());
    }
    if (inputs_.empty())
      return about_path(table_.name, "missing-column", "the table has no column beside '" + options_.target + "'");
    return Done{};
  }

  Status take_target() {
    if (options_.numbers) {
      auto values = table_.numbers(target_);
      if (!values.ok()) return values.diagnostics();
      numbers_ = std::move(values).value();
      return Done{};
    }
    class_names_ = names_in(table_.cells[target_]);
    if (class_names_.size() > 256)
      return about_path(table_.name, "too-many-classes",
                        "the column '" + options_.target + "' has " + std::to_string(class_names_.size()) +
                            " different values; at most 256 classes are told apart",
                        "for a number to be learned, set target_kind = \"number\"");
    return Done{};
  }

  static std::vector<double> known(const std::vector<double>& values, const std::vector<int64_t>& rows, int64_t count) {
    std::vector<double> part;
    for (int64_t i = 0; i < count; ++i)
      part.push_back(values[static_cast<std::size_t>(rows[static_cast<std::size_t>(i)])]);
    return part;
  }

  // What is missing becomes the mean.
  static void standardise(std::vector<double>& values, const std::vector<int64_t>& rows, int64_t count) {
    const Standard standard(known(values, rows, count));
    for (double& v : values) v = std::isnan(v) ? 0 : (v - standard.mean) / standard.deviation;
  }

  [[nodiscard]] ImageSet samples(const std::vector<int64_t>& rows) const {
    ImageSet set;
    set.count = static_cast<int64_t>(rows.size());
    set.channels = set.height = 1;
    set.width = static_cast<int64_t>(inputs_.size());
    set.class_names = class_names_;
    for (const int64_t row : rows) {
      const auto r = static_cast<std::size_t>(row);
      for (const auto& input : inputs_) set.values.push_back(static_cast<float>(input[r]));
      if (options_.numbers) {
        set.targets.numbers.push_back(static_cast<float>((numbers_[r] - scale_.mean) / scale_.deviation));
      } else {
        const auto at = std::lower_bound(class_names_.begin(), class_names_.end(), table_.cells[target_][r]);
        set.labels.push_back(static_cast<uint8_t>(at - class_names_.begin()));
      }
    }
    if (options_.numbers) {
      set.targets.outputs = 1;
      set.targets.scale = scale_.deviation;
      set.targets.offset = scale_.mean;
    }
    return set;
  }

  const NumberTable& table_;
  const TableOptions& options_;
  std::size_t target_ = 0;
  std::vector<std::vector<double>> inputs_;  // [column][row]
  std::vector<double> numbers_;
  std::vector<std::string> class_names_;
  Standard scale_{std::vector<double>{}};
};

// ------------------------------------------------------------------------------------------------ series in time

using Column = std::vector<double>;

Column transformed(const Column& values, Transform transform) {
  if (transform == Transform::none) return values;
  Column out(values.size(), std::numeric_limits<double>::quiet_NaN());
  double last = std::numeric_limits<double>::quiet_NaN();
  for (std::size_t t = 0; t < values.size(); ++t) {
    if (std::isnan(values[t]) || values[t] <= 0) continue;
    const double change = 100 * std::log(values[t] / last);
    out[t] = transform == Transform::absolute_return ? std::abs(change) : change;
    last = values[t];
  }
  return out;
}

// What is missing is the last value known.
Column filled(const Column& values) {
  Column out = values;
  double last = 0;
  for (const double v : values) {
    if (std::isnan(v)) continue;
    last = v;
    break;
  }
  for (double& v : out) {
    if (std::isnan(v)) v = last;
    last = v;
  }
  return out;
}

class SeriesSamples {
 public:
  SeriesSamples(const std::filesystem::path& folder, const SeriesOptions& options) : folder_(folder), o_(options) {}

  Result<ImageData> make() {
    auto table = read_number_table(folder_ / o_.file, true);
    if (!table.ok()) return table.diagnostics();
    if (auto taken = take_series(table.value()); !taken.ok()) return taken.diagnostics();
    if (auto taken = take_neighbours(); !taken.ok()) return taken.diagnostics();
    const auto steps = static_cast<int64_t>(raw_.front().size());
    const auto test = static_cast<int64_t>(std::llround(o_.test * static_cast<double>(steps)));
    const auto validation = static_cast<int64_t>(std::llround(o_.validation * static_cast<double>(steps)));
    const int64_t training = steps - test - validation;
    for (const int64_t stretch : {training, validation > 0 ? validation : training, test}) {
      if (stretch < reach() + 1)
        return about_path((folder_ / o_.file).string(), "series-too-short",
                          "a stretch of " + std::to_string(std::max<int64_t>(0, stretch)) + " of the " +
                              std::to_string(steps) + " steps holds no sample: window and horizon reach over " +
                              std::to_string(reach() + 1));
    }
    standard_ = standard_of(training);
    ImageData data;
    data.name = o_.file;
    data.train = empty_set();
    data.test = empty_set();
    add(data.train, 0, training);
    const int64_t before = data.train.count;
    if (validation > 0) add(data.train, training, training + validation);
    data.validation = data.train.count - before;
    baselines_ = {{o_.transform == Transform::none         ? "last value"
                   : o_.transform == Transform::log_return ? "zero"
                                                           : "last value",
                   {}},
                  {"window mean", {}}};
    collect_ = true;
    add(data.test, steps - test, steps);
    data.baselines = std::move(baselines_);
    return data;
  }

 private:
  [[nodiscard]] int64_t reach() const { return o_.window - 1 + o_.horizons.back(); }

  Status take_series(const NumberTable& table) {
    std::vector<std::size_t> columns;
    for (const std::string& name : o_.columns) {
      const auto at = table.column(name);
      if (!at.ok()) return at.diagnostics();
      columns.push_back(at.value());
    }
    for (std::size_t c = 0; o_.columns.empty() && c < table.columns.size(); ++c)
      if (table.holds_numbers(c)) columns.push_back(c);
    if (columns.empty()) return about_path(table.name, "missing-column", "no column of the table holds numbers");
    for (const std::size_t c : columns) {
      auto values = table.numbers(c);
      if (!values.ok()) return values.diagnostics();
      raw_.push_back(transformed(values.value(), o_.transform));
      filled_.push_back(filled(raw_.back()));
    }
    return Done{};
  }

  // The weighted mean of each series' neighbours, itself left out; a series without any sees itself.
  Status take_neighbours() {
    if (o_.neighbours.empty()) return Done{};
    auto table = read_number_table(folder_ / o_.neighbours, false);
    if (!table.ok()) return table.diagnostics();
    const std::size_t n = raw_.size();
    if (table.value().columns.size() != n || table.value().rows != static_cast<int64_t>(n))
      return about_path(table.value().name, "neighbours-shape",
                        "the weights between " + std::to_string(n) + " series are " + std::to_string(n) +
                            " rows of as many, not " + std::to_string(table.value().rows) + " rows of " +
                            std::to_string(table.value().columns.size()));
    std::vector<Column> weights;  // [column][row]
    for (std::size_t c = 0; c < n; ++c) {
      auto column = table.value().numbers(c);
      if (!column.ok()) return column.diagnostics();
      weights.push_back(std::move(column).value());
    }
    for (std::size_t i = 0; i < n; ++i) {
      Column mean(filled_[i].size());
      double sum = 0;
      for (std::size_t k = 0; k < n; ++k) {
        const double w = k == i || std::isnan(weights[k][i]) ? 0 : weights[k][i];
        if (w == 0) continue;
        sum += w;
        for (std::size_t t = 0; t < mean.size(); ++t) mean[t] += w * filled_[k][t];
      }
      for (double& v : mean) v /= sum;
      around_.push_back(sum > 0 ? std::move(mean) : filled_[i]);
    }
    return Done{};
  }

  [[nodiscard]] Standard standard_of(int64_t training) const {
    std::vector<double> values;
    for (const Column& column : raw_) values.insert(values.end(), column.begin(), column.begin() + training);
    return Standard(values);
  }

  [[nodiscard]] ImageSet empty_set() const {
    ImageSet set;
    set.channels = 1;
    set.height = o_.window;
    set.width = 1 + (around_.empty() ? 0 : 1) + (o_.period > 0 ? 2 : 0);
    set.targets.outputs = static_cast<int64_t>(o_.horizons.size());
    set.targets.scale = standard_.deviation;
    set.targets.offset = o_.relative ? 0 : standard_.mean;
    set.targets.unit = o_.unit;
    for (const int64_t h : o_.horizons) set.targets.groups.push_back(horizon_name(h));
    if (set.targets.groups.size() == 1) set.targets.groups.clear();
    return set;
  }

  [[nodiscard]] std::string horizon_name(int64_t horizon) const {
    if (o_.step == 0) return std::to_string(horizon) + (horizon == 1 ? " step" : " steps");
    std::string text = std::to_string(o_.step * static_cast<double>(horizon));
    text.erase(text.find_last_not_of('0') + 1);
    if (text.ends_with('.')) text.pop_back();
    return text + " " + o_.step_unit;
  }

  // All samples that lie between two moments, those of one series after those of another.
  void add(ImageSet& set, int64_t begin, int64_t end) {
    for (std::size_t i = 0; i < raw_.size(); ++i)
      for (int64_t last = begin + o_.window - 1; last + o_.horizons.back() < end; ++last) add_sample(set, i, last);
  }

  void add_sample(ImageSet& set, std::size_t i, int64_t last) {
    const Column &own = filled_[i], &raw = raw_[i];
    const double base = o_.relative ? own[static_cast<std::size_t>(last)] : 0;
    double mean = 0;
    for (int64_t t = last - o_.window + 1; t <= last; ++t) {
      const auto at = static_cast<std::size_t>(t);
      mean += own[at] / static_cast<double>(o_.window);
      set.values.push_back(static_cast<float>((own[at] - standard_.mean) / standard_.deviation));
      if (!around_.empty())
        set.values.push_back(static_cast<float>((around_[i][at] - standard_.mean) / standard_.deviation));
      if (o_.period > 0) {
        const double phase = 2 * std::numbers::pi * static_cast<double>(t) / static_cast<double>(o_.period);
        set.values.push_back(static_cast<float>(std::sin(phase)));
        set.values.push_back(static_cast<float>(std::cos(phase)));
      }
    }
    ++set.count;
    const double still = o_.transform == Transform::log_return ? 0 : own[static_cast<std::size_t>(last)];
    if (o_.relative) set.targets.bases.push_back(static_cast<float>(base));
    const auto number = [&](double value) {
      return static_cast<float>((value - base - set.targets.offset) / set.targets.scale);
    };
    for (const int64_t h : o_.horizons) {
      const double value = raw[static_cast<std::size_t>(last + h)];
      set.targets.numbers.push_back(std::isnan(value) ? unknown : number(value));
      if (!collect_) continue;
      baselines_[0].second.push_back(number(still));
      baselines_[1].second.push_back(number(mean));
    }
  }

  const std::filesystem::path& folder_;
  const SeriesOptions& o_;
  std::vector<Column> raw_, filled_, around_;  // [series][step]
  Standard standard_{std::vector<double>{}};
  bool collect_ = false;
  std::vector<std::pair<std::string, std::vector<float>>> baselines_;
};

}  // namespace

Result<ImageData> load_table(const std::filesystem::path& folder, const TableOptions& options) {
  const auto table = read_number_table(folder / options.file, true);
  if (!table.ok()) return table.diagnostics();
  return RowSamples(table.value(), options).make();
}

Result<ImageData> load_series(const std::filesystem::path& folder, const SeriesOptions& options) {
  return SeriesSamples(folder, options).make();
}

}  // namespace bouton::data
