#include "bouton/data/encoders.hpp"

#include <algorithm>
#include <cmath>

#include "bouton/base/random.hpp"
#include "data/noise.hpp"

namespace bouton::data {
namespace {

// The number of a Poisson variable's value, by inversion with one uniform number: P(N <= n) grows to reach it.
float poisson(double mean, double uniform) {
  double term = std::exp(-mean), sum = term;
  int n = 0;
  while (uniform >= sum && n < 200) {
    ++n;
    term *= mean / n;
    sum += term;
  }
  return static_cast<float>(n);
}

// Step of the spike, or `steps` for none.
int64_t latency_step(double x, int64_t steps, const Encoder& encoder) {
  if (!(x > encoder.threshold)) return steps;
  const double last = static_cast<double>(steps - 1);
  if (encoder.latency == LatencyForm::linear) return static_cast<int64_t>(std::lround((1 - std::min(x, 1.0)) * last));
  const double time = encoder.tau * std::log(x / (x - encoder.threshold));
  return time > last ? steps : static_cast<int64_t>(std::lround(time));
}

}  // namespace

int64_t encoded_features(const Encoder& encoder, int64_t features, int64_t steps) {
  if (encoder.kind == EncoderKind::sequence) return features / steps;
  if (encoder.kind == EncoderKind::delta) return encoder.off_spikes ? 2 * features : features;
  return encoder.kind == EncoderKind::population ? encoder.fields * features : features;
}

void encode_direct(std::span<const float> values, int64_t steps, double gain, std::span<float> out) {
  const auto factor = static_cast<float>(gain);
  std::transform(values.begin(), values.end(), out.begin(), [factor](float x) { return x * factor; });
  for (int64_t t = 1; t < steps; ++t)
    std::copy_n(out.begin(), values.size(), out.begin() + t * static_cast<int64_t>(values.size()));
}

void encode_rate(std::span<const float> values, std::span<const int64_t> ids, uint64_t seed, uint64_t draw,
                 int64_t steps, int64_t features, double gain, RateProcess process, std::span<float> out) {
  const auto key = random_key(seed ^ purpose("rate encoding"), draw);
  const auto count = static_cast<std::size_t>(features);
  std::vector<uint32_t> bits(count);
  for (int64_t t = 0; t < steps; ++t) {
    for (std::size_t b = 0; b < ids.size(); ++b) {
      const auto id = static_cast<uint64_t>(ids[b]);
      fill_bits(key, {static_cast<uint32_t>(t), static_cast<uint32_t>(id), static_cast<uint32_t>(id >> 32)},
                bits.data(), count);
      const float* x = values.data() + b * count;
      float* spikes = out.data() + (static_cast<std::size_t>(t) * ids.size() + b) * count;
      const auto factor = static_cast<float>(gain);
      if (process == RateProcess::bernoulli) {
        for (std::size_t f = 0; f < count; ++f)
          spikes[f] = static_cast<float>(static_cast<int32_t>(bits[f] >> 8)) * 0x1p-24F < x[f] * factor ? 1.0F : 0.0F;
      } else {
        for (std::size_t f = 0; f < count; ++f)
          spikes[f] = poisson(std::clamp<double>(x[f] * gain, 0, 30), bits[f] * 0x1p-32);
      }
    }
  }
}

void encode_sequence(std::span<const float> values, int64_t steps, int64_t features, double gain,
                     std::span<float> out) {
  const auto factor = static_cast<float>(gain);
  const auto width = static_cast<std::size_t>(features / steps), count = static_cast<std::size_t>(features);
  const std::size_t batch = values.size() / count;
  float* to = out.data();
  for (std::size_t first = 0; first < count; first += width) {
    for (std::size_t b = 0; b < batch; ++b, to += width) {
      for (std::size_t f = 0; f < width; ++f) to[f] = factor * values[b * count + first + f];
    }
  }
}

void encode_latency(std::span<const float> values, int64_t steps, const Encoder& encoder, std::span<float> out) {
  std::fill(out.begin(), out.end(), 0.0F);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const int64_t step = latency_step(values[i] * encoder.gain, steps, encoder);
    if (step < steps) out[static_cast<std::size_t>(step) * values.size() + i] = 1;
  }
}

void encode_delta(std::span<const float> values, int64_t steps, int64_t features, const Encoder& encoder,
                  std::span<float> out) {
  std::fill(out.begin(), out.end(), 0.0F);
  const std::size_t per_step = values.size() / static_cast<std::size_t>(steps);
  const auto width = static_cast<std::size_t>(features),
             wide = static_cast<std::size_t>(encoder.off_spikes ? 2 * features : features);
  std::vector<float> sent(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(per_step));
  for (std::size_t t = 1; t < static_cast<std::size_t>(steps); ++t) {
    for (std::size_t i = 0; i < per_step; ++i) {
      const double change = (static_cast<double>(values[t * per_step + i]) - sent[i]) * encoder.gain;
      if (std::abs(change) < encoder.threshold) continue;
      sent[i] = values[t * per_step + i];
      const std::size_t row = (t * (per_step / width) + i / width) * wide + i % width;
      if (change > 0) out[row] = 1;
      if (change < 0 && encoder.off_spikes) out[row + width] = 1;
    }
  }
}

void encode_population(std::span<const float> values, const Encoder& encoder, std::span<float> out) {
  const auto fields = static_cast<std::size_t>(std::max<int64_t>(encoder.fields, 3));
  const double spacing = (encoder.upper - encoder.lower) / static_cast<double>(fields - 2);
  const double scale = -0.5 * encoder.overlap * encoder.overlap / (spacing * spacing);
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (std::size_t k = 0; k < fields; ++k) {
      const double distance = values[i] * encoder.gain - (encoder.lower + (static_cast<double>(k) - 0.5) * spacing);
      out[i * fields + k] = static_cast<float>(std::exp(scale * distance * distance));
    }
  }
}

void encode(const Encoder& encoder, std::span<const float> values, std::span<const int64_t> ids, uint64_t draw,
            int64_t steps, int64_t features, std::span<float> out) {
  switch (encoder.kind) {
    case EncoderKind::direct:
      return encode_direct(values, steps, encoder.gain, out);
    case EncoderKind::rate:
      return encode_rate(values, ids, encoder.seed, draw, steps, features, encoder.gain, encoder.process, out);
    case EncoderKind::latency:
      return encode_latency(values, steps, encoder, out);
    case EncoderKind::delta:
      return encode_delta(values, steps, features, encoder, out);
    case EncoderKind::sequence:
      return encode_sequence(values, steps, features, encoder.gain, out);
    case EncoderKind::population: {
      const std::size_t once = values.size() * static_cast<std::size_t>(encoder.fields);
      encode_population(values, encoder, out.first(once));
      for (int64_t t = 1; t < steps; ++t) std::copy_n(out.begin(), once, out.begin() + t * static_cast<int64_t>(once));
      return;
    }
  }
}

}  // namespace bouton::data
