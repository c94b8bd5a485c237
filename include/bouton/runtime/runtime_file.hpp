#pragma once
// What a runtime file holds, as plain values: for whoever writes one. Using one takes bouton/runtime/runtime.h alone.
// The format is described in docs/runtime.md.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "bouton/base/archive.hpp"
#include "bouton/base/result.hpp"

namespace bouton::runtime {

// Images lie as [height, width, channels] between layers: what a spike adds to is then one stretch of memory.
struct ImageShape {
  int64_t channels = 0, height = 0, width = 0;
  [[nodiscard]] int64_t size() const { return channels * height * width; }
  friend bool operator==(const ImageShape&, const ImageShape&) = default;
};

// A matrix [inputs, outputs]: the row of an input is what its spike adds to all outputs. Dense: `values` is all of it
// and `kept` is empty. Sparse: `kept` is a bit a synapse, rows of (outputs + 7) / 8 bytes, output j being bit j % 8 of
// byte j / 8; `values` are those whose bit is set, row by row.
struct Matrix {
  int64_t inputs = 0, outputs = 0;
  std::vector<float> values;
  std::vector<uint8_t> kept;
  [[nodiscard]] bool sparse() const { return !kept.empty(); }
  friend bool operator==(const Matrix&, const Matrix&) = default;
};

// The sparse form of a dense matrix: zeros are left out.
[[nodiscard]] Matrix without_zeros(const Matrix& dense);

struct Dense {
  Matrix weights;
  std::vector<float> bias;  // [outputs] or empty
  friend bool operator==(const Dense&, const Dense&) = default;
};
// weights: [channels * kernel * kernel, output channels], input c * kernel * kernel + ky * kernel + kx. Padded by
// zeros.
struct Convolution {
  ImageShape input;
  int64_t kernel = 1, stride = 1, padding = 0;
  Matrix weights;
  std::vector<float> bias;
  [[nodiscard]] ImageShape output() const {
    const auto side = [&](int64_t extent) { return (extent + 2 * padding - kernel) / stride + 1; };
    return {weights.outputs, side(input.height), side(input.width)};
  }
  friend bool operator==(const Convolution&, const Convolution&) = default;
};
struct Pool {
  ImageShape input;
  int64_t size = 2, stride = 2;
  bool average = false;  // else the maximum
  [[nodiscard]] ImageShape output() const {
    return {input.channels, (input.height - size) / stride + 1, (input.width - size) / stride + 1};
  }
  friend bool operator==(const Pool&, const Pool&) = default;
};
// y = x * scale + shift, one pair a channel; channels are innermost.
struct Affine {
  int64_t size = 0;  // numbers that go through
  std::vector<float> scale, shift;
  friend bool operator==(const Affine&, const Affine&) = default;
};
struct Neurons {
  std::string name, mechanism;  // of the layer; of its mechanism
  std::string identity;         // of the mechanism (CompiledMechanism::identity)
  std::string kernel;           // of its kernel (bouton_kernel::identity)
  int64_t size = 0;
  double dt = 1e-3;  // seconds
  uint64_t seed = 0;
  std::vector<std::string> parameter_names;
  std::vector<double> parameters;    // [parameters, 1 or size], SI
  std::vector<double> input_scales;  // SI per unit of the incoming signal, one an input; the first input is driven
  std::string output;                // "" the mechanism's output, or the name of a state
  Matrix recurrent;                  // [size, size], or empty: what came out a step before comes back
  friend bool operator==(const Neurons&, const Neurons&) = default;
};
using Layer = std::variant<Dense, Convolution, Pool, Affine, Neurons>;

enum class Readout { spike_count, mean_output, max_output, last_output };

struct RuntimeFile {
  std::vector<int64_t> input;  // [features] or [channels, height, width], as the product gives it
  int64_t steps = 1;
  Readout readout = Readout::mean_output;
  std::vector<Layer> layers;
  std::map<std::string, std::string> notes;
  friend bool operator==(const RuntimeFile&, const RuntimeFile&) = default;
};

// Checked before it is written, whole or not at all. Codes: runtime-malformed, those of write_archive. Thread safe.
[[nodiscard]] Status save_runtime_file(const std::filesystem::path& path, const RuntimeFile& file);

// Reads and checks: every shape follows from the layer before it, every tensor has the shape it must have. Codes: those
// of read_archive; runtime-malformed, runtime-newer. Thread safe.
[[nodiscard]] Result<RuntimeFile> load_runtime_file(const std::filesystem::path& path);
[[nodiscard]] Result<RuntimeFile> parse_runtime_file(const std::string& name, std::string_view bytes,
                                                     Checksums checksums = Checksums::verify);

}  // namespace bouton::runtime
