#include "bouton/evaluate/report.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>

#include "bouton/base/files.hpp"
#include "bouton/evaluate/pictures.hpp"
#include "evaluate/axis.hpp"

namespace bouton::evaluate {
namespace {

constexpr const char* style = R"css(
:root { color-scheme: light dark; --ground: #fbfbfd; --card: #ffffff; --ink: #1c2330; --soft: #5d6778; --rule: #e1e5ec; --cell: 24, 95, 165;
  --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #b5568c; --c4: #b8860b; --c5: #3f8fc4; }
@media (prefers-color-scheme: dark) { :root { --ground: #12161d; --card: #1a2029; --ink: #e6eaf1; --soft: #9aa6b8; --rule: #2c3541; --cell: 86, 160, 233;
  --c0: #56b4e9; --c1: #ff8c42; --c2: #2fcf9f; --c3: #e39ac4; --c4: #e6b84a; --c5: #9ad0f5; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2.5rem 1.25rem 4rem; max-width: 68rem; background: var(--ground); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
h1 { margin: 0; font-size: 1.9rem; letter-spacing: -0.01em; } h2 { margin: 2.6rem 0 0.8rem; font-size: 1.2rem; } h3 { margin: 1.2rem 0 0.3rem; font-size: 1rem; }
p { margin: 0.4rem 0; } .lead, .note { color: var(--soft); } .note { font-size: 0.88rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: 0.9rem; margin-top: 1.5rem; }
.card, figure, .box { background: var(--card); border: 1px solid var(--rule); border-radius: 0.7rem; }
.card { padding: 0.9rem 1.1rem; } .card b { display: block; font-size: 1.55rem; font-weight: 650; font-variant-numeric: tabular-nums; }
.card span { color: var(--soft); font-size: 0.86rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 0.9rem; }
figure { margin: 0; padding: 0.8rem 0.9rem; } figcaption { font-weight: 600; font-size: 0.95rem; }
.legend { display: flex; flex-wrap: wrap; gap: 0.1rem 1rem; font-size: 0.84rem; color: var(--soft); }
.legend i { display: inline-block; width: 0.9rem; height: 0.2rem; margin-right: 0.4rem; vertical-align: middle; border-radius: 1px; }
svg { display: block; width: 100%; height: auto; } svg text { fill: var(--soft); font: 11px system-ui, sans-serif; font-variant-numeric: tabular-nums; }
.grid { stroke: var(--rule); } .best { stroke: var(--soft); stroke-dasharray: 3 3; } polyline { fill: none; stroke-width: 2; stroke-linejoin: round; }
.box { overflow-x: auto; padding: 0.4rem 0.9rem; } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 0.92rem; }
th { text-align: left; font-weight: 600; color: var(--soft); } th, td { padding: 0.36rem 0.7rem 0.36rem 0; border-bottom: 1px solid var(--rule); white-space: nowrap; }
tr:last-child > * { border-bottom: 0; } .number { text-align: right; } tr.total td, tr.chosen td { font-weight: 650; }
.confusion { width: auto; } .confusion td { width: 3.1rem; min-width: 2.6rem; height: 2.4rem; padding: 0; text-align: center; border: 2px solid var(--card); border-radius: 0.35rem; }
.confusion th { border: 0; padding: 0.2rem 0.6rem; text-align: right; } .confusion thead th { text-align: center; }
pre { margin: 0; padding: 0.7rem 0; overflow-x: auto; font: 0.86rem/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
summary { cursor: pointer; padding: 0.3rem 0; font-weight: 600; }
)css";

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string number(const char* format, double value) {
  if (!std::isfinite(value)) return "\u2013";
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string percent(double part) { return number("%.2f", 100 * part) + " %"; }
std::string percent(const std::optional<double>& part) { return part ? percent(*part) : "\u2013"; }

// 12345678 as "12 345 678", with narrow spaces that do not break.
std::string grouped(double value) {
  const std::string digits = number("%.0f", value);
  std::string out;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    const bool boundary =
        i > 0 && (digits.size() - i) % 3 == 0 && std::isdigit(static_cast<unsigned char>(digits[i - 1]));
    out += (boundary ? "\u202f" : "") + std::string(1, digits[i]);
  }
  return out;
}

std::string duration(double seconds) {
  if (seconds < 60) return number("%.1f s", seconds);
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  if (whole < 3600) return std::to_string(whole / 60) + " min " + std::to_string(whole % 60) + " s";
  return std::to_string(whole / 3600) + " h " + std::to_string(whole % 3600 / 60) + " min";
}

std::string picojoules(double value) {
  constexpr std::array<const char*, 5> units = {"pJ", "nJ", "µJ", "mJ", "J"};
  std::size_t unit = 0;
  while (value >= 1000 && unit + 1 < units.size()) value /= 1000, ++unit;
  return number(value < 10 ? "%.2f " : value < 100 ? "%.1f " : "%.0f ", value) + units[unit];
}

std::string colour(std::size_t series) { return "var(--c" + std::to_string(series % 6) + ")"; }
std::string cell(const std::string& text) { return "<td>" + escaped(text) + "</td>"; }
std::string figure_cell(const std::string& text) { return "<td class=\"number\">" + text + "</td>"; }

struct Frame {
  Axis across, up;
  static constexpr double width = 480, height = 250, left = 46, right = 468, top = 12, bottom = 218;
  [[nodiscard]] double x(double value) const {
    return left + (value - across.low) / (across.high - across.low) * (right - left);
  }
  [[nodiscard]] double y(double value) const { return bottom - (value - up.low) / (up.high - up.low) * (bottom - top); }
};

Frame frame_of(const std::vector<Series>& series) {
  double low = std::numeric_limits<double>::infinity(), high = -low, last = 1;
  for (const Series& one : series) {
    for (const auto& [x, y] : one.points) {
      if (!std::isfinite(y)) continue;
      low = std::min(low, y);
      high = std::max(high, y);
      last = std::max(last, x);
    }
  }
  Frame frame;
  frame.up = low > high ? axis_for(0, 1, 5) : axis_for(low, high, 5);
  frame.across = axis_for(std::min(1.0, last - 1), last, 8);
  frame.across.low = std::min(1.0, last - 1);
  frame.across.high = last;
  return frame;
}

std::string axes(const Frame& frame, int64_t best) {
  std::string out;
  for (const double tick : frame.up.ticks) {
    const std::string y = number("%.1f", frame.y(tick));
    out += "<line class=\"grid\" x1=\"46\" x2=\"468\" y1=\"" + y + "\" y2=\"" + y + "\"/><text x=\"40\" y=\"" +
           number("%.1f", frame.y(tick) + 4) + "\" text-anchor=\"end\">" + tick_text(tick, frame.up) + "</text>";
  }
  for (const double tick : frame.across.ticks) {
    if (tick < frame.across.low || tick > frame.across.high || tick != std::floor(tick)) continue;
    out += "<text x=\"" + number("%.1f", frame.x(tick)) + "\" y=\"234\" text-anchor=\"middle\">" +
           number("%.0f", tick) + "</text>";
  }
  out += "<text x=\"257\" y=\"248\" text-anchor=\"middle\">epoch</text>";
  if (best > 0) {
    const std::string x = number("%.1f", frame.x(static_cast<double>(best)));
    out += "<line class=\"best\" x1=\"" + x + "\" x2=\"" + x +
           "\" y1=\"12\" y2=\"218\"><title>chosen epoch</title></line>";
  }
  return out;
}

std::string curve(const Frame& frame, const Series& series, const std::string& stroke) {
  std::string points, marks;
  for (const auto& [x, y] : series.points) {
    if (!std::isfinite(y)) continue;
    const std::string px = number("%.1f", frame.x(x)), py = number("%.1f", frame.y(y));
    points += px + "," + py + " ";
    marks += "<circle cx=\"" + px + "\" cy=\"" + py + "\" r=\"3\" fill=\"" + stroke + "\"><title>" +
             escaped(series.name) + ", epoch " + number("%.0f", x) + ": " + number("%.5g", y) + "</title></circle>";
  }
  return "<polyline points=\"" + points + "\" stroke=\"" + stroke + "\"/>" + marks;
}

std::string chart(const std::string& title, const std::vector<Series>& series, int64_t best) {
  const Frame frame = frame_of(series);
  std::string out = "<figure><figcaption>" + title + "</figcaption><div class=\"legend\">";
  for (std::size_t s = 0; s < series.size(); ++s) {
    out += "<span><i style=\"background:" + colour(s) + "\"></i>" + escaped(series[s].name) + "</span>";
  }
  out += "</div><svg viewBox=\"0 0 480 252\" role=\"img\" aria-label=\"" + title + "\">" + axes(frame, best);
  for (std::size_t s = 0; s < series.size(); ++s) out += curve(frame, series[s], colour(s));
  return out + "</svg></figure>";
}

template <typename Value>
Series series_of(const std::vector<ReportEpoch>& epochs, const std::string& name, Value value) {
  Series series{name, {}};
  for (const ReportEpoch& epoch : epochs) {
    const std::optional<double> y = value(epoch);
    if (y) series.points.emplace_back(static_cast<double>(epoch.epoch), *y);
  }
  return series;
}

std::vector<Series> activity_series(const std::vector<ReportEpoch>& epochs) {
  std::vector<Series> all;
  for (const ReportEpoch& epoch : epochs) {
    for (const auto& [layer, value] : epoch.activity) {
      auto at = std::find_if(all.begin(), all.end(), [&](const Series& one) { return one.name == layer; });
      if (at == all.end()) at = all.insert(all.end(), Series{layer, {}});
      at->points.emplace_back(static_cast<double>(epoch.epoch), value);
    }
  }
  return all;
}

std::optional<double> figure_of(const ReportEpoch& epoch, const std::string& name) {
  for (const auto& [figure, value] : epoch.figures) {
    if (figure == name) return value;
  }
  return std::nullopt;
}

std::string charts(const TrainingReport& report) {
  if (report.epochs.empty()) return {};
  std::vector<Series> accuracies = {
      series_of(report.epochs, "training", [](const ReportEpoch& e) { return std::optional(e.train_accuracy); }),
      series_of(report.epochs, "validation", [](const ReportEpoch& e) { return e.validation_accuracy; }),
      series_of(report.epochs, "test", [](const ReportEpoch& e) { return e.test_accuracy; })};
  std::erase_if(accuracies, [](const Series& one) { return one.points.empty(); });
  std::string out = "<h2>Training</h2><div class=\"charts\">";
  if (report.classes) {
    out += chart("Accuracy", accuracies, report.best_epoch);
  } else {
    out += chart("RMSE", {series_of(report.epochs, "test", [](const ReportEpoch& e) { return figure_of(e, "rmse"); })},
                 report.best_epoch);
  }
  out += chart("Loss",
               {series_of(report.epochs, "training", [](const ReportEpoch& e) { return std::optional(e.train_loss); })},
               report.best_epoch);
  const std::vector<Series> activity = activity_series(report.epochs);
  if (!activity.empty()) out += chart("Activity: spikes per neuron and step", activity, report.best_epoch);
  out += chart(
      "Learning rate",
      {series_of(report.epochs, "learning rate", [](const ReportEpoch& e) { return std::optional(e.learning_rate); })},
      0);
  return out + "</div>";
}

std::string epoch_table(const TrainingReport& report) {
  if (report.epochs.empty()) return {};
  std::string out =
      "<details><summary>Every epoch</summary><div class=\"box\"><table><tr><th>epoch</th><th "
      "class=\"number\">loss</th>"
      "<th class=\"number\">training</th><th class=\"number\">validation</th><th class=\"number\">test</th><th "
      "class=\"number\">seconds</th></tr>";
  for (const ReportEpoch& epoch : report.epochs) {
    out += std::string("<tr") + (epoch.epoch == report.best_epoch ? " class=\"chosen\"" : "") + ">" +
           cell(std::to_string(epoch.epoch)) + figure_cell(number("%.4f", epoch.train_loss)) +
           figure_cell(report.classes ? percent(epoch.train_accuracy) : "") +
           figure_cell(report.classes ? percent(epoch.validation_accuracy) : "") +
           figure_cell(report.classes ? percent(epoch.test_accuracy)
                                      : number("%.4g", figure_of(epoch, "rmse").value_or(0))) +
           figure_cell(number("%.1f", epoch.seconds)) + "</tr>";
  }
  return out + "</table></div></details>";
}

std::string card(const std::string& value, const std::string& label) {
  return "<div class=\"card\"><b>" + value + "</b><span>" + label + "</span></div>";
}

std::string cards(const TrainingReport& report) {
  std::string out = "<div class=\"cards\">";
  if (const int64_t count = total(report.confusion); count > 0) {
    const Interval interval = wilson_interval(correct(report.confusion), count);
    out += card(percent(accuracy(report.confusion)),
                "test accuracy, 95 % interval " + number("%.2f", 100 * interval.lower) + "\u2013" +
                    number("%.2f", 100 * interval.upper) + " %, " + grouped(static_cast<double>(count)) + " samples");
  }
  for (const ReportEpoch& epoch : report.epochs) {
    if (epoch.epoch != report.best_epoch) continue;
    for (const auto& [name, value] : epoch.figures)
      if (name != "accuracy" && name != "loss") out += card(number("%.4g", value), escaped(name) + " on the test set");
  }
  if (report.best_epoch > 0) {
    out += card(std::to_string(report.best_epoch) + " of " + std::to_string(report.epochs.size()),
                "epoch chosen on the validation split");
  }
  if (report.seconds > 0) out += card(duration(report.seconds), "training");
  double parameters = 0;
  for (const ReportLayer& layer : report.layers) parameters += static_cast<double>(layer.parameters);
  if (parameters > 0) out += card(grouped(parameters), "parameters");
  if (report.energy) out += card(grouped(report.energy->synaptic_operations), "synaptic operations a sample");
  return out + "</div>";
}

std::string confusion_table(const TrainingReport& report) {
  const Confusion& confusion = report.confusion;
  if (total(confusion) == 0) return {};
  const auto name = [&](std::size_t i) {
    return escaped(i < report.class_names.size() ? report.class_names[i] : std::to_string(i));
  };
  std::string out =
      "<h2>Confusion</h2><p class=\"note\">Rows are the true classes, columns the predicted ones.</p><div "
      "class=\"box\"><table class=\"confusion\"><thead><tr><th></th>";
  for (std::size_t i = 0; i < confusion.size(); ++i) out += "<th>" + name(i) + "</th>";
  out += "<th>recall</th></tr></thead>";
  const std::vector<ClassFigures> figures = class_figures(confusion);
  for (std::size_t i = 0; i < confusion.size(); ++i) {
    out += "<tr><th>" + name(i) + "</th>";
    for (std::size_t j = 0; j < confusion.size(); ++j) {
      const int64_t count = confusion[i][j];
      // The root lets single errors be seen beside thousands of right answers.
      const double shade =
          figures[i].count > 0 ? std::sqrt(static_cast<double>(count) / static_cast<double>(figures[i].count)) : 0;
      const std::string ink = shade > 0.6 ? ";color:var(--card)" : "";
      out += "<td style=\"background:rgba(var(--cell)," + number("%.3f", shade) + ")" + ink + "\" title=\"true " +
             name(i) + ", predicted " + name(j) + "\">" + (count > 0 ? std::to_string(count) : "") + "</td>";
    }
    out += "<th>" + percent(figures[i].recall) + "</th></tr>";
  }
  return out + "</table></div>";
}

std::string layer_table(const TrainingReport& report) {
  if (report.layers.empty()) return {};
  std::string out =
      "<h2>Network</h2><div class=\"box\"><table><tr><th>layer</th><th>kind</th><th>output</th><th "
      "class=\"number\">parameters</th></tr>";
  double sum = 0;
  for (const ReportLayer& layer : report.layers) {
    out += "<tr>" + cell(layer.name) + cell(layer.kind) + cell(layer.output_shape) +
           figure_cell(grouped(static_cast<double>(layer.parameters))) + "</tr>";
    sum += static_cast<double>(layer.parameters);
  }
  return out + "<tr class=\"total\"><td>total</td><td></td><td></td>" + figure_cell(grouped(sum)) +
         "</tr></table></div>";
}

std::string energy_row(const LayerEnergy& layer, bool last) {
  return std::string("<tr") + (last ? " class=\"total\"" : "") + ">" + cell(layer.name) +
         figure_cell(grouped(layer.accumulates)) + figure_cell(grouped(layer.multiply_accumulates)) +
         figure_cell(picojoules(layer.operations)) + figure_cell(picojoules(layer.memory_aware)) +
         figure_cell(picojoules(layer.matched_ann)) + "</tr>";
}

std::string energy_table(const TrainingReport& report) {
  if (!report.energy) return {};
  const EnergyReport& energy = *report.energy;
  std::string out =
      "<h2>Energy of one sample</h2><div class=\"box\"><table><tr><th>layer</th><th class=\"number\">additions</th><th "
      "class=\"number\">multiply-adds</th>"
      "<th class=\"number\">operations alone</th><th class=\"number\">with memory</th><th class=\"number\">matched "
      "network without spikes</th></tr>";
  for (const LayerEnergy& layer : energy.layers) out += energy_row(layer, false);
  out += energy_row(energy.total, true) + "</table></div>";
  return out + "<p class=\"note\">Estimates for " + escaped(energy.model.name) +
         ", not measurements. The first figure leaves out memory, where most energy goes; the second counts neuron "
         "updates, reads and writes of weights and "
         "states, and addressing; the third is the same network run once with activations of " +
         std::to_string(energy.ann_bits) +
         " bits instead of spikes, memory counted in the same way. Compare the last two.</p>";
}

std::string mechanisms(const TrainingReport& report) {
  if (report.mechanisms.empty()) return {};
  std::string out = "<h2>Equations</h2>";
  for (const ReportMechanism& mechanism : report.mechanisms) {
    out += "<h3>" + escaped(mechanism.name) + "</h3>";
    if (!mechanism.description.empty()) out += "<p class=\"note\">" + escaped(mechanism.description) + "</p>";
    out += "<div class=\"box\"><pre>" + escaped(mechanism.text) + "</pre></div>";
  }
  return out;
}

std::string facts(const TrainingReport& report) {
  if (report.facts.empty()) return {};
  std::string out = "<h2>This run</h2><div class=\"box\"><table>";
  for (const auto& [name, value] : report.facts) out += "<tr><th>" + escaped(name) + "</th>" + cell(value) + "</tr>";
  return out + "</table></div>";
}

}  // namespace

std::string html_report(const TrainingReport& report) {
  std::string out =
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width, initial-scale=1\"><title>" +
      escaped(report.title) + "</title><style>" + style + "</style></head><body>\n<h1>" + escaped(report.title) +
      "</h1>";
  if (!report.description.empty()) out += "<p class=\"lead\">" + escaped(report.description) + "</p>";
  for (const std::string& part : {cards(report), charts(report), epoch_table(report), confusion_table(report),
                                  layer_table(report), energy_table(report), mechanisms(report)}) {
    if (!part.empty()) out += "\n" + part;
  }
  if (!report.recipe_text.empty())
    out += "\n<h2>Recipe</h2><div class=\"box\"><pre>" + escaped(report.recipe_text) + "</pre></div>";
  out += "\n" + facts(report);
  return out + "\n</body></html>\n";
}

Status write_report(const std::filesystem::path& path, const TrainingReport& report) {
  return write_file_atomically(path, html_report(report));
}

}  // namespace bouton::evaluate
