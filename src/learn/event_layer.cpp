#include "learn/event_layer.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <tuple>
#include <utility>

namespace bouton::learn {

namespace {

constexpr double never = std::numeric_limits<double>::infinity();

// The first event after `k` that is not of the same time.
std::size_t end_of_group(const Events& events, std::size_t k) {
  const double time = events.time[k];
  while (k < events.size() && events.time[k] == time) ++k;
  return k;
}

}  // namespace

void Events::clear() {
  time.clear();
  source.clear();
  amplitude.clear();
}

EventLayer::EventLayer(EventNeuron neuron, int64_t n, double end, EventReadout readout)
    : neuron_(neuron), n_(n), end_(end), coupling_(neuron.tau_s / (neuron.tau_s - neuron.tau_m)), readout_(readout) {}

EventLayer::Decay EventLayer::decay(double interval) const {
  Decay d{};
  d.membrane = std::exp(-interval / neuron_.tau_m);
  d.current = std::exp(-interval / neuron_.tau_s);
  d.coupling = coupling_ * (d.current - d.membrane);
  d.mean_of_membrane = neuron_.tau_m * (1 - d.membrane);
  d.mean_of_current = coupling_ * (neuron_.tau_s * (1 - d.current) - d.mean_of_membrane);
  return d;
}

// Where x is stationary after now; `never` where it is nowhere.
double EventLayer::time_to_peak(double x, double i) const {
  const double by_current = coupling_ * i, by_membrane = x - by_current;
  const double ratio = -by_current * neuron_.tau_m / (neuron_.tau_s * by_membrane);
  if (!(ratio > 0) || !std::isfinite(ratio)) return never;
  const double time = std::log(ratio) / (1 / neuron_.tau_s - 1 / neuron_.tau_m);
  return time > 0 ? time : never;
}

// When x, below 1 now, reaches 1; `never` where it does not within the interval. x rises at most once and then falls
// between two events, and only a current above 1 can lift it there.
double EventLayer::time_to_threshold(double x, double i, double interval) const {
  const double by_current = coupling_ * i, by_membrane = x - by_current;
  const auto above = [&](double s) {
    return by_membrane * std::exp(-s / neuron_.tau_m) + by_current * std::exp(-s / neuron_.tau_s) - 1;
  };
  double low = 0, high = std::min(interval, time_to_peak(x, i));
  if (!(above(high) >= 0)) return never;
  // Newton's steps where they stay between the ends, else halves: x rises all the way.
  double s = high / 2;
  for (int iteration = 0; iteration < 100; ++iteration) {
    const double membrane = by_membrane * std::exp(-s / neuron_.tau_m);
    const double current = by_current * std::exp(-s / neuron_.tau_s);
    const double value = membrane + current - 1, slope = -membrane / neuron_.tau_m - current / neuron_.tau_s;
    (value < 0 ? low : high) = s;
    double next = s - value / slope;
    if (!(next > low && next < high)) next = (low + high) / 2;
    if (next == s || std::abs(next - s) <= 1e-16 * interval) return next;
    s = next;
  }
  return s;
}

// The spikes between two events, appended in the order of time; of those that fired the state after the last one.
void EventLayer::fire(double from, double interval, const double* x, const double* i, EventRecord& record,
                      std::vector<double>& x_after, std::vector<int32_t>& fired) const {
  fired.clear();
  x_after.clear();
  const std::size_t before = record.spikes.size();
  for (int64_t j = 0; j < n_; ++j) {
    if (!(i[j] > 1)) continue;
    double x_now = x[j], i_now = i[j], passed = 0;
    const std::size_t first = record.spikes.size();
    for (;;) {
      const double wait = i_now > 1 ? time_to_threshold(x_now, i_now, interval - passed) : never;
      if (wait == never) break;
      passed += wait;
      i_now *= std::exp(-wait / neuron_.tau_s);
      x_now = neuron_.reset;
      record.spikes.time.push_back(from + passed);
      record.spikes.source.push_back(static_cast<int32_t>(j));
      record.current.push_back(i_now);
    }
    if (record.spikes.size() == first) continue;
    const Decay rest = decay(interval - passed);
    fired.push_back(static_cast<int32_t>(j));
    x_after.push_back(rest.membrane * x_now + rest.coupling * i_now);
  }
  const std::size_t count = record.spikes.size() - before;
  if (count < 2) return;
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), before);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return record.spikes.time[a] < record.spikes.time[b]; });
  const auto sort = [&](auto& values) {
    auto sorted = values;
    for (std::size_t k = 0; k < count; ++k) sorted[before + k] = values[order[k]];
    values = std::move(sorted);
  };
  sort(record.spikes.time);
  sort(record.spikes.source);
  sort(record.current);
}

// x at the event the interval begins with, and where it is stationary within.
void EventLayer::look_for_peaks(double from, double interval, int64_t event, const double* x, const double* i,
                                const double* slope, EventRecord& record) const {
  for (int64_t j = 0; j < n_; ++j) {
    const auto u = static_cast<std::size_t>(j);
    const auto consider = [&](double value, double time, int64_t at_event) {
      if (!(value > record.value[u])) return;
      record.value[u] = value;
      record.peak_time[u] = time;
      record.peak_event[u] = at_event;
      record.peak_slope[u] = at_event >= 0 ? slope[j] : 0;
    };
    consider(x[j], from, event);
    const double wait = time_to_peak(x[j], i[j]);
    if (wait < interval) {
      const Decay d = decay(wait);
      consider(d.membrane * x[j] + d.coupling * i[j], from + wait, -1);
    }
  }
}

void EventLayer::run(const Events& input, const double* weights, int64_t stride, EventRecord& record) const {
  const auto n = static_cast<std::size_t>(n_);
  record.spikes.clear();
  record.current.clear();
  record.value.assign(readout_ == EventReadout::none ? 0 : n, readout_ == EventReadout::maximum ? -never : 0);
  record.peak_time.assign(record.value.size(), 0);
  record.peak_event.assign(record.value.size(), -1);
  record.peak_slope.assign(record.value.size(), 0);

  std::vector<double> x(n, neuron_.start), i(n, 0.0), slope(n, 0.0), x_after;
  std::vector<int32_t> fired;
  double now = 0;
  int64_t event = -1;  // at `now`
  for (std::size_t k = 0; k <= input.size();) {
    const double next = k < input.size() ? std::min(input.time[k], end_) : end_;
    const double interval = next - now;
    const Decay d = decay(interval);
    if (neuron_.spikes) fire(now, interval, x.data(), i.data(), record, x_after, fired);
    if (readout_ == EventReadout::maximum)
      look_for_peaks(now, interval, event, x.data(), i.data(), slope.data(), record);
    if (readout_ == EventReadout::mean) {
      for (std::size_t j = 0; j < n; ++j)
        record.value[j] += (d.mean_of_membrane * x[j] + d.mean_of_current * i[j]) / end_;
    }
    for (std::size_t j = 0; j < n; ++j) {
      x[j] = d.membrane * x[j] + d.coupling * i[j];
      i[j] = d.current * i[j];
    }
    for (std::size_t f = 0; f < fired.size(); ++f) x[static_cast<std::size_t>(fired[f])] = x_after[f];
    now = next;
    if (k == input.size() || input.time[k] >= end_) break;
    event = static_cast<int64_t>(k);
    for (std::size_t j = 0; j < n; ++j) slope[j] = (i[j] - x[j]) / neuron_.tau_m;
    for (const std::size_t last = end_of_group(input, k); k < last; ++k) {
      const double amplitude = input.size_of(k) * neuron_.jump;
      const double* row = weights + input.source[k] * stride;
      for (std::size_t j = 0; j < n; ++j) i[j] += amplitude * row[j];
    }
  }
  if (readout_ == EventReadout::maximum) look_for_peaks(end_, 0, -1, x.data(), i.data(), slope.data(), record);
}

void EventLayer::adjoint(const Events& input, const double* weights, int64_t stride, const EventRecord& record,
                         const double* at_spikes, const double* at_value, double* grad_weights,
                         double* at_input) const {
  const auto n = static_cast<std::size_t>(n_);
  std::vector<double> by_x(n, 0.0), by_i(n, 0.0), constant(n, 0.0), at(n, end_);
  if (at_value && readout_ == EventReadout::mean) {
    for (std::size_t j = 0; j < n; ++j) constant[j] = at_value[j] / end_;
  }
  // One neuron's adjoint taken back by `interval`.
  const auto back = [&](std::size_t j, double interval) {
    const Decay d = decay(interval);
    by_i[j] = d.current * by_i[j] + d.coupling * by_x[j] + d.mean_of_current * constant[j];
    by_x[j] = d.membrane * by_x[j] + d.mean_of_membrane * constant[j];
  };
  // What happens to single neurons between events, the latest last: their own spikes, or where they are read out.
  struct Mark {
    double time;
    std::size_t neuron, spike;
  };
  std::vector<Mark> marks;
  for (std::size_t s = 0; s < record.spikes.size(); ++s)
    marks.push_back({record.spikes.time[s], static_cast<std::size_t>(record.spikes.source[s]), s});
  if (at_value && readout_ == EventReadout::maximum) {
    for (std::size_t j = 0; j < n; ++j)
      if (record.peak_event[j] < 0) marks.push_back({record.peak_time[j], j, 0});
    std::stable_sort(marks.begin(), marks.end(), [](const Mark& a, const Mark& b) { return a.time < b.time; });
  }

  std::size_t k = input.size();
  while (k > 0 && input.time[k - 1] >= end_) {
    --k;
    if (at_input) at_input[k] = 0;
  }
  double now = end_;
  std::vector<std::size_t> touched;
  std::vector<std::pair<double, double>> kept;
  for (;;) {
    const double before = k > 0 ? input.time[k - 1] : 0;
    touched.clear();
    kept.clear();
    for (; !marks.empty() && (k == 0 || marks.back().time > before); marks.pop_back()) {
      const auto [time, j, s] = marks.back();
      if (at[j] == now && std::find(touched.begin(), touched.end(), j) == touched.end()) touched.push_back(j);
      back(j, at[j] - time);
      at[j] = time;
      if (!neuron_.spikes) {
        by_x[j] += at_value[j];
        continue;
      }
      const double rise = record.current[s] - 1, rise_after = record.current[s] - neuron_.reset;  // times 1/tau_m
      by_x[j] = (by_x[j] * rise_after - (at_spikes ? at_spikes[s] : 0) * neuron_.tau_m) / rise;
    }
    for (const std::size_t j : touched) {
      back(j, at[j] - before);
      at[j] = before;
      kept.emplace_back(by_x[j], by_i[j]);
    }
    const Decay d = decay(now - before);
    for (std::size_t j = 0; j < n; ++j) {
      by_i[j] = d.current * by_i[j] + d.coupling * by_x[j] + d.mean_of_current * constant[j];
      by_x[j] = d.membrane * by_x[j] + d.mean_of_membrane * constant[j];
    }
    for (std::size_t m = 0; m < touched.size(); ++m) std::tie(by_x[touched[m]], by_i[touched[m]]) = kept[m];
    std::fill(at.begin(), at.end(), before);
    now = before;
    if (k == 0) break;

    std::size_t first = k - 1;
    while (first > 0 && input.time[first - 1] == before) --first;
    for (std::size_t e = first; e < k; ++e) {
      const double amplitude = input.size_of(e) * neuron_.jump;
      const auto row = static_cast<int64_t>(input.source[e]) * stride;
      for (std::size_t j = 0; j < n; ++j) grad_weights[row + static_cast<int64_t>(j)] += amplitude * by_i[j];
      if (!at_input) continue;
      double sum = 0;
      for (std::size_t j = 0; j < n; ++j)
        sum += weights[row + static_cast<int64_t>(j)] * (by_i[j] / neuron_.tau_s - by_x[j] / neuron_.tau_m);
      at_input[e] = amplitude * sum;
    }
    if (at_value && readout_ == EventReadout::maximum) {
      for (std::size_t j = 0; j < n; ++j) {
        if (record.peak_event[j] != static_cast<int64_t>(first)) continue;
        by_x[j] += at_value[j];
        if (at_input) at_input[first] += at_value[j] * record.peak_slope[j];
      }
    }
    k = first;
  }
}

}  // namespace bouton::learn
