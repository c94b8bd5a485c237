#pragma once
// From values to the input of a spiking network over time. Plain floats; output layout [time, batch, features].
//
// Random encoders are a pure function of (seed, draw, sample id, step, feature): a sample is encoded alike in whatever
// batch and on whatever thread. All functions are thread safe; `out` is wholly written.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace bouton::data {

enum class EncoderKind {
  direct,      // the value itself, as a current that does not change
  rate,        // random spikes; the value is the probability, or the mean number, per step
  latency,     // one spike per feature: the larger the value the earlier
  delta,       // spikes where the value changes over time; for input that is [time, batch, features]
  population,  // each feature becomes a row of graded responses with Gaussian receptive fields, held over time
  sequence,    // the features in their order, so many at a time that all have been shown at the last step
};

enum class RateProcess {
  bernoulli,  // 0 or 1 a step, with the value (clamped to 0..1) as probability
  poisson,    // a count a step, with the value (clamped to 0..30) as mean
};
enum class LatencyForm {
  linear,       // spike at step round((1 - x) * (steps - 1))
  logarithmic,  // t = tau * ln(x / (x - threshold)): when an integrator of input x reaches the threshold
};

struct Encoder {
  EncoderKind kind = EncoderKind::direct;
  double gain = 1;  // multiplies the values first
  RateProcess process = RateProcess::bernoulli;
  LatencyForm latency = LatencyForm::linear;
  double threshold = 0.01;      // latency: smaller values stay silent; delta: the change that makes a spike
  double tau = 5;               // steps; of logarithmic latency
  bool off_spikes = true;       // delta: a second half of the features spikes for falling values
  int64_t fields = 8;           // population: receptive fields per feature, at least 3
  double lower = 0, upper = 1;  // population: the range of values
  double overlap = 1.5;         // population: width = (upper - lower) / (overlap * (fields - 2))
  uint64_t seed = 0;
};

// Features of the output for `features` of the input: twice as many for delta with off_spikes, `fields` times for
// population, one in `steps` for sequence, which takes features in multiples of the steps only.
[[nodiscard]] int64_t encoded_features(const Encoder& encoder, int64_t features, int64_t steps = 1);

// values: [batch, features], or [time, batch, features] for delta. ids: [batch], what a sample is called (its index in
// the set); draw: the epoch or any number that sets repeated encodings apart. out: [time, batch, encoded features].
void encode(const Encoder& encoder, std::span<const float> values, std::span<const int64_t> ids, uint64_t draw,
            int64_t steps, int64_t features, std::span<float> out);

// The same, one by one.
// out[t, b, f] = x[b, f]
void encode_direct(std::span<const float> values, int64_t steps, double gain, std::span<float> out);
void encode_rate(std::span<const float> values, std::span<const int64_t> ids, uint64_t seed, uint64_t draw,
                 int64_t steps, int64_t features, double gain, RateProcess process, std::span<float> out);
// out[t, b, f] = gain * x[b, t * features / steps + f]
void encode_sequence(std::span<const float> values, int64_t steps, int64_t features, double gain, std::span<float> out);
// Time to first spike (Thorpe, Delorme & Van Rullen 2001, doi:10.1016/S0893-6080(01)00083-1).
void encode_latency(std::span<const float> values, int64_t steps, const Encoder& encoder, std::span<float> out);
// Send on delta: the last value that was sent is kept; a change from it by the threshold or more is a spike and becomes
// the value kept. The first step is silent.
void encode_delta(std::span<const float> values, int64_t steps, int64_t features, const Encoder& encoder,
                  std::span<float> out);
// Population code (Bohte, Kok & La Poutré 2002, doi:10.1016/S0925-2312(01)00658-0): centres at
// lower + (2i - 3)/2 * (upper - lower)/(fields - 2), i = 1..fields; response exp(-(x - centre)^2 / (2 width^2)).
// values: [batch * features]; out: [batch * features, fields], without time, to be encoded further or held.
void encode_population(std::span<const float> values, const Encoder& encoder, std::span<float> out);

}  // namespace bouton::data
