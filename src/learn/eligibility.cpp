#include "learn/eligibility.hpp"

#include <algorithm>
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
      advance_neuron(step, j, work.data());
  });
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
