#pragma once
// Tables of numbers as samples: a row each, or stretches of a series in time.

#include <filesystem>
#include <string>
#include <vector>

#include "bouton/base/result.hpp"
#include "bouton/data/images.hpp"

namespace bouton::data {

enum class RowOrder { shuffled, as_it_stands };

// A sample a row of a table with a header line (CSV, plain or gzipped; comma, semicolon or tabulator).
struct TableOptions {
  std::string file;    // in the set's folder
  std::string target;  // the column to be learned
  bool numbers = false;             // whether the target is a number, not a class by name
  std::vector<std::string> leave;   // columns that are not looked at
  double test = 0.2, validation = 0.1;  // parts of the rows
  // shuffled: the parts are drawn from `seed`. as_it_stands: the first rows train, the last ones test, as rows in time
  // demand.
  RowOrder order = RowOrder::shuffled;
  uint64_t seed = 1;
};

// Every other column is an input, less its mean and divided by its deviation over the training rows. Samples are
// [1, 1, columns]. Codes: file-*, gzip-*, csv-*, missing-column, surplus-column, too-few-rows, too-many-classes. Thread
// safe.
[[nodiscard]] Result<ImageData> load_table(const std::filesystem::path& folder, const TableOptions& options);

enum class Transform {
  none,
  log_return,         // 100 * log(x_t / x_(t-1)): per cent a step
  absolute_return  // its size: what volatility is estimated from
};

// Samples from series in time: `window` steps of one series are the input, the same series `horizons` steps after the
// window is what is to be learned. Training, validation and test are three stretches of time, one after another, and no
// sample reaches from one into the next: nothing is learned from what was not yet there (walk-forward).
struct SeriesOptions {
  std::string file;                  // in the set's folder: a header line, then a row a step
  std::vector<std::string> columns;  // series; empty: all columns that hold numbers
  int64_t window = 12;
  std::vector<int64_t> horizons = {1};  // steps ahead, rising
  double test = 0.2, validation = 0.1;  // parts of the time; the test is the end
  Transform transform = Transform::none;
  // Whether a sample's numbers count from the last value of its window: a network that gives 0 then says that nothing
  // changes.
  bool relative = false;
  // A square matrix of weights between the series, without header: a further input is the weighted mean of a series'
  // neighbours. Empty: none.
  std::string neighbours;
  int64_t period = 0;    // steps of a day or a year: two further inputs are its sine and cosine. 0: none
  double step = 0;       // of time, for the names of the horizons: "15 min". 0: "3 steps"
  std::string step_unit = "min";
  std::string unit;      // of the quantity
};

// Samples are [1, window, inputs], a row a step. Inputs and what is learned are in deviations of the training stretch
// (Targets::scale). A value that is missing is the last one known as an input and is not counted as a target. Baselines:
// "last value" (of returns: zero), "window mean". Codes: as load_table; also series-too-short, neighbours-shape.
[[nodiscard]] Result<ImageData> load_series(const std::filesystem::path& folder, const SeriesOptions& options);

}  // namespace bouton::data
