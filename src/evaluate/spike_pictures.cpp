#include "bouton/evaluate/spike_pictures.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

#include "evaluate/plot.hpp"

namespace bouton::evaluate {
namespace {

constexpr int64_t width = 1200, scale = 2, top_margin = 52, bottom_margin = 64, right_margin = 32;
constexpr int64_t raster_height = 620, least_band = 36, panel_height = 120, panel_gap = 40;
constexpr double most_dots = 20000;  // more are no longer told apart

std::string number_text(double value) {
  char text[40];
  std::snprintf(text, sizeof text, value >= 99.95 ? "%.0f" : "%.3g", value);
  return text;
}

// Time on an axis: in seconds, or in milliseconds where it is short.
struct TimeScale {
  explicit TimeScale(const StepWindow& window) : dt(window.dt), factor(window.seconds() < 2 ? 1e3 : 1) {}
  [[nodiscard]] double at(int64_t step) const { return static_cast<double>(step) * dt * factor; }
  [[nodiscard]] std::string label() const { return factor > 1 ? "time (ms)" : "time (s)"; }
  [[nodiscard]] Axis axis(const StepWindow& window) const { return exact_axis(at(window.begin), at(window.end), 8); }
  double dt, factor;
};

int64_t longest_name(const std::vector<NamedPopulation>& populations) {
  int64_t longest = 0;
  for (const NamedPopulation& population : populations)
    longest = std::max(longest, Canvas::text_width(population.name, scale));
  return longest;
}

// ---- raster

// A population's part of the raster: rows of some of its neurons.
struct Band {
  NeuronRange neurons;
  double top = 0, height = 0;
  int64_t rows = 0;

  [[nodiscard]] int64_t neuron_of(int64_t row) const { return neurons.first + row * neurons.size / rows; }
  // The row of a neuron; -1 when it is not shown.
  [[nodiscard]] int64_t row_of(int64_t neuron) const {
    const int64_t within = neuron - neurons.first;
    if (within < 0 || within >= neurons.size) return -1;
    const int64_t row = (within * rows + rows - 1) / neurons.size;  // the first whose neuron is not before this one
    return row < rows && neuron_of(row) == neuron ? row : -1;
  }
};

std::vector<Band> bands_of(const std::vector<NamedPopulation>& populations) {
  double neurons = 0;
  for (const NamedPopulation& population : populations) neurons += static_cast<double>(population.neurons.size);
  std::vector<Band> bands;
  double top = top_margin;
  for (const NamedPopulation& population : populations) {
    Band band{population.neurons, top,
              std::max<double>(least_band, raster_height * static_cast<double>(population.neurons.size) / neurons)};
    band.height = std::round(band.height);
    band.rows = std::max<int64_t>(std::min(band.neurons.size, static_cast<int64_t>(band.height) / 2), 1);
    top += band.height + 2;
    bands.push_back(band);
  }
  return bands;
}

double dots_in(const Spikes& spikes, const std::vector<Band>& bands, const StepWindow& window) {
  const auto from = std::lower_bound(spikes.step.begin(), spikes.step.end(), window.begin);
  const auto to = std::lower_bound(from, spikes.step.end(), window.end);
  double neurons = 0, rows = 0;
  for (const Band& band : bands) {
    neurons += static_cast<double>(band.neurons.size);
    rows += static_cast<double>(band.rows);
  }
  return neurons > 0 ? static_cast<double>(to - from) * rows / neurons : 0;
}

// The end of the window, as long as it can be shown.
StepWindow shown_of(const Spikes& spikes, const std::vector<Band>& bands, const StepWindow& window) {
  StepWindow shown = window;
  for (const double seconds : {5.0, 2.0, 1.0, 0.5, 0.2, 0.1, 0.05}) {
    if (window.seconds() <= 5 && dots_in(spikes, bands, shown) <= most_dots) break;
    const auto steps = static_cast<int64_t>(std::llround(seconds / window.dt));
    shown.begin = std::max(window.begin, window.end - steps);
    if (dots_in(spikes, bands, shown) <= most_dots) break;
  }
  return shown;
}

void draw_band(Canvas& canvas, const Band& band, const std::string& name, Colour colour, const Panel& panel) {
  const auto middle = std::lround(band.top + band.height / 2);
  right_aligned(canvas, std::lround(panel.left) - 12, middle - (band.height > 44 ? 8 : 0), name, scale, colour);
  if (band.height > 44) {
    const std::string shown = band.rows < band.neurons.size
                                  ? std::to_string(band.rows) + " of " + std::to_string(band.neurons.size)
                                  : std::to_string(band.neurons.size);
    right_aligned(canvas, std::lround(panel.left) - 12, middle + 10, shown, 1, mixed(ink, white, 0.4));
  }
  canvas.line(panel.left, band.top + band.height, panel.right, band.top + band.height, 1, soft);
}

// ---- rates

int64_t rate_bin(const StepWindow& window) {
  // About 300 bins, of a round length, 1 ms at least.
  const double wanted = std::max(window.seconds() / 300, 1e-3);
  const double power = std::pow(10, std::floor(std::log10(wanted)));
  for (const double round : {1.0, 2.0, 5.0, 10.0}) {
    if (round * power >= wanted * (1 - 1e-9)) return std::max<int64_t>(std::llround(round * power / window.dt), 1);
  }
  return 1;
}

void fill_bins(Canvas& canvas, const Panel& panel, const std::vector<double>& edges, const std::vector<double>& values,
               Colour colour) {
  const auto base = std::lround(panel.y(panel.up.low));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto left = std::lround(panel.x(edges[i])), right = std::max(std::lround(panel.x(edges[i + 1])), left + 1);
    const auto top = std::lround(panel.y(values[i]));
    canvas.rectangle(left, top, right - left, base - top, colour);
  }
}

void trace_bins(Canvas& canvas, const Panel& panel, const std::vector<double>& edges, const std::vector<double>& values,
                double thickness, Colour colour) {
  double before = panel.y(panel.up.low);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double left = panel.x(edges[i]), right = panel.x(edges[i + 1]), y = panel.y(values[i]);
    canvas.line(left, before, left, y, thickness, colour);
    canvas.line(left, y, right, y, thickness, colour);
    before = y;
  }
}

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

// Axis from zero to a bit above the highest value.
Axis axis_from_zero(const std::vector<std::vector<double>>& all, int count) {
  double highest = 0;
  for (const auto& values : all) {
    for (const double value : values) highest = std::max(highest, value);
  }
  Axis axis = axis_for(0, highest > 0 ? highest : 1, count);
  axis.low = 0;
  return axis;
}

int64_t height_of_panels(std::size_t count) {
  return top_margin + static_cast<int64_t>(std::max<std::size_t>(count, 1)) * (panel_height + panel_gap) +
         bottom_margin;
}

// ---- weights

struct Histogram {
  std::vector<double> edges, first, last;
};

std::vector<double> shares(const std::vector<float>& values, const std::vector<double>& edges) {
  std::vector<double> out(edges.size() - 1);
  if (values.empty()) return out;
  const double low = edges.front(), step = edges[1] - edges[0];
  for (const float value : values) {
    if (!std::isfinite(value)) continue;
    const auto bin = static_cast<int64_t>((static_cast<double>(value) - low) / step);
    out[static_cast<std::size_t>(std::clamp<int64_t>(bin, 0, static_cast<int64_t>(out.size()) - 1))] += 1;
  }
  for (double& share : out) share *= 100.0 / static_cast<double>(values.size());
  return out;
}

Histogram histogram_of(const WeightsOverTime& weights) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const auto* values : {&weights.first, &weights.last}) {
    for (const float value : *values) {
      if (!std::isfinite(value)) continue;
      low = std::min(low, static_cast<double>(value));
      high = std::max(high, static_cast<double>(value));
    }
  }
  const Axis range = low <= high ? axis_for(low, high, 8) : axis_for(0, 1, 8);
  Histogram histogram;
  constexpr int bins = 60;
  for (int i = 0; i <= bins; ++i) histogram.edges.push_back(range.low + (range.high - range.low) * i / bins);
  histogram.first = shares(weights.first, histogram.edges);
  histogram.last = shares(weights.last, histogram.edges);
  return histogram;
}

}  // namespace

data::Picture raster_picture(const Spikes& spikes, const std::vector<NamedPopulation>& populations,
                             const StepWindow& window, const std::string& title) {
  const std::vector<Band> bands = bands_of(populations);
  const StepWindow shown = shown_of(spikes, bands, window);
  const TimeScale time(shown);
  const double bottom = bands.empty() ? top_margin + raster_height : bands.back().top + bands.back().height + 4;
  Panel panel;
  panel.left = static_cast<double>(std::max<int64_t>(longest_name(populations), 90) + 32);
  panel.right = width - right_margin;
  panel.top = top_margin;
  panel.bottom = bottom;
  panel.across = time.axis(shown);
  Canvas canvas(width, static_cast<int64_t>(bottom) + bottom_margin, white);
  canvas.text(24, 18, title, scale, ink);
  for (std::size_t p = 0; p < bands.size(); ++p) draw_band(canvas, bands[p], populations[p].name, colour_of(p), panel);
  draw_across(canvas, panel, time.label(), scale);
  const auto from = std::lower_bound(spikes.step.begin(), spikes.step.end(), shown.begin) - spikes.step.begin();
  for (auto i = static_cast<std::size_t>(from); i < spikes.step.size() && spikes.step[i] < shown.end; ++i) {
    for (std::size_t p = 0; p < bands.size(); ++p) {
      const Band& band = bands[p];
      const int64_t row = band.row_of(spikes.neuron[i]);
      if (row < 0) continue;
      const double height = band.height / static_cast<double>(band.rows);
      const int64_t dot = std::clamp<int64_t>(static_cast<int64_t>(height) - 1, 2, 8);
      canvas.rectangle(std::lround(panel.x(time.at(spikes.step[i]))) - 1,
                       std::lround(band.top + (static_cast<double>(row) + 0.5) * height) - dot / 2, 2, dot,
                       colour_of(p));
    }
  }
  return std::move(canvas).picture();
}

data::Picture rates_picture(const Spikes& spikes, const std::vector<NamedPopulation>& populations,
                            const StepWindow& window, const std::string& title) {
  const TimeScale time(window);
  const int64_t bin = rate_bin(window);
  std::vector<NeuronRange> ranges;
  for (const NamedPopulation& population : populations) ranges.push_back(population.neurons);
  const auto rates = population_rates(spikes, ranges, window, bin);
  Canvas canvas(width, height_of_panels(populations.size()), white);
  canvas.text(24, 18, title, scale, ink);
  for (std::size_t p = 0; p < populations.size(); ++p) {
    const double top =
        static_cast<double>(top_margin + static_cast<int64_t>(p) * (panel_height + panel_gap) + panel_gap);
    const Panel panel{
        110, top, width - right_margin, top + panel_height, time.axis(window), axis_from_zero({rates[p]}, 4)};
    std::vector<double> edges;
    for (std::size_t i = 0; i <= rates[p].size(); ++i)
      edges.push_back(time.at(window.begin + static_cast<int64_t>(i) * bin));
    draw_up(canvas, panel, scale);
    fill_bins(canvas, panel, edges, rates[p], mixed(colour_of(p), white, 0.55));
    trace_bins(canvas, panel, edges, rates[p], 1.6, colour_of(p));
    canvas.text(110, static_cast<int64_t>(top) - 24, populations[p].name, scale, colour_of(p));
    right_aligned(canvas, width - right_margin, static_cast<int64_t>(top) - 17,
                  "mean " + number_text(mean_of(rates[p])) + " Hz", scale, mixed(ink, white, 0.3));
    if (p + 1 == populations.size()) draw_across(canvas, panel, time.label(), scale);
  }
  return std::move(canvas).picture();
}

data::Picture weights_picture(const std::vector<WeightsOverTime>& projections, const std::string& title) {
  constexpr int64_t room = 58;  // for the axis under each panel
  const auto count = static_cast<int64_t>(std::max<std::size_t>(projections.size(), 1));
  Canvas canvas(width, top_margin + count * (panel_height + panel_gap + room) + 16, white);
  canvas.text(24, 18, title, scale, ink);
  for (std::size_t p = 0; p < projections.size(); ++p) {
    const Histogram histogram = histogram_of(projections[p]);
    const auto top =
        static_cast<double>(top_margin + static_cast<int64_t>(p) * (panel_height + panel_gap + room) + panel_gap);
    const Panel panel{110,
                      top,
                      width - right_margin,
                      top + panel_height,
                      exact_axis(histogram.edges.front(), histogram.edges.back(), 8),
                      axis_from_zero({histogram.first, histogram.last}, 3)};
    draw_up(canvas, panel, scale);
    fill_bins(canvas, panel, histogram.edges, histogram.last, mixed(colour_of(p), white, 0.35));
    trace_bins(canvas, panel, histogram.edges, histogram.first, 2, ink);
    canvas.text(110, static_cast<int64_t>(top) - 24, projections[p].name, scale, colour_of(p));
    right_aligned(canvas, width - right_margin, static_cast<int64_t>(top) - 17, "% of synapses; line: at first", scale,
                  mixed(ink, white, 0.3));
    draw_across(canvas, panel, projections[p].unit.empty() ? "weight" : "weight (" + projections[p].unit + ")", scale);
  }
  return std::move(canvas).picture();
}

}  // namespace bouton::evaluate
