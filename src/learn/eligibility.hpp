#pragma once
// Eligibility traces of e-prop (Bellec et al. 2020, doi:10.1038/s41467-020-17236-y) for neurons of any number of
// states.

#include <cstdint>
#include <vector>

namespace bouton::learn {

// The read-out as the traces see it: u' = A u + b z, y = c u + d z. No states: y = d z.
struct EligibilityFilter {
  int64_t states = 0;
  std::vector<double> a, b, c;
  double d = 1;
};

// The traces of all synapses onto one layer, for every sample: per synapse the eligibility vector, one number a state
// (how the neuron's state hangs on the weight through the neuron's own past), and the eligibility trace behind the
// read-out's filter. Memory: batch * neurons * sources * (states + filter states), whatever the number of steps.
// Not thread safe itself; results do not depend on the number of threads.
template <typename T>
class Eligibility {
 public:
  Eligibility(int64_t batch, int64_t neurons, int64_t sources, int64_t states, EligibilityFilter filter);

  // What one step of the neurons hands over; lanes are [batch, neurons].
  struct Step {
    const T* sources = nullptr;          // [batch, sources]: what arrived through weights of one
    const T* state_by_state = nullptr;   // [states, slots, lanes]
    const T* state_by_input = nullptr;   // [states, lanes]
    const T* output_by_state = nullptr;  // [slots, lanes]
    const T* output_by_input = nullptr;  // [lanes]
    int64_t slots = 0;
    const T* signal = nullptr;  // [batch, neurons]: the learning signal; null: none at this step
  };
  // eps' = (dh'/dh) eps + (dh'/dI) x and e = (dz/dh) eps + (dz/dI) x; gradient += signal * (e behind the filter).
  void advance(const Step& step);

  [[nodiscard]] const std::vector<T>& gradient() const { return gradient_; }  // [neurons, stride()]
  [[nodiscard]] int64_t stride() const { return stride_; }  // of rows of sources: padded to whole vectors
  [[nodiscard]] int64_t bytes() const;

 private:
  bool advance_usual(const Step& step, int64_t neuron);
  void advance_neuron(const Step& step, int64_t neuron, T* work);

  int64_t batch_, neurons_, sources_, states_, stride_;
  EligibilityFilter filter_;
  std::vector<T> traces_;    // [neurons, batch, states + filter states, stride]
  std::vector<T> gradient_;  // [neurons, stride]
};

}  // namespace bouton::learn
