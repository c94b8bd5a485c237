#pragma once
// Leaky integrate-and-fire neurons with exponential synapses from event to event, and the adjoint of that: EventProp
// (Wunderlich & Pehle 2021, doi:10.1038/s41598-021-91786-z). Between events the state follows its closed form, a
// spike's time is the root of it to the last bits of double precision: no time step, and the gradient is the loss's
// own.

#include <cstdint>
#include <vector>

namespace bouton::learn {

// tau_m dx/dt = -x + i, tau_s di/dt = -i, an event of source k: i += amplitude * jump * w[k]. A spiking neuron fires
// where x reaches 1 from below and starts again at `reset`; its current goes on. Seconds.
struct EventNeuron {
  double tau_m = 20e-3, tau_s = 5e-3;  // not equal
  double jump = 1;
  double start = 0;  // x at the beginning
  bool spikes = true;
  double reset = 0;
};

// Events in the order of time.
struct Events {
  std::vector<double> time;
  std::vector<int32_t> source;
  std::vector<double> amplitude;  // empty: all of 1
  [[nodiscard]] std::size_t size() const { return time.size(); }
  [[nodiscard]] double size_of(std::size_t k) const { return amplitude.empty() ? 1 : amplitude[k]; }
  void clear();
};

// What one layer did with one sample.
struct EventRecord {
  Events spikes;                // of its own
  std::vector<double> current;  // i at each of these
  // Of a layer that does not fire: per neuron the mean of x over the run, or its largest value and where that was.
  std::vector<double> value;
  std::vector<double> peak_time;
  std::vector<int64_t> peak_event;  // of the event it falls on, else -1
  std::vector<double> peak_slope;   // of x before that event
};

enum class EventReadout { none, mean, maximum };

// One layer of n neurons. Weights are [sources, stride], rows of n numbers. Thread safe: all that moves is the
// caller's.
class EventLayer {
 public:
  EventLayer(EventNeuron neuron, int64_t n, double end, EventReadout readout);
  // Runs `input` from 0 to `end`. Throws nothing; `record` is overwritten.
  void run(const Events& input, const double* weights, int64_t stride, EventRecord& record) const;
  // The adjoint. at_spikes: of the loss by the time of each own spike, [record.spikes]; at_value: by each value, [n];
  // either may be null. Adds to grad_weights, laid out as the weights; writes the gradient by the time of each event of
  // `input` to at_input unless null.
  void adjoint(const Events& input, const double* weights, int64_t stride, const EventRecord& record,
               const double* at_spikes, const double* at_value, double* grad_weights, double* at_input) const;

 private:
  struct Decay {
    double membrane, current, coupling;        // x' = membrane x + coupling i, i' = current i
    double mean_of_membrane, mean_of_current;  // integrals of x over the interval, per x and i at its beginning
  };
  [[nodiscard]] Decay decay(double interval) const;
  [[nodiscard]] double time_to_threshold(double x, double i, double interval) const;
  [[nodiscard]] double time_to_peak(double x, double i) const;
  void fire(double from, double interval, const double* x, const double* i, EventRecord& record,
            std::vector<double>& x_after, std::vector<int32_t>& fired) const;
  void look_for_peaks(double from, double interval, int64_t event, const double* x, const double* i,
                      const double* slope, EventRecord& record) const;

  EventNeuron neuron_;
  int64_t n_;
  double end_, coupling_;
  EventReadout readout_;
};

}  // namespace bouton::learn
