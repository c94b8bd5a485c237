#include "learn/eligibility.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "learn/parts.hpp"

namespace bouton::learn {
namespace {

// to = factor * x, and to += factor * x; a factor of zero costs nothing.
template <typename T>
void set_scaled(T factor, const T* x, int64_t count, T* to) {
  for (int64_t i = 0; i < count; ++i) to[i] = factor * x[i];
}
template <typename T>
void add_scaled(T factor, const T* x, int64_t count, T* to) {
  if (factor == 0) return;
  for (int64_t i = 0; i < count; ++i) to[i] += factor * x[i];
}

// One neuron's part in one step, for one sample.
template <typename T>
struct Factors {
  std::array<std::array<T, 2>, 2> state_by_state{};
  std::array<T, 2> state_by_input{}, output_by_state{};
  T output_by_input = 0, signal = 0;
  T filter_a = 0, filter_b = 0, filter_c = 0, filter_d = 0;
};

// The whole step in one pass over the synapses, for the usual neurons: of `states` states, 1 or 2, read out directly or
// (`filters` 1) through a leak. traces: [states + filters, stride].
template <typename T, int states, int filters>
void advance_row(const Factors<T>& f, const T* x, int64_t count, int64_t stride, T* traces, T* gradient) {
  T* const first = traces;
  T* const second = traces + (states - 1) * stride;
  T* const behind = traces + states * stride;
  for (int64_t i = 0; i < count; ++i) {
    const T u = first[i], w = states > 1 ? second[i] : T{0};
    T e = f.output_by_input * x[i] + f.output_by_state[0] * u;
    if constexpr (states > 1) e += f.output_by_state[1] * w;
    if constexpr (filters > 0) {
      gradient[i] += f.signal * (f.filter_d * e + f.filter_c * behind[i]);
      behind[i] = f.filter_a * behind[i] + f.filter_b * e;
    } else {
      gradient[i] += f.signal * f.filter_d * e;
    }
    if constexpr (states > 1) {
      first[i] = f.state_by_input[0] * x[i] + f.state_by_state[0][0] * u + f.state_by_state[0][1] * w;
      second[i] = f.state_by_input[1] * x[i] + f.state_by_state[1][0] * u + f.state_by_state[1][1] * w;
    } else {
      first[i] = f.state_by_input[0] * x[i] + f.state_by_state[0][0] * u;
    }
  }
}

}  // namespace

template <typename T>
Eligibility<T>::Eligibility(int64_t batch, int64_t neurons, int64_t sources, int64_t states, EligibilityFilter filter)
    : batch_(batch),
      neurons_(neurons),
      sources_(sources),
      states_(states),
      stride_((sources + 15) / 16 * 16),
      filter_(std::move(filter)),
      traces_(static_cast<std::size_t>(batch * neurons * (states + filter_.states) * stride_)),
      gradient_(static_cast<std::size_t>(neurons * stride_)) {}

template <typename T>
int64_t Eligibility<T>::bytes() const {
  return static_cast<int64_t>((traces_.size() + gradient_.size()) * sizeof(T));
}

template <typename T>
void Eligibility<T>::advance(const Step& step) {
  // A part is a few neurons: whoever takes it owns their traces and their rows of the gradient.
  constexpr int64_t neurons_a_part = 8;
  const int64_t parts = (neurons_ + neurons_a_part - 1) / neurons_a_part;
  for_parts(parts, batch_ * neurons_ * stride_ * states_, [&](int64_t part) {
    std::vector<T> work(static_cast<std::size_t>((states_ + filter_.states + 1) * stride_));
    for (int64_t j = part * neurons_a_part; j < std::min(neurons_, (part + 1) * neurons_a_part); ++j)
      if (!advance_usual(step, j)) advance_neuron(step, j, work.data());
  });
}

// False: there are more states than advance_row takes.
template <typename T>
bool Eligibility<T>::advance_usual(const Step& step, int64_t neuron) {
  if (states_ < 1 || states_ > 2 || filter_.states > 1) return false;
  const int64_t lanes = batch_ * neurons_, rows = states_ + filter_.states;
  T* const gradient = gradient_.data() + neuron * stride_;
  Factors<T> f;
  f.filter_d = static_cast<T>(filter_.d);
  if (filter_.states > 0) {
    f.filter_a = static_cast<T>(filter_.a[0]);
    f.filter_b = static_cast<T>(filter_.b[0]);
    f.filter_c = static_cast<T>(filter_.c[0]);
  }
  for (int64_t b = 0; b < batch_; ++b) {
    const int64_t lane = b * neurons_ + neuron;
    for (int64_t k = 0; k < states_; ++k) {
      const auto u = static_cast<std::size_t>(k);
      for (int64_t l = 0; l < states_; ++l)
        f.state_by_state[u][static_cast<std::size_t>(l)] = step.state_by_state[(k * step.slots + l) * lanes + lane];
      f.state_by_input[u] = step.state_by_input[k * lanes + lane];
      f.output_by_state[u] = step.output_by_state[k * lanes + lane];
    }
    f.output_by_input = step.output_by_input[lane];
    f.signal = step.signal ? step.signal[lane] : T{0};
    const T* x = step.sources + b * sources_;
    T* const traces = traces_.data() + (neuron * batch_ + b) * rows * stride_;
    if (states_ == 1 && filter_.states == 0) advance_row<T, 1, 0>(f, x, sources_, stride_, traces, gradient);
    if (states_ == 1 && filter_.states == 1) advance_row<T, 1, 1>(f, x, sources_, stride_, traces, gradient);
    if (states_ == 2 && filter_.states == 0) advance_row<T, 2, 0>(f, x, sources_, stride_, traces, gradient);
    if (states_ == 2 && filter_.states == 1) advance_row<T, 2, 1>(f, x, sources_, stride_, traces, gradient);
  }
  return true;
}

template <typename T>
void Eligibility<T>::advance_neuron(const Step& step, int64_t neuron, T* work) {
  const int64_t lanes = batch_ * neurons_, rows = states_ + filter_.states;
  T* const e = work + rows * stride_;
  T* const gradient = gradient_.data() + neuron * stride_;
  for (int64_t b = 0; b < batch_; ++b) {
    const int64_t lane = b * neurons_ + neuron;
    const T* x = step.sources + b * sources_;
    T* const traces = traces_.data() + (neuron * batch_ + b) * rows * stride_;
    const auto trace = [&](int64_t row) { return traces + row * stride_; };

    set_scaled(step.output_by_input[lane], x, sources_, e);
    for (int64_t l = 0; l < states_; ++l) add_scaled(step.output_by_state[l * lanes + lane], trace(l), sources_, e);
    if (step.signal) {
      const T signal = step.signal[lane];
      add_scaled(signal * static_cast<T>(filter_.d), e, sources_, gradient);
      for (int64_t f = 0; f < filter_.states; ++f) {
        add_scaled(signal * static_cast<T>(filter_.c[static_cast<std::size_t>(f)]), trace(states_ + f), sources_,
                   gradient);
      }
    }
    for (int64_t k = 0; k < states_; ++k) {
      T* const next = work + k * stride_;
      set_scaled(step.state_by_input[k * lanes + lane], x, sources_, next);
      for (int64_t l = 0; l < states_; ++l)
        add_scaled(step.state_by_state[(k * step.slots + l) * lanes + lane], trace(l), sources_, next);
    }
    for (int64_t f = 0; f < filter_.states; ++f) {
      T* const next = work + (states_ + f) * stride_;
      set_scaled(static_cast<T>(filter_.b[static_cast<std::size_t>(f)]), e, sources_, next);
      for (int64_t g = 0; g < filter_.states; ++g) {
        add_scaled(static_cast<T>(filter_.a[static_cast<std::size_t>(f * filter_.states + g)]), trace(states_ + g),
                   sources_, next);
      }
    }
    std::copy_n(work, rows * stride_, traces);
  }
}

template class Eligibility<float>;
template class Eligibility<double>;

}  // namespace bouton::learn
